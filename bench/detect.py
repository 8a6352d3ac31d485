"""Score detection against the baselines on unseen sources: `python -m bench.detect`, which `make bench-detect` runs.

Ranges of fold a fit the baselines and fix their thresholds; ranges of fold b, which share no prompt source and no
phrasing with them, are scored. Ours is a scan with a model fitted on fold a (`python -m bench.fit --fold a`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from bench import detect_report, ours
from bench.baselines import BASELINES, Baseline, Labelled
from bench.measure import FROZEN, Figures, figures, threshold
from bench.prompts import Data, find_data
from bench.results import RESULTS, circumstances, write_section
from bench.traffic import F64, Traffic, harvest_of
from revenuer.decide.replay import moments
from revenuer.harvest import model as models
from revenuer.lab.range import Fold, PromptPool, RangeConfig, make_range
from revenuer.lab.range.score import Truth, load_truth
from revenuer.settings import Evaluation

SECTION = "bench.detect"
FOLD_A_MODEL = Path(__file__).with_name("model-fold-a.json")


def labelled(folder: Path) -> tuple[Labelled, Truth]:
    """A range with its truth."""
    traffic, truth, harvest = Traffic.load(folder), load_truth(folder), harvest_of(folder)
    role = {t.account: t.role == "benign" and not t.authorised for t in truth.accounts}
    return (
        Labelled(
            traffic,
            np.array([harvest[str(i)] is not None for i in traffic.ids], bool),
            np.array([role[name] for name in traffic.names], bool),
        ),
        truth,
    )


def looks_of(traffic: Traffic) -> F64:
    """The event times at which every method is looked at: the product's own grid."""
    return np.array(moments(traffic.start, traffic.end, Evaluation()))


def fitted(logs: Sequence[Labelled]) -> list[tuple[Baseline, float]]:
    """Every baseline, fitted, with the threshold that `FROZEN` of the benign accounts of these logs exceed."""
    found: list[tuple[Baseline, float]] = []
    for kind in BASELINES:
        method = kind()
        method.fit(logs)
        peaks = [method.scores(log.traffic, looks_of(log.traffic)).max(axis=0)[log.benign] for log in logs]
        found.append((method, threshold(np.concatenate(peaks), FROZEN)))
        print(f"fitted {method.name}", flush=True)
    return found


def made(seed: int, fold: Fold, exchanges: int, data: Data, work: Path) -> Path:
    """A range, made anew."""
    folder = work / f"{fold}{seed}"
    config = RangeConfig(seed=seed, exchanges=exchanges, fold=fold)
    make_range(config, PromptPool.load(data.prompts, fold=fold), folder, traces=data.traces)
    return folder


def our_model(path: Path) -> tuple[models.Model, str]:
    """The model to judge, and what must be said of it."""
    if path.exists():
        model = ours.load_model(path)
        return model, f"Our model: fitted on fold a alone ({model.data.fitted_on})."
    model = models.load()
    said = (
        "OUR MODEL IS THE SHIPPED ONE, because no model fitted on fold a alone was there: its row is NOT a test on "
        f"unseen sources. Fitted on {model.data.fitted_on}."
    )
    print(f"\n!!! {said}\n", flush=True)
    return model, said


def run(
    data: Data, seeds: Sequence[int], exchanges: int, work: Path, out: Path, model: tuple[models.Model, str] | None
) -> list[Figures]:
    """Make the ranges, run every method, write the section and `work/figures.json`. Without `model`, not ours."""
    begun = time.monotonic()
    methods = fitted([labelled(made(seed, Fold.A, exchanges, data, work))[0] for seed in seeds])
    found: list[Figures] = []
    scans = []
    notes = [
        "Real prompts in simulated campaigns. Fit on the sources and phrasings of fold a, scored on those of fold b; "
        f"{exchanges:,} exchanges over 14 days a range, seeds {', '.join(map(str, seeds))}.",
        data.said,
        "Some parameters of the baselines were chosen on other seeds of fold b, which favours them.",
    ]
    if model is not None:
        notes.append(model[1])
    for seed in seeds:
        folder = made(seed, Fold.B, exchanges, data, work)
        if model is not None:
            mine = ours.run(folder, seed, work / f"scan{seed}", model[0])
            found.append(mine.figures)
            scans.append(mine.stages)
        log, truth = labelled(folder)
        looks = looks_of(log.traffic)
        for method, bar in methods:
            cpu = time.process_time()
            scores = method.scores(log.traffic, looks)
            spent = time.process_time() - cpu
            found.append(figures(method, seed, log.traffic, log.benign, truth, looks, bar, scores, spent))
        print(f"scored seed {seed} ({time.monotonic() - begun:.0f} s so far)", flush=True)
    notes.append(f"The whole run took {(time.monotonic() - begun) / 60:.0f} minutes.")
    (work / "figures.json").write_bytes(msgspec.json.encode(found))
    heading = circumstances("make bench-detect")
    write_section(SECTION, detect_report.section(found, scans, ours.NAME, heading, notes), out)
    print(f"wrote the section {SECTION} of {out}")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--exchanges", type=int, default=100_000, help="of each range")
    parser.add_argument("--work", type=Path, default=Path("out/bench-detect"))
    parser.add_argument("--model", type=Path, default=FOLD_A_MODEL, help="model fitted on fold a; else the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--baselines-only", action="store_true")
    options = parser.parse_args()
    model = None if options.baselines_only else our_model(options.model)
    run(find_data(), options.seeds, options.exchanges, options.work, options.out, model)


if __name__ == "__main__":
    main()
