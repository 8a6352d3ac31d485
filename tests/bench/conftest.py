"""Two small ranges that share no source, of the bundled prompts, and logs made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.baselines import Labelled
from bench.detect import labelled
from bench.traffic import F32, Keys, Traffic
from scipy.sparse import csr_matrix

from revenuer.lab.range import Fold, PromptPool, RangeConfig, make_range
from revenuer.lab.range.score import Truth


def _made(fold: Fold, folder: Path) -> Path:
    config = RangeConfig(seed=7, exchanges=5000, days=5.0, accounts=300, campaign_size=(4, 12), fold=fold)
    make_range(config, PromptPool.load(fold=fold), folder)
    return folder


@pytest.fixture(scope="session")
def fold_a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A range to fit on."""
    return _made(Fold.A, tmp_path_factory.mktemp("a"))


@pytest.fixture(scope="session")
def fold_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A range to score."""
    return _made(Fold.B, tmp_path_factory.mktemp("b"))


@pytest.fixture(scope="session")
def fit_log(fold_a: Path) -> Labelled:
    """The range to fit on, loaded."""
    return labelled(fold_a)[0]


@pytest.fixture(scope="session")
def score_log(fold_b: Path) -> tuple[Labelled, Truth]:
    """The range to score, loaded."""
    return labelled(fold_b)


def by_hand(accounts: list[F32], *, step: float = 60.0, keys: Keys | None = None) -> Traffic:
    """A log of accounts that each send their rows of embeddings, one every `step` seconds, from time 0."""
    sizes = [len(rows) for rows in accounts]
    account = np.repeat(np.arange(len(accounts)), sizes)
    times = [np.arange(size, dtype=np.float64) * step for size in sizes]
    unit = np.concatenate(accounts).astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    none = Keys(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0))
    return Traffic(
        names=[f"a{i:03d}" for i in range(len(accounts))],
        account=account,
        ts=np.concatenate(times),
        ids=np.array([f"x{i}" for i in range(sum(sizes))], object),
        embedding=unit,
        bags=csr_matrix((sum(sizes), 2**18), dtype=np.float32),
        keys=keys or none,
        times=times,
        start=0.0,
        end=float(max(t[-1] for t in times)),
    )
