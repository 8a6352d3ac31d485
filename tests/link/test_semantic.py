"""Semantic links: they depend on how strands lie to each other, not on axes, order or names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ortho_group

from revenuer.link.semantic import COSINE, semantic_links, whitened
from revenuer.profile.strands import StrandStats

DIM = 16


def strands(
    seed: int, clusters: int = 5, each: int = 6, alone: int = 40, spread: float = 0.02
) -> tuple[StrandStats, npt.NDArray[np.int64]]:
    """Strands of `clusters` shared pools, then strands with a pool of their own; and the number of each one's pool."""
    rng = np.random.default_rng(seed)
    pools = rng.normal(0, 0.3, (clusters + alone, DIM))
    pool = np.r_[np.repeat(np.arange(clusters), each), np.arange(clusters, clusters + alone)]
    size = rng.integers(10, 60, len(pool))
    noise = rng.normal(0, spread, (len(pool), DIM))
    vector = (pools[pool] + noise) * size[:, None]
    square = (vector**2).sum(axis=1) / size + (size - 1) * DIM * 0.1**2
    return StrandStats(size.astype(np.int64), vector, square), pool.astype(np.int64)


def pairs(
    stats: StrandStats, account: npt.NDArray[np.int64], use: npt.NDArray[np.int64], **more: Any
) -> set[tuple[int, int]]:
    found = semantic_links(stats, account, use, **more)
    assert (found.weight >= more.get("cosine", COSINE) - 1e-6).all()
    assert (found.weight <= 1 + 1e-6).all()
    assert (account[found.a] != account[found.b]).all()
    out = {(min(a, b), max(a, b)) for a, b in zip(found.a.tolist(), found.b.tolist(), strict=True)}
    assert len(out) == len(found.a)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_shards_of_one_pool_are_linked_and_strangers_are_not(seed: int) -> None:
    stats, pool = strands(seed)
    everyone = np.arange(len(pool))
    found = pairs(stats, everyone, everyone)
    inside = {(a, b) for a in everyone for b in everyone[a + 1 :] if pool[a] == pool[b]}
    assert len(found & inside) > 0.9 * len(inside)
    assert len(found - inside) <= 2


@pytest.mark.parametrize("seed", range(4))
def test_turning_the_axes_changes_nothing(seed: int) -> None:
    stats, pool = strands(seed)
    turn = ortho_group.rvs(DIM, random_state=seed)
    everyone = np.arange(len(pool))
    turned = StrandStats(stats.size, stats.vector @ turn, stats.square)
    assert pairs(turned, everyone, everyone) == pairs(stats, everyone, everyone)


@pytest.mark.parametrize("seed", range(4))
def test_order_and_names_change_nothing(seed: int) -> None:
    stats, pool = strands(seed)
    everyone = np.arange(len(pool))
    order = np.random.default_rng(seed).permutation(len(pool))
    shuffled = StrandStats(stats.size[order], stats.vector[order], stats.square[order])
    back = {(min(order[a], order[b]), max(order[a], order[b])) for a, b in pairs(shuffled, everyone * 7, everyone)}
    assert back == pairs(stats, everyone, everyone)
    assert pairs(stats, everyone, order) == pairs(stats, everyone, everyone)


def test_strands_of_one_account_are_not_linked_to_each_other() -> None:
    stats, pool = strands(1)
    everyone = np.arange(len(pool))
    assert not pairs(stats, np.zeros_like(everyone), everyone)
    twos = everyone // 2
    assert all(twos[a] != twos[b] for a, b in pairs(stats, twos, everyone))


def test_only_strands_in_use_are_linked() -> None:
    stats, pool = strands(2)
    use = np.arange(0, len(pool), 2)
    assert {node for pair in pairs(stats, np.arange(len(pool)), use) for node in pair} <= set(use.tolist())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_strands_have_no_neighbourhood(count: int) -> None:
    stats, _ = strands(1)
    assert not pairs(stats, np.arange(100), np.arange(count))


def test_few_strands_and_equal_strands_raise_no_warning() -> None:
    size = np.full(4, 5)
    same = StrandStats(size, np.ones((4, DIM)) * 5, np.full(4, 5.0 * DIM))
    assert not pairs(same, np.arange(4), np.arange(4))


def test_directions_have_unit_length() -> None:
    stats, pool = strands(3)
    length = np.linalg.norm(whitened(stats, np.arange(len(pool))), axis=1)
    assert length == pytest.approx(1.0)


def test_a_link_is_mutual() -> None:
    # A hub near many: each of them names it, it names only its two nearest.
    stats, _ = strands(4, clusters=1, each=12, alone=30)
    everyone = np.arange(len(stats.size))
    found = pairs(stats, everyone, everyone, neighbours=2)
    assert max(np.bincount(np.array(sorted(found)).reshape(-1))) <= 2
