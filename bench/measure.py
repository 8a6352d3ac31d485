"""From scores over time to figures: thresholds at a rate of false alarms, outcomes, figures on a range."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec
import numpy as np

from bench.baselines import Baseline
from bench.traffic import F32, F64, I64, Bools, Traffic
from revenuer.lab.range.score import Outcome, Score, Truth, score_outcomes

RATES = (0.01, 0.001)
FROZEN = 0.001
"""The rate of false alarms at which thresholds are frozen on the fit sources."""


class Accused(msgspec.Struct, frozen=True):
    """Benign operators of one class, without authorisation: those with a flagged account, of all."""

    operators: int
    of: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one range. `equal[rate]` has the thresholds set on the range itself, so that exactly that rate of
    its benign accounts is flagged; `frozen` has the threshold (or verdicts) fixed before."""

    method: str
    seed: int
    equal: dict[float, Score]
    frozen: Score
    accused: dict[str, Accused]
    seconds: float
    timed: bool = True
    """Whether `equal` knows when an account was flagged; if not, its leaked shares mean nothing."""


def threshold(benign: F32 | F64, rate: float) -> float:
    """The score that at most `rate` of the benign scores exceed; what is flagged is strictly above it."""
    if not len(benign):
        raise ValueError("a threshold needs benign scores")
    ranked = np.sort(benign)[::-1]
    return float(ranked[min(int(rate * len(ranked) + 1e-9), len(ranked) - 1)])


def outcomes(names: Sequence[str], looks: F64, scores: F32, bar: float, units: I64 | None) -> dict[str, Outcome]:
    """What a method says of each account: highest score so far, first look above `bar`, its unit when flagged.

    Methods without units report no groups.
    """
    above = scores > bar
    found = {}
    for account, name in enumerate(names):
        flagged = bool(above[:, account].any())
        at = float(looks[int(above[:, account].argmax())]) if flagged else None
        group = f"unit {units[account]}" if flagged and units is not None else None
        found[name] = Outcome(float(scores[:, account].max()), at, group)
    return found


def figures(
    method: Baseline, seed: int, traffic: Traffic, benign: Bools, truth: Truth, looks: F64, bar: float, scores: F32,
    seconds: float,
) -> Figures:  # fmt: skip
    """A baseline's figures; `bar` was fixed on other sources."""
    units = method.groups(traffic)
    peaks = scores.max(axis=0)

    def at(where: float) -> dict[str, Outcome]:
        return outcomes(traffic.names, looks, scores, where, units)

    frozen = at(bar)
    return Figures(
        method=method.name,
        seed=seed,
        equal={rate: score_outcomes(truth, at(threshold(peaks[benign], rate))) for rate in RATES},
        frozen=score_outcomes(truth, frozen),
        accused=accused_by_class(truth, frozen),
        seconds=seconds,
    )


def accused_by_class(truth: Truth, found: Mapping[str, Outcome]) -> dict[str, Accused]:
    """Wrongly accused operators of each benign class."""
    operators: dict[str, set[str]] = defaultdict(set)
    hit: dict[str, set[str]] = defaultdict(set)
    for account in truth.accounts:
        if account.role == "campaign" or account.authorised:
            continue
        operators[account.cls].add(account.operator)
        outcome = found.get(account.account)
        if outcome is not None and outcome.flagged_at is not None:
            hit[account.cls].add(account.operator)
    return {cls: Accused(len(hit[cls]), len(all_of)) for cls, all_of in sorted(operators.items())}


def spread(values: Sequence[float]) -> str:
    """Median and range over seeds: ``.53 (.48 to .61)``."""
    shown = [_short(v) for v in (median(values), min(values), max(values))]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _short(value: float) -> str:
    digits = 4 if 0 < value < 0.01 else 2
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if value < 1 else text
