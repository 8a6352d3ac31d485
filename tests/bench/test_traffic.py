"""What every baseline reads: order, caps, distances and shared keys, none of which may look ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.traffic import KEPT_PER_DOUBLING, KEPT_WHOLE, Traffic, harvest_of
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.conftest import by_hand

from revenuer.records import Account, Exchange, Message


def exchange(number: int, account: str, *, text: str = "How do tides work?", ip: str | None = None) -> Exchange:
    return Exchange(id=f"x{number}", ts=float(number), account=account, messages=(Message("user", text),), ip=ip)


def test_rows_are_sorted_by_account_and_time(fold_b: Path) -> None:
    traffic = Traffic.load(fold_b)
    assert list(traffic.names) == sorted(traffic.names)
    assert np.lexsort((traffic.ts, traffic.account)).tolist() == list(range(len(traffic)))
    assert np.abs(np.linalg.norm(traffic.embedding, axis=1) - 1).max() < 0.01
    assert sum(map(len, traffic.times)) == len(harvest_of(fold_b)) >= len(traffic)
    assert traffic.bags.shape[0] == len(traffic)


def test_the_order_of_chunks_of_equal_times_does_not_matter() -> None:
    rows = [exchange(i, "ab"[i % 2], text=f"What is {i} plus {i * 7}?") for i in range(40)]
    one, two = Traffic.of([rows], {}), Traffic.of([rows[:13], rows[13:]], {})
    assert one.ids.tolist() == two.ids.tolist()
    assert np.array_equal(one.embedding, two.embedding)
    assert (one.bags != two.bags).nnz == 0


def test_large_accounts_are_capped_and_small_ones_are_whole() -> None:
    rows = [exchange(i, "large") for i in range(4096)] + [exchange(10_000 + i, "small") for i in range(KEPT_WHOLE)]
    traffic = Traffic.of([rows], {})
    large, small = (len(traffic.ids[traffic.rows(i)]) for i in range(2))
    assert small == KEPT_WHOLE
    expected = KEPT_WHOLE + 5 * KEPT_PER_DOUBLING
    assert abs(large - expected) < 100
    assert len(traffic.times[0]) == 4096


def test_what_is_kept_of_a_log_is_kept_of_every_longer_one() -> None:
    rows = [exchange(i, "large") for i in range(1500)]
    short, long = Traffic.of([rows[:700]], {}), Traffic.of([rows], {})
    assert short.ids.tolist() == long.ids[: len(short)].tolist()


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=2, max_size=12))
def test_nearest_earlier_is_the_least_distance_to_what_came_before(vectors: list[list[float]]) -> None:
    rows = np.array(vectors, np.float32) + np.array([0, 0, 2], np.float32)
    traffic = by_hand([rows])
    unit = traffic.embedding.astype(np.float64)
    found = traffic.nearest_earlier
    assert np.isnan(found[0])
    for row in range(1, len(rows)):
        assert found[row] == pytest.approx(np.linalg.norm(unit[:row] - unit[row], axis=1).min(), abs=2e-3)


def test_keys_are_known_from_when_they_were_seen() -> None:
    rows = [exchange(i, "a", ip="198.51.100.7") for i in range(5)] + [exchange(9, "b", ip="198.51.100.200")]
    books = {"a": Account(account="a", payment="card"), "b": Account(account="b", payment="card")}
    keys = Traffic.of([rows], books).keys
    since = {(int(a), int(k)): float(s) for a, k, s in zip(keys.account, keys.key, keys.since, strict=True)}
    shared = {k for a, k in since if a == 0} & {k for a, k in since if a == 1}
    # The network and the payment; the first words recur in `a` alone, and only from their third use.
    assert len(shared) == 2
    assert {since[0, k] for k in shared} == {0.0}
    assert {since[1, k] for k in shared} == {9.0}
    assert {s for (a, k), s in since.items() if a == 0 and k not in shared} == {2.0}


def test_a_log_without_exchanges_is_refused() -> None:
    with pytest.raises(ValueError, match="no exchanges"):
        Traffic.of([], {})
