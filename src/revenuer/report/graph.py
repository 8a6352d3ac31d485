"""The link graph of one campaign: which links are drawn, where the accounts lie, and the curves between them.

Laid out when the report is written, with a fixed starting arrangement and no random numbers, so that a report draws
the same picture every time. Large campaigns show their strongest accounts and links and say how many are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revenuer.records import Channel, Edge

WIDTH, HEIGHT = 760, 520
MAX_ACCOUNTS = 140
_MARGIN = 34
_ROUNDS = 260
_CHANNELS = tuple(Channel)


@dataclass(frozen=True, slots=True)
class Node:
    """An account drawn at (x, y) with radius `r`; `index` is its place in the campaign's order of accounts."""

    index: int
    x: int
    y: int
    r: int
    links: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link drawn as `path` between the accounts `a` and `b` (places in the order of accounts); `thickness` 1 to 4."""

    edge: Edge
    a: int
    b: int
    path: str
    thickness: int


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    """Drawn links, strongest first; draw them in reverse so that the strongest lie on top."""
    against: tuple[Edge, ...]
    """The most telling links that speak against one operator (weight below zero); listed, not drawn."""
    hidden_links: int
    hidden_accounts: int
    channels: tuple[tuple[Channel, int], ...]
    """Channels present among the drawn links, with their number, in the order of the enum."""


def draw(accounts: Sequence[str], sizes: Sequence[int], edges: Sequence[Edge], *, most_links: int) -> Graph:
    """Choose, lay out and draw the links between `accounts`.

    Args:
        accounts: ids, most important first; links to accounts outside this list are counted as hidden.
        sizes: exchanges of each account, for the size of its circle.
        edges: links in any order; several channels may link one pair.
        most_links: how many links to draw at most. Those that hold the campaign together (a maximum spanning forest)
            come first, then the strongest.
    """
    where = {account: index for index, account in enumerate(accounts)}
    finite = [edge for edge in edges if math.isfinite(edge.weight)]
    order = sorted(finite, key=lambda edge: (-edge.weight, edge.a, edge.b, edge.channel.value, edge.text))
    known = [edge for edge in order if edge.a in where and edge.b in where and edge.a != edge.b]
    positive = [edge for edge in known if edge.weight > 0]
    chosen_accounts = _strongest_accounts(len(accounts), positive, where)
    candidates = [edge for edge in positive if where[edge.a] in chosen_accounts and where[edge.b] in chosen_accounts]
    drawn = _strongest_links(candidates, most_links)
    nodes = sorted(chosen_accounts)
    at = {index: place for place, index in enumerate(nodes)}
    pairs = np.array([(at[where[edge.a]], at[where[edge.b]]) for edge in drawn], dtype=np.int64).reshape(-1, 2)
    weights = np.array([edge.weight for edge in drawn], dtype=np.float64)
    points = _layout(len(nodes), pairs, weights)
    degree = np.bincount(pairs.ravel(), minlength=len(nodes))
    biggest = max((sizes[index] for index in nodes), default=0) or 1
    largest = max((edge.weight for edge in drawn), default=1.0)
    against = tuple(edge for edge in reversed(known) if edge.weight < 0)[:12]
    return Graph(
        nodes=tuple(
            Node(
                index,
                int(points[i, 0]),
                int(points[i, 1]),
                5 + round(6 * (sizes[index] / biggest) ** 0.5),
                int(degree[i]),
            )
            for i, index in enumerate(nodes)
        ),
        links=tuple(
            Link(edge, where[edge.a], where[edge.b], path, 1 + min(3, int(4 * edge.weight / largest)))
            for edge, path in zip(drawn, _curves(drawn, pairs, points), strict=True)
        ),
        against=against,
        hidden_links=len(edges) - len(drawn) - len(against),
        hidden_accounts=len(accounts) - len(nodes),
        channels=tuple(
            (channel, number) for channel in _CHANNELS if (number := sum(edge.channel is channel for edge in drawn))
        ),
    )


def _strongest_accounts(number: int, edges: Sequence[Edge], where: dict[str, int]) -> set[int]:
    """All accounts, or the `MAX_ACCOUNTS` with the largest sum of link weights (the earlier one on a tie)."""
    if number <= MAX_ACCOUNTS:
        return set(range(number))
    strength = [0.0] * number
    for edge in edges:
        strength[where[edge.a]] += edge.weight
        strength[where[edge.b]] += edge.weight
    return set(sorted(range(number), key=lambda index: (-strength[index], index))[:MAX_ACCOUNTS])


def _strongest_links(edges: Sequence[Edge], most: int) -> list[Edge]:
    """The maximum spanning forest and then the strongest of the rest, together at most `most`, strongest first."""
    parent: dict[str, str] = {}

    def root(account: str) -> str:
        while (above := parent.setdefault(account, account)) != account:
            parent[account] = account = parent.setdefault(above, above)
        return account

    forest: list[int] = []
    for position, edge in enumerate(edges):
        a, b = root(edge.a), root(edge.b)
        if a != b:
            parent[a] = b
            forest.append(position)
    kept = set(forest[:most])
    for position in range(len(edges)):
        if len(kept) >= most:
            break
        kept.add(position)
    return [edges[position] for position in sorted(kept)]


def _layout(number: int, pairs: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Fruchterman-Reingold (1991) with gravity, from a sunflower arrangement; whole units, shape (n, 2)."""
    if number == 0:
        return np.zeros((0, 2), dtype=np.int64)
    turn = np.arange(number) * (np.pi * (3 - 5**0.5))
    spread = np.sqrt((np.arange(number) + 0.5) / number)
    at = np.stack([spread * np.cos(turn), spread * np.sin(turn)], axis=1)
    ideal = 1.6 / number**0.5
    pull = np.clip(weights / max(float(np.median(weights)), 1e-9), 0.4, 2.0) if len(weights) else weights
    for round_number in range(_ROUNDS if number > 1 else 0):
        apart = at[:, None, :] - at[None, :, :]
        distance = np.sqrt((apart**2).sum(axis=2))
        np.fill_diagonal(distance, 1.0)
        distance = np.maximum(distance, 1e-3)
        force = (apart * (ideal**2 / distance**2)[:, :, None]).sum(axis=1)
        along = at[pairs[:, 0]] - at[pairs[:, 1]]
        tension = along * (np.sqrt((along**2).sum(axis=1)) / ideal * pull / 4)[:, None]
        np.subtract.at(force, pairs[:, 0], tension)
        np.add.at(force, pairs[:, 1], tension)
        force -= at * 0.9
        length = np.maximum(np.sqrt((force**2).sum(axis=1)), 1e-9)
        heat = 0.18 * (1 - round_number / _ROUNDS) ** 1.5 + 0.002
        at = at + force * (np.minimum(length, heat) / length)[:, None]
    low, high = at.min(axis=0), at.max(axis=0)
    room = np.array([WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN], dtype=np.float64)
    scale = room / np.maximum(high - low, 1e-9)
    scale = np.minimum(scale, scale.min() * 1.35)  # fill the page, without stretching the picture out of shape
    if number < 6:
        scale = np.minimum(scale, 170 / ideal / 1.6)
    centred = (at - (low + high) / 2) * scale + np.array([WIDTH / 2, HEIGHT / 2])
    placed: npt.NDArray[np.int64] = np.rint(centred).astype(np.int64)
    return placed


def _curves(edges: Sequence[Edge], pairs: npt.NDArray[np.int64], points: npt.NDArray[np.int64]) -> list[str]:
    """One path per link; channels that link the same pair are bent apart so that each can be seen and pointed at."""
    lanes: dict[tuple[int, int], list[int]] = {}
    for position, (a, b) in enumerate(pairs.tolist()):
        lanes.setdefault((min(a, b), max(a, b)), []).append(position)
    bend = [0.0] * len(edges)
    for positions in lanes.values():
        for lane, position in enumerate(positions):
            bend[position] = (lane - (len(positions) - 1) / 2) * 22
    paths: list[str] = []
    for (a, b), offset in zip(pairs.tolist(), bend, strict=True):
        (x0, y0), (x1, y1) = points[min(a, b)].tolist(), points[max(a, b)].tolist()
        if not offset:
            paths.append(f"M{x0} {y0}L{x1} {y1}")
            continue
        length = max(1.0, float(np.hypot(x1 - x0, y1 - y0)))
        mid_x = round((x0 + x1) / 2 - (y1 - y0) / length * offset)
        mid_y = round((y0 + y1) / 2 + (x1 - x0) / length * offset)
        paths.append(f"M{x0} {y0}Q{mid_x} {mid_y} {x1} {y1}")
    return paths
