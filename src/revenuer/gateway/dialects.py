"""The wire formats the gateway knows: which path is what, what a request asks for, what an answer used, how to edit.

Pure: bytes in, values out. Only what admission needs is read; everything else passes through untouched. Formats: the
public API references of OpenAI (chat completions, responses, completions, embeddings, models) and Anthropic (messages,
count_tokens).
"""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import unquote_to_bytes

import msgspec

from revenuer.gateway.errors import Dialect


class Endpoint(msgspec.Struct, frozen=True):
    """One way to call a model. `name` as in the exchange log; `records` whether a call is an exchange at all."""

    name: str
    dialect: Dialect
    path: bytes
    records: bool = True


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("openai.chat", Dialect.OPENAI, b"/v1/chat/completions"),
    Endpoint("openai.responses", Dialect.OPENAI, b"/v1/responses"),
    Endpoint("openai.completions", Dialect.OPENAI, b"/v1/completions"),
    Endpoint("openai.embeddings", Dialect.OPENAI, b"/v1/embeddings"),
    Endpoint("openai.models", Dialect.OPENAI, b"/v1/models", records=False),
    Endpoint("anthropic.messages", Dialect.ANTHROPIC, b"/v1/messages"),
    Endpoint("anthropic.count_tokens", Dialect.ANTHROPIC, b"/v1/messages/count_tokens", records=False),
)
_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
_SLASHES = re.compile(rb"/+")
_UNSAFE = re.compile(rb"[\x00-\x20\x7f-\xff\\#]|/\.{1,2}(?:/|$)")


class PathError(ValueError):
    """A path that two servers might read in two ways."""


def find(path: bytes) -> tuple[Endpoint | None, bytes]:
    """The endpoint at a request's path (no query), and the path to send on.

    A disguised spelling of a known path (doubled slashes, escapes, capitals, a slash at the end) is that endpoint, and
    is sent on in its plain spelling, so that no upstream can find there what was not looked at here.

    Raises:
        PathError: dot segments, backslashes, control characters, or escapes of those.
    """
    known = _BY_PATH.get(path)
    if known is not None:
        return known, path
    plain = unquote_to_bytes(path)
    if not path.startswith(b"/") or _UNSAFE.search(path) or _UNSAFE.search(_SLASHES.sub(b"/", plain)):
        raise PathError
    known = _BY_PATH.get(_SLASHES.sub(b"/", plain).rstrip(b"/").lower())
    return (None, path) if known is None else (known, known.path)


def dialect_of(path: bytes, anthropic_version: bool) -> Dialect:
    """In which dialect to answer where the path is not known."""
    return Dialect.ANTHROPIC if anthropic_version or path.startswith(b"/v1/messages") else Dialect.OPENAI


class Asked(msgspec.Struct, frozen=True):
    """What a request asks for, as far as admission cares. Tokens are estimates: four bytes each."""

    endpoint: str
    model: str | None = None
    stream: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    """The most that the answer may have, over all its choices; what the client did not bound counts as 1,024 each."""


class BodyError(ValueError):
    """A request body that is not what its endpoint takes; the message may be shown to the client."""


class _Body(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
OUTPUT_UNBOUNDED = 1024
_BYTES_PER_TOKEN = 4
_MOST = 1 << 31


def asked(endpoint: Endpoint, body: bytes) -> Asked:
    """Read a request body.

    Raises:
        BodyError: not JSON, not UTF-8, nested too deeply, or a field that admission needs has the wrong type.
    """
    if not body:
        return Asked(endpoint.name)
    try:
        if not body.isascii():
            body.decode()
        read = _decode_body(body)
    except UnicodeDecodeError:
        raise BodyError("The request body is not valid UTF-8.") from None
    except RecursionError:
        raise BodyError("The request body is nested too deeply.") from None
    except msgspec.ValidationError as error:
        raise BodyError(f"The request body is not valid: {error}.") from None
    except msgspec.DecodeError:
        raise BodyError("The request body is not valid JSON.") from None
    bound = read.max_tokens
    if bound is None:
        bound = read.max_completion_tokens
    if bound is None:
        bound = read.max_output_tokens
    if bound is None:
        bound = OUTPUT_UNBOUNDED
    n = read.n
    if n is not None and n > 1:
        bound *= n
    return Asked(
        endpoint.name,
        read.model,
        read.stream is True,
        len(body) // _BYTES_PER_TOKEN + 1,
        bound if 0 <= bound <= _MOST else _MOST,
    )


class Reasoning(StrEnum):
    """What of the model's reasoning an account gets to see."""

    KEEP = "keep"
    SUMMARY = "summary"
    NONE = "none"


class Edits(msgspec.Struct, frozen=True):
    """What to change in a request; the default changes nothing."""

    no_logprobs: bool = False
    """Neither log-probabilities nor alternatives (`n`, `best_of`), nor private arguments to the sampler."""
    max_output_tokens: int | None = None
    reasoning: Reasoning = Reasoning.KEEP


_PROBABILITIES = ("logprobs", "top_logprobs", "prompt_logprobs", "logit_bias", "return_token_ids", "echo")
_PRIVATE = ("vllm_xargs", "extra_args", "best_of", "use_beam_search", "return_tokens_as_token_ids")
_BOUNDS = {
    "openai.chat": ("max_completion_tokens", "max_tokens"),
    "openai.responses": ("max_output_tokens",),
    "openai.completions": ("max_tokens",),
    "anthropic.messages": ("max_tokens",),
}


def edit(endpoint: Endpoint, body: bytes, edits: Edits) -> bytes:
    """The body with the edits made; `body` itself where there is nothing to change. Raises BodyError."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise BodyError("The request body is not valid JSON.") from None
    before = dict(fields)
    if edits.no_logprobs:
        for name in (*_PROBABILITIES, *_PRIVATE):
            fields.pop(name, None)
        if "n" in fields:
            fields["n"] = msgspec.Raw(b"1")
        if endpoint.name == "openai.responses":
            _without_logprob_include(fields)
    if edits.max_output_tokens is not None:
        names = _BOUNDS.get(endpoint.name, ())
        present = [name for name in names if name in fields]
        for name in present or names[:1]:
            value = msgspec.json.decode(fields[name]) if name in fields else None
            if not isinstance(value, int) or value > edits.max_output_tokens:
                fields[name] = msgspec.Raw(b"%d" % edits.max_output_tokens)
    if edits.reasoning is not Reasoning.KEEP:
        _less_reasoning(endpoint, fields, edits.reasoning)
    return body if fields == before else msgspec.json.encode(fields)


def _without_logprob_include(fields: dict[str, msgspec.Raw]) -> None:
    include = msgspec.json.decode(fields["include"]) if "include" in fields else None
    if isinstance(include, list):
        kept = [item for item in include if item != "message.output_text.logprobs"]
        fields["include"] = msgspec.Raw(msgspec.json.encode(kept))


def _less_reasoning(endpoint: Endpoint, fields: dict[str, msgspec.Raw], reasoning: Reasoning) -> None:
    """Ask upstream for less. `SUMMARY`: no more than a summary; `NONE`: none, where the wire format can say so."""
    if endpoint.name == "openai.chat":
        # Servers of open models; OpenAI's own never shows it here.
        fields["include_reasoning"] = msgspec.Raw(b"false")
    elif endpoint.name == "openai.responses":
        held = msgspec.json.decode(fields["reasoning"]) if "reasoning" in fields else None
        settings = held if isinstance(held, dict) else {}
        settings.pop("generate_summary", None)
        settings["summary"] = "auto" if reasoning is Reasoning.SUMMARY and "summary" in settings else None
        fields["reasoning"] = msgspec.Raw(msgspec.json.encode(settings))
    elif endpoint.name == "anthropic.messages" and "thinking" in fields:
        if reasoning is Reasoning.NONE:
            fields["thinking"] = msgspec.Raw(b'{"type":"disabled"}')
        else:
            held = msgspec.json.decode(fields["thinking"])
            if isinstance(held, dict) and held.get("type") in ("enabled", "adaptive"):
                fields["thinking"] = msgspec.Raw(msgspec.json.encode({**held, "display": "summarized"}))
