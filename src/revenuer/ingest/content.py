"""Turns of a conversation, in every shape the supported logs use, as plain text.

Text parts are joined by line breaks; parts that are not text are named in brackets (`[image]`); calls of tools and
their results are kept as short text, since agents' traffic is recognised by them.

Shapes: OpenAI chat messages and content parts, OpenAI Responses input and output items, Anthropic content blocks
(API version 2023-06-01), OpenTelemetry GenAI message parts (semantic conventions, gen-ai-input-messages.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from revenuer.ingest.source import RowError
from revenuer.ingest.values import kind_of, loose_int, loose_text, text_or_first
from revenuer.records import Message, Response, Usage

SHORT = 500
"""Characters kept of a tool call's arguments or of a tool's result."""

_TEXT_PARTS = frozenset(
    {"text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text", "thinking", "reasoning"}
)
_NAMES = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "input_file": "file",
    "audio_url": "audio",
    "video_url": "video",
}
_MAX_DEPTH = 8


def messages_of(value: object, where: str) -> tuple[Message, ...]:
    """The turns in `value`: a list of messages or items, one message, or a bare text (a user turn)."""
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, Mapping):
        value = [value]
    if value is None:
        raise RowError(f"{where}: missing")
    if not isinstance(value, list):
        raise RowError(f"{where}: expected a list, got {kind_of(value)}")
    return tuple(message_of(item, f"{where}[{number}]") for number, item in enumerate(value))


def message_of(item: object, where: str) -> Message:
    """One turn. Items of the Responses API that have no role get the one they play (assistant or tool)."""
    if isinstance(item, str):
        return Message("user", item)
    if not isinstance(item, Mapping):
        raise RowError(f"{where}: expected an object, got {kind_of(item)}")
    role = item.get("role")
    if role is None and isinstance(item.get("type"), str) and item["type"] != "message":
        kind = str(item["type"])
        return Message("tool" if kind.endswith(("_output", "_result", "_response")) else "assistant", _part(item, 0))
    if role is None:
        raise RowError(f"{where}.role: missing")
    if not isinstance(role, str):
        raise RowError(f"{where}.role: expected text, got {kind_of(role)}")
    if not role:
        raise RowError(f"{where}.role: empty")
    return Message(role, turn_text(item, where))


def turn_text(item: Mapping[str, Any], where: str) -> str:
    """The text of a message object: visible reasoning, content, refusal, then calls of tools."""
    content = item.get("content", item.get("parts"))
    pieces = [item["reasoning_content"]] if isinstance(item.get("reasoning_content"), str) else []
    pieces.append(text_of(content, f"{where}.content"))
    if isinstance(item.get("refusal"), str):
        pieces.append(item["refusal"])
    calls = item.get("tool_calls")
    pieces += [_part({"type": "tool_call", **call}, 0) for call in _objects(calls)]
    if isinstance(item.get("function_call"), Mapping):
        pieces.append(_call(item["function_call"]))
    return "\n".join(piece for piece in pieces if piece)


def text_of(content: object, where: str) -> str:
    """Plain text of a message's content (text, a list of parts, one part, or nothing)."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list):
        raise RowError(f"{where}: expected text or a list of parts, got {kind_of(content)}")
    return _joined(content, 0)


def _joined(parts: list[Any], depth: int) -> str:
    if depth > _MAX_DEPTH:
        return "[...]"
    return "\n".join(text for part in parts if (text := _part(part, depth)))


def _part(part: object, depth: int) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return ""
    kind = part.get("type")
    if not isinstance(kind, str):
        kind = None
    if kind in _TEXT_PARTS or kind is None:
        text = next((part[k] for k in ("text", "content", "refusal", "thinking") if isinstance(part.get(k), str)), None)
        if text is not None:
            return str(text)
        for name in ("summary", "content"):
            if isinstance(part.get(name), list):
                return _joined(part[name], depth + 1)
        return "" if kind in _TEXT_PARTS else "[unknown]"
    if kind.endswith(("_output", "_result", "_response")):
        result = next((part[k] for k in ("output", "response", "result", "content") if part.get(k) is not None), "")
        text = _joined(result, depth + 1) if isinstance(result, list) else _short(result)
        return f"[tool_result {text[:SHORT]}]"
    if kind in ("tool_call", "function") or kind.endswith(("tool_use", "_call")):
        return _call(part)
    modality = part.get("modality") if isinstance(part.get("modality"), str) else None
    return f"[{(modality or _NAMES.get(kind, kind))[:40]}]"


def _call(call: Mapping[str, Any]) -> str:
    function = call.get("function")
    inner = function if isinstance(function, Mapping) else call
    arguments = next((inner[k] for k in ("arguments", "input", "action") if inner.get(k) is not None), "")
    name = inner.get("name") if isinstance(inner.get("name"), str) else call.get("type", "")
    return f"[tool_call {str(name)[:100]}({_short(arguments)})]"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:SHORT]


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def answer_of(body: object) -> Response:
    """The answer in a response body: OpenAI chat or completion, OpenAI Responses, Anthropic message, or bare text.

    The texts of several choices are joined by a blank line; `finish_reason` is that of the first.
    """
    if isinstance(body, str):
        return Response(text=body)
    if not isinstance(body, Mapping):
        return Response()
    if isinstance(body.get("choices"), list):
        choices = _objects(body["choices"])
        texts = []
        for choice in choices:
            message = choice.get("message")
            texts.append(turn_text(message, "response") if isinstance(message, Mapping) else _plain(choice.get("text")))
        reason = next((choice.get("finish_reason") for choice in choices), None)
        return Response("\n\n".join(text for text in texts if text) if choices else None, text_or_first(reason))
    if isinstance(body.get("output"), list):
        texts = [
            turn_text(item, "response") if item.get("type") in ("message", None) else _part(item, 0)
            for item in _objects(body["output"])
        ]
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else body.get("status")
        return Response("\n".join(text for text in texts if text), text_or_first(reason))
    if "content" in body:
        return Response(text_of(body["content"], "response.content"), text_or_first(body.get("stop_reason")))
    return Response()


def _plain(value: object) -> str:
    return value if isinstance(value, str) else ""


def usage_of(body: object) -> Usage:
    """Token counts of a response body's `usage`.

    OpenAI counts cached tokens inside the prompt; Anthropic beside it, so there the three parts are added up.
    """
    usage = body.get("usage") if isinstance(body, Mapping) else None
    if not isinstance(usage, Mapping):
        return Usage()
    prompt = loose_int(usage, "prompt_tokens", "input_tokens")
    read, written = loose_int(usage, "cache_read_input_tokens"), loose_int(usage, "cache_creation_input_tokens")
    if "prompt_tokens" not in usage and prompt is not None:
        prompt += (read or 0) + (written or 0)
    outputs = _object(usage, "completion_tokens_details", "output_tokens_details")
    inputs = _object(usage, "prompt_tokens_details", "input_tokens_details")
    cached = loose_int(inputs, "cached_tokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=loose_int(usage, "completion_tokens", "output_tokens"),
        reasoning_tokens=loose_int(outputs, "reasoning_tokens"),
        cached_tokens=read if cached is None else cached,
    )


def _object(row: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((row[name] for name in names if isinstance(row.get(name), Mapping)), {})


def response_format_of(value: object) -> str | None:
    """`json_object`, `json_schema`, `text`: the type of a response format given as an object or as text."""
    return loose_text(value, "type") if isinstance(value, Mapping) else text_or_first(value)
