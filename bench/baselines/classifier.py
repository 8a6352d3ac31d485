"""Supervised prompt classifier: TF-IDF and logistic regression on single prompts, averaged per account.

Paper: none by name; it is the plain supervised detector that input-side work is compared with.
Our setting differs: it is fitted on the prompts of some sources, as they stand in a log with their templates, and
scored on others; on a random split of rows the same model looks near perfect, which says nothing.
Parameters: words and pairs of words (2^18 hashed columns), inverse document frequency, sublinear counts, C = 10,
balanced classes, at most 60,000 fitted prompts, each weighted by one over the root of its account's number; the
account's score is the mean probability, with 5 prompts of the benign mean added. Chosen on other seeds among C of .1,
1 and 10, weights by the power 0, 1/2 and 1, and mean, mean log odds, upper quartile and share above .8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bench.baselines.base import NOTHING, Labelled, PerAccount, prefix_values
from bench.traffic import F32, F64, Traffic

FITTED, PRIOR = 60_000, 5


class Prompts:
    """The model of single prompts."""

    def __init__(self, logs: Sequence[Labelled]) -> None:
        rng = np.random.default_rng(4)
        bags, labels, weights = [], [], []
        for log in logs:
            usable = log.harvest | log.benign[log.traffic.account]
            rows = rng.permutation(np.flatnonzero(usable))[: FITTED // len(logs)]
            bags.append(log.traffic.bags[rows])
            labels.append(log.harvest[rows])
            part = 2 * log.traffic.account[rows] + log.harvest[rows]
            weights.append(1 / np.sqrt(np.bincount(part)[part]))
        x, y, weight = vstack(bags).tocsr(), np.concatenate(labels), np.concatenate(weights)
        model = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", random_state=0)
        self._model = make_pipeline(TfidfTransformer(sublinear_tf=True), model)
        self._model.fit(x, y, logisticregression__sample_weight=weight / weight.mean())
        self.base = float(self.probabilities(x[~y]).mean())

    def probabilities(self, bags: csr_matrix) -> F64:
        """Probability of harvest, each prompt."""
        return np.asarray(self._model.predict_proba(bags)[:, 1])


class PromptClassifier(PerAccount):
    """See the module."""

    name = "prompt classifier per account"

    def fit(self, logs: Sequence[Labelled]) -> None:
        """The model, from labelled prompts."""
        self._prompts = Prompts(logs)

    def scores(self, traffic: Traffic, looks: F64) -> F32:
        """Mean probability of the prompts so far."""
        likely = self._prompts.probabilities(traffic.bags)
        values = {}
        for account in range(len(traffic.names)):
            total = np.cumsum(likely[traffic.rows(account)])
            count = np.arange(1, len(total) + 1)
            mean = (total + PRIOR * self._prompts.base) / (count + PRIOR)
            values[account] = np.r_[NOTHING, mean].astype(np.float32)
        return prefix_values(traffic, looks, values)
