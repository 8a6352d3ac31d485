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
from revenuer.profile.families import SharedPieces, families, shared_pieces
from revenuer.profile.strands import PieceTable, Strands, by_stack, piece_table, stats, strands
from revenuer.records import Channel


@dataclass(frozen=True)
class Recurring:
    """Text that recurs, inside accounts and between them, over the whole log; evaluations take prefixes."""

    pieces: PieceTable
    shared: SharedPieces

    @staticmethod
    def of(events: Events) -> Recurring:
        """Collect it, once a log."""
        return Recurring(piece_table(events), shared_pieces(events))


@dataclass(frozen=True)
class Scene:
    """One evaluation's material: the first `count` exchanges, un-mixed by template and by client stack."""

    events: Events
    count: int
    payment: I32
    shared: SharedPieces
    by_template: Strands
    by_stack: Strands

    @staticmethod
    def at(events: Events, text: Recurring, payment: I32, count: int) -> Scene:
        """Un-mix the first `count` exchanges."""
        unmixed = strands(events, text.pieces, count)
        return Scene(events, count, payment, text.shared, unmixed, by_stack(events, count))


@dataclass(frozen=True)
class Candidate:
    """Exchanges `rows` (ascending) that a channel proposes as one work list."""

    channel: Channel
    rows: I64


COMMON = 100
"""Text that more accounts than this, and than a twentieth of all, have sent begins no family."""
SMALLEST_STRAND = 5
"""Exchanges a strand needs before its mean embedding is compared with others."""


def _template(scene: Scene) -> list[I64]:
    """Accounts that share rare text.

    Detects: one template (or paraphrased ones that share parts) run from several accounts, also where it is thinned to
    a few exchanges an account. Misses: prompts without a template; templates spelled anew for every account.
    False positives: everybody who uses a public template (evaluation harnesses, judges, popular products), which is why
    a link accuses nobody. Evasion costs: a separate template for each account, and its upkeep.
    """
    unmixed = scene.by_template
    active = len(np.unique(unmixed.account))
    links = template_links(unmixed, active)
    return [
        *_rows(unmixed, links, 0.25),
        *families(scene.shared, scene.count, max(COMMON, active // 20)),
        *_by_account(unmixed, links),
    ]


def _by_account(unmixed: Strands, links: Links) -> list[I64]:
    """Accounts that share several templates, with all the strands that link them: a list run in many wordings."""
    account = unmixed.account.astype(np.int64)
    a, b = account[links.a], account[links.b]
    low, high = np.minimum(a, b), np.maximum(a, b)
    pairs, inverse = np.unique(low << 32 | high, return_inverse=True)
    weight = np.minimum(np.bincount(inverse, links.weight, len(pairs)) / 3, 1.0)
    groups = communities(pairs >> 32, pairs & 0xFFFFFFFF, weight, 0.2, 3)
    of = np.full(int(account.max(initial=-1)) + 1, -1, np.int64)
    for number, group in enumerate(groups):
        of[group] = number
    inside = (of[a] == of[b]) & (of[a] >= 0)
    owner = np.concatenate([of[a[inside]]] * 2)
    strand = np.concatenate([links.a[inside], links.b[inside]])
    rows_of = RowsOf(unmixed.of, len(unmixed.size))
    return [rows_of(np.unique(strand[owner == n])) for n in range(len(groups))]


def _semantic(scene: Scene) -> list[I64]:
    """Accounts that ask about the same things in the same proportions.

    Detects: work lists drawn from one narrow pool, without any template. Misses: pools as broad as the whole
    population's interests; small shares of an account's traffic that were not un-mixed; logs of fewer than about a
    hundred strands, in which what is usual is not known. False positives: customers of one trade (two banks' support
    bots), which is why a link accuses nobody. Evasion costs: padding every account with traffic of another mix, several
    times the harvest.
    """
    unmixed = scene.by_stack
    use = np.flatnonzero(unmixed.size >= SMALLEST_STRAND)
    links = semantic_links(stats(scene.events, unmixed), unmixed.account.astype(np.int64), use)
    return _rows(unmixed, links, 0.08)


def _infrastructure(scene: Scene) -> list[I64]:
    """Accounts that share a network with a client stack, an address or a payment instrument with a handful of others.

    Detects: pools run from few machines or paid by few cards. Misses: one residential address and one card an account.
    False positives: offices, classrooms, relays, agencies; a link accuses nobody. Evasion costs: an address and a
    payment instrument for every account.
    """
    links = infrastructure_links(scene.events, scene.payment, scene.count)
    account = scene.events.account[: scene.count]
    rows_of = RowsOf(account, len(scene.events.accounts))
    return [rows_of(group) for group in communities(links.a, links.b, links.weight, 0.15, 3)]


def _rows(unmixed: Strands, links: Links, resolution: float) -> list[I64]:
    rows_of = RowsOf(unmixed.of, len(unmixed.size))
    groups = communities(links.a, links.b, links.weight, resolution, 2)
    return [rows_of(group) for group in groups if len(np.unique(unmixed.account[group])) >= 3]


class RowsOf:
    """Exchanges by label (strand or account): `rows_of(labels)` gives those of some labels, ascending."""

    def __init__(self, label: I32, labels: int) -> None:
        self._order = np.argsort(label, kind="stable").astype(np.int64)
        self._start = np.searchsorted(label[self._order], np.arange(labels + 1))

    def __call__(self, labels: I64) -> I64:
        parts = [self._order[self._start[i] : self._start[i + 1]] for i in labels.tolist()]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


CHANNELS: tuple[tuple[Channel, Callable[[Scene], list[I64]]], ...] = (
    (Channel.TEMPLATE, _template),
    (Channel.SEMANTIC, _semantic),
    (Channel.INFRASTRUCTURE, _infrastructure),
)


def candidates(scene: Scene, smallest_accounts: int = 3, smallest_exchanges: int = 30) -> list[Candidate]:
    """Every channel's groups of at least so many accounts and exchanges."""
    out = []
    for channel, propose in CHANNELS:
        met: set[bytes] = set()
        for rows in propose(scene):
            if len(rows) < smallest_exchanges or (mark := rows.tobytes()) in met:
                continue
            met.add(mark)
            if len(np.unique(scene.events.account[rows])) >= smallest_accounts:
                out.append(Candidate(channel, rows))
    return out
