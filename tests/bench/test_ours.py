"""Our detector runs with the model it is given, on a log it has not kept anything of."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench import ours
from revenuer.harvest import model as models


def calibrated(score: float) -> models.Model:
    """The shipped trees, as if every benign group had reached this score."""
    data = models.load().data
    return models.Model(msgspec.structs.replace(data, calibration=(score,) * len(data.calibration)))


@pytest.fixture
def shipped() -> models.Model:
    return models.load()


def test_the_given_model_decides_and_the_shipped_one_is_put_back(
    fold_b: Path, tmp_path: Path, shipped: models.Model
) -> None:
    severe = ours.run(fold_b, 7, tmp_path / "scan", calibrated(-40.0))
    # The same folder again: a scan that resumed the first one's state would keep its verdicts.
    lenient = ours.run(fold_b, 7, tmp_path / "scan", calibrated(400.0))
    assert models.load() is shipped
    assert severe.figures.frozen.recall.hits > 0
    assert lenient.figures.frozen.recall.hits == lenient.figures.frozen.false_alarms.hits == 0
    assert lenient.figures.frozen.leaked == 1.0
    assert severe.figures.frozen.authorised_accused.hits == 0
    for rate, score in severe.figures.equal.items():
        assert score.false_alarms.share <= rate
        assert score.recall.share in (score.recall_at_1_percent, score.recall_at_01_percent)
    assert {stage.stage for stage in severe.stages} >= {"link", "harvest", "decide"}
    assert severe.figures.seconds > 0


def test_a_model_is_read_as_it_was_written(tmp_path: Path, shipped: models.Model) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(msgspec.json.encode(shipped.data))
    assert ours.load_model(path).data == shipped.data
