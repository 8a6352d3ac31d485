"""Raw request-response pairs of the OpenAI and Anthropic APIs, one JSON object a line.

A row is `{"request": body, "response": body, ...}` with what the proxy that wrote it knows beside them. `request` and
`response` may also be envelopes with `body` (object or JSON text), `headers`, `url` and `status`.

Sources: OpenAI API reference (chat completions, responses, completions), Anthropic Messages API (version
2023-06-01). Streamed answers must have been put together by the proxy; a list of chunks is not an answer.

The facts beside the bodies, first that is present: time `ts`, `timestamp`, `time`, `start_time`, `created_at` (else
the response's own `created`); account `account`, `account_id`, `customer_id`, `organization_id`, `project_id`, then the
key (`key`, `api_key_id`, `key_hash`), then the end user named in the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from revenuer.ingest.content import answer_of, messages_of, response_format_of, text_of, usage_of
from revenuer.ingest.source import RowError, Source
from revenuer.ingest.values import (
    any_epoch,
    checked,
    content_id,
    kind_of,
    loose_bool,
    loose_float,
    loose_int,
    loose_object,
    loose_text,
    object_of,
)
from revenuer.records import Exchange, Message, Params, Usage

_TIMES = ("ts", "timestamp", "time", "start_time", "created_at")
_ACCOUNT = ("account", "account_id", "customer_id", "organization_id", "project_id")
_KEY = ("key", "api_key_id", "key_hash", "key_id")


@dataclass(frozen=True)
class _Pair:
    """One row taken apart: the two bodies and every fact beside them under its plain name."""

    request: Mapping[str, Any]
    response: object
    facts: Mapping[str, Any]


def _pair(row: Mapping[str, Any]) -> _Pair:
    if "request" not in row:
        raise RowError("request: missing")
    request = loose_object(row, "request")
    if not request:
        raise RowError(f"request: expected an object, got {kind_of(row['request'])}")
    facts = {**loose_object(row, "metadata"), **{k: v for k, v in row.items() if k not in ("request", "response")}}
    response: object = loose_object(row, "response") or row.get("response")
    if isinstance(response, list):
        raise RowError("response: a list of streamed chunks; join them into one body first")
    for envelope in (request, response):
        if isinstance(envelope, Mapping) and "body" in envelope and "messages" not in envelope:
            for name in ("url", "path", "status", "status_code", "client_ip", "ip"):
                if name in envelope:
                    facts.setdefault(name, envelope[name])
            headers = {str(k).lower(): v for k, v in loose_object(envelope, "headers").items()}
            if agent := loose_text(headers, "user-agent"):
                facts.setdefault("user_agent", agent)
    if "body" in request and not {"messages", "input", "prompt"} & request.keys():
        request = loose_object(request, "body")
    if isinstance(response, Mapping) and "body" in response:
        response = loose_object(response, "body") or response["body"]
    return _Pair(request, response, facts)


def _exchange(pair: _Pair, endpoint: str, messages: tuple[Message, ...], params: Params, user: str | None) -> Exchange:
    facts, body = pair.facts, pair.response if isinstance(pair.response, Mapping) else {}
    moment = next((facts[name] for name in _TIMES if facts.get(name) is not None), None)
    if moment is None:
        moment = body.get("created", body.get("created_at"))
    if moment is None:
        raise RowError("ts: missing (looked for " + ", ".join(_TIMES) + ")")
    account = loose_text(facts, *_ACCOUNT) or loose_text(facts, *_KEY) or user
    if account is None:
        raise RowError("account: missing (looked for " + ", ".join(_ACCOUNT + _KEY) + " and the request's user)")
    usage = usage_of(body)
    exchange = Exchange(
        id=loose_text(facts, "id", "request_id") or loose_text(body, "id") or "",
        ts=any_epoch(moment, "ts"),
        account=account,
        messages=messages,
        org=loose_text(facts, "org", "organization", "organization_id"),
        key=loose_text(facts, *_KEY),
        ip=loose_text(facts, "ip", "client_ip", "remote_addr"),
        asn=_within(loose_int(facts, "asn"), 2**32 - 1),
        user_agent=loose_text(facts, "user_agent"),
        ja4=loose_text(facts, "ja4"),
        endpoint=endpoint,
        model=loose_text(pair.request, "model") or loose_text(body, "model"),
        params=params,
        response=answer_of(pair.response),
        usage=Usage(
            _within(usage.prompt_tokens),
            _within(usage.completion_tokens),
            _within(usage.reasoning_tokens),
            _within(usage.cached_tokens),
        ),
        status=_within(loose_int(facts, "status", "status_code", "http_status"), 999),
        latency_ms=_latency(facts),
    )
    if not exchange.id:
        exchange = msgspec.structs.replace(exchange, id=content_id(exchange))
    return checked(exchange)


def _within(value: int | None, most: int = 2**53) -> int | None:
    return value if value is not None and 0 <= value <= most else None


def _latency(facts: Mapping[str, Any]) -> float | None:
    milliseconds = loose_float(facts, "latency_ms", "duration_ms")
    return milliseconds if milliseconds is not None and milliseconds >= 0 else None


def decode_openai(row: bytes) -> Exchange:
    """A pair of /chat/completions, /responses or /completions, told apart by the request's fields."""
    pair = _pair(object_of(row))
    body = pair.request
    if "messages" in body:
        endpoint, messages = "openai.chat", messages_of(body["messages"], "request.messages")
    elif "input" in body:
        endpoint, messages = "openai.responses", messages_of(body["input"], "request.input")
        instructions = text_of(body.get("instructions"), "request.instructions")
        messages = (Message("system", instructions), *messages) if instructions else messages
    elif "prompt" in body:
        endpoint, messages = "openai.completions", _prompts(body["prompt"])
    else:
        raise RowError("request: no messages, input or prompt")
    tools, logprobs = body.get("tools", body.get("functions")), loose_bool(body, "logprobs")
    top = loose_int(body, "logprobs", "top_logprobs")
    params = Params(
        temperature=loose_float(body, "temperature"),
        top_p=loose_float(body, "top_p"),
        max_tokens=loose_int(body, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        n=loose_int(body, "n"),
        stream=loose_bool(body, "stream"),
        logprobs=bool(top) if logprobs is None and top is not None else logprobs,
        reasoning_effort=loose_text(body, "reasoning_effort") or loose_text(loose_object(body, "reasoning"), "effort"),
        response_format=response_format_of(body.get("response_format"))
        or response_format_of(loose_object(body, "text").get("format")),
        tools=len(tools) if isinstance(tools, list) else None,
    )
    user = loose_text(body, "safety_identifier", "user")
    return _exchange(pair, endpoint, messages, params, user)


def _prompts(prompt: object) -> tuple[Message, ...]:
    """The completions API takes a text, a list of texts, or token ids, which are named but not read."""
    if isinstance(prompt, list):
        if prompt and not any(isinstance(item, str) for item in prompt):
            return (Message("user", "[tokens]"),)
        return tuple(Message("user", item) for item in prompt if isinstance(item, str))
    return messages_of(prompt, "request.prompt")


def decode_anthropic(row: bytes) -> Exchange:
    """A pair of /v1/messages."""
    pair = _pair(object_of(row))
    body = pair.request
    if "messages" not in body:
        raise RowError("request.messages: missing")
    messages = messages_of(body["messages"], "request.messages")
    system = text_of(body.get("system"), "request.system")
    tools, thinking = body.get("tools"), loose_object(body, "thinking")
    params = Params(
        temperature=loose_float(body, "temperature"),
        top_p=loose_float(body, "top_p"),
        max_tokens=loose_int(body, "max_tokens"),
        stream=loose_bool(body, "stream"),
        reasoning_effort=loose_text(loose_object(body, "output_config"), "effort") or loose_text(thinking, "type"),
        response_format=response_format_of(loose_object(body, "output_config").get("format")),
        tools=len(tools) if isinstance(tools, list) else None,
    )
    user = loose_text(loose_object(body, "metadata"), "user_id")
    turns = (Message("system", system), *messages) if system else messages
    return _exchange(pair, "anthropic.messages", turns, params, user)


def _is_anthropic(pair: _Pair) -> bool:
    body = pair.response if isinstance(pair.response, Mapping) else {}
    where = loose_text(pair.facts, "endpoint", "url", "path") or ""
    if "choices" in body or "output" in body or "completions" in where:
        return False
    if "stop_reason" in body or body.get("type") in ("message", "error") or where.endswith("/messages"):
        return True
    request = pair.request
    return (
        "system" in request or "anthropic_version" in request or str(request.get("model", "")).startswith("claude")
    ) and "messages" in request


def _recognise(row: Mapping[str, Any], anthropic: bool) -> float:
    try:
        pair = _pair(row)
    except RowError:
        return 0.0
    if not {"messages", "input", "prompt"} & pair.request.keys():
        return 0.0
    return 0.9 if _is_anthropic(pair) == anthropic else 0.1


OPENAI = Source("openai", "OpenAI request-response pairs (JSON lines)", lambda r: _recognise(r, False), decode_openai)
ANTHROPIC = Source(
    "anthropic", "Anthropic request-response pairs (JSON lines)", lambda r: _recognise(r, True), decode_anthropic
)
