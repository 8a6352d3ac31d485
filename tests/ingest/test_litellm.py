from __future__ import annotations

import json
from typing import Any

import pytest
from tests.ingest.recorded import FIXTURES, chunks, exchanges

from revenuer.ingest.litellm import decode, recognise
from revenuer.ingest.source import RowError
from revenuer.records import Exchange, Message, Params, Response, Usage

ROWS: list[dict[str, Any]] = [json.loads(line) for line in (FIXTURES / "litellm.jsonl").read_text().splitlines()]


def changed(**changes: Any) -> bytes:
    return json.dumps({**ROWS[0], **changes}).encode()


def test_success_failure_and_responses_api() -> None:
    chat, failed, responses = exchanges(FIXTURES / "litellm.jsonl")
    assert chat == Exchange(
        id="chatcmpl-1",
        ts=1767225600.5,
        account="team-a",
        org="org-7",
        key="88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        ip="198.51.100.9",
        user_agent="openai-python/1.54.0",
        endpoint="openai.chat",
        model="chat-small",
        messages=(Message("user", "what llm are you"),),
        params=Params(temperature=0.0, max_tokens=64, stream=True, response_format="json_object", tools=1),
        response=Response("They ask who I am.\nA language model.", "stop"),
        usage=Usage(10, 20, 5, 4),
        status=200,
        latency_ms=1250.0,
    )
    assert (failed.status, failed.response.text, failed.account) == (429, None, failed.key)
    assert responses.account == "customer-3"
    assert responses.endpoint == "openai.responses"
    assert responses.messages[1:] == (
        Message("assistant", '[tool_call add({"a":2,"b":2})]'),
        Message("tool", "[tool_result 4]"),
    )
    assert responses.response.text == "Four."


def test_calls_without_a_conversation_are_skipped_not_rejected() -> None:
    assert sum(chunk.skipped for chunk in chunks(FIXTURES / "litellm.jsonl")) == 1
    for call in ("embedding", "aembedding", "amoderation", "_arealtime", "a_add_message", "aimage_generation"):
        got = decode(changed(call_type=call))
        assert (got is None) is (call != "_arealtime"), call


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"messages": [{"role": "user", "content": "redacted-by-litellm"}]}, "messages: redacted by LiteLLM"),
        ({"messages": None}, "messages: missing"),
        ({"startTime": None}, "startTime: missing"),
        ({"startTime": "2026-01-01 00:00:00"}, "startTime: '2026-01-01 00:00:00' has no UTC offset"),
        ({"metadata": {}, "end_user": None}, "metadata: no team, user, key or end user"),
    ],
)
def test_what_a_payload_must_have(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match="^" + reason.replace("(", "\\(")):
        decode(changed(**changes))


def test_strange_parameters_do_not_hide_the_exchange() -> None:
    exchange = decode(changed(model_parameters={"temperature": "hot", "n": [], "tools": 3}, endTime="soon"))
    assert exchange is not None
    assert exchange.params == Params(stream=False)
    assert exchange.latency_ms is None


def test_a_missing_id_is_made_from_the_content() -> None:
    first, again, other = (decode(changed(id=None, startTime=moment)) for moment in (1.0, 1.0, 2.0))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id != other.id


def test_recognise_wants_more_than_a_time() -> None:
    assert recognise(ROWS[0]) == recognise(ROWS[3]) == 1.0
    assert recognise({"startTime": 1.0}) < 0.5
