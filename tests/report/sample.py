"""Synthetic scan reports: a rich one to look at, and the extremes.

All text is invented; the numbers come from fixed seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tests.report.plans import PLANS, Plan, fixed, slot

from revenuer.records import (
    AccountResult,
    CampaignDetail,
    CampaignResult,
    Channel,
    Edge,
    Member,
    Reason,
    ScanReport,
    StageTime,
    TimelineBucket,
    Verdict,
)

START = 1_772_323_200.0  # 2026-03-01 00:00 UTC
DAY = 86_400.0
DAYS = 14


def rich() -> ScanReport:
    """Six campaigns of every kind over 14 days."""
    return report([campaign(plan, seed) for seed, plan in enumerate(PLANS)], exchanges=212_480, accounts=2_316)


def many(campaigns: int, accounts: int) -> ScanReport:
    """The size test: `campaigns` campaigns of `accounts` accounts, all channels, long reasons."""
    base = PLANS[0]
    plans = [
        Plan(
            f"size-{index:03d}",
            accounts,
            400,
            base.begins,
            base.lasts,
            base.flagged_after,
            base.channels,
            base.template,
            base.intents,
            20 - index * 0.3,
            base.bound,
            base.doubts,
        )
        for index in range(campaigns)
    ]
    return report(
        [campaign(plan, seed, reasons=4) for seed, plan in enumerate(plans)],
        exchanges=campaigns * accounts * 600,
        accounts=campaigns * accounts + 5_000,
    )


def empty() -> ScanReport:
    """Nothing found in a log of honest customers."""
    return report([], exchanges=88_120, accounts=940)


def all_authorised() -> ScanReport:
    """One group that would be a campaign, wholly covered by a permission."""
    return report([campaign(PLANS[1], 1)], exchanges=61_004, accounts=512)


def watch_only() -> ScanReport:
    """A group is linked, but nothing reached the bound."""
    return report([campaign(PLANS[5], 5)], exchanges=61_004, accounts=512)


def hostile() -> ScanReport:
    """Every string that a log or a caller can reach tries to break out, hide, reorder or flood."""
    bad = (
        '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">\'"{{7*7}}'
        "\u202eevil\u2066\x00\x1b[2J\ufeff"
    )
    flood = "A" * 300_000 + "\u0301" * 50_000
    plan = Plan(
        bad,
        5,
        40,
        1.0,
        5.0,
        1.0,
        (Channel.TEMPLATE, Channel.SEMANTIC),
        (fixed(bad + flood), slot(bad), slot("")),
        ((bad, 0.5), (flood, 0.5)),
        5.0,
        0.01,
        (bad, flood),
        authorised=(bad, flood),
    )
    return report([campaign(plan, 1, text=bad)], exchanges=5_000, accounts=40, text=bad)


def report(campaigns: Sequence[CampaignDetail], *, exchanges: int, accounts: int, text: str = "") -> ScanReport:
    results = [member.result for detail in campaigns for member in detail.members]
    stray = np.random.default_rng(99)
    results += [
        AccountResult(
            account=f"{text}single-{index:02d}",
            campaign=None,
            score=round(float(stray.uniform(0.5, 2.0)), 3),
            verdict=Verdict.WATCH,
            first_flagged_at=None,
            reasons=(
                Reason(signal="pool_repeats", value=0.02, text=f"{text}Repeats its questions far less than people do."),
                Reason(signal="idle_hours", value=1.0, text="Never idle for longer than an hour."),
            ),
        )
        for index in range(7 if campaigns else 0)
    ]
    clear = accounts - len(results)
    results += [
        AccountResult(
            account=f"clear-{i:05d}", campaign=None, score=0.0, verdict=Verdict.CLEAR, first_flagged_at=None, reasons=()
        )
        for i in range(clear)
    ]
    verdicts = {verdict.value: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return ScanReport(
        version="0.1.0",
        files=(f"{text}gateway-2026-03-01.jsonl.zst", "gateway-2026-03-08.jsonl.zst"),
        exchanges=exchanges,
        rejected=37,
        accounts=accounts,
        first_ts=START,
        last_ts=START + DAYS * DAY,
        verdicts=verdicts,
        campaigns=tuple(campaigns),
        results=tuple(results),
        stages=(
            StageTime("ingest", 9.1, 8.8),
            StageTime("fingerprint", 38.4, 37.9),
            StageTime("store", 2.2, 1.1),
            StageTime("profile", 4.7, 4.6),
            StageTime("link", 11.9, 19.3),
            StageTime("harvest", 1.8, 1.8),
            StageTime("decide", 0.05, 0.05),
        ),
        calibration=text
        + "Thresholds come from 412 benign groups of comparable size, simulated from prompt sources that take no part "
        "in this scan. A group is reported when fewer than 1 in 1,000 of them would score as high (conformal bound, "
        "95 % confidence).",
        notes=("The account file names no payment details; links by payment could not be looked for." + text,),
    )


def campaign(plan: Plan, seed: int, *, reasons: int = 3, text: str = "") -> CampaignDetail:
    """One campaign after `plan`; the same arguments give the same campaign."""
    rng = np.random.default_rng(seed)
    begin = START + plan.begins * DAY
    end = min(START + DAYS * DAY, begin + plan.lasts * DAY)
    flagged = None if plan.flagged_after is None else begin + plan.flagged_after * DAY
    members = tuple(_member(plan, index, rng, begin, end, flagged, reasons, text) for index in range(plan.accounts))
    names = [member.result.account for member in members]
    buckets = int((end - begin) // 3600)
    ramp = np.minimum(1, np.arange(buckets) / 30 + 0.15) * (1 + 0.5 * np.sin(np.arange(buckets) / 24 * 2 * np.pi))
    shape = rng.poisson(ramp / ramp.sum() * sum(member.campaign_exchanges for member in members))
    timeline = tuple(
        TimelineBucket(
            start=begin + hour * 3600,
            exchanges=int(total),
            accounts=int(min(total, rng.integers(1, plan.accounts + 1))),
        )
        for hour, total in enumerate(shape)
        if total
    )
    harvesting = [member for member in members if member.result.verdict is Verdict.HARVESTING]
    return CampaignDetail(
        result=CampaignResult(
            campaign=plan.name,
            accounts=tuple(names),
            exchanges=sum(member.campaign_exchanges for member in members),
            first_seen=begin,
            first_flagged_at=flagged if harvesting else None,
            score=plan.score,
            reasons=(
                Reason(
                    signal="template_containment",
                    value=0.94,
                    text=(
                        f"{text}94 % of the fixed text of these requests recurs in the other accounts "
                        "and in no benign account."
                    ),
                    exchanges=tuple(f"x-{rng.integers(1 << 40):010x}" for _ in range(9)),
                ),
                Reason(
                    signal="pool_without_replacement",
                    value=0.013,
                    text="1.3 % of the questions repeat, where 9 to 31 % would for people of the same focus.",
                    exchanges=("x-00a1", "x-00a2"),
                ),
                Reason(
                    signal="exchangeable_shards",
                    value=3.8,
                    text=(
                        "The accounts differ less from one another than shuffled halves of one benign operator do: "
                        "shards of one work list."
                    ),
                ),
                Reason(
                    signal="even_load",
                    value=0.07,
                    text="Load over the accounts varies by 7 %; benign groups vary by 60 % or more.",
                ),
            ),
        ),
        members=members,
        edges=_edges(plan, names, rng, text),
        template=plan.template,
        timeline=timeline,
        bucket_seconds=3600.0,
        intents=plan.intents,
        false_alarm_bound=plan.bound,
        doubts=plan.doubts,
    )


def _member(
    plan: Plan,
    index: int,
    rng: np.random.Generator,
    begin: float,
    end: float,
    flagged: float | None,
    reasons: int,
    text: str,
) -> Member:
    mine = int(rng.poisson(plan.per_account * (0.5 + rng.random())) + 8)
    verdict = (
        Verdict.AUTHORISED
        if plan.authorised and plan.flagged_after is None
        else Verdict.WATCH
        if rng.random() < plan.watch_share
        else Verdict.HARVESTING
    )
    curve = np.ones(24) if plan.night else np.exp(-(((np.arange(24) - 11 - rng.integers(0, 5)) / 4.5) ** 2))
    hours = rng.multinomial(mine, curve / curve.sum())
    first = begin + float(rng.random()) * 0.2 * (end - begin)
    every = (
        Reason(
            signal="template_share",
            value=0.97,
            text=f"{text}97 % of its campaign exchanges carry the shared template.",
            exchanges=("x-7f01", "x-7f02", "x-7f03"),
        ),
        Reason(
            signal="pool_overlap",
            value=0.0,
            text=("None of its questions were asked by another account of the campaign: it holds a shard of its own."),
        ),
        Reason(signal="active_hours", value=22.0, text="Active in 22 of 24 hours on most days."),
        Reason(
            signal="single_turn",
            value=0.99,
            text=("Never reacts to an answer: 99 % of its exchanges are single questions, sent on one after another."),
        ),
    )
    return Member(
        result=AccountResult(
            account=f"{text}acct-{plan.name[:5]}{index * 7919 % 9973:04d}",
            campaign=plan.name,
            score=round(max(0.4, float(rng.normal(plan.score / 2, 1.0))), 3),
            verdict=verdict,
            first_flagged_at=None
            if verdict is not Verdict.HARVESTING or flagged is None
            else max(first, flagged) + float(rng.random()) * DAY,
            reasons=every[:reasons],
        ),
        org=text + ("Northlake Analytics", "Brightfield Labs", "Juniper & Vale", "Octave Studio")[index % 4],
        plan=("consumer", "team", "developer")[index % 3],
        exchanges=round(mine / max(0.05, min(1.0, float(rng.normal(plan.purity, 0.06))))),
        campaign_exchanges=mine,
        first_seen=first,
        last_seen=end - float(rng.random()) * 0.1 * (end - begin),
        hours=tuple(int(value) for value in hours),
        addresses=int(rng.integers(1, 9)),
        clients=int(rng.integers(1, 4)),
        models=("model-x-large", "model-x-mini")[: 1 + index % 2],
        authorised=plan.authorised,
    )


def _edges(plan: Plan, names: Sequence[str], rng: np.random.Generator, text: str) -> tuple[Edge, ...]:
    why = {
        Channel.TEMPLATE: "Share 41 of 44 rare text chunks, seen in no benign account.",
        Channel.SEMANTIC: "Nearest to each other in what they ask (cosine 0.86), mutually among ten neighbours.",
        Channel.INFRASTRUCTURE: "Same /24 network and same client stack, shared by 6 accounts in the whole log.",
        Channel.TIMING: "Start and stop within the same minute on 9 of 11 days; 0.4 days expected by chance.",
    }
    found: list[Edge] = []
    wanted = min(len(names) * 5, len(names) * (len(names) - 1) // 2)
    for channel in plan.channels:
        for _ in range(wanted):
            a = int(rng.integers(len(names)))
            b = (a + 1 + int(rng.exponential(len(names) / 12))) % len(names)
            if a == b or (channel is Channel.INFRASTRUCTURE and a % 5 != b % 5):
                continue
            found.append(
                Edge(
                    a=names[a],
                    b=names[b],
                    channel=channel,
                    weight=round(float(rng.gamma(3, 1.6)), 3),
                    text=text + why[channel],
                )
            )
    found += [
        Edge(
            a=names[0],
            b=names[other],
            channel=Channel.TIMING,
            weight=-1.1,
            text="Active at different hours on every day.",
        )
        for other in range(1, min(4, len(names)))
    ]
    unique = {(edge.a, edge.b, edge.channel): edge for edge in found}
    return tuple(unique.values())
