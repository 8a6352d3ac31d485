"""Checks and orderings of event tables that every store implementation shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from revenuer.store import StoreError

REQUIRED = {"id": pa.string(), "ts": pa.float64(), "account": pa.string()}
ORDER = [("ts", "ascending"), ("id", "ascending")]


def checked(table: Any, schema: Any | None) -> Any:
    """`table` with its chunks joined, once it is a table of events and of `schema`. Raises StoreError."""
    for name, kind in REQUIRED.items():
        if name not in table.schema.names or table.schema.field(name).type != kind:
            raise StoreError(f"a table of events needs the column {name}: {kind}")
        if table.column(name).null_count:
            raise StoreError(f"column {name}: a value is missing")
    if table.num_rows and not pc.all(pc.is_finite(table.column("ts"))).as_py():
        raise StoreError("column ts: a value is not finite")
    if schema is not None and not table.schema.equals(schema):
        raise StoreError(
            "these events have another schema than those in the store; use a new output directory "
            f"(stored: {', '.join(f'{field.name}: {field.type}' for field in schema)})"
        )
    return table


def ordered(table: Any) -> Any:
    """`table` sorted by (ts, id)."""
    return table.take(pc.sort_indices(table, sort_keys=ORDER)) if table.num_rows > 1 else table


def between(table: Any, start: float, end: float) -> Any:
    """Rows of `table` with start <= ts < end."""
    ts = table.column("ts").to_numpy()
    mask = (ts >= start) & (ts < end)
    return table if mask.all() else table.filter(pa.array(mask))


def batches(table: Any, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """Record batches of at most `rows` rows with `columns` in their order."""
    chosen = table.select(list(columns)) if columns is not None else table
    yield from chosen.combine_chunks().to_batches(max_chunksize=rows)


def second_counts(ts: Any) -> tuple[Any, Any]:
    """The distinct whole seconds of `ts` (numpy floats) and how many rows each has."""
    return np.unique(np.floor(ts), return_counts=True)
