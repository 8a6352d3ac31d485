"""Evidence that may be looked at any time: groups followed over evaluations, each with its running maximum.

A group at one evaluation continues the group of the same channel that shares most of its accounts. Its e-value comes
from its highest score so far (`harvest.model`), and e-BH (Wang & Ramdas 2022) decides which groups count at once, with
the false-discovery rate over all groups ever assessed bounded whatever their dependence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revenuer.harvest.assess import Assessed
from revenuer.harvest.model import Model
from revenuer.records import Channel

CONTINUES = 0.5
"""Share of the smaller account set that must be common for a group to be the same one."""


@dataclass
class Tracked:
    """One group over time. `best` is the highest score it reached; `now` its state at the latest evaluation, None if
    no candidate continued it there; `peak` its state when it scored highest."""

    channel: Channel
    number: int
    accounts: set[int]
    best: float
    now: Assessed | None
    peak: Assessed
    e_value: float = 1.0


class Evidence:
    """All groups ever assessed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.member_bar = model.data.member_bar
        """Least own score with which an account may be flagged."""
        self.groups: list[Tracked] = []
        self._of_account: dict[tuple[Channel, int], set[int]] = {}

    def update(self, assessed: list[Assessed]) -> list[Tracked]:
        """Take in one evaluation's groups, strongest first; returns the groups they continue or begin."""
        for group in self.groups:
            group.now = None
        taken: set[int] = set()
        out = []
        for found in sorted(assessed, key=lambda item: -item.score):
            accounts = set(found.accounts.tolist())
            number = self._continued(found.channel, accounts, taken)
            if number is None:
                number = len(self.groups)
                self.groups.append(Tracked(found.channel, number, accounts, -np.inf, None, found))
            group = self.groups[number]
            taken.add(number)
            group.now = found
            group.accounts |= accounts
            if found.score > group.best:
                group.best, group.peak = found.score, found
            group.e_value = self._model.e_value(group.best)
            for account in accounts:
                self._of_account.setdefault((found.channel, account), set()).add(number)
            out.append(group)
        return out

    def _continued(self, channel: Channel, accounts: set[int], taken: set[int]) -> int | None:
        votes: dict[int, int] = {}
        for account in accounts:
            for number in self._of_account.get((channel, account), ()):
                if number not in taken:
                    votes[number] = votes.get(number, 0) + 1
        best = max(votes.items(), key=lambda item: (item[1], -item[0]), default=None)
        if best is None:
            return None
        smaller = min(len(accounts), len(self.groups[best[0]].accounts))
        return best[0] if best[1] >= CONTINUES * smaller else None

    def accepted(self, false_discovery: float, false_campaigns: float, fewest: int = 1) -> set[int]:
        """Numbers of the groups that count now: accepted by `e_bh`, and as they are now strong enough for it.

        The bounds hold for one look. Verdicts are kept while the number m of groups grows, so over a log's life the
        expected number of false groups is at most `false_campaigns` times the sum over groups of 1 / max(m, fewest)
        at each one's first look: about 1 + log(m / fewest) at the end. `fewest` keeps a young log from a lax bar.

        A group's accounts change. What it once was accepted for is no ground against those who came later, so its
        present score must pass the bar by itself.
        """
        values = np.array([group.e_value for group in self.groups])
        passed = e_bh(values, false_discovery, false_campaigns, fewest)
        if not passed:
            return passed
        bar = max(len(values), fewest) / max(false_discovery * len(passed), false_campaigns)
        return {
            number
            for number in passed
            if (now := self.groups[number].now) is not None and self._model.e_value(now.score) >= bar
        }


def e_bh(e_values: npt.NDArray[np.float64], rate: float, number: float = 0.0, fewest: int = 1) -> set[int]:
    """Indices of the k largest e-values, k the most with e_(k) >= m / max(rate k, number), m at least `fewest`.

    With `number` 0 this is e-BH: the expected share of false ones among the k is at most `rate`. Otherwise the expected
    *number* of false ones may also be up to `number`, which lets a lone campaign in a large log be found; both bounds
    hold whatever the dependence (Markov's inequality).
    """
    m = len(e_values)
    if m == 0:
        return set()
    order = np.argsort(-e_values, kind="stable")
    allowed = np.maximum(rate * np.arange(1, m + 1), number)
    passed = np.flatnonzero(e_values[order] * allowed >= max(m, fewest))
    return set(order[: passed[-1] + 1].tolist()) if len(passed) else set()
