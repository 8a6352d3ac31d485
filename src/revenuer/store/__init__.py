"""Where fingerprints are kept: append-only, idempotent, in order of time; and small state beside them.

`Store` is the contract; every implementation passes the suite in `tests/contracts/test_store.py`. Tables are Arrow
with at least the columns `id: string`, `ts: double` (UTC seconds) and `account: string`, none of them null; the first
append fixes the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

import msgspec

from revenuer.ingest import Position

BATCH_ROWS = 65536


class StoreError(Exception):
    """The store cannot do what was asked; says why and what to do."""


class StoreLocked(StoreError):
    """Another process is writing to this store."""


class Appended(msgspec.Struct, frozen=True):
    """What became of a batch: `rows` kept, `duplicates` of ids already there, `expired` older than what is retained."""

    rows: int
    duplicates: int
    expired: int


class Span(msgspec.Struct, frozen=True):
    """What is stored: rows, earliest and latest `ts` (NaN where there are none), duplicates dropped so far."""

    rows: int
    first_ts: float
    last_ts: float
    duplicates: int


class Store(Protocol):
    """An event store for one Arrow schema, with one writer at a time."""

    def append(self, table: Any, positions: Mapping[str, Position], state: Mapping[str, Any] | None = None) -> Appended:
        """Store the rows of `table` (pyarrow.Table), how far each log has been read, and `state`: all or nothing.

        An id that is stored already, or comes twice in `table`, is dropped and counted. Once this returns, the rows
        survive a crash. Raises StoreError for a table of another schema or with a null in a required column.
        """
        ...

    def scan(
        self,
        columns: Sequence[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[Any]:
        """pyarrow.RecordBatch of `columns` (all) for start <= ts < end, in order of (ts, id).

        Sees the rows that were there when the iteration began, whatever is appended or compacted meanwhile.
        """
        ...

    def compact(self) -> None:
        """Rewrite what was appended into sorted partitions of a day or an hour; changes no result."""
        ...

    def retain(self, before: float) -> int:
        """Drop every row with ts < `before`, for good: later appends of such rows are dropped too. Rows dropped."""
        ...

    def span(self) -> Span: ...

    def positions(self) -> dict[str, Position]:
        """How far each log has been read, by file key: hand this to `ingest.read_logs(start=...)`."""
        ...

    def get_state(self, key: str) -> Any:
        """The JSON value kept under `key`, or None."""
        ...

    def put_state(self, key: str, value: Any) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
