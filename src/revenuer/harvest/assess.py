"""Candidate -> assessed group: take out who does not fit, measure what is left, score it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revenuer.harvest.group import Books, Group, Population
from revenuer.harvest.members import fit_of_members, measure_members
from revenuer.harvest.model import Model
from revenuer.link.candidates import Candidate
from revenuer.profile.events import F64, I64, Events
from revenuer.records import Channel

ROUNDS = 3


@dataclass(frozen=True)
class Assessed:
    """A group after its misfits left: `accounts` (k,) codes, `size` (k,) exchanges of each, `rows` exchanges,
    `features` and `score` of the group; `members` (k, f) features, `fit` (k,) the first of them, `own` (k,) score."""

    channel: Channel
    accounts: I64
    fit: F64
    size: F64
    rows: I64
    features: F64
    score: float
    members: F64
    own: F64


def assess(
    candidate: Candidate,
    events: Events,
    books: Books,
    population: Population,
    model: Model,
    smallest_accounts: int,
    smallest_exchanges: int,
) -> Assessed | None:
    """Score one candidate; None when too little is left after misfits were taken out."""
    rows = candidate.rows
    priors = model.priors("same_content")
    if len(rows) < smallest_exchanges:
        return None
    for _ in range(ROUNDS):
        group = Group.of(events, books, population, rows)
        if len(group.accounts) < smallest_accounts or len(rows) < smallest_exchanges:
            return None
        fit = fit_of_members(group, *priors)
        stays = fit >= model.data.member_floor
        if stays.all():
            break
        rows = rows[stays[group.owner]]
    else:
        group = Group.of(events, books, population, rows)
        if len(group.accounts) < smallest_accounts or len(rows) < smallest_exchanges:
            return None
        fit = fit_of_members(group, *priors)
    features = model.features(group)
    members = measure_members(group, fit, *(model.priors(name) for name in ("same_hours", "same_days", "same_length")))
    return Assessed(
        channel=candidate.channel,
        accounts=group.accounts,
        fit=fit,
        size=group.size,
        rows=rows,
        features=features,
        score=model.score(features),
        members=members,
        own=model.member_scores(members),
    )


def restricted(events: Events, candidate: Candidate, accounts: npt.NDArray[np.bool_]) -> Candidate:
    """The candidate's exchanges of some accounts, given as a mask over account codes."""
    return Candidate(candidate.channel, candidate.rows[accounts[events.account[candidate.rows]]])
