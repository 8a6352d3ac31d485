from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.store.events import events, ids, position, rows

from revenuer.store import Appended, StoreError, StoreLocked, embedded
from revenuer.store.embedded import EventStore


def data_files(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "data").iterdir())


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    with EventStore.open(tmp_path) as store:
        store.append(events(range(20)), {"a": position(20)}, {"k": 1})
        before = rows(store.scan())
    with EventStore.open(tmp_path) as store:
        assert rows(store.scan()) == before
        assert (store.positions(), store.get_state("k")) == ({"a": position(20)}, 1)
        assert store.append(events(range(15, 25)), {}) == Appended(5, 5, 0)
        store.compact()
        store.retain(10)
    with EventStore.open(tmp_path) as store:
        assert store.append(events(range(30)), {}) == Appended(5, 15, 10)
        assert ids(store) == list(range(10, 30))
        assert store.span().duplicates == 20


def test_one_writer_at_a_time_and_the_error_names_it(tmp_path: Path) -> None:
    with EventStore.open(tmp_path), pytest.raises(StoreLocked, match=rf"being written by process {os.getpid()};"):
        EventStore.open(tmp_path)
    EventStore.open(tmp_path).close()


def _hold(path: Path, ready: Any) -> None:
    store = EventStore.open(path)
    store.append(events([1]), {})
    ready.set()
    time.sleep(60)


def test_the_lock_of_a_dead_writer_does_not_count(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(StoreLocked, match=rf"process {process.pid};"):
        EventStore.open(tmp_path)
    with EventStore.open(tmp_path, read_only=True) as reader:
        assert ids(reader) == [1], "reading needs no lock"
    process.kill()
    process.join()
    with EventStore.open(tmp_path) as store:
        assert ids(store) == [1]


def test_readers_cannot_write_and_need_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store here"):
        EventStore.open(tmp_path, read_only=True)
    EventStore.open(tmp_path).close()
    with EventStore.open(tmp_path, read_only=True) as reader:
        assert list(reader.scan()) == []
        for act in (lambda: reader.append(events([1]), {}), reader.compact, lambda: reader.put_state("k", 1)):
            with pytest.raises(StoreError, match=r"for reading only"):
                act()


def test_compaction_makes_days_and_smaller_parts_where_a_day_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PARTITION_ROWS", 10)
    calm = [86400.0 + 3600 * n for n in range(8)]
    busy = [2 * 86400.0 + 600 * n for n in range(24)] + [2 * 86400.0 + 18000 + n / 10 for n in range(25)]
    with EventStore.open(tmp_path) as store:
        for start in range(0, 57, 19):
            numbers = range(start, start + 19)
            store.append(events(numbers, [(calm + busy)[n] for n in numbers]), {})
        before = rows(store.scan())
        store.compact()
        assert rows(store.scan()) == before
        files = store._manifest.files()
    assert all(file.sealed for file in files)
    assert [file.rows for file in files] == [8, 6, 6, 6, 6, 10, 10, 5]
    ends = [(file.min_ts, file.max_ts) for file in files]
    assert all(first[1] < second[0] for first, second in itertools.pairwise(ends))
    assert len(data_files(tmp_path)) == len(files), "what was replaced is gone"


def test_late_rows_join_the_day_they_belong_to(tmp_path: Path) -> None:
    with EventStore.open(tmp_path) as store:
        store.append(events([1, 2, 3], [10.0, 86410.0, 172810.0]), {})
        store.compact()
        untouched = [file.name for file in store._manifest.files() if file.min_ts != 86410.0]
        store.append(events([4], [86405.0]), {})
        store.compact()
        files = store._manifest.files()
        assert [file.rows for file in files] == [1, 2, 1]
        assert [file.name for file in files if file.rows == 1] == untouched
        assert ids(store) == [1, 4, 2, 3]


def test_large_scans_go_window_by_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "BATCH_ROWS", 50)
    numbers = list(range(1000))
    random.Random(1).shuffle(numbers)
    with EventStore.open(tmp_path) as store:
        for start in range(0, 1000, 100):
            store.append(events(numbers[start : start + 100]), {})
        windows = list(store._windows(store._manifest.files(), 0.0, 2000.0, 50))
        assert 15 <= len(windows) <= 21
        assert ids(store, batch_rows=50) == list(range(1000))
        assert ids(store, batch_rows=50, start=333, end=777.5) == list(range(333, 778))


def test_leftovers_of_a_dead_writer_are_removed(tmp_path: Path) -> None:
    with EventStore.open(tmp_path) as store:
        store.append(events([1]), {})
        kept = data_files(tmp_path)
    (tmp_path / "data" / "segment-9.parquet.tmp").write_bytes(b"half")
    (tmp_path / "data" / "segment-9.parquet").write_bytes(b"whole but never recorded")
    with EventStore.open(tmp_path) as store:
        assert data_files(tmp_path) == kept
        assert ids(store) == [1]


def test_files_that_a_reader_holds_are_removed_later(tmp_path: Path) -> None:
    with EventStore.open(tmp_path) as store, EventStore.open(tmp_path, read_only=True) as reader:
        store.append(events(range(5)), {})
        scan = reader.scan(["id"], batch_rows=2)
        next(scan)
        store.compact()
        assert len(data_files(tmp_path)) == 2
        assert sum(batch.num_rows for batch in scan) == 3
        store.append(events([9]), {})
        store.compact()
        assert len(data_files(tmp_path)) == 1


def test_a_failed_write_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EventStore.open(tmp_path) as store:
        store.append(events([1]), {"a": position(1)})

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                store.append(events([2]), {"a": position(2)})
        assert store.positions() == {"a": position(1)}
        assert store.append(events([2]), {"a": position(2)}) == Appended(1, 0, 0)
        assert ids(store) == [1, 2]


WRITER = """
import sys
from tests.store.events import events, position
from revenuer.store.embedded import EventStore
with EventStore.open(sys.argv[1]) as store:
    done = store.positions()["log"].row if store.positions() else 0
    for batch in range(done // 10, 100_000):
        numbers = list(range(10 * batch, 10 * batch + 10))
        store.append(events([*numbers, *numbers[:3]]), {"log": position(10 * batch + 10)}, {"batch": batch})
        print(10 * batch + 10, flush=True)
        if batch % 7 == 6:
            store.compact()
"""


def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path, repository: Path) -> None:
    chance, acknowledged = random.Random(7), 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=repository, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(chance.randint(1, 25)):
            acknowledged = int(process.stdout.readline())
        time.sleep(chance.random() / 50)
        process.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, process.stdout.read().splitlines())])
        process.stdout.close()
        process.wait()
        with EventStore.open(tmp_path) as store:
            found = ids(store)
            recorded = store.positions()["log"].row
            assert len(found) >= acknowledged
            assert found == list(range(len(found))), "no row lost, none twice"
            assert len(found) == recorded == 10 * (store.get_state("batch") + 1), "whole batches, with their position"
            assert rows(store.scan()) == events(found).to_pylist()
            counted = {file.name for file in store._manifest.files()}
            assert set(data_files(tmp_path)) == counted, "no leftovers"
