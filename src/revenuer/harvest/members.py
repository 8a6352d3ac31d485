"""Each account's own evidence inside a group: does *this* account look like one shard of the list?

For every member the attributes of `exchangeable` are tested again, the account against the rest of its group. A group
found guilty says nothing of an account that merely shares its template: it must fit by itself, or it is taken out.
"""

from __future__ import annotations

import numpy as np

from revenuer.harvest.exchangeable import GRID
from revenuer.harvest.group import Group
from revenuer.harvest.signals import CONTENT_DIMENSION
from revenuer.profile.events import F64


def fit_of_members(group: Group, one: F64, many: F64) -> F64:
    """Log Bayes factor (k,) of each account: a shard of the group's list against a customer of its own.

    Args:
        one, many: (41,) weights of the variance ratio of content, as in `exchangeable.log_bayes_factor`.
    """
    unit = group.events.embedding[group.rows].astype(np.float64) / 254
    length = np.log1p(group.events.length[group.rows].astype(np.float64))
    total = _against_rest(group, unit, CONTENT_DIMENSION, one, many)
    return total + 0.5 * _against_rest(group, length[:, None], 1.0, one, many)


def _against_rest(group: Group, value: F64, dimension: float, one: F64, many: F64) -> F64:
    size, n, k = group.size, len(group.rows), len(group.accounts)
    if k < 2 or n <= k:
        return np.zeros(k)
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
