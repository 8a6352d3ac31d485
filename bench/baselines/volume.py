"""Volume threshold: the number of exchanges of an account in the last 24 hours.

Paper: none; it is the rate alarm that every provider has, and the first signal in advisory AA26-251A.
Our setting differs: harvest is spread over many accounts so that each stays small, while honest batch jobs are large.
Parameters: window of 24 hours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.baselines.base import NOTHING, Labelled, PerAccount
from bench.traffic import F32, F64, Traffic

WINDOW = 86_400.0


class Volume(PerAccount):
    """See the module."""

    name = "volume"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """Nothing is learnt: the threshold comes from the benign accounts, as for every method."""

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Exchanges in the window before each look."""
        out = np.full((len(looks), len(traffic.names)), NOTHING, np.float32)
        for account, times in enumerate(traffic.times):
            done = np.searchsorted(times, looks, side="left")
            recent = done - np.searchsorted(times, looks - WINDOW, side="left")
            out[:, account] = np.where(done > 0, recent, NOTHING)
        return out
