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
)
"""All rise with the evidence. Log Bayes factors of content and length, of hours, of days; log number of exchanges in
the group; their share of the account's traffic; agreement of parameters and of client stack with the others'; share
from a rare network that another member uses; shared payment; share of distinct texts; share of a text that is the
group's template; minus log age in days at the first exchange."""


def fit_of_members(group: Group, one: F64, many: F64) -> F64:
    """Log Bayes factor (k,) of each account: a shard of the group's list against a customer of its own.

    Args:
        one, many: (41,) weights of the variance ratio of content, as in `exchangeable.log_bayes_factor`.
    """
    unit = group.events.embedding[group.rows].astype(np.float64) / 254
    length = np.log1p(group.events.length[group.rows].astype(np.float64))
    total = _against_rest(group, unit, CONTENT_DIMENSION, one, many)
    return total + 0.5 * _against_rest(group, length[:, None], 1.0, one, many)


def measure_members(group: Group, fit: F64, hours: tuple[F64, F64], days: tuple[F64, F64]) -> F64:
    """Features (k, len(MEMBER_FEATURES)) of each account; `hours` and `days` are the priors of those signals."""
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
        ],
        axis=1,
    )


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
