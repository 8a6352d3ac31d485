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
    width = len(str(int(max(a.max(), b.max()))))
    edges: Sequence[tuple[str, str, float]] = [
        (f"{x:0{width}d}", f"{y:0{width}d}", float(w)) for x, y, w in zip(a.tolist(), b.tolist(), weight, strict=True)
    ]
    _, label = graspologic_native.leiden(
        edges=edges, resolution=resolution, use_modularity=False, seed=1, iterations=4, randomness=0.001
    )
    members: dict[int, list[int]] = {}
    for node, community in label.items():
        members.setdefault(community, []).append(int(node))
    groups = [np.array(sorted(nodes), np.int64) for nodes in members.values() if len(nodes) >= smallest]
    return sorted(groups, key=lambda group: int(group[0]))
