"""PRADA: is the distribution of distances between an account's queries abnormal?

Paper: Juuti, Szyller, Marchal, Asokan, "PRADA: Protecting against DNN model stealing attacks", EuroS&P 2019
(arXiv 1805.02628). Each new query's distance to the nearest earlier query of the account is recorded; natural
queries make these distances nearly normal, synthetic ones do not; Shapiro-Wilk's W below a threshold is the alarm.
Our setting differs: queries are texts (distances between embeddings), there are no predicted classes to split by, so
all earlier queries count, and there is no growing set (every query is compared).
Parameters: outliers beyond 3 standard deviations are dropped (as published); at least 20 distances, at most the
latest 200; the score is 1 - W, and equal distances count as W = 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import shapiro

from bench.baselines.base import NOTHING, Labelled, PerAccount
from bench.traffic import F32, F64, Traffic

LEAST, MOST = 20, 200


class Prada(PerAccount):
    """See the module."""

    name = "PRADA"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """Nothing is learnt: the threshold comes from the benign accounts, as for every method."""

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """1 - W of the distances so far."""
        seen = traffic.seen(looks)
        out = np.full(seen.shape, NOTHING, np.float32)
        for account in range(len(traffic.names)):
            distances = traffic.nearest_earlier[traffic.rows(account)][1:]
            known: dict[int, float] = {}
            for look, count in enumerate(np.maximum(seen[:, account] - 1, 0).tolist()):
                if count >= LEAST:
                    if count not in known:
                        known[count] = _abnormality(distances[max(0, count - MOST) : count].astype(np.float64))
                    out[look, account] = known[count]
        return out


def _abnormality(distances: F64) -> float:
    spread = distances.std()
    kept = distances[np.abs(distances - distances.mean()) <= 3 * spread]
    if np.ptp(kept) < 1e-6:
        return 1.0
    return float(1 - shapiro(kept).statistic)
