"""Headers of a request: which are sent on, which stop here, and who they say is calling. Pure."""

from __future__ import annotations

from enum import Enum

from revenuer.gateway.errors import Reason
from revenuer.gateway.http1 import NOT_UPSTREAM, SECRETS

_ALSO_FORWARDED = frozenset((b"user-agent", b"anthropic-version"))
_REMEMBERED = 4096
_IP_LENGTH = 64


class Kind(Enum):
    """What is done with a header of a request."""

    FORWARDED = 1
    SPECIAL = 2
    """Looked at here and not sent on."""
    BOTH = 3


class Kinds:
    """The kind of each header. `known` remembers the spellings that clients use, up to a bound."""

    __slots__ = ("_ip", "_ja4", "_special", "known")

    def __init__(self, ip_header: str | None, ja4_header: str | None) -> None:
        """The two headers are those in which a trusted front tells what it knows of the client."""
        self._ip = ip_header.lower().encode() if ip_header else None
        self._ja4 = ja4_header.lower().encode() if ja4_header else None
        self._special = NOT_UPSTREAM | SECRETS | {name for name in (self._ip, self._ja4) if name is not None}
        self.known: dict[bytes, Kind] = {}

    def learn(self, name: bytes) -> Kind:
        """The kind of a header that is not in `known`."""
        lower = name.lower()
        kind = Kind.SPECIAL if lower in self._special else Kind.BOTH if lower in _ALSO_FORWARDED else Kind.FORWARDED
        if len(self.known) < _REMEMBERED and len(name) < 64:
            self.known[name] = kind
        return kind

    def caller(self, special: list[tuple[bytes, bytes]]) -> Caller:
        """Who is calling, by the special headers (names in lower case). Raises CallerError."""
        caller = Caller()
        for name, value in special:
            if name in SECRETS:
                if name == b"authorization":
                    kind, _, value = value.partition(b" ")
                    if kind.lower() != b"bearer":
                        raise CallerError(Reason.UNKNOWN_KEY, "The key is wanted as 'Authorization: Bearer KEY'.")
                    value = value.strip()
                if caller.secret and caller.secret != value:
                    raise CallerError(Reason.BAD_REQUEST, "Two different keys are given.")
                caller.secret = value
            elif name == b"user-agent":
                caller.agent = value.decode("latin-1")
            elif name == b"connection":
                caller.connection = value
            if name == self._ja4:
                caller.ja4 = value.decode("latin-1")
            if name == self._ip:
                # The last address is the one that the trusted front itself has seen.
                caller.ip = value.rpartition(b",")[2].strip().decode("latin-1")[:_IP_LENGTH]
        return caller


class Caller:
    """`secret` is the key as sent, empty where there is none; `connection` the header of that name."""

    __slots__ = ("agent", "connection", "ip", "ja4", "secret")

    def __init__(self) -> None:
        self.secret = self.connection = b""
        self.agent: str | None = None
        self.ja4: str | None = None
        self.ip: str | None = None


class CallerError(ValueError):
    """A request whose headers do not say clearly who is calling."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def without(headers: list[bytes], connection: bytes) -> bytes:
    """Headers (in pieces of four) but those that `Connection` names as being for this hop alone."""
    named = {item.strip().lower() for item in connection.split(b",")}
    kept = [at for at in range(0, len(headers), 4) if headers[at].lower() not in named]
    return b"".join(b"".join(headers[at : at + 4]) for at in kept)
