"""Client keys, kept as keyed hashes: who copies the key file can use none of them, nor test a guess.

Two files: the entries (JSON), and beside it the secret of the hash (`.secret`, readable by its owner alone). Revoked keys
stay listed, so that an old key's id keeps its meaning.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from pathlib import Path

import msgspec

from revenuer.gateway.files import Stamp, locked, replace, stamp

KEYS_VERSION = 1
PREFIX = "rvn-"
"""Every client key begins so; secret scanners can look for it."""
_SECRET_BYTES = 32
_DIGEST_BYTES = 24


class KeysError(ValueError):
    """The key file cannot be used, or a change to it makes no sense; the message says which and why."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One client key, without the key. Times are UTC seconds since the epoch."""

    id: str
    """Shown, logged and used in records; says nothing about the key."""
    account: str
    hash: str
    """Keyed BLAKE2b of the key, hex."""
    created_at: float
    models: tuple[str, ...] | None = None
    """Models the key may ask for; None allows all."""
    limits: str = "default"
    """Name of the plan of limits (see `limits`)."""
    note: str = ""
    revoked_at: float | None = None

    def allows(self, model: str) -> bool:
        """Whether the key may ask for a model."""
        return self.models is None or model in self.models


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    keys: tuple[Entry, ...]


class Keys:
    """The keys in memory: `find` costs one hash and one dict look-up."""

    __slots__ = ("_by_digest", "_path", "_secret", "_stamp", "entries")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._secret = b""
        self._by_digest: dict[bytes, Entry] = {}
        self.entries: tuple[Entry, ...] = ()
        """All entries, revoked ones too, oldest first."""

    @classmethod
    def load(cls, path: Path) -> Keys:
        """The keys of a file; none where the file is not there yet.

        Raises:
            KeysError: the file or its secret is damaged, missing, or of another version.
            OSError: it cannot be read.
        """
        keys = cls(path)
        keys.reload()
        return keys

    def reload(self) -> bool:
        """Read the file again if it changed; whether it did. On an error the keys stay as they were.

        Raises: as `load`.
        """
        seen = stamp(self._path)
        if seen == self._stamp:
            return False
        entries = _read(self._path) if seen is not None else ()
        secret = _secret(self._path) if entries else self._secret
        self._by_digest = {bytes.fromhex(entry.hash): entry for entry in entries if entry.revoked_at is None}
        self.entries, self._secret, self._stamp = entries, secret, seen
        return True

    def find(self, secret: bytes) -> Entry | None:
        """The entry of a client key as sent; None for an unknown or revoked one.

        Time spent does not depend on how much of a guess is right: what is compared is a keyed hash.
        """
        return self._by_digest.get(_digest(secret, self._secret))


def add_key(
    path: Path, account: str, *, models: tuple[str, ...] | None = None, limits: str = "default", note: str = ""
) -> tuple[Entry, str]:
    """Make a client key; the entry as stored, and the key itself, which is kept nowhere.

    Raises:
        KeysError: the account has no name, or the file is damaged.
        OSError: the file cannot be written.
    """
    if not account:
        raise KeysError("a key belongs to an account: give its name")
    with locked(path):
        entries = _read(path)
        key = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
        entry = Entry(
            id=f"key-{secrets.token_hex(6)}",
            account=account,
            hash=_digest(key.encode(), _secret(path, make=not entries)).hex(),
            created_at=time.time(),
            models=models,
            limits=limits,
            note=note,
        )
        _write(path, (*entries, entry))
    return entry, key


def revoke_key(path: Path, id: str) -> Entry:
    """Revoke a key by its id; running gateways follow within about a second.

    Raises:
        KeysError: there is no such key, it is revoked already, or the file is damaged.
        OSError: the file cannot be written.
    """
    with locked(path):
        entries = _read(path)
        found = next((entry for entry in entries if entry.id == id), None)
        if found is None:
            raise KeysError(f"there is no key {id} in {path}")
        if found.revoked_at is not None:
            raise KeysError(f"{id} is revoked already")
        revoked = msgspec.structs.replace(found, revoked_at=time.time())
        _write(path, tuple(revoked if entry is found else entry for entry in entries))
    return revoked


def _digest(key: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(key, key=secret, digest_size=_DIGEST_BYTES).digest()


def _read(path: Path) -> tuple[Entry, ...]:
    try:
        read = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return ()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeysError(f"key file {path}: {error}") from error
    if read.version != KEYS_VERSION:
        raise KeysError(f"key file {path} is of version {read.version}, this program reads {KEYS_VERSION}")
    for entry in read.keys:
        if len(entry.hash) != 2 * _DIGEST_BYTES or not all(c in "0123456789abcdef" for c in entry.hash):
            raise KeysError(f"key file {path}: the hash of {entry.id} is damaged")
    return read.keys


def _write(path: Path, entries: tuple[Entry, ...]) -> None:
    replace(path, msgspec.json.format(msgspec.json.encode(_File(version=KEYS_VERSION, keys=entries))) + b"\n")


def _secret(path: Path, make: bool = False) -> bytes:
    """The secret of the hash. `make` makes one where there is none and nothing depends on it yet."""
    where = path.with_suffix(".secret")
    try:
        if make and not where.exists():
            with os.fdopen(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_SECRET_BYTES) + "\n")
        if where.stat().st_mode & 0o077:
            raise KeysError(f"{where} can be read by others: `chmod 600` it")
        secret = bytes.fromhex(where.read_text(encoding="ascii").strip())
    except FileNotFoundError as error:
        raise KeysError(f"{where} is missing: without it no key of {path} can be recognised") from error
    except ValueError as error:
        if isinstance(error, KeysError):
            raise
        raise KeysError(f"{where} is not a secret of {2 * _SECRET_BYTES} hex digits") from error
    if len(secret) != _SECRET_BYTES:
        raise KeysError(f"{where} is not a secret of {2 * _SECRET_BYTES} hex digits")
    return secret
