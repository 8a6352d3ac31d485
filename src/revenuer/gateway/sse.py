"""What is kept of an answer as it streams by, and the tokens it states.

The bytes themselves go on untouched; here their beginning is kept for the record and their end for the usage, so that
an answer of any length costs bounded memory and no parsing until it is over. Shapes of usage: OpenAI chat completions,
completions, embeddings and responses, Anthropic messages; plain or as server-sent events.
"""

from __future__ import annotations

from collections import deque

import msgspec

from revenuer.gateway.spool import ANSWER_BYTES, Media
from revenuer.records import Usage

TAIL_BYTES = 256 << 10
"""Of an answer longer than `ANSWER_BYTES` this much of its end is kept: the last event of a response repeats it all."""


class _Details(msgspec.Struct):
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class _Counts(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    completion_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None


class _Holder(msgspec.Struct):
    usage: _Counts | None = None


class _Stated(msgspec.Struct):
    usage: _Counts | None = None
    message: _Holder | None = None
    response: _Holder | None = None


_decode = msgspec.json.Decoder(_Stated).decode
_NOTHING = Usage()


def _usage(stated: _Stated, before: Usage) -> Usage:
    """`before` with what this part of an answer says on top."""
    counts = stated.usage
    if counts is None:
        holder = stated.message or stated.response
        counts = holder.usage if holder is not None else None
    if counts is None:
        return before
    prompt = counts.prompt_tokens if counts.input_tokens is None else counts.input_tokens
    completion = counts.completion_tokens if counts.output_tokens is None else counts.output_tokens
    out = counts.completion_tokens_details or counts.output_tokens_details
    into = counts.prompt_tokens_details or counts.input_tokens_details
    reasoning = out.reasoning_tokens if out is not None else None
    cached = into.cached_tokens if into is not None else counts.cache_read_input_tokens
    return Usage(
        before.prompt_tokens if prompt is None else prompt,
        before.completion_tokens if completion is None else completion,
        before.reasoning_tokens if reasoning is None else reasoning,
        before.cached_tokens if cached is None else cached,
    )


def usage_of(media: Media, data: bytes) -> Usage:
    """Tokens stated in an answer, or in as much of its two ends as there is; None where it states none."""
    if media is Media.JSON:
        try:
            return _usage(_decode(data), _NOTHING)
        except (msgspec.DecodeError, RecursionError):
            return _NOTHING
    usage = _NOTHING
    if media is Media.SSE and b'"usage"' in data:
        for line in data.splitlines():
            if b'"usage"' in line and line.startswith(b"data:"):
                try:
                    usage = _usage(_decode(line[5:]), usage)
                except (msgspec.DecodeError, RecursionError):
                    continue
    return usage


class Answer:
    """One answer in passing. `size` bytes of body so far, `events` server-sent events (each is about a token)."""

    __slots__ = ("_head", "_tail", "_tail_size", "events", "media", "size")

    def __init__(self, media: Media) -> None:
        self.media = media
        self.size = 0
        self.events = 0
        self._head: list[bytes] = []
        self._tail: deque[bytes] | None = None
        self._tail_size = 0

    def feed(self, data: bytes) -> None:
        """Take note of a piece of the body, without any framing of transfer."""
        if self.media is Media.SSE:
            self.events += data.count(b"data:")
        if self.size < ANSWER_BYTES:
            self._head.append(data)
        else:
            tail = self._tail
            if tail is None:
                tail = self._tail = deque()
            tail.append(data)
            self._tail_size += len(data)
            while self._tail_size - len(tail[0]) >= TAIL_BYTES:
                self._tail_size -= len(tail.popleft())
        self.size += len(data)

    def kept(self) -> bytes:
        """The beginning, at least `ANSWER_BYTES` of it where there is so much."""
        head = self._head
        return head[0] if len(head) == 1 else b"".join(head)

    def usage(self) -> Usage:
        """Tokens as the upstream stated them."""
        data = self.kept()
        if self._tail is not None:
            data += b"".join(self._tail)
        return usage_of(self.media, data)

    def tokens(self) -> int:
        """Output tokens by what passed, where the upstream states none: events, or a token for four bytes."""
        return self.events if self.media is Media.SSE else self.size // 4
