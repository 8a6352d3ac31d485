"""A model of a few readable trees, so that tests do not depend on how the shipped one was fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from revenuer.harvest.assess import Assessed
from revenuer.harvest.model import FEATURES, Model, Priors, Tree, load, uniform_priors
from revenuer.records import Channel


def stump(feature: str, threshold: float, gain: float) -> Tree:
    """Adds `gain` where the feature is above the threshold."""
    at = FEATURES.index(feature)
    return Tree((at, -1, -1), (threshold, 0.0, 0.0), (1, 0, 0), (2, 0, 0), (gain / 2, 0.0, gain))


HARVEST: tuple[Tree, ...] = (
    stump("template_share", 0.2, 4.0),
    stump("distinct_between", 0.9, 2.0),
    stump("one_network", 0.5, 2.0),
    stump("round_the_clock", 0.6, 2.0),
)
"""Together 10, which is above every bar of a small log; any three of them are not."""


def simple_model(
    trees: Sequence[Tree] = HARVEST,
    calibration: Sequence[float] = (0.0,) * 4000,
    member_bar: float = -1.0,
    priors: Mapping[str, Priors] | None = None,
) -> Model:
    """The shipped model with other trees and calibration; every member scores 0."""
    shipped = load().data
    return Model(
        msgspec.structs.replace(
            shipped,
            trees=tuple(trees),
            intercept=0.0,
            calibration=tuple(calibration),
            member_trees=(),
            member_intercept=0.0,
            member_bar=member_bar,
            priors=dict(priors) if priors else {name: uniform_priors() for name in shipped.priors},
        )
    )


def assessed(
    accounts: Sequence[int], score: float, own: Sequence[float] | None = None, channel: Channel = Channel.TEMPLATE
) -> Assessed:
    """What `assess` would return of a group with that score; the exchanges are not told."""
    k = len(accounts)
    return Assessed(
        channel=channel,
        accounts=np.array(sorted(accounts), np.int64),
        fit=np.zeros(k),
        size=np.full(k, 10.0),
        rows=np.arange(10 * k),
        features=np.zeros(len(FEATURES)),
        score=score,
        members=np.zeros((k, len(load().data.member_features))),
        own=np.zeros(k) if own is None else np.array(own, np.float64),
    )
