"""The store on one machine: Parquet files beside a SQLite manifest, in one folder.

Every append becomes a Parquet file of its own, written under a temporary name, flushed to the disk, renamed, and then
made to count by one SQLite transaction that also records how far the logs were read: killed at any point, the store
holds the whole batch or nothing of it, and reading resumes with the first row that is not stored. Compaction and
retention work the same way. Files that no longer count are removed once no reader holds them.

Rows may come in any order of time; `scan` merges. One second's rows must fit in memory (a window of a scan is at least
that long). Not for several threads at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from revenuer.ingest import Position
from revenuer.store import BATCH_ROWS, Appended, Span, StoreError, StoreLocked
from revenuer.store.ids import SeenIds, hash_ids
from revenuer.store.manifest import DataFile, Manifest
from revenuer.store.tables import batches, between, checked, ordered, second_counts

PARTITION_ROWS = 500_000
"""A day with more rows is cut into hours, such an hour into minutes, such a minute into seconds."""
_GROUP_ROWS = 16_384
_HASH = "_id64"
_WIDTHS = (86400.0, 3600.0, 60.0, 1.0)


class EventStore:
    """Implements `store.Store` in the folder it was opened on."""

    def __init__(self, path: Path, manifest: Manifest, lock: IO[str] | None) -> None:
        """Use `open`."""
        self._path, self._manifest, self._lock = path, manifest, lock
        self._data = path / "data"
        self._schema = manifest.schema()
        self._seen = SeenIds()
        self._seed = int(manifest.meta("seed") or 0)
        self._retained = float(manifest.meta("retained") or -math.inf)

    @classmethod
    def open(cls, path: str | Path, read_only: bool = False) -> Self:
        """The store in folder `path`, made if there is none. One process at a time may have it open for writing.

        Raises StoreLocked naming the process that is writing; a lock left by one that died does not count. Raises
        StoreError where `read_only` finds no store, or the folder was written by another version.
        """
        path = Path(path)
        if read_only:
            if not (path / "manifest.sqlite").exists():
                raise StoreError(f"{path}: no store here")
            return cls(path, Manifest(path / "manifest.sqlite"), None)
        (path / "data").mkdir(parents=True, exist_ok=True)
        lock = _writer_lock(path)
        try:
            manifest = Manifest(path / "manifest.sqlite")
        except BaseException:
            lock.close()
            raise
        if manifest.meta("seed") is None:
            manifest.put_meta("seed", str(secrets.randbits(63)))
        store = cls(path, manifest, lock)
        try:
            store._remove_orphans()
            store._remove_replaced()
            store._load_ids()
        except BaseException:
            store.close()
            raise
        return store

    def append(self, table: Any, positions: Mapping[str, Position], state: Mapping[str, Any] | None = None) -> Appended:
        self._writing()
        table = checked(table, self._schema)
        current = between(table, self._retained, math.inf)
        hashes = hash_ids(current.column("id").to_pylist(), self._seed)
        new = self._seen.new(hashes)
        kept = current if new.all() else current.filter(pa.array(new))
        duplicates = current.num_rows - kept.num_rows
        files = []
        if kept.num_rows:
            files.append(self._write(ordered(kept.append_column(_HASH, pa.array(hashes[new]))), sealed=False))
        with self._manifest.transaction():
            if self._schema is None:
                self._manifest.put_schema(table.schema)
            self._manifest.add(files)
            self._manifest.put_positions(positions)
            self._manifest.put_state(state or {})
            if duplicates:
                self._manifest.put_meta("duplicates", str(self._manifest.span().duplicates + duplicates))
        self._schema = table.schema if self._schema is None else self._schema
        self._seen.add(hashes[new])
        return Appended(kept.num_rows, duplicates, table.num_rows - current.num_rows)

    def scan(
        self,
        columns: Sequence[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[Any]:
        low, high = -math.inf if start is None else start, math.inf if end is None else end
        with self._reading():
            files = [f for f in self._manifest.files() if f.max_ts >= low and f.min_ts < high]
            schema = self._manifest.schema()
            if schema is None:
                return
            wanted = list(schema.names if columns is None else dict.fromkeys([*columns, "id", "ts"]))
            for window in self._windows(files, low, high, max(batch_rows, BATCH_ROWS)):
                table = self._rows(files, wanted, *window)
                if table is not None:
                    yield from batches(ordered(table), columns, batch_rows)

    def compact(self) -> None:
        self._writing()
        files = self._manifest.files()
        loose = [file for file in files if not file.sealed]
        if not loose:
            return
        seconds, counts = self._histogram(loose)
        days = np.unique(np.floor(seconds / _WIDTHS[0]))
        touched = [f for f in files if f.sealed and np.floor(f.min_ts / _WIDTHS[0]) in days]
        inputs = loose + touched
        if touched:
            seconds, counts = self._histogram(inputs)
        names = [*self._known_schema().names, _HASH]
        made = []
        for start, end in _partitions(seconds, counts, 0):
            table = self._rows(inputs, names, start, end)
            if table is not None:
                made.append(self._write(ordered(table), sealed=True))
        with self._manifest.transaction():
            self._manifest.add(made)
            self._manifest.replace(file.name for file in inputs)
        self._remove_replaced()

    def retain(self, before: float) -> int:
        self._writing()
        self._retained = max(self._retained, before)
        old = [file for file in self._manifest.files() if file.min_ts < before]
        made, dropped = [], 0
        for file in old:
            rest = None
            if file.max_ts >= before:
                rest = self._rows([file], [*self._known_schema().names, _HASH], before, math.inf)
                assert rest is not None
                made.append(self._write(rest, sealed=file.sealed))
            dropped += file.rows - (0 if rest is None else int(rest.num_rows))
        with self._manifest.transaction():
            self._manifest.put_meta("retained", repr(self._retained))
            self._manifest.add(made)
            self._manifest.replace(file.name for file in old)
        self._remove_replaced()
        if old:
            self._load_ids()
        return dropped

    def span(self) -> Span:
        return self._manifest.span()

    def positions(self) -> dict[str, Position]:
        return self._manifest.positions()

    def get_state(self, key: str) -> Any:
        return self._manifest.state(key)

    def put_state(self, key: str, value: Any) -> None:
        self._writing()
        with self._manifest.transaction():
            self._manifest.put_state({key: value})

    def close(self) -> None:
        """Release the folder. Everything that was acknowledged is on the disk already."""
        self._manifest.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _writing(self) -> None:
        if self._lock is None:
            raise StoreError(f"{self._path}: opened for reading only, or closed")

    def _known_schema(self) -> Any:
        assert self._schema is not None
        return self._schema

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Keeps the files that count now from being removed; released by the system if the process dies."""
        with (self._path / "readers.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield

    def _write(self, table: Any, sealed: bool) -> DataFile:
        ts = table.column("ts").to_numpy()
        name = f"{'part' if sealed else 'segment'}-{int(ts[0])}-{secrets.token_hex(8)}.parquet"
        temporary = self._data / f"{name}.tmp"
        try:
            with temporary.open("wb") as stream:
                pq.write_table(table, stream, compression="zstd", row_group_size=_GROUP_ROWS, write_statistics=["ts"])
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(self._data / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(self._data, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return DataFile(name, sealed, table.num_rows, float(ts[0]), float(ts[-1]))

    def _rows(self, files: Sequence[DataFile], columns: list[str], start: float, end: float) -> Any | None:
        """The rows of `files` with start <= ts < end, in no order; None where there are none."""
        tables = []
        for file in files:
            if file.max_ts < start or file.min_ts >= end:
                continue
            with pq.ParquetFile(self._data / file.name) as parquet:
                at = parquet.schema_arrow.names.index("ts")
                groups = []
                for number in range(parquet.num_row_groups):
                    bounds = _bounds(parquet, number, at)
                    if bounds is None or (bounds.max >= start and bounds.min < end):
                        groups.append(number)
                table = between(parquet.read_row_groups(groups, columns=columns), start, end)
            if table.num_rows:
                tables.append(table)
        return pa.concat_tables(tables) if tables else None

    def _histogram(self, files: Sequence[DataFile]) -> tuple[Any, Any]:
        """The distinct whole seconds in `files`, ascending, and their rows."""
        parts = [second_counts(pq.read_table(self._data / f.name, columns=["ts"])["ts"].to_numpy()) for f in files]
        seconds, inverse = np.unique(np.concatenate([second for second, _ in parts]), return_inverse=True)
        return seconds, np.bincount(inverse, weights=np.concatenate([count for _, count in parts])).astype(np.int64)

    def _windows(self, files: Sequence[DataFile], start: float, end: float, rows: int) -> Iterator[tuple[float, float]]:
        """Consecutive windows of time in [start, end) that cover all rows, of about `rows` rows each."""
        if sum(file.rows for file in files) <= rows:
            yield start, end
            return
        seconds, counts = self._histogram(files)
        cuts = np.flatnonzero(np.diff(np.cumsum(counts) // rows)) + 1
        bounds = [start, *(float(second) for second in seconds[cuts] if start < second < end), end]
        yield from itertools.pairwise(bounds)

    def _load_ids(self) -> None:
        self._seen = SeenIds()
        found = [
            pq.read_table(self._data / file.name, columns=[_HASH])[_HASH].to_numpy() for file in self._manifest.files()
        ]
        if found:
            self._seen.add(np.concatenate(found))

    def _remove_orphans(self) -> None:
        """Files of a writer that died before its transaction."""
        known = self._manifest.names()
        for file in self._data.iterdir():
            if file.name not in known:
                file.unlink()

    def _remove_replaced(self) -> None:
        """Files that no longer count, unless someone is reading; then a later call removes them."""
        replaced = self._manifest.replaced()
        if not replaced:
            return
        with (self._path / "readers.lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            for name in replaced:
                (self._data / name).unlink(missing_ok=True)
            with self._manifest.transaction():
                self._manifest.forget(replaced)


def _bounds(parquet: Any, group: int, column: int) -> Any:
    return parquet.metadata.row_group(group).column(column).statistics


def _partitions(seconds: Any, counts: Any, level: int) -> Iterator[tuple[float, float]]:
    """Windows of a day, or of the next smaller width where a window holds more than PARTITION_ROWS rows."""
    width = _WIDTHS[level]
    keys = np.floor(seconds / width)
    for key in np.unique(keys):
        inside = keys == key
        if level + 1 < len(_WIDTHS) and counts[inside].sum() > PARTITION_ROWS:
            yield from _partitions(seconds[inside], counts[inside], level + 1)
        else:
            yield float(key * width), float((key + 1) * width)


def _writer_lock(path: Path) -> IO[str]:
    """The held lock; the system releases it when the process ends, however it ends."""
    handle = (path / "writer.lock").open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise StoreLocked(f"{path} is being written by process {holder}; wait for it or end it") from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle
