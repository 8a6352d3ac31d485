"""HTTP/1.1 as bytes: heads of answers, chunked framing, and which headers stop here. Pure; sources: RFC 9110, 9112.

Requests are parsed by httptools (llhttp, strict) in `server`; what llhttp lets through and two servers could still read
in two ways is refused by `request_fault`.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from revenuer.gateway.spool import Media

HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
     b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings")
)  # fmt: skip
SECRETS = frozenset((b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"))
_FROM_CLIENT = frozenset(
    (b"host", b"content-length", b"expect", b"accept-encoding", b"cookie", b"forwarded", b"via", b"x-real-ip",
     b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"x-forwarded-server",
     b"x-original-url", b"x-rewrite-url", b"openai-organization", b"openai-project", b"x-http-method-override")
)  # fmt: skip
NOT_UPSTREAM = HOP_BY_HOP | _FROM_CLIENT
"""Never sent on. Answers are asked for uncompressed, so that their bytes can be read in passing."""
NOT_TO_CLIENT = (HOP_BY_HOP - {b"transfer-encoding"}) | frozenset(
    (b"server", b"via", b"x-powered-by", b"set-cookie", b"alt-svc", b"nel", b"report-to", b"cf-ray", b"cf-cache-status",
     b"openai-organization", b"openai-project", b"anthropic-organization-id", b"x-served-by", b"x-upstream",
     b"x-backend-server", b"x-envoy-upstream-service-time", b"x-envoy-decorator-operation", b"x-aspnet-version",
     b"strict-transport-security")
)  # fmt: skip
"""What would tell a client about the provider's installation."""

MAX_ANSWER_HEAD = 64 << 10
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n\x00]*)?")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\x00]*)?")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_MAX_LINE = 4096
_MAX_KNOWN = 1024
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"content-type"))
_known: dict[bytes, bytes] = {}
_MAX_TRAILER = 16 << 10
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class FramingError(ValueError):
    """An upstream's bytes are not HTTP/1.1."""


class AnswerHead:
    """The head of an answer: `lines` to send on (without the empty line at the end), and how the body is framed.

    `length` bytes of body; None: until the last chunk where `chunked`, else until the connection ends.
    """

    __slots__ = ("chunked", "close", "length", "lines", "media", "status")

    def __init__(self, status: int, lines: bytes, length: int | None, chunked: bool, close: bool, media: Media) -> None:
        self.status, self.lines, self.length = status, lines, length
        self.chunked, self.close, self.media = chunked, close, media


def _learn(raw: bytes) -> bytes:
    """A header's name in lower case, empty where it is none; upstreams use few, so spellings are remembered."""
    if _NAME.fullmatch(raw) is None:
        return b""
    name = raw.lower()
    if len(_known) < _MAX_KNOWN and len(raw) < 64:
        _known[raw] = name
    return name


def answer_head(head: bytes, to_head: bool = False) -> AnswerHead:
    """Read the head of an answer (up to its empty line, exclusive); `to_head` where the request was a HEAD.

    Raises:
        FramingError: malformed, contradictory, or framed in a way not known here.
    """
    lines = head.split(b"\r\n")
    first = _STATUS.fullmatch(lines[0])
    if first is None:
        raise FramingError("status line")
    status = int(first[1])
    length: int | None = None
    chunked = False
    close = lines[0].startswith(b"HTTP/1.0")
    media = Media.NONE
    kept = [b"HTTP/1.1" + lines[0][8:]]
    dropped: frozenset[bytes] | set[bytes] = NOT_TO_CLIENT
    for line in lines[1:]:
        raw, colon, value = line.partition(b":")
        name = _known.get(raw) or _learn(raw)
        if not colon or not name:
            raise FramingError("header line")
        if name not in _FRAMING:
            if name not in dropped:
                kept.append(line)
        elif name == b"content-type":
            if b"event-stream" in value:
                media = Media.SSE
            elif b"json" in value:
                media = Media.JSON
            kept.append(line)
        elif name == b"content-length":
            value = value.strip()
            if _DIGITS.fullmatch(value) is None or length not in (None, int(value)):
                raise FramingError("content-length")
            if length is None:
                kept.append(line)
            length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.strip().lower() != b"chunked":
                raise FramingError("transfer-encoding")
            chunked = True
            kept.append(line)
        else:
            value = value.lower()
            close = close or b"close" in value
            named = {item.strip() for item in value.split(b",")} - {b"close", b"keep-alive"} - _FRAMING
            if named:
                dropped = dropped | named
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise FramingError("header line")
    if chunked and length is not None:
        raise FramingError("both content-length and transfer-encoding")
    if to_head or status in (204, 304) or status < 200:
        length, chunked, media = 0, False, Media.NONE
    return AnswerHead(status, b"\r\n".join(kept), length, chunked, close, media)


class Chunked:
    """Walks a chunked body without changing it."""

    __slots__ = ("_held", "_left", "_state", "_trailer")

    _SIZE_LINE, _DATA, _AFTER, _TRAILER = range(4)

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._trailer = 0
        self._state = self._SIZE_LINE

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """Append the payload in `data` to `pieces`; -1 while more is to come, else how many bytes follow the body.

        Raises:
            FramingError: not a chunked body.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        at, end = 0, len(data)
        while at < end:
            state = self._state
            if state == self._DATA:
                stop = at + self._left
                if stop > end:
                    pieces.append(data[at:])
                    self._left = stop - end
                    return -1
                pieces.append(data[at:stop])
                at = stop
                self._state = self._AFTER
            elif state == self._AFTER:
                if end - at < 2:
                    break
                if data[at : at + 2] != b"\r\n":
                    raise FramingError("chunk is longer than it says")
                at += 2
                self._state = self._SIZE_LINE
            else:
                stop = data.find(b"\r\n", at, at + _MAX_LINE)
                if stop < 0:
                    if end - at >= _MAX_LINE:
                        raise FramingError("line too long")
                    break
                line = data[at:stop]
                at = stop + 2
                if state == self._TRAILER:
                    self._trailer += len(line)
                    if not line:
                        return end - at
                    if self._trailer > _MAX_TRAILER or _NAME.match(line) is None or b"\n" in line:
                        raise FramingError("trailer")
                    continue
                size = _SIZE.fullmatch(line)
                if size is None:
                    raise FramingError("chunk size")
                self._left = int(size[1], 16)
                self._state = self._DATA if self._left else self._TRAILER
        self._held = data[at:]
        return -1


def request_fault(headers: list[tuple[bytes, bytes]]) -> str | None:
    """What is wrong with how a request is framed (names in lower case), in a sentence; None where nothing is."""
    hosts = lengths = encodings = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            lengths += 1
            if _DIGITS.fullmatch(value) is None:
                return "Content-Length is not a number."
        elif name == b"transfer-encoding":
            encodings += 1
            if value.strip().lower() != b"chunked":
                return "Of transfer encodings, only chunked is understood."
    if hosts != 1:
        return "One Host header is wanted."
    if lengths > 1 or encodings > 1 or (lengths and encodings):
        return "The length of the body is given twice."
    return None


def plain_answer(status: int, body: bytes, close: bool, headers: bytes = b"") -> bytes:
    """A whole JSON answer; `headers` are lines, each with its line end."""
    return b"".join(
        (
            b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            % (status, _PHRASES.get(status, b"Error"), len(body)),
            headers,
            b"Connection: close\r\n\r\n" if close else b"\r\n",
            body,
        )
    )
