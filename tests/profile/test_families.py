"""Families: a template spread thinly over accounts is one, a common phrase is none, and nothing later is seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds import BANKING, CHAT, Operator, World, customers, dealt, fingerprinter, harvester, prompts, world

from revenuer.profile.events import I64, from_table
from revenuer.profile.families import LEAST_ACCOUNTS, SharedPieces, families, shared_pieces
from revenuer.profile.strands import piece_table, strands

MOST = 100

TEMPLATE = "Solve the problem with care and put the final answer in a box at the end.\n\nProblem: {}\n\nSolution:"
THIN = harvester(20, 2, texts=dealt([TEMPLATE.format(text) for text in prompts(BANKING)], 20, 2))
"""Two exchanges an account, with short slots: of a long text the sketch keeps little of the template."""

PHRASE = Operator("phrase", 20, dealt([f"Could you tell me {text}" for text in prompts(CHAT)], 20, 2))
"""People who begin alike."""


@cache
def thin() -> World:
    return world(THIN, PHRASE, customers(24, 8))


@cache
def table() -> pa.Table:
    return fingerprinter().fingerprint(thin().exchanges)


@cache
def shared() -> SharedPieces:
    return shared_pieces(thin().events)


def found(most: int = MOST, smallest: int = 12, count: int | None = None) -> list[I64]:
    return families(shared(), len(thin().events) if count is None else count, most, smallest)


def test_a_template_too_thin_for_any_account_is_found_over_all() -> None:
    events = thin().events
    split = strands(events, piece_table(events), len(events))
    mine = thin().rows("harvest")
    assert split.free[split.of[mine]].all()
    assert [group.tolist() for group in found()].count(mine.tolist()) == 1


def test_a_common_phrase_is_no_family() -> None:
    people = set(thin().rows("phrase").tolist())
    assert not any(people & set(group.tolist()) for group in found())


def test_families_are_disjoint_ascending_and_large_enough() -> None:
    # Everything that three accounts share, down to the smallest.
    groups = found(smallest=2)
    assert groups
    assert all(len(group) >= 2 and (np.diff(group) > 0).all() for group in groups)
    together = np.concatenate(groups)
    assert len(np.unique(together)) == len(together)


@pytest.mark.parametrize(("most", "smallest", "there"), [(20, 40, True), (19, 12, False), (100, 41, False)])
def test_what_everybody_sends_and_what_few_exchanges_hold_begin_none(most: int, smallest: int, there: bool) -> None:
    mine = set(thin().rows("harvest").tolist())
    assert any(mine & set(group.tolist()) for group in found(most, smallest)) is there


@settings(max_examples=30)
@given(st.integers(0, 300), st.sampled_from([8, 15, MOST]))
def test_families_of_a_prefix_are_those_of_the_log_cut_there(count: int, most: int) -> None:
    # A template that more than `most` accounts send in the end is a family as long as fewer do.
    cut = from_table(table().slice(0, count))
    fresh = families(shared_pieces(cut), len(cut), most, 6)
    assert [g.tolist() for g in found(most, 6, len(cut))] == [g.tolist() for g in fresh]


def test_what_becomes_everybodys_was_a_family_before() -> None:
    events = thin().events
    mine = thin().rows("harvest")
    senders = [len(set(events.account[mine[:at]].tolist())) for at in range(len(mine) + 1)]
    while_rare = int(mine[senders.index(9) - 1])
    assert any(set(group.tolist()) <= set(mine.tolist()) for group in found(most=8, smallest=3, count=while_rare))
    assert not any(set(group.tolist()) & set(mine.tolist()) for group in found(most=8, smallest=3))


def test_shared_pieces_are_those_of_three_accounts_each_fresh_once_an_account() -> None:
    events, pieces = thin().events, shared()
    assert (np.diff(pieces.row) >= 0).all()
    owner = events.account[pieces.row]
    for piece in range(pieces.pieces):
        at = pieces.piece == piece
        accounts = owner[at]
        assert len(set(accounts.tolist())) >= LEAST_ACCOUNTS
        # The first time in each account, and no other.
        first = [number for number, one in enumerate(accounts.tolist()) if one not in accounts[:number]]
        assert np.flatnonzero(pieces.fresh[at]).tolist() == first


@pytest.mark.parametrize("accounts", [1, 2])
def test_fewer_than_three_accounts_share_nothing(accounts: int) -> None:
    events = world(harvester(accounts, 20)).events
    pieces = shared_pieces(events)
    assert pieces.pieces == len(pieces.row) == 0
    assert families(pieces, len(events), MOST) == []


def test_a_log_without_exchanges() -> None:
    pieces = shared_pieces(from_table(table().slice(0, 0)))
    assert families(pieces, 0, MOST) == []
