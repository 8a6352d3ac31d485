"""The rows of a text file: lines of a stream, or elements of one whole JSON document."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from revenuer.ingest.files import Stream
from revenuer.ingest.source import RowError

MAX_DOCUMENT_BYTES = 256 * 2**20
"""A whole-file JSON document has to be held in memory; larger ones must come as one row a line."""

Row = tuple[int, bytes | RowError, int]
"""(row number from 1, its bytes or why it has none, decompressed offset of the next row)."""

_raw = msgspec.json.Decoder(msgspec.Raw)
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_BOM = b"\xef\xbb\xbf"


def line_rows(stream: Stream, row: int, offset: int, max_bytes: int) -> Iterator[Row]:
    """Lines of `stream` from decompressed byte `offset` on, of which `row` lines came before. Blank lines pass by.

    A line longer than `max_bytes`, and whatever made the data end early, come as RowError.
    """
    too_long = RowError(f"line is longer than {max_bytes:,} bytes")
    skip = offset - stream.frame_before(offset)[1]
    pieces: list[bytes] = []  # of the line that is not finished yet
    size = 0  # of that line, also where its pieces were dropped for being too many
    for block in stream.blocks():
        if skip:
            dropped = min(skip, len(block))
            skip -= dropped
            block = block[dropped:]
        lines = block.split(b"\n")
        if len(lines) > 1 and size:
            size += len(lines[0])
            pieces.append(lines[0])
            if size > max_bytes:
                row, offset = row + 1, offset + size + 1
                yield row, too_long, offset
                del lines[0]
            else:
                lines[0] = b"".join(pieces)
            pieces, size = [], 0
        tail = lines.pop()
        for line in lines:
            row += 1
            offset += len(line) + 1
            if not line or line.isspace():
                continue
            if row == 1:
                line = line.removeprefix(_BOM)
            yield row, line if len(line) <= max_bytes else too_long, offset
        if tail:
            size += len(tail)
            pieces = [*pieces, tail] if size <= max_bytes else []
    if not size:
        if stream.problem:
            yield row + 1, RowError(stream.problem), offset
        return
    row, offset = row + 1, offset + size
    last = b"".join(pieces).removeprefix(_BOM if row == 1 else b"")
    if size > max_bytes:
        yield row, too_long, offset
    elif stream.problem:
        yield row, RowError(f"incomplete last line: {stream.problem}"), offset
    elif not last.isspace():
        yield row, last if _is_json(last) else RowError("incomplete last line: the file ends within it"), offset


def _is_json(line: bytes) -> bool:
    try:
        _raw.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def is_document(head: bytes) -> bool:
    """Whether a file that begins so is one JSON document over several lines, or a JSON list, and not JSON lines."""
    text = head.removeprefix(_BOM).lstrip()
    if text[:1] == b"[":
        return text[1:].lstrip()[:1] in (b"{", b"[", b"]", b"")
    first, _, others = text.partition(b"\n")
    if text[:1] != b"{" or _is_json(first):
        return False
    second = others.lstrip()[:1]
    # After a row that was cut off the next row begins; within a document an object goes on.
    return second in (b'"', b"}", b"]") or (second == b"{" and first.rstrip().endswith(b"["))


def load_document(stream: Stream) -> list[bytes]:
    """The elements of the JSON list that `stream` is, or the one object. Raises RowError."""
    blocks, size = [], 0
    for block in stream.blocks():
        size += len(block)
        if size > MAX_DOCUMENT_BYTES:
            raise RowError(f"document is longer than {MAX_DOCUMENT_BYTES:,} bytes; write one row a line")
        blocks.append(block)
    if stream.problem:
        raise RowError(stream.problem)
    document = b"".join(blocks).removeprefix(_BOM)
    if document.lstrip()[:1] != b"[":
        return [document]
    try:
        return [bytes(element) for element in _raw_list.decode(document)]
    except RecursionError:
        raise RowError("not readable: nested too deeply") from None
    except ValueError as error:
        raise RowError(f"not a JSON list: {error}") from None
