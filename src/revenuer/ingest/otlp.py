"""OpenTelemetry GenAI spans as OTLP JSON: one TracesData document a line (file exporter), or one document a file.

Sources: OTLP 1.x JSON encoding (hex ids, 64-bit integers as numbers or text) and "OpenTelemetry Protocol File
Exporter"; semantic conventions for generative AI: v1.27 and earlier (`gen_ai.usage.prompt_tokens`, events
`gen_ai.content.prompt` and `gen_ai.content.completion`), v1.28 to v1.36 (`gen_ai.system`, per-message events), v1.37
and later (`gen_ai.provider.name`, `gen_ai.input.messages`, `gen_ai.output.messages`,
`gen_ai.system_instructions`); and OpenLLMetry's indexed `gen_ai.prompt.N.*` / `gen_ai.completion.N.*`.

Spans without a `gen_ai.` attribute are other people's spans and pass by; agent, tool and embedding spans hold no
exchange and are counted as skipped. The conventions have no attribute for a billing account, so the usual ones are
tried in the order of `ACCOUNT_ATTRIBUTES`, on the span first, then on its resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from revenuer.ingest.content import SHORT, messages_of, text_of
from revenuer.ingest.source import RowError, Source
from revenuer.ingest.values import (
    any_epoch,
    checked,
    content_id,
    loose_bool,
    loose_float,
    loose_int,
    loose_text,
    parse,
    text_or_first,
)
from revenuer.records import Exchange, Message, Params, Response, Usage

ACCOUNT_ATTRIBUTES = (
    "account.id",
    "account",
    "customer.id",
    "tenant.id",
    "traceloop.association.properties.customer_id",
    "traceloop.association.properties.account_id",
    "metadata.user_api_key_team_id",
    "metadata.user_api_key_user_id",
    "metadata.user_api_key_hash",
    "user.id",
    "enduser.id",
    "enduser.pseudo.id",
    "traceloop.association.properties.user_id",
    "langfuse.user.id",
    "llm.user",
)
_NOT_EXCHANGES = frozenset(
    {"embeddings", "execute_tool", "create_agent", "invoke_agent", "invoke_workflow", "retrieval", "rerank"}
)
_CONTENT_EVENTS = frozenset(
    {"gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.client.inference.operation.details"}
)
_ENDPOINTS = {
    "openai.text_completion": "openai.completions",
    "openai.completion": "openai.completions",
    "anthropic.chat": "anthropic.messages",
}
_MAX_TURNS = 10_000


class _AnyValue(msgspec.Struct):
    stringValue: str | None = None
    boolValue: bool | None = None
    intValue: int | str | None = None
    doubleValue: float | str | None = None
    arrayValue: dict[str, Any] | None = None
    kvlistValue: dict[str, Any] | None = None


class _KeyValue(msgspec.Struct):
    key: str
    value: _AnyValue | None = None


class _Event(msgspec.Struct):
    name: str = ""
    attributes: list[_KeyValue] = []


class _Span(msgspec.Struct):
    traceId: str = ""
    spanId: str = ""
    startTimeUnixNano: int | str | None = None
    endTimeUnixNano: int | str | None = None
    attributes: list[_KeyValue] = []
    events: list[_Event] = []


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] = []


class _RawScope(msgspec.Struct):
    spans: list[msgspec.Raw] = []


class _RawResourceSpans(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    scopeSpans: list[_RawScope] = []


class _RawDocument(msgspec.Struct):
    resourceSpans: list[_RawResourceSpans]


class _Scope(msgspec.Struct):
    spans: list[_Span] = []


class _ResourceSpans(msgspec.Struct):
    resource: _Resource | None = None
    scopeSpans: list[_Scope] = []


class _Document(msgspec.Struct):
    resourceSpans: list[_ResourceSpans]


_raw = msgspec.json.Decoder(_RawDocument)
_typed = msgspec.json.Decoder(_Document)


def split(document: bytes) -> Iterator[bytes]:
    """One small document for every span of `document` that has a GenAI attribute. Raises RowError."""
    try:
        parts = _raw.decode(document)
    except (ValueError, RecursionError) as error:
        raise RowError(f"not an OTLP JSON document: {error}") from None
    for resource_spans in parts.resourceSpans:
        head = b'{"resourceSpans":[{"resource":' + bytes(resource_spans.resource) + b',"scopeSpans":[{"spans":['
        for scope in resource_spans.scopeSpans:
            for span in scope.spans:
                if b"gen_ai." in (raw := bytes(span)):
                    yield head + raw + b"]}]}]}"


def decode(row: bytes) -> Exchange | None:
    """The exchange of a document that holds one span; None for a span that is no inference. Raises RowError."""
    try:
        document = _typed.decode(row)
    except (ValueError, RecursionError) as error:
        raise RowError(f"not an OTLP JSON span: {error}") from None
    found = [(r, s) for r in document.resourceSpans for scope in r.scopeSpans for s in scope.spans]
    if len(found) != 1:
        raise RowError(f"expected one span, got {len(found)}")
    resource, span = found[0]
    given = _attributes(span.attributes)
    for event in span.events:
        if event.name in _CONTENT_EVENTS:
            given = {**_attributes(event.attributes), **given}
    around = {**_attributes(resource.resource.attributes if resource.resource else []), **given}
    operation = loose_text(given, "gen_ai.operation.name", "llm.request.type") or "chat"
    if operation in _NOT_EXCHANGES:
        return None
    turns = _turns(given, span.events)
    if not turns:
        raise RowError(f"span {span.spanId[:16]}: no messages; turn on content capture in the instrumentation")
    account = loose_text(around, *ACCOUNT_ATTRIBUTES)
    if account is None:
        raise RowError(f"span {span.spanId[:16]}: no account (looked for {', '.join(ACCOUNT_ATTRIBUTES)})")
    start = any_epoch(span.startTimeUnixNano, "startTimeUnixNano")
    name = f"{span.traceId}-{span.spanId}" if span.traceId and span.spanId else loose_text(given, "gen_ai.response.id")
    status = loose_int(given, "http.response.status_code", "http.status_code", "error.type")
    exchange = Exchange(
        id=name or "",
        ts=start,
        account=account,
        messages=turns,
        org=loose_text(around, "organization.id", "org", "metadata.user_api_key_org_id"),
        key=loose_text(given, "metadata.user_api_key_hash"),
        ip=loose_text(given, "client.address", "http.client_ip"),
        user_agent=loose_text(given, "user_agent.original", "http.user_agent"),
        endpoint=_endpoint(given, operation),
        model=loose_text(given, "gen_ai.request.model", "gen_ai.response.model"),
        params=_params(given),
        response=_answer(given, span.events),
        usage=Usage(
            _count(given, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
            _count(given, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
            _count(given, "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
            _count(given, "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
        ),
        status=status if status is not None and 0 <= status <= 999 else None,
        latency_ms=_milliseconds(span),
    )
    if not exchange.id:
        exchange = msgspec.structs.replace(exchange, id=content_id(exchange))
    return checked(exchange)


def _attributes(pairs: list[_KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs if pair.value is not None}


def _value(value: _AnyValue) -> Any:
    for plain in (value.stringValue, value.boolValue, value.doubleValue):
        if plain is not None:
            return plain
    if value.intValue is not None:
        return loose_int({"": value.intValue}, "")
    return _plain(msgspec.to_builtins(value), 0)


def _plain(value: object, depth: int) -> Any:
    """An AnyValue, given as the JSON object it is, without its wrapping."""
    if not isinstance(value, Mapping) or depth > 32:
        return None
    array, pairs = value.get("arrayValue"), value.get("kvlistValue")
    if isinstance(array, Mapping):
        items = array.get("values")
        return [_plain(item, depth + 1) for item in items] if isinstance(items, list) else []
    if isinstance(pairs, Mapping):
        items = pairs.get("values")
        pairs = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        return {str(item.get("key")): _plain(item.get("value"), depth + 1) for item in pairs}
    if value.get("intValue") is not None:
        return loose_int(value, "intValue")
    return next((value[k] for k in ("stringValue", "boolValue", "doubleValue") if value.get(k) is not None), None)


def _turns(given: Mapping[str, Any], events: list[_Event]) -> tuple[Message, ...]:
    """The prompt, from the newest convention the span follows to the oldest."""
    if (structured := _json(given.get("gen_ai.input.messages"))) is not None:
        turns = messages_of(structured, "gen_ai.input.messages")
        system = _json(given.get("gen_ai.system_instructions"))
        text = text_of(system, "gen_ai.system_instructions")
        return (Message("system", text), *turns) if text else turns
    if indexed := _indexed(given, "gen_ai.prompt"):
        return tuple(Message(role or "user", text) for role, text in indexed)
    if (prompt := _json(given.get("gen_ai.prompt"))) is not None:
        return messages_of(prompt, "gen_ai.prompt")
    turns = ()
    for event in events:
        if event.name.startswith("gen_ai.") and event.name.endswith(".message"):
            body = _attributes(event.attributes)
            content = _json(body.get("gen_ai.event.content", body))
            role = event.name.removeprefix("gen_ai.").removesuffix(".message")
            item = {"role": role, **content} if isinstance(content, Mapping) else {"role": role, "content": content}
            turns += messages_of([item], event.name)
    return turns


def _json(value: object) -> Any:
    """Text that is JSON, decoded; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return parse(value)
        except RowError:
            return value
    return value


def _indexed(given: Mapping[str, Any], prefix: str) -> list[tuple[str | None, str]]:
    """(role, text) of OpenLLMetry's `<prefix>.N.role`, `.content` and `.tool_calls.M.name` / `.arguments`."""
    found = []
    for number in range(_MAX_TURNS):
        head = f"{prefix}.{number}."
        role, content = loose_text(given, head + "role"), _json(given.get(head + "content"))
        calls: list[str] = []
        while (name := loose_text(given, f"{head}tool_calls.{len(calls)}.name")) is not None:
            arguments = loose_text(given, f"{head}tool_calls.{len(calls)}.arguments") or ""
            calls.append(f"[tool_call {name[:100]}({arguments[:SHORT]})]")
        if role is None and content is None and not calls:
            break
        # A content that merely looks like JSON is the text that was sent; only a list of typed parts is parts.
        parts = isinstance(content, list) and all(isinstance(p, Mapping) and "type" in p for p in content)
        text = text_of(content, head + "content") if parts else str(given.get(head + "content") or "")
        found.append((role, "\n".join(piece for piece in (text, *calls) if piece)))
    return found


def _answer(given: Mapping[str, Any], events: list[_Event]) -> Response:
    reason = text_or_first(_json(given.get("gen_ai.response.finish_reasons")))
    answers: list[str] = []
    if (structured := _json(given.get("gen_ai.output.messages"))) is not None:
        answers = [m.content for m in messages_of(structured, "gen_ai.output.messages")]
        if isinstance(structured, list) and structured and isinstance(structured[0], Mapping):
            reason = reason or loose_text(structured[0], "finish_reason")
    elif indexed := _indexed(given, "gen_ai.completion"):
        answers = [text for _, text in indexed]
        reason = reason or loose_text(given, "gen_ai.completion.0.finish_reason")
    elif (completion := _json(given.get("gen_ai.completion"))) is not None:
        answers = [m.content for m in messages_of(completion, "gen_ai.completion")]
    else:
        for event in events:
            if event.name == "gen_ai.choice":
                body = _attributes(event.attributes)
                content = _json(body.get("gen_ai.event.content", body))
                if isinstance(content, Mapping):
                    message = _json(content.get("message", content))
                    item = {"role": "assistant", **message} if isinstance(message, Mapping) else str(message)
                    answers += [m.content for m in messages_of([item], event.name)]
                    reason = reason or loose_text(content, "finish_reason")
    return Response("\n\n".join(text for text in answers if text) if answers else None, reason)


def _params(given: Mapping[str, Any]) -> Params:
    tools = _json(given.get("gen_ai.tool.definitions", given.get("gen_ai.request.tools")))
    functions = sum(key.startswith("llm.request.functions.") and key.endswith(".name") for key in given)
    return Params(
        temperature=loose_float(given, "gen_ai.request.temperature"),
        top_p=loose_float(given, "gen_ai.request.top_p"),
        max_tokens=loose_int(given, "gen_ai.request.max_tokens"),
        n=loose_int(given, "gen_ai.request.choice.count"),
        stream=loose_bool(given, "gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
        reasoning_effort=loose_text(given, "gen_ai.request.reasoning_effort"),
        response_format=loose_text(given, "gen_ai.output.type", "gen_ai.openai.request.response_format"),
        tools=len(tools) if isinstance(tools, list) else functions or None,
    )


def _milliseconds(span: _Span) -> float | None:
    """Duration; whole nanoseconds are subtracted, since a double holds today's only to a quarter microsecond."""
    try:
        taken = (int(span.endTimeUnixNano or 0) - int(span.startTimeUnixNano or 0)) / 1e6
    except (ValueError, OverflowError):
        return None
    return taken if 0 <= taken < 1e9 else None


def _count(given: Mapping[str, Any], *names: str) -> int | None:
    value = loose_int(given, *names)
    return value if value is not None and value >= 0 else None


def _endpoint(given: Mapping[str, Any], operation: str) -> str:
    provider = (loose_text(given, "gen_ai.provider.name", "gen_ai.system") or "unknown").lower()
    if given.get("openai.api.type") == "responses":
        return "openai.responses"
    return _ENDPOINTS.get(f"{provider}.{operation}", f"{provider}.{operation}")


def recognise(row: Mapping[str, Any]) -> float:
    """Sure at `resourceSpans`."""
    return 1.0 if isinstance(row.get("resourceSpans"), list) else 0.0


# A line is a batch of spans here, so it may be longer than a row of other formats.
OTLP = Source("otlp", "OpenTelemetry GenAI spans (OTLP JSON)", recognise, decode, split, max_row_bytes=128 * 2**20)
