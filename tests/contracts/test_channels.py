"""What every channel of links promises, run over `CHANNELS`: it proposes its campaign and not the look-alike, sees
nothing later, does not care for names and order, and says what it misses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest
from tests.worlds import (
    BANKING,
    CHAT,
    MATH,
    Operator,
    World,
    assembled,
    customers,
    dealt,
    harvester,
    own,
    prompts,
    world,
)
from tools.signals_page import PARTS, claims

from revenuer.link.candidates import CHANNELS, Recurring, Scene
from revenuer.profile.events import I64
from revenuer.records import Channel

Propose = Callable[[Scene], list[I64]]

EACH = [pytest.param(channel, propose, id=channel.value) for channel, propose in CHANNELS]

SEPARATE = harvester(
    8,
    30,
    address=lambda number, _: f"192.{number}.5.9",
    agent=lambda number, _: f"client-{number}/1",
    books=lambda number, _: {"payment": f"own {number}"},
)
"""A harvest whose accounts share no infrastructure."""

PROBLEMS = [text.split("\\boxed{}.")[-1] for text in prompts(MATH)]

CAMPAIGN: dict[Channel, Operator] = {
    Channel.TEMPLATE: SEPARATE,
    Channel.SEMANTIC: replace(SEPARATE, texts=dealt(PROBLEMS, 8, 30)),
    Channel.INFRASTRUCTURE: replace(harvester(8, 30), texts=own(CHAT, 30)),
}
"""What each channel must propose."""

PEOPLE = replace(SEPARATE, name="people", texts=lambda _, rng: rng.choice(prompts(CHAT), 30).tolist())
LOOK_ALIKE: dict[Channel, Operator] = {
    # People who have the turns of phrase of one language in common.
    Channel.TEMPLATE: replace(PEOPLE, texts=dealt(prompts(CHAT), 8, 24)),
    # One trade: customers of banks, each bank with matters of its own.
    Channel.SEMANTIC: replace(PEOPLE, texts=lambda number, _: prompts(BANKING)[number * 27 : number * 27 + 27]),
    # An office behind one address, with one managed client.
    Channel.INFRASTRUCTURE: replace(
        PEOPLE, accounts=40, address=lambda *_: "203.0.113.200", agent=lambda *_: "managed/1", texts=own(CHAT, 8)
    ),
}
"""Innocents that look like that and must not be proposed."""


@cache
def played(channel: Channel) -> World:
    return world(CAMPAIGN[channel], LOOK_ALIKE[channel], customers(160, 10))


def scene(found: World, count: int | None = None) -> Scene:
    log = found.events
    return Scene.at(log, Recurring.of(log), found.books.payment, len(log) if count is None else count)


def named(found: World, groups: list[I64]) -> set[frozenset[str]]:
    """Groups by the ids of their exchanges."""
    ids = found.events.id.to_pylist()
    return {frozenset(ids[row] for row in group.tolist()) for group in groups}


def accounts(found: World, group: I64) -> set[str]:
    return {found.events.accounts[code] for code in np.unique(found.events.account[group]).tolist()}


def test_every_channel_has_recordings_of_both_kinds() -> None:
    assert CAMPAIGN.keys() == LOOK_ALIKE.keys() == {channel for channel, _ in CHANNELS}


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_it_proposes_its_campaign(channel: Channel, propose: Propose) -> None:
    found = played(channel)
    best = max(
        (accounts(found, group) for group in propose(scene(found))), key=lambda a: sum("harvest" in x for x in a)
    )
    assert len({name for name in best if name.startswith("harvest")}) >= 6
    assert not {name for name in best if not name.startswith("harvest")}


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_it_does_not_propose_the_look_alike(channel: Channel, propose: Propose) -> None:
    found = played(channel)
    for group in propose(scene(found)):
        assert len({name for name in accounts(found, group) if name.startswith("people")}) < 3


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_groups_are_ascending_exchanges_of_three_accounts_and_more(channel: Channel, propose: Propose) -> None:
    found = played(channel)
    groups = propose(scene(found))
    assert groups
    for group in groups:
        assert (np.diff(group) > 0).all()
        assert len(accounts(found, group)) >= 3


@pytest.mark.parametrize(("channel", "propose"), EACH)
@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_nothing_later_is_seen(channel: Channel, propose: Propose, share: float) -> None:
    found = played(channel)
    count = int(share * len(found.events))
    cut = assembled(found.exchanges[:count], found.accounts)
    assert named(found, propose(scene(found, count))) == named(cut, propose(scene(cut)))


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_neither_names_nor_the_order_of_accounts_matter(channel: Channel, propose: Propose) -> None:
    found = played(channel)
    names = sorted(found.accounts)
    renamed = dict(zip(names, reversed(names), strict=True))
    # The log played backwards, so that every account gets another code too.
    turned = [
        msgspec.structs.replace(item, account=renamed[item.account], ts=2 * found.exchanges[-1].ts - item.ts)
        for item in reversed(found.exchanges)
    ]
    books = {renamed[name]: msgspec.structs.replace(row, account=renamed[name]) for name, row in found.accounts.items()}
    other = assembled(turned, books)
    assert other.events.accounts != found.events.accounts
    assert named(other, propose(scene(other))) == named(found, propose(scene(found)))


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_it_gives_the_same_groups_every_time(channel: Channel, propose: Propose) -> None:
    found = played(channel)
    first, second = propose(scene(found)), propose(scene(found))
    assert [group.tolist() for group in first] == [group.tolist() for group in second]


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_an_empty_moment_proposes_nobody(channel: Channel, propose: Propose) -> None:
    assert propose(scene(played(channel), 0)) == []


@pytest.mark.parametrize(("channel", "propose"), EACH)
def test_it_says_what_it_claims_and_what_it_misses(channel: Channel, propose: Propose) -> None:
    said = claims(propose)
    assert tuple(said) == PARTS, f"the docstring of channel {channel} must say {PARTS}, in this order"
    assert all(len(part) > 15 for part in said.values())
