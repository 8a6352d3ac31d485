"""Mahalanobis: how far is an account's mean question from the means of benign accounts?

Paper: the marginal Mahalanobis peer of arXiv 2606.05725; the distance as an out-of-distribution score is Lee, Lee,
Lee, Shin, NeurIPS 2018 (arXiv 1807.03888).
Our setting differs: accounts have very different numbers of queries, so the covariance of a mean of n queries is taken
as that between benign accounts plus that within them over n; there are no classes.
Parameters: covariances shrunk by a tenth towards their mean variance; at least 15 queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import eigh

from bench.baselines.base import NOTHING, Labelled, PerAccount, prefix_values
from bench.traffic import F32, F64, Traffic

SHRINK, LEAST = 0.1, 15


class Mahalanobis(PerAccount):
    """See the module."""

    name = "Mahalanobis"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """Mean, covariance between and within benign accounts."""
        means, within, weight = [], 0.0, 0
        for log in logs:
            for account in np.flatnonzero(log.benign):
                rows = log.traffic.embedding[log.traffic.rows(int(account))].astype(np.float64)
                if len(rows) < LEAST:
                    continue
                means.append(rows.mean(axis=0))
                centred = rows - means[-1]
                within, weight = within + centred.T @ centred, weight + len(rows) - 1
        self._mean = np.mean(means, axis=0)
        between, inner = _shrunk(np.cov(np.array(means).T)), _shrunk(np.asarray(within) / weight)
        # One basis in which both covariances are diagonal: `inner` the identity, `between` the eigenvalues.
        self._between, self._basis = eigh(between, inner)

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Squared distance of the mean so far."""
        values = {}
        for account in range(len(traffic.names)):
            rows = traffic.embedding[traffic.rows(account)]
            count = np.arange(1, len(rows) + 1)[:, None]
            mean = np.cumsum(rows, axis=0, dtype=np.float64) / count
            squared = ((mean - self._mean) @ self._basis) ** 2 / (self._between + 1 / count)
            out = np.r_[NOTHING, squared.sum(axis=1)].astype(np.float32)
            out[:LEAST] = NOTHING
            values[account] = out
        return prefix_values(traffic, looks, values)


def _shrunk(covariance: F64) -> F64:
    scale = np.trace(covariance) / len(covariance)
    return np.asarray((1 - SHRINK) * covariance + SHRINK * scale * np.eye(len(covariance)))
