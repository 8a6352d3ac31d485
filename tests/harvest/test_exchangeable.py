"""Analysis of variance against SciPy, and the log Bayes factor that rests on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import f_oneway

from revenuer.harvest.exchangeable import GRID, Anova, anova, log_bayes_factor
from revenuer.harvest.model import load, uniform_priors

F64 = npt.NDArray[np.float64]

UNIFORM = uniform_priors()
ONE, MANY = np.array(UNIFORM.one), np.array(UNIFORM.many)

samples = st.lists(st.lists(st.floats(-50, 50).map(lambda x: round(x, 3)), max_size=12), min_size=1, max_size=6)


def measured(groups: list[Any], dimension: float = 1.0) -> Anova | None:
    arrays = [
        np.asarray(group, np.float64).reshape(len(group), -1) if len(group) else np.zeros((0, 1)) for group in groups
    ]
    width = max(array.shape[1] for array in arrays)
    return anova(
        np.array([len(array) for array in arrays], np.float64),
        np.array([array.sum(axis=0) if len(array) else np.zeros(width) for array in arrays]),
        np.array([(array * array).sum() for array in arrays]),
        dimension,
    )


@given(samples)
def test_the_ratio_is_that_of_scipy(groups: list[list[float]]) -> None:
    found = measured(groups)
    filled = [group for group in groups if group]
    if len(filled) < 2 or sum(map(len, filled)) <= len(filled):
        assert found is None
        return
    within = sum(((np.array(group) - np.mean(group)) ** 2).sum() for group in filled)
    assume(within > 1e-3)
    assert found is not None
    assert found.ratio == pytest.approx(f_oneway(*filled).statistic, rel=1e-6, abs=1e-6)
    assert found.freedom == len(filled) - 1
    assert min(map(len, filled)) - 1e-9 <= found.cell <= max(map(len, filled)) + 1e-9


def test_equal_samples_have_the_size_of_one_as_cell() -> None:
    found = measured([[1, 2, 3, 4]] * 5)
    assert found is not None
    assert found.cell == pytest.approx(4)
    assert found.ratio == pytest.approx(0)
    assert found.theta == pytest.approx(-1 / 4)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-100, 100))
def test_a_vector_is_measured_alike_however_it_is_turned_moved_and_scaled(seed: int, scale: float, move: float) -> None:
    rng = np.random.default_rng(seed)
    groups = [rng.normal(rng.normal(0, 1, 3), 1.0, (n, 3)) for n in (5, 9, 14)]
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    other = measured([(group @ turn) * scale + move for group in groups], 3.0)
    found = measured(groups, 3.0)
    assert found is not None
    assert other is not None
    assert other.ratio == pytest.approx(found.ratio, rel=1e-4)
    assert other.freedom == found.freedom == 2 * 3


def test_theta_estimates_the_ratio_of_variances() -> None:
    rng = np.random.default_rng(5)
    for truth in (0.0, 0.1, 1.0):
        found = measured([rng.normal(rng.normal(0, np.sqrt(truth)), 1.0, 40) for _ in range(400)])
        assert found is not None
        assert found.theta == pytest.approx(truth, rel=0.3, abs=0.01)


@pytest.mark.parametrize("groups", [[[1.0, 2.0]], [[1.0], [2.0], [3.0]], [[], [1.0, 2.0]], [[3.0] * 4, [5.0] * 4]])
def test_where_it_is_not_defined_nothing_is_said(groups: list[list[float]]) -> None:
    assert measured(groups) is None
    assert log_bayes_factor(None, ONE, MANY) == 0.0


@given(st.integers(2, 40), st.floats(1, 200), st.floats(1, 20))
def test_the_more_accounts_differ_the_less_they_look_like_one_operator(k: int, cell: float, dimension: float) -> None:
    ratios = np.geomspace(0.05, 100, 60)
    factors = np.array(
        [log_bayes_factor(Anova(ratio, cell, (k - 1) * dimension, 0.0), ONE, MANY) for ratio in ratios.tolist()]
    )
    # Far out both chances underflow and the factor stays at its bound.
    seen = np.abs(factors) < 20
    assert (np.diff(factors[seen]) <= 1e-9).all()
    assert np.isfinite(factors).all()
    assert np.abs(factors).max() < 30


def test_few_accounts_and_few_exchanges_say_little() -> None:
    little = [log_bayes_factor(Anova(ratio, 1.5, 1.0, 0.0), ONE, MANY) for ratio in (0.2, 1.0, 2.0)]
    much = [log_bayes_factor(Anova(ratio, 60.0, 200.0, 0.0), ONE, MANY) for ratio in (0.9, 30.0)]
    assert max(map(abs, little)) < 1
    assert much[0] > 3
    assert much[1] < -3


@pytest.mark.parametrize("signal", sorted(load().data.priors))
def test_the_shipped_priors_are_distributions_that_tell_shards_from_customers(signal: str) -> None:
    one, many = load().priors(signal)
    assert one.shape == many.shape == GRID.shape
    assert one.sum() == pytest.approx(1, abs=1e-6)
    assert many.sum() == pytest.approx(1, abs=1e-6)
    assert min(one.min(), many.min()) >= 0
    assert one @ np.log(GRID) < many @ np.log(GRID), "one operator's accounts differ less"
