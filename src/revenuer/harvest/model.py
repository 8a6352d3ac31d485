"""From signals to evidence: monotone boosted trees, and e-values against calibrated benign groups.

Score. Small decision trees, added up (Friedman 2001), each constrained to rise in every signal: more of a signal never
lowers a score. Trees, because who and what multiply: one operator behind accounts (an agency) and a sweep of a pool
(an evaluation) are each innocent, and only together are they not; a weighted sum cannot say that and found less
(docs/decisions/0005). Fitted on labelled ranges (`bench/fit.py`), shipped as `model.json`, which says on what.

Evidence. Calibration keeps, for every benign group of ranges the scoring model has not seen, the *highest score it ever
reached*. A group whose running maximum is s has the e-value (n + 1) exp(s) / (sum_i exp(s_i) + exp(s)). If the group
is benign and exchangeable with the calibration groups, its expectation at the end is at most 1, and as the running
maximum only rises, so it is at any time the verdict is looked at: looking often costs nothing (conformal e-values:
Vovk 2025; the chance that it ever exceeds e is at most 1/e). The bound is as good as that exchangeability: benign
customers of a kind never seen in calibration void it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import msgspec
import numpy as np
import numpy.typing as npt

from revenuer.harvest.exchangeable import GRID, log_bayes_factor
from revenuer.harvest.group import Group
from revenuer.harvest.members import MEMBER_FEATURES
from revenuer.harvest.signals import EXCHANGEABILITY, SIGNALS

F64 = npt.NDArray[np.float64]

FEATURES: tuple[str, ...] = tuple(s.id for s in EXCHANGEABILITY) + tuple(s.id for s in SIGNALS)


class Priors(msgspec.Struct, frozen=True):
    """Weights over `exchangeable.GRID` of the variance ratio, for one operator and for unrelated customers."""

    one: tuple[float, ...]
    many: tuple[float, ...]


class Tree(msgspec.Struct, frozen=True):
    """One tree as parallel lists over its nodes; node 0 is the root.

    At an inner node `feature` (an index into `ModelData.features`) is compared with `threshold`: not above goes to
    `left`, above to `right`. A leaf has feature -1 and its `value`; inner nodes carry the mean value below them.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]


class ModelData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model.json`."""

    version: str
    fitted_on: str
    features: tuple[str, ...]
    priors: dict[str, Priors]
    intercept: float
    trees: tuple[Tree, ...]
    member_floor: float
    """Least log Bayes factor of an account's own fit with which it stays in a group."""
    member_features: tuple[str, ...]
    member_intercept: float
    member_trees: tuple[Tree, ...]
    member_bar: float
    """Least own score with which an account is flagged."""
    member_error: float
    """Share of strangers in campaigns' groups of the calibration that pass the bar."""
    calibration: tuple[float, ...]
    """Highest score each benign calibration group ever reached."""
    calibrated_on: str
    link_bayes: dict[str, float]
    """Log Bayes factor of a link for "one operator", by channel: how much likelier it is between two accounts of one
    campaign than between unrelated ones."""


class _Arrays:
    """A tree as arrays, for walking many rows at once."""

    def __init__(self, tree: Tree) -> None:
        self.feature = np.array(tree.feature, np.int64)
        self.threshold = np.array(tree.threshold)
        self.left = np.array(tree.left, np.int64)
        self.right = np.array(tree.right, np.int64)
        self.value = np.array(tree.value)
        level = np.zeros(len(self.feature), np.int64)
        for node in range(len(level)):
            if self.feature[node] >= 0:
                level[[self.left[node], self.right[node]]] = level[node] + 1
        self.depth = int(level.max(initial=0))


class Model:
    """The fitted model and its calibration."""

    def __init__(self, data: ModelData) -> None:
        if data.features != FEATURES:
            different = sorted(set(data.features) ^ set(FEATURES))
            raise ValueError(f"the model was fitted on other signals ({', '.join(different)}): fit it anew")
        if data.member_features != MEMBER_FEATURES:
            raise ValueError("the model was fitted on other features of members: fit it anew")
        self.data = data
        self._one = {name: np.array(p.one) for name, p in data.priors.items()}
        self._many = {name: np.array(p.many) for name, p in data.priors.items()}
        self._trees = [_Arrays(tree) for tree in data.trees]
        self._member_trees = [_Arrays(tree) for tree in data.member_trees]
        self._calibration_sum = float(np.exp(np.array(data.calibration)).sum())

    def priors(self, signal: str) -> tuple[F64, F64]:
        """Weights over `GRID` for one operator and for unrelated customers, of one exchangeability signal."""
        return self._one[signal], self._many[signal]

    def features(self, group: Group) -> F64:
        """Values (len(FEATURES),) in the order of `FEATURES`."""
        values = [log_bayes_factor(signal.measure(group), *self.priors(signal.id)) for signal in EXCHANGEABILITY]
        values += [signal.measure(group) for signal in SIGNALS]
        return np.array(values)

    def contributions(self, features: F64) -> F64:
        """What each feature adds to the score, from the change of the mean along each tree's path (Saabas 2014).

        They and the intercept (with the trees' root means) sum to `score`.
        """
        out = np.zeros(len(FEATURES))
        for tree in self.data.trees:
            node = 0
            while (at := tree.feature[node]) >= 0:
                below = tree.left[node] if features[at] <= tree.threshold[node] else tree.right[node]
                out[at] += tree.value[below] - tree.value[node]
                node = below
        return out

    def score(self, features: F64) -> float:
        """Log odds, up to the base rate, of one operator collecting answers."""
        return float(self._sum(self.data.intercept, self._trees, features[None, :])[0])

    def member_scores(self, members: F64) -> F64:
        """Log odds (k,) that each account is one of the group's own, from features (k, len(MEMBER_FEATURES))."""
        return self._sum(self.data.member_intercept, self._member_trees, members)

    @staticmethod
    def _sum(intercept: float, trees: list[_Arrays], values: F64) -> F64:
        total = np.full(len(values), intercept)
        rows = np.arange(len(values))
        for tree in trees:
            node = np.zeros(len(values), np.int64)
            for _ in range(tree.depth):
                feature = tree.feature[node]
                below = np.where(values[rows, feature] <= tree.threshold[node], tree.left[node], tree.right[node])
                node = np.where(feature >= 0, below, node)
            total += tree.value[node]
        return total

    def e_value(self, running_maximum: float) -> float:
        """Evidence against "a benign group like those of the calibration"; see the module."""
        own = float(np.exp(min(running_maximum, 500.0)))
        return (len(self.data.calibration) + 1) * own / (self._calibration_sum + own)


def uniform_priors() -> Priors:
    """Priors before anything is known: small ratios for one operator, large ones for unrelated customers."""
    one = np.where(GRID <= 0.02, 1.0, 0.0)
    many = np.where(GRID > 0.02, 1.0, 0.0)
    return Priors(tuple(one / one.sum()), tuple(many / many.sum()))


@lru_cache(maxsize=1)
def load() -> Model:
    """The model shipped with the package."""
    text = resources.files("revenuer.harvest").joinpath("model.json").read_bytes()
    return Model(msgspec.json.decode(text, type=ModelData))
