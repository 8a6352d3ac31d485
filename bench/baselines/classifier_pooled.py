"""Supervised prompt classifier pooled over naive links: the mean over all accounts that seem to belong together.

Paper: none by name; see `classifier`.
Our setting differs: the pool is found by links that share a /24, a payment or a template, not given.
Parameters: those of `classifier`; links of `naive_links`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.baselines.base import NOTHING, Labelled
from bench.baselines.classifier import PRIOR, Prompts
from bench.naive_links import units
from bench.traffic import F32, F64, I64, Traffic


class PooledPromptClassifier:
    """See the module."""

    name = "prompt classifier pooled over naive links"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """The model, from labelled prompts."""
        self._prompts = Prompts(logs)

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Mean probability of the unit's prompts so far."""
        likely = self._prompts.probabilities(traffic.bags)
        unit_of = units(traffic, looks)
        out = np.full(unit_of.shape, NOTHING, np.float32)
        for look, until in enumerate(looks):
            past = traffic.ts < until
            total = np.bincount(traffic.account[past], likely[past], minlength=len(traffic.names))
            count = np.bincount(traffic.account[past], minlength=len(traffic.names))
            pooled = np.bincount(unit_of[look], total)
            prompts = np.bincount(unit_of[look], count)
            mean = (pooled + PRIOR * self._prompts.base) / (prompts + PRIOR)
            out[look] = np.where(count > 0, mean[unit_of[look]], NOTHING)
        return out

    def groups(self, traffic: Traffic) -> I64 | None:
        """The units at the end."""
        return np.asarray(units(traffic, np.array([traffic.end + 1]))[0])
