"""Settings of the gateway: one TOML file, typed, every field with a default but the upstream."""

from __future__ import annotations

import os
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from revenuer.gateway.errors import Dialect
from revenuer.settings import SettingsError

Positive = Annotated[float, msgspec.Meta(gt=0)]
Bytes = Annotated[int, msgspec.Meta(ge=1024)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class FailMode(StrEnum):
    """What happens to a request that cannot be recorded."""

    OPEN = "open"
    """It is served all the same; the gap is counted."""
    CLOSED = "closed"
    """It is refused with 503."""


class UnknownPaths(StrEnum):
    """What happens to a request whose path is no endpoint known here."""

    PASS = "pass"
    REFUSE = "refuse"


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a dialect's requests go. The provider's key comes from a variable or a file, never from this file."""

    url: str
    dialects: tuple[Dialect, ...] = tuple(Dialect)
    key_env: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    """Certificates to trust instead of the system's."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"upstream: {self.url!r} is not a URL like https://models.example")
        if parts.username or parts.password:
            raise ValueError("upstream: no credentials in the URL; use key_env or key_file")

    def key(self) -> bytes | None:
        """The provider's key, read anew; None where clients' own keys are passed on. Raises SettingsError."""
        if self.key_env is not None:
            value = os.environ.get(self.key_env)
            if not value:
                raise SettingsError(f"upstream.key_env: the variable {self.key_env} is not set")
        elif self.key_file is not None:
            try:
                value = Path(self.key_file).read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"upstream.key_file: {self.key_file} cannot be read ({error})") from None
        else:
            return None
        if not value.isascii() or not value.isprintable() or not value or " " in value:
            raise SettingsError("upstream: the provider's key has characters that no header may have")
        return value.encode()


class Timeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds, checked once a second."""

    head: Positive = 10.0
    """From a request's first byte to the end of its headers."""
    body: Positive = 60.0
    """From there to the end of its body."""
    idle: Positive = 75.0
    """Between two requests of a connection."""
    connect: Positive = 5.0
    first_byte: Positive = 600.0
    """Until the upstream begins to answer."""
    silence: Positive = 300.0
    """Between two pieces of an answer."""
    stalled: Positive = 60.0
    """Without the client taking anything of an answer that waits for it."""
    upstream_idle: Positive = 4.0
    """For which an unused connection upstream is kept: less than the upstream keeps it (uvicorn: 5 s)."""
    drain: Positive = 30.0
    """For requests under way when the gateway is told to stop."""


class Sizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits in bytes, and of counts."""

    head: Bytes = 32 << 10
    headers: Count = 128
    body: Bytes = 32 << 20
    connections: Count = 10_000
    """Of clients, for each process."""


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. Relative paths are relative to the folder that the gateway runs in."""

    upstreams: Annotated[tuple[Upstream, ...], msgspec.Meta(min_length=1)]
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    workers: Count = 1
    keys: str | None = None
    """File of client keys (`revenuer keys`). Without it the upstream checks the clients' own keys, and every key is an
    account by itself."""
    standing: str | None = None
    """File of verdicts that the worker writes; `standing.json` in `data` where not given."""
    limits: str | None = None
    """File of limits."""
    data: str = "revenuer-data"
    """Folder for the spool and the secrets."""
    record: bool = True
    spool_bytes: Bytes = 1 << 30
    fail: FailMode = FailMode.OPEN
    unknown_paths: UnknownPaths = UnknownPaths.PASS
    appeal_url: str | None = None
    client_ip_header: str | None = None
    """Header in which a trusted front gives the client's address; without it, the peer's address."""
    ja4_header: str | None = None
    """Header in which a trusted front gives the JA4 fingerprint of the client's TLS."""
    timeouts: Timeouts = Timeouts()
    sizes: Sizes = Sizes()

    def __post_init__(self) -> None:
        missing = [d.value for d in Dialect if not any(d in upstream.dialects for upstream in self.upstreams)]
        if len(missing) == len(Dialect):
            raise ValueError("upstreams: none of them speaks any dialect")


def load_gateway_settings(path: Path | None = None, **given: object) -> GatewaySettings:
    """Settings from a TOML file with `given` on top (what is None there is left out). Raises SettingsError."""
    values: dict[str, object] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: not TOML: {error}") from None
    values.update({name: value for name, value in given.items() if value is not None})
    if not values.get("upstreams"):
        raise SettingsError("no upstream: give --upstream URL, or [[upstreams]] with a url in the settings file")
    try:
        return msgspec.convert(values, GatewaySettings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path or 'gateway settings'}: {error}") from None
