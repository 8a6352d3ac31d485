"""Log files in, exchanges out: streaming, resumable, every row accounted for as read, rejected or skipped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from revenuer.ingest.files import STDIN, LogFile, Position, Stream, codec_of, find_files
from revenuer.ingest.parquet import MAGIC, parquet_rows, row_count
from revenuer.ingest.registry import SOURCES, source_named
from revenuer.ingest.revenuer import PARQUET, REVENUER
from revenuer.ingest.rows import Row, is_document, line_rows, load_document
from revenuer.ingest.source import IngestError, RowError, Source
from revenuer.ingest.values import parse
from revenuer.records import Exchange, RejectedRow

CHUNK_ROWS = 4096
_CHUNK_BYTES = 64 * 2**20
_SNIFF_BYTES = 2**20
_SNIFF_ROWS = 20
_SHOWN = 2000


class Chunk(msgspec.Struct, kw_only=True):
    """Some thousand consecutive rows of one file.

    `rows[i]` is the row number (from 1) of `exchanges[i]`; exchanges of one OTLP line share it. `skipped` counts rows
    that by design hold no exchange. After storing the chunk, `position` is where to go on. `bytes_read` of
    `bytes_total` (None with standard input) bytes of all files, as they are on disk, are done.
    """

    file: int
    name: str
    format: str
    exchanges: list[Exchange]
    rows: list[int]
    rejected: list[RejectedRow]
    skipped: int
    position: Position
    bytes_read: int
    bytes_total: int | None


def read_logs(
    paths: Sequence[str | Path],
    format: str | None = None,
    start: Mapping[str, Position] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Chunk]:
    """Chunks of every file in order; `file` indexes `find_files(paths)`.

    `format` names the source of all files; without it each file is recognised by content, and a row that its file's
    source refuses but another recognises is read as that one's. `start` maps a file's key to the position of the
    last chunk that was stored: rows before it are not decoded again. The last chunk of a file says `position.done`,
    so a file without rows has one, empty chunk too.

    Raises IngestError at once for a missing file, an unknown format, or a file that changed since `start`; a row
    that cannot be read never stops the reading.
    """
    source = source_named(format) if format is not None else None
    files, positions = find_files(paths), []
    for file in files:
        position = (start or {}).get(file.key)
        if position is not None and file.key == STDIN:
            raise IngestError("standard input cannot be resumed; store it in a file first")
        positions.append(file.start() if position is None else file.checked(position))
    return _chunks(files, positions, source, chunk_rows)


def _chunks(files: list[LogFile], starts: list[Position], source: Source | None, size: int) -> Iterator[Chunk]:
    total = None if any(file.key == STDIN for file in files) else sum(file.size for file in files)
    before = 0
    for number, (file, start) in enumerate(zip(files, starts, strict=True)):
        if not start.done:
            with file.open() as raw:
                opened = _open(file, raw, start, source)
                for chunk in _file_chunks(file, start, opened, size):
                    chunk.file, chunk.bytes_total = number, total
                    chunk.bytes_read += before
                    yield chunk
        before += file.size


def _file_chunks(file: LogFile, start: Position, opened: _Opened, size: int) -> Iterator[Chunk]:
    row, offset = start.row, start.offset
    exchanges: list[Exchange] = []
    rows: list[int] = []
    rejected: list[RejectedRow] = []
    skipped = held = 0

    def chunk(done: bool) -> Chunk:
        frame, frame_offset = opened.restart(offset)
        position = msgspec.structs.replace(
            start, row=row, offset=offset, frame=frame, frame_offset=frame_offset, done=done
        )
        read = file.size if done and file.key != STDIN else opened.read_bytes(row)
        return Chunk(
            file=0, name=file.name, format=opened.source.name, exchanges=exchanges, rows=rows, rejected=rejected,
            skipped=skipped, position=position, bytes_read=read, bytes_total=None,
        )  # fmt: skip

    for row, data, end in opened.rows:
        offset = end
        for result in (data,) if isinstance(data, RowError) else opened.decode(data):
            if isinstance(result, Exchange):
                exchanges.append(result)
                rows.append(row)
            elif result is None:
                skipped += 1
            else:
                shown = "" if isinstance(data, RowError) else data[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]
                rejected.append(RejectedRow(file=file.name, line=row, reason=str(result), row=shown))
        held += 0 if isinstance(data, RowError) else len(data)
        if len(exchanges) + len(rejected) + skipped >= size or held >= _CHUNK_BYTES:
            yield chunk(done=False)
            exchanges, rows, rejected, skipped, held = [], [], [], 0, 0
    yield chunk(done=True)


@dataclass(frozen=True)
class _Opened:
    """A file whose format is known."""

    source: Source
    fixed: bool
    """Whether the format was named, so that no row may be of another."""
    rows: Iterator[Row]
    read_bytes: Callable[[int], int]
    restart: Callable[[int], tuple[int, int]]

    def decode(self, data: bytes) -> Sequence[Exchange | RowError | None]:
        try:
            if self.source.split is None:
                return (self.source.decode(data),)
            return _several(self.source, data)
        except RowError as error:
            other = None if self.fixed else _recognised_row(data, self.source)
            if other is None:
                return (error,)
        try:
            return (other.decode(data),) if other.split is None else _several(other, data)
        except RowError as error:
            return (error,)


def _several(source: Source, data: bytes) -> list[Exchange | RowError | None]:
    assert source.split is not None
    results: list[Exchange | RowError | None] = []
    for part in source.split(data):
        try:
            results.append(source.decode(part))
        except RowError as error:
            results.append(error)
    return results


def _recognised_row(data: bytes, but: Source) -> Source | None:
    """The source that `data` belongs to, if it is surely another's than `but`'s."""
    try:
        row = parse(data)
    except RowError:
        return None
    if not isinstance(row, dict):
        return None
    score, best = max(((source.recognise(row), source) for source in SOURCES), key=lambda pair: pair[0])
    return best if score > max(0.5, but.recognise(row)) else None


def _recognised(rows: list[bytes], otherwise: Source) -> Source:
    """The source with the highest mean confidence over `rows`; `otherwise` where none recognises any."""
    parsed = []
    for data in rows[:_SNIFF_ROWS]:
        try:
            row = parse(data)
        except RowError:
            continue
        if isinstance(row, dict):
            parsed.append(row)
    score, best = max(((sum(map(source.recognise, parsed)), source) for source in SOURCES), key=lambda pair: pair[0])
    return best if score > 0 else otherwise


def _open(
    file: LogFile, raw: BinaryIO, start: Position, named: Source | None, wanted: Collection[int] | None = None
) -> _Opened:
    head = raw.read(_SNIFF_BYTES // 16)
    if head.startswith(MAGIC) and file.key != STDIN:
        return _open_parquet(file, start, named, wanted)
    codec = codec_of(head)
    stream = Stream(raw, head, codec)
    sniffed = stream.peek(_SNIFF_BYTES)
    if named is PARQUET:
        problem = RowError("not a Parquet file (as a file, not through a pipe)")
        return _Opened(PARQUET, True, iter([(1, problem, 0)]), lambda _: file.size, lambda _: (0, 0))
    if is_document(sniffed):
        return _open_document(file, stream, start, named)
    source = named or _recognised(sniffed.split(b"\n")[:_SNIFF_ROWS], _by_words(sniffed))
    if start.offset:
        if codec == "plain":
            start = msgspec.structs.replace(start, frame=start.offset, frame_offset=start.offset)
        raw.seek(start.frame)
        stream = Stream(raw, b"", codec, start.frame, start.frame_offset)
    rows = line_rows(stream, start.row, start.offset, source.max_row_bytes)
    restart = stream.frame_before if codec != "plain" else lambda offset: (offset, offset)
    return _Opened(source, named is not None, rows, lambda _: stream.read_bytes, restart)


def _by_words(head: bytes) -> Source:
    """For a first line too long to be seen whole: OTLP says what it is within its first words."""
    return next((s for s in SOURCES if s.split is not None and b'"resourceSpans"' in head[:1000]), REVENUER)


def _open_document(file: LogFile, stream: Stream, start: Position, named: Source | None) -> _Opened:
    def numbered(elements: list[bytes], source: Source) -> Iterator[Row]:
        number = 0
        for element in elements:
            parts = [element] if source.split is None else _parts(source, element)
            for part in parts:
                number += 1
                if number > start.row:
                    yield number, part, 0

    try:
        elements = load_document(stream)
    except RowError as error:
        rows: Iterator[Row] = iter([(1, error, 0)])
        return _Opened(named or REVENUER, True, rows, lambda _: file.size, lambda _: (0, 0))
    source = named or _recognised(elements, REVENUER)
    return _Opened(source, named is not None, numbered(elements, source), lambda _: stream.read_bytes, lambda _: (0, 0))


def _parts(source: Source, element: bytes) -> Iterator[bytes | RowError]:
    assert source.split is not None
    try:
        yield from source.split(element)
    except RowError as error:
        yield error


def _open_parquet(file: LogFile, start: Position, named: Source | None, wanted: Collection[int] | None) -> _Opened:
    total = max(1, row_count(file.key))
    rows = ((row, data, 0) for row, data in parquet_rows(file.key, start.row, wanted=wanted))
    return _Opened(
        named or PARQUET,
        named is not None,
        rows,
        lambda row: min(file.size, file.size * row // total),
        lambda _: (0, 0),
    )


def fetch_texts(
    paths: Sequence[str | Path], wanted: Mapping[int, Sequence[int]], format: str | None = None
) -> Iterator[tuple[int, int, Exchange]]:
    """(file index, row number, exchange) of the rows named in `wanted` (file index -> row numbers), in file order.

    A second pass for the few texts that a report shows: only those rows are decoded, and each file is read no
    further than the last of them. A row of OTLP yields every exchange in it. Rows that cannot be read are left out.
    Raises IngestError for standard input, which cannot be read twice.
    """
    source = source_named(format) if format is not None else None
    files = find_files(paths)
    for number in sorted(wanted):
        rows = frozenset(wanted[number])
        if not rows:
            continue
        file = files[number]
        if file.key == STDIN:
            raise IngestError("standard input cannot be read a second time; store it in a file first")
        last = max(rows)
        with file.open() as raw:
            opened = _open(file, raw, file.start(), source, rows)
            for row, data, _ in opened.rows:
                if row > last:
                    break
                if row in rows and not isinstance(data, RowError):
                    for result in opened.decode(data):
                        if isinstance(result, Exchange):
                            yield number, row, result
