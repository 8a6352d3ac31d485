"""LiteLLM's StandardLoggingPayload, one JSON object a line (file, S3, GCS and generic API callbacks write it so).

Source: "StandardLoggingPayload Specification" of the LiteLLM documentation (proxy/logging_spec) and the typed
dictionary of that name in `litellm/types/utils.py` (1.80). A row may also be the callback's whole `kwargs` with the
payload under `standard_logging_object`.

The account is the team, else the project, the user, the virtual key, the end user: the first that LiteLLM recorded,
because budgets are set in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from revenuer.ingest.content import answer_of, messages_of, response_format_of, usage_of
from revenuer.ingest.source import RowError, Source
from revenuer.ingest.values import (
    any_epoch,
    checked,
    content_id,
    loose_bool,
    loose_float,
    loose_int,
    loose_object,
    loose_text,
    object_of,
)
from revenuer.records import Exchange, Params, Response, Usage

_ACCOUNT = (
    "user_api_key_team_id",
    "user_api_key_project_id",
    "user_api_key_user_id",
    "user_api_key_hash",
    "user_api_key_end_user_id",
)
_ENDPOINTS = {
    "completion": "openai.chat",
    "text_completion": "openai.completions",
    "responses": "openai.responses",
    "anthropic_messages": "anthropic.messages",
}
# Calls that hold no conversation (litellm.types.utils.CallTypes), without the `a` of their asynchronous twins.
# fmt: off
_NOT_EXCHANGES = frozenset({
    "embedding", "image_generation", "image_edit", "image_variation", "moderation", "transcription", "speech",
    "rerank", "search", "ocr", "create_batch", "retrieve_batch", "cancel_batch", "list_batches", "create_file",
    "file_retrieve", "file_delete", "file_list", "file_content", "create_fine_tuning_job", "cancel_fine_tuning_job",
    "list_fine_tuning_jobs", "retrieve_fine_tuning_job", "get_assistants", "create_assistants", "delete_assistant",
    "create_thread", "get_thread", "add_message", "get_messages", "run_thread", "vector_store_create",
    "vector_store_search", "call_mcp_tool", "list_mcp_tools",
})
# fmt: on
_REDACTED = "redacted-by-litellm"


def decode(row: bytes) -> Exchange | None:
    """The exchange in one payload; None for calls that hold no conversation. Raises RowError."""
    payload = object_of(row)
    payload = loose_object(payload, "standard_logging_object") or payload
    call = _plain_name(loose_text(payload, "call_type") or "completion")
    if call in _NOT_EXCHANGES:
        return None
    messages = payload.get("messages")
    if isinstance(messages, Mapping) and "messages" in messages:
        messages = messages["messages"]
    turns = messages_of(messages, "messages")
    if turns and all(turn.content == _REDACTED for turn in turns):
        raise RowError("messages: redacted by LiteLLM; log with turn_off_message_logging off")
    metadata = loose_object(payload, "metadata")
    account = loose_text(metadata, *_ACCOUNT) or loose_text(payload, "end_user")
    if account is None:
        raise RowError("metadata: no team, user, key or end user to take the account from")
    start, end = any_epoch(payload.get("startTime"), "startTime"), loose_float(payload, "endTime")
    error = loose_object(payload, "error_information")
    status = loose_int(error, "error_code")
    if status is None and payload.get("status") == "success":
        status = 200
    body = payload.get("response")
    if isinstance(body, str) and body.lstrip()[:1] == "{":
        body = loose_object(payload, "response") or body
    answer = answer_of(body)
    exchange = Exchange(
        id=loose_text(payload, "id") or "",
        ts=start,
        account=account,
        messages=turns,
        org=loose_text(metadata, "user_api_key_org_id", "user_api_key_org_alias"),
        key=loose_text(metadata, "user_api_key_hash"),
        ip=loose_text(payload, "requester_ip_address") or loose_text(metadata, "requester_ip_address"),
        user_agent=_user_agent(payload.get("request_tags")) or loose_text(metadata, "user_agent"),
        endpoint=_ENDPOINTS.get(call, call),
        model=loose_text(payload, "model_group", "model"),
        params=_params(payload),
        response=Response(None if answer.text == _REDACTED else answer.text, answer.finish_reason),
        usage=_usage(payload, body),
        status=status if status is not None and 0 <= status <= 999 else None,
        latency_ms=max(0.0, end - start) * 1000 if end is not None and end < 1e11 else None,
    )
    if not exchange.id:
        exchange = msgspec.structs.replace(exchange, id=content_id(exchange))
    return checked(exchange)


def _plain_name(call: str) -> str:
    """The call type without the marks of its asynchronous twin (`acompletion`, `a_add_message`, `_arealtime`)."""
    call = call.lstrip("_")
    twin = call.removeprefix("a_") if call.startswith("a_") else call.removeprefix("a")
    return twin if call not in _ENDPOINTS and (twin in _ENDPOINTS or twin in _NOT_EXCHANGES) else call


def _params(payload: Mapping[str, Any]) -> Params:
    given = loose_object(payload, "model_parameters")
    tools = given.get("tools")
    return Params(
        temperature=loose_float(given, "temperature"),
        top_p=loose_float(given, "top_p"),
        max_tokens=loose_int(given, "max_tokens", "max_completion_tokens", "max_output_tokens"),
        n=loose_int(given, "n"),
        stream=loose_bool(payload, "stream") if loose_bool(given, "stream") is None else loose_bool(given, "stream"),
        logprobs=loose_bool(given, "logprobs"),
        reasoning_effort=loose_text(given, "reasoning_effort"),
        response_format=response_format_of(given.get("response_format")),
        tools=len(tools) if isinstance(tools, list) else None,
    )


def _usage(payload: Mapping[str, Any], body: object) -> Usage:
    counted = usage_of(body)
    prompt, completion = loose_int(payload, "prompt_tokens"), loose_int(payload, "completion_tokens")
    return Usage(
        prompt_tokens=_count(counted.prompt_tokens if prompt is None else prompt),
        completion_tokens=_count(counted.completion_tokens if completion is None else completion),
        reasoning_tokens=_count(counted.reasoning_tokens),
        cached_tokens=_count(counted.cached_tokens),
    )


def _count(value: int | None) -> int | None:
    return value if value is not None and value >= 0 else None


def _user_agent(tags: object) -> str | None:
    """LiteLLM notes the client as the tags `User-Agent: name` and `User-Agent: name/version`; the longer one."""
    if not isinstance(tags, list):
        return None
    found = [tag[12:] for tag in tags if isinstance(tag, str) and tag.startswith("User-Agent: ")]
    return max(found, key=len, default=None)


def recognise(row: Mapping[str, Any]) -> float:
    """Sure at `startTime` with any two of the payload's own fields."""
    row = loose_object(row, "standard_logging_object") or row
    if "startTime" not in row:
        return 0.0
    own = ("call_type", "model_parameters", "hidden_params", "metadata", "model_map_information", "response_cost")
    return min(1.0, 0.4 + 0.3 * sum(name in row for name in own))


LITELLM = Source("litellm", "LiteLLM StandardLoggingPayload (JSON lines)", recognise, decode)
