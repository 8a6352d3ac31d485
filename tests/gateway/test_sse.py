"""Usage that answers state, and what is kept of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.gateway.spool import ANSWER_BYTES, Media
from revenuer.gateway.sse import TAIL_BYTES, Answer, usage_of
from revenuer.records import Usage

CHAT = (
    b'{"choices":[{"message":{"content":"\\"usage\\": {\\"prompt_tokens\\": 1}"}}],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":12,"prompt_tokens_details":{"cached_tokens":3},'
    b'"completion_tokens_details":{"reasoning_tokens":4}}}'
)
RESPONSE = (
    b'{"output":[],"tools":[{"parameters":{"usage":{"input_tokens":1}}}],"usage":{"input_tokens":9,'
    b'"output_tokens":12,"input_tokens_details":{"cached_tokens":3},"output_tokens_details":{"reasoning_tokens":4}}}'
)
STREAMS = {
    "chat": b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\ndata: ' + CHAT + b"\n\ndata: [DONE]\n\n",
    "responses": b'event: response.completed\ndata: {"type":"response.completed","response":' + RESPONSE + b"}\n\n",
    "messages": b'event: message_start\ndata: {"message":{"usage":{"input_tokens":9,"output_tokens":1,'
    b'"cache_read_input_tokens":3}}}\n\nevent: message_delta\ndata: {"delta":{},"usage":{"output_tokens":12}}\n\n',
}


@pytest.mark.parametrize("body", [CHAT, RESPONSE])
def test_usage_of_whole_answers(body: bytes) -> None:
    assert usage_of(Media.JSON, body) == Usage(9, 12, 4, 3)


@pytest.mark.parametrize("name", STREAMS)
def test_usage_of_streams(name: str) -> None:
    reasoning = None if name == "messages" else 4
    assert usage_of(Media.SSE, STREAMS[name]) == Usage(9, 12, reasoning, 3)


@given(st.sampled_from(sorted(STREAMS)), st.integers(1, 400_000), st.integers(1, 5000))
def test_usage_is_found_behind_a_stream_of_any_length_in_any_pieces(name: str, before: int, piece: int) -> None:
    event = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'
    start = STREAMS["messages"][: STREAMS["messages"].index(b"event: message_delta")] if name == "messages" else b""
    stream = start + event * (before // len(event)) + STREAMS[name][len(start) :]
    answer = Answer(Media.SSE)
    pieces = [stream[at : at + piece * 50] for at in range(0, len(stream), piece * 50)]
    for data in pieces:
        answer.feed(data)
    assert answer.usage().completion_tokens == 12
    assert answer.usage().prompt_tokens == 9
    assert answer.size == len(stream)
    assert stream.startswith(answer.kept())


def test_memory_is_bounded() -> None:
    answer = Answer(Media.SSE)
    for _ in range(2000):
        answer.feed(b"data: x\n\n" * 100)
    assert answer.events == answer.tokens() == 200_000
    held = len(answer.kept()) + sum(map(len, answer._tail or ()))
    assert held < ANSWER_BYTES + TAIL_BYTES + 2 * 900


@given(st.sampled_from(list(Media)), st.binary(max_size=300))
def test_rubbish_states_nothing(media: Media, data: bytes) -> None:
    assert usage_of(media, b'data: {"usage":' + data + b"\n") == Usage()


def test_tokens_where_none_are_stated() -> None:
    answer = Answer(Media.JSON)
    answer.feed(b"x" * 40)
    assert answer.tokens() == 10
    assert answer.usage() == Usage()
