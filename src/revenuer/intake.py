"""Logs into the store, exactly once: read, fingerprint, append, and remember how far it got.

`OUT/state` holds the event store. One append stores a chunk's fingerprints, the place reached in each log and the
length of `rejected.jsonl`, all or nothing; a scan that was stopped at any point goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from revenuer.fingerprint.batch import Fingerprinter
from revenuer.ingest import Chunk, IngestError, fetch_texts, find_files, read_accounts, read_logs
from revenuer.records import Account, RejectedRow
from revenuer.settings import Settings, installation_key
from revenuer.store.embedded import EventStore

SHOWN = 5
"""Rejected rows that are kept for showing."""


@dataclass(frozen=True)
class Place:
    """How far reading got: exchanges stored, rows rejected, bytes done of all (None: unknown), exchanges a second."""

    exchanges: int
    rejected: int
    bytes_read: int
    bytes_total: int | None
    rate: float


Progress = Callable[[Place], None]


@dataclass(frozen=True)
class Read:
    """What reading came to. `rejected_first` are the first few rows of `rejected.jsonl`, whichever run wrote them."""

    files: tuple[str, ...]
    stored: int
    duplicates: int
    rejected: int
    rejected_first: tuple[RejectedRow, ...]
    first_ts: float
    last_ts: float


class Intake:
    """The working folder of one scan: its store, its fingerprinter, its file of rejected rows."""

    def __init__(self, out: Path, store: EventStore, fingerprinter: Fingerprinter) -> None:
        self.out = out
        self.store = store
        self.fingerprinter = fingerprinter
        self.rejected_path = out / "rejected.jsonl"

    @classmethod
    @contextmanager
    def open(cls, out: Path, settings: Settings) -> Iterator[Intake]:
        """Open or make the folder; one process at a time may hold it."""
        key = installation_key(settings)
        out.mkdir(parents=True, exist_ok=True)
        with EventStore.open(out / "state") as store:
            mark = Fingerprinter.mark_of(key)
            known = store.get_state("key_mark")
            if known is not None and known != mark:
                raise IngestError(
                    f"{out} was begun with another fingerprint key: use that key, or another --out folder"
                )
            store.put_state("key_mark", mark)
            yield cls(out, store, Fingerprinter(key))

    def texts(self, logs: Sequence[str | Path], numbers: Sequence[int]) -> Mapping[int, str]:
        """Last user turn of some exchanges (numbers in (ts, id) order), read again from the logs.

        A log that is gone or changed, or was standard input, gives nothing; the report then has no template.
        """
        batches = list(self.store.scan(columns=["id", "file", "row"]))
        place = pa.Table.from_batches(batches).take(list(numbers))
        number_of = dict(zip(place["id"].to_pylist(), numbers, strict=True))
        wanted: dict[int, set[int]] = {}
        out: dict[int, str] = {}
        try:
            at_hand = {file.key: index for index, file in enumerate(find_files(logs))}
            index_of = [at_hand.get(key) for key in self.store.get_state("files") or []]
            for file, row in zip(place["file"].to_pylist(), place["row"].to_pylist(), strict=True):
                index = index_of[file]
                if index is not None:
                    wanted.setdefault(index, set()).add(row)
            for _, _, exchange in fetch_texts(logs, {index: sorted(rows) for index, rows in wanted.items()}):
                if exchange.id in number_of:
                    said = [m.content for m in exchange.messages if m.role == "user"]
                    out[number_of[exchange.id]] = said[-1] if said else ""
        except IngestError:
            return out
        return out


def notes_of(read: Read) -> tuple[str, ...]:
    """Remarks on the input that a reader of the report should know."""
    out = []
    if read.rejected:
        out.append(f"{read.rejected} rows could not be read; see rejected.jsonl")
        out += [f"{row.file}, line {row.line}: {row.reason}" for row in read.rejected_first]
    if read.duplicates:
        out.append(f"{read.duplicates} exchanges came twice (by id) and were counted once")
    return tuple(out)


def take_in(
    intake: Intake,
    logs: Sequence[str | Path],
    accounts: str | Path | None,
    format: str | None,
    strict: bool,
    progress: Progress,
) -> tuple[dict[str, Account], Read]:
    """Bring every row of the logs that is not stored yet into the store; returns the accounts and what was read.

    Raises:
        IngestError: see `pipeline.scan`.
    """
    refused: list[RejectedRow] = []
    known = read_accounts(accounts, refused) if accounts is not None else {}
    if strict and refused:
        raise IngestError(_refusal(refused[0]))
    files = find_files(logs)
    store = intake.store
    before = store.get_state("rejected") or {"rows": 0, "bytes": 0}
    path = intake.rejected_path
    # A reader may have moved the file away; what follows is then put into a new one.
    kept = min(before["bytes"], path.stat().st_size if path.exists() else 0)
    # Files are numbered in the order in which this folder first met them, whatever later runs are given.
    numbers = {key: number for number, key in enumerate(store.get_state("files") or [])}
    for file in files:
        numbers.setdefault(file.key, len(numbers))
    store.put_state("files", list(numbers))
    began = time.perf_counter()
    read_now = 0
    with _rejected_file(path, kept) as sink:
        rows, size = before["rows"], kept
        if rows == 0 and refused:
            size += sink(refused)
            rows += len(refused)
        for chunk in read_logs(logs, format, store.positions()):
            if strict and chunk.rejected:
                raise IngestError(_refusal(chunk.rejected[0]))
            size += sink(chunk.rejected)
            rows += len(chunk.rejected)
            state: Mapping[str, object] = {"rejected": {"rows": rows, "bytes": size}}
            key = files[chunk.file].key
            store.append(_rows(intake.fingerprinter, chunk, numbers[key]), {key: chunk.position}, state)
            read_now += len(chunk.exchanges)
            rate = read_now / max(time.perf_counter() - began, 1e-9)
            progress(Place(store.span().rows, rows, chunk.bytes_read, chunk.bytes_total, rate))
    span = store.span()
    return known, Read(
        files=tuple(file.name for file in files),
        stored=span.rows,
        duplicates=span.duplicates,
        rejected=rows,
        rejected_first=_first_rejected(path),
        first_ts=span.first_ts,
        last_ts=span.last_ts,
    )


def _rows(fingerprinter: Fingerprinter, chunk: Chunk, file: int) -> pa.Table:
    table = fingerprinter.fingerprint(chunk.exchanges)
    where = np.full(len(chunk.rows), file, np.int32)
    table = table.append_column(pa.field("file", pa.int32()), pa.array(where))
    return table.append_column(pa.field("row", pa.int64()), pa.array(np.array(chunk.rows, np.int64)))


@contextmanager
def _rejected_file(path: Path, size: int) -> Iterator[Callable[[list[RejectedRow]], int]]:
    """Append to the file from byte `size` on, cutting off what an interrupted run wrote after its last append."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(size)
        file.seek(size)

        def sink(rows: list[RejectedRow]) -> int:
            if not rows:
                return 0
            data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            return len(data)

        yield sink


def _first_rejected(path: Path) -> tuple[RejectedRow, ...]:
    decode = msgspec.json.Decoder(RejectedRow).decode
    with path.open("rb") as file:
        return tuple(decode(line) for line in islice(file, SHOWN))


def _refusal(row: RejectedRow) -> str:
    return f"{row.file}, line {row.line}: {row.reason} (--strict stops at the first row that cannot be read)"
