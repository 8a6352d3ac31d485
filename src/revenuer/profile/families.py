"""Template families over the whole population: prompts of any account that share the same run of text.

Within-account strands need a template to recur three times in an account. A harvest thinned to a few exchanges an
account never does; over all accounts it recurs plenty. A template's pieces
stand in the same exchanges, a common phrase stands alone: each exchange joins the family of its piece with most
such companions, and a family is kept if several pieces stand in most of its exchanges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revenuer.fingerprint.sketch import mix
from revenuer.profile.events import I32, I64, Events

LEAST_ACCOUNTS = 3
SIGNATURE = 4
"""Pieces that must stand in most exchanges of a family: four chunks are a run of seven words."""
SIGNATURE_SHARE = 0.6


@dataclass(frozen=True)
class SharedPieces:
    """Every (exchange, piece) of pieces that at least three accounts ever sent, ordered by exchange.

    `row` (m,), `piece` (m,) codes, `fresh` (m,) true where an account sends the piece for the first time. Built once;
    an evaluation takes a prefix.
    """

    row: I32
    piece: I32
    fresh: npt.NDArray[np.bool_]
    pieces: int

    def rows_before(self, count: int) -> int:
        """How many entries belong to the first `count` exchanges."""
        return int(np.searchsorted(self.row, count, "left"))


def shared_pieces(events: Events) -> SharedPieces:
    """Collect the pieces of user turns that at least three accounts sent."""
    row, column = np.nonzero(events.chunks)
    value = events.chunks[row, column]
    order = np.argsort(value, kind="stable")
    ordered = value[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, bool)
    code = np.cumsum(begins) - 1
    account = events.account[row[order]]
    # Entries of one piece and account, the earliest first.
    by_account = np.lexsort((order, account, code))
    first = np.zeros(len(order), bool)
    pair = code[by_account].astype(np.int64) << 32 | account[by_account]
    first[by_account[np.r_[True, pair[1:] != pair[:-1]] if len(pair) else np.zeros(0, bool)]] = True
    spread = np.bincount(code, first, minlength=int(code[-1]) + 1 if len(code) else 0)
    kept_piece = spread >= LEAST_ACCOUNTS
    renamed = np.cumsum(kept_piece) - 1
    kept = kept_piece[code] if len(code) else np.zeros(0, bool)
    place = order[kept]
    back = np.argsort(place, kind="stable")
    return SharedPieces(
        row=row[place][back].astype(np.int32),
        piece=renamed[code[kept]][back].astype(np.int32),
        fresh=first[kept][back],
        pieces=int(kept_piece.sum()),
    )


def families(shared: SharedPieces, count: int, most: int, smallest: int = 12) -> list[I64]:
    """Families among the first `count` exchanges: exchange numbers, ascending, of each.

    Args:
        most: pieces that more accounts than this have sent are everybody's phrases and begin no family.
        smallest: exchanges a family needs.
    """
    end = shared.rows_before(count)
    row, piece = shared.row[:end], shared.piece[:end]
    spread = np.bincount(piece[shared.fresh[:end]], minlength=shared.pieces)
    usable = (spread[piece] >= LEAST_ACCOUNTS) & (spread[piece] <= most)
    row, piece = row[usable], piece[usable]
    if not len(row):
        return []
    mates = _mates(row, piece, shared.pieces)
    usable = mates[piece] >= SIGNATURE
    row, piece = row[usable], piece[usable]
    if not len(row):
        return []
    rank = (np.minimum(mates[piece], 2 * SIGNATURE).astype(np.int64) << 32) + spread[piece]
    begin = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    length = np.diff(np.r_[begin, len(row)])
    best = np.repeat(np.maximum.reduceat(rank, begin), length)
    # Ties (pieces of one template are equally common) go to the lowest code, the same one in every exchange.
    tied = np.where(rank == best, piece, np.iinfo(np.int32).max)
    leader = np.minimum.reduceat(tied, begin)
    exchange = row[begin]
    size = np.bincount(leader, minlength=shared.pieces)
    led = size[leader] >= smallest

    # How often each piece stands in the exchanges of each leader.
    of_entry = np.repeat(leader, length)
    keep = np.repeat(led, length)
    key, counts = np.unique(of_entry[keep].astype(np.int64) * shared.pieces + piece[keep], return_counts=True)
    head = key // shared.pieces
    firm = counts >= SIGNATURE_SHARE * size[head]
    enough = np.bincount(head[firm], minlength=shared.pieces) >= SIGNATURE
    chosen = led & enough[leader]
    order = np.argsort(leader[chosen], kind="stable")
    ordered = leader[chosen][order]
    cuts = np.flatnonzero(np.diff(ordered)) + 1
    return [np.sort(part).astype(np.int64) for part in np.split(exchange[chosen][order], cuts) if len(part)]


def _mates(row: I32, piece: I32, pieces: int) -> I64:
    """About how many pieces stand in the same exchanges as each piece does, itself included.

    Pieces of one template have nearly one set of exchanges, so their MinHash values agree; of three hash functions the
    most agreeing one counts.
    """
    order = np.argsort(piece, kind="stable")
    ordered = piece[order]
    begin = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    which = ordered[begin]
    out: I64 = np.zeros(pieces, np.int64)
    for seed in (1, 2, 3):
        hashed = mix(row[order].astype(np.uint64) + np.uint64(seed << 40))
        least = np.minimum.reduceat(hashed, begin)
        _, code, together = np.unique(least, return_inverse=True, return_counts=True)
        out[which] = np.maximum(out[which], together[code])
    return out
