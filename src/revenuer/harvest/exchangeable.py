"""Are these accounts shards of one work list, or customers of their own?

People differ: in what they ask, at what length, at which hours. Shards of one list, dealt by one driver, differ only
by chance. For an attribute the variance between accounts over the variance within them, theta, is near zero for
shards. The log Bayes factor weighs "theta as one operator's" against "theta as unrelated customers'", integrated over
what theta is in each case; with few accounts or few exchanges it stays near zero by itself.

Source: one-way random-effects analysis of variance (Searle, Casella & McCulloch 1992, ch. 3). Evasion costs: every
account needs a character of its own (subjects, lengths, hours), so the list cannot be dealt at will.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

GRID = np.geomspace(1e-4, 10.0, 41)
"""Values of theta that the integrals run over."""


@dataclass(frozen=True)
class Anova:
    """One attribute of one group. `ratio` is F; `cell` the effective exchanges an account; `freedom` of F's numerator;
    `theta` the moment estimate of the variance ratio (may be negative)."""

    ratio: float
    cell: float
    freedom: float
    theta: float


def anova(size: F64, sums: F64, squares: F64, dimension: float = 1.0) -> Anova | None:
    """Analysis of variance of one attribute over accounts; None where it is not defined.

    Args:
        size: (k,) exchanges of each account. sums: (k,) or (k, d). squares: (k,) sums of squared norms.
        dimension: effective number of independent dimensions of the attribute (participation ratio for vectors).
    """
    keep = size > 0
    k, total = int(keep.sum()), size.sum()
    if k < 2 or total <= k:
        return None
    size, sums, squares = size[keep], sums[keep].reshape(k, -1), squares[keep]
    mean = sums / size[:, None]
    grand = sums.sum(axis=0) / total
    between = float((size * ((mean - grand) ** 2).sum(axis=1)).sum() / (k - 1))
    within = float((squares - size * (mean * mean).sum(axis=1)).sum() / (total - k))
    if within <= 1e-9:
        return None
    cell = float((total - (size * size).sum() / total) / (k - 1))
    ratio = between / within
    return Anova(ratio, cell, (k - 1) * dimension, (ratio - 1) / cell)


def log_bayes_factor(found: Anova | None, one: F64, many: F64) -> float:
    """Log Bayes factor for one operator; 0 where there is no measurement.

    Args:
        one, many: (41,) weights over `GRID` (summing to 1) of theta for one operator and for unrelated customers.
    """
    if found is None:
        return 0.0
    scale = 1 + found.cell * GRID
    # F times its within-variance is chi-square scaled by (1 + n theta) / freedom.
    likelihood = -0.5 * found.freedom * (np.log(scale) + found.ratio / scale)
    likelihood -= likelihood.max()
    chance = np.exp(likelihood)
    return float(np.log((one @ chance + 1e-12) / (many @ chance + 1e-12)))
