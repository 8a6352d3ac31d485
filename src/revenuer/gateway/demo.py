"""The demonstration upstream: a small server that speaks OpenAI's and Anthropic's wire formats and has no model.

It answers with a sentence about the question, word by word where a stream is asked for, and counts words as tokens. For
trying `revenuer up` without a provider, and for tests; it keeps nothing and believes every key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from revenuer.ingest.content import messages_of
from revenuer.ingest.source import RowError

MODEL = "revenuer-demo"
CREATED = 1_750_000_000
QUOTED = 12
"""Words of the question that the answer repeats."""

Json = dict[str, Any]


class _Asked(msgspec.Struct):
    """A request as far as the demonstration cares; `prompt` is the last user turn."""

    body: Json
    prompt: str
    prompt_tokens: int
    words: list[str]

    @property
    def model(self) -> str:
        return str(self.body.get("model") or MODEL)

    @property
    def text(self) -> str:
        return "".join(self.words)


def _asked(data: bytes) -> _Asked:
    """Raises RowError for a body that is no request."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RowError(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise RowError("expected a JSON object")
    turns = messages_of(next((body[n] for n in ("messages", "input", "prompt") if n in body), None), "messages")
    said = [turn.content for turn in turns if turn.role == "user"]
    prompt = said[-1] if said else ""
    asked = prompt.split()
    most = next((body[n] for n in ("max_completion_tokens", "max_output_tokens", "max_tokens") if body.get(n)), None)
    answer = f"This is the demonstration upstream, there is no model here. You asked: {' '.join(asked[:QUOTED])}"
    words = answer.split()[: most if isinstance(most, int) else None]
    words = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    return _Asked(body, prompt, sum(len(turn.content.split()) for turn in turns), words)


def _usage(asked: _Asked, first: str, second: str) -> Json:
    return {first: asked.prompt_tokens, second: len(asked.words)}


def _openai_usage(asked: _Asked) -> Json:
    usage = _usage(asked, "prompt_tokens", "completion_tokens")
    return usage | {"total_tokens": sum(usage.values())}


def _chat(asked: _Asked) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": asked.text}, "finish_reason": "stop"}
    return _head("chat.completion", asked) | {"choices": [choice], "usage": _openai_usage(asked)}


def _head(kind: str, asked: _Asked) -> Json:
    return {"id": "chatcmpl-demo", "object": kind, "created": CREATED, "model": asked.model}


def _chat_stream(asked: _Asked) -> Iterator[tuple[str, Json]]:
    head = _head("chat.completion.chunk", asked)
    for word in asked.words:
        delta = {"role": "assistant", "content": word}
        yield "", head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield "", head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    options = asked.body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield "", head | {"choices": [], "usage": _openai_usage(asked)}


def _completion(asked: _Asked) -> Json:
    choice = {"index": 0, "text": asked.text, "finish_reason": "stop", "logprobs": None}
    return _head("text_completion", asked) | {"choices": [choice], "usage": _openai_usage(asked)}


def _completion_stream(asked: _Asked) -> Iterator[tuple[str, Json]]:
    head = _head("text_completion", asked)
    for word in asked.words:
        yield "", head | {"choices": [{"index": 0, "text": word, "finish_reason": None, "logprobs": None}]}
    yield "", head | {"choices": [{"index": 0, "text": "", "finish_reason": "stop", "logprobs": None}]}


def _response(asked: _Asked, done: bool = True) -> Json:
    part = {"type": "output_text", "text": asked.text, "annotations": []}
    item = {"type": "message", "id": "msg_demo", "role": "assistant", "status": "completed", "content": [part]}
    usage = _usage(asked, "input_tokens", "output_tokens")
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "resp_demo",
        "object": "response",
        "created_at": CREATED,
        "model": asked.model,
        "status": "completed" if done else "in_progress",
        "output": [item] if done else [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage | details | {"total_tokens": sum(usage.values())} if done else None,
    }


def _response_stream(asked: _Asked) -> Iterator[tuple[str, Json]]:
    place = {"item_id": "msg_demo", "output_index": 0, "content_index": 0}
    events: list[Json] = [{"type": "response.created", "response": _response(asked, done=False)}]
    events += [{"type": "response.output_text.delta", "delta": word, "logprobs": []} | place for word in asked.words]
    events.append({"type": "response.output_text.done", "text": asked.text, "logprobs": []} | place)
    events.append({"type": "response.completed", "response": _response(asked)})
    for number, event in enumerate(events):
        yield event["type"], event | {"sequence_number": number}


def _message(asked: _Asked) -> Json:
    return {
        "id": "msg_demo",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [{"type": "text", "text": asked.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _usage(asked, "input_tokens", "output_tokens"),
    }


def _message_stream(asked: _Asked) -> Iterator[tuple[str, Json]]:
    begun = _message(asked) | {"content": [], "stop_reason": None}
    begun["usage"] = {"input_tokens": asked.prompt_tokens, "output_tokens": 0}
    events: list[Json] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in asked.words
    ]
    events += [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": len(asked.words)},
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield event["type"], event


def _embeddings(asked: _Asked) -> Json:
    texts = asked.body.get("input")
    count = len(texts) if isinstance(texts, list) else 1
    rows = [{"object": "embedding", "index": at, "embedding": [0.6, 0.8]} for at in range(count)]
    usage = {"prompt_tokens": asked.prompt_tokens, "total_tokens": asked.prompt_tokens}
    return {"object": "list", "model": asked.model, "data": rows, "usage": usage}


Plain = Callable[[_Asked], Json]
Stream = Callable[[_Asked], Iterator[tuple[str, Json]]]

_ANSWERS: dict[str, tuple[Plain, Stream | None]] = {
    "/v1/chat/completions": (_chat, _chat_stream),
    "/v1/completions": (_completion, _completion_stream),
    "/v1/responses": (_response, _response_stream),
    "/v1/embeddings": (_embeddings, None),
    "/v1/messages": (_message, _message_stream),
    "/v1/messages/count_tokens": (lambda asked: {"input_tokens": asked.prompt_tokens}, None),
}


def app(pause: float = 0.0) -> Starlette:
    """The server as an ASGI application; `pause` is the seconds between two words of a stream."""

    async def answer(request: Request) -> Response:
        path = request.url.path
        try:
            asked = _asked(await request.body())
        except RowError as error:
            return _refused(path, str(error))
        plain, stream = _ANSWERS[path]
        if stream is None or asked.body.get("stream") is not True:
            return JSONResponse(plain(asked))
        return StreamingResponse(_paced(stream(asked), pause), media_type="text/event-stream")

    async def models(_: Request) -> Response:
        row = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "demonstration"}
        return JSONResponse({"object": "list", "data": [row]})

    routes = [Route(path, answer, methods=["POST"]) for path in _ANSWERS]
    return Starlette(routes=[*routes, Route("/v1/models", models)])


async def _paced(events: Iterator[tuple[str, Json]], pause: float) -> AsyncIterator[bytes]:
    name = ""
    for name, event in events:
        yield (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + msgspec.json.encode(event) + b"\n\n"
        await asyncio.sleep(pause)
    # Formats whose events have names end with one of those.
    if not name:
        yield b"data: [DONE]\n\n"


def _refused(path: str, message: str) -> Response:
    error = {"type": "invalid_request_error", "message": message}
    if path.startswith("/v1/messages"):
        return JSONResponse({"type": "error", "error": error}, 400)
    return JSONResponse({"error": error | {"param": None, "code": None}}, 400)


def serve(host: str, port: int, pause: float = 0.02) -> None:
    """Serve until told to stop (SIGTERM, SIGINT)."""
    import uvicorn

    uvicorn.run(app(pause), host=host, port=port, log_level="warning", access_log=False)
