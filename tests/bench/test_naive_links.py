"""Naive links: transitive, causal, blind to keys that very many hold."""

from __future__ import annotations

import numpy as np
from bench.naive_links import MAX_SHARING, units
from bench.traffic import Keys
from tests.bench.conftest import by_hand


def linked(pairs: list[tuple[int, int, float]], accounts: int, look: float) -> list[int]:
    keys = Keys(
        np.array([a for a, _, _ in pairs], np.int64),
        np.array([k for _, k, _ in pairs], np.uint64),
        np.array([s for _, _, s in pairs], float),
    )
    traffic = by_hand([np.ones((1, 4), np.float32)] * accounts, keys=keys)
    return [int(u) for u in units(traffic, np.array([look]))[0]]


def test_links_are_transitive() -> None:
    found = linked([(0, 7, 0.0), (1, 7, 0.0), (1, 8, 0.0), (2, 8, 0.0), (3, 9, 0.0)], 4, 10.0)
    assert found[0] == found[1] == found[2] != found[3]


def test_a_key_links_only_after_both_have_shown_it() -> None:
    pairs = [(0, 7, 0.0), (1, 7, 5.0)]
    assert len(set(linked(pairs, 2, 5.0))) == 2
    assert len(set(linked(pairs, 2, 5.1))) == 1


def test_a_key_that_very_many_hold_links_nobody() -> None:
    few = linked([(i, 7, 0.0) for i in range(MAX_SHARING)], MAX_SHARING, 1.0)
    many = linked([(i, 7, 0.0) for i in range(MAX_SHARING + 1)], MAX_SHARING + 1, 1.0)
    assert len(set(few)) == 1
    assert len(set(many)) == MAX_SHARING + 1
