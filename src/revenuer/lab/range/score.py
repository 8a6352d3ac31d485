"""What a detector made of a range: recall, false alarms, grouping, and what leaked before it acted.

How each figure is defined is said in `docs/reference/range.md`; the docstrings here are the exact form.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow.parquet as pq

from revenuer.lab.range.make import RangeSummary, TruthAccount
from revenuer.records import AccountResult, Verdict

PURITY, HALF = 0.8, 0.5
Z95 = 1.959963984540054


class Outcome(NamedTuple):
    """What a detector says of one account."""

    score: float
    flagged_at: float | None
    """Event time at which it was first flagged; None if never. `-inf` stands for "from the start"."""
    group: str | None
    """Reported campaign."""


class Truth(msgspec.Struct, frozen=True):
    """The truth of a range: its accounts, and the harvest exchanges of each as (campaign, account, times)."""

    accounts: tuple[TruthAccount, ...]
    harvest: dict[tuple[str, str], list[float]]


class Rate(msgspec.Struct, frozen=True):
    """`hits` of `of`, with the 95 % Wilson interval. The share of nothing is 0, its interval 0 to 1."""

    hits: int
    of: int
    share: float
    low: float
    high: float


class CampaignScore(msgspec.Struct, frozen=True, kw_only=True):
    """How one campaign fared."""

    campaign: str
    shape: str
    exchanges: int
    """Harvest exchanges."""
    recall: Rate
    found: bool
    leaked: float


class ShapeScore(msgspec.Struct, frozen=True, kw_only=True):
    """All campaigns of one shape."""

    campaigns: int
    found: int
    recall: Rate
    leaked: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured on one range; rates are of accounts unless said otherwise."""

    recall: Rate
    false_alarms: Rate
    """Of benign accounts that hold no authorisation."""
    by_class: dict[str, Rate]
    """False alarms per benign class, authorised accounts left out."""
    by_shape: dict[str, ShapeScore]
    campaigns: tuple[CampaignScore, ...]
    recall_at_1_percent: float
    recall_at_01_percent: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float
    benign_in_campaign_groups: int
    """Benign accounts, without authorisation, in a reported group that holds a campaign account."""
    found: Rate
    """Of campaigns."""
    shapes_found: Rate
    """Of shapes: those with at least half of their campaigns found."""
    wrongly_accused_operators: Rate
    """Of benign operators that hold no authorisation: those with a flagged account."""
    authorised_accused: Rate
    """Of authorised accounts: those flagged. Any is a fault."""
    leaked: float
    """Mean over campaigns."""
    unknown_accounts: int
    """Accounts in the result that the range does not have."""


def wilson(hits: int, of: int) -> Rate:
    """Rate with its 95 % Wilson score interval."""
    if of == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    p, z2 = hits / of, Z95 * Z95
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 * math.sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return Rate(hits, of, p, low, high)


def recall_at(attack: Iterable[float], benign: Iterable[float], rate: float) -> float:
    """Share of `attack` scores at the strictest threshold that at most `rate` of `benign` reach.

    Ties count against: an attack score equal to the first benign score that may not pass does not count.
    """
    hits = list(attack)
    ranked = sorted(benign, reverse=True)
    allowed = int(rate * len(ranked) + 1e-9)
    bar = ranked[allowed] if allowed < len(ranked) else -math.inf
    return sum(s > bar for s in hits) / len(hits) if hits else 0.0


def load_truth(range_dir: Path) -> Truth:
    """Read the truth beside a range. Raises FileNotFoundError where it is missing."""
    decoder = msgspec.json.Decoder(TruthAccount)
    lines = (range_dir / "truth_accounts.jsonl").read_bytes().splitlines()
    table = pq.read_table(range_dir / "truth_exchanges.parquet", columns=["campaign", "account", "ts"])
    harvest: dict[tuple[str, str], list[float]] = defaultdict(list)
    rows = zip(*(table.column(name).to_pylist() for name in ("campaign", "account", "ts")), strict=True)
    for campaign, account, ts in rows:
        if campaign is not None:
            harvest[campaign, account].append(ts)
    return Truth(tuple(decoder.decode(line) for line in lines if line.strip()), dict(harvest))


def load_result(result_dir: Path) -> dict[str, Outcome]:
    """Read a scan's `accounts.jsonl`.

    An account counts as flagged when its verdict is `harvesting`, or ever was (`first_flagged_at` is set). A verdict
    `harvesting` without a time counts as flagged at the end: all of its harvest leaked.
    """
    decoder = msgspec.json.Decoder(AccountResult)
    outcomes = {}
    for line in (result_dir / "accounts.jsonl").read_bytes().splitlines():
        if line.strip():
            row = decoder.decode(line)
            at = row.first_flagged_at
            if at is None and row.verdict is Verdict.HARVESTING:
                at = math.inf
            outcomes[row.account] = Outcome(row.score, at, row.campaign)
    return outcomes


def score(range_dir: Path, result_dir: Path) -> Score:
    """Score a scan's result directory against the range it was run on."""
    return score_outcomes(load_truth(range_dir), load_result(result_dir))


def score_outcomes(truth: Truth, outcomes: Mapping[str, Outcome]) -> Score:
    """Score any detector. Accounts it does not mention count as never flagged, ungrouped, with the lowest score."""
    missing = Outcome(-math.inf, None, None)
    of = {t.account: outcomes.get(t.account, missing) for t in truth.accounts}
    attack = [t for t in truth.accounts if t.role == "campaign"]
    allowed = [t for t in truth.accounts if t.role != "campaign" and t.authorised]
    benign = [t for t in truth.accounts if t.role != "campaign" and not t.authorised]

    def flags(accounts: Iterable[TruthAccount]) -> Rate:
        hits = [of[t.account].flagged_at is not None for t in accounts]
        return wilson(sum(hits), len(hits))

    groups: dict[str, set[str]] = defaultdict(set)
    for account, outcome in of.items():
        if outcome.group is not None:
            groups[outcome.group].add(account)
    campaigns = _campaigns(truth, of, groups)
    shapes: dict[str, list[CampaignScore]] = defaultdict(list)
    for one in campaigns:
        shapes[one.shape].append(one)
    by_shape = {
        shape: ShapeScore(
            campaigns=len(ones),
            found=sum(c.found for c in ones),
            recall=wilson(sum(c.recall.hits for c in ones), sum(c.recall.of for c in ones)),
            leaked=sum(c.leaked for c in ones) / len(ones),
        )
        for shape, ones in sorted(shapes.items())
    }
    operators = {t.operator for t in benign}
    accused = {t.operator for t in benign if of[t.account].flagged_at is not None}
    attack_scores = [of[t.account].score for t in attack]
    benign_scores = [of[t.account].score for t in benign]
    precision, recall = bcubed(truth, of)
    guilty = {t.account for t in attack}
    mixed = {a for g in groups.values() if g & guilty for a in g}
    return Score(
        recall=flags(attack),
        false_alarms=flags(benign),
        by_class={c: flags(t for t in benign if t.cls == c) for c in sorted({t.cls for t in benign})},
        by_shape=by_shape,
        campaigns=tuple(campaigns),
        recall_at_1_percent=recall_at(attack_scores, benign_scores, 0.01),
        recall_at_01_percent=recall_at(attack_scores, benign_scores, 0.001),
        bcubed_precision=precision,
        bcubed_recall=recall,
        bcubed_f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        benign_in_campaign_groups=sum(t.account in mixed for t in benign),
        found=wilson(sum(c.found for c in campaigns), len(campaigns)),
        shapes_found=wilson(sum(2 * s.found >= s.campaigns for s in by_shape.values()), len(by_shape)),
        wrongly_accused_operators=wilson(len(accused), len(operators)),
        authorised_accused=flags(allowed),
        leaked=sum(c.leaked for c in campaigns) / len(campaigns) if campaigns else 0.0,
        unknown_accounts=len(outcomes.keys() - of.keys()),
    )


def _campaigns(truth: Truth, of: Mapping[str, Outcome], groups: Mapping[str, set[str]]) -> list[CampaignScore]:
    members: dict[str, list[TruthAccount]] = defaultdict(list)
    for t in truth.accounts:
        if t.campaign is not None:
            members[t.campaign].append(t)
    scores = []
    for campaign, own in sorted(members.items()):
        names = {t.account for t in own}
        hits = sum(of[a].flagged_at is not None for a in names)
        found = any(len(g & names) >= HALF * len(names) and len(g & names) >= PURITY * len(g) for g in groups.values())
        passed = total = 0
        for account in names:
            times = truth.harvest.get((campaign, account), [])
            at = of[account].flagged_at
            total += len(times)
            passed += len(times) if at is None else sum(ts < at for ts in times)
        scores.append(
            CampaignScore(
                campaign=campaign,
                shape=own[0].cls,
                exchanges=total,
                recall=wilson(hits, len(names)),
                found=found,
                leaked=passed / total if total else 0.0,
            )
        )
    return scores


def bcubed(truth: Truth, of: Mapping[str, Outcome]) -> tuple[float, float]:
    """B-cubed (precision, recall) of the reported groups.

    Items are the campaign accounts, and every benign account in a reported group that holds a campaign account (so that
    pulling in bystanders costs precision, while groups of benign accounts alone, which accuse nobody, do not count).
    True clusters are campaigns; a benign item's is its operator. An account without a group is a group of its own.
    Precision averages over all items, recall over the campaign accounts. (1, 1) where there are no items.
    """
    guilty = {t.account: t.campaign or t.operator for t in truth.accounts if t.role == "campaign"}
    held = {of[a].group for a in guilty} - {None}
    label = {t.account: t.operator for t in truth.accounts if t.role != "campaign" and of[t.account].group in held}
    label.update(guilty)
    if not guilty:
        return 1.0, 1.0
    group = {a: of[a].group if of[a].group is not None else f"\0{a}" for a in label}
    by_group: dict[str | None, list[str]] = defaultdict(list)
    by_label: dict[str, list[str]] = defaultdict(list)
    for a in label:
        by_group[group[a]].append(a)
        by_label[label[a]].append(a)
    both: dict[tuple[str | None, str], int] = defaultdict(int)
    for a in label:
        both[group[a], label[a]] += 1
    precision = sum(both[group[a], label[a]] / len(by_group[group[a]]) for a in label) / len(label)
    recall = sum(both[group[a], label[a]] / len(by_label[label[a]]) for a in guilty) / len(guilty)
    return precision, recall


def load_summary(range_dir: Path) -> RangeSummary:
    """Read `range.json`."""
    return msgspec.json.decode((range_dir / "range.json").read_bytes(), type=RangeSummary)
