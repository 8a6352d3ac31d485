"""When a file that others replace is another one than before."""

from __future__ import annotations

from pathlib import Path

Mark = tuple[int, int, int]


def mark(path: Path) -> Mark:
    """What differs once a file was replaced or rewritten. Raises OSError."""
    about = path.stat()
    return about.st_ino, about.st_mtime_ns, about.st_size
