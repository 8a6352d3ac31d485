"""The write-ahead spool: what the gateway saw, on disk before anybody is told, until the worker has taken it.

`begin` is called before a request goes upstream and `end` before the last bytes of its answer go to the client. Each
hands its record to the system with one unbuffered write, so that it survives `kill -9` of this process; a record may be
lost to a power cut (see `Sync`). Bodies and answers are in here as they were sent, so records are encrypted with
AES-256-GCM under a key of the installation; the folder is 0700, files are 0600.

One process, one thread, one `Spool`. Never raises on the request path: what cannot be written is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Self

import msgspec

LIMIT_BYTES = 1 << 30
ANSWER_BYTES = 32 << 10
BODY_BYTES = 16 << 20


class SpoolError(Exception):
    """The spool cannot be used (wrong key, no such folder, not ours); says why and what to do."""


class Media(StrEnum):
    """What `Ended.answer` holds."""

    NONE = "none"
    TEXT = "text"
    """The answer's text as UTF-8."""
    JSON = "json"
    """The answer's body as it came."""
    SSE = "sse"
    """Server-sent events as they came; the worker puts the text together."""


class Sync(StrEnum):
    """When records are forced onto the disk."""

    NEVER = "never"
    """The system writes them when it likes: safe against the death of the process, not against a power cut."""
    BATCH = "batch"
    """At each `tick`, in a thread: a power cut loses what was written since the last one."""


class Begun(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """A request that is about to go upstream. `id` from `Spool.next_id`; `ts` UTC seconds; `body` as the client sent it.

    `endpoint` as in the exchange log (`openai.chat`, `anthropic.messages`, ...; the bare path where it is unknown).
    """

    id: str
    ts: float
    account: str
    endpoint: str
    body: bytes
    key: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    ja4: str | None = None
    org: str | None = None


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """How it ended. Token counts that the gateway did not read are None; the worker then looks into `answer`.

    `status` is what the client got; 499 where the client had gone. `answer` is cut at `ANSWER_BYTES`.
    """

    id: str
    status: int
    latency_ms: float
    media: Media = Media.NONE
    answer: bytes = b""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class Stats(msgspec.Struct, frozen=True):
    """For metrics. Counts since the process began; `used` and `limit` bytes on disk, of all processes together."""

    begun: int
    ended: int
    dropped: int
    """Exchanges that are not in the spool: it was full, or the disk refused them."""
    open: int
    used: int
    limit: int
    full: bool


class Spool:
    """Use `open`."""

    @classmethod
    def open(cls, folder: Path, secret: Path, limit_bytes: int = LIMIT_BYTES, sync: Sync = Sync.NEVER) -> Self:
        """The spool in `folder` (made if needed) for this process, under the key in file `secret` (made if absent).

        `limit_bytes` bounds all processes of the folder together. Raises SpoolError.
        """
        raise NotImplementedError

    def next_id(self) -> str:
        """An id that no other exchange has, in whichever process, now or later. 24 ASCII letters and digits."""
        raise NotImplementedError

    def begin(self, record: Begun) -> bool:
        """Write it down; False where it was dropped (spool full, disk error): `end` is then without effect."""
        raise NotImplementedError

    def end(self, record: Ended) -> None:
        """Write down how it ended. Space for this was set aside by `begin`, so a full spool still takes it."""
        raise NotImplementedError

    def whole(self, begun: Begun, ended: Ended) -> bool:
        """Both at once, for a request that was answered here (refused, slowed down, upstream not there)."""
        raise NotImplementedError

    def tick(self) -> None:
        """Call about once a second: seals a segment that is old enough for the worker, looks how full the folder is."""
        raise NotImplementedError

    def stats(self) -> Stats:
        raise NotImplementedError

    def close(self) -> None:
        """Seal what is open and let the worker have it."""
        raise NotImplementedError


def read_segment(path: Path, secret: Path) -> Iterator[Begun | Ended]:
    """The records of a segment in the order written; a torn tail ends it. Raises SpoolError for another key."""
    raise NotImplementedError
