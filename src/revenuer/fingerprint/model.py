"""The static embedding: a table of word-piece vectors that the `wordllama` package ships, nothing downloaded.

Word pieces are pooled by their mean, as the package does; the tables' vector norms already carry how much a word
means ("the" 0.8, "theorem" 8.2), so no further weighting is applied. Source: WordLlama, `l2_supercat_256`,
Matryoshka-truncated to 64 dimensions.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

DIM = 64
WEIGHTS = "l2_supercat_256"


class StaticModel:
    """Vectors of words from vectors of their pieces."""

    dim = DIM

    def __init__(self, table: npt.NDArray[np.float32], tokenizer: Any) -> None:
        self._table = table
        self._tokenizer = tokenizer

    def word_vectors(self, words: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Sum of the piece vectors (n, 64) and number of pieces (n,) of each word."""
        encoded = self._tokenizer.encode_batch(words, add_special_tokens=False)
        counts = np.array([len(item.ids) for item in encoded], np.int64)
        pieces = np.array([i for item in encoded for i in item.ids], np.int64)
        sums = np.zeros((len(words), self.dim), np.float32)
        if len(pieces):
            filled = counts > 0
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
            sums[filled] = np.add.reduceat(self._table[pieces], starts, axis=0)
        return sums, counts.astype(np.float32)


@lru_cache(maxsize=1)
def load() -> StaticModel:
    """The one model of this process, read from the installed package."""
    import wordllama

    package = Path(wordllama.__file__).parent
    loaded = wordllama.WordLlama.load(cache_dir=package, disable_download=True, dim=256, trunc_dim=DIM)
    loaded.tokenizer.no_padding()
    loaded.tokenizer.no_truncation()
    return StaticModel(np.ascontiguousarray(loaded.embedding, np.float32), loaded.tokenizer)
