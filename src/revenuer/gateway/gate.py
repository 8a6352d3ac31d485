"""Who is calling, and may it pass: what the request path asks once for each request, answered from memory.

`admit.Admission` is the gate of a running gateway; `Gate` is what it does for a key that nobody knows.
"""

from __future__ import annotations

import hashlib
import secrets

from revenuer.gateway.dialects import Asked, Edits
from revenuer.gateway.errors import Reason

_REMEMBERED = 65_536


class Passage:
    """The answer for one request: refused where `reason` is set, else served after `delay` seconds with `edits`."""

    __slots__ = ("account", "delay", "edits", "grant", "key", "message", "org", "reason", "reference", "retry_after")

    def __init__(self, account: str, key: str | None, reason: Reason | None = None) -> None:
        self.account, self.key, self.reason = account, key, reason
        self.org: str | None = None
        self.message: str | None = None
        self.retry_after: float | None = None
        self.reference = ""
        self.edits: Edits | None = None
        self.delay = 0.0
        self.grant: object = None


class Gate:
    """Lets everybody pass, each key as an account of its own: for a gateway whose upstream checks the keys."""

    def __init__(self, names: bytes) -> None:
        """`names` is the secret under which a client's key becomes a name; the key itself is kept nowhere."""
        self._names = names
        self._known: dict[bytes, str] = {}

    def enter(self, secret: bytes, asked: Asked, now: float) -> Passage:
        """Decide on a request that came with the key `secret` (empty where there is none), at `now` (monotonic)."""
        del asked, now
        if not secret:
            return Passage("anonymous", None)
        name = self._known.get(secret)
        if name is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            name = hashlib.blake2b(secret, key=self._names, digest_size=12).hexdigest()
            self._known[secret] = name
        return Passage("key-" + name, name)

    def leave(self, passage: Passage, tokens_in: int | None, tokens_out: int, now: float) -> None:
        """It is over: `tokens_in` None where the estimate stands."""

    def tick(self, now: float) -> None:
        """Once a second: look whether verdicts or keys have changed."""

    def close(self) -> None:
        """Let go of what is held."""


def reference() -> str:
    """A number to quote in an appeal, where no exchange has one."""
    return secrets.token_hex(12)
