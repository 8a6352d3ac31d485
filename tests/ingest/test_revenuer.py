from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from tests.ingest.recorded import ANY_EXCHANGE, FIXTURES, exchanges

from revenuer.ingest.revenuer import decode, recognise
from revenuer.ingest.source import RowError
from revenuer.records import Exchange, Message, Params, Response, Usage

GOOD: dict[str, Any] = {"id": "a", "ts": 1, "account": "x", "messages": [{"role": "user", "content": "hi"}]}


def row(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_every_field_is_read() -> None:
    first, second, third = exchanges(FIXTURES / "revenuer.jsonl")
    assert first == Exchange(
        id="ex-1",
        ts=1767225600.25,
        org="Acme",
        account="acct-1",
        key="k-1",
        ip="192.0.2.7",
        asn=64500,
        user_agent="openai-python/1.54.0",
        ja4="t13d1516h2_8daaf6152771_b186095e22b6",
        endpoint="openai.chat",
        model="m-large",
        params=Params(0.7, 1.0, 512, 1, True, False, "high", "json_object", 2),
        messages=(Message("system", "Be brief."), Message("user", "What is a still?")),
        response=Response("A device for distilling.", "stop"),
        usage=Usage(18, 6, 0, 0),
        status=200,
        latency_ms=640.5,
    )
    assert second.ts == 1767225601.5, "an offset is taken off"
    assert second.messages == (Message("user", "What is in\n[image]\nthis picture?"),)
    assert third.messages[1:] == (
        Message("assistant", '[tool_call get_weather({"city":"Paris"})]'),
        Message("tool", "rainy, 14 C"),
    )
    assert (third.params.tools, third.params.response_format) == (1, "json_schema")


@given(ANY_EXCHANGE)
def test_round_trip_through_json(exchange: Exchange) -> None:
    assert decode(msgspec.json.encode(exchange)) == exchange


@given(ANY_EXCHANGE)
def test_the_slow_way_reads_what_the_fast_way_reads(exchange: Exchange) -> None:
    fields = msgspec.to_builtins(exchange)
    fields["response"] = fields.get("response") or None  # a null sends the row the slow way
    fields.setdefault("params", None)
    assert decode(msgspec.json.encode({**fields, "usage": fields.get("usage") or None})) == exchange


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "id: missing"),
        ({"id": " "}, "id: empty"),
        ({"id": 7}, "id: expected text, got a number"),
        ({"ts": None}, "ts: missing"),
        ({"ts": -1}, "ts: negative"),
        ({"ts": 1767225600000}, "ts: 1767225600000 is too large for seconds (milliseconds?)"),
        ({"ts": True}, "ts: expected seconds or an RFC 3339 time, got true/false"),
        ({"ts": "2026-01-01T00:00:00"}, "ts: '2026-01-01T00:00:00' has no UTC offset"),
        ({"ts": "yesterday"}, "ts: 'yesterday' is not an RFC 3339 time"),
        ({"ts": "2026-02-30T00:00:00Z"}, "ts: '2026-02-30T00:00:00Z' is not a date that exists"),
        ({"account": ""}, "account: empty"),
        ({"account": None}, "account: missing"),
        ({"account": ["a"]}, "account: expected text, got a list"),
        ({"messages": None}, "messages: missing"),
        ({"messages": {}}, "messages: expected a list, got an object"),
        ({"messages": []}, "messages: empty list"),
        ({"messages": [1]}, "messages[0]: expected an object, got a number"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role: missing"),
        ({"messages": [{"role": "", "content": "hi"}]}, "messages[0].role: empty"),
        ({"messages": [{"role": 1, "content": "hi"}]}, "messages[0].role: expected text, got a number"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content: expected text or a list of parts"),
        ({"asn": "AS1"}, "asn: expected a whole number, got text"),
        ({"asn": 2**40}, "asn: not between 0 and 4294967295"),
        ({"status": 2000}, "status: 2000 is not an HTTP status"),
        ({"status": 200.5}, "status: expected a whole number, got 200.5"),
        ({"latency_ms": -1}, "latency_ms: negative"),
        ({"usage": {"prompt_tokens": -1}}, "usage.prompt_tokens: negative or too large"),
        ({"usage": {"prompt_tokens": 10**30}}, "usage.prompt_tokens: negative or too large"),
        ({"params": {"temperature": "hot"}}, "params.temperature: expected a number, got text"),
        ({"params": {"stream": 1}}, "params.stream: expected true or false, got a number"),
        ({"params": []}, "params: expected an object, got a list"),
        ({"response": {"text": 1}}, "response.text: expected text or a list of parts"),
    ],
)
def test_a_bad_row_says_which_field_and_what(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as caught:
        decode(row(**changes))
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"id":"a","ts":NaN}', "not valid JSON"),
        (b'{"id":"a","ts":1e999,"account":"x","messages":[]}', "not valid JSON"),
        (b"[]", "expected a JSON object, got a list"),
        (b'"\xff"', "not valid JSON"),
        (b'{"a":' * 50_000, "not readable: nested too deeply"),
        (b'{"id":"a","ts":1,"account":"x","messages":' + b"[" * 50_000, "not readable: nested too deeply"),
        (b"\x00", "not valid JSON"),
    ],
)
def test_what_is_no_row_at_all(data: bytes, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        decode(data)
    assert str(caught.value).startswith(reason)


def test_half_an_emoji_does_not_hide_a_row() -> None:
    exchange = decode(row().replace(b'"hi"', b'"hi \\ud83d there \\ud83d\\ude00"'))
    assert exchange.messages[0].content == "hi \ufffd there \U0001f600"


def test_null_and_absent_are_the_same() -> None:
    names = [f.name for f in msgspec.structs.fields(Exchange) if f.name not in GOOD]
    assert decode(row(**dict.fromkeys(names))) == decode(row())


def test_nested_json_text_is_read_as_what_it_says() -> None:
    exchange = decode(row(messages=json.dumps(GOOD["messages"]), params='{"n": 2}', usage='{"cached_tokens": 3.0}'))
    assert (exchange.messages, exchange.params.n, exchange.usage.cached_tokens) == ((Message("user", "hi"),), 2, 3)


def test_recognise_is_sure_of_the_four_fields_and_leaves_other_formats_alone() -> None:
    assert recognise(GOOD) == 1.0
    assert recognise({**GOOD, "request": {}}) == 0.0


def test_fixture_file_is_what_the_reference_shows(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    first = (FIXTURES / "revenuer.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert first in page
