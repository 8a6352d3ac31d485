"""From a candidate to an assessed group: who does not fit is taken out before the group is measured."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.harvest.simple import simple_model
from tests.worlds import CHAT, World, customers, harvester, prompts, world

from revenuer.harvest.assess import Assessed, assess, restricted
from revenuer.harvest.group import Population
from revenuer.harvest.members import MEMBER_FEATURES
from revenuer.harvest.model import FEATURES, Model, load
from revenuer.link.candidates import Candidate
from revenuer.profile.events import I64
from revenuer.records import Channel

SHIPPED_PRIORS = simple_model(priors=load().data.priors)


@cache
def small() -> World:
    talker = harvester(1, 30, name="talker", texts=lambda *_: prompts(CHAT)[:30])
    return world(harvester(6, 30), talker, customers(20, 8))


def assessed(rows: I64, model: Model | None = None, accounts: int = 3, exchanges: int = 30) -> Assessed | None:
    found = small()
    population = Population.of(found.events, len(found.events))
    candidate = Candidate(Channel.TEMPLATE, rows)
    return assess(candidate, found.events, found.books, population, model or SHIPPED_PRIORS, accounts, exchanges)


def test_misfits_leave_before_the_group_is_measured() -> None:
    mine = small().rows("harvest")
    mixed = assessed(small().rows("harvest", "talker"))
    alone = assessed(mine)
    assert mixed is not None
    assert alone is not None
    assert mixed.rows.tolist() == mine.tolist() == alone.rows.tolist()
    np.testing.assert_allclose(mixed.features, alone.features)
    assert mixed.score == alone.score


def test_an_assessed_group_is_told_whole() -> None:
    found = assessed(small().rows("harvest"))
    assert found is not None
    k = len(found.accounts)
    assert set(found.accounts.tolist()) == small().codes("harvest")
    assert found.channel is Channel.TEMPLATE
    assert found.fit.shape == found.size.shape == found.own.shape == (k,)
    assert found.members.shape == (k, len(MEMBER_FEATURES))
    assert found.features.shape == (len(FEATURES),)
    assert found.size.sum() == len(found.rows)
    assert (found.fit >= SHIPPED_PRIORS.data.member_floor).all()
    assert np.isfinite(found.features).all()
    assert found.score == SHIPPED_PRIORS.score(found.features)
    assert found.members[:, 0].tolist() == found.fit.tolist()


@pytest.mark.parametrize(("accounts", "exchanges", "is_one"), [(6, 180, True), (7, 30, False), (3, 181, False)])
def test_too_little_is_no_group(accounts: int, exchanges: int, is_one: bool) -> None:
    found = assessed(small().rows("harvest"), accounts=accounts, exchanges=exchanges)
    assert (found is not None) is is_one


def test_strangers_among_themselves_fall_apart() -> None:
    # Nobody fits whom nobody resembles: unrelated customers are not a group, or a weak one.
    found = assessed(small().rows("customer"))
    harvest = assessed(small().rows("harvest"))
    assert harvest is not None
    assert found is None or found.score < harvest.score


def test_restricting_keeps_the_exchanges_of_those_accounts() -> None:
    events = small().events
    rows = small().rows("harvest", "talker")
    mask = np.zeros(len(events.accounts), bool)
    mask[sorted(small().codes("talker"))] = True
    part = restricted(events, Candidate(Channel.SEMANTIC, rows), mask)
    assert part.channel is Channel.SEMANTIC
    assert part.rows.tolist() == small().rows("talker").tolist()
    assert not len(restricted(events, part, ~mask).rows)
