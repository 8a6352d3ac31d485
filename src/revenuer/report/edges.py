"""Why the accounts of a campaign are linked: the channels' links among them, as of the last evaluation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from revenuer.harvest.group import Books
from revenuer.link.candidates import Scene
from revenuer.link.infrastructure import RARE, infrastructure_links
from revenuer.link.semantic import semantic_links
from revenuer.link.template import Links, template_links
from revenuer.profile.events import I64
from revenuer.profile.strands import stats
from revenuer.records import Channel, Edge


class LinkBook:
    """All links of one evaluation, found once and asked campaign by campaign.

    Args:
        bayes: log Bayes factor of a link for "one operator", by channel, as measured when the model was fitted.
    """

    def __init__(self, scene: Scene, books: Books, bayes: Mapping[str, float], smallest_strand: int) -> None:
        self._events = scene.events
        self._count = scene.count
        self._books = books
        self._bayes = bayes
        template = template_links(scene.by_template, len(scene.events.accounts))
        use = np.flatnonzero(scene.by_stack.size >= smallest_strand)
        owner = scene.by_stack.account.astype(np.int64)
        semantic = semantic_links(stats(scene.events, scene.by_stack), owner, use)
        self.links: tuple[tuple[Channel, Links], ...] = (
            (Channel.TEMPLATE, _of_accounts(template, scene.by_template.account.astype(np.int64))),
            (Channel.SEMANTIC, _of_accounts(semantic, owner)),
            (Channel.INFRASTRUCTURE, infrastructure_links(scene.events, books.payment, scene.count)),
        )

    def among(self, accounts: I64) -> tuple[Edge, ...]:
        """Edges between these accounts (codes), strongest first."""
        inside = np.zeros(len(self._events.accounts), bool)
        inside[accounts] = True
        names = self._events.accounts
        out = []
        for channel, links in self.links:
            keep = inside[links.a] & inside[links.b]
            for a, b, weight in zip(links.a[keep], links.b[keep], links.weight[keep], strict=True):
                text = self._why(channel, int(a), int(b), float(weight))
                value = self._bayes.get(channel.value, 0.0) * float(weight)
                out.append(Edge(a=names[a], b=names[b], channel=channel, weight=value, text=text))
        return tuple(sorted(out, key=lambda edge: (-edge.weight, edge.a, edge.b, edge.channel)))

    def _why(self, channel: Channel, a: int, b: int, weight: float) -> str:
        if channel is Channel.TEMPLATE:
            return f"each holds at least {weight:.0%} of the other's recurring text, weighted by how rare it is"
        if channel is Channel.SEMANTIC:
            return f"they ask about the same things in the same proportions (cosine {weight:.2f} after whitening)"
        grounds = []
        if self._books.payment[a] >= 0 and self._books.payment[a] == self._books.payment[b]:
            grounds.append("one payment instrument")
        for code, word in ((self._events.address, "address"), (self._events.network, "network")):
            if shared := len(np.intersect1d(self._of(code, a), self._of(code, b))):
                grounds.append(f"{shared} {word}{'es' if word == 'address' and shared > 1 else ''} in common")
                break
        return f"{' and '.join(grounds) or 'a rare resource in common'} (shared by at most {RARE} accounts)"

    def _of(self, code: npt.NDArray[np.int32], account: int) -> npt.NDArray[np.int32]:
        values = code[: self._count][self._events.account[: self._count] == account]
        return np.unique(values[values >= 0])


def _of_accounts(links: Links, owner: I64) -> Links:
    """Links between strands as links between their accounts, the strongest of each pair."""
    a, b = owner[links.a], owner[links.b]
    low, high = np.minimum(a, b), np.maximum(a, b)
    key = low << 32 | high
    pairs, inverse = np.unique(key, return_inverse=True)
    weight = np.zeros(len(pairs))
    np.maximum.at(weight, inverse, links.weight)
    return Links(pairs >> 32, pairs & 0xFFFFFFFF, weight)
