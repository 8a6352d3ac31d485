"""The store as one table in memory: for tests and benches, and the plainest statement of the contract."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from revenuer.ingest import Position
from revenuer.store import BATCH_ROWS, Appended, Span
from revenuer.store.tables import batches, between, checked, ordered


class MemoryStore:
    """Implements `store.Store`; nothing outlives the object."""

    def __init__(self) -> None:
        self._table: Any = None
        self._ids: set[str] = set()
        self._positions: dict[str, Position] = {}
        self._state: dict[str, bytes] = {}
        self._duplicates = 0
        self._retained = -math.inf

    def append(self, table: Any, positions: Mapping[str, Position], state: Mapping[str, Any] | None = None) -> Appended:
        table = checked(table, None if self._table is None else self._table.schema)
        encoded = {key: msgspec.json.encode(value) for key, value in (state or {}).items()}
        current = between(table, self._retained, math.inf)
        mask = []
        for name in current.column("id").to_pylist():
            mask.append(name not in self._ids)
            self._ids.add(name)
        kept = current.filter(pa.array(mask, pa.bool_()))
        self._table = kept if self._table is None else pa.concat_tables([self._table, kept])
        duplicates = current.num_rows - kept.num_rows
        self._duplicates += duplicates
        self._positions.update(positions)
        self._state.update(encoded)
        return Appended(kept.num_rows, duplicates, table.num_rows - current.num_rows)

    def scan(
        self,
        columns: Sequence[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[Any]:
        if self._table is None:
            return
        low, high = -math.inf if start is None else start, math.inf if end is None else end
        yield from batches(ordered(between(self._table, low, high)), columns, batch_rows)

    def compact(self) -> None:
        """One table is as compact as it gets."""

    def retain(self, before: float) -> int:
        self._retained = max(self._retained, before)
        if self._table is None:
            return 0
        kept = between(self._table, before, math.inf)
        dropped = int(self._table.num_rows - kept.num_rows)
        self._table = kept
        self._ids = set(kept.column("id").to_pylist())
        return dropped

    def span(self) -> Span:
        rows = 0 if self._table is None else self._table.num_rows
        ends = pc.min_max(self._table.column("ts")).as_py() if rows else {"min": math.nan, "max": math.nan}
        return Span(rows, ends["min"], ends["max"], self._duplicates)

    def positions(self) -> dict[str, Position]:
        return dict(self._positions)

    def get_state(self, key: str) -> Any:
        return msgspec.json.decode(self._state[key]) if key in self._state else None

    def put_state(self, key: str, value: Any) -> None:
        self._state[key] = msgspec.json.encode(value)

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
