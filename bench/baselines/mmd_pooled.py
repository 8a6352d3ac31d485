"""MMD pooled over naive links: the test of `mmd`, on all queries of accounts that seem to belong together.

Paper: arXiv 2606.05725 tests pooled traffic of several users, too; the pooling by shared /24, payment or template is
what an operator would try first.
Our setting differs: see `mmd`; the pool is found by links, not given.
Parameters: those of `mmd`; links of `naive_links`; at most 150 queries a unit, drawn by a hash of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xxhash

from bench.baselines.base import NOTHING, Labelled
from bench.baselines.mmd import LEAST, Kernel
from bench.naive_links import units
from bench.traffic import F32, F64, I64, Traffic

MOST = 150


class PooledMmd:
    """See the module."""

    name = "MMD pooled over naive links"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """The reference and the kernel's width."""
        self._kernel = Kernel(logs)

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Standardised squared MMD of the unit's queries so far."""
        draw = np.array([xxhash.xxh3_64_intdigest(str(i).encode()) for i in traffic.ids], np.uint64)
        means = self._kernel.means(traffic.embedding)
        unit_of = units(traffic, looks)
        out = np.full(unit_of.shape, NOTHING, np.float32)
        known: dict[bytes, float] = {}
        for look, until in enumerate(looks):
            past = np.flatnonzero(traffic.ts < until)
            unit = unit_of[look][traffic.account[past]]
            order = np.lexsort((draw[past], unit))
            past, unit = past[order], unit[order]
            score = np.full(int(unit_of[look].max(initial=0)) + 1, NOTHING, np.float32)
            starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]][: len(unit)])
            for start, stop in zip(starts, np.r_[starts[1:], len(unit)], strict=True):
                rows = past[start : min(stop, start + MOST)]
                if len(rows) >= LEAST:
                    name = rows.tobytes()
                    if name not in known:
                        known[name] = self._score(traffic.embedding[rows], means[rows])
                    score[unit[start]] = known[name]
            active = np.unique(traffic.account[past])
            out[look, active] = score[unit_of[look][active]]
        return out

    def groups(self, traffic: Traffic) -> I64 | None:
        """The units at the end."""
        return np.asarray(units(traffic, np.array([traffic.end + 1]))[0])

    def _score(self, rows: F32, means: F32) -> float:
        count = len(rows)
        pairs = np.tril(self._kernel.centred(rows, means), -1).sum(dtype=np.float64)
        return float(pairs / (count * (count - 1) / 2) / self._kernel.deviation(np.array(float(count))))
