from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.recorded import FIXTURES, PACK, chunks, exchanges, line, reasons, simple, to_parquet

from revenuer.ingest import SOURCES, IngestError, Position, fetch_texts, find_files, read_logs
from revenuer.ingest.source import MAX_ROW_BYTES


@pytest.fixture(scope="module", params=[*PACK, "parquet", "list"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 good rows in every container."""
    path = tmp_path_factory.mktemp("log") / "a.log"
    if request.param == "parquet":
        import msgspec

        return to_parquet(path, [msgspec.to_builtins(simple(n)) for n in range(100)], row_group_size=13)
    if request.param == "list":
        path.write_bytes(b"[" + b",".join(line(simple(n)) for n in range(100)) + b"]")
        return path
    path.write_bytes(PACK[request.param](b"".join(line(simple(n)) for n in range(100))))
    return path


def test_rows_come_in_order_with_their_numbers(log: Path) -> None:
    found = chunks(log, chunk_rows=30)
    assert [e.id for chunk in found for e in chunk.exchanges] == [f"ex-{n}" for n in range(100)]
    assert [row for chunk in found for row in chunk.rows] == list(range(1, 101))
    assert [chunk.position.done for chunk in found] == [False, False, False, True]


def test_progress_goes_up_to_the_size_on_disk(log: Path) -> None:
    read = [chunk.bytes_read for chunk in chunks(log, log.parent / "*.log", chunk_rows=30)]
    assert read == sorted(read)
    assert read[-1] == chunks(log)[0].bytes_total == log.stat().st_size


@pytest.mark.parametrize("size", [1, 7, 30, 1000])
def test_resuming_after_any_chunk_gives_exactly_the_rest(log: Path, size: int) -> None:
    found = chunks(log, chunk_rows=size)
    for number, chunk in enumerate(found[:40]):
        rest = chunks(log, start={chunk.position.path: chunk.position})
        assert [e.id for c in rest for e in c.exchanges] == [e.id for c in found[number + 1 :] for e in c.exchanges]
        assert [r for c in rest for r in c.rows] == [r for c in found[number + 1 :] for r in c.rows]


def test_fetch_texts_decodes_only_what_is_wanted(log: Path) -> None:
    got = [(file, row, exchange.id) for file, row, exchange in fetch_texts([log], {0: [3, 4, 99]})]
    assert got == [(0, 3, "ex-2"), (0, 4, "ex-3"), (0, 99, "ex-98")]
    assert list(fetch_texts([log], {0: []})) == []


def test_fetch_texts_over_several_files_and_spans_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(simple(1)) + b"not json\n" + line(simple(2)))
    paths = [tmp_path / "a.jsonl", FIXTURES / "otlp_new.jsonl"]
    got = [(file, row, e.account) for file, row, e in fetch_texts(paths, {1: [1], 0: [2, 3]})]
    assert got == [(0, 3, "acct-2"), (1, 1, "acct-9"), (1, 1, "acct-10")]


def test_bad_rows_are_told_with_file_line_and_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(simple(1)) + b"\n{\xff}\n" + b'{"id":"a"}\n' + line(simple(2)) + b'{"id":')
    [chunk] = chunks(path)
    assert [e.id for e in chunk.exchanges] == ["ex-1", "ex-2"]
    assert [(row.file, row.line) for row in chunk.rejected] == [(str(path), 3), (str(path), 4), (str(path), 6)]
    assert [row.reason.split(":")[0] for row in chunk.rejected] == ["not valid JSON", "ts", "incomplete last line"]
    assert chunk.rejected[0].row == "{\ufffd}"


def test_shown_rows_are_cut(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": "' + "é".encode() * 100_000 + b'"}\n')
    [rejected] = chunks(tmp_path / "a.jsonl")[0].rejected
    assert len(rejected.row) == 2000


def test_a_row_longer_than_any_exchange(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"x":"' + b"x" * MAX_ROW_BYTES + b'"}\n' + line(simple(1)))
    assert reasons(tmp_path / "a.jsonl") == ["1: line is longer than 16,777,216 bytes"]


@pytest.mark.parametrize("pack", ["gz", "zst"])
def test_compressed_data_cut_off_keeps_the_rows_before(tmp_path: Path, pack: str) -> None:
    import random

    rows = [line(simple(n, model=random.Random(n).randbytes(200).hex())) for n in range(3000)]
    packed = PACK[pack](b"".join(rows))
    (tmp_path / "a").write_bytes(packed[: len(packed) // 2])
    found = chunks(tmp_path / "a")
    read = [e.id for chunk in found for e in chunk.exchanges]
    assert 1000 < len(read) < 2000
    assert read == [f"ex-{n}" for n in range(len(read))]
    assert [row.reason.split(": ")[-1] for chunk in found for row in chunk.rejected] == ["compressed data is cut off"]


def test_formats_mixed_in_one_file_are_read_row_by_row(tmp_path: Path) -> None:
    parts = ("revenuer", "litellm", "openai", "anthropic", "otlp_new", "otlp_old")
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(b"".join((FIXTURES / f"{name}.jsonl").read_bytes() for name in parts))
    assert {e.id for e in exchanges(mixed)} == {e.id for n in parts for e in exchanges(FIXTURES / f"{n}.jsonl")}


def test_a_named_format_is_binding() -> None:
    assert [r.split(": ")[1] for r in reasons(FIXTURES / "openai.jsonl", format="revenuer")] == ["ts", "id", "ts"]
    with pytest.raises(IngestError, match=r"unknown format 'csv'; there are revenuer, litellm"):
        read_logs([FIXTURES / "openai.jsonl"], format="csv")
    assert reasons(FIXTURES / "openai.jsonl", format="parquet") == [
        "1: not a Parquet file (as a file, not through a pipe)"
    ]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = PACK["gz"](b"".join(line(simple(n)) for n in range(10)))

    class Input:
        buffer = io.BytesIO(packed)

    monkeypatch.setattr(sys, "stdin", Input())
    [chunk] = chunks("-")
    assert len(chunk.exchanges) == 10
    assert (chunk.bytes_read, chunk.bytes_total) == (len(packed), None)
    assert not Input.buffer.closed
    with pytest.raises(IngestError, match=r"cannot be resumed"):
        read_logs(["-"], start={"-": chunk.position})
    with pytest.raises(IngestError, match=r"cannot be read a second time"):
        list(fetch_texts(["-"], {0: [1]}))


def test_problems_of_files_come_before_the_first_row(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    log.write_bytes(line(simple(1)))
    [file] = find_files([log])
    log.write_bytes(line(simple(2)) * 2)
    with pytest.raises(IngestError, match=r"has changed"):
        read_logs([log], start={file.key: file.start()})
    with pytest.raises(IngestError, match=r"no such file"):
        read_logs([tmp_path / "b.jsonl"])


def test_an_empty_file_is_done(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    [chunk] = chunks(tmp_path / "a.jsonl")
    assert (chunk.exchanges, chunk.rejected, chunk.position.done) == ([], [], True)
    assert chunks(tmp_path / "a.jsonl", start={chunk.position.path: chunk.position}) == []


_LIKELY = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b"\n", b'"', b":", b",", b"null", b"1e5", b"\xff"),
        *(b"PAR1", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf"),
        *(b'"resourceSpans"', b'"request"', b'"messages"', b'"gen_ai.x"', line(simple(1))),
    ]
)


@given(st.lists(_LIKELY | st.binary(max_size=20), max_size=30).map(b"".join), st.sampled_from([None, *SOURCES]))
def test_no_bytes_whatever_stop_the_reading(tmp_path_factory: pytest.TempPathFactory, data: bytes, source: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_bytes(data)
    found = chunks(path, format=source.name if source else None)
    assert found[-1].position.done
    assert isinstance(found[-1].position, Position)


@given(st.sampled_from(sorted(FIXTURES.iterdir())), st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_good_file_stops_the_reading(
    tmp_path_factory: pytest.TempPathFactory, fixture: Path, at: int, junk: bytes
) -> None:
    data = bytearray(fixture.read_bytes())
    at %= len(data)
    data[at : at + len(junk)] = junk
    path = tmp_path_factory.getbasetemp() / "damaged.log"
    path.write_bytes(bytes(data))
    assert chunks(path)[-1].position.done
