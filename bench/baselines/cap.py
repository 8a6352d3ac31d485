"""CAP-style coverage: does an account cover the space of questions more widely than people do?

Paper: CAP is one of the peers in "An Embarrassingly Simple Detector for Model Extraction Attacks in Large Language
Model API Traffic" (arXiv 2606.05725), which scores how many buckets of the embedding space a window of queries
fills, how new they are and how far they spread; its idea is that of bucket coverage in "Bucks for Buckets" (Dubinski et
al., NeurIPS 2023, arXiv 2310.08571). We found no paper of CAP itself: this is our reading of its published settings.
Our setting differs: windows are an account's queries so far, of very different number, so each term is compared with
what benign accounts of about the same number show.
Parameters: 2,048 buckets (11 random hyperplanes through the benign mean); weights .05 coverage, .35 novelty, .45
spread (as published); novelty: buckets with less than .0005 of benign queries; at least 60 queries (10 and 30 did
worse on other seeds).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.baselines.base import NOTHING, Labelled, PerAccount, prefix_values
from bench.traffic import F32, F64, I64, Traffic

PLANES = 11
RARE = 0.0005
WEIGHTS = np.array([0.05, 0.35, 0.45])
LEAST = 60


class Coverage(PerAccount):
    """See the module."""

    name = "CAP-style coverage"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """Centre, buckets that benign queries seldom fill, and the terms of benign accounts by number of queries."""
        benign = [log.traffic.embedding[log.benign[log.traffic.account]] for log in logs]
        rows = np.concatenate(benign)
        self._centre = rows.mean(axis=0)
        self._planes = np.random.default_rng(2).normal(size=(rows.shape[1], PLANES)).astype(np.float32)
        share = np.bincount(self._bucket(rows), minlength=2**PLANES) / len(rows)
        self._rare: npt.NDArray[np.bool_] = share < RARE
        by_size: dict[int, list[F64]] = {}
        for log in logs:
            for account in np.flatnonzero(log.benign):
                terms = self._terms(log.traffic.embedding[log.traffic.rows(int(account))])
                for size in range(_size(LEAST), _size(len(terms) - 1) + 1):
                    by_size.setdefault(size, []).append(terms[min(2**size, len(terms) - 1)])
        self._scale = {
            size: (np.mean(found, axis=0), np.std(found, axis=0) + 1e-6)
            for size, found in by_size.items()
            if len(found) >= 10
        }

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Weighted, standardised coverage, novelty and spread."""
        values = {}
        for account in range(len(traffic.names)):
            terms = self._terms(traffic.embedding[traffic.rows(account)])
            out = np.full(len(terms), NOTHING, np.float32)
            for count in range(LEAST, len(terms)):
                mean, spread = self._scale[min(_size(count), max(self._scale))]
                out[count] = ((terms[count] - mean) / spread) @ WEIGHTS
            values[account] = out
        return prefix_values(traffic, looks, values)

    def _bucket(self, rows: F32) -> I64:
        sides = (rows - self._centre) @ self._planes > 0
        return np.asarray(sides @ (1 << np.arange(PLANES)), np.int64)

    def _terms(self, rows: F32) -> F64:
        """(n + 1, 3): distinct buckets, share of rare ones and mean squared distance to the mean, after 0..n rows."""
        count = np.arange(1, len(rows) + 1)
        bucket = self._bucket(rows)
        _, first = np.unique(bucket, return_index=True)
        distinct = np.zeros(len(rows))
        distinct[first] = 1
        mean = np.cumsum(rows, axis=0, dtype=np.float64) / count[:, None]
        spread = np.cumsum(np.einsum("ij,ij->i", rows, rows)) / count - np.einsum("ij,ij->i", mean, mean)
        terms = np.column_stack([np.cumsum(distinct) / count, np.cumsum(self._rare[bucket]) / count, spread])
        return np.vstack([np.zeros(3), terms])


def _size(count: int) -> int:
    return max(1, count).bit_length() - 1
