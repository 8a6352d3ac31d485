"""The store's small state in SQLite: which files make up the data, how far logs were read, state of the pipeline.

Every change of what readers see is one transaction here; files are written before and removed after it.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from revenuer.ingest import Position
from revenuer.store import Span, StoreError

LAYOUT = "1"

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY, sealed INTEGER NOT NULL, rows INTEGER NOT NULL, min_ts REAL NOT NULL, max_ts REAL NOT NULL,
    live INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (file TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class DataFile(msgspec.Struct, frozen=True):
    """One Parquet file of rows sorted by (ts, id); `sealed` once it is a partition made by compaction."""

    name: str
    sealed: bool
    rows: int
    min_ts: float
    max_ts: float


class Manifest:
    """Typed access to `manifest.sqlite`."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            with self.transaction():
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                self._db.execute("INSERT OR IGNORE INTO meta VALUES ('layout', ?)", (LAYOUT,))
            layout = self.meta("layout")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreError(f"{path}: not a manifest of a store ({error})") from None
        if layout != LAYOUT:
            self._db.close()
            raise StoreError(f"{path}: written by another version of revenuer (layout {layout}, this one has {LAYOUT})")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are kept, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def schema(self) -> Any | None:
        """The pyarrow.Schema of the events, once there are any."""
        text = self.meta("schema")
        return None if text is None else pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))

    def put_schema(self, schema: Any) -> None:
        self.put_meta("schema", base64.b64encode(schema.serialize().to_pybytes()).decode())

    def files(self) -> list[DataFile]:
        """The files that make up the data now, in order of time."""
        found = self._db.execute(
            "SELECT name, sealed, rows, min_ts, max_ts FROM files WHERE live ORDER BY min_ts, max_ts, name"
        )
        return [DataFile(name, bool(sealed), rows, low, high) for name, sealed, rows, low, high in found]

    def names(self) -> set[str]:
        """Every file that is known, also those that no longer count."""
        return {name for (name,) in self._db.execute("SELECT name FROM files")}

    def replaced(self) -> list[str]:
        """Files that no longer count and wait to be removed."""
        return [name for (name,) in self._db.execute("SELECT name FROM files WHERE NOT live")]

    def add(self, files: Iterable[DataFile]) -> None:
        rows = [(f.name, f.sealed, f.rows, f.min_ts, f.max_ts) for f in files]
        self._db.executemany("INSERT INTO files (name, sealed, rows, min_ts, max_ts) VALUES (?, ?, ?, ?, ?)", rows)

    def replace(self, names: Iterable[str]) -> None:
        """These files no longer count."""
        self._db.executemany("UPDATE files SET live = 0 WHERE name = ?", [(name,) for name in names])

    def forget(self, names: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM files WHERE name = ? AND NOT live", [(name,) for name in names])

    def span(self) -> Span:
        rows, low, high = self._db.execute(
            "SELECT sum(rows), min(min_ts), max(max_ts) FROM files WHERE live"
        ).fetchone()
        nan = float("nan")
        return Span(
            rows or 0, nan if low is None else low, nan if high is None else high, int(self.meta("duplicates") or 0)
        )

    def positions(self) -> dict[str, Position]:
        rows = self._db.execute("SELECT file, position FROM positions")
        return {file: msgspec.json.decode(position, type=Position) for file, position in rows}

    def put_positions(self, positions: Mapping[str, Position]) -> None:
        rows = [(file, msgspec.json.encode(position).decode()) for file, position in positions.items()]
        self._db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", rows)

    def state(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def put_state(self, state: Mapping[str, Any]) -> None:
        rows = [(key, msgspec.json.encode(value).decode()) for key, value in state.items()]
        self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", rows)

    def close(self) -> None:
        self._db.close()
