"""SEAT-style: how many of an account's queries nearly repeat an earlier one of its own?

Paper: Zhang, Chen, Zhang, Backes, "SEAT: Similarity Encoder by Adversarial Training for Detecting Model Extraction
Attack Queries", AISec 2021 (doi 10.1145/3474369.3486863). An encoder maps queries; pairs of one account closer than
a distance that benign pairs rarely reach are similar; an account with too many similar pairs is stopped.
Our setting differs: no adversarially trained encoder exists for prompts, so the shared static embedding stands in; and
a query that resembles several earlier ones counts once, as one query joins one cluster there.
Parameters: the distance that one in 100 pairs of benign queries of different accounts undercuts (one in 1,000 in
public code; on other seeds one in 100 did better here); the score is the number of such queries so far, at least 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.baselines.base import NOTHING, Labelled, PerAccount, prefix_values
from bench.traffic import F32, F64, Traffic

PAIR_RATE = 0.01
PAIRS = 200_000


class NearDuplicates(PerAccount):
    """See the module."""

    name = "SEAT-style near-duplicates"
    distance: float

    def fit(self, logs: Sequence[Labelled]) -> None:
        """The distance, from benign pairs of different accounts."""
        rng = np.random.default_rng(1)
        found = []
        for traffic, _, benign in logs:
            rows = np.flatnonzero(benign[traffic.account])
            a, b = rng.choice(rows, PAIRS), rng.choice(rows, PAIRS)
            apart = traffic.account[a] != traffic.account[b]
            closeness = np.einsum("ij,ij->i", traffic.embedding[a[apart]], traffic.embedding[b[apart]])
            found.append(np.sqrt(np.maximum(0, 2 - 2 * closeness)))
        self.distance = float(np.quantile(np.concatenate(found), PAIR_RATE))

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Number of queries close to an earlier one."""
        close = np.nan_to_num(traffic.nearest_earlier, nan=np.inf) < self.distance
        values = {}
        for account in range(len(traffic.names)):
            count = np.r_[0, np.cumsum(close[traffic.rows(account)])].astype(np.float32)
            values[account] = np.where(count > 0, count, NOTHING)
        return prefix_values(traffic, looks, values)
