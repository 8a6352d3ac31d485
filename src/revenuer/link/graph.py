"""Groups from links: connected parts, divided where they hang together loosely.

Leiden (Traag, Waltman & van Eck 2019) with the constant Potts model: a community needs an average link weight inside
of at least `resolution`, so one bad link cannot merge two campaigns, which modularity would allow.
"""

from __future__ import annotations

from collections.abc import Sequence

import graspologic_native
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

I64 = npt.NDArray[np.int64]


def components(a: npt.NDArray[np.integer], b: npt.NDArray[np.integer], nodes: int) -> I64:
    """Label (nodes,) of the connected component of each node."""
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(nodes, nodes))
    labels: I64 = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def communities(
    a: npt.NDArray[np.integer],
    b: npt.NDArray[np.integer],
    weight: npt.NDArray[np.floating],
    resolution: float,
    smallest: int = 2,
) -> list[I64]:
    """Communities of at least `smallest` nodes, each sorted, ordered by their lowest node.

    Args:
        a, b: (m,) ends of the links. weight: (m,) positive.
        resolution: average weight a community must have between its nodes.
    """
    if not len(a):
        return []
    nodes = int(max(a.max(), b.max())) + 1
    part = components(a, b, nodes)
    linked = np.zeros(nodes, bool)
    linked[a] = linked[b] = True
    size = np.bincount(part[linked], minlength=nodes).astype(np.float64)
    degree = np.bincount(a, weight, nodes) + np.bincount(b, weight, nodes)
    least = np.full(nodes, np.inf)
    np.minimum.at(least, part[linked], degree[linked])
    most = np.full(nodes, resolution)
    np.maximum.at(most, part[a], weight)
    # A part in which every node is tied to most others cannot gain by dividing: each half of it, s of n nodes, is tied
    # to the rest by at least s (least - (s - 1) most), which is at least resolution s (n - s). The average weight would
    # not do: two cliques and a bad link between them have a high one.
    dense = least >= resolution * size / 2 + most * (size / 2 - 1) - 1e-12
    groups = _split(np.flatnonzero(linked & dense[part]), part)
    loose = ~dense[part[a]]
    if loose.any():
        groups += _leiden(a[loose], b[loose], weight[loose], resolution)
    return sorted((group for group in groups if len(group) >= smallest), key=lambda group: int(group[0]))


def _split(nodes: I64, part: I64) -> list[I64]:
    """The nodes divided by their part, each ascending."""
    order = nodes[np.argsort(part[nodes], kind="stable")]
    cuts = np.flatnonzero(np.diff(part[order])) + 1
    return [np.sort(group) for group in np.split(order, cuts) if len(group)]


def _leiden(
    a: npt.NDArray[np.integer], b: npt.NDArray[np.integer], weight: npt.NDArray[np.floating], resolution: float
) -> list[I64]:
    width = len(str(int(max(a.max(), b.max()))))
    edges: Sequence[tuple[str, str, float]] = [
        (f"{x:0{width}d}", f"{y:0{width}d}", w) for x, y, w in zip(a.tolist(), b.tolist(), weight.tolist(), strict=True)
    ]
    _, label = graspologic_native.leiden(
        edges=edges, resolution=resolution, use_modularity=False, seed=1, iterations=4, randomness=0.001
    )
    members: dict[int, list[int]] = {}
    for node, community in label.items():
        members.setdefault(community, []).append(int(node))
    return [np.array(sorted(nodes), np.int64) for nodes in members.values()]
