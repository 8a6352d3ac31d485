"""What every event store promises, run on each implementation in `STORES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.events import SCHEMA, events, ids, position, rows

from revenuer.store import Appended, Store, StoreError
from revenuer.store.embedded import EventStore
from revenuer.store.memory import MemoryStore

STORES: dict[str, Callable[[Path], Store]] = {
    "embedded": EventStore.open,
    "memory": lambda _: MemoryStore(),
}


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest) -> Callable[[Path], Store]:
    return STORES[request.param]


@pytest.fixture
def store(opened: Callable[[Path], Store], tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as made:
        yield made


def test_an_empty_store(store: Store) -> None:
    assert list(store.scan()) == []
    assert store.positions() == {}
    assert store.get_state("x") is None
    assert store.span().rows == 0
    assert store.span().first_ts != store.span().first_ts, "not a number"
    assert store.retain(5) == 0
    store.compact()


def test_what_was_appended_comes_back_whole(store: Store) -> None:
    assert store.append(events(range(100)), {}) == Appended(100, 0, 0)
    batches = list(store.scan())
    assert all(batch.schema.equals(SCHEMA) for batch in batches)
    assert rows(iter(batches)) == events(range(100)).to_pylist()


def test_order_is_by_time_then_id_over_all_appends(store: Store) -> None:
    for start in (50, 10, 30):
        store.append(events(range(start, start + 20)), {})
    store.append(events([3, 1, 2], [15.5, 15.5, 15.5]), {})
    expected = [*range(10, 16), 1, 2, 3, *range(16, 70)]
    assert ids(store) == expected
    store.compact()
    assert ids(store) == expected


def test_duplicates_are_dropped_and_counted(store: Store) -> None:
    assert store.append(events([1, 2, 1, 3]), {}) == Appended(3, 1, 0)
    assert store.append(events([3, 4]), {}) == Appended(1, 1, 0)
    store.compact()
    assert store.append(events([1, 2, 3, 4]), {}) == Appended(0, 4, 0)
    assert ids(store) == [1, 2, 3, 4]
    assert store.span().duplicates == 6


def test_the_first_of_two_rows_with_one_id_is_kept(store: Store) -> None:
    store.append(events([1, 1], [5.0, 6.0]), {})
    store.append(events([1], [7.0]), {})
    assert [row["ts"] for row in rows(store.scan())] == [5.0]


def test_columns_and_batches(store: Store) -> None:
    store.append(events(range(10)), {})
    batches = list(store.scan(["tokens", "id"], batch_rows=4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert batches[0].schema.names == ["tokens", "id"]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_scan_covers_start_and_not_end(store: Store, compacted: bool) -> None:
    for start in (0, 50):
        store.append(events(range(start, start + 50)), {})
    if compacted:
        store.compact()
    assert ids(store, start=10, end=60) == list(range(10, 60))
    assert ids(store, start=98) == [98, 99]
    assert ids(store, end=2.5) == [0, 1, 2]
    assert ids(store, start=40.5, end=40.6) == []
    assert ids(store, start=60, end=50) == []


def test_positions_and_state_come_with_the_rows(store: Store) -> None:
    store.append(events([1]), {"a": position(1), "b": position(7)}, {"rejected": 3})
    store.append(events([1]), {"a": position(2)}, {"rejected": [4]})
    assert store.positions() == {"a": position(2), "b": position(7)}, "recorded even where every row is a duplicate"
    assert store.get_state("rejected") == [4]
    store.put_state("rejected", {"n": None})
    assert store.get_state("rejected") == {"n": None}


def test_retention_drops_old_rows_for_good(store: Store) -> None:
    store.append(events(range(10)), {})
    store.compact()
    store.append(events(range(10, 20)), {})
    assert store.retain(5) == 5
    assert ids(store) == list(range(5, 20))
    assert store.append(events([1, 4, 5, 25]), {}) == Appended(1, 1, 2)
    assert store.retain(3) == 0, "never back"
    assert store.append(events([4]), {}) == Appended(0, 0, 1)
    assert store.retain(15) == 10
    assert ids(store) == [15, 16, 17, 18, 19, 25]
    assert (store.span().rows, store.span().first_ts, store.span().last_ts) == (6, 15.0, 25.0)


def test_a_scan_under_way_sees_what_was_there_when_it_began(store: Store) -> None:
    store.append(events(range(30)), {})
    store.append(events(range(30, 60)), {})
    scan = store.scan(["id"], batch_rows=10)
    first = next(scan)
    store.append(events(range(60, 90)), {})
    store.compact()
    store.retain(50)
    assert first.num_rows + sum(batch.num_rows for batch in scan) == 60
    assert ids(store) == list(range(50, 90))


@pytest.mark.parametrize(
    "table",
    [
        events([2]).drop_columns(["account"]),
        events([2]).drop_columns(["tokens"]),
        events([2]).set_column(1, "ts", pa.array([None], pa.float64())),
        events([2]).set_column(1, "ts", pa.array([float("nan")])),
        events([2]).set_column(1, "ts", pa.array([2], pa.int64())),
    ],
)
def test_tables_that_do_not_belong_are_refused_whole(store: Store, table: object) -> None:
    store.append(events([1]), {"a": position(1)})
    with pytest.raises(StoreError):
        store.append(table, {"a": position(9)})
    assert ids(store) == [1]
    assert store.positions() == {"a": position(1)}


def test_an_empty_table_fixes_the_schema_and_stores_nothing(store: Store) -> None:
    assert store.append(events([]), {"a": position(5)}) == Appended(0, 0, 0)
    assert list(store.scan()) == []
    assert store.positions() == {"a": position(5)}


STEP = st.one_of(
    st.tuples(st.just("append"), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3 * 86400)), max_size=12)),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("retain"), st.integers(0, 3 * 86400)),
)


@settings(max_examples=25)
@given(st.lists(STEP, max_size=8))
def test_every_store_does_the_same(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]) -> None:
    stores = {name: make(tmp_path_factory.mktemp("store")) for name, make in STORES.items()}
    for step, value in steps:
        results: list[object] = []
        for store in stores.values():
            match step, value:
                case "append", list():
                    results.append(store.append(events([i for i, _ in value], [float(t) for _, t in value]), {}))
                case "retain", int():
                    results.append(store.retain(value))
                case _:
                    store.compact()
        assert results == results[:1] * len(results)
    contents = [rows(store.scan()) for store in stores.values()]
    assert contents == contents[:1] * len(contents)
    for store in stores.values():
        store.close()
