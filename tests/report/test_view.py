from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report import sample
from tests.report.plans import PLANS

from revenuer.records import Member, StageTime, Verdict
from revenuer.report import view


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(0, 2_000))
def test_shares_stay_within_the_budget_and_waste_none_of_it(wants: list[int], budget: int) -> None:
    granted = view._shares(wants, budget)
    assert all(0 <= got <= want for got, want in zip(granted, wants, strict=True))
    assert sum(granted) == min(budget, sum(wants))
    short = [got for got, want in zip(granted, wants, strict=True) if got < want]
    assert all(got <= min(short) + 1 for got in granted if short)


def _member(
    exchanges: int, first: float, last: float, flagged: float | None, verdict: Verdict = Verdict.HARVESTING
) -> Member:
    base = sample.campaign(PLANS[3], 3).members[0]
    result = msgspec.structs.replace(base.result, first_flagged_at=flagged, verdict=verdict)
    return msgspec.structs.replace(base, result=result, campaign_exchanges=exchanges, first_seen=first, last_seen=last)


@pytest.mark.parametrize(
    ("members", "share"),
    [
        ([], None),
        ([_member(10, 0, 100, None, Verdict.WATCH)], None),
        ([_member(10, 0, 100, 25)], 0.25),
        ([_member(10, 0, 100, 250)], 1.0),
        ([_member(10, 50, 100, 20)], 0.0),
        ([_member(10, 0, 100, 25), _member(30, 0, 100, None)], 0.8125),
        ([_member(10, 5, 5, 5)], 1.0),
        ([_member(10, 0, 100, 25), _member(990, 0, 100, None, Verdict.AUTHORISED)], 0.25),
    ],
)
def test_what_passed_before_flagging_counts_harvesting_accounts_alone(
    members: list[Member], share: float | None
) -> None:
    assert view._passed(members) == share


def test_the_parts_of_the_traffic_add_up_to_the_log() -> None:
    report = sample.rich()
    traffic = view.page(report).traffic
    assert traffic.harvesting + traffic.watch + traffic.authorised + traffic.other == report.exchanges
    assert traffic.harvesting == sum(
        member.campaign_exchanges
        for detail in report.campaigns
        for member in detail.members
        if member.result.verdict is Verdict.HARVESTING
    )


def test_campaigns_are_told_apart_by_their_gravest_account() -> None:
    page = view.page(sample.rich())
    assert [campaign.rank for campaign in page.found] == [1, 3, 4, 5]
    assert [campaign.rank for campaign in page.authorised] == [2]
    assert [campaign.rank for campaign in page.watched] == [6]


def test_members_are_ordered_by_verdict_and_then_score() -> None:
    campaign = view.page(sample.rich()).campaigns[0]
    verdicts = [row.member.result.verdict for row in campaign.members]
    assert verdicts == sorted(verdicts, key=[Verdict.HARVESTING, Verdict.WATCH, Verdict.AUTHORISED].index)
    scores = [row.member.result.score for row in campaign.members if row.member.result.verdict is Verdict.HARVESTING]
    assert scores == sorted(scores, reverse=True)


def test_every_account_on_watch_or_authorised_is_listed_and_no_clear_one() -> None:
    report = sample.rich()
    listed = {result.account for result, _ in view.page(report).others}
    wanted = {r.account for r in report.results if r.verdict in (Verdict.WATCH, Verdict.AUTHORISED)}
    assert listed == wanted


def test_the_weakest_bound_is_the_one_stated_and_missing_ones_are_counted() -> None:
    page = view.page(sample.rich())
    assert page.worst_bound == 0.002
    assert page.unbounded == 1


def test_large_scans_leave_out_by_rule_and_say_how_much() -> None:
    page = view.page(sample.many(70, 50))
    shown = [campaign for campaign in page.campaigns if campaign.shown]
    assert len(page.campaigns) == 70
    assert len(shown) == view.MAX_CAMPAIGNS
    assert sum(len(campaign.members) for campaign in shown) == view.MAX_MEMBERS
    assert all(len(campaign.members) + campaign.hidden_members == 50 for campaign in page.campaigns)
    assert len(page.others) == view.MAX_OTHERS or page.hidden_others == 0


def test_the_fingerprint_covers_findings_and_not_stage_times() -> None:
    report = sample.watch_only()
    slower = msgspec.structs.replace(report, stages=(StageTime("ingest", 1.0, 1.0),))
    changed = msgspec.structs.replace(report, exchanges=report.exchanges + 1)
    assert view.page(slower).fingerprint == view.page(report).fingerprint
    assert view.page(changed).fingerprint != view.page(report).fingerprint
