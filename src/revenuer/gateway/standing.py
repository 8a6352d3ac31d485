"""The table that the worker writes and the request path reads: what holds for an account at present."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from revenuer.gateway.dialects import Edits
from revenuer.gateway.watched import Mark, mark
from revenuer.records import Verdict
from revenuer.settings import SettingsError


class Measures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done about an account; the default does nothing. Every measure ends with its standing."""

    requests_per_minute: float | None = None
    """Slower: so many requests a minute for the account; above that 429 with `Retry-After`."""
    campaign_requests_per_minute: float | None = None
    """The same for all accounts of its campaign together."""
    challenge: bool = False
    """Refused until the account was verified."""
    refuse: bool = False
    edits: Edits = Edits()
    """What is changed in its requests."""


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """One account's. `until` UTC seconds: afterwards it counts as clear. `reference` is quoted to the customer."""

    account: str
    verdict: Verdict
    until: float
    measures: Measures = Measures()
    campaign: str | None = None
    reference: str = ""


class _File(msgspec.Struct):
    standings: list[Standing]
    version: int = 1


def write(standings: Iterable[Standing], path: Path) -> None:
    """Put a whole table in place at once: a reader sees the old one or the new one. Raises OSError."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.write_bytes(msgspec.json.encode(_File(list(standings))))
    made.replace(path)


class StandingTable:
    """The table in memory. A damaged or missing file changes nothing: the last good one goes on, until its ends."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._seen: Mark | None = None
        self._rows: dict[str, Standing] = {}
        self.problem: str | None = None
        """Why the last reading failed; None where it did not."""

    def find(self, account: str, now: float) -> Standing | None:
        """What holds for an account at `now` (UTC seconds); None where nothing does."""
        found = self._rows.get(account)
        return found if found is not None and found.until > now else None

    def refresh(self) -> bool:
        """Read the file if it is another one than before; returns whether the table is new."""
        if self._path is None:
            return False
        try:
            seen = mark(self._path)
            if seen == self._seen:
                return False
            self._seen = seen
            read = msgspec.json.decode(self._path.read_bytes(), type=_File)
            if read.version != 1:
                raise SettingsError(f"version {read.version} is not known here")
        except FileNotFoundError:
            return False
        except (OSError, msgspec.DecodeError, SettingsError) as error:
            self.problem = f"{self._path}: {error}"
            return False
        self._rows = {row.account: row for row in read.standings}
        self.problem = None
        return True

    def __len__(self) -> int:
        return len(self._rows)
