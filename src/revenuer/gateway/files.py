"""Small files that other processes write and the gateway reads: replaced whole, noticed when they change."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

Stamp = tuple[int, int, int]
"""Inode, modification time (ns) and size: another file behind the same name has another stamp."""


def stamp(path: Path) -> Stamp | None:
    """The file's stamp; None where there is no file. Cheap enough to ask every second."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a whole file so that a reader sees the old one or the new one, never half; it survives a power cut.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that several processes change in turn; the lock ends with its holder.

    Raises:
        OSError: the lock file beside it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
