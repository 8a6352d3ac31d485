"""A group's sums and the population it is compared with, against plain counts."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from tests.worlds import World, assembled, customers, harvester, world

from revenuer.harvest.group import Group, Population


@cache
def small() -> World:
    return world(harvester(4, 12), customers(20, 8))


def test_a_group_knows_whose_exchanges_it_holds() -> None:
    found = small()
    rows = found.rows("harvest")[::3]
    group = Group.of(found.events, found.books, Population.of(found.events, len(found.events)), rows)
    assert group.accounts[group.owner].tolist() == found.events.account[rows].tolist()
    assert set(group.accounts.tolist()) <= found.codes("harvest")
    assert group.size.sum() == len(rows)
    assert group.size.tolist() == [(found.events.account[rows] == code).sum() for code in group.accounts]


def test_sums_are_per_account() -> None:
    group = small().group("harvest", "customer")
    value = np.arange(len(group.rows), dtype=np.float64)
    both = np.stack([value, -value], axis=1)
    expected = [value[group.owner == k].sum() for k in range(len(group.accounts))]
    assert group.sums(value)[:, 0].tolist() == expected
    assert group.sums(both)[:, 1].tolist() == [-total for total in expected]


@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_the_population_is_what_was_seen_by_then(share: float) -> None:
    found = small()
    events = found.events
    count = int(share * len(events))
    population = Population.of(events, count)
    seen = range(count)
    assert population.account_exchanges.tolist() == [
        sum(events.account[row] == code for row in seen) for code in range(len(events.accounts))
    ]
    assert population.active == len({events.account[row] for row in seen})
    for spread, code in (
        (population.network_accounts, events.network),
        (population.agent_accounts, events.agent),
    ):
        assert spread.tolist() == [
            len({events.account[row] for row in seen if code[row] == value}) for value in range(len(spread))
        ]
    pairs = Counter(int(events.account[row]) << 32 | int(events.agent[row]) + 1 for row in seen)
    assert dict(zip(population.stacks.tolist(), population.stack_exchanges.tolist(), strict=True)) == pairs


def test_nothing_later_moves_the_population() -> None:
    found = small()
    count = len(found.events) // 2
    cut = assembled(found.exchanges[:count], found.accounts)
    early = Population.of(found.events, count)
    fresh = Population.of(cut.events, count)
    assert early.active == fresh.active
    assert early.account_exchanges[: len(cut.events.accounts)].tolist() == fresh.account_exchanges.tolist()
    assert not early.account_exchanges[len(cut.events.accounts) :].any()
    np.testing.assert_array_equal(early.topic_mean, fresh.topic_mean)
    np.testing.assert_array_equal(early.topic_scale, fresh.topic_scale)


def test_topics_are_measured_in_standard_deviations_between_accounts() -> None:
    found = world(customers(150, 6))
    population = Population.of(found.events, len(found.events))
    unit = found.events.embedding.astype(np.float64) / 254
    means = np.array([unit[found.events.account == code].mean(axis=0) for code in range(150)])
    standard = (means - population.topic_mean) @ population.topic_scale
    assert standard.mean(axis=0) == pytest.approx(0, abs=1e-6)
    strong = np.linalg.eigvalsh(np.cov(standard.T))
    assert strong.max() == pytest.approx(1, abs=1e-3)


def test_a_population_too_small_to_tell_has_plain_scales() -> None:
    found = world(customers(2, 6))
    population = Population.of(found.events, len(found.events))
    assert not population.topic_mean.any()
    np.testing.assert_array_equal(population.topic_scale, np.eye(64))
