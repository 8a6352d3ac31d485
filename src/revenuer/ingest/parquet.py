"""Rows of a Parquet file, each as the JSON object that the other formats have on a line.

Columns are those of the exchange log. `messages` may be a list of structs or JSON text, `params`, `response` and
`usage` structs or JSON text, `ts` a number of seconds, a text or a timestamp (without a zone it is taken as UTC, as
the exchange log says). A float that is not a number counts as null: that is how nullable numbers come out of pandas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from revenuer.ingest.source import RowError
from revenuer.records import Exchange

MAGIC = b"PAR1"
_BATCH = 2048
_FIELDS = frozenset(field.name for field in msgspec.structs.fields(Exchange))
_encode = msgspec.json.Encoder().encode


def row_count(path: str) -> int:
    """Rows of the file; 0 where it cannot be read (`parquet_rows` says why)."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError, ValueError):
        return 0


def parquet_rows(
    path: str, row: int = 0, columns: Collection[str] = _FIELDS, wanted: Collection[int] | None = None
) -> Iterator[tuple[int, bytes | RowError]]:
    """(row number from 1, row as JSON) of every row after `row`, or only of those in `wanted`.

    Only `columns` are read when the file has the required ones among them, else every column is (a table exported
    from another format). What cannot be read comes as RowError: a whole file or row group as one.
    """
    try:
        file = pq.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if name in columns]
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError) as error:
        yield row + 1, RowError(f"not a readable Parquet file: {_first_line(error)}")
        return
    with file:
        first = 0  # rows before the group at hand
        chosen = names if {"id", "ts", "account", "messages"} <= set(names) else None
        for number, rows in enumerate(groups):
            inside = range(first + 1, first + rows + 1)
            if inside.stop > row + 1 and (wanted is None or any(w in inside for w in wanted)):
                yield from _group(file, number, inside, row, chosen, wanted)
            first += rows


def _group(
    file: Any, number: int, inside: range, row: int, columns: list[str] | None, wanted: Collection[int] | None
) -> Iterator[tuple[int, bytes | RowError]]:
    at = inside.start
    try:
        for batch in file.iter_batches(batch_size=_BATCH, row_groups=[number], columns=columns):
            rows = range(at, at + batch.num_rows)
            picked = [r for r in rows if r > row and (wanted is None or r in wanted)]
            if picked:
                if len(picked) < len(rows):
                    batch = batch.take(pa.array([r - at for r in picked]))
                yield from zip(picked, _as_json(batch), strict=True)
            at = rows.stop
    except (pa.ArrowException, OSError, ValueError) as error:
        yield max(at, row + 1), RowError(f"rows {at} to {inside.stop - 1} cannot be read: {_first_line(error)}")


def _as_json(batch: Any) -> Iterator[bytes | RowError]:
    arrays = [_epoch(column) if pa.types.is_timestamp(column.type) else column for column in batch.columns]
    batch = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
    try:
        yield from [_encode(row) for row in batch.to_pylist()]
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        for number in range(batch.num_rows):
            try:
                yield _encode(batch.slice(number, 1).to_pylist()[0])
            except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
                yield RowError(f"a value cannot be read: {_first_line(error)}")


def _epoch(column: Any) -> Any:
    """Timestamps of any unit and zone as seconds since the epoch."""
    micros = pc.cast(pc.cast(column, pa.timestamp("us", tz=column.type.tz), safe=False), pa.int64())
    return pc.divide(pc.cast(micros, pa.float64(), safe=False), 1e6)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
