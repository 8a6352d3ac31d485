"""From signals to a score, its parts and its e-value: on hand-made trees, and monotone as shipped."""

from __future__ import annotations

from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harvest.simple import HARVEST, simple_model, stump
from tests.worlds import harvester, world

from revenuer.harvest.members import MEMBER_FEATURES
from revenuer.harvest.model import FEATURES, Model, Tree, load, uniform_priors
from revenuer.harvest.signals import EXCHANGEABILITY, SIGNALS

DEEP = Tree(
    feature=(0, 1, -1, -1, 2, -1, -1),
    threshold=(0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0),
    left=(1, 2, 0, 0, 5, 0, 0),
    right=(4, 3, 0, 0, 6, 0, 0),
    value=(1.0, -1.0, -2.0, 0.5, 2.0, 1.0, 3.0),
)
"""x0 <= 0 ? (x1 <= 1 ? -2 : 0.5) : (x2 <= -1 ? 1 : 3)."""

values = st.lists(st.floats(-5, 5), min_size=len(FEATURES), max_size=len(FEATURES)).map(np.array)


@given(values)
def test_a_score_is_the_sum_of_the_leaves_reached(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    model = simple_model(trees=(DEEP, stump("accounts", 1.5, 4.0), Tree((-1,), (0.0,), (0,), (0,), (0.25,))))
    leaf = (-2 if x[1] <= 1 else 0.5) if x[0] <= 0 else (1 if x[2] <= -1 else 3)
    assert model.score(x) == pytest.approx(leaf + (4.0 if x[FEATURES.index("accounts")] > 1.5 else 0.0) + 0.25)


@given(values)
def test_what_each_signal_adds_sums_to_the_score(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    for model in (simple_model(trees=(DEEP, *HARVEST)), load()):
        roots = sum(tree.value[0] for tree in model.data.trees)
        assert model.contributions(x).sum() + roots + model.data.intercept == pytest.approx(model.score(x), abs=1e-6)


@given(values, st.integers(0, len(FEATURES) - 1), st.floats(0, 5))
def test_more_of_a_signal_never_lowers_the_shipped_score(
    x: np.ndarray[tuple[int], np.dtype[np.float64]], at: int, more: float
) -> None:
    raised = x.copy()
    raised[at] += more
    assert load().score(raised) >= load().score(x) - 1e-9


@given(
    st.lists(st.floats(-5, 5), min_size=len(MEMBER_FEATURES), max_size=len(MEMBER_FEATURES)).map(np.array),
    st.integers(0, len(MEMBER_FEATURES) - 1),
    st.floats(0, 5),
)
def test_more_of_ones_own_evidence_never_lowers_ones_own_shipped_score(
    x: np.ndarray[tuple[int], np.dtype[np.float64]], at: int, more: float
) -> None:
    raised = x.copy()
    raised[at] += more
    before, after = load().member_scores(np.stack([x, raised]))
    assert after >= before - 1e-9
    assert load().member_scores(x[None, :])[0] == before


calibrations = st.lists(st.floats(-20, 20), min_size=1, max_size=12)


@given(calibrations)
def test_the_e_value_of_a_benign_group_is_one_on_average(scores: list[float]) -> None:
    # Benign and exchangeable: each of the n + 1 scores is as likely as any other to be the one that is looked at.
    found = [simple_model(calibration=scores[:at] + scores[at + 1 :]).e_value(score) for at, score in enumerate(scores)]
    assert np.mean(found) == pytest.approx(1.0)


@pytest.mark.parametrize("level", [2.0, 5.0])
def test_the_chance_that_it_ever_exceeds_a_level_is_bounded(level: float) -> None:
    # Every way in which three benign groups can move between two scores over three looks, equally likely; the third is
    # the one looked at, the others are the calibration with the highest score they ever reached.
    paths = list(product([0.0, 4.0], repeat=3))
    high = 0
    for one, two, seen in product(paths, repeat=3):
        model = simple_model(calibration=[max(one), max(two)])
        high += any(model.e_value(max(seen[: look + 1])) >= level for look in range(3))
    assert high / len(paths) ** 3 <= 1 / level


@given(calibrations, st.floats(-20, 600), st.floats(0, 50))
def test_an_e_value_rises_with_the_score_and_is_bounded(scores: list[float], score: float, more: float) -> None:
    model = simple_model(calibration=scores)
    low, high = model.e_value(score), model.e_value(score + more)
    assert 0 <= low <= high * (1 + 1e-12)
    assert high <= len(scores) + 1 + 1e-9


def test_a_model_of_other_signals_is_refused() -> None:
    data = load().data
    with pytest.raises(ValueError, match=r"other signals \(gone\)"):
        Model(msgspec.structs.replace(data, features=(*FEATURES, "gone")))
    with pytest.raises(ValueError, match="members"):
        Model(msgspec.structs.replace(data, member_features=MEMBER_FEATURES[1:]))


def test_features_are_the_signals_in_their_order() -> None:
    group = world(harvester(4, 12)).group("harvest")
    found = dict(zip(FEATURES, load().features(group).tolist(), strict=True))
    for signal in SIGNALS:
        assert found[signal.id] == signal.measure(group)
    assert list(found)[: len(EXCHANGEABILITY)] == [signal.id for signal in EXCHANGEABILITY]


def test_uniform_priors_weigh_small_against_large_differences() -> None:
    found = uniform_priors()
    assert sum(found.one) == pytest.approx(1)
    assert sum(found.many) == pytest.approx(1)
    assert not any(a and b for a, b in zip(found.one, found.many, strict=True))


def test_the_shipped_model_says_what_it_was_fitted_and_calibrated_on() -> None:
    data = load().data
    assert len(data.fitted_on) > 20
    assert len(data.calibrated_on) > 20
    assert set(data.priors) >= {signal.id for signal in EXCHANGEABILITY}
    assert len(data.calibration) >= 100
    assert 0 <= data.member_error < 1
