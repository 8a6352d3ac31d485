"""Our detector as one more method: a scan with a model that never saw the scored sources."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from bench.measure import RATES, Figures, accused_by_class, threshold
from revenuer.harvest.model import Model, ModelData
from revenuer.lab.range.score import Outcome, Truth, load_result, load_truth, score_outcomes
from revenuer.pipeline import scan
from revenuer.records import StageTime
from revenuer.settings import Settings

NAME = "Revenuer"


class Ours(NamedTuple):
    """A scan's figures and the time of its stages."""

    figures: Figures
    stages: tuple[StageTime, ...]


def load_model(path: Path) -> Model:
    """A model written by `bench.fit`."""
    return Model(msgspec.json.decode(path.read_bytes(), type=ModelData))


def run(folder: Path, seed: int, out: Path, model: Model) -> Ours:
    """Scan a range's log afresh with `model` in place of the shipped one, and score the verdicts."""
    shutil.rmtree(out, ignore_errors=True)
    settings = Settings(key_file=str(out.parent / "fingerprint.key"))
    begun = time.process_time()
    report = scan([next(folder.glob("exchanges.*"))], folder / "accounts.jsonl", out, settings, model=model)
    seconds = time.process_time() - begun
    truth, found = load_truth(folder), load_result(out)
    figures = Figures(
        method=NAME,
        seed=seed,
        equal={rate: score_outcomes(truth, _above(found, truth, rate)) for rate in RATES},
        frozen=score_outcomes(truth, found),
        accused=accused_by_class(truth, found),
        seconds=seconds,
        timed=False,
    )
    return Ours(figures, report.stages)


def _above(found: Mapping[str, Outcome], truth: Truth, rate: float) -> dict[str, Outcome]:
    """The accounts whose score passes at exactly this rate of false alarms; a result has no time for that."""
    benign = [t.account for t in truth.accounts if t.role != "campaign" and not t.authorised]
    lowest = Outcome(-math.inf, None, None)
    bar = threshold(np.array([found.get(name, lowest).score for name in benign]), rate)
    return {name: one._replace(flagged_at=math.inf if one.score > bar else None) for name, one in found.items()}
