"""Which ids have been seen: exact but for collisions of a 64-bit hash, at 8 bytes an id (16 while growing).

The hash is xxh3 with a seed of the store's own. Two different ids among n collide with a probability of at most
n^2 / 2^65: 3e-6 for 10 million exchanges, 3e-4 for 100 million; the later one would then be taken for a duplicate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]


def hash_ids(ids: Sequence[str], seed: int) -> Hashes:
    """xxh3-64 of each id."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(name.encode(), seed) for name in ids), dtype=np.uint64, count=len(ids))


class SeenIds:
    """A set of hashes as a few sorted arrays, merged so that each is more than twice as long as the next."""

    def __init__(self) -> None:
        self._levels: list[Hashes] = []

    def new(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Mask of those of `hashes` that were never added and are the first of their kind here."""
        mask = np.zeros(len(hashes), dtype=bool)
        mask[np.unique(hashes, return_index=True)[1]] = True
        for level in self._levels:
            at = np.searchsorted(level, hashes)
            at[at == len(level)] = 0
            mask &= level[at] != hashes
        return mask

    def add(self, hashes: Hashes) -> None:
        """Remember `hashes`, which `new` found to be new."""
        if not len(hashes):
            return
        self._levels.append(np.sort(hashes))
        while len(self._levels) > 1 and 2 * len(self._levels[-1]) >= len(self._levels[-2]):
            last = self._levels.pop()
            merged = np.concatenate([self._levels.pop(), last])
            merged.sort(kind="stable")  # two sorted runs: radix or timsort, not a sort from nothing
            self._levels.append(merged)

    def __len__(self) -> int:
        return sum(map(len, self._levels))
