from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.ingest.files import Stream
from revenuer.ingest.rows import is_document, line_rows, load_document
from revenuer.ingest.source import RowError

LINES = st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b" ")), max_size=12)


def rows(data: bytes, row: int = 0, offset: int = 0, most: int = 100) -> list[tuple[int, bytes | str, int]]:
    stream = Stream(io.BytesIO(data[offset:]), b"", "plain", offset, offset)
    return [(n, str(v) if isinstance(v, RowError) else v, end) for n, v, end in line_rows(stream, row, offset, most)]


@given(LINES)
def test_lines_keep_their_numbers_and_offsets(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    found = rows(data)
    lines[:1] = [line.removeprefix(b"\xef\xbb\xbf") for line in lines[:1]]
    assert [number for number, _, _ in found] == [n for n, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    for number, line, end in found:
        assert line == lines[number - 1]
        assert data[:end].count(b"\n") == number


@given(LINES, st.data())
def test_resuming_anywhere_gives_the_rest(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + b"\n" for line in lines)
    whole = rows(content)
    done = data.draw(st.integers(0, len(whole)))
    row, offset = (whole[done - 1][0], whole[done - 1][2]) if done else (0, 0)
    assert rows(content, row, offset) == whole[done:]


def test_a_last_line_without_end() -> None:
    assert rows(b'{"a":1}\n{"b":2}')[-1] == (2, b'{"b":2}', 15)
    assert rows(b'{"a":1}\n{"b":')[-1] == (2, "incomplete last line: the file ends within it", 13)


@pytest.mark.parametrize("length", [101, 300_000, 900_000])
def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(length: int) -> None:
    found = rows(b"a\n" + b"x" * length + b"\nb\n" + b"y" * length)
    assert [(n, v) for n, v, _ in found] == [
        (1, b"a"),
        (2, "line is longer than 100 bytes"),
        (3, b"b"),
        (4, "line is longer than 100 bytes"),
    ]
    assert found[2][2] == length + 5


def test_byte_order_mark_and_windows_line_ends() -> None:
    assert [v for _, v, _ in rows(b"\xef\xbb\xbf{}\r\n{}\r\n")] == [b"{}\r", b"{}\r"]


@pytest.mark.parametrize(
    ("head", "document"),
    [
        (b'{"id":1}\n{"id":2}\n', False),
        (b'{"id":1}', False),
        (b'{"id":1,"x', False),
        (b'{"id":1,"x\n{"id":2}\n', False),  # the first row was cut off
        (b'{\n  "resourceSpans": [\n', True),
        (b'{"resourceSpans": [\n  {"resource": {}', True),
        (b'[{"id":1},\n {"id":2}]', True),
        (b"[\n", True),
        (b"[INFO] started\n{}\n", False),
        (b"\xef\xbb\xbf  [ ]", True),
        (b"", False),
    ],
)
def test_documents_are_told_from_lines(head: bytes, document: bool) -> None:
    assert is_document(head) is document


def test_a_list_has_its_elements_and_an_object_itself() -> None:
    assert load_document(Stream(io.BytesIO(b'[{"a": 1},\n [2]]'), b"", "plain")) == [b'{"a": 1}', b"[2]"]
    assert load_document(Stream(io.BytesIO(b'{"a":\n1}'), b"", "plain")) == [b'{"a":\n1}']
    with pytest.raises(RowError, match=r"^not a JSON list"):
        load_document(Stream(io.BytesIO(b"[1, 2"), b"", "plain"))
    with pytest.raises(RowError, match=r"^not readable: nested too deeply"):
        load_document(Stream(io.BytesIO(b"[" * 100_000), b"", "plain"))
