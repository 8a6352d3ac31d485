"""Tables of events for the tests of stores, with every kind of column that fingerprints have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from revenuer.ingest import Position
from revenuer.store import Store

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("ts", pa.float64()),
        ("account", pa.string()),
        ("tokens", pa.int32()),
        ("bands", pa.binary(8)),
        ("embedding", pa.list_(pa.int8(), 4)),
        ("chunks", pa.list_(pa.uint64())),
        ("model", pa.dictionary(pa.int16(), pa.string())),
    ]
)


def events(ids: Sequence[int], ts: Sequence[float] | None = None) -> Any:
    """A table of one row an id; `ts` is the id unless given."""
    rows = [
        {
            "id": f"ex-{number}",
            "ts": float(number) if ts is None else ts[at],
            "account": f"acct-{number % 7}",
            "tokens": number if number % 3 else None,
            "bands": number.to_bytes(8, "big"),
            "embedding": [number % 100, 1, 2, 3],
            "chunks": list(range(number % 4)),
            "model": f"m-{number % 2}",
        }
        for at, number in enumerate(ids)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def position(row: int, path: str = "a.jsonl") -> Position:
    return Position(path=path, size=1000, head="h", row=row, offset=10 * row)


def ids(store: Store, **options: Any) -> list[int]:
    """The numbers of all stored ids in the order of a scan."""
    return [int(name[3:]) for batch in store.scan(["id"], **options) for name in batch.column(0).to_pylist()]


def rows(batches: Iterator[Any]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]
