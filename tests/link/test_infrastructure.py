"""Infrastructure links against a plain oracle: what a handful of accounts share links them, what many share nobody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import events_of, exchange

from revenuer.link.infrastructure import RARE, infrastructure_links
from revenuer.profile.events import Events

Row = tuple[int, int | None, int | None]
"""Account, address (its hundreds are its network), client."""


def events(rows: list[Row]) -> Events:
    return events_of(
        [
            exchange(
                n,
                float(n),
                f"a{account}",
                "hello",
                ip=None if address is None else f"10.0.{address // 100}.{address % 100}",
                user_agent=None if client is None else f"client {client}",
            )
            for n, (account, address, client) in enumerate(rows)
        ]
    )


def links(
    rows: list[Row], paid: dict[int, int] | None = None, count: int | None = None
) -> dict[tuple[str, str], float]:
    log = events(rows)
    payment = np.array([(paid or {}).get(int(name[1:]), -1) for name in log.accounts], np.int32)
    found = infrastructure_links(log, payment, len(log) if count is None else count)
    assert (found.a < found.b).all()
    names = log.accounts
    return {
        (min(names[a], names[b]), max(names[a], names[b])): w
        for a, b, w in zip(found.a.tolist(), found.b.tolist(), found.weight.tolist(), strict=True)
    }


def plain(rows: list[Row], paid: dict[int, int]) -> dict[tuple[str, str], float]:
    """What the module says, one pair at a time."""
    resources: dict[tuple[object, ...], set[int]] = {}
    for account, address, client in rows:
        if address is not None and client is not None:
            resources.setdefault(("stack", address // 100, client), set()).add(account)
        if address is not None:
            resources.setdefault(("address", address), set()).add(account)
        if account in paid:
            resources.setdefault(("payment", paid[account]), set()).add(account)
    base = {"stack": 0.6, "address": 0.8, "payment": 1.0}
    left: dict[tuple[str, str], float] = {}
    for (kind, *_), holders in resources.items():
        if 2 <= len(holders) <= RARE:
            weight = base[str(kind)] * (1 - (len(holders) - 2) / (2 * RARE))
            for pair in combinations(sorted(f"a{holder}" for holder in holders), 2):
                left[pair] = left.get(pair, 1.0) * (1 - min(weight, 0.95))
    return {pair: 1 - open_ for pair, open_ in left.items()}


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.none() | st.sampled_from([1, 2, 101, 102, 201]), st.none() | st.integers(0, 2)),
        min_size=1,
        max_size=40,
    ),
    st.dictionaries(st.integers(0, 9), st.integers(0, 2)),
)
def test_links_are_those_of_the_oracle(rows: list[Row], paid: dict[int, int]) -> None:
    assert links(rows, paid) == pytest.approx(plain(rows, paid))


@pytest.mark.parametrize(("sharers", "linked"), [(2, True), (RARE, True), (RARE + 1, False)])
def test_what_more_than_a_few_share_links_nobody(sharers: int, linked: bool) -> None:
    rows: list[Row] = [(account, 7, 1) for account in range(sharers)]
    assert bool(links(rows)) is linked
    assert bool(links([(a, None, None) for a, *_ in rows], dict.fromkeys(range(sharers), 4))) is linked


def test_a_network_alone_links_nobody() -> None:
    assert not links([(0, 1, 1), (1, 2, 2)])
    assert links([(0, 1, 1), (1, 2, 1)])


def test_silence_links_nobody() -> None:
    assert not links([(account, None, None) for account in range(5)])


def test_nothing_later_is_seen() -> None:
    rows: list[Row] = [(0, 1, 1), (1, 201, 2), (0, 201, 2), (2, 201, 2)]
    assert not links(rows, {0: 1, 2: 1}, count=2)
    assert links(rows, count=3).keys() == {("a0", "a1")}
    assert links(rows[:3]) == links(rows, count=3)
