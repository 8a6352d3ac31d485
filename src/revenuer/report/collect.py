"""A finished replay -> `records.ScanReport`: results of every account, and all that is known of every campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revenuer import __version__
from revenuer.decide.authorisation import outside, permission_of
from revenuer.decide.replay import Replay
from revenuer.decide.verdicts import AccountState, CampaignState
from revenuer.fingerprint.intent import Intent
from revenuer.harvest.assess import Assessed
from revenuer.harvest.evidence import Tracked
from revenuer.harvest.group import Books
from revenuer.harvest.model import FEATURES, Model
from revenuer.harvest.signals import EXCHANGEABILITY, SIGNALS
from revenuer.link.candidates import SMALLEST_STRAND, Scene
from revenuer.profile.events import I64, Events
from revenuer.records import (
    Account,
    AccountResult,
    CampaignDetail,
    CampaignResult,
    Member,
    Reason,
    ScanReport,
    StageTime,
    TemplatePart,
    TimelineBucket,
    Verdict,
)
from revenuer.report.edges import LinkBook
from revenuer.report.template_text import template_of

Texts = Callable[[Sequence[int]], Mapping[int, str]]
"""Gives the last user turn of some exchanges (numbers) as far as the log is still at hand."""

MAIN_REASONS = 6
EXAMPLES = 5
TEMPLATE_PROMPTS = 40
SAY = {s.id: s.say for s in EXCHANGEABILITY} | {s.id: s.say for s in SIGNALS}
BUCKETS = 120


@dataclass(frozen=True)
class Input:
    """What was read, for the report's head."""

    files: tuple[str, ...]
    rejected: int
    notes: tuple[str, ...]


def collect(
    source: Input,
    events: Events | None,
    books: Books | None,
    known: Mapping[str, Account],
    found: Replay | None,
    model: Model,
    texts: Texts,
    stages: tuple[StageTime, ...],
) -> ScanReport:
    """Everything one scan found. `events`, `books` and `found` are None where no row could be read."""
    results: tuple[AccountResult, ...] = ()
    campaigns: tuple[CampaignDetail, ...] = ()
    first = last = 0.0
    if events is not None and books is not None and found is not None:
        results = tuple(_account(code, name, events, known, found, model) for code, name in enumerate(events.accounts))
        scene = Scene.at(events, found.text, books.payment, found.last_count)
        links = LinkBook(scene, books, model.data.link_bayes, SMALLEST_STRAND)
        # A group of accounts that are all another campaign's already is told there.
        states = sorted((c for c in found.decider.campaigns if c.flagged), key=lambda c: (-c.best, c.name))
        # One pass over the logs spells the prompts of all campaigns' templates.
        prompts = [_template_rows(_strongest(state, found), _codes(state), events) for state in states]
        spelled = texts(sorted({row for rows in prompts for row in rows})) if any(prompts) else {}
        campaigns = tuple(
            _campaign(state, events, books, known, found, model, results, links, _template(rows, events, spelled))
            for state, rows in zip(states, prompts, strict=True)
        )
        first, last = float(events.ts[0]), float(events.ts[-1])
    verdicts = {verdict.value: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return ScanReport(
        version=__version__,
        files=source.files,
        exchanges=0 if events is None else len(events),
        rejected=source.rejected,
        accounts=len(results),
        first_ts=first,
        last_ts=last,
        verdicts=verdicts,
        campaigns=campaigns,
        results=tuple(sorted(results, key=lambda result: result.account)),
        stages=stages,
        calibration=_calibration(model),
        notes=source.notes,
    )


def _calibration(model: Model) -> str:
    return (
        f"The signals are weighed by a model fitted on {model.data.fitted_on}. Thresholds come from "
        f"{model.data.calibrated_on}. All of that is real prompts in simulated campaigns and customers: the stated "
        "bounds hold for benign customers like those, and not for kinds that were never simulated."
    )


def _account(
    code: int, name: str, events: Events, known: Mapping[str, Account], found: Replay, model: Model
) -> AccountResult:
    state = found.decider.accounts.get(code, AccountState())
    reasons: list[Reason] = []
    if state.group is not None and state.verdict is not Verdict.CLEAR:
        group = found.evidence.groups[state.group]
        best = group.peak if code in group.peak.accounts else group.now or group.peak
        reasons += _own_reasons(code, best, events)
        reasons += group_reasons(best, model)[:MAIN_REASONS]
    if state.verdict is Verdict.AUTHORISED:
        reasons += _permission(name, code, events, known)
    return AccountResult(
        account=name,
        campaign=state.campaign,
        score=round(state.score, 4),
        verdict=state.verdict,
        first_flagged_at=state.flagged_at,
        reasons=tuple(reasons),
    )


def _own_reasons(code: int, best: Assessed, events: Events) -> list[Reason]:
    at = np.flatnonzero(best.accounts == code)
    if not len(at):
        return []
    rows = best.rows[events.account[best.rows] == code]
    step = max(1, len(rows) // EXAMPLES)
    examples = tuple(events.id[int(row)].as_py() for row in rows[::step][:EXAMPLES])
    own = float(best.own[at[0]])
    share = len(rows) / max(int((events.account[: int(best.rows[-1]) + 1] == code).sum()), 1)
    return [
        Reason(
            signal="own_evidence",
            value=round(own, 3),
            text=(
                f"{len(rows)} of its exchanges ({share:.0%} of its traffic by then) belong to the group, and by "
                f"themselves look like a part of its work list (own log odds {own:+.1f})"
            ),
            exchanges=examples,
        )
    ]


def group_reasons(best: Assessed, model: Model) -> list[Reason]:
    """What speaks for the group, strongest first, with how much each adds to the score."""
    parts = model.contributions(best.features)
    order = [at for at in np.argsort(-parts) if parts[at] > 0.02]
    return [_reason(int(at), best, float(parts[at])) for at in order]


def _reason(at: int, best: Assessed, part: float) -> Reason:
    value = float(best.features[at])
    said = SAY[FEATURES[at]].format(value=value)
    return Reason(signal=FEATURES[at], value=round(value, 4), text=f"{said} ({part:+.1f} to the score)")


def _permission(name: str, code: int, events: Events, known: Mapping[str, Account]) -> list[Reason]:
    account = known.get(name)
    permission = permission_of(account)
    if permission is None or account is None:
        return []
    asked = {events.models[m] for m in np.unique(events.model[events.account == code]) if m >= 0}
    beyond = outside(permission, asked)
    text = f"a permission on file covers this: {', '.join(account.authorised)}"
    if not permission.for_collecting:
        text += "; it is not for collecting answers to train on: a person should look"
    if beyond:
        text += f"; it does not name {', '.join(beyond)}, which the account asked too: a person should look"
    return [Reason(signal="authorised", value=1.0, text=text)]


def _campaign(
    state: CampaignState,
    events: Events,
    books: Books,
    known: Mapping[str, Account],
    found: Replay,
    model: Model,
    results: tuple[AccountResult, ...],
    links: LinkBook,
    template: tuple[TemplatePart, ...],
) -> CampaignDetail:
    codes = _codes(state)
    rows = _rows(_groups(state, found), codes, events)
    strongest = _strongest(state, found)
    reasons = tuple(group_reasons(strongest.peak, model)[:MAIN_REASONS])
    names = tuple(sorted(events.accounts[code] for code in codes.tolist()))
    result = CampaignResult(
        campaign=state.name,
        accounts=names,
        exchanges=len(rows),
        first_seen=float(events.ts[rows[0]]),
        first_flagged_at=state.flagged_at,
        score=round(state.best, 4),
        reasons=reasons,
    )
    seconds, buckets = _timeline(events, rows)
    intents = events.intents[rows].astype(np.float64).mean(axis=0) / 255
    order = np.argsort(-intents)
    return CampaignDetail(
        result=result,
        members=tuple(_member(code, events, known, results[code], rows) for code in codes.tolist()),
        edges=links.among(codes),
        template=template,
        timeline=buckets,
        bucket_seconds=seconds,
        intents=tuple((Intent(int(i)).name.lower().replace("_", " "), round(float(intents[i]), 4)) for i in order),
        false_alarm_bound=min(1.0, 1 / strongest.e_value),
        doubts=_doubts(strongest, codes, books, model, len(rows)),
    )


def _groups(state: CampaignState, found: Replay) -> list[Tracked]:
    return [found.evidence.groups[number] for number in sorted(state.groups)]


def _strongest(state: CampaignState, found: Replay) -> Tracked:
    return max(_groups(state, found), key=lambda group: group.best)


def _codes(state: CampaignState) -> I64:
    return np.array(sorted(state.flagged), np.int64)


def _rows(groups: Sequence[Tracked], codes: I64, events: Events) -> I64:
    """Exchanges of the campaign: those of its groups' strongest and latest states, of its flagged accounts.

    Where both states are of other accounts only, all exchanges of the flagged ones.
    """
    states = [s for group in groups for s in (group.peak, group.now) if s is not None]
    rows = np.unique(np.concatenate([s.rows for s in states]))
    kept: I64 = rows[np.isin(events.account[rows], codes)]
    return kept if len(kept) else np.flatnonzero(np.isin(events.account, codes)).astype(np.int64)


def _member(code: int, events: Events, known: Mapping[str, Account], result: AccountResult, rows: I64) -> Member:
    own = rows[events.account[rows] == code]
    everything = np.flatnonzero(events.account == code)
    account = known.get(result.account)
    hours = np.bincount((events.ts[own] // 3600 % 24).astype(np.int64), minlength=24)
    models = sorted({events.models[m] for m in np.unique(events.model[own]) if m >= 0})
    return Member(
        result=result,
        org=account.org if account else None,
        plan=account.plan if account else None,
        exchanges=len(everything),
        campaign_exchanges=len(own),
        first_seen=float(events.ts[everything[0]]),
        last_seen=float(events.ts[everything[-1]]),
        hours=tuple(hours.tolist()),
        addresses=_distinct(events.address[own]),
        clients=_distinct(events.agent[own]),
        models=tuple(models),
        authorised=account.authorised if account else (),
    )


def _distinct(codes: npt.NDArray[np.int32]) -> int:
    return len(np.unique(codes[codes >= 0]))


def _timeline(events: Events, rows: I64) -> tuple[float, tuple[TimelineBucket, ...]]:
    ts = events.ts[rows]
    span = float(events.ts[-1] - events.ts[0])
    seconds = next((s for s in (600.0, 3600.0, 10_800.0, 21_600.0) if span / s <= BUCKETS), 86_400.0)
    at = (ts // seconds).astype(np.int64)
    starts, begin = np.unique(at, return_index=True)
    ends = np.append(begin[1:], len(at))
    return seconds, tuple(
        TimelineBucket(float(start * seconds), int(e - b), len(np.unique(events.account[rows[b:e]])))
        for start, b, e in zip(starts, begin, ends, strict=True)
    )


def _template_rows(group: Tracked, codes: I64, events: Events) -> list[int]:
    """Exchanges that hold the commonest recurring text of the group's strongest state, a few of every account."""
    rows = group.peak.rows[np.isin(events.account[group.peak.rows], codes)]
    chunks = events.chunks[rows]
    row, column = np.nonzero(chunks)
    if not len(row):
        return []
    _, code, times = np.unique(chunks[row, column], return_inverse=True, return_counts=True)
    holding = rows[np.unique(row[code == times.argmax()])]
    # A few prompts of every account, so that no single account's text decides what is fixed.
    owner = events.account[holding]
    rank = np.zeros(len(holding), np.int64)
    for account in np.unique(owner):
        rank[owner == account] = np.arange((owner == account).sum())
    chosen: list[int] = np.sort(holding[np.lexsort((holding, rank))][:TEMPLATE_PROMPTS]).tolist()
    return chosen


def _template(rows: Sequence[int], events: Events, spelled: Mapping[int, str]) -> tuple[TemplatePart, ...]:
    return template_of([(events.accounts[events.account[r]], spelled[r]) for r in rows if r in spelled])


def _doubts(group: Tracked, codes: I64, books: Books, model: Model, exchanges: int) -> tuple[str, ...]:
    parts = model.contributions(group.peak.features)
    out = [
        f"{SAY[FEATURES[at]].format(value=float(group.peak.features[at]))} ({parts[at]:+.1f} to the score)"
        for at in np.argsort(parts)[:4]
        if parts[at] < -0.05
    ]
    if (books.org[codes] < 0).all():
        out.append("the accounts' organisations are unknown: whether they are one customer's could not be looked up")
    elif len(np.unique(books.org[codes])) == 1:
        out.append("all accounts belong to one organisation, which may run them openly")
    if exchanges < 100:
        out.append(f"only {exchanges} exchanges: the finding is young")
    out.append("purpose is inferred from form; whether the answers trained a model was not measured")
    return tuple(out)
