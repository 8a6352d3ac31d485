"""Candidates: exchanges that a channel proposes, large enough, each set once a channel."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import World, customers, harvester, world

from revenuer.link.candidates import CHANNELS, Candidate, Recurring, RowsOf, Scene, candidates
from revenuer.records import Channel


@cache
def small() -> World:
    return world(harvester(8, 30), customers(160, 10))


@cache
def scene() -> Scene:
    log = small().events
    return Scene.at(log, Recurring.of(log), small().books.payment, len(log))


def key(found: list[Candidate]) -> list[tuple[Channel, bytes]]:
    return [(candidate.channel, candidate.rows.tobytes()) for candidate in found]


@given(st.lists(st.integers(0, 6), max_size=30), st.sets(st.integers(0, 6)))
def test_rows_of_some_labels_are_all_of_theirs_in_order(label: list[int], asked: set[int]) -> None:
    rows_of = RowsOf(np.array(label, np.int32), 7)
    expected = [row for row, value in enumerate(label) if value in asked]
    assert rows_of(np.array(sorted(asked), np.int64)).tolist() == expected


def test_every_channel_has_its_place_in_the_list() -> None:
    assert len({channel for channel, _ in CHANNELS}) == len(CHANNELS)


def test_every_proposal_is_large_enough_and_comes_once() -> None:
    found = candidates(scene(), smallest_accounts=4, smallest_exchanges=50)
    assert found
    for candidate in found:
        assert len(candidate.rows) >= 50
        assert len(np.unique(small().events.account[candidate.rows])) >= 4
    assert len(set(key(found))) == len(found)
    everything = candidates(scene(), smallest_accounts=3, smallest_exchanges=1)
    assert set(key(found)) <= set(key(everything))
    assert not candidates(scene(), smallest_accounts=1000, smallest_exchanges=1)


def test_the_harvest_is_proposed_whole_and_alone() -> None:
    mine = small().rows("harvest").tobytes()
    whole = {candidate.channel for candidate in candidates(scene()) if candidate.rows.tobytes() == mine}
    assert {Channel.TEMPLATE, Channel.INFRASTRUCTURE} <= whole


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_the_first_moments_of_a_log(count: int) -> None:
    log = small().events
    early = Scene.at(log, Recurring.of(log), small().books.payment, count)
    for candidate in candidates(early, 1, 1):
        assert candidate.rows.max() < count
