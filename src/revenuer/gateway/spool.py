"""The write-ahead spool: what the gateway saw, on disk before anybody is told, until the worker has taken it.

`begin` is called before a request goes upstream and `end` before the last bytes of its answer go to the client. Each
hands its record to the system with one unbuffered write, so that it survives `kill -9` of this process; a record may be
lost to a power cut (see `Sync`). Bodies and answers are in here as they were sent, so records are encrypted with
AES-256-GCM under a key of the installation; the folder is 0700, files are 0600.

Each process writes segments `NUMBER.open` in a folder of its own, whose `lock` it holds while it lives, and seals them
by renaming them to `NUMBER.seg`. The worker takes sealed segments, and everything of the dead.

One process, one thread, one `Spool`. Never raises on the request path: what cannot be written is dropped and counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import IO, Self

import msgspec

from revenuer.gateway.segment import HEADER, Begun, Ended, Media, Record, Secret, SegmentWriter, SpoolError

__all__ = ["ANSWER_BYTES", "Begun", "Ended", "Media", "Secret", "Spool", "SpoolError", "Stats", "Sync"]

LIMIT_BYTES = 1 << 30
ANSWER_BYTES = 32 << 10
SEGMENT_BYTES = 8 << 20
SEGMENT_SECONDS = 5.0
SHOUT_SECONDS = 10.0
_END_BYTES = ANSWER_BYTES + 512
_LATE = 4096
_ID_BITS = 40

_log = logging.getLogger(__name__)


class Sync(StrEnum):
    """When records are forced onto the disk."""

    NEVER = "never"
    """The system writes them when it likes: safe against the death of the process, not against a power cut."""
    BATCH = "batch"
    """At each `tick`, in a thread: a power cut loses what was written since the last one."""


class Stats(msgspec.Struct, frozen=True):
    """For metrics. Counts since the process began; `used` and `limit` bytes on disk, of all processes together."""

    begun: int
    ended: int
    dropped: int
    """Exchanges that are not in the spool: it was full, or the disk refused them."""
    ends_lost: int
    """Ends that the disk refused; such an exchange is stored with an unknown answer once this process has ended."""
    open: int
    used: int
    limit: int
    full: bool


class Spool:
    """One process's part of the spool."""

    def __init__(
        self,
        folder: Path,
        lock: IO[bytes],
        secret: Secret,
        limit_bytes: int,
        sync: Sync,
        segment_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        """Use `open`."""
        self._folder, self._lock, self._secret = folder, lock, secret
        self._limit, self._segment_bytes, self._clock = limit_bytes, segment_bytes, clock
        self._thread = ThreadPoolExecutor(1, "spool-sync") if sync is Sync.BATCH else None
        self._segment: SegmentWriter | None = None
        self._sealed = 0
        self._since = 0.0
        self._open: set[str] = set()
        self._late: list[Ended] = []
        self._begun = self._ended = self._dropped = self._ends_lost = 0
        self._full = False
        self._shouted = -SHOUT_SECONDS
        self._used = _used(folder.parent)
        # Ids show neither how many exchanges there were nor their order: a permutation of the counter.
        self._ids = 0
        self._prefix = secrets.token_hex(7)
        self._multiplier, self._offset = secrets.randbits(_ID_BITS) | 1, secrets.randbits(_ID_BITS)

    @classmethod
    def open(
        cls,
        folder: Path,
        secret: Path,
        limit_bytes: int = LIMIT_BYTES,
        sync: Sync = Sync.NEVER,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """The spool in `folder` (made if needed) for this process, under the key in file `secret` (made if absent).

        `limit_bytes` bounds all processes of the folder together; what the others wrote since the last `tick` is not
        seen. Call after forking. Raises SpoolError.
        """
        key = Secret.load(secret)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            name = secrets.token_hex(8)
            made = folder / f".{name}"
            made.mkdir(mode=0o700)
            lock = (made / "lock").open("wb")
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Only a folder whose lock is held may be seen: one without would be taken for that of a dead process.
            own = made.rename(folder / name)
        except OSError as error:
            raise SpoolError(f"cannot use the spool {folder}: {error.strerror}") from error
        return cls(own, lock, key, limit_bytes, sync, segment_bytes, clock)

    def next_id(self) -> str:
        """An id that no other exchange has, in whichever process, now or later. 24 hexadecimal digits."""
        number = (self._ids * self._multiplier + self._offset) & ((1 << _ID_BITS) - 1)
        self._ids += 1
        return f"{self._prefix}{number:010x}"

    def begin(self, record: Begun) -> bool:
        """Write it down; False where it was dropped (spool full, disk error): `end` is then without effect."""
        if not self._room(len(record.body) + _END_BYTES) or not self._write(record):
            return self._drop()
        self._begun += 1
        self._open.add(record.id)
        return True

    def end(self, record: Ended) -> None:
        """Write down how it ended. Space for this was set aside by `begin`, so a full spool still takes it."""
        if record.id not in self._open:
            return
        self._open.discard(record.id)
        record = _cut(record)
        if self._write(record):
            self._ended += 1
        elif len(self._late) < _LATE:
            # Without the answer: memory is bounded too.
            self._late.append(msgspec.structs.replace(record, media=Media.NONE, answer=b""))
        else:
            self._ends_lost += 1

    def whole(self, begun: Begun, ended: Ended) -> bool:
        """Both at once, for a request that was answered here (refused, slowed down, upstream not there)."""
        ended = _cut(ended)
        if not self._room(len(begun.body) + len(ended.answer)) or not self._write(begun, ended):
            return self._drop()
        self._begun += 1
        self._ended += 1
        return True

    def tick(self) -> None:
        """Call about once a second: seals a segment that is old enough for the worker, looks how full the folder is."""
        segment = self._segment
        if segment is not None:
            if self._clock() - self._since >= SEGMENT_SECONDS and segment.size > HEADER:
                self._seal()
            elif self._thread is not None:
                self._thread.submit(_sync, os.dup(segment.fd))
        self._used = _used(self._folder.parent)
        late, self._late = self._late, []
        for record in late:
            if self._write(record):
                self._ended += 1
            else:
                self._late.append(record)
        self._full = self._full and not self._room(_END_BYTES)

    def stats(self) -> Stats:
        return Stats(
            begun=self._begun,
            ended=self._ended,
            dropped=self._dropped,
            ends_lost=self._ends_lost + len(self._late),
            open=len(self._open),
            used=self._used,
            limit=self._limit,
            full=self._full,
        )

    def close(self) -> None:
        """Seal what is open and let the worker have it. Exchanges that did not end are stored without an answer."""
        self._seal()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        self._lock.close()

    def _room(self, wanted: int) -> bool:
        """Whether so many more bytes fit beside what is there and what the exchanges under way may still need."""
        return self._used + len(self._open) * _END_BYTES + wanted + 1024 <= self._limit

    def _drop(self) -> bool:
        self._dropped += 1
        self._full = True
        now = self._clock()
        if now - self._shouted >= SHOUT_SECONDS:
            self._shouted = now
            _log.error(
                "the spool is full or cannot be written: %d exchanges are not recorded so far (%d of %d bytes used in "
                "%s). Is the worker running? Is the disk full?",
                self._dropped, self._used, self._limit, self._folder.parent,
            )  # fmt: skip
        return False

    def _write(self, *records: Record) -> bool:
        try:
            segment = self._segment
            if segment is None:
                segment = self._segment = SegmentWriter(self._folder / f"{self._sealed + 1:08d}.open", self._secret)
                self._used += HEADER
                self._since = self._clock()
            self._used += segment.append(*records)
        except (OSError, UnicodeError):
            # No record of this call is in the file; those before it are whole.
            self._seal()
            return False
        if segment.size >= self._segment_bytes:
            self._seal()
        return True

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        if self._thread is not None:
            self._thread.submit(_sync, os.dup(segment.fd))
        segment.close()
        self._sealed += 1
        # Should the rename fail, the segment waits for the end of this process.
        with contextlib.suppress(OSError):
            segment.path.rename(segment.path.with_suffix(".seg"))


def _cut(record: Ended) -> Ended:
    if len(record.answer) <= ANSWER_BYTES:
        return record
    return msgspec.structs.replace(record, answer=record.answer[:ANSWER_BYTES])


def _sync(handle: int) -> None:
    try:
        os.fdatasync(handle)
    except OSError as error:
        _log.error("the spool could not be forced onto the disk: %s", error)
    finally:
        os.close(handle)


def _used(folder: Path) -> int:
    """Bytes in the segments of all processes. What vanishes meanwhile has been taken by the worker."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as processes:
        for process in processes:
            with contextlib.suppress(OSError), os.scandir(process.path) as files:
                for file in files:
                    with contextlib.suppress(OSError):
                        total += file.stat().st_size
    return total
