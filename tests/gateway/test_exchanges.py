"""Records of the spool as exchanges: every dialect, cut answers, and bytes that are nothing at all."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.spooling import ANSWER, BODY, begun, ended

from revenuer.gateway.exchanges import UNREAD, answer, exchange_of
from revenuer.gateway.segment import Begun, Ended, Media
from revenuer.records import Message, Params, Response, Usage


def test_an_exchange_in_full() -> None:
    request = Begun("id-1", 17.5, "account", "openai.chat", BODY, "key", "198.51.100.7", "agent", "ja4", "org")
    exchange = exchange_of(request, ended("id-1"))
    assert (exchange.id, exchange.ts, exchange.account) == ("id-1", 17.5, "account")
    assert (exchange.key, exchange.ip, exchange.user_agent) == ("key", "198.51.100.7", "agent")
    assert (exchange.ja4, exchange.org, exchange.endpoint) == ("ja4", "org", "openai.chat")
    assert exchange.messages == (Message("user", "What is a spool?"),)
    assert (exchange.model, exchange.params) == ("m", Params(stream=True))
    assert exchange.response == Response("A reel.", None)
    assert (exchange.usage.completion_tokens, exchange.status, exchange.latency_ms) == (3, 200, 12.5)


def test_without_an_end_the_answer_is_unknown() -> None:
    exchange = exchange_of(begun("a"), None)
    assert exchange.messages == (Message("user", "What is a spool?"),)
    assert (exchange.response, exchange.usage, exchange.status, exchange.latency_ms) == (
        Response(),
        Usage(),
        None,
        None,
    )


def test_anthropic_keeps_its_system_turn() -> None:
    body = b'{"model":"c","max_tokens":9,"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}'
    exchange = exchange_of(Begun("a", 0.0, "b", "anthropic.messages", body), None)
    assert exchange.messages == (Message("system", "Be brief."), Message("user", "Hi"))
    assert exchange.params.max_tokens == 9


@pytest.mark.parametrize(
    ("media", "data", "text", "reason"),
    [
        (Media.NONE, b"ignored", None, None),
        (Media.TEXT, "Zwölf".encode(), "Zwölf", None),
        (Media.JSON, b'{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}]}', "Yes", "stop"),
        (Media.JSON, b'{"content":[{"type":"text","text":"Oui"}],"stop_reason":"end_turn"}', "Oui", "end_turn"),
        (Media.JSON, b'{"choices":[{"message":{"content":"cut \\"he', 'cut "he', None),
        (Media.JSON, b'{"choices":[{"message":{"content":"cut \\u00e', "cut ", None),
        (Media.SSE, ANSWER, "A reel.", None),
        (
            Media.SSE,
            b'data: {"choices":[{"delta":{"role":"assistant","content":"A"}}]}\r\n\r\n'
            b'data: {"choices":[{"delta":{"content":"B"},"finish_reason":"stop"}]}\r\n\r\ndata: {"choices":[{"del',
            "AB",
            "stop",
        ),
        (Media.SSE, b'data: {"choices":[{"text":"once"}]}\n\ndata: [DONE]\n\n', "once", None),
        (
            Media.SSE,
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Si"}\n\n'
            b'data: {"type":"response.function_call_arguments.delta","delta":"{}"}\n\n'
            b'data: {"type":"response.completed","response":{"status":"completed","usage":{"output_tokens":7}}}\n\n',
            "Si",
            "completed",
        ),
        (
            Media.SSE,
            b'data: {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"Hm. "}}\n\n'
            b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Ja"}}\n\n'
            b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n',
            "Hm. Ja",
            "end_turn",
        ),
    ],
)
def test_what_an_answer_says(media: Media, data: bytes, text: str | None, reason: str | None) -> None:
    assert answer(media, data)[0] == Response(text, reason)


def test_tokens_of_the_stream_count_where_the_gateway_read_none() -> None:
    stream = (
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n'
    )
    read = Ended("a", 200, 1.0, Media.SSE, stream)
    assert exchange_of(begun("a"), read).usage == Usage(5, 7)
    counted = msgspec.structs.replace(read, completion_tokens=8)
    assert exchange_of(begun("a"), counted).usage == Usage(5, 8)


@given(st.binary(max_size=60) | st.sampled_from([b"", b"[]", b'"x"', b'{"messages":3}', b"\xff", b'{"input":[1]}']))
def test_a_body_that_cannot_be_read_is_an_exchange_all_the_same(body: bytes) -> None:
    for endpoint in ("openai.chat", "anthropic.messages", "/v1/unheard-of"):
        exchange = exchange_of(Begun("a", 1.0, "b", endpoint, body), None)
        assert (exchange.id, exchange.account, exchange.endpoint) == ("a", "b", endpoint)
        assert exchange.messages == (Message("user", UNREAD),)


@given(
    st.sampled_from(Media),
    st.binary(max_size=80)
    | st.builds(
        lambda value: b"data: " + msgspec.json.encode(value),
        st.dictionaries(
            st.sampled_from(["choices", "delta", "usage", "message", "response", "type", "content"]),
            st.recursive(
                st.none() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["delta", "usage", "text", "content"]), inner, max_size=3)
                ),
                max_leaves=6,
            ),
            max_size=4,
        ),
    ),
)
def test_no_answer_is_too_strange(media: Media, data: bytes) -> None:
    for some in (data, data.removeprefix(b"data: ")):
        response, _ = answer(media, some)
        assert response.text is None or isinstance(response.text, str)
