"""The whole benchmark, small: two sources' worth of bundled prompts, every baseline, one section written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from bench.baselines import BASELINES, Labelled
from bench.detect import SECTION, looks_of, run
from bench.measure import Figures
from bench.prompts import Data
from tests.bench.conftest import by_hand

from revenuer.lab.range import Traces
from revenuer.lab.range.score import Truth
from revenuer.settings import Evaluation


def test_every_baseline_is_scored_on_sources_it_did_not_see(tmp_path: Path) -> None:
    out = tmp_path / "RESULTS.md"
    out.write_text("# Results\n\n## By hand\n\nStays.\n")
    found = run(Data(None, Traces(), "BUNDLED"), [7], 3000, tmp_path / "work", out, None)
    assert [f.method for f in found] == [kind.name for kind in BASELINES]
    for one in found:
        assert set(one.equal) == {0.01, 0.001}
        assert one.equal[0.001].false_alarms.share <= 0.001
        assert one.equal[0.01].recall.share >= one.equal[0.001].recall.share
        assert one.equal[0.01].recall.share == one.frozen.recall_at_1_percent
        assert one.frozen.unknown_accounts == 0
    text = out.read_text()
    assert "Stays." in text
    assert f"<!-- begin {SECTION} -->" in text
    assert "BUNDLED" in text
    kept = msgspec.json.decode((tmp_path / "work" / "figures.json").read_bytes(), type=list[Figures])
    assert kept == found


def test_labels_are_the_truth_of_kept_rows_and_of_accounts(score_log: tuple[Labelled, Truth]) -> None:
    log, truth = score_log
    role = {t.account: t for t in truth.accounts}
    guilty = {log.traffic.names[a] for a in log.traffic.account[log.harvest]}
    assert guilty <= {t.account for t in truth.accounts if t.role == "campaign"}
    assert len(guilty) > 0.9 * sum(t.role == "campaign" for t in truth.accounts)
    for name, benign in zip(log.traffic.names, log.benign, strict=True):
        assert benign == (role[name].role == "benign" and not role[name].authorised)


def test_every_method_is_looked_at_on_the_grid_of_the_product() -> None:
    traffic = by_hand([np.ones((60, 4), np.float32)], step=3600.0)
    hours = (looks_of(traffic) / 3600).tolist()
    schedule = Evaluation()
    assert hours[: len(schedule.early)] == [h for h in schedule.early if h < 60]
    assert 60 - schedule.every <= hours[-1] < 60
