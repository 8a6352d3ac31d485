"""One log as every baseline sees it: rows sorted by account and time, with the product's own fingerprints.

So all methods share one representation (64-d static embeddings, the last user turn) and differ in what they do with it.

Accounts are capped, causally: the first 128 exchanges of an account are kept and then a falling share (64 on average
each time the account doubles), decided by position and a hash of the id alone, so nothing later changes what was
kept. The exchange counts that `volume` reads are not capped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import HashingVectorizer

from revenuer.fingerprint.batch import Fingerprinter
from revenuer.ingest import read_accounts, read_logs
from revenuer.records import Account, Exchange

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

KEY = 0x5EED
"""Fingerprint key of the benchmarks: fixed, so that a run can be repeated."""
KEPT_WHOLE, KEPT_PER_DOUBLING = 128, 64
TEXT_HEAD, TEXT_TAIL = 600, 1500
"""Characters of the system turn and of the last user turn that the prompt classifier reads."""


def words() -> HashingVectorizer:
    """Counts of words and pairs of words, hashed into 2^18 columns."""
    return HashingVectorizer(
        n_features=2**18, ngram_range=(1, 2), alternate_sign=False, norm=None, lowercase=True, dtype=np.float32
    )


class Keys(NamedTuple):
    """Things accounts can share, with the earliest time each account showed each: (account, key, since)."""

    account: I64
    key: U64
    since: F64


class Traffic:
    """A log in arrays. `account`, `ts`, `ids` and `spent` have one entry a kept row; accounts are numbered by name."""

    def __init__(
        self, names: Sequence[str], account: I64, ts: F64, ids: npt.NDArray[np.object_], embedding: F32,
        bags: csr_matrix, keys: Keys, times: Sequence[F64], start: float, end: float,
    ) -> None:  # fmt: skip
        """`times[a]` are all request times of account a, kept rows or not; `embedding` rows have length 1 (or 0)."""
        self.names = tuple(names)
        self.account, self.ts, self.ids = account, ts, ids
        self.embedding, self.bags, self.keys = embedding, bags, keys
        self.times, self.start, self.end = tuple(times), start, end
        self.bounds: I64 = np.searchsorted(account, np.arange(len(self.names) + 1))

    def __len__(self) -> int:
        return len(self.ts)

    def rows(self, account: int) -> slice:
        """The kept rows of one account, in time order."""
        return slice(int(self.bounds[account]), int(self.bounds[account + 1]))

    @cached_property
    def nearest_earlier(self) -> F32:
        """Euclidean distance of each row to the nearest earlier row of its account; NaN for an account's first."""
        out = np.full(len(self), np.nan, np.float32)
        for number in range(len(self.names)):
            rows = self.rows(number)
            vectors = self.embedding[rows]
            if len(vectors) < 2:
                continue
            closeness = vectors @ vectors.T
            closeness[np.triu_indices(len(vectors))] = -2
            out[rows.start + 1 : rows.stop] = np.sqrt(np.maximum(0, 2 - 2 * closeness.max(axis=1)[1:]))
        return out

    def seen(self, looks: F64) -> I64:
        """(looks, accounts): number of kept rows of each account before each look."""
        out = np.zeros((len(looks), len(self.names)), np.int64)
        for number in range(len(self.names)):
            out[:, number] = np.searchsorted(self.ts[self.rows(number)], looks, side="left")
        return out

    @classmethod
    def of(cls, exchanges: Iterable[Sequence[Exchange]], accounts: dict[str, Account]) -> Traffic:
        """From chunks of exchanges, in any order. Accounts in the books that sent nothing are left out."""
        fingerprinter, vectorizer = Fingerprinter(KEY), words()
        tables: list[pa.Table] = []
        bags: list[Any] = []
        rank: dict[str, int] = {}
        kept: list[Bools] = []
        # The cap goes by arrival, so chunks must come in time order as logs do.
        for chunk in exchanges:
            keep = np.array([_keep(e, rank) for e in chunk], bool)
            kept.append(keep)
            table = fingerprinter.fingerprint(chunk).select(
                ["id", "ts", "account", "net_h", "system_h", "prefix_h", "embedding"]
            )
            tables.append(table)
            bags.append(vectorizer.transform([_text(e) for e, k in zip(chunk, keep, strict=True) if k]))
        if not tables:
            raise ValueError("no exchanges: a baseline needs a log")
        table, keep = pa.concat_tables(tables), np.concatenate(kept)
        ids = np.array(table["id"].to_pylist(), object)
        ts = np.asarray(table["ts"].to_numpy())
        sender = np.array(table["account"].to_pylist(), object)
        names, account = np.unique(sender, return_inverse=True)
        order = np.lexsort((ids.astype(str), ts, account))
        by_account = np.searchsorted(account[order], np.arange(len(names) + 1))
        times = [ts[order[by_account[i] : by_account[i + 1]]] for i in range(len(names))]
        chosen = order[keep[order]]
        position = np.cumsum(keep) - 1
        vectors = np.asarray(table["embedding"].combine_chunks().flatten().to_numpy()).reshape(-1, 64)[chosen]
        unit = vectors.astype(np.float32)
        unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)
        return cls(
            names=names.tolist(),
            account=account[chosen].astype(np.int64),
            ts=ts[chosen],
            ids=ids[chosen],
            embedding=unit,
            bags=vstack(bags).tocsr()[position[chosen]],
            keys=_keys(table, account, names.tolist(), ts, accounts),
            times=times,
            start=float(ts.min()),
            end=float(ts.max()),
        )

    @classmethod
    def load(cls, folder: Path) -> Traffic:
        """A range's log and books, without its truth."""
        log = next(folder.glob("exchanges.*"))
        accounts = read_accounts(folder / "accounts.jsonl", [])
        return cls.of((chunk.exchanges for chunk in read_logs([log]) if chunk.exchanges), accounts)


def harvest_of(folder: Path) -> dict[str, str | None]:
    """Exchange id -> campaign, or None where it is benign: the truth of a range, for fitting and scoring only."""
    table = pq.read_table(folder / "truth_exchanges.parquet", columns=["id", "campaign"])
    return dict(zip(table["id"].to_pylist(), table["campaign"].to_pylist(), strict=True))


def _keep(exchange: Exchange, rank: dict[str, int]) -> bool:
    position = rank.get(exchange.account, 0)
    rank[exchange.account] = position + 1
    if position < KEPT_WHOLE:
        return True
    chance = KEPT_PER_DOUBLING / 2 ** (position.bit_length() - 1)
    return bool(xxhash.xxh3_64_intdigest(exchange.id.encode()) < chance * 2**64)


def _text(exchange: Exchange) -> str:
    system = next((m.content for m in exchange.messages if m.role in ("system", "developer")), "")
    user = next((m.content for m in reversed(exchange.messages) if m.role == "user"), "")
    return system[:TEXT_HEAD] + "\n" + (user if len(user) <= TEXT_TAIL else user[:750] + user[-750:])


def _keys(table: pa.Table, account: I64, names: list[str], ts: F64, accounts: dict[str, Account]) -> Keys:
    """Networks and payments at first sight; system turns and first words at their third use by an account."""
    owners, values, times = [], [], []
    for column, uses in (("net_h", 1), ("system_h", 3), ("prefix_h", 3)):
        hashes = np.asarray(table[column].to_numpy())
        have = np.flatnonzero(hashes)
        salted = hashes[have] ^ np.uint64(xxhash.xxh3_64_intdigest(column.encode()))
        order = np.lexsort((ts[have], salted, account[have]))
        who, what, when = account[have][order], salted[order], ts[have][order]
        first = np.flatnonzero(np.r_[True, (who[1:] != who[:-1]) | (what[1:] != what[:-1])][: len(who)])
        length = np.diff(np.r_[first, len(who)])
        first = first[length >= uses]
        owners.append(who[first])
        values.append(what[first])
        times.append(when[first + uses - 1])
    earliest = np.full(len(names), np.inf)
    np.minimum.at(earliest, account, ts)
    paid = [(i, books.payment) for i, n in enumerate(names) if (books := accounts.get(n)) and books.payment]
    owners.append(np.array([i for i, _ in paid], np.int64))
    values.append(np.array([xxhash.xxh3_64_intdigest(f"payment {p}".encode()) for _, p in paid], np.uint64))
    times.append(earliest[owners[-1]])
    return Keys(np.concatenate(owners).astype(np.int64), np.concatenate(values), np.concatenate(times))
