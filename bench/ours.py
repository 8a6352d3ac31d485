"""Our detector as one more method: a scan with a model that never saw the scored sources."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import msgspec

from bench.measure import Figures, accused_by_class
from revenuer.harvest import model as models
from revenuer.lab.range.score import load_result, load_truth, score_outcomes
from revenuer.pipeline import scan
from revenuer.records import StageTime
from revenuer.settings import Settings

NAME = "Revenuer"


class Ours(NamedTuple):
    """A scan's figures and the time of its stages."""

    figures: Figures
    stages: tuple[StageTime, ...]


def load_model(path: Path) -> models.Model:
    """A model written by `bench.fit`."""
    return models.Model(msgspec.json.decode(path.read_bytes(), type=models.ModelData))


def run(folder: Path, seed: int, out: Path, model: models.Model) -> Ours:
    """Scan a range's log afresh with `model` in place of the shipped one, and score the verdicts."""
    shutil.rmtree(out, ignore_errors=True)
    settings = Settings(key_file=str(out.parent / "fingerprint.key"))
    begun = time.process_time()
    with patch.object(models, "load", return_value=model):
        report = scan([next(folder.glob("exchanges.*"))], folder / "accounts.jsonl", out, settings)
    seconds = time.process_time() - begun
    truth, found = load_truth(folder), load_result(out)
    figures = Figures(
        method=NAME,
        seed=seed,
        equal={},
        frozen=score_outcomes(truth, found),
        accused=accused_by_class(truth, found),
        seconds=seconds,
    )
    return Ours(figures, report.stages)
