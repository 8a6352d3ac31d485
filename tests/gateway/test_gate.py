"""Keys that nobody knows are accounts of their own."""

from __future__ import annotations

from revenuer.gateway.dialects import Asked
from revenuer.gateway.gate import Gate, reference

ASKED = Asked("openai.chat")


def test_a_key_is_an_account_and_does_not_show() -> None:
    gate = Gate(b"n" * 32)
    first, again, other = (gate.enter(key, ASKED, 0.0) for key in (b"sk-1", b"sk-1", b"sk-2"))
    assert first.account == again.account != other.account
    assert "sk-1" not in first.account + str(first.key)
    assert (first.reason, first.edits, first.delay) == (None, None, 0.0)
    assert gate.enter(b"", ASKED, 0.0).account == "anonymous"


def test_names_are_of_one_installation() -> None:
    assert Gate(b"n" * 32).enter(b"k", ASKED, 0.0).account != Gate(b"m" * 32).enter(b"k", ASKED, 0.0).account


def test_memory_is_bounded_and_names_stay() -> None:
    gate = Gate(b"n" * 32)
    name = gate.enter(b"k", ASKED, 0.0).account
    for number in range(70_000):
        gate.enter(b"%d" % number, ASKED, 0.0)
    assert len(gate._known) <= 65_536
    assert gate.enter(b"k", ASKED, 0.0).account == name


def test_references_are_not_given_twice() -> None:
    assert len({reference() for _ in range(1000)}) == 1000
