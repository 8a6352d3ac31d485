"""The list of signals: each once, in the model's order, with a sentence that shows its value."""

from __future__ import annotations

import pytest

from revenuer.harvest import model
from revenuer.harvest.signals import EXCHANGEABILITY, SIGNALS, Exchangeability, Signal

EACH: tuple[Signal | Exchangeability, ...] = (*EXCHANGEABILITY, *SIGNALS)


def test_each_signal_is_in_the_list_once() -> None:
    for column in ([one.id for one in EACH], [one.measure for one in EACH], [one.say for one in EACH]):
        assert len(set(column)) == len(column)


def test_the_shipped_model_was_fitted_on_this_list() -> None:
    assert model.load().data.features == tuple(one.id for one in EACH)
    assert model.load().data.priors.keys() == {one.id for one in EXCHANGEABILITY}


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda one: one.id)
def test_the_sentence_shows_the_value(signal: Signal) -> None:
    few, many = signal.say.format(value=0.125), signal.say.format(value=0.875)
    assert few != many
    assert "{" not in few
    assert "_" not in few


@pytest.mark.parametrize("signal", EXCHANGEABILITY, ids=lambda one: one.id)
def test_a_log_bayes_factor_is_said_without_its_number(signal: Exchangeability) -> None:
    # Its reason carries the value; in a sentence a log Bayes factor would be read as a share.
    assert signal.say.format(value=0.5) == signal.say
