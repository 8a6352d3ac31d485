from __future__ import annotations

import json
from typing import Any

import pytest
from tests.ingest.recorded import FIXTURES, exchanges

from revenuer.ingest.pairs import ANTHROPIC, OPENAI, decode_anthropic, decode_openai
from revenuer.ingest.source import RowError
from revenuer.records import Exchange, Message, Params, Response, Usage

CHAT: dict[str, Any] = {
    "ts": 1,
    "account": "a",
    "request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "response": {"id": "r-1", "choices": []},
}


def row(**changes: Any) -> bytes:
    return json.dumps({**CHAT, **changes}).encode()


def test_openai_chat_responses_and_completions() -> None:
    chat, responses, completion = exchanges(FIXTURES / "openai.jsonl")
    assert chat == Exchange(
        id="req-1",
        ts=1767225600.0,
        account="acct-1",
        key="k-9",
        ip="192.0.2.1",
        user_agent="OpenAI/JS 4.0",
        endpoint="openai.chat",
        model="gpt-4o",
        messages=(Message("developer", "Answer in JSON."), Message("user", "Describe\n[audio]\n[file]")),
        params=Params(1.0, None, 100, 2, False, True, "low", "json_object", 1),
        response=Response('{}\n\n[tool_call a({"x":1})]', "stop"),
        usage=Usage(20, 8, 1, 3),
        status=200,
        latency_ms=900.0,
    )
    assert responses.messages == (
        Message("system", "You are a poet."),
        Message("user", "A haiku on\n[image]"),
        Message("assistant", "Thinking of stills."),
    )
    assert responses.params == Params(max_tokens=300, reasoning_effort="high", response_format="json_schema")
    assert responses.response.finish_reason == "max_output_tokens"
    assert responses.response.text is not None
    assert responses.response.text.startswith("Counting.\nCopper, steam")
    assert responses.usage == Usage(30, 300, 250, 0)
    assert responses.ts == 1767225605.0, "the response's own time, where nothing beside it has one"
    assert completion.messages == (Message("user", "Once upon"), Message("user", "a time"))
    assert (completion.ts, completion.account, completion.params.logprobs) == (1767225607.0, "kh", True)


def test_anthropic_messages() -> None:
    graded, refused = exchanges(FIXTURES / "anthropic.jsonl")
    assert graded.messages == (
        Message("system", "You grade answers."),
        Message("user", "Grade this:\n[image]\n[document]"),
        Message("assistant", '[tool_call lookup({"q":"x"})]'),
        Message("user", "[tool_result found]"),
    )
    assert graded.response == Response("Looks right.\n9/10", "end_turn")
    assert graded.usage == Usage(prompt_tokens=150, completion_tokens=12, cached_tokens=30)
    assert graded.params == Params(temperature=0.2, max_tokens=1024, reasoning_effort="enabled", tools=1)
    assert (refused.account, refused.user_agent, refused.status) == ("u-6", "anthropic-sdk", 429)
    assert refused.response == Response()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"request": None}, "request: expected an object, got null"),
        ({"request": {"model": "m"}}, "request: no messages, input or prompt"),
        ({"response": [{"object": "chat.completion.chunk"}]}, "response: a list of streamed chunks"),
        ({"ts": None}, "ts: missing"),
        ({"account": None}, "account: missing"),
        ({"account": "  "}, "account: missing"),
        ({"ts": -5}, "ts: negative"),
    ],
)
def test_what_a_pair_must_have(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as caught:
        decode_openai(row(**changes))
    assert str(caught.value).startswith(reason)


def test_token_ids_are_named_not_read() -> None:
    assert decode_openai(row(request={"prompt": [1, 2, 3]})).messages == (Message("user", "[tokens]"),)


def test_a_request_without_an_answer_is_an_exchange() -> None:
    exchange = decode_openai(row(response=None, status=500))
    assert (exchange.response, exchange.status) == (Response(), 500)
    assert exchange.id.startswith("x")


def test_an_anthropic_pair_needs_messages() -> None:
    with pytest.raises(RowError, match=r"^request.messages: missing"):
        decode_anthropic(row(request={"prompt": "hi"}))


def test_the_two_providers_are_told_apart() -> None:
    anthropic = {**CHAT, "response": {"type": "message", "stop_reason": "end_turn", "content": []}}
    assert OPENAI.recognise(CHAT) > 0.5 > ANTHROPIC.recognise(CHAT)
    assert ANTHROPIC.recognise(anthropic) > 0.5 > OPENAI.recognise(anthropic)
    served = {**CHAT, "request": {**CHAT["request"], "model": "claude-x"}}
    assert OPENAI.recognise(served) > 0.5, "the body decides, not the name of the model"
