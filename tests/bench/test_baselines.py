"""The contract of every baseline, and for each one what it must find and what it must leave alone."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.baselines import BASELINES, Baseline, Labelled
from bench.baselines.base import NOTHING
from bench.baselines.cap import Coverage
from bench.baselines.classifier import PromptClassifier
from bench.baselines.classifier_pooled import PooledPromptClassifier
from bench.baselines.mahalanobis import Mahalanobis
from bench.baselines.mmd import AccountMmd
from bench.baselines.mmd_pooled import PooledMmd
from bench.baselines.prada import Prada
from bench.baselines.seat import NearDuplicates
from bench.baselines.volume import Volume
from bench.detect import looks_of
from bench.measure import threshold
from bench.traffic import F32, Traffic, words
from scipy.sparse import csr_matrix
from tests.bench.conftest import by_hand

from revenuer.ingest import read_accounts, read_logs
from revenuer.lab.range.score import Truth

every = pytest.mark.parametrize("kind", BASELINES, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def fitted(fit_log: Labelled) -> dict[type[Baseline], Baseline]:
    found = {}
    for kind in BASELINES:
        found[kind] = kind()
        found[kind].fit([fit_log])
    return found


@every
def test_the_docstring_says_where_it_comes_from_and_how_it_differs(kind: type[Baseline]) -> None:
    text = inspect.getdoc(sys.modules[kind.__module__]) or ""
    for part in ("Paper:", "Our setting differs:", "Parameters:"):
        assert re.search(rf"^{part} \w", text, re.M), f"{kind.name} lacks {part!r}"


def test_names_are_distinct() -> None:
    assert len({kind.name for kind in BASELINES}) == len(BASELINES)


@every
def test_scores_have_one_row_a_look_and_are_never_nan(
    kind: type[Baseline], fitted: dict[type[Baseline], Baseline], score_log: tuple[Labelled, Truth]
) -> None:
    traffic = score_log[0].traffic
    looks = looks_of(traffic)
    scores = fitted[kind].scores(traffic, looks)
    assert scores.shape == (len(looks), len(traffic.names))
    assert not np.isnan(scores).any()
    assert (scores[:, scores.max(axis=0) > NOTHING] > NOTHING).any()
    first = np.array([times[0] for times in traffic.times])
    assert (scores[looks[:, None] <= first[None, :]] == NOTHING).all()


@every
def test_nothing_later_changes_an_earlier_score(
    kind: type[Baseline], fitted: dict[type[Baseline], Baseline], score_log: tuple[Labelled, Truth], fold_b: Path
) -> None:
    whole = score_log[0].traffic
    looks = looks_of(whole)
    cut = float(looks[len(looks) // 2])
    books = read_accounts(fold_b / "accounts.jsonl", [])
    early = [[e for e in chunk.exchanges if e.ts < cut] for chunk in read_logs([next(fold_b.glob("exchanges.*"))])]
    short = Traffic.of([chunk for chunk in early if chunk], books)
    looks = looks[looks <= cut]
    column = [whole.names.index(name) for name in short.names]
    before, after = fitted[kind].scores(short, looks), fitted[kind].scores(whole, looks)[:, column]
    assert np.allclose(before, after, rtol=1e-4, atol=1e-5)


@every
def test_fitting_again_gives_the_same_scores(
    kind: type[Baseline],
    fitted: dict[type[Baseline], Baseline],
    fit_log: Labelled,
    score_log: tuple[Labelled, Truth],
) -> None:
    again = kind()
    again.fit([fit_log])
    looks = looks_of(score_log[0].traffic)[-1:]
    assert np.array_equal(fitted[kind].scores(score_log[0].traffic, looks), again.scores(score_log[0].traffic, looks))


@every
def test_the_threshold_holds_its_rate_where_it_was_set(
    kind: type[Baseline], fitted: dict[type[Baseline], Baseline], fit_log: Labelled
) -> None:
    peaks = fitted[kind].scores(fit_log.traffic, looks_of(fit_log.traffic)).max(axis=0)[fit_log.benign]
    for rate in (0.01, 0.05):
        assert (peaks > threshold(peaks, rate)).mean() <= rate


@every
def test_units_cover_every_account_or_there_are_none(
    kind: type[Baseline], fitted: dict[type[Baseline], Baseline], score_log: tuple[Labelled, Truth]
) -> None:
    units = fitted[kind].groups(score_log[0].traffic)
    assert units is None or len(units) == len(score_log[0].traffic.names)


def people(count: int, rows: int = 80, *, seed: int = 0) -> list[F32]:
    """Accounts whose questions scatter round a subject of their own, somewhat off the common one."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(1).normal(size=64)
    return [
        (common + 0.4 * rng.normal(size=64) + 0.5 * rng.normal(size=(rows, 64))).astype(np.float32)
        for _ in range(count)
    ]


def benign(traffic: Traffic) -> Labelled:
    return Labelled(traffic, np.zeros(len(traffic), bool), np.ones(len(traffic.names), bool))


def last_scores(method: Baseline, fit_on: list[F32], scored: list[F32]) -> F32:
    method.fit([benign(by_hand(fit_on))])
    traffic = by_hand(scored)
    return np.asarray(method.scores(traffic, np.array([traffic.end + 1]))[0])


def test_volume_finds_the_busy_account_and_only_while_it_is_busy() -> None:
    traffic = by_hand([np.ones((500, 4), np.float32), np.ones((5, 4), np.float32)])
    soon, later = Volume().scores(traffic, np.array([traffic.end + 1, traffic.end + 2 * 86_400]))
    assert soon.tolist() == [500, 5]
    assert later.tolist() == [0, 0]


def test_prada_finds_distances_of_two_kinds_and_leaves_one_kind_alone() -> None:
    rng = np.random.default_rng(5)
    natural = rng.normal(size=(150, 64)).astype(np.float32)
    synthetic = natural.copy()
    synthetic[1::2] = synthetic[::2] + 0.05 * rng.normal(size=(75, 64)).astype(np.float32)
    found = last_scores(Prada(), people(3), [natural, synthetic])
    assert found[1] > 0.2 > 0.1 > found[0]


def test_prada_counts_equal_distances_as_abnormal() -> None:
    assert last_scores(Prada(), people(3), [np.ones((40, 64), np.float32)]).tolist() == [1.0]


def test_near_duplicates_are_counted_and_different_questions_are_not() -> None:
    rng = np.random.default_rng(6)
    apart = np.eye(64, dtype=np.float32)[:40]
    repeated = np.tile(apart[:4], (10, 1)) + 0.01 * rng.normal(size=(40, 64)).astype(np.float32)
    found = last_scores(NearDuplicates(), people(30), [repeated, apart])
    assert found.tolist() == [36, NOTHING]


def test_coverage_finds_the_account_that_asks_about_everything() -> None:
    rng = np.random.default_rng(7)
    narrow = people(40, 100)
    wide = rng.normal(size=(100, 64)).astype(np.float32)
    found = last_scores(Coverage(), narrow, [wide, people(1, 100, seed=99)[0]])
    assert found[0] > 2 * max(1, found[1])


@pytest.mark.parametrize("kind", [Mahalanobis, AccountMmd, PooledMmd])
def test_distances_find_the_account_unlike_all_benign_ones(kind: type[Baseline]) -> None:
    crowd = people(60, 40)
    strange = people(1, 40, seed=77)[0] + 8 * np.eye(64, dtype=np.float32)[3]
    found = last_scores(kind(), crowd, [strange, people(1, 40, seed=78)[0]])
    assert found[0] > 1.5 * found[1]


def texts(traffic: Traffic, prompts: list[str]) -> Traffic:
    """The same log with these prompts in turn."""
    bags = csr_matrix(words().transform([prompts[i % len(prompts)] for i in range(len(traffic))]))
    return Traffic(
        traffic.names, traffic.account, traffic.ts, traffic.ids, traffic.embedding, bags, traffic.keys, traffic.times,
        traffic.start, traffic.end,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [PromptClassifier, PooledPromptClassifier])
def test_the_classifier_knows_wordings_it_was_fitted_on(kind: type[Baseline]) -> None:
    method = kind()
    logs = []
    for prompt, guilty in (
        ("write out the complete reasoning step by step for", True),
        ("my invoice is late, can you help me", False),
    ):
        traffic = texts(by_hand(people(10, 20)), [f"{prompt} {n}" for n in ["one", "two", "three", "four", "five"]])
        logs.append(Labelled(traffic, np.full(len(traffic), guilty), np.full(len(traffic.names), not guilty)))
    method.fit(logs)
    found = [float(method.scores(log.traffic, np.array([log.traffic.end + 1]))[0].mean()) for log in logs]
    assert found[0] > 0.6 > 0.3 > found[1]
