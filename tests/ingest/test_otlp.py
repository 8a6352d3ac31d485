from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from tests.ingest.recorded import FIXTURES, chunks, exchanges

from revenuer.ingest.otlp import ACCOUNT_ATTRIBUTES, decode, recognise, split
from revenuer.ingest.source import RowError
from revenuer.records import Exchange, Message, Params, Response, Usage


def document(*attributes: tuple[str, Any], resource: tuple[tuple[str, Any], ...] = (), **span: Any) -> bytes:
    def pairs(items: tuple[tuple[str, Any], ...]) -> list[dict[str, Any]]:
        return [{"key": k, "value": v if isinstance(v, dict) else {"stringValue": v}} for k, v in items]

    inner = {"traceId": "t", "spanId": "s", "startTimeUnixNano": "1767225600000000000", **span}
    inner["attributes"] = pairs(attributes)
    scope = {"scope": {"name": "x"}, "spans": [inner]}
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": pairs(resource)}, "scopeSpans": [scope]}]}
    ).encode()


PROMPT = ("gen_ai.input.messages", '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]')


def test_current_conventions() -> None:
    first, second = exchanges(FIXTURES / "otlp_new.jsonl")
    assert first == Exchange(
        id="4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b1",
        ts=1767225600.0,
        account="acct-9",
        ip="203.0.113.4",
        user_agent="curl/8.5",
        endpoint="openai.chat",
        model="gpt-4",
        messages=(
            Message("system", "You are a helpful bot"),
            Message("user", "Weather in Paris?\n[image]"),
            Message("assistant", '[tool_call get_weather({"location":"Paris"})]'),
            Message("tool", "[tool_result rainy, 57F]"),
        ),
        params=Params(top_p=1.0, max_tokens=200, n=2),
        response=Response("It rains in Paris.", "stop"),
        usage=Usage(52, 47, None, 12),
        status=200,
        latency_ms=1250.0,
    )
    assert second.messages == (Message("user", "Tell me a joke"),), "structured values as well as JSON text"
    assert second.endpoint == "anthropic.messages"


def test_older_conventions() -> None:
    indexed, content_events, message_events = exchanges(FIXTURES / "otlp_old.jsonl")
    assert indexed.messages == (Message("system", "You tell jokes."), Message("user", "Tell me a joke\n[image]"))
    assert indexed.response == Response("Knock knock.\n[tool_call laugh({})]", "stop")
    assert (indexed.account, indexed.usage, indexed.params.tools) == ("cust-4", Usage(15, 25), 1)
    assert content_events.messages == (Message("user", "What is the capital of France?"),)
    assert content_events.response.text == "The capital of France is Paris."
    assert content_events.account == "acct-11", "from the resource"
    assert message_events.messages == (Message("system", "Be kind."), Message("user", "Weather in Boston?"))
    assert message_events.response == Response("Sunny", "length")


def test_spans_that_are_no_exchange() -> None:
    assert sum(chunk.skipped for chunk in chunks(FIXTURES / "otlp_new.jsonl")) == 1, "the tool's span"
    assert list(split(document(("http.request.method", "GET")))) == []
    [agent] = split(document(("gen_ai.operation.name", "invoke_agent")))
    assert decode(agent) is None


def test_a_whole_file_document_has_a_row_a_span() -> None:
    [chunk] = chunks(FIXTURES / "otlp_document.json")
    assert chunk.rows == [1, 2, 3]
    assert [exchange.account for exchange in chunk.exchanges] == ["acct-9", "acct-10", "cust-4"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document(("gen_ai.system", "openai"), ("user.id", "a")), "span s: no messages; turn on content capture"),
        (document(PROMPT), "span s: no account"),
        (document(PROMPT, ("user.id", "a"), startTimeUnixNano=None), "startTimeUnixNano: missing"),
        (document(PROMPT, ("user.id", "a"), startTimeUnixNano="soon"), "startTimeUnixNano: 'soon' is not"),
        (document(PROMPT, ("user.id", "a"), attributes=1, spanId=4), "not an OTLP JSON span"),
        (b'{"resourceSpans":[]}', "expected one span, got 0"),
        (b'{"resourceSpans":7}', "not an OTLP JSON span"),
    ],
)
def test_what_a_span_must_have(data: bytes, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        decode(data)
    assert str(caught.value).startswith(reason)


def test_split_refuses_what_is_no_document() -> None:
    with pytest.raises(RowError, match=r"^not an OTLP JSON document"):
        list(split(b'{"resourceLogs":[]}'))


def test_the_account_is_looked_for_in_the_stated_order() -> None:
    for earlier, later in itertools.pairwise(ACCOUNT_ATTRIBUTES):
        exchange = decode(document(PROMPT, (later, "second"), (earlier, "first")))
        assert exchange is not None
        assert exchange.account == "first"
    exchange = decode(document(PROMPT, ("user.id", "span"), resource=(("user.id", "resource"),)))
    assert exchange is not None
    assert exchange.account == "span"


def test_a_prompt_that_is_json_text_stays_what_was_sent() -> None:
    sent = '[{"name": "not a list of parts"}]'
    exchange = decode(document(("gen_ai.prompt.0.content", sent), ("user.id", "a")))
    assert exchange is not None
    assert exchange.messages == (Message("user", sent),)


def test_recognise() -> None:
    assert recognise({"resourceSpans": []}) == 1.0
    assert recognise({"resourceLogs": []}) == 0.0
