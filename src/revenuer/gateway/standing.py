"""The verdict table: what the gateway knows of each account it must treat in some way, and since which decision.

`enforce` writes the file (by rename, so that it is never seen half written), each gateway process reads it and reads it
again when it changes. An account that is not in the table, or whose standing has expired, is clear: forgetting to
renew a measure ends it, and a worker that died holds nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from revenuer.gateway.files import Stamp, replace, stamp
from revenuer.records import Verdict

TABLE_VERSION = 1


class StandingError(ValueError):
    """The verdict table cannot be used; the message names the file and what is wrong with it."""


class Reasoning(StrEnum):
    """How much of its reasoning the model may show to the account. Closed."""

    KEEP = "keep"
    """As asked."""
    SUMMARY = "summary"
    """A summary at most, where the upstream offers one; otherwise none."""
    NONE = "none"
    """None is asked for, whatever the client asked."""


class Edits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Changes made to the request before it goes upstream, so that no answer has to be rewritten.

    Client-supplied sampling hooks (`vllm_xargs`) are dropped whenever there is any edit.
    """

    no_logprobs: bool = False
    """Ask for no log-probabilities."""
    one_answer: bool = False
    """Ask for one answer, whatever `n` says."""
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Cap on output tokens, reasoning included; None leaves the client's own."""
    reasoning: Reasoning = Reasoning.KEEP


class Measures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done about an account's requests; the default is nothing. Each is undone by taking it out."""

    slow: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    """Share of its ordinary rates that the account keeps; requests beyond wait before they are refused."""
    challenge: bool = False
    """Refused until the customer has confirmed who they are."""
    refuse: bool = False
    """Refused."""
    edits: Edits | None = None
    silent: bool = False
    """Not named to the customer in the answer's headers (a refusal always says why)."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one account stands, because of which decision, and until when (UTC seconds since the epoch)."""

    account: str
    verdict: Verdict
    measures: Measures = Measures()
    campaign: str | None = None
    reference: str = ""
    """Number by which the decision can be looked up and appealed; given to the customer."""
    until: float


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    written_at: float
    standings: tuple[Standing, ...]


class StandingTable:
    """The table in memory. Look-up is one dict access; a table of another version is refused, not guessed at."""

    __slots__ = ("_path", "_stamp", "_standings", "written_at")

    def __init__(self, path: Path, standings: Iterable[Standing] = (), written_at: float = 0.0) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._standings = {standing.account: standing for standing in standings}
        self.written_at = written_at
        """When the table was written (UTC seconds); 0 where there is none yet."""

    @classmethod
    def load(cls, path: Path) -> StandingTable:
        """The table of a file; empty where the file is not there yet.

        Raises:
            StandingError: the file is damaged, or of another version.
            OSError: it cannot be read.
        """
        table = cls(path)
        table.reload()
        return table

    def reload(self) -> bool:
        """Read the file again if it changed; whether it did. On an error the table stays as it was.

        Raises:
            StandingError: the file is damaged, or of another version. Asked again, it says so again.
            OSError: it cannot be read.
        """
        seen = stamp(self._path)
        if seen == self._stamp:
            return False
        if seen is None:
            self._standings, self.written_at, self._stamp = {}, 0.0, None
            return True
        try:
            read = msgspec.json.decode(self._path.read_bytes(), type=_Table)
        except FileNotFoundError:
            return False
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StandingError(f"verdict table {self._path}: {error}") from error
        if read.version != TABLE_VERSION:
            raise StandingError(
                f"verdict table {self._path} is of version {read.version}, this program reads {TABLE_VERSION}"
            )
        self._standings = {standing.account: standing for standing in read.standings}
        self.written_at, self._stamp = read.written_at, seen
        return True

    def find(self, account: str, now: float) -> Standing | None:
        """The standing in force, None for an account that is clear or whose standing has expired."""
        standing = self._standings.get(account)
        return standing if standing is not None and standing.until > now else None

    def __len__(self) -> int:
        return len(self._standings)


def write_table(path: Path, standings: Iterable[Standing], now: float) -> None:
    """Replace the verdict table. Sorted by account, so that equal tables are equal files.

    Raises:
        ValueError: an account is there twice.
        OSError: the folder cannot be written.
    """
    rows = tuple(sorted(standings, key=lambda standing: standing.account))
    if len({row.account for row in rows}) != len(rows):
        raise ValueError("an account stands in the table twice")
    replace(path, msgspec.json.encode(_Table(version=TABLE_VERSION, written_at=now, standings=rows)))
