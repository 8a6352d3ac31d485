"""The report as the page sees it: the figures, words and drawings of every part, ready for the templates.

What a large scan cannot show in a page that opens fast is left out by rule, strongest first, and each place says how
much was left out; the result files hold everything.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from revenuer.records import AccountResult, CampaignDetail, Member, ScanReport, Verdict
from revenuer.report import charts, graph, text

MAX_CAMPAIGNS = 60
"""Campaigns shown in full; further ones are in the list only."""
MAX_MEMBERS = 2_400
"""Member rows over all campaigns, shared out evenly; a smaller campaign leaves its rest to larger ones."""
MAX_LINKS = 2_400
"""Links drawn over all campaigns, shared out the same way. One campaign gets at most `LINKS_PER_ACCOUNT` for each of
its accounts, above which a drawing shows density and no longer links, and at most `MAX_LINKS_EACH`."""
LINKS_PER_ACCOUNT = 3
MAX_LINKS_EACH = 260
MAX_OTHERS = 500
"""Rows in the table of accounts outside the campaigns' findings."""

_RANK = {Verdict.HARVESTING: 0, Verdict.WATCH: 1, Verdict.AUTHORISED: 2, Verdict.CLEAR: 3}


@dataclass(frozen=True, slots=True)
class MemberView:
    member: Member
    heat: tuple[int, ...]

    @property
    def other_exchanges(self) -> int:
        return max(0, self.member.exchanges - self.member.campaign_exchanges)


@dataclass(frozen=True, slots=True)
class CampaignView:
    """One campaign; `rank` counts from 1 and is also what the page's links are made of."""

    rank: int
    detail: CampaignDetail
    verdict: Verdict
    """The gravest verdict among its accounts, except that it is `authorised` when no other grave one remains."""
    verdicts: tuple[tuple[Verdict, int], ...]
    organisations: int
    last_seen: float
    passed: float | None
    """Estimated share of the harvesting accounts' campaign exchanges that passed before each was flagged."""
    strip: str
    strip_flag: int | None
    shown: bool
    """Whether the campaign has a section of its own."""
    members: tuple[MemberView, ...]
    hidden_members: int
    hours: tuple[int, ...]
    wide: charts.Timeline | None
    narrow: charts.Timeline | None
    bars: tuple[charts.Bar, ...]
    bar_seconds: float
    graph: graph.Graph
    accounts: tuple[str, ...]
    """Accounts in the order the graph's indices refer to."""

    @property
    def harvesting(self) -> int:
        return dict(self.verdicts).get(Verdict.HARVESTING, 0)

    @property
    def time_to_flag(self) -> float | None:
        flagged = self.detail.result.first_flagged_at
        return None if flagged is None else flagged - self.detail.result.first_seen


@dataclass(frozen=True, slots=True)
class Traffic:
    """Exchanges of the log by what they were part of; the four add up to the log."""

    harvesting: int
    watch: int
    authorised: int
    other: int


@dataclass(frozen=True, slots=True)
class Page:
    report: ScanReport
    campaigns: tuple[CampaignView, ...]
    traffic: Traffic
    traffic_bar: tuple[tuple[int, int], ...]
    passed: float | None
    """As `CampaignView.passed`, over all harvesting accounts of all campaigns."""
    worst_bound: float | None
    """Weakest bound stated among the campaigns with harvesting accounts; None if none of them has one."""
    unbounded: int
    """How many of those campaigns state no bound."""
    others: tuple[tuple[AccountResult, int | None], ...]
    """Watch and authorised accounts, and harvesting ones outside every campaign shown, with the campaign's rank."""
    hidden_others: int
    stage_shares: tuple[float, ...]
    fingerprint: str

    @property
    def found(self) -> tuple[CampaignView, ...]:
        """Campaigns with at least one harvesting account."""
        return tuple(campaign for campaign in self.campaigns if campaign.verdict is Verdict.HARVESTING)

    @property
    def hidden_members(self) -> int:
        """Accounts of campaigns that have no row on the page."""
        return sum(campaign.hidden_members for campaign in self.campaigns)

    @property
    def watched(self) -> tuple[CampaignView, ...]:
        return tuple(campaign for campaign in self.campaigns if campaign.verdict in (Verdict.WATCH, Verdict.CLEAR))

    @property
    def authorised(self) -> tuple[CampaignView, ...]:
        return tuple(campaign for campaign in self.campaigns if campaign.verdict is Verdict.AUTHORISED)


def page(report: ScanReport) -> Page:
    """Work out everything the page shows; pure, and the same for the same report."""
    full = report.campaigns[:MAX_CAMPAIGNS]
    members = _shares([len(campaign.members) for campaign in full], MAX_MEMBERS)
    links = _shares(
        [min(MAX_LINKS_EACH, LINKS_PER_ACCOUNT * len(campaign.members), len(campaign.edges)) for campaign in full],
        MAX_LINKS,
    )
    campaigns = tuple(
        _campaign(report, campaign, rank, members[rank - 1], links[rank - 1])
        if rank <= len(full)
        else _campaign(report, campaign, rank, 0, 0)
        for rank, campaign in enumerate(report.campaigns, start=1)
    )
    ranks = {campaign.detail.result.campaign: campaign.rank for campaign in campaigns if campaign.shown}
    others = sorted(
        (
            result
            for result in report.results
            if result.verdict in (Verdict.WATCH, Verdict.AUTHORISED)
            or (result.verdict is Verdict.HARVESTING and result.campaign not in ranks)
        ),
        key=lambda result: (_RANK[result.verdict], -result.score, result.account),
    )
    everyone = [member for campaign in report.campaigns for member in campaign.members]
    traffic = _traffic(everyone, report.exchanges)
    found = [campaign for campaign in campaigns if campaign.verdict is Verdict.HARVESTING]
    bounds = [campaign.detail.false_alarm_bound for campaign in found]
    stated = [bound for bound in bounds if bound is not None and text.rarity(bound)]
    slowest = max((stage.wall for stage in report.stages), default=0.0)
    return Page(
        report=report,
        campaigns=campaigns,
        traffic=traffic,
        traffic_bar=charts.segments((traffic.harvesting, traffic.watch, traffic.authorised, traffic.other), width=1000),
        passed=_passed(everyone),
        worst_bound=max(stated, default=None),
        unbounded=len(bounds) - len(stated),
        others=tuple((result, ranks.get(result.campaign or "")) for result in others[:MAX_OTHERS]),
        hidden_others=max(0, len(others) - MAX_OTHERS),
        stage_shares=tuple(stage.wall / slowest if slowest > 0 else 0.0 for stage in report.stages),
        fingerprint=_fingerprint(report),
    )


def _campaign(report: ScanReport, detail: CampaignDetail, rank: int, members: int, links: int) -> CampaignView:
    ordered = sorted(detail.members, key=lambda m: (_RANK[m.result.verdict], -m.result.score, m.result.account))
    shown = rank <= MAX_CAMPAIGNS
    accounts = tuple(member.result.account for member in ordered)
    counted = Counter(member.result.verdict for member in ordered)
    verdicts = tuple((verdict, counted[verdict]) for verdict in _RANK if counted[verdict])
    series, seconds = charts.bars(detail, 96) if shown else ((), 0.0)
    return CampaignView(
        rank=rank,
        detail=detail,
        verdict=_verdict(counted),
        verdicts=verdicts,
        organisations=len({member.org for member in ordered if member.org}),
        last_seen=max((member.last_seen for member in ordered), default=detail.result.first_seen),
        passed=_passed(ordered),
        strip=charts.strip(detail.timeline, report.first_ts, report.last_ts, width=180, height=24),
        strip_flag=charts.place(detail.result.first_flagged_at, report.first_ts, report.last_ts, width=180),
        shown=shown,
        members=tuple(MemberView(member, charts.heat(member.hours)) for member in ordered[:members]),
        hidden_members=len(ordered) - members,
        hours=tuple(sum(member.hours[hour] for member in ordered if hour < len(member.hours)) for hour in range(24)),
        wide=charts.timeline(detail, width=980, height=250, most=96) if shown else None,
        narrow=charts.timeline(detail, width=370, height=250, most=48) if shown else None,
        bars=series,
        bar_seconds=seconds,
        graph=graph.draw(
            accounts,
            [member.campaign_exchanges for member in ordered],
            detail.edges if shown else (),
            most_links=links,
        ),
        accounts=accounts,
    )


def _verdict(counted: Counter[Verdict]) -> Verdict:
    if counted[Verdict.HARVESTING]:
        return Verdict.HARVESTING
    if counted[Verdict.AUTHORISED] > counted[Verdict.WATCH]:
        return Verdict.AUTHORISED
    return Verdict.WATCH


def _passed(members: Sequence[Member]) -> float | None:
    """Share of the harvesting accounts' campaign exchanges before each account's own flag.

    The records hold no times of single exchanges, so each account's are taken as spread evenly from its first to its
    last. None without harvesting accounts.
    """
    total = before = 0.0
    for member in members:
        if member.result.verdict is not Verdict.HARVESTING:
            continue
        flagged, span = member.result.first_flagged_at, member.last_seen - member.first_seen
        share = 1.0
        if flagged is not None:
            share = (flagged - member.first_seen) / span if span > 0 else float(flagged >= member.last_seen)
        total += member.campaign_exchanges
        before += member.campaign_exchanges * min(1.0, max(0.0, share))
    return before / total if total else None


def _traffic(members: Sequence[Member], exchanges: int) -> Traffic:
    """Campaign exchanges by the verdict of the account that made them, and the rest of the log."""
    sums: Counter[Verdict] = Counter()
    for member in members:
        sums[member.result.verdict] += member.campaign_exchanges
    left = exchanges
    parts: list[int] = []
    for verdict in (Verdict.HARVESTING, Verdict.WATCH, Verdict.AUTHORISED):
        parts.append(min(left, sums[verdict]))
        left -= parts[-1]
    return Traffic(parts[0], parts[1], parts[2], left)


def _shares(wants: Sequence[int], budget: int) -> list[int]:
    """Share `budget` out so that each gets what it wants up to one common limit, as large as the budget allows."""
    granted = [0] * len(wants)
    left = budget
    for served, index in enumerate(sorted(range(len(wants)), key=lambda i: (wants[i], i))):
        granted[index] = min(wants[index], left // (len(wants) - served))
        left -= granted[index]
    return granted


def _fingerprint(report: ScanReport) -> str:
    """SHA-256 over the findings in canonical JSON, without stage times, which differ from run to run.

    The standard library's encoder is used since it writes any string, half a surrogate pair included.
    """
    findings = msgspec.to_builtins(msgspec.structs.replace(report, stages=()))
    return hashlib.sha256(json.dumps(findings, sort_keys=True).encode("ascii")).hexdigest()
