"""Strands: every exchange has one, a template is un-mixed from what surrounds it, and nothing later is seen."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds import CHAT, MATH, Operator, World, customers, fingerprinter, harvester, prompts, world

from revenuer.profile.events import Events, from_table
from revenuer.profile.strands import SIGNATURE_SHARE, Strands, by_stack, piece_table, stats, strands

TEMPLATE = "Solve the problem with care and put the final answer in a box at the end.\n\nProblem: {}\n\nSolution:"
SYSTEM = "You are the assistant of a small bookshop by the river. Be brief, kind and exact in what you answer."


@cache
def talk(count: int) -> list[str]:
    """Chat prompts that have no run of three words in common."""
    found: list[str] = []
    said: set[tuple[str, ...]] = set()
    for text in prompts(CHAT):
        words = re.findall(r"\w+", text.lower())
        runs = set(zip(words, words[1:], words[2:], strict=False))
        if len(words) > 7 and not runs & said:
            said |= runs
            found.append(text)
    if len(found) < count:
        raise ValueError(f"{count} unlike prompts wanted, {len(found)} there")
    return found[:count]


def diluted(**changed: object) -> Operator:
    """One account that hides every fourth exchange's template among honest use."""
    problems = [TEMPLATE.format(text) for text in prompts(MATH)[:12]]
    honest = talk(36)
    texts = [problems[at // 4] if at % 4 == 0 else honest[at - at // 4 - 1] for at in range(48)]
    return Operator(name="diluted", accounts=1, texts=lambda *_: texts, **changed)  # type: ignore[arg-type]


@cache
def mixed() -> World:
    return world(harvester(4, 12), diluted(), customers(16, 8))


@cache
def table() -> pa.Table:
    return fingerprinter().fingerprint(mixed().exchanges)


def unmixed(events: Events, count: int | None = None) -> Strands:
    return strands(events, piece_table(events), len(events) if count is None else count)


def signatures(events: Events, found: Strands) -> list[set[int]]:
    pieces = piece_table(events).pieces[found.piece].tolist()
    return [set(pieces[a:b]) for a, b in zip(found.start, found.start[1:], strict=False)]


@settings(max_examples=20)
@given(st.integers(0, 250))
def test_strands_of_a_prefix_are_those_of_the_log_cut_there(count: int) -> None:
    whole, cut = mixed().events, from_table(table().slice(0, count))
    count = len(cut)
    then, fresh = unmixed(whole, count), unmixed(cut)
    assert then.of.tolist() == fresh.of.tolist()
    assert then.account.tolist() == fresh.account.tolist()
    assert then.size.tolist() == fresh.size.tolist()
    assert then.free.tolist() == fresh.free.tolist()
    assert signatures(whole, then) == signatures(cut, fresh)


@settings(max_examples=20)
@given(st.integers(0, 250))
def test_every_exchange_is_in_one_strand_of_its_account(count: int) -> None:
    events = mixed().events
    count = min(count, len(events))
    for found in (unmixed(events, count), by_stack(events, count)):
        assert (found.of >= 0).all()
        assert found.size.tolist() == np.bincount(found.of, minlength=len(found.size)).tolist()
        assert (found.size > 0).all()
        assert found.account[found.of].tolist() == events.account[:count].tolist()
        assert not any(len(s) for s, free in zip(signatures(events, found), found.free, strict=True) if free)


def test_a_diluted_account_has_its_template_in_a_strand_of_its_own() -> None:
    found = mixed()
    split = unmixed(found.events)
    rows = found.rows("diluted")
    templated = np.array([found.exchanges[row].messages[-1].content.startswith("Solve the") for row in rows])
    strand = set(split.of[rows[templated]].tolist())
    assert len(strand) == 1
    assert not strand & set(split.of[rows[~templated]].tolist())
    (one,) = strand
    assert split.size[one] == 12
    assert not split.free[one]
    assert split.free[split.of[rows[~templated]]].all()


def test_one_template_has_one_signature_in_every_account() -> None:
    found = mixed()
    split = unmixed(found.events)
    rows = found.rows("harvest", "diluted")
    templated = [row for row in rows if found.exchanges[row].messages[-1].content.startswith("Solve the")]
    mine = [signatures(found.events, split)[strand] for strand in set(split.of[templated].tolist())]
    assert len(mine) == 5
    common = set.intersection(*mine)
    assert len(common) >= 0.5 * max(map(len, mine))
    others = set().union(
        *(
            s
            for s, a in zip(signatures(found.events, split), split.account, strict=True)
            if a in found.codes("customer")
        )
    )
    assert not common & others


def test_a_piece_of_the_signature_stands_in_half_of_the_strand() -> None:
    events = mixed().events
    table_ = piece_table(events)
    split = strands(events, table_, len(events))
    for strand in range(len(split.size)):
        for piece in split.piece[split.start[strand] : split.start[strand + 1]]:
            rows = np.unique(table_.row[table_.pair_piece[table_.pair] == piece])
            assert (split.of[rows] == strand).sum() >= max(2, SIGNATURE_SHARE * split.size[strand])


def test_the_system_turn_marks_a_strand_only_where_the_user_turns_do_not() -> None:
    plain = world(Operator("plain", 1, lambda *_: talk(12), system=SYSTEM)).events
    assert unmixed(plain).free.tolist() == [False]
    both = world(diluted(system=SYSTEM))
    split = unmixed(both.events)
    assert sorted(split.size.tolist()) == [12, 36]
    assert not split.free.any()


@pytest.mark.parametrize(("stacks", "strands_"), [(1, 1), (2, 2), (8, 8), (9, 1), (20, 1)])
def test_free_traffic_is_divided_by_client_stack_unless_stacks_rotate(stacks: int, strands_: int) -> None:
    turn = iter(range(40))
    free = Operator("free", 1, lambda *_: talk(40), agent=lambda *_: f"client/{next(turn) % stacks}")
    events = world(free).events
    for found in (unmixed(events), by_stack(events, len(events))):
        assert found.free.all()
        assert len(found.size) == strands_


def test_what_recurs_in_another_account_marks_no_strand_here() -> None:
    # Every account sends the template twice only: less than recurs.
    thin = harvester(6, 2)
    assert unmixed(world(thin).events).free.all()
    assert not unmixed(world(harvester(6, 3)).events).free.any()


def test_sums_of_strands_are_sums_of_their_exchanges() -> None:
    events = mixed().events
    count = len(events) - 7
    found = unmixed(events, count)
    sums = stats(events, found)
    unit = events.embedding[:count].astype(np.float64) / 254
    for strand in range(len(found.size)):
        mine = unit[found.of == strand]
        assert sums.size[strand] == len(mine)
        np.testing.assert_allclose(sums.vector[strand], mine.sum(axis=0), atol=1e-4)
        np.testing.assert_allclose(sums.square[strand], (mine * mine).sum(), rtol=1e-4)
