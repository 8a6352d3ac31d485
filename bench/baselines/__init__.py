"""Detectors from the literature, one file each, fitted on some sources and scored on others.

`BASELINES` is the list; the contract test runs over it. Weights and thresholds come from fold a alone. Where a
docstring says that a parameter was chosen on other seeds, those were ranges of fold b with seeds 91 and 92: other logs
than the scored ones, but of the same prompt sources, so the choice favours the baseline.
"""

from __future__ import annotations

from bench.baselines.base import Baseline, Labelled
from bench.baselines.cap import Coverage
from bench.baselines.classifier import PromptClassifier
from bench.baselines.classifier_pooled import PooledPromptClassifier
from bench.baselines.mahalanobis import Mahalanobis
from bench.baselines.mmd import AccountMmd
from bench.baselines.mmd_pooled import PooledMmd
from bench.baselines.prada import Prada
from bench.baselines.seat import NearDuplicates
from bench.baselines.volume import Volume

BASELINES: tuple[type[Baseline], ...] = (
    Volume,
    Prada,
    NearDuplicates,
    Coverage,
    Mahalanobis,
    AccountMmd,
    PooledMmd,
    PromptClassifier,
    PooledPromptClassifier,
)

__all__ = ["BASELINES", "Baseline", "Labelled"]
