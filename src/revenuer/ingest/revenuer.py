"""Revenuer's own exchange log: one JSON object a row, documented in docs/reference/formats.md.

The common row (text contents, times in seconds, no nulls in nested objects) is decoded straight into the record at
about a microsecond; everything else the format allows takes the slower, field-by-field way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from revenuer.ingest.content import messages_of, response_format_of, text_of
from revenuer.ingest.source import RowError, Source
from revenuer.ingest.values import (
    checked,
    kind_of,
    object_of,
    parse,
    required_text,
    seconds,
    strict_bool,
    strict_float,
    strict_int,
    strict_object,
    strict_text,
)
from revenuer.records import Exchange, Params, Response, Usage

_fast = msgspec.json.Decoder(Exchange)


def decode(row: bytes) -> Exchange:
    """The exchange in one JSON row. Raises RowError naming the field and the problem."""
    try:
        exchange = _fast.decode(row)
    except (ValueError, RecursionError):
        return checked(_field_by_field(object_of(row)))
    return checked(exchange)


def _field_by_field(row: Mapping[str, Any]) -> Exchange:
    messages = row.get("messages")
    if isinstance(messages, str):
        messages = parse(messages)
    if messages is not None and not isinstance(messages, list):
        raise RowError(f"messages: expected a list, got {kind_of(messages)}")
    return Exchange(
        id=required_text(row, "id"),
        ts=seconds(row.get("ts"), "ts"),
        account=required_text(row, "account"),
        messages=messages_of(messages, "messages"),
        org=strict_text(row, "org"),
        key=strict_text(row, "key"),
        ip=strict_text(row, "ip"),
        asn=strict_int(row, "asn"),
        user_agent=strict_text(row, "user_agent"),
        ja4=strict_text(row, "ja4"),
        endpoint=strict_text(row, "endpoint"),
        model=strict_text(row, "model"),
        params=_params(_nested(row, "params")),
        response=_response(_nested(row, "response")),
        usage=_usage(_nested(row, "usage")),
        status=strict_int(row, "status"),
        latency_ms=strict_float(row, "latency_ms"),
    )


def _nested(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A nested object with its keys prefixed by its own name, so that messages name the full path."""
    value = strict_object(row, name) or {}
    return {f"{name}.{key}": item for key, item in value.items()}


def _params(row: Mapping[str, Any]) -> Params:
    tools, shape = row.get("params.tools"), row.get("params.response_format")
    logprobs, effort = row.get("params.logprobs"), strict_text(row, "params.reasoning_effort")
    return Params(
        temperature=strict_float(row, "params.temperature"),
        top_p=strict_float(row, "params.top_p"),
        max_tokens=strict_int(row, "params.max_tokens"),
        n=strict_int(row, "params.n"),
        stream=strict_bool(row, "params.stream"),
        # A count of alternatives, as the completions API has it, asks for log-probabilities too.
        logprobs=bool(strict_int(row, "params.logprobs"))
        if isinstance(logprobs, int) and not isinstance(logprobs, bool)
        else strict_bool(row, "params.logprobs"),
        reasoning_effort=effort,
        response_format=response_format_of(shape)
        if isinstance(shape, Mapping)
        else strict_text(row, "params.response_format"),
        tools=len(tools) if isinstance(tools, list) else strict_int(row, "params.tools"),
    )


def _response(row: Mapping[str, Any]) -> Response:
    text = row.get("response.text")
    return Response(
        text=None if text is None else text_of(text, "response.text"),
        finish_reason=strict_text(row, "response.finish_reason"),
    )


def _usage(row: Mapping[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=strict_int(row, "usage.prompt_tokens"),
        completion_tokens=strict_int(row, "usage.completion_tokens"),
        reasoning_tokens=strict_int(row, "usage.reasoning_tokens"),
        cached_tokens=strict_int(row, "usage.cached_tokens"),
    )


def recognise(row: Mapping[str, Any]) -> float:
    """Share of the four required fields that are there; nothing when a foreign format's marks are."""
    if "request" in row or "resourceSpans" in row or "startTime" in row:
        return 0.0
    return sum(name in row for name in ("id", "ts", "account", "messages")) / 4


REVENUER = Source("revenuer", "Revenuer exchange log (JSON lines)", recognise, decode)
# The rows of a Parquet file arrive here as JSON; `parquet.py` reads the columns.
PARQUET = Source("parquet", "Parquet with the columns of the exchange log", lambda _: 0.0, decode)
