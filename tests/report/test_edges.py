"""Edges of the report: among the accounts asked for, in every channel that links them, with grounds that are true."""

from __future__ import annotations

from functools import cache

import numpy as np
from tests.worlds import World, customers, harvester, world

from revenuer.link.candidates import SMALLEST_STRAND, Recurring, Scene
from revenuer.records import Channel, Edge
from revenuer.report.edges import LinkBook

BAYES = {"template": 3.0, "infrastructure": 2.0, "semantic": 1.0}


@cache
def small() -> World:
    return world(harvester(5, 20), customers(20, 8))


@cache
def book() -> LinkBook:
    log = small()
    scene = Scene.at(log.events, Recurring.of(log.events), log.books.payment, len(log.events))
    return LinkBook(scene, log.books, BAYES, SMALLEST_STRAND)


def among(*names: str) -> tuple[Edge, ...]:
    return book().among(np.array(sorted(set().union(*(small().codes(name) for name in names))), np.int64))


def test_the_harvest_is_linked_by_its_template_and_by_its_card() -> None:
    edges = among("harvest")
    linked = {channel: {(e.a, e.b) for e in edges if e.channel is channel} for channel in Channel}
    assert len(linked[Channel.TEMPLATE]) == len(linked[Channel.INFRASTRUCTURE]) == 10
    assert all(
        "one payment instrument and 1 address in common" in e.text for e in edges if e.channel == "infrastructure"
    )


def test_edges_stay_among_those_asked_for_once_a_channel_and_strongest_first() -> None:
    edges = among("harvest", "customer")
    assert {name for e in among("harvest") for name in (e.a, e.b)} <= {f"harvest-{n}" for n in range(5)}
    keys = [(e.channel, *sorted((e.a, e.b))) for e in edges]
    assert len(set(keys)) == len(keys)
    assert all(e.a != e.b for e in edges)
    assert [e.weight for e in edges] == sorted((e.weight for e in edges), reverse=True)
    assert not book().among(np.empty(0, np.int64))


def test_a_weight_is_the_channels_bayes_factor_times_the_links_own() -> None:
    for edge in among("harvest", "customer"):
        assert 0 < edge.weight <= BAYES[edge.channel]


def test_customers_have_no_payment_or_address_in_common() -> None:
    assert not any("payment" in e.text or "address" in e.text for e in among("customer"))
