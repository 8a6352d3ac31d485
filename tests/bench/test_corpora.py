"""A corpus of one fold holds no source of the other: what is fitted on one may be judged on the other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench.corpora import Recipe, load, made
from bench.fit import recipes_of
from bench.second_words import HALF_A
from tests.conftest import REPOSITORY

from revenuer.lab.range import Fold, PromptPool
from revenuer.lab.range.pool import FOLDS

PROMPTS = REPOSITORY / "src" / "revenuer" / "data" / "prompts"
OTHER = {"a": Fold.B, "b": Fold.A}


def recipe(fold: str) -> Recipe:
    return Recipe("range", fold, 3, 900, 2)


@pytest.mark.parametrize("fold", ["a", "b"])
def test_a_corpus_of_a_fold_holds_no_source_of_the_other(tmp_path: Path, fold: str) -> None:
    sources = set(json.loads((made(recipe(fold), PROMPTS, tmp_path) / "range.json").read_bytes())["sources"])
    own = PromptPool.load(PROMPTS, fold=Fold(fold)).sources
    other = PromptPool.load(PROMPTS, fold=OTHER[fold]).sources
    assert sources <= {f"{s.role}__{s.name}" for s in own}
    assert len(sources) > len(own) / 2
    assert not sources & {f"{s.role}__{s.name}" for s in other}


@pytest.mark.parametrize("fold", ["a", "b"])
def test_a_model_of_one_fold_is_fitted_on_ranges_of_that_fold_alone(fold: str) -> None:
    found = recipes_of(fold)
    assert found
    assert {(r.generator, r.fold) for r in found} == {("range", fold)}
    assert {(r.generator, r.fold) for r in recipes_of("all")} > {("range", "a"), ("range", "b")}


def test_a_corpus_is_aligned_with_its_truth_and_the_same_from_the_cache(tmp_path: Path) -> None:
    corpus = load(recipe("a"), PROMPTS, tmp_path)
    assert [row.account for row in corpus.truth] == list(corpus.events.accounts)
    role = np.array([row.role for row in corpus.truth])
    harvest = corpus.campaign >= 0
    assert 0 < harvest.sum() < len(harvest)
    assert set(role[corpus.events.account[harvest]]) == {"campaign"}
    again = load(recipe("a"), PROMPTS, tmp_path)
    assert (again.campaign == corpus.campaign).all()
    assert (again.events.ts == corpus.events.ts).all()


def test_both_generators_cut_the_sources_alike() -> None:
    assert set(HALF_A.split()) == {name for name, fold in FOLDS.items() if fold is Fold.A}
