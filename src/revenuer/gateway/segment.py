"""One file of the spool: a header, then records, each framed by its length and encrypted with AES-256-GCM.

Header (32 bytes): magic, salt, and a mark that tells whether a key is the right one. Frame: length (32 bits,
little-endian), ciphertext, tag; the tag is also the checksum, so there is no other. The key of a segment is BLAKE2b of
its salt under the installation's secret, so that the nonce can be the record's number. Records are MessagePack arrays
that only grow at their end.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"RVSPOOL1"
MAX_RECORD = 64 << 20
_SALT, _MARK = 16, 8
HEADER = len(MAGIC) + _SALT + _MARK
_FRAME = struct.Struct("<I")
_SECRET = re.compile(r"[0-9a-fA-F]{64}")


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


class Begun(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """A request that is about to go upstream; `id` from `Spool.next_id`, `ts` UTC seconds, `body` as it came.

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

    `status` is what the client got; 499 where the client had gone. `answer` is cut at `spool.ANSWER_BYTES`.
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


Record = Begun | Ended
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Secret:
    """The installation's secret for its spool: 32 bytes, in a file that its owner alone may read."""

    def __init__(self, key: bytes, path: Path) -> None:
        """Use `load`."""
        self._key = key
        self.path = path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it, or make it on first use (64 hex digits, mode 0600). Raises SpoolError."""
        try:
            if not path.exists():
                _make(path)
            if path.stat().st_mode & 0o077:
                raise SpoolError(f"{path} can be read by others than its owner: chmod 600 {path}")
            text = path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise SpoolError(f"cannot use the spool's key {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            text = ""
        if not _SECRET.fullmatch(text):
            raise SpoolError(
                f"{path} is not a spool key (64 hex digits): restore it; removing it loses what is spooled"
            )
        return cls(bytes.fromhex(text), path)

    def derive(self, salt: bytes) -> tuple[bytes, bytes]:
        """The key (32 bytes) of the segment with this salt, and its mark (8 bytes)."""
        key = hashlib.blake2b(salt, key=self._key, person=b"revenuer-segment", digest_size=32).digest()
        mark = hashlib.blake2b(salt, key=self._key, person=b"revenuer-keymark", digest_size=_MARK).digest()
        return key, mark


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # Of several processes that begin at once, one makes the key and all use it.
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()


class SegmentWriter:
    """A new segment, open for appending. `size` is its length in bytes."""

    __slots__ = ("_encrypt", "_number", "fd", "path", "size")

    def __init__(self, path: Path, secret: Secret) -> None:
        """Make the file; raises OSError, leaving none behind."""
        salt = secrets.token_bytes(_SALT)
        key, mark = secret.derive(salt)
        self.path = path
        self._encrypt = AESGCM(key).encrypt
        self._number = 0
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = 0
        try:
            self._write(MAGIC + salt + mark)
        except OSError:
            os.close(self.fd)
            path.unlink(missing_ok=True)
            raise

    def append(self, *records: Record) -> int:
        """Write records with one system call; returns the bytes. Raises OSError, with none of them in the file.

        After an error the segment is not to be used further: a nonce must not serve twice.
        """
        frames = []
        for record in records:
            data = self._encrypt(self._number.to_bytes(12, "little"), _encode(record), None)
            self._number += 1
            frames.append(_FRAME.pack(len(data)) + data)
        return self._write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _write(self, data: bytes) -> int:
        try:
            written = os.write(self.fd, data)
            while written < len(data):
                written += os.write(self.fd, data[written:])
        except OSError:
            os.ftruncate(self.fd, self.size)
            raise
        self.size += written
        return written

    def close(self) -> None:
        os.close(self.fd)


@dataclass(frozen=True)
class Contents:
    """What could be read of a segment: `lost` bytes of a torn or damaged tail, `damaged` records in the middle."""

    records: list[Record]
    lost: int
    damaged: int


def read_segment(path: Path, secret: Secret) -> Contents:
    """The records of a segment in the order written. A torn tail, as kill -9 leaves it, is no error.

    Raises:
        SpoolError: the segment was written under another key.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if len(data) < HEADER or not data.startswith(MAGIC):
        return Contents([], len(data), 0)
    salt, mark = data[len(MAGIC) : len(MAGIC) + _SALT], data[len(MAGIC) + _SALT : HEADER]
    key, expected = secret.derive(salt)
    if mark != expected:
        raise SpoolError(
            f"{path} was written under another key than that in {secret.path}: give the key that the gateway uses. "
            "Nothing was removed."
        )
    decrypt = AESGCM(key).decrypt
    records: list[Record] = []
    at, number, damaged = HEADER, 0, 0
    while at + _FRAME.size <= len(data):
        (length,) = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + length
        if not 16 <= length <= MAX_RECORD or end > len(data):
            break
        body = data[at + _FRAME.size : end]
        try:
            records.append(_decode(decrypt(number.to_bytes(12, "little"), body, None)))
        except (ValueError, InvalidTag):
            if end == len(data):
                break
            damaged += 1
        at, number = end, number + 1
    return Contents(records, len(data) - at, damaged)
