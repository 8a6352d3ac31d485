"""Taking exchanges out of the spool, exactly once, whatever is killed when.

Of a live process the sealed segments are taken, of a dead one (its lock is free) everything. A batch is stored first
and only then forgotten; the store knows the ids, so what is taken twice is stored once. Requests that are still under
way when their segment goes are carried over in a segment `00000000.seg`, put in place by a rename before anything is
deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from revenuer.gateway.exchanges import exchange_of
from revenuer.gateway.segment import Begun, Contents, Secret, SegmentWriter, read_segment
from revenuer.records import Exchange

BATCH_BYTES = 32 << 20
"""Segments are taken together up to this size, so that memory stays bounded."""
DAMAGED = "damaged"
_PROCESS = re.compile(r"[0-9a-f]{16}")
_CARRY = "00000000.seg"

_log = logging.getLogger(__name__)

Store = Callable[[Sequence[Exchange]], None]
"""Must not return before the exchanges survive a crash, and must keep each id once."""


@dataclass
class Drained:
    """What a pass over the spool came to."""

    exchanges: int = 0
    unanswered: int = 0
    """Exchanges whose process died before they ended; their answers are unknown."""
    damaged: int = 0
    """Segments that could not be read to their end, beyond the torn tail that a killed process leaves; kept apart."""


def drain(folder: Path, secret: Secret, store: Store) -> Drained:
    """Hand every exchange that is ready to `store`, then forget it. One worker at a time.

    Raises:
        SpoolError: a segment was written under another key. Nothing of it is removed.
    """
    done = Drained()
    for process in _processes(folder):
        with _lock(process) as dead:
            _drain_process(process, secret, store, dead, done)
            if dead:
                (process / "lock").unlink(missing_ok=True)
                process.rmdir()
    return done


def _processes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _PROCESS.fullmatch(path.name))


@contextlib.contextmanager
def _lock(process: Path) -> Iterator[bool]:
    """Whether the process is dead; then its lock is held here."""
    with (process / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _drain_process(process: Path, secret: Secret, store: Store, dead: bool, done: Drained) -> None:
    (process / "carry").unlink(missing_ok=True)
    waiting = sorted(process.glob("*.seg")) + (sorted(process.glob("*.open")) if dead else [])
    waiting.sort(key=lambda path: path.stem)
    if [path.name for path in waiting] == [_CARRY] and not dead:
        return
    while waiting:
        batch: list[Path] = []
        size = 0
        while waiting and (not batch or size + waiting[0].stat().st_size <= BATCH_BYTES):
            batch.append(waiting.pop(0))
            size += batch[-1].stat().st_size
        pending: dict[str, Begun] = {}
        ready: list[Exchange] = []
        broken: set[Path] = set()
        for path in batch:
            contents = read_segment(path, secret)
            if _is_damaged(path, contents):
                broken.add(path)
            for record in contents.records:
                if isinstance(record, Begun):
                    pending[record.id] = record
                elif (begun := pending.pop(record.id, None)) is not None:
                    ready.append(exchange_of(begun, record))
        if dead and not waiting:
            done.unanswered += len(pending)
            ready += [exchange_of(begun, None) for begun in pending.values()]
            pending.clear()
        if ready:
            store(ready)
            done.exchanges += len(ready)
        _forget(process, secret, batch, pending, broken)
        done.damaged += len(broken)
        if pending and waiting:
            waiting.insert(0, process / _CARRY)


def _is_damaged(path: Path, contents: Contents) -> bool:
    return bool(contents.damaged or (contents.lost and path.suffix == ".seg"))


def _forget(process: Path, secret: Secret, batch: list[Path], pending: dict[str, Begun], broken: set[Path]) -> None:
    """Keep what is pending, then delete the batch, oldest first: a request never outlives its end.

    Killed in between, the next pass meets some ends without their requests, which it passes over, and some exchanges
    that the store has already.
    """
    carry = process / _CARRY
    if pending:
        writer = SegmentWriter(process / "carry", secret)
        try:
            for begun in pending.values():
                writer.append(begun)
        finally:
            writer.close()
        writer.path.rename(carry)
    for path in batch:
        if pending and path == carry:
            continue
        if path in broken:
            _set_aside(path)
        else:
            path.unlink(missing_ok=True)


def _set_aside(path: Path) -> None:
    """Keep a damaged segment for a person to look at; what could be read of it is stored."""
    shelf = path.parent.parent / DAMAGED
    shelf.mkdir(mode=0o700, exist_ok=True)
    kept = path.rename(shelf / f"{path.parent.name}-{path.name}")
    _log.error("a segment of the spool is damaged: what could be read is stored, the file is kept as %s", kept)


def pending_bytes(folder: Path) -> int:
    """Bytes that wait in the spool, damaged segments left out."""
    total = 0
    for process in _processes(folder):
        for path in process.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    return total
