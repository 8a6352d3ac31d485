"""Un-mix each account's traffic into strands: exchanges that were made by one template, or one pool of topics.

An account of a reseller, or one that hides a harvest among honest use, is not judged as a whole: what is linked and
tested is the strand. Text that recurs inside an account marks a strand. Each exchange offers its recurring pieces
(sketch chunks, first and last six tokens, system prompt), and joins the strand of the piece most frequent in its
account. Traffic without recurring text is divided by client stack and forms the account's free strands.

Misses: template pieces that recur fewer than three times in an account.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from revenuer.profile.events import F64, I32, I64, U64, Events

RECUR = 3
"""Times a piece must occur in an account before it can mark a strand."""
SIGNATURE_SHARE = 0.5
"""A piece in at least this share of a strand's exchanges belongs to the strand's signature."""

_PREFIX, _SUFFIX, _SYSTEM, _SYSTEM_CHUNK = (np.uint64(salt) << np.uint64(53) for salt in (1, 2, 3, 4))


@dataclass(frozen=True)
class PieceTable:
    """Every (exchange, piece) pair that recurs in its account anywhere in the log, ordered by exchange.

    `row` (m,) exchange; `pair` (m,) code of the (account, piece); `weak` (m,) true for system-turn pieces, which mark a
    strand only where the user turns have nothing that recurs. `pair_account`, `pair_piece` describe the pairs, pieces
    being codes of distinct hashes. Pairs that never recur are dropped: no evaluation could use them. Built once; an
    evaluation takes a prefix, so nothing of the future is seen.
    """

    row: I32
    pair: I32
    weak: npt.NDArray[np.bool_]
    pair_account: I32
    pair_piece: I32
    pieces: U64

    def rows_before(self, count: int) -> int:
        """How many rows belong to the first `count` exchanges."""
        return int(np.searchsorted(self.row, count, "left"))


def piece_table(events: Events, recur: int = RECUR) -> PieceTable:
    """Collect the recurring pieces of all exchanges."""
    frames = np.stack([events.prefix, events.suffix, events.system], axis=1)
    salts = np.array([_PREFIX, _SUFFIX, _SYSTEM], np.uint64)
    frames = np.where(frames == 0, 0, (frames >> np.uint64(12)) | salts)
    system_chunks = np.where(events.system_chunks == 0, 0, events.system_chunks | _SYSTEM_CHUNK)
    columns = np.concatenate([frames, events.chunks, system_chunks], axis=1)
    weak_columns = np.zeros(columns.shape[1], bool)
    weak_columns[2] = True
    weak_columns[3 + events.chunks.shape[1] :] = True

    row, column = np.nonzero(columns)
    value = columns[row, column]
    pieces, piece = np.unique(value, return_inverse=True)
    # A piece that occurs fewer times than `recur` in the whole log cannot recur in an account: drop it early.
    often = np.bincount(piece, minlength=len(pieces)) >= recur
    keep = often[piece]
    row, column, piece = row[keep], column[keep], piece[keep]
    key = events.account[row].astype(np.int64) * len(pieces) + piece
    pairs, pair = np.unique(key, return_inverse=True)
    recurring = np.bincount(pair, minlength=len(pairs)) >= recur
    keep = recurring[pair]
    row, column, pair = row[keep], column[keep], pair[keep]
    used, pair = np.unique(pair, return_inverse=True)
    pairs = pairs[used]
    return PieceTable(
        row=row.astype(np.int32),
        pair=pair.astype(np.int32),
        weak=weak_columns[column],
        pair_account=(pairs // max(len(pieces), 1)).astype(np.int32),
        pair_piece=(pairs % max(len(pieces), 1)).astype(np.int32),
        pieces=pieces,
    )


@dataclass(frozen=True)
class Strands:
    """Strands of the first `count` exchanges.

    `of` (count,) strand of each exchange, -1 where none; `account` (s,), `size` (s,) exchanges, `free` (s,) true where
    no text recurs. Signatures as sparse rows: pieces of strand i are `piece[start[i]:start[i + 1]]`.
    """

    count: int
    of: I32
    account: I32
    size: I64
    free: npt.NDArray[np.bool_]
    start: I64
    piece: I32


def strands(events: Events, table: PieceTable, count: int, recur: int = RECUR, smallest: int = 3) -> Strands:
    """Un-mix the first `count` exchanges."""
    rows = table.rows_before(count)
    row, pair = table.row[:rows], table.pair[:rows]
    frequency = np.bincount(pair, minlength=len(table.pair_account))
    live = frequency[pair] >= recur
    row, pair, weak = row[live], pair[live], table.weak[:rows][live]

    # Most frequent piece of each exchange; user-turn pieces before system-turn ones; ties to the lowest piece code.
    # Counts and codes fit in 31 bits each, so that the key fits in 63.
    rank = frequency[pair].astype(np.int64) + np.where(weak, 0, np.int64(1) << 31)
    order_key = (rank << 31) + (len(table.pieces) - table.pair_piece[pair])
    leader = np.full(count, -1, np.int64)
    if len(row):
        first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        best = np.maximum.reduceat(order_key, first)
        hit = order_key == np.repeat(best, np.diff(np.r_[first, len(row)]))
        leader[row[hit]] = pair[hit]

    # Leaders that gather too few exchanges dissolve into the account's free traffic.
    led = np.flatnonzero(leader >= 0)
    gathered = np.bincount(leader[led], minlength=len(table.pair_account))
    leader[led[gathered[leader[led]] < smallest]] = -1
    free_key = len(table.pair_account) + _stacks(events, count)
    label = np.where(leader >= 0, leader, free_key)
    names, inverse = np.unique(label, return_inverse=True)
    of: I32 = inverse.astype(np.int32)
    size: I64 = np.bincount(of, minlength=len(names)).astype(np.int64)
    account = np.zeros(len(names), np.int32)
    account[of] = events.account[:count]
    start, piece = _signatures(of, size, row, table.pair_piece[pair], len(names))
    return Strands(count, of, account, size, names >= len(table.pair_account), start, piece)


def by_stack(events: Events, count: int) -> Strands:
    """Un-mix by client stack alone: whatever else an account does, one program asks one kind of question."""
    names, of = np.unique(_stacks(events, count), return_inverse=True)
    size = np.bincount(of, minlength=len(names)).astype(np.int64)
    account = np.zeros(len(names), np.int32)
    account[of] = events.account[:count]
    none = np.zeros(len(names) + 1, np.int64)
    free = np.ones(len(names), bool)
    return Strands(count, of.astype(np.int32), account, size, free, none, np.empty(0, np.int32))


def _stacks(events: Events, count: int, most: int = 8) -> I64:
    """Code of (account, client stack); accounts that rotate through many stacks keep a single one."""
    account = events.account[:count].astype(np.int64)
    base = np.int64(1) << np.int64(40)
    key = account * base + (events.agent[:count].astype(np.int64) + 1) * (1 << 18) + (events.params[:count] + 1)
    distinct = np.unique(key)
    owner = distinct // base
    stacks = np.bincount(owner, minlength=len(events.accounts))
    many = stacks[account] > most
    key[many] = account[many] * base
    codes: I64 = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return codes


def _signatures(of: I32, size: I64, row: I32, piece: I32, count: int) -> tuple[I64, I32]:
    """Pieces that stand in at least `SIGNATURE_SHARE` of a strand's exchanges, as sparse rows."""
    owner = of[row].astype(np.int64)
    width = int(piece.max()) + 1 if len(piece) else 1
    key, times = np.unique(owner * width + piece, return_counts=True)
    strand = key // width
    keep = times >= np.maximum(2, SIGNATURE_SHARE * size[strand])
    strand = strand[keep]
    start = np.searchsorted(strand, np.arange(count + 1)).astype(np.int64)
    return start, (key[keep] % width).astype(np.int32)


@dataclass(frozen=True)
class StrandStats:
    """Mergeable sums per strand: `size` (s,), `vector` (s, 64) sum of unit embeddings, `square` (s,) sum of their
    squared norms."""

    size: I64
    vector: F64
    square: F64


def stats(events: Events, unmixed: Strands) -> StrandStats:
    """Sums per strand over the exchanges that `unmixed` covers."""
    count, of, s = unmixed.count, unmixed.of, len(unmixed.size)
    pick = csr_array((np.ones(count, np.float32), (of, np.arange(count))), shape=(s, count))
    unit = events.embedding[:count].astype(np.float32) / 254
    square = np.bincount(of, (unit * unit).sum(axis=1), s).astype(np.float64)
    return StrandStats(unmixed.size, np.asarray(pick @ unit, np.float64), square)
