"""Sketches of token sequences, for a whole batch at once.

Chunks are runs of four folded tokens. A text keeps the `k` smallest of its chunk hashes (bottom-k, Cohen & Kaplan
2007): two texts that share a template share small hashes even when long slots make their Jaccard similarity low, so
*containment* of one sketch in another is what is compared. Bands (one-permutation MinHash: Li, Owen & Zhang 2012)
find near-duplicates. Hashes are 52 bits wide: a batch is sorted as one array with the text's index in the top bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revenuer.fingerprint.text import Tokens

U64 = npt.NDArray[np.uint64]
CHUNK = 4
FRAME = 6
"""Tokens of a prefix or suffix hash."""
HASH_BITS = 52
BINS = 16
BANDS = 4
NONE = np.uint64(0)
"""Padding: no hash of a text is zero."""

_M1, _M2, _M3 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)


def mix(values: U64) -> U64:
    """SplitMix64 finaliser (Steele, Lea & Flood 2014): spreads every bit of the input over the output."""
    out = (values ^ (values >> np.uint64(30))) * _M1
    out = (out ^ (out >> np.uint64(27))) * _M2
    result: U64 = out ^ (out >> np.uint64(31))
    return result


@dataclass(frozen=True)
class Sketches:
    """Per text: `chunks` (n, k) smallest chunk hashes ascending, zero-padded; `bands` (n, 4)."""

    chunks: U64
    bands: U64


def sketch(tokens: Tokens, hashes: U64, k: int) -> Sketches:
    """Bottom-k and bands over the 4-token chunks of each text. A text of 1 to 3 tokens is one chunk."""
    count = len(tokens.starts) - 1
    chunks = np.zeros((count, k), np.uint64)
    bands = np.zeros((count, BANDS), np.uint64)
    if not len(tokens.ids):
        return Sketches(chunks, bands)
    owners, values = _chunk_hashes(tokens, hashes)
    if count > 1 << (64 - HASH_BITS):
        raise ValueError(f"a batch may hold at most {1 << (64 - HASH_BITS)} texts, not {count}")
    packed = (owners.astype(np.uint64) << np.uint64(HASH_BITS)) | (values >> np.uint64(64 - HASH_BITS))
    packed.sort()
    packed = packed[np.r_[True, packed[1:] != packed[:-1]]]
    owner = (packed >> np.uint64(HASH_BITS)).astype(np.int64)
    value = (packed & np.uint64((1 << HASH_BITS) - 1)) | np.uint64(1)
    starts = np.searchsorted(owner, np.arange(count))
    rank = np.arange(len(owner)) - starts[owner]
    kept = rank < k
    chunks[owner[kept], rank[kept]] = value[kept]

    # The top bits of a sorted hash are its bin, so the first of each run is that bin's minimum.
    bins = (value >> np.uint64(HASH_BITS - 4)).astype(np.int64)
    place = owner * BINS + bins
    first = np.r_[True, place[1:] != place[:-1]]
    minima = np.zeros((count, BINS), np.uint64)
    minima[owner[first], bins[first]] = value[first]
    # Empty bins borrow from the next filled one (densification by rotation: Shrivastava & Li 2014).
    for _ in range(BINS):
        empty = minima == 0
        if not empty.any():
            break
        minima = np.where(empty, np.roll(minima, -1, axis=1), minima)
    rows = minima.reshape(count, BANDS, BINS // BANDS)
    for column in range(rows.shape[2]):
        bands = mix(bands ^ (rows[:, :, column] + _M3))
    bands[~(minima > 0).any(axis=1)] = NONE
    return Sketches(chunks, bands)


def _chunk_hashes(tokens: Tokens, hashes: U64) -> tuple[npt.NDArray[np.int32], U64]:
    words = hashes[tokens.ids]
    owners = tokens.owners
    values = words
    for step in range(1, CHUNK):
        following = np.concatenate([words[step:], np.zeros(min(step, len(words)), np.uint64)])[: len(words)]
        values = mix(values * _M3 + following)
    position = np.arange(len(words)) - tokens.starts[owners]
    left = tokens.lengths[owners] - position
    whole = left >= CHUNK
    short = (position == 0) & (left < CHUNK)
    if short.any():
        at = np.flatnonzero(short)
        values = values.copy()
        values[at] = frame_hash(tokens, hashes)[0][owners[at]]
    keep = whole | short
    return owners[keep], values[keep]


def frame_hash(tokens: Tokens, hashes: U64) -> tuple[U64, U64]:
    """Hashes of the first and of the last six folded tokens of each text; zero for an empty text."""
    count = len(tokens.starts) - 1
    lengths = tokens.lengths
    out = []
    for backwards in (False, True):
        value = np.zeros(count, np.uint64)
        for step in range(FRAME):
            live = lengths > step
            at = tokens.starts[1:][live] - 1 - step if backwards else tokens.starts[:-1][live] + step
            value[live] = mix(value[live] * _M3 + hashes[tokens.ids[at]] + np.uint64(1))
        out.append(value)
    return out[0], out[1]


def whole_hash(tokens: Tokens, hashes: U64) -> U64:
    """One hash of each text's folded tokens in order; zero for an empty text."""
    words = hashes[tokens.ids]
    position = (np.arange(len(words)) - tokens.starts[tokens.owners]).astype(np.uint64)
    spread = mix(words + mix(position + _M3))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(spread, dtype=np.uint64)])
    total: U64 = mix(sums[tokens.starts[1:]] - sums[tokens.starts[:-1]])
    total[tokens.lengths == 0] = NONE
    return total


def containment(a: U64, b: U64) -> float:
    """Largest of the shares of one bottom-k sketch that stand in the other, within their common range; 0 to 1."""
    a, b = a[a > 0], b[b > 0]
    if not len(a) or not len(b):
        return 0.0
    common = np.intersect1d(a, b, assume_unique=True)
    limit = min(a.max(), b.max())
    within_a, within_b = (a <= limit).sum(), (b <= limit).sum()
    return float(max(len(common) / max(within_a, 1), len(common) / max(within_b, 1)))
