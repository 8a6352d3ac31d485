"""Template links against a plain oracle: symmetric, weighted by rarity, blind to everybody's phrases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.link.template import SYMMETRIC, template_links
from revenuer.profile.strands import Strands

Signature = tuple[int, set[int]]
"""Account and pieces of a strand."""

signatures = st.lists(st.tuples(st.integers(0, 6), st.sets(st.integers(0, 12), max_size=8)), min_size=1, max_size=12)


def strands(found: list[Signature]) -> Strands:
    lengths = [len(pieces) for _, pieces in found]
    count = len(found)
    return Strands(
        count=count,
        of=np.arange(count, dtype=np.int32),
        account=np.array([account for account, _ in found], np.int32),
        size=np.ones(count, np.int64),
        free=np.zeros(count, bool),
        start=np.cumsum([0, *lengths]).astype(np.int64),
        piece=np.array([piece for _, pieces in found for piece in sorted(pieces)], np.int32),
    )


def links(found: list[Signature], accounts: int = 7, most: int = 400) -> dict[tuple[int, int], float]:
    result = template_links(strands(found), accounts, most)
    return dict(zip(zip(result.a.tolist(), result.b.tolist(), strict=True), result.weight.tolist(), strict=True))


def plain(found: list[Signature], accounts: int = 7, most: int = 400) -> dict[tuple[int, int], float]:
    holders: dict[int, set[int]] = {}
    for account, pieces in found:
        for piece in pieces:
            holders.setdefault(piece, set()).add(account)
    rarity = {piece: math.log((accounts + 1) / len(who)) for piece, who in holders.items()}
    usable = {piece for piece, who in holders.items() if 2 <= len(who) <= most}
    out = {}
    for a, (owner, mine) in enumerate(found):
        for b, (other, theirs) in enumerate(found[a + 1 :], a + 1):
            common = sum(rarity[piece] for piece in mine & theirs & usable)
            if owner != other and common > 0:
                share = common / max(sum(rarity[p] for p in mine), sum(rarity[p] for p in theirs))
                if abs(share - SYMMETRIC) < 1e-9:
                    return {(-1, -1): 0.0}
                if share >= SYMMETRIC:
                    out[a, b] = share
    return out


@given(signatures, st.sampled_from([3, 400]))
def test_links_are_those_of_the_oracle(found: list[Signature], most: int) -> None:
    expected = plain(found, most=most)
    if (-1, -1) not in expected:  # A share of exactly one half may round either way.
        assert links(found, most=most) == pytest.approx(expected)


@given(signatures, st.randoms(use_true_random=False))
def test_the_order_of_strands_and_the_names_of_accounts_do_not_matter(found: list[Signature], random: object) -> None:
    shuffle = random.shuffle  # type: ignore[attr-defined]
    order, names = list(range(len(found))), list(range(7))
    shuffle(order)
    shuffle(names)
    renamed = [(names[found[i][0]], found[i][1]) for i in order]
    back = {(min(order[a], order[b]), max(order[a], order[b])): w for (a, b), w in links(renamed).items()}
    if (-1, -1) not in plain(found):
        assert back == pytest.approx(links(found))


TEMPLATE = set(range(10))


def test_one_sided_containment_is_no_link() -> None:
    much_more = TEMPLATE | set(range(100, 125))
    assert links([(0, TEMPLATE), (1, TEMPLATE)]) == {(0, 1): pytest.approx(1.0)}
    assert not links([(0, TEMPLATE), (1, much_more)])


def test_two_strands_of_one_account_are_not_linked() -> None:
    assert not links([(0, TEMPLATE), (0, TEMPLATE)])


def test_everybodys_phrases_link_nobody() -> None:
    crowd: list[Signature] = [(account, {1, 2, 3}) for account in range(30)]
    assert not links(crowd, accounts=30, most=29)
    assert len(links(crowd, accounts=30, most=30)) == 30 * 29 / 2


def test_rare_text_weighs_more_than_common_text() -> None:
    # Two accounts share two pieces; in one world a dozen others use those too, in the other nobody does.
    pair: list[Signature] = [(0, {1, 2, 10}), (1, {1, 2, 20})]
    crowd: list[Signature] = [(account, {1, 2}) for account in range(2, 14)]
    rare, common = links(pair, accounts=100), links([*pair, *crowd], accounts=100)
    assert (0, 1) in rare
    assert (0, 1) not in common


def test_no_text_no_link() -> None:
    assert not links([(0, set()), (1, set())])
