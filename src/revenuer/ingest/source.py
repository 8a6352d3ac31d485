"""What a log format has to offer, and the two ways in which reading can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from revenuer.records import Exchange

MAX_ROW_BYTES = 16 * 2**20
"""A longer row is refused: no exchange that a model can take is this long."""


class RowError(ValueError):
    """One row cannot be read. The message names the field and what is wrong with it; reading goes on."""


class IngestError(Exception):
    """Reading cannot go on (no such file, a file that changed under a resumed scan). Says what to do."""


@dataclass(frozen=True)
class Source:
    """A log format.

    `recognise` takes one row as a JSON object and returns how sure it is (0 to 1) that the row is of this format.
    `decode` takes the bytes of one row and returns its exchange, or None for a row that holds none by design (an
    embedding call, an agent's own span); it raises `RowError`. `split` takes one physical line, or a whole document,
    that carries several rows apart; None where a line is a row.
    """

    name: str
    title: str
    recognise: Callable[[Mapping[str, Any]], float]
    decode: Callable[[bytes], Exchange | None]
    split: Callable[[bytes], Iterator[bytes]] | None = None
    max_row_bytes: int = MAX_ROW_BYTES
