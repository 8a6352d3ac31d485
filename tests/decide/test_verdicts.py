"""Verdicts over time: latched, explained by what a group is now, and never against a permission."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.harvest.simple import assessed, simple_model

from revenuer.decide.verdicts import Decider, account_score
from revenuer.harvest.evidence import Evidence
from revenuer.records import Channel, Verdict
from revenuer.settings import Decision

STRONG, FAIR, WEAK = 10.0, 6.0, -3.0
"""With 4000 calibration groups at zero: e-values of about 3,400 (flagged), 367 (watched) and 0.05."""


def decider(**settings: Any) -> Decider:
    return Decider(
        Evidence(simple_model()),
        Decision(**{"false_campaigns": 0.002, "false_discovery": 1e-4, "fewest_groups": 1, **settings}),
    )


def flagged(found: Decider) -> dict[int, float]:
    return {code: state.flagged_at for code, state in found.accounts.items() if state.flagged_at is not None}


def test_a_strong_group_is_flagged_at_its_moment_and_stays() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], WEAK)], [])
    assert {state.verdict for state in found.accounts.values()} == {Verdict.CLEAR}
    found.step(2.0, [assessed([1, 2, 3], STRONG)], [])
    found.step(3.0, [assessed([1, 2, 3], WEAK)], [])
    found.step(4.0, [], [])
    assert flagged(found) == {1: 2.0, 2: 2.0, 3: 2.0}
    assert {state.verdict for state in found.accounts.values()} == {Verdict.HARVESTING}
    assert [(c.name, c.flagged_at, sorted(c.flagged)) for c in found.campaigns] == [("campaign-001", 2.0, [1, 2, 3])]


def test_who_joins_is_flagged_when_they_joined() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], STRONG)], [])
    found.step(2.0, [assessed([1, 2, 3, 4], STRONG + 1)], [])
    assert flagged(found) == {1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0}
    assert len(found.campaigns) == 1


def test_a_group_that_changed_its_members_flags_nobody_on_its_old_strength() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], STRONG)], [])
    found.step(2.0, [assessed([1, 2, 3, 4, 5], WEAK)], [])
    assert set(flagged(found)) == {1, 2, 3}


def test_a_fair_group_is_watched_and_nobody_accused() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], FAIR)], [])
    assert {state.verdict for state in found.accounts.values()} == {Verdict.WATCH}
    assert not flagged(found)
    assert not found.campaigns


def test_a_member_without_evidence_of_its_own_is_not_flagged() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3, 4], STRONG, own=[0.0, 0.0, -1.5, 0.0])], [])
    assert set(flagged(found)) == {1, 2, 4}
    assert found.accounts[3].verdict is Verdict.WATCH
    assert found.accounts[3].score < min(found.accounts[code].score for code in (1, 2, 4))


def test_a_group_without_one_member_to_flag_makes_no_campaign() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], STRONG, own=[-2.0, -2.0, -2.0])], [])
    assert not found.campaigns
    assert not flagged(found)


def test_a_permission_is_named_only_beside_a_finding_and_never_accused() -> None:
    found = decider()
    found.step(1.0, [], [assessed([8, 9], STRONG)])
    assert not found.accounts
    found.step(2.0, [assessed([1, 2, 3], STRONG)], [assessed([7], WEAK), assessed([8, 9], STRONG)])
    assert {code for code, state in found.accounts.items() if state.verdict is Verdict.AUTHORISED} == {8, 9}
    assert set(flagged(found)) == {1, 2, 3}


def test_groups_of_one_campaign_are_one_campaign() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], STRONG), assessed([11, 12, 13], STRONG)], [])
    assert len(found.campaigns) == 2
    found.step(2.0, [assessed([1, 2, 3, 11, 12, 13], STRONG, channel=Channel.SEMANTIC)], [])
    (campaign,) = found.campaigns
    assert campaign.flagged_at == 1.0
    assert campaign.flagged == dict.fromkeys([1, 2, 3, 11, 12, 13], 1.0)
    assert {state.campaign for state in found.accounts.values()} == {campaign.name}


def test_one_account_in_common_does_not_join_campaigns() -> None:
    found = decider()
    found.step(1.0, [assessed([1, 2, 3], STRONG), assessed([3, 12, 13], STRONG - 0.5)], [])
    assert [sorted(campaign.flagged) for campaign in found.campaigns] == [[1, 2, 3], [12, 13]]
    assert found.accounts[3].campaign == found.campaigns[0].name


groups = st.builds(
    assessed,
    st.sets(st.integers(0, 9), min_size=3, max_size=6).map(sorted),
    st.floats(-6, 12),
    channel=st.sampled_from(list(Channel)),
)
steps = st.lists(st.tuples(st.lists(groups, max_size=3), st.lists(st.integers(20, 25), max_size=3, unique=True)))


@given(steps)
def test_a_flag_is_never_taken_back_or_moved_and_a_permission_never_flagged(history: Any) -> None:
    found = decider()
    before: dict[int, float] = {}
    for moment, (plain, allowed) in enumerate(history):
        found.step(float(moment), plain, [assessed(allowed, 12.0)] if allowed else [])
        now = flagged(found)
        assert before.items() <= now.items()
        assert all(at == moment for code, at in now.items() if code not in before)
        assert not set(now) & set(range(20, 26))
        names = [campaign.name for campaign in found.campaigns]
        assert len(set(names)) == len(names)
        for code, at in now.items():
            state = found.accounts[code]
            assert state.verdict is Verdict.HARVESTING
            (home,) = [c for c in found.campaigns if c.name == state.campaign]
            assert home.flagged[code] <= at
        before = now


own_or_group = st.floats(-50, 50)


@given(own_or_group, own_or_group, st.floats(0, 10))
def test_an_account_needs_both_its_group_and_itself(group: float, own: float, more: float) -> None:
    score = account_score(group, own)
    assert 0 <= score <= np.logaddexp(0, min(group, own)) + 1e-9
    assert account_score(group + more, own) >= score - 1e-12
    assert account_score(group, own + more) >= score - 1e-12
