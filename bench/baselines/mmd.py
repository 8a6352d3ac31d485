"""MMD per account: do an account's questions come from the distribution of benign questions?

Paper: Liu, Guo, Dong, "An Embarrassingly Simple Detector for Model Extraction Attacks in Large Language Model API
Traffic" (arXiv 2606.05725); the test is Gretton et al., JMLR 2012. Published: .3 % false alarms and 59 to 100 %
hits, with windows of 1,500 queries and homogeneous benign traffic.
Our setting differs: accounts send tens of queries, not 1,500; and benign traffic is many customers, each of whom
differs from the whole, so nearly every account rejects the plain null: as there, only benign-against-benign
comparisons set the threshold. The unbiased statistic is divided by its standard deviation under the null for
its number of queries (asymptotic, degenerate U-statistic), so that sizes can be compared.
Parameters: RBF kernel, median heuristic; 2,000 benign reference queries, at most 20 an account; at least 10 queries
(measured on other seeds: a fixed window of 20, 50 or 100 queries does worse).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.baselines.base import NOTHING, Labelled, PerAccount, prefix_values
from bench.traffic import F32, F64, Traffic

REFERENCE, PER_ACCOUNT = 2000, 20
LEAST = 10


class Kernel:
    """An RBF kernel centred on a benign reference: its mean over pairs is the unbiased squared MMD."""

    def __init__(self, logs: Sequence[Labelled]) -> None:
        rng = np.random.default_rng(3)
        pool = []
        for log in logs:
            for account in np.flatnonzero(log.benign):
                rows = log.traffic.embedding[log.traffic.rows(int(account))]
                pool.append(rows[rng.permutation(len(rows))[:PER_ACCOUNT]])
        rows = np.concatenate(pool)
        self.reference = rows[rng.permutation(len(rows))[:REFERENCE]]
        distances = _squared(self.reference, self.reference)
        off = ~np.eye(len(distances), dtype=bool)
        self.width = float(np.median(distances[off]))
        kernel = np.exp(-distances / self.width)
        self.constant = float(kernel[off].mean())
        mean = (kernel.sum(axis=1) - 1) / (len(kernel) - 1)
        centred = kernel - mean[:, None] - mean[None, :] + self.constant
        self.second_moment = float((centred[off] ** 2).mean())

    def means(self, rows: F32) -> F32:
        """(n,) mean kernel between each row and the reference."""
        parts = [
            np.exp(-_squared(rows[at : at + 4096], self.reference) / self.width).mean(axis=1)
            for at in range(0, len(rows), 4096)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def centred(self, rows: F32, means: F32) -> F32:
        """(n, n) centred kernel between the rows, whose `means` are given."""
        kernel = np.exp(-_squared(rows, rows) / self.width)
        return np.asarray(kernel - means[:, None] - means[None, :] + self.constant, np.float32)

    def deviation(self, count: F64) -> F64:
        """Standard deviation, under the null, of the statistic of `count` rows."""
        return np.asarray(np.sqrt(2 * self.second_moment / (count * (count - 1))))


def _squared(a: F32, b: F32) -> F32:
    return np.asarray(np.maximum(2 - 2 * a @ b.T, 0))


class AccountMmd(PerAccount):
    """See the module."""

    name = "MMD per account"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """The reference and the kernel's width."""
        self._kernel = Kernel(logs)

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Standardised squared MMD of the queries so far."""
        values = {}
        means = self._kernel.means(traffic.embedding)
        for account in range(len(traffic.names)):
            own = traffic.rows(account)
            rows = traffic.embedding[own]
            out = np.full(len(rows) + 1, NOTHING, np.float32)
            if len(rows) >= LEAST:
                pairs = np.tril(self._kernel.centred(rows, means[own]), -1).sum(axis=1, dtype=np.float64).cumsum()
                count = np.arange(LEAST, len(rows) + 1, dtype=np.float64)
                statistic = pairs[LEAST - 1 :] / (count * (count - 1) / 2)
                out[LEAST:] = statistic / self._kernel.deviation(count)
            values[account] = out
        return prefix_values(traffic, looks, values)
