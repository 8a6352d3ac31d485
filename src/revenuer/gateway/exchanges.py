"""Records of the spool -> `records.Exchange`, beside the request path: bodies and raw answers are read here.

Nothing is left out: a body that cannot be read becomes an exchange with one turn `[unread]`. Answers may be cut; as
much text as is there is taken. Streamed forms: OpenAI chat completions, completions and responses, Anthropic messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from revenuer.gateway.segment import Begun, Ended, Media
from revenuer.ingest.content import answer_of, usage_of
from revenuer.ingest.pairs import decode_anthropic, decode_openai
from revenuer.ingest.source import RowError
from revenuer.ingest.values import loose_text, parse
from revenuer.records import Exchange, Message, Response, Usage

UNREAD = "[unread]"
_TEXT = re.compile(rb'"(?:content|text)"\s*:\s*"((?:[^"\\]|\\[^u]|\\u[0-9a-fA-F]{4})+)')


def exchange_of(begun: Begun, ended: Ended | None) -> Exchange:
    """One exchange; without `ended` (the gateway was killed) its answer, status and usage are unknown."""
    decode = decode_anthropic if begun.endpoint.startswith("anthropic") else decode_openai
    try:
        read = decode(b'{"ts":0,"account":"a","id":"i","request":' + (begun.body or b"{}") + b"}")
    except RowError:
        read = None
    exchange = Exchange(
        id=begun.id,
        ts=begun.ts,
        account=begun.account,
        messages=(Message("user", UNREAD),) if read is None else read.messages,
        org=begun.org,
        key=begun.key,
        ip=begun.ip,
        user_agent=begun.user_agent,
        ja4=begun.ja4,
        endpoint=begun.endpoint,
    )
    if read is not None:
        exchange = msgspec.structs.replace(exchange, params=read.params, model=read.model)
    if ended is None:
        return exchange
    response, usage = answer(ended.media, ended.answer)
    return msgspec.structs.replace(
        exchange,
        response=response,
        usage=Usage(
            _first(ended.prompt_tokens, usage.prompt_tokens),
            _first(ended.completion_tokens, usage.completion_tokens),
            _first(ended.reasoning_tokens, usage.reasoning_tokens),
            _first(ended.cached_tokens, usage.cached_tokens),
        ),
        status=ended.status,
        latency_ms=max(ended.latency_ms, 0.0),
    )


def _first(counted: int | None, read: int | None) -> int | None:
    return read if counted is None else counted


def answer(media: Media, data: bytes) -> tuple[Response, Usage]:
    """What an answer says, and the tokens it states; as far as it goes, whatever the bytes."""
    match media:
        case Media.NONE:
            return Response(), Usage()
        case Media.TEXT:
            return Response(data.decode("utf-8", "replace") or None), Usage()
        case Media.JSON:
            try:
                body = parse(data)
                return answer_of(body), usage_of(body)
            except RowError:
                return Response(_cut_text(data)), Usage()
        case Media.SSE:
            return _streamed(data)


def _cut_text(data: bytes) -> str | None:
    """Texts in the JSON of an answer that was cut."""
    texts = []
    for found in _TEXT.finditer(data):
        try:
            texts.append(str(parse(b'"' + found[1] + b'"')))
        except RowError:
            # Cut inside a character.
            texts.append(found[1].decode("utf-8", "ignore"))
    return "\n".join(texts) or None


def _events(data: bytes) -> Iterator[Mapping[str, Any]]:
    for line in data.splitlines():
        if line.startswith(b"data:"):
            try:
                event = parse(line[5:])
            except RowError:
                continue
            if isinstance(event, dict):
                yield event


def _streamed(data: bytes) -> tuple[Response, Usage]:
    pieces: list[str] = []
    reason: str | None = None
    counts: dict[str, Any] = {}
    for event in _events(data):
        inner = event.get("message", event.get("response"))
        for holder in (event, inner if isinstance(inner, Mapping) else {}):
            usage = holder.get("usage")
            if isinstance(usage, Mapping):
                counts.update({name: value for name, value in usage.items() if value is not None})
        delta = event.get("delta")
        if isinstance(delta, str):
            if event.get("type") in ("response.output_text.delta", "response.refusal.delta"):
                pieces.append(delta)
        elif isinstance(delta, Mapping):
            pieces += [delta[name] for name in ("text", "thinking") if isinstance(delta.get(name), str)]
            reason = loose_text(delta, "stop_reason") or reason
        if event.get("type") == "response.completed" and isinstance(inner, Mapping):
            reason = loose_text(inner, "status") or reason
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, Mapping):
                part = choice.get("delta")
                source = part if isinstance(part, Mapping) else choice
                pieces += [
                    source[n] for n in ("reasoning_content", "content", "text") if isinstance(source.get(n), str)
                ]
                reason = reason or loose_text(choice, "finish_reason")
    return Response("".join(pieces) or None, reason), usage_of({"usage": counts})
