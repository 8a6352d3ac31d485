"""Thresholds, outcomes and how figures are shown."""

from __future__ import annotations

import numpy as np
import pytest
from bench.baselines.base import NOTHING
from bench.measure import Accused, accused_by_class, outcomes, spread, threshold
from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.make import TruthAccount
from revenuer.lab.range.score import Outcome, Truth, recall_at


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=300), st.sampled_from([0.001, 0.01, 0.1, 0.5]))
def test_no_more_than_the_rate_lies_above_the_threshold(values: list[float], rate: float) -> None:
    scores = np.array(values, np.float32)
    bar = threshold(scores, rate)
    assert (scores > bar).sum() <= rate * len(scores) + 1e-9
    # It is the product's own operating point: the same attack scores pass.
    attack = np.linspace(-6, 6, 50, dtype=np.float32)
    assert float((attack > bar).mean()) == pytest.approx(recall_at(attack.tolist(), scores.tolist(), rate))


def test_a_threshold_needs_scores() -> None:
    with pytest.raises(ValueError, match="benign"):
        threshold(np.zeros(0, np.float32), 0.01)


def test_an_account_is_flagged_at_the_first_look_above_the_bar_and_stays_so() -> None:
    scores = np.array([[NOTHING, 0.25], [0.75, 0.25], [0.5, 0.5]], np.float32)
    found = outcomes(["a", "b"], np.array([10.0, 20.0, 30.0]), scores, 0.5, np.array([4, 4]))
    assert found["a"] == Outcome(0.75, 20.0, "unit 4")
    assert found["b"] == Outcome(0.5, None, None)


def test_methods_without_units_report_no_groups() -> None:
    found = outcomes(["a"], np.array([10.0]), np.ones((1, 1), np.float32), 0.5, None)
    assert found["a"].group is None


def test_operators_are_accused_once_and_authorised_ones_are_counted_elsewhere() -> None:
    def account(name: str, operator: str, *, role: str = "benign", authorised: bool = False) -> TruthAccount:
        return TruthAccount(
            account=name, role=role, cls="agency", campaign=None, operator=operator, authorised=authorised
        )

    truth = Truth(
        (
            account("a", "one"),
            account("b", "one"),
            account("c", "two"),
            account("d", "three", authorised=True),
            account("e", "four", role="campaign"),
        ),
        {},
    )
    flagged = Outcome(1.0, 5.0, None)
    found = accused_by_class(truth, dict.fromkeys("abde", flagged))
    assert found == {"agency": Accused(1, 2)}


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.5, 0.4, 0.6], ".50 (.40 to .60)"),
        ([1.0, 1.0], "1.00"),
        ([0.0, 0.0007, 0.0021], ".0007 (.00 to .0021)"),
        ([3.0], "3.00"),
    ],
)
def test_spread(values: list[float], shown: str) -> None:
    assert spread(values) == shown
