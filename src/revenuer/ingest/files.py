"""Which files to read, how to know them again, and their bytes: decompressed, streamed, bounded in memory."""

from __future__ import annotations

import glob
import itertools
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
import xxhash
import zstandard

from revenuer.ingest.source import IngestError

HEAD_BYTES = 65536
"""How much of a file's beginning its fingerprint covers."""
BLOCK = 256 * 1024
SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".log", ".parquet"})
"""What a folder is searched for (each also with .gz or .zst behind it); a file named outright may have any name."""
STDIN = "-"

Codec = Literal["plain", "gzip", "zstd"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file has been read, and which file it was.

    `row` rows (lines; from 1, blank ones included) are done and `offset` is the decompressed byte where the next
    begins. `frame` and `frame_offset` are the compressed and decompressed byte at which the last compressed member
    before it begins, where reading can start again. `done` once the end was reached.
    """

    path: str
    size: int
    head: str
    row: int = 0
    offset: int = 0
    frame: int = 0
    frame_offset: int = 0
    done: bool = False


@dataclass(frozen=True)
class LogFile:
    """One input. `key` is its resolved path (`-` for standard input), under which its position is kept."""

    name: str
    key: str
    size: int
    head: str

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes as they are on disk. Standard input is left open behind it."""
        if self.key == STDIN:
            yield sys.stdin.buffer
        else:
            with Path(self.key).open("rb") as stream:
                yield stream

    def start(self) -> Position:
        return Position(path=self.key, size=self.size, head=self.head)

    def checked(self, position: Position) -> Position:
        """`position` itself if it belongs to this file as it is now; raises IngestError otherwise."""
        if (position.size, position.head) == (self.size, self.head):
            return position
        raise IngestError(
            f"{self.name} has changed since the scan that is to be resumed (then {position.size:,} bytes, "
            f"now {self.size:,}). Put the old file back, or begin anew with another output directory."
        )


def find_files(paths: Sequence[str | Path]) -> list[LogFile]:
    """The files meant by `paths`: files, folders (searched), glob patterns, `-`; each once, in the order given.

    Raises IngestError for a path that matches nothing or cannot be read.
    """
    found: dict[str, LogFile] = {}
    for path in map(str, paths):
        if path == STDIN:
            found[STDIN] = LogFile("standard input", STDIN, 0, "")
            continue
        for file in _matches(path):
            key = str(file.resolve())
            if key not in found:
                found[key] = _identified(file, key)
    return list(found.values())


def _matches(path: str) -> list[Path]:
    plain = Path(path)
    if plain.is_dir():
        files = sorted(file for file in plain.rglob("*") if file.is_file() and _is_log(file.relative_to(plain)))
        if not files:
            raise IngestError(f"{path}: no log in this folder (looked for {', '.join(sorted(SUFFIXES))}, .gz, .zst)")
        return files
    if plain.is_file():
        return [plain]
    if plain.exists():
        raise IngestError(f"{path}: not a regular file; pipe it in with - as the name")
    files = sorted(Path(name) for name in glob.glob(path, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    files = [file for file in files if file.is_file()]
    if not files:
        raise IngestError(f"{path}: no such file")
    return files


def _is_log(file: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.parts)
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return not hidden and bool(suffixes) and suffixes[-1] in SUFFIXES


def _identified(file: Path, key: str) -> LogFile:
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            size = os.fstat(stream.fileno()).st_size
        key.encode()
    except OSError as error:
        raise IngestError(f"{file}: {error.strerror or error}") from None
    except UnicodeEncodeError:
        raise IngestError(f"{key.encode(errors='replace').decode()}: a name that is not UTF-8; rename it") from None
    return LogFile(str(file), key, size, xxhash.xxh3_64_hexdigest(head))


def codec_of(head: bytes) -> Codec:
    """Told by the first bytes: a name may lie."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    # A zstd frame, or a skippable frame, with which parallel compressors begin.
    if head[:4] == b"\x28\xb5\x2f\xfd" or (len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"
    return "plain"


class Stream:
    """Decompressed bytes of one file, in blocks of bounded size.

    `problem` says after the last block why the data ended early, if it did. `read_bytes` counts what was taken from
    the file; `frame_before(offset)` is where reading can start again.
    """

    def __init__(self, raw: BinaryIO, head: bytes, codec: Codec, frame: int = 0, frame_offset: int = 0) -> None:
        """`head` are the bytes already taken from `raw`, which begins a member at compressed byte `frame`."""
        self.problem: str | None = None
        self.read_bytes = frame + len(head)
        self._raw, self._head, self._codec = raw, head, codec
        self._frames = [(frame, frame_offset)]
        self._offset = frame_offset
        self._blocks: Iterator[bytes] = self._begin()

    def frame_before(self, offset: int) -> tuple[int, int]:
        """(compressed, decompressed) start of the last member that begins at or before decompressed `offset`."""
        while len(self._frames) > 1 and self._frames[1][1] <= offset:
            del self._frames[0]
        return self._frames[0]

    def peek(self, size: int) -> bytes:
        """The next bytes, about `size` or as many as there are, without taking them."""
        taken, total = [], 0
        while total < size and (block := next(self._blocks, b"")):
            taken.append(block)
            total += len(block)
        self._blocks = itertools.chain(taken, self._blocks)
        return b"".join(taken)

    def blocks(self) -> Iterator[bytes]:
        """What is left, in blocks of at most a few hundred kilobytes as a rule."""
        return self._blocks

    def _begin(self) -> Iterator[bytes]:
        match self._codec:
            case "plain":
                return self._plain()
            case "gzip":
                return self._members(_Gzip, BLOCK)
            case "zstd":
                # Small bites: this decompressor returns all of a bite's output at once, and a bomb packs 128 KiB into
                # four bytes.
                return self._members(_Zstd, 2048)

    def _take(self, size: int) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        try:
            piece = self._raw.read(size)
        except OSError as error:
            self.problem = f"cannot read on: {error.strerror or error}"
            return b""
        self.read_bytes += len(piece)
        return piece

    def _plain(self) -> Iterator[bytes]:
        while piece := self._take(BLOCK):
            yield piece

    def _members(self, member_type: type[_Gzip] | type[_Zstd], bite: int) -> Iterator[bytes]:
        pending = self._take(bite)
        consumed = self._frames[0][0]
        while pending:
            member = member_type()
            while not member.eof:
                try:
                    out = member.feed(pending)
                except (zlib.error, zstandard.ZstdError) as error:
                    self.problem = self.problem or f"damaged compressed data: {error}"
                    return
                consumed += len(pending) - len(member.rest)
                pending = member.rest
                if out:
                    self._offset += len(out)
                    yield out
                elif not pending and not member.eof:
                    pending = self._take(bite)
                    if not pending:
                        self.problem = self.problem or "compressed data is cut off"
                        return
            while not pending.strip(b"\0"):  # padding, as tapes and block devices leave it
                consumed += len(pending)
                pending = self._take(bite)
                if not pending:
                    return
            pending += self._take(4) if len(pending) < 4 else b""
            if codec_of(pending) != self._codec:
                self.problem = "bytes after the end of the compressed data"
                return
            self._frames.append((consumed, self._offset))


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self.rest, self.eof = b"", False

    def feed(self, piece: bytes) -> bytes:
        out = self._inner.decompress(piece, BLOCK)
        self.eof = self._inner.eof
        self.rest = self._inner.unused_data if self.eof else self._inner.unconsumed_tail
        return out


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
        self.rest, self.eof = b"", False

    def feed(self, piece: bytes) -> bytes:
        out = self._inner.decompress(piece)
        self.eof = self._inner.eof
        self.rest = self._inner.unused_data if self.eof else b""
        return out
