"""Candidate groups: what the channels propose, each channel by itself. A candidate accuses nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from revenuer.link.graph import communities
from revenuer.link.infrastructure import infrastructure_links
from revenuer.link.semantic import semantic_links
from revenuer.link.template import Links, template_links
from revenuer.profile.events import I32, I64, Events
from revenuer.profile.strands import PieceTable, Strands, by_stack, stats, strands
from revenuer.records import Channel


@dataclass(frozen=True)
class Scene:
    """One evaluation's material: the first `count` exchanges, un-mixed by template and by client stack."""

    events: Events
    count: int
    payment: I32
    by_template: Strands
    by_stack: Strands

    @staticmethod
    def at(events: Events, pieces: PieceTable, payment: I32, count: int) -> Scene:
        """Un-mix the first `count` exchanges."""
        return Scene(events, count, payment, strands(events, pieces, count), by_stack(events, count))


@dataclass(frozen=True)
class Candidate:
    """Exchanges `rows` (ascending) that a channel proposes as one work list."""

    channel: Channel
    rows: I64


SMALLEST_STRAND = 5
"""Exchanges a strand needs before its mean embedding is compared with others."""


def _template(scene: Scene) -> list[I64]:
    links = template_links(scene.by_template, len(scene.events.accounts))
    return _rows(scene.by_template, links, 0.25)


def _semantic(scene: Scene) -> list[I64]:
    unmixed = scene.by_stack
    use = np.flatnonzero(unmixed.size >= SMALLEST_STRAND)
    links = semantic_links(stats(scene.events, unmixed), unmixed.account.astype(np.int64), use)
    return _rows(unmixed, links, 0.08)


def _infrastructure(scene: Scene) -> list[I64]:
    links = infrastructure_links(scene.events, scene.payment, scene.count)
    account = scene.events.account[: scene.count]
    groups = communities(links.a, links.b, links.weight, 0.15, 3)
    return [np.flatnonzero(np.isin(account, group)) for group in groups]


def _rows(unmixed: Strands, links: Links, resolution: float) -> list[I64]:
    out = []
    for group in communities(links.a, links.b, links.weight, resolution, 2):
        if len(np.unique(unmixed.account[group])) >= 3:
            wanted = np.zeros(len(unmixed.size), bool)
            wanted[group] = True
            out.append(np.flatnonzero(wanted[unmixed.of]))
    return out


CHANNELS: tuple[tuple[Channel, Callable[[Scene], list[I64]]], ...] = (
    (Channel.TEMPLATE, _template),
    (Channel.SEMANTIC, _semantic),
    (Channel.INFRASTRUCTURE, _infrastructure),
)


def candidates(scene: Scene, smallest_accounts: int = 3, smallest_exchanges: int = 30) -> list[Candidate]:
    """Every channel's groups of at least so many accounts and exchanges."""
    out = []
    for channel, propose in CHANNELS:
        for rows in propose(scene):
            enough = len(rows) >= smallest_exchanges
            if enough and len(np.unique(scene.events.account[rows])) >= smallest_accounts:
                out.append(Candidate(channel, rows))
    return out
