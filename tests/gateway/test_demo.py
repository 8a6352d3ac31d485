"""The demonstration upstream, asked by the providers' own SDKs over a real socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

QUESTION = "Why is the sky blue"
ANSWER = f"This is the demonstration upstream, there is no model here. You asked: {QUESTION}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"from revenuer.gateway.demo import serve; serve('127.0.0.1', {port}, 0.0)"
    process = subprocess.Popen([sys.executable, "-c", code])
    while True:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def openai_client(server: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic_client(server: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server, api_key="any", max_retries=0) as client:
        yield client


def test_chat(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(model="m", messages=[{"role": "user", "content": QUESTION}])
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, len(ANSWER.split()))


def test_chat_streamed(openai_client: openai.OpenAI) -> None:
    chunks = list(
        openai_client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(ANSWER.split())
    assert len(chunks) == len(ANSWER.split()) + 2


def test_completions(openai_client: openai.OpenAI) -> None:
    assert openai_client.completions.create(model="m", prompt=QUESTION).choices[0].text == ANSWER
    stream = openai_client.completions.create(model="m", prompt=QUESTION, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == ANSWER


def test_responses(openai_client: openai.OpenAI) -> None:
    assert openai_client.responses.create(model="m", input=QUESTION).output_text == ANSWER
    events = list(openai_client.responses.create(model="m", input=QUESTION, stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    assert events[-1].type == "response.completed"


def test_embeddings_and_models(openai_client: openai.OpenAI) -> None:
    found = openai_client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    assert [row.index for row in found.data] == [0, 1]
    assert [model.id for model in openai_client.models.list()] == ["revenuer-demo"]


def test_messages(anthropic_client: anthropic.Anthropic) -> None:
    answer = anthropic_client.messages.create(
        model="m", max_tokens=100, messages=[{"role": "user", "content": QUESTION}]
    )
    assert answer.content[0].type == "text"
    assert answer.content[0].text == ANSWER
    assert answer.usage.output_tokens == len(ANSWER.split())


def test_messages_streamed_and_cut(anthropic_client: anthropic.Anthropic) -> None:
    with anthropic_client.messages.stream(
        model="m", max_tokens=3, messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        assert "".join(stream.text_stream) == "This is the"
        assert stream.get_final_message().usage.output_tokens == 3


def test_tokens_are_counted(anthropic_client: anthropic.Anthropic) -> None:
    counted = anthropic_client.messages.count_tokens(model="m", messages=[{"role": "user", "content": QUESTION}])
    assert counted.input_tokens == 5


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages": 3}', b"[" * 100_000])
def test_nonsense_is_refused_in_the_dialect(server: str, body: bytes) -> None:
    answer = httpx.post(f"{server}/v1/messages", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "error")
    answer = httpx.post(f"{server}/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
