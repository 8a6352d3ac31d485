from __future__ import annotations

import pyarrow as pa
import pytest
from tests.store.events import SCHEMA, events

from revenuer.store import StoreError
from revenuer.store.tables import batches, between, checked, ordered, second_counts


def test_ordered_is_by_time_then_by_the_bytes_of_the_id() -> None:
    table = ordered(events([10, 9, 2, 1], [1.0, 1.0, 1.0, 0.0]))
    assert table.column("id").to_pylist() == ["ex-1", "ex-10", "ex-2", "ex-9"]


def test_between_is_half_open() -> None:
    assert between(events([1, 2, 3]), 1.0, 3.0).num_rows == 2
    assert between(events([]), 0.0, 1.0).num_rows == 0


def test_batches_join_chunks() -> None:
    table = pa.concat_tables([events([1]), events([2]), events([3])])
    assert [batch.num_rows for batch in batches(table, ["id"], 2)] == [2, 1]


def test_second_counts() -> None:
    seconds, counts = second_counts(events([1, 2, 3], [1.9, 1.1, 7.0]).column("ts").to_numpy())
    assert (seconds.tolist(), counts.tolist()) == ([1.0, 7.0], [2, 1])


def test_a_refusal_says_what_is_stored() -> None:
    checked(events([1]), SCHEMA)
    with pytest.raises(StoreError, match=r"another schema .* use a new output directory .*bands"):
        checked(events([1]).drop_columns(["bands"]), SCHEMA)
