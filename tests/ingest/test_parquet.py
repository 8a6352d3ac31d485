from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.recorded import ANY_EXCHANGE, FIXTURES, chunks, exchanges, reasons, simple, to_parquet

from revenuer.ingest.parquet import row_count
from revenuer.records import Exchange

ROWS: list[dict[str, Any]] = [msgspec.to_builtins(simple(number)) for number in range(10)]


@given(st.lists(ANY_EXCHANGE, min_size=1, max_size=5))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, made: list[Exchange]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    nested = ("params", "response", "usage")  # a struct needs a field; JSON text does not
    rows = [{k: json.dumps(v) if k in nested else v for k, v in msgspec.to_builtins(e).items()} for e in made]
    every = dict.fromkeys(field.name for field in msgspec.structs.fields(Exchange))
    assert exchanges(to_parquet(path, [{**every, **row} for row in rows])) == made


@pytest.mark.parametrize("messages", [lambda value: value, json.dumps])
def test_messages_as_structs_or_as_json(tmp_path: Path, messages: Any) -> None:
    rows = [{**row, "messages": messages(row["messages"])} for row in ROWS]
    assert exchanges(to_parquet(tmp_path / "a", rows)) == [simple(number) for number in range(10)]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_and_zone(tmp_path: Path, unit: str, zone: str | None) -> None:
    table = pa.Table.from_pylist(ROWS[:1])
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    column = pa.array([moment], pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone))
    pq.write_table(table.set_column(table.schema.get_field_index("ts"), "ts", column), tmp_path / "a")
    assert exchanges(tmp_path / "a")[0].ts == 1767225600.0


def test_numbers_that_are_not_are_absent(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "status": 200.0, "latency_ms": float("nan")}, {**ROWS[1], "ts": float("nan")}]
    [chunk] = chunks(to_parquet(tmp_path / "a", rows))
    assert (chunk.exchanges[0].status, chunk.exchanges[0].latency_ms) == (200, None)
    assert [row.reason for row in chunk.rejected] == ["ts: missing"]


def test_a_value_that_cannot_be_read_costs_its_own_row(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS[:3])
    broken = pa.array([b"fine", b"\xff\xfe", b"fine"]).view(pa.string())
    pq.write_table(table.append_column("model", broken), tmp_path / "a")
    [chunk] = chunks(tmp_path / "a")
    assert chunk.rows == [1, 3]
    assert chunk.rejected[0].reason.startswith("a value cannot be read")


def test_a_damaged_row_group_costs_its_rows_and_no_more(tmp_path: Path) -> None:
    path = to_parquet(tmp_path / "a", ROWS, row_group_size=5)
    column = pq.read_metadata(path).row_group(0).column(0)
    data = bytearray(path.read_bytes())
    at = column.dictionary_page_offset or column.data_page_offset
    data[at : at + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))
    [chunk] = chunks(path)
    assert chunk.rows == [6, 7, 8, 9, 10]
    assert chunk.rejected[0].reason.startswith("rows 1 to 5 cannot be read")


def test_a_file_cut_off(tmp_path: Path) -> None:
    path = to_parquet(tmp_path / "a", ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    assert reasons(path)[0].startswith("1: not a readable Parquet file")
    assert row_count(str(path)) == 0


def test_other_formats_exported_as_tables(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (FIXTURES / "litellm.jsonl").read_text().splitlines()[:2]]
    flat = [{k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()} for row in rows]
    assert exchanges(to_parquet(tmp_path / "a", flat))[0].account == "team-a"
