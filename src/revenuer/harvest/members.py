"""Each account's own evidence inside a group: does *this* account look like one shard of the list?

A group found guilty says nothing of an account that merely shares its template. Every member is measured against the
rest of its group, by what it asks, when, how, from where and how much; those that do not fit are taken out before the
group is tested, and nobody is flagged whose own evidence is below a bar calibrated on strangers found inside
campaigns' groups (`harvest.model`).
"""

from __future__ import annotations

import numpy as np

from revenuer.harvest.exchangeable import GRID
from revenuer.harvest.group import Group
from revenuer.harvest.signals_content import CONTENT_DIMENSION, distinct_share, fixed_share
from revenuer.harvest.signals_identity import agreement, rare_network_share
from revenuer.profile.events import F64

MEMBER_FEATURES = (
    "own_fit",
    "own_hours",
    "own_days",
    "own_exchanges",
    "own_share",
    "own_setting",
    "own_stack",
    "own_network",
    "own_payment",
    "own_distinct",
    "own_template",
    "own_youth",
    "own_signup",
    "own_answer",
    "own_pace",
    "own_stack_share",
)
"""All rise with the evidence. Log Bayes factors of content and length, of hours, of days; log number of exchanges in
the group; their share of the account's traffic; agreement of parameters and of client stack with the others'; share
from a rare network that another member uses; shared payment; share of distinct texts; share of a text that is the
group's template; minus log age in days at the first exchange; minus log chance that another member signed up so near
in time; log Bayes factors of answer length and of the gaps between exchanges; the group's share of what the account
sent with the same client stacks. Tried and left out, for they told nothing: a rare e-mail domain shared, and breadth of
subjects."""


def fit_of_members(group: Group, one: F64, many: F64) -> F64:
    """Log Bayes factor (k,) of each account: a shard of the group's list against a customer of its own.

    Args:
        one, many: (41,) weights of the variance ratio of content, as in `exchangeable.log_bayes_factor`.
    """
    unit = group.events.embedding[group.rows].astype(np.float64) / 254
    length = np.log1p(group.events.length[group.rows].astype(np.float64))
    total = _against_rest(group, unit, CONTENT_DIMENSION, one, many)
    return total + 0.5 * _against_rest(group, length[:, None], 1.0, one, many)


def measure_members(
    group: Group, fit: F64, hours: tuple[F64, F64], days: tuple[F64, F64], length: tuple[F64, F64]
) -> F64:
    """Features (k, len(MEMBER_FEATURES)) of each account; `hours`, `days`, `length` are the priors of those signals."""
    events, books, rows = group.events, group.books, group.rows
    ts = events.ts[rows]
    angle = ts % 86_400 / 86_400 * 2 * np.pi
    circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    first = np.full(len(group.accounts), np.inf)
    np.minimum.at(first, group.owner, ts)
    age = np.maximum((first - books.created[group.accounts]) / 86_400, 0)
    payment = books.payment[group.accounts]
    paid = (payment[:, None] == payment[None, :]) & (payment[:, None] >= 0)
    return np.stack(
        [
            fit,
            _against_rest(group, circle, 2.0, *hours),
            _against_rest(group, (ts / 86_400)[:, None], 1.0, *days),
            np.log(group.size),
            group.size / group.population.account_exchanges[group.accounts],
            agreement(group, events.params),
            agreement(group, events.agent),
            rare_network_share(group),
            (paid.sum(axis=1) > 1).astype(np.float64),
            distinct_share(group),
            np.bincount(group.owner, fixed_share(group), len(group.accounts)) / group.size,
            np.where(np.isfinite(age), -np.log1p(age), -4.0),
            _signup(group),
            _answer(group, *length),
            _against_rest(group, _gaps(group)[:, None], 1.0, *length),
            _stack_share(group),
        ],
        axis=1,
    )


def _signup(group: Group) -> F64:
    """Minus log chance (k,) that some other member signed up so near in time, if sign-ups were unrelated; 0 unknown."""
    k, created = len(group.accounts), group.books.created
    # Only accounts that have been seen by now: what comes later must not move an earlier value.
    everyone = np.sort(created[np.isfinite(created) & (group.population.account_exchanges > 0)])
    own = created[group.accounts]
    known = np.isfinite(own)
    out = np.zeros(k)
    if known.sum() < 2 or len(everyone) <= k:
        return out
    apart = np.abs(own[known][:, None] - own[known][None, :])
    np.fill_diagonal(apart, np.inf)
    near = np.maximum(apart.min(axis=1), 60.0)
    closer = np.searchsorted(everyone, own[known] + near, "right") - np.searchsorted(everyone, own[known] - near)
    share = np.clip((closer - 1) / len(everyone), 1 / len(everyone), 1 - 1e-9)
    out[known] = -np.log(-np.expm1((known.sum() - 1) * np.log1p(-share)))
    return out


def _answer(group: Group, one: F64, many: F64) -> F64:
    answer = group.events.completion[group.rows]
    if (answer < 0).mean() > 0.2:
        return np.zeros(len(group.accounts))
    return _against_rest(group, np.log1p(np.maximum(answer, 0).astype(np.float64))[:, None], 1.0, one, many)


def _gaps(group: Group) -> F64:
    """Log seconds (n,) since the account's last exchange of the group; an account's first has its mean."""
    order = np.lexsort((group.events.ts[group.rows], group.owner))
    ts, owner = group.events.ts[group.rows][order], group.owner[order]
    gap = np.zeros(len(order))
    gap[1:] = np.log1p(np.maximum(ts[1:] - ts[:-1], 0))
    first = np.ones(len(order), bool)
    first[1:] = owner[1:] != owner[:-1]
    inner = np.bincount(owner, np.where(first, 0, gap), len(group.accounts)) / np.maximum(group.size - 1, 1)
    gap[first] = inner[owner[first]]
    out = np.empty(len(order))
    out[order] = gap
    return out


def _stack_share(group: Group) -> F64:
    """Of what an account sent with the client stacks it uses in the group, the group's share (k,)."""
    population = group.population
    used = np.unique(group.accounts[group.owner] << 32 | (group.events.agent[group.rows].astype(np.int64) + 1))
    sent = population.stack_exchanges[np.searchsorted(population.stacks, used)]
    total = np.bincount(np.searchsorted(group.accounts, used >> 32), sent, len(group.accounts))
    share: F64 = group.size / np.maximum(total, 1)
    return share


def _against_rest(group: Group, value: F64, dimension: float, one: F64, many: F64) -> F64:
    size, n, k = group.size, len(group.rows), len(group.accounts)
    if k < 2 or n <= k:
        return np.zeros(k)
    value = value - value.mean(axis=0)
    sums = group.sums(value)
    mean = sums / size[:, None]
    rest = np.maximum(n - size, 1)
    others = (sums.sum(axis=0) - sums) / rest[:, None]
    squares = (value * value).sum()
    within = (squares - (size * (mean * mean).sum(axis=1)).sum()) / (n - k)
    if within <= 1e-9:
        return np.zeros(k)
    # Variance of the difference of two means under one list: within * (1/n_i + 1/n_rest).
    cell = 1 / (1 / size + 1 / rest)
    ratio = cell * ((mean - others) ** 2).sum(axis=1) / within
    scale = 1 + cell[:, None] * GRID[None, :]
    likelihood = -0.5 * dimension * (np.log(scale) + ratio[:, None] / scale)
    likelihood -= likelihood.max(axis=1, keepdims=True)
    chance = np.exp(likelihood)
    out: F64 = np.log((chance @ one + 1e-12) / (chance @ many + 1e-12))
    return out
