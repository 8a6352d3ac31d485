"""Fit and calibrate the model that ships with the package: `python -m bench.fit --cache DIR --prompts DIR`.

Corpora are labelled ranges of both generators on both folds of the prompt sources. The shipped trees are fitted on
all of them; the calibration scores come from trees fitted on the other fold, so no benign group is scored by a model
that saw its range or its sources. (Two exceptions: the second generator deals ShareGPT's conversations to both halves
and uses 174 Chinese seed tasks in both. With `--fold` only the first generator is used, and nothing is shared.) Two
passes: the first finds the priors of the exchangeability signals, the second replays every corpus over its evaluation
grid with them and keeps every assessed group with its label.
"""

from __future__ import annotations

import argparse
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression

from bench.corpora import Corpus, Recipe, load
from revenuer.decide.replay import Stopwatch, evaluate, moments
from revenuer.harvest import model as models
from revenuer.harvest.assess import Assessed
from revenuer.harvest.evidence import Evidence
from revenuer.harvest.exchangeable import GRID
from revenuer.harvest.group import Group, Population
from revenuer.harvest.members import MEMBER_FEATURES
from revenuer.harvest.signals import EXCHANGEABILITY
from revenuer.link.candidates import SMALLEST_STRAND, Recurring, Scene, candidates
from revenuer.report.edges import LinkBook
from revenuer.settings import Settings

F64 = npt.NDArray[np.float64]
MEMBER_FLOOR = -1.5
"""Keeps .96 of true members and takes out .4 of the strangers that share a template (measured on held-out folds)."""
TREES = {"max_iter": 200, "max_leaf_nodes": 6, "learning_rate": 0.06, "min_samples_leaf": 20, "l2_regularization": 2.0}

MEMBER_TREES = {"max_iter": 120, "max_leaf_nodes": 6, "learning_rate": 0.06, "min_samples_leaf": 40}
MEMBERS_KEPT = 0.90
"""Share of a campaign's accounts that the bar on own evidence lets pass at any one look."""
SHAPES = ((60_000, 5), (120_000, 10), (200_000, 14), (100_000, 7), (120_000, 12))
SECOND_SHAPES = ((120_000, 10), (80_000, 14), (60_000, 7))
RECIPES = tuple(
    Recipe(generator, fold, base + at, size, days)
    for generator, shapes, seeds in (("range", SHAPES, (101, 201)), ("second", SECOND_SHAPES, (301, 401)))
    for fold, base in zip("ab", seeds, strict=True)
    for at, (size, days) in enumerate(shapes)
)


@dataclass(frozen=True)
class Sample:
    """One assessed group (its rows dropped): `label` 1 campaign, 0 benign, -1 mixed. `moment` in seconds. `true` (k,)
    marks members of the campaign that most of the group belongs to; None where that is less than half of it."""

    corpus: str
    fold: str
    moment: float
    label: int
    what: str
    found: Assessed
    true: npt.NDArray[np.bool_] | None


def recipes_of(fold: str) -> list[Recipe]:
    """What a model is fitted on: everything, or the ranges that hold sources of one fold (a or b) and no others."""
    return [r for r in RECIPES if fold == "all" or (r.fold == fold and r.generator == "range")]


def label_of(corpus: Corpus, rows: npt.NDArray[np.int64], accounts: npt.NDArray[np.int64]) -> tuple[int, str]:
    """Label of a group and what it mostly is: a campaign's name or a benign class."""
    codes, counts = np.unique(corpus.campaign[rows], return_counts=True)
    share = dict(zip(codes.tolist(), (counts / len(rows)).tolist(), strict=True))
    true = {code: part for code, part in share.items() if code >= 0}
    classes, times = np.unique([corpus.truth[a].cls for a in accounts.tolist()], return_counts=True)
    common = str(classes[times.argmax()])
    guilty = np.mean([corpus.truth[a].role == "campaign" for a in accounts.tolist()])
    if true:
        top = max(true, key=lambda code: true[code])
        inside = np.mean([corpus.truth[a].campaign == corpus.campaigns[top] for a in accounts.tolist()])
        if true[top] >= 0.7 and inside >= 0.7:
            return 1, corpus.campaigns[top]
    return (0, common) if share.get(-1, 0.0) >= 0.7 and guilty <= 0.35 else (-1, common)


def members_of(corpus: Corpus, found: Assessed) -> npt.NDArray[np.bool_] | None:
    """Which accounts of a group belong to the campaign that at least half of its exchanges do."""
    codes, counts = np.unique(corpus.campaign[found.rows], return_counts=True)
    best = int(counts.argmax())
    if codes[best] < 0 or counts[best] < 0.5 * len(found.rows):
        return None
    name = corpus.campaigns[int(codes[best])]
    return np.array([corpus.truth[a].campaign == name for a in found.accounts.tolist()])


def variance_ratios(recipe: Recipe, prompts: Path, cache: Path) -> list[tuple[str, int, float]]:
    """(signal, label, theta) of large candidate groups at three moments of one corpus."""
    corpus = load(recipe, prompts, cache)
    events = corpus.events
    text = Recurring.of(events)
    out = []
    for part in (0.2, 0.5, 1.0):
        count = events.before(events.ts[0] + part * (events.ts[-1] - events.ts[0]))
        population = Population.of(events, count)
        for candidate in candidates(Scene.at(events, text, corpus.books.payment, count)):
            group = Group.of(events, corpus.books, population, candidate.rows)
            label, _ = label_of(corpus, group.rows, group.accounts)
            for signal in EXCHANGEABILITY:
                found = signal.measure(group)
                if label >= 0 and found is not None and found.cell * found.freedom > 200:
                    out.append((signal.id, label, found.theta))
    return out


def priors(ratios: list[tuple[str, int, float]]) -> dict[str, models.Priors]:
    """Smoothed densities over the grid, with a likelihood ratio that falls in theta."""
    out = {}
    for signal in EXCHANGEABILITY:
        density = []
        for label in (1, 0):
            values = np.array([theta for name, which, theta in ratios if name == signal.id and which == label])
            values = np.clip(values, GRID[0], GRID[-1])
            bumps = np.exp(-0.5 * ((np.log(GRID)[:, None] - np.log(values)[None, :]) / 0.5) ** 2).sum(axis=1)
            density.append((bumps + 0.02 * bumps.mean()) / (bumps + 0.02 * bumps.mean()).sum())
        one, many = density
        ratio = IsotonicRegression(increasing=False).fit_transform(
            np.arange(len(GRID)), np.log(one / many), sample_weight=one + many
        )
        many = (one + many) / (1 + np.exp(ratio))
        one = many * np.exp(ratio)
        out[signal.id] = models.Priors(tuple((one / one.sum()).tolist()), tuple((many / many.sum()).tolist()))
    return out


def bare(prior: dict[str, models.Priors]) -> models.ModelData:
    """A model without trees: measures, and scores everything alike."""
    return models.ModelData(
        version="", fitted_on="", features=models.FEATURES, priors=prior, intercept=0.0, trees=(),
        member_floor=MEMBER_FLOOR, member_features=MEMBER_FEATURES, member_intercept=0.0, member_trees=(),
        member_bar=0.0, member_error=1.0, calibration=(), calibrated_on="", link_bayes={},
    )  # fmt: skip


def link_counts(corpus: Corpus, text: Recurring) -> list[tuple[str, int, int, int, int]]:
    """(channel, links inside campaigns, pairs inside, links elsewhere, pairs elsewhere) at the end of a corpus."""
    events = corpus.events
    code = {name: at for at, name in enumerate(corpus.campaigns)}
    campaign = np.array([code.get(t.campaign or "", -1) for t in corpus.truth])
    sizes = np.bincount(campaign[campaign >= 0])
    inside_pairs = int((sizes * (sizes - 1) // 2).sum())
    n = len(campaign)
    book = LinkBook(Scene.at(events, text, corpus.books.payment, len(events)), corpus.books, {}, SMALLEST_STRAND)
    out = []
    for channel, links in book.links:
        same = (campaign[links.a] == campaign[links.b]) & (campaign[links.a] >= 0)
        out.append((channel.value, int(same.sum()), inside_pairs, int((~same).sum()), n * (n - 1) // 2 - inside_pairs))
    return out


def link_bayes(counts: list[tuple[str, int, int, int, int]]) -> dict[str, float]:
    """Log Bayes factor of a link, by channel, over all corpora."""
    out = {}
    for channel in sorted({row[0] for row in counts}):
        inside, pairs, other, others = np.sum([row[1:] for row in counts if row[0] == channel], axis=0)
        out[channel] = round(float(np.log((inside + 1) / (pairs + 1) / ((other + 1) / (others + 1)))), 3)
    return out


def collect(
    recipe: Recipe, prompts: Path, cache: Path, data: models.ModelData
) -> tuple[list[Sample], list[tuple[str, int, int, int, int]]]:
    """Every assessed group of one corpus at every moment of its grid, and its links counted."""
    corpus = load(recipe, prompts, cache)
    events, settings, model = corpus.events, Settings(), models.Model(data)
    text = Recurring.of(events)
    out = []
    for moment in moments(float(events.ts[0]), float(events.ts[-1]), settings.evaluation):
        count = events.before(moment)
        plain, _ = evaluate(events, corpus.books, corpus.permitted, text, count, settings, model, Stopwatch())
        for found in plain:
            label, what = label_of(corpus, found.rows, found.accounts)
            slim = replace(found, rows=np.empty(0, np.int64))
            out.append(Sample(recipe.name, recipe.fold, moment, label, what, slim, members_of(corpus, found)))
    return out, link_counts(corpus, text)


def grow(samples: list[Sample]) -> HistGradientBoostingClassifier:
    """Trees over groups: every corpus weighs the same, and campaigns as much as benign groups."""
    used = [sample for sample in samples if sample.label >= 0]
    kinds = [f"{sample.corpus} {sample.label}" for sample in used]
    return boosted(
        np.array([sample.found.features for sample in used]), np.array([s.label for s in used]), kinds, TREES
    )


def member_rows(samples: list[Sample]) -> tuple[F64, npt.NDArray[np.bool_], list[str]]:
    """Features, truth and kind of every account in groups that are mostly one campaign's."""
    used = [(s, s.true) for s in samples if s.true is not None]
    x = np.concatenate([s.found.members for s, _ in used])
    y = np.concatenate([true for _, true in used])
    return x, y, [f"{s.corpus} {bool(t)}" for s, true in used for t in true]


def boosted(x: F64, y: npt.NDArray[Any], kinds: list[str], settings: dict[str, Any]) -> HistGradientBoostingClassifier:
    """Trees that rise in every column; every kind of row weighs the same."""
    _, code, times = np.unique(kinds, return_inverse=True, return_counts=True)
    weight = 1.0 / times[code]
    classifier = HistGradientBoostingClassifier(
        monotonic_cst=[1] * x.shape[1], random_state=0, early_stopping=False, **settings
    )
    return classifier.fit(x, y, sample_weight=weight * len(y) / weight.sum())


def exported(classifier: Any) -> tuple[float, tuple[models.Tree, ...]]:
    """Intercept and trees of a fitted classifier in the model's own form."""
    out = []
    for (predictor,) in classifier._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        value = nodes["value"].astype(float).copy()
        # Inner nodes keep the mean below them, weighted by the samples that went there.
        for node in range(len(nodes) - 1, -1, -1):
            if not leaf[node]:
                a, b = int(nodes["left"][node]), int(nodes["right"][node])
                size_a, size_b = int(nodes["count"][a]), int(nodes["count"][b])
                value[node] = (value[a] * size_a + value[b] * size_b) / max(size_a + size_b, 1)
        out.append(
            models.Tree(
                feature=tuple(int(-1 if is_leaf else f) for is_leaf, f in zip(leaf, nodes["feature_idx"], strict=True)),
                threshold=tuple(float(t) for t in nodes["num_threshold"]),
                left=tuple(int(n) for n in nodes["left"]),
                right=tuple(int(n) for n in nodes["right"]),
                value=tuple(float(v) for v in value),
            )
        )
    return float(classifier._baseline_prediction.ravel()[0]), tuple(out)


def highest(samples: list[Sample], model: models.Model) -> list[tuple[float, str, str]]:
    """(highest score, class, corpus) of every benign group followed over time, as `Evidence` follows them."""
    out = []
    for name in sorted({sample.corpus for sample in samples}):
        own = [sample for sample in samples if sample.corpus == name]
        evidence = Evidence(model)
        labels: dict[int, list[tuple[float, int, str]]] = {}
        for moment in sorted({sample.moment for sample in own}):
            now = [s for s in own if s.moment == moment]
            rescored = {id(s): scored(s.found, model) for s in now}
            back = {id(found): s for s, found in ((s, rescored[id(s)]) for s in now)}
            for group in evidence.update(list(rescored.values())):
                if group.now is not None:
                    sample = back[id(group.now)]
                    labels.setdefault(group.number, []).append((group.now.score, sample.label, sample.what))
        for history in labels.values():
            benign = [(score, what) for score, label, what in history if label == 0]
            # A group that ever was a campaign, or mixed with one, is no evidence about benign groups.
            if benign and all(label == 0 for _, label, _ in history):
                score, what = max(benign)
                out.append((score, what, name))
    return out


def scored(found: Assessed, model: models.Model) -> Assessed:
    """The same group with this model's score."""
    return replace(found, score=model.score(found.features))


def main() -> None:
    """Fit, calibrate, write `src/revenuer/harvest/model.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("src/revenuer/harvest/model.json"))
    parser.add_argument("--fold", default="all", help="fit on this fold of `range` alone (a or b); calibrate by corpus")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    recipes = recipes_of(options.fold)

    with ProcessPoolExecutor(options.jobs) as pool:
        work = partial(variance_ratios, prompts=options.prompts, cache=options.cache)
        prior = priors([row for rows in pool.map(work, recipes) for row in rows])
        gather = partial(collect, prompts=options.prompts, cache=options.cache, data=bare(prior))
        parts = list(pool.map(gather, recipes))
    samples = [sample for part, _ in parts for sample in part]
    links = link_bayes([row for _, rows in parts for row in rows])
    (options.cache / f"samples-{options.fold}.pickle").write_bytes(pickle.dumps((prior, samples, links)))
    data = fitted(prior, samples, links, options.fold)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=1) + b"\n")
    print(f"{len(samples)} groups, {len(data.calibration)} benign calibration groups -> {options.out}")


def fitted(
    prior: dict[str, models.Priors], samples: list[Sample], links: dict[str, float], fold: str
) -> models.ModelData:
    """Trees on all samples; calibration by trees that did not see the sources (or, on one fold, the corpus)."""
    parts = sorted({s.fold for s in samples}) if fold == "all" else sorted({s.corpus for s in samples})
    peaks: list[tuple[float, str, str]] = []
    strangers: list[float] = []
    members: list[float] = []
    for part in parts:
        inside = [s for s in samples if part in (s.fold, s.corpus)]
        outside = [s for s in samples if part not in (s.fold, s.corpus)]
        intercept, trees = exported(grow(outside))
        own_intercept, own_trees = exported(boosted(*member_rows(outside), MEMBER_TREES))
        held_out = models.Model(
            msgspec.structs.replace(
                bare(prior), intercept=intercept, trees=trees, member_intercept=own_intercept, member_trees=own_trees
            )
        )
        peaks += highest(inside, held_out)
        x, true, _ = member_rows([s for s in inside if s.label == 1])
        scores = held_out.member_scores(x)
        strangers += scores[~true].tolist()
        members += scores[true].tolist()
    bar = float(np.quantile(members, 1 - MEMBERS_KEPT))
    error = float(np.mean(np.array(strangers) >= bar))
    print(f"own evidence: bar {bar:.2f}, {error:.3f} of {len(strangers)} strangers pass")
    intercept, trees = exported(grow(samples))
    own_intercept, own_trees = exported(boosted(*member_rows(samples), MEMBER_TREES))
    corpora = sorted({s.corpus for s in samples})
    return msgspec.structs.replace(
        bare(prior),
        version="1",
        fitted_on=f"{len(samples)} groups of {len(corpora)} simulated ranges of real prompts: {', '.join(corpora)}",
        intercept=intercept,
        trees=trees,
        member_intercept=own_intercept,
        member_trees=own_trees,
        member_bar=round(bar, 4),
        member_error=round(error, 4),
        calibration=tuple(sorted(round(score, 4) for score, _, _ in peaks)),
        calibrated_on=(
            f"{len(peaks)} benign groups, each scored by trees fitted on other ranges"
            + (" and, ShareGPT's conversations apart, on other prompt sources" if fold == "all" else "")
        ),
        link_bayes=links,
    )


if __name__ == "__main__":
    main()
