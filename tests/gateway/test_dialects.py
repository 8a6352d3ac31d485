"""What is read of requests, and what is edited in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.gateway.dialects import (
    ENDPOINTS,
    OUTPUT_UNBOUNDED,
    BodyError,
    Edits,
    Endpoint,
    PathError,
    Reasoning,
    asked,
    dialect_of,
    edit,
    find,
)
from revenuer.gateway.errors import Dialect

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
CHAT, RESPONSES, MESSAGES = BY_NAME["openai.chat"], BY_NAME["openai.responses"], BY_NAME["anthropic.messages"]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_endpoint_is_found_in_every_spelling_and_sent_on_in_one(endpoint: Endpoint) -> None:
    path = endpoint.path
    for spelling in (path, path + b"/", path.replace(b"/", b"//"), path.upper(), path.replace(b"e", b"%65")):
        assert find(spelling) == (endpoint, path)


@given(st.binary(max_size=40))
def test_any_path_is_plain_or_refused(path: bytes) -> None:
    try:
        found, sent = find(b"/" + path)
    except PathError:
        return
    assert b".." not in sent.split(b"/")
    assert not set(sent) & {0, 9, 10, 13, 32, 92}
    assert sent == (b"/" + path if found is None else found.path)


@pytest.mark.parametrize(
    "path", [b"", b"v1/models", b"/a/../b", b"/a/%2e%2E/b", b"/.", b"/a\\b", b"/a%00", b"/a%0d", b"/\xff"]
)
def test_paths_that_could_be_read_in_two_ways(path: bytes) -> None:
    with pytest.raises(PathError):
        find(path)


def test_dialect_of_unknown_paths() -> None:
    assert dialect_of(b"/v1/files", False) is Dialect.OPENAI
    assert dialect_of(b"/v1/files", True) is dialect_of(b"/v1/messages/batches", False) is Dialect.ANTHROPIC


def test_what_a_request_asks_for() -> None:
    body = b'{"model":"m","stream":true,"n":3,"max_completion_tokens":50,"messages":[{"content":[5]}],"tools":[1]}'
    read = asked(CHAT, body)
    assert (read.model, read.stream, read.tokens_out) == ("m", True, 150)
    assert read.tokens_in == len(body) // 4 + 1
    assert asked(CHAT, b"{}").tokens_out == OUTPUT_UNBOUNDED
    assert asked(RESPONSES, b'{"max_output_tokens":7}').tokens_out == 7
    assert asked(MESSAGES, b'{"max_tokens":-9}').tokens_out > 1_000_000


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'{"model":1}', b'{"n":"2"}', b'{"stream":"yes"}', b'{"a":"\xff"}', b"[" * 100_000,
     b'{"a":' + b"[" * 100_000, b'{"max_tokens":1.5}', b'{"a":1}x'],
)  # fmt: skip
def test_bodies_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(BodyError):
        asked(CHAT, body)


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        asked(CHAT, body)
    except BodyError:
        return
    assert not body or isinstance(json.loads(body), dict)


def edited(endpoint: Endpoint, body: dict[str, Any], edits: Edits) -> Any:
    return json.loads(edit(endpoint, json.dumps(body).encode(), edits))


def test_nothing_to_change_leaves_the_bytes() -> None:
    body = b'{ "model" : "m",  "max_tokens": 5 }'
    assert edit(CHAT, body, Edits()) is body
    assert edit(CHAT, body, Edits(no_logprobs=True, max_output_tokens=9)) is body


def test_log_probabilities_and_their_substitutes_go() -> None:
    wish = {"model": "m", "logprobs": True, "top_logprobs": 20, "n": 8, "logit_bias": {"1": 5}, "vllm_xargs": {"a": 1}}
    assert edited(CHAT, wish, Edits(no_logprobs=True)) == {"model": "m", "n": 1}
    wish = {"include": ["message.output_text.logprobs", "file_search_call.results"]}
    assert edited(RESPONSES, wish, Edits(no_logprobs=True)) == {"include": ["file_search_call.results"]}


@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES, MESSAGES], ids=lambda e: e.name)
@pytest.mark.parametrize(("given", "held"), [(None, 100), (5, 5), (5000, 100)])
def test_outputs_are_bounded(endpoint: Endpoint, given: int | None, held: int) -> None:
    name = "max_output_tokens" if endpoint is RESPONSES else "max_tokens"
    got = edited(endpoint, {} if given is None else {name: given}, Edits(max_output_tokens=100))
    assert list(got.values()) == [held]
    assert asked(endpoint, json.dumps(got).encode()).tokens_out == held


def test_less_reasoning() -> None:
    summary, none = Edits(reasoning=Reasoning.SUMMARY), Edits(reasoning=Reasoning.NONE)
    assert edited(CHAT, {"model": "m"}, none) == {"model": "m", "include_reasoning": False}
    wish: dict[str, Any] = {"reasoning": {"effort": "high", "summary": "detailed"}}
    assert edited(RESPONSES, wish, summary) == {"reasoning": {"effort": "high", "summary": "auto"}}
    assert edited(RESPONSES, wish, none) == {"reasoning": {"effort": "high", "summary": None}}
    wish = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert edited(MESSAGES, wish, none) == {"thinking": {"type": "disabled"}}
    assert edited(MESSAGES, wish, summary)["thinking"] == wish["thinking"] | {"display": "summarized"}
    assert edited(MESSAGES, {"model": "m"}, none) == {"model": "m"}
