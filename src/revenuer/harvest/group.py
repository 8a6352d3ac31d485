"""A candidate group as numbers: per-account sums and the facts that signals are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from revenuer.profile.events import F64, I32, I64, Events


@dataclass(frozen=True)
class Books:
    """What the provider's books say, as codes aligned with `Events.accounts`; -1 where unknown.

    `created` (a,) seconds, NaN where unknown. Names and countries are not here, on purpose.
    """

    org: I32
    payment: I32
    created: F64


@dataclass(frozen=True)
class Population:
    """What is usual in this log up to the evaluation: rarity of networks and client stacks over accounts."""

    network_accounts: I64
    agent_accounts: I64
    stacks: I64
    """(s,) ascending: account code << 32 | client stack code + 1, of every pair seen."""
    stack_exchanges: I64
    """(s,) exchanges of each."""
    account_exchanges: I64
    active: int
    topic_mean: F64
    """(64,) mean over accounts of their mean embedding."""
    topic_scale: F64
    """(64, 64) maps a difference of mean embeddings to standard deviations between accounts."""

    @staticmethod
    def of(events: Events, count: int) -> Population:
        """Counts over the first `count` exchanges."""
        account = events.account[:count].astype(np.int64)
        exchanges = np.bincount(account, minlength=len(events.accounts)).astype(np.int64)
        seen = np.flatnonzero(exchanges)
        stacks, stack_exchanges = np.unique(account << 32 | (events.agent[:count] + 1), return_counts=True)
        mean, scale = _topics(events, account, exchanges, count)
        return Population(
            network_accounts=_spread(account, events.network[:count], int(events.network.max(initial=-1)) + 1),
            agent_accounts=_spread(account, events.agent[:count], int(events.agent.max(initial=-1)) + 1),
            stacks=stacks,
            stack_exchanges=stack_exchanges.astype(np.int64),
            account_exchanges=exchanges,
            active=len(seen),
            topic_mean=mean,
            topic_scale=scale,
        )


def _topics(events: Events, account: I64, exchanges: I64, count: int, least: int = 5) -> tuple[F64, F64]:
    """Mean and whitening map of accounts' mean embeddings, over accounts with at least `least` exchanges."""
    dimension = events.embedding.shape[1]
    pick = csr_array((np.ones(count, np.float32), (account, np.arange(count))), shape=(len(exchanges), count))
    sums = np.asarray(pick @ (events.embedding[:count].astype(np.float32) / 254), np.float64)
    use = exchanges >= least
    if use.sum() < 3:
        return np.zeros(dimension), np.eye(dimension)
    means = sums[use] / exchanges[use][:, None]
    values, axes = np.linalg.eigh(np.cov(means.T))
    values = np.maximum(values, values.max() * 1e-3 + 1e-12)
    return means.mean(axis=0), axes / np.sqrt(values)


def _spread(account: I64, code: I32, width: int) -> I64:
    """Number of accounts that each code was seen with."""
    known = code >= 0
    pairs = np.unique(code[known].astype(np.int64) << 32 | account[known])
    # One entry at least, so that a log without the field can be looked up in.
    spread: I64 = np.bincount(pairs >> 32, minlength=max(width, 1)).astype(np.int64)
    return spread


@dataclass(frozen=True)
class Group:
    """Some exchanges of k accounts, seen as one suspect work list.

    `rows` (n,) exchange numbers ascending; `owner` (n,) 0..k-1 index into `accounts` (k,) account codes; `size` (k,).
    """

    events: Events
    books: Books
    population: Population
    rows: I64
    owner: I64
    accounts: I64
    size: F64

    @staticmethod
    def of(events: Events, books: Books, population: Population, rows: I64) -> Group:
        """The group that consists of the exchanges `rows` (ascending)."""
        accounts, owner = np.unique(events.account[rows], return_inverse=True)
        size = np.bincount(owner, minlength=len(accounts)).astype(np.float64)
        return Group(events, books, population, rows, owner, accounts.astype(np.int64), size)

    def sums(self, values: npt.NDArray[np.floating]) -> F64:
        """Sums per account of a value (n,) or vector (n, d) an exchange."""
        flat = values.reshape(len(self.rows), -1)
        out = np.zeros((len(self.accounts), flat.shape[1]))
        for column in range(flat.shape[1]):
            out[:, column] = np.bincount(self.owner, flat[:, column], len(self.accounts))
        return out
