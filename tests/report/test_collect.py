"""A finished replay as a report: every account once, numbers that add up, and odd campaigns that stop nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import numpy as np
import pytest
from tests.harvest.simple import simple_model
from tests.worlds import START, World, customers, harvester, world

from revenuer.decide.replay import Replay, replay
from revenuer.decide.verdicts import AccountState, CampaignState
from revenuer.records import Account, ScanReport, Verdict
from revenuer.report.collect import Input, collect
from revenuer.settings import Decision, Settings

SOURCE = Input(("log",), 2, ("a note",))


@cache
def small() -> World:
    return world(harvester(5, 30), customers(20, 10))


def found(permitted: Sequence[str] = ()) -> Replay:
    log = small()
    mask = np.isin(np.array(log.events.accounts), np.array(permitted, dtype=str))
    return replay(
        log.events, log.books, mask, Settings(decision=Decision(false_campaigns=0.05, fewest_groups=1)), simple_model()
    )


def report(finished: Replay, accounts: Mapping[str, Account] | None = None) -> ScanReport:
    log = small()

    def texts(numbers: Sequence[int]) -> Mapping[int, str]:
        order = sorted(log.exchanges, key=lambda exchange: (exchange.ts, exchange.id))
        return {number: order[number].messages[-1].content for number in numbers}

    known = log.accounts if accounts is None else accounts
    return collect(SOURCE, log.events, log.books, known, finished, simple_model(), texts, ())


@cache
def whole() -> ScanReport:
    return report(found())


def test_an_empty_log_is_a_report_too() -> None:
    empty = collect(SOURCE, None, None, {}, None, simple_model(), lambda _: {}, ())
    assert (empty.exchanges, empty.accounts, empty.rejected, empty.notes) == (0, 0, 2, ("a note",))
    assert empty.verdicts == {verdict.value: 0 for verdict in Verdict}
    assert not empty.campaigns
    assert not empty.results


def test_every_account_has_one_result_and_the_counts_add_up() -> None:
    one = whole()
    assert [row.account for row in one.results] == sorted(small().events.accounts)
    assert sum(one.verdicts.values()) == one.accounts == 25
    assert one.verdicts["harvesting"] == 5


def test_the_campaign_is_the_harvest_and_its_numbers_add_up() -> None:
    (campaign,) = whole().campaigns
    result = campaign.result
    assert result.accounts == tuple(f"harvest-{n}" for n in range(5))
    assert 100 < result.exchanges <= 150  # those since the last look are in no group yet
    assert sum(bucket.exchanges for bucket in campaign.timeline) == result.exchanges
    assert sum(member.campaign_exchanges for member in campaign.members) == result.exchanges
    assert all(sum(member.hours) == member.campaign_exchanges for member in campaign.members)
    assert all(share >= 0 for _, share in campaign.intents)
    assert any("Solve the problem with care" in part.text for part in campaign.template if not part.slot)
    assert result.reasons


def test_a_flagged_account_names_exchanges_of_its_own() -> None:
    owner = {exchange.id: exchange.account for exchange in small().exchanges}
    for row in whole().results:
        own = [reason for reason in row.reasons if reason.signal == "own_evidence"]
        assert bool(own) == (row.verdict is Verdict.HARVESTING)
        for reason in own:
            assert reason.exchanges
            assert {owner[id] for id in reason.exchanges} == {row.account}


def test_a_campaign_of_nobody_is_left_out() -> None:
    finished = found()
    groups = set(finished.decider.campaigns[0].groups)
    finished.decider.campaigns.append(CampaignState("campaign-009", START, {}, groups, 99.0))
    assert msgspec.structs.replace(report(finished), stages=()) == msgspec.structs.replace(whole(), stages=())


def test_a_campaign_whose_groups_moved_on_counts_all_of_its_accounts_exchanges() -> None:
    finished = found()
    campaign = finished.decider.campaigns[0]
    stranger = small().events.accounts.index("customer-3")
    campaign.flagged = {stranger: START}
    assert report(finished).campaigns[0].result.exchanges == 10


@pytest.mark.parametrize(
    ("permission", "asked"),
    [("distillation:teacher", False), ("distillation:other", True), ("evaluation", True)],
)
def test_a_permission_is_a_reason_and_its_limits_are_said(permission: str, asked: bool) -> None:
    names = [f"harvest-{n}" for n in range(5)]
    accounts = dict(small().accounts)
    for name in names:
        accounts[name] = msgspec.structs.replace(accounts[name], authorised=(permission,))
    finished = found(names)
    for name in names:
        finished.decider.accounts[small().events.accounts.index(name)] = AccountState(Verdict.AUTHORISED, 3.0)
    for row in report(finished, accounts).results:
        if row.account in names:
            said = [reason.text for reason in row.reasons if reason.signal == "authorised"]
            assert len(said) == 1
            assert permission in said[0]
            assert ("a person should look" in said[0]) == asked
