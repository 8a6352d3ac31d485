from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.records import Channel, Edge
from revenuer.report import graph

NAMES = [f"a{index:03d}" for index in range(40)]
EDGES = st.lists(
    st.builds(
        Edge,
        a=st.sampled_from(NAMES),
        b=st.sampled_from(NAMES),
        channel=st.sampled_from(Channel),
        weight=st.floats(-20, 20),
        text=st.just("why"),
    ),
    max_size=80,
    unique_by=lambda edge: (edge.a, edge.b, edge.channel),
)


def _edge(a: str, b: str, weight: float, channel: Channel = Channel.TEMPLATE) -> Edge:
    return Edge(a=a, b=b, channel=channel, weight=weight, text="why")


@given(EDGES, st.integers(0, 60))
def test_every_link_is_drawn_listed_or_counted_as_hidden(edges: list[Edge], most: int) -> None:
    drawn = graph.draw(NAMES, [1] * len(NAMES), edges, most_links=most)
    assert len(drawn.links) <= most
    assert len(drawn.links) + len(drawn.against) + drawn.hidden_links == len(edges)
    assert all(link.edge.weight > 0 for link in drawn.links)
    assert all(edge.weight < 0 for edge in drawn.against)
    assert all(0 < node.x < graph.WIDTH and 0 < node.y < graph.HEIGHT for node in drawn.nodes)
    assert {NAMES[link.a] for link in drawn.links} == {link.edge.a for link in drawn.links}


@given(EDGES, st.randoms(use_true_random=False))
def test_the_order_of_the_links_changes_nothing(edges: list[Edge], chance: object) -> None:
    shuffled = sorted(edges, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert graph.draw(NAMES, [1] * 40, edges, most_links=30) == graph.draw(NAMES, [1] * 40, shuffled, most_links=30)


def test_links_that_hold_the_campaign_together_come_before_stronger_ones() -> None:
    triangle = [_edge("a", "b", 9), _edge("b", "c", 8), _edge("a", "c", 7)]
    bridge = _edge("c", "d", 0.1)
    drawn = graph.draw(list("abcd"), [1] * 4, [*triangle, bridge], most_links=3)
    assert [link.edge for link in drawn.links] == [triangle[0], triangle[1], bridge]
    assert drawn.hidden_links == 1


def test_large_campaigns_show_their_most_strongly_linked_accounts() -> None:
    names = [f"n{index}" for index in range(500)]
    edges = [_edge(names[index], names[index + 1], 1 + index / 100) for index in range(499)]
    drawn = graph.draw(names, [1] * 500, edges, most_links=200)
    assert len(drawn.nodes) == graph.MAX_ACCOUNTS
    assert drawn.hidden_accounts == 500 - graph.MAX_ACCOUNTS
    assert min(node.index for node in drawn.nodes) > 300


def test_linked_accounts_lie_closer_than_others() -> None:
    names = list("abcdefghij")
    edges = [_edge(p, q, 5) for group in ("abcde", "fghij") for p in group for q in group if p < q]
    drawn = graph.draw(names, [1] * 10, edges, most_links=100)
    at = {names[node.index]: (node.x, node.y) for node in drawn.nodes}
    within = [math.dist(at[edge.a], at[edge.b]) for edge in edges]
    across = [math.dist(at[p], at[q]) for p in "abcde" for q in "fghij"]
    assert max(within) < sum(across) / len(across)


def test_channels_between_one_pair_are_drawn_apart() -> None:
    edges = [_edge("a", "b", 3, channel) for channel in Channel]
    drawn = graph.draw(["a", "b"], [1, 1], edges, most_links=10)
    assert len({link.path for link in drawn.links}) == len(Channel)
    assert drawn.channels == tuple((channel, 1) for channel in Channel)


def test_links_to_unknown_accounts_and_without_a_finite_weight_are_hidden() -> None:
    edges = [
        _edge("a", "zz", 3),
        _edge("a", "b", math.nan),
        _edge("a", "b", math.inf, Channel.TIMING),
        _edge("a", "a", 1),
    ]
    drawn = graph.draw(["a", "b"], [1, 1], edges, most_links=10)
    assert drawn.links == ()
    assert drawn.hidden_links == 4


@pytest.mark.parametrize("number", [0, 1, 2])
def test_tiny_campaigns(number: int) -> None:
    drawn = graph.draw(NAMES[:number], [0] * number, [_edge(NAMES[0], NAMES[1], 1)], most_links=5)
    assert len(drawn.nodes) == number
    assert len({(node.x, node.y) for node in drawn.nodes}) == number
