"""Link strands that ask about the same things in the same proportions: the semantic channel.

The only content link that reaches a campaign without a template. A strand's mean embedding is shrunk towards the
population by what its size allows to know, whitened by how strands differ in this log, and linked to its mutual
nearest neighbours of nearly the same direction.
"""

from __future__ import annotations

import numpy as np

from revenuer.link.template import Links
from revenuer.profile.events import F64, I64
from revenuer.profile.strands import StrandStats

NEIGHBOURS = 10
COSINE = 0.7
"""DESIGN 4.8: mutual ten nearest neighbours above .7 were .95 to 1.0 pure on the prototype's ranges."""


def whitened(stats: StrandStats, use: I64) -> F64:
    """Shrunk, whitened mean embeddings (len(use), 64) of the strands in `use`, unit length (zero if unknown)."""
    size = stats.size[use].astype(np.float64)
    mean = stats.vector[use] / size[:, None]
    total = mean.mean(axis=0)
    within = stats.square[use] - size * (mean * mean).sum(axis=1)
    noise = max(within.sum() / max(size.sum() - len(use), 1.0), 1e-6) / mean.shape[1]
    centred = mean - total
    spread = np.cov(centred.T) if len(use) > 2 else np.eye(mean.shape[1])
    values, axes = np.linalg.eigh(spread)
    # What of the spread is not noise: the mean noise of these strands is taken off, with a floor (equal strands: none).
    signal = np.maximum(values - noise * (1 / size).mean(), max(values.max() * 1e-3, 1e-12))
    along = centred @ axes
    shrunk = along * (signal / (signal + noise / size[:, None])) / np.sqrt(signal)
    norm = np.linalg.norm(shrunk, axis=1, keepdims=True)
    # Length tells how far the strand stands from the average customer, in standard deviations.
    direction: F64 = np.divide(shrunk, norm, out=np.zeros_like(shrunk), where=norm > 1e-9)
    return direction


def semantic_links(
    stats: StrandStats, account: I64, use: I64, neighbours: int = NEIGHBOURS, cosine: float = COSINE
) -> Links:
    """Mutual nearest neighbours among the strands `use` (numbers), at most one strand pair for two accounts."""
    if len(use) < 3:
        return Links(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    direction = whitened(stats, use).astype(np.float32)
    count = len(use)
    k = min(neighbours, count - 1)
    near = np.empty((count, k), np.int64)
    value = np.empty((count, k), np.float32)
    owner = account[use]
    for begin in range(0, count, 1024):
        block = direction[begin : begin + 1024] @ direction.T
        block[owner[begin : begin + 1024, None] == owner[None, :]] = -2
        top = np.argpartition(-block, k - 1, axis=1)[:, :k]
        near[begin : begin + 1024] = top
        value[begin : begin + 1024] = np.take_along_axis(block, top, axis=1)
    a = np.repeat(np.arange(count), k)
    b = near.reshape(-1)
    w = value.reshape(-1)
    keep = w >= cosine
    key = np.where(a < b, a * count + b, b * count + a)[keep]
    pair, times = np.unique(key, return_counts=True)
    weight = np.zeros(len(pair))
    weight[np.searchsorted(pair, key)] = w[keep]
    mutual = times == 2
    pair, weight = pair[mutual], weight[mutual]
    return Links(use[pair // count], use[pair % count], weight.astype(np.float64))
