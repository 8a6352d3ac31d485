"""What a baseline is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from bench.traffic import F32, F64, I64, Bools, Traffic

NOTHING = np.float32(-np.inf)
"""Score of an account of which too little was seen."""


class Labelled(NamedTuple):
    """A log to fit on, with its truth."""

    traffic: Traffic
    harvest: Bools
    """Of each kept row, whether it belongs to a campaign."""
    benign: Bools
    """Of each account, whether it is benign; authorised distillers are neither benign nor campaign here."""


class Baseline(Protocol):
    """A detector from the literature, adapted to accounts in a log. See its module's docstring."""

    name: str

    def fit(self, logs: Sequence[Labelled]) -> None:
        """Learn from logs of some sources. Methods that need no labels use the benign accounts only."""
        ...

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """(looks, accounts): evidence at each look from rows before it, higher is worse; `NOTHING` if too few."""
        ...

    def groups(self, traffic: Traffic) -> I64 | None:
        """Number of each account's unit at the end of the log; None for methods that judge accounts alone."""
        ...


class PerAccount:
    """A baseline that judges each account alone."""

    def groups(self, traffic: Traffic) -> I64 | None:  # noqa: ARG002
        """None: there are no units."""
        return None


def prefix_values(traffic: Traffic, looks: F64, values: Mapping[int, F32]) -> F32:
    """(looks, accounts) from `values[a][n]`, the score of account a after its first n kept rows (n = 0 included)."""
    seen = traffic.seen(looks)
    out = np.full(seen.shape, NOTHING, np.float32)
    for account, by_count in values.items():
        out[:, account] = by_count[seen[:, account]]
    return out
