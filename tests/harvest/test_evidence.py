"""Groups over time: who continues whom, the running maximum, and e-BH against a brute-force oracle."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harvest.simple import assessed, simple_model

from revenuer.harvest.evidence import Evidence, e_bh
from revenuer.records import Channel

e_values = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0, 20.0, 60.0, 400.0]) | st.floats(0, 100), max_size=8)


def plain(values: list[float], rate: float, number: float) -> set[float]:
    """The largest set in which everybody passes the bar that the set's size sets; values of those in it."""
    m = len(values)
    for k in range(m, 0, -1):
        for chosen in combinations(values, k):
            if all(value * max(rate * k, number) >= m for value in chosen):
                return set(chosen)
    return set()


@given(e_values, st.sampled_from([0.01, 0.05, 0.2, 1.0]), st.sampled_from([0.0, 0.1, 0.5, 2.0]))
def test_e_bh_accepts_the_largest_set_that_agrees_with_itself(values: list[float], rate: float, number: float) -> None:
    found = e_bh(np.array(values), rate, number)
    assert {values[index] for index in found} == plain(values, rate, number)
    if found:
        rest = [value for index, value in enumerate(values) if index not in found]
        assert max(rest, default=0.0) <= min(values[index] for index in found)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8), st.integers(0, 7), st.floats(0, 300))
def test_more_evidence_for_one_group_never_unfinds_another(values: list[float], at: int, more: float) -> None:
    raised = list(values)
    raised[at % len(values)] += more
    assert e_bh(np.array(values), 0.05) <= e_bh(np.array(raised), 0.05)


def test_false_discoveries_are_bounded_over_every_outcome() -> None:
    # Four benign groups whose e-values are 0 or 20 with mean 1, in every combination; the share of false ones among
    # those accepted is their number if any is accepted.
    chance = 1 / 20
    rate = 0.3
    expected = 0.0
    for hits in range(5):
        values = np.array([20.0] * hits + [0.0] * (4 - hits))
        ways = len(list(combinations(range(4), hits)))
        expected += ways * chance**hits * (1 - chance) ** (4 - hits) * bool(e_bh(values, rate))
    assert 0 < expected <= rate


def test_no_groups() -> None:
    assert e_bh(np.array([]), 0.05) == set()
    assert Evidence(simple_model()).accepted(0.05, 0.5) == set()


def test_a_group_continues_the_one_it_shares_most_accounts_with() -> None:
    evidence = Evidence(simple_model())
    evidence.update([assessed([1, 2, 3], 2.0), assessed([7, 8, 9], 1.0)])
    found = evidence.update([assessed([1, 2, 3, 4, 5], 1.5), assessed([20, 21, 22], 5.0)])
    assert [group.number for group in found] == [2, 0]
    assert len(evidence.groups) == 3
    assert evidence.groups[0].accounts == {1, 2, 3, 4, 5}
    assert evidence.groups[1].now is None
    assert evidence.groups[1].peak.score == 1.0


def test_less_than_half_in_common_is_another_group() -> None:
    evidence = Evidence(simple_model())
    evidence.update([assessed([1, 2, 3, 4, 5], 2.0)])
    evidence.update([assessed([5, 6, 7, 8, 9], 2.0)])
    assert len(evidence.groups) == 2


def test_channels_are_kept_apart() -> None:
    evidence = Evidence(simple_model())
    evidence.update([assessed([1, 2, 3], 2.0), assessed([1, 2, 3], 2.0, channel=Channel.SEMANTIC)])
    assert {group.channel for group in evidence.groups} == {Channel.TEMPLATE, Channel.SEMANTIC}


def test_two_groups_of_one_look_do_not_continue_the_same_group() -> None:
    evidence = Evidence(simple_model())
    evidence.update([assessed([1, 2, 3, 4], 2.0)])
    found = evidence.update([assessed([1, 2, 3], 3.0), assessed([1, 2, 3, 4], 1.0)])
    assert len({group.number for group in found}) == 2


histories = st.lists(
    st.lists(
        st.builds(assessed, st.sets(st.integers(0, 8), min_size=3, max_size=5).map(sorted), st.floats(-5, 12)),
        max_size=3,
    ),
    max_size=6,
)


@given(histories)
def test_evidence_is_a_running_maximum(history: list[list[object]]) -> None:
    evidence = Evidence(simple_model())
    before: list[float] = []
    for look in history:
        evidence.update(look)  # type: ignore[arg-type]
        now = [group.e_value for group in evidence.groups]
        assert all(later >= earlier for earlier, later in zip(before, now, strict=False))
        for group in evidence.groups:
            assert group.best == group.peak.score >= (group.now.score if group.now else -np.inf)
            assert group.e_value == simple_model().e_value(group.best)
        before = now


def test_what_a_group_was_does_not_accuse_what_it_has_become() -> None:
    evidence = Evidence(simple_model())
    evidence.update([assessed([1, 2, 3], 12.0)])
    assert evidence.accepted(0.05, 0.5) == {0}
    evidence.update([assessed([1, 2, 3, 4, 5], -4.0)])
    assert evidence.groups[0].e_value == pytest.approx(simple_model().e_value(12.0))
    assert evidence.accepted(0.05, 0.5) == set()
    evidence.update([])
    assert evidence.accepted(0.05, 0.5) == set()
