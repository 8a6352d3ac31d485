"""Permissions on file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.decide.authorisation import COLLECTING, Permission, outside, permission_of
from revenuer.records import Account


def of(*entries: str) -> Permission | None:
    return permission_of(Account(account="a", authorised=entries))


def test_nobody_has_a_permission_by_default() -> None:
    assert permission_of(None) is None
    assert of() is None
    assert of("", "  ") is None


@pytest.mark.parametrize(
    ("entries", "uses", "models"),
    [
        (("distillation:model-x",), ("distillation",), {"model-x"}),
        ((" Evaluation : model-x ", "evaluation:model-y"), ("evaluation",), {"model-x", "model-y"}),
        (("research",), ("research",), None),
        (("research:*", "training:model-x"), ("research", "training"), None),
        (("a:b:c",), ("a",), {"b:c"}),
    ],
)
def test_entries_are_a_use_and_perhaps_a_model(
    entries: tuple[str, ...], uses: tuple[str, ...], models: set[str] | None
) -> None:
    found = of(*entries)
    assert found is not None
    assert found.uses == uses
    assert found.models == models


@pytest.mark.parametrize("use", sorted(COLLECTING))
def test_some_uses_cover_collecting(use: str) -> None:
    found = of("evaluation", use.upper())
    assert found is not None
    assert found.for_collecting


def test_other_uses_cover_looking_alike() -> None:
    found = of("evaluation", "classifier")
    assert found is not None
    assert not found.for_collecting


def test_models_outside_a_permission_are_named() -> None:
    found = of("distillation:model-x")
    assert found is not None
    assert outside(found, ["model-z", "model-x", "model-y", "model-z"]) == ["model-y", "model-z"]


@given(st.lists(st.text(max_size=12), max_size=5), st.lists(st.text(max_size=5), max_size=4))
def test_any_entry_that_says_something_is_a_permission(entries: list[str], asked: list[str]) -> None:
    found = of(*entries)
    assert (found is None) == (not any(entry.strip() for entry in entries))
    if found is not None:
        assert set(outside(found, asked)) == (set() if found.models is None else set(asked) - found.models)
