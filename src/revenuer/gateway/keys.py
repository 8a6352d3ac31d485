"""Clients' keys: made here, shown once, and kept as keyed hashes only (BLAKE2b under the installation's secret).

Keys are random (256 bits), so a fast hash is enough: there is nothing to guess from a stolen file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from pathlib import Path

import msgspec

from revenuer.gateway.watched import Mark, mark
from revenuer.settings import SettingsError

PREFIX = "rvn-"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key. `hash` is hex; `models` None allows all; `revoked_at` UTC seconds."""

    id: str
    account: str
    hash: str
    created_at: float
    org: str | None = None
    models: tuple[str, ...] | None = None
    revoked_at: float | None = None


class _File(msgspec.Struct):
    keys: list[Entry]
    version: int = 1


class Keys:
    """The keys of one file, looked up by what a client sends."""

    def __init__(self, path: Path, pepper: bytes) -> None:
        """`pepper` is the secret (at most 64 bytes) under which keys are hashed. A missing file holds no keys."""
        self._path, self._pepper = path, pepper
        self._seen: Mark | None = None
        self._live: dict[str, Entry] = {}
        self.entries: list[Entry] = []
        self.problem: str | None = None

    @classmethod
    def load(cls, path: Path, pepper: bytes) -> Keys:
        """Read the file. Raises SettingsError."""
        keys = cls(path, pepper)
        keys.refresh()
        if keys.problem is not None:
            raise SettingsError(keys.problem)
        return keys

    def find(self, secret: bytes) -> Entry | None:
        """The entry of a key that is not revoked."""
        return self._live.get(self._hash(secret))

    def refresh(self) -> bool:
        """Read the file if it is another one than before; a damaged one changes nothing but `problem`."""
        try:
            seen = mark(self._path)
            if seen == self._seen:
                return False
            self._seen = seen
            read = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return False
        except (OSError, msgspec.DecodeError) as error:
            self.problem = f"{self._path}: {error}"
            return False
        self._take(read.keys)
        self.problem = None
        return True

    def add(self, account: str, org: str | None = None, models: tuple[str, ...] | None = None) -> tuple[str, Entry]:
        """Make a key and save it; returns the key itself, which is kept nowhere, and its entry. Raises OSError."""
        secret = PREFIX + secrets.token_urlsafe(32)
        entry = Entry(
            id="key_" + secrets.token_hex(6),
            account=account,
            hash=self._hash(secret.encode()),
            created_at=round(time.time(), 3),
            org=org,
            models=models,
        )
        self._save([*self.entries, entry])
        return secret, entry

    def revoke(self, key_id: str) -> Entry:
        """End a key. Raises KeyError where there is none with this id, OSError."""
        found = next((entry for entry in self.entries if entry.id == key_id), None)
        if found is None:
            raise KeyError(key_id)
        ended = msgspec.structs.replace(found, revoked_at=found.revoked_at or round(time.time(), 3))
        self._save([ended if entry is found else entry for entry in self.entries])
        return ended

    def _save(self, entries: list[Entry]) -> None:
        made = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(_File(entries)), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        made.replace(self._path)
        self._take(entries)

    def _take(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._live = {entry.hash: entry for entry in entries if entry.revoked_at is None}

    def _hash(self, secret: bytes) -> str:
        return hashlib.blake2b(secret, key=self._pepper, digest_size=32).hexdigest()
