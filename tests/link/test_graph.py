"""Groups from links: one bad link merges nothing, and the same links give the same groups."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from revenuer.link.graph import communities, components

Links = list[tuple[int, int, float]]

links = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 15), st.floats(0.05, 1.0)).filter(lambda link: link[0] < link[1]),
    max_size=40,
    unique_by=lambda link: link[:2],
)


def groups(found: Links, resolution: float = 0.25, smallest: int = 2) -> list[list[int]]:
    a, b, w = (np.array(column) for column in zip(*found, strict=True)) if found else (np.array([], int),) * 3
    return [group.tolist() for group in communities(a, b, w.astype(float), resolution, smallest)]


def clique(nodes: range, weight: float = 0.8) -> Links:
    return [(a, b, weight) for a, b in combinations(nodes, 2)]


def plain_components(found: Links) -> list[set[int]]:
    parts: list[set[int]] = []
    for a, b, _ in found:
        joined = {a, b}.union(*(part for part in parts if part & {a, b}))
        parts = [part for part in parts if not part & {a, b}] + [joined]
    return parts


@given(links)
def test_components_are_those_of_the_graph(found: Links) -> None:
    a, b = (np.array([link[i] for link in found], np.int64) for i in (0, 1))
    label = components(a, b, 16)
    linked = {node for link in found for node in link[:2]}
    parts = plain_components(found) + [{node} for node in range(16) if node not in linked]
    assert sorted(sorted(np.flatnonzero(label == value).tolist()) for value in set(label.tolist())) == sorted(
        map(sorted, parts)
    )


@given(links, st.floats(0.05, 0.9), st.integers(2, 4))
def test_groups_are_apart_sorted_and_inside_one_component(found: Links, resolution: float, smallest: int) -> None:
    result = groups(found, resolution, smallest)
    members = [node for group in result for node in group]
    assert len(members) == len(set(members))
    assert result == sorted(sorted(group) for group in result)
    assert all(len(group) >= smallest for group in result)
    parts = plain_components(found)
    assert all(any(set(group) <= part for part in parts) for group in result)


@given(links, st.floats(0.05, 0.9))
def test_everybody_is_tied_to_the_group_they_are_in(found: Links, resolution: float) -> None:
    for group in groups(found, resolution):
        for node in group:
            tied = sum(w for a, b, w in found if node in (a, b) and a in group and b in group)
            assert tied >= resolution * (len(group) - 1) - 1e-9


@given(links)
def test_the_same_links_give_the_same_groups(found: Links) -> None:
    assert groups(found) == groups(found)


def test_a_dense_component_is_one_group_whatever_the_order_of_its_links() -> None:
    found = clique(range(5)) + clique(range(7, 10))
    assert groups(found) == groups(found[::-1]) == [[0, 1, 2, 3, 4], [7, 8, 9]]


def test_one_bad_link_does_not_merge_two_campaigns() -> None:
    for bad in (0.3, 1.0):
        found = [*clique(range(8)), *clique(range(8, 20)), (3, 12, bad)]
        assert groups(found) == [list(range(8)), list(range(8, 20))]


def test_a_long_chain_is_no_group() -> None:
    found = [(i, i + 1, 0.5) for i in range(60)]
    assert max(len(group) for group in groups(found)) <= 5


def test_no_links_no_groups() -> None:
    assert groups([]) == []
