"""The official SDKs of OpenAI and Anthropic against the running gateway; curl, and nginx as an upstream by others."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from tests.gateway.running import KEY, PATIENCE, Running, Scripted, demo, gateway, scripted, until

from revenuer.up import free_port, listening

QUESTION = "What is a still?"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with demo() as upstream, gateway(upstream, tmp_path_factory.mktemp("gateway")) as it:
        yield it


@pytest.fixture
def gpt(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=running.url + "/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(running: Running) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=running.url, api_key=KEY, max_retries=0) as client:
        yield client


def test_openai_chat_plain_and_streamed_say_the_same(gpt: openai.OpenAI) -> None:
    whole = gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": QUESTION}])
    text = whole.choices[0].message.content
    assert text is not None
    assert text.endswith(QUESTION)
    with gpt.chat.completions.create(
        model="m", messages=[{"role": "user", "content": QUESTION}], stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage == whole.usage


def test_openai_other_endpoints(gpt: openai.OpenAI) -> None:
    assert gpt.responses.create(model="m", input=QUESTION).output_text.endswith(QUESTION)
    with gpt.responses.create(model="m", input=QUESTION, stream=True) as stream:
        assert [event.type for event in stream][-1] == "response.completed"
    assert gpt.completions.create(model="m", prompt=QUESTION).choices[0].text.endswith(QUESTION)
    assert len(gpt.embeddings.create(model="m", input=["a", "b"]).data) == 2
    assert len(gpt.models.list().data) == 1


def test_anthropic_plain_streamed_and_counted(claude: anthropic.Anthropic) -> None:
    ask = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]}
    whole = claude.messages.create(**ask)  # type: ignore[call-overload]
    assert whole.content[0].text.endswith(QUESTION)
    with claude.messages.stream(**ask) as stream:  # type: ignore[arg-type]
        final = stream.get_final_message()
    assert [part.model_dump()["text"] for part in final.content] == [whole.content[0].text]
    assert final.usage.output_tokens == whole.usage.output_tokens
    count = claude.messages.count_tokens(model="m", messages=[{"role": "user", "content": QUESTION}])
    assert count.input_tokens == 4


def test_both_sdks_asynchronous_and_many_at_once(running: Running) -> None:
    async def ask() -> None:
        async with (
            openai.AsyncOpenAI(base_url=running.url + "/v1", api_key=KEY, max_retries=0) as gpt,
            anthropic.AsyncAnthropic(base_url=running.url, api_key=KEY, max_retries=0) as claude,
        ):

            async def openai_one(number: int) -> bool:
                stream = await gpt.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": f"number {number}"}], stream=True
                )
                text = "".join([c.choices[0].delta.content or "" async for c in stream])
                return text.endswith(f"number {number}")

            async def anthropic_one(number: int) -> bool:
                message = await claude.messages.create(
                    model="m", max_tokens=99, messages=[{"role": "user", "content": f"number {number}"}]
                )
                return str(message.content[0].model_dump()["text"]).endswith(f"number {number}")

            assert all(await asyncio.gather(*map(openai_one, range(20)), *map(anthropic_one, range(20))))

    asyncio.run(ask())


def test_errors_of_upstream_and_of_the_gateway_are_the_sdks_own(
    gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.BadRequestError):
        gpt.chat.completions.create(model="m", messages=[5])  # type: ignore[list-item]
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.chat.completions.create(model="m", messages=[], n="two")  # type: ignore[call-overload]
    assert caught.value.code == "bad_request"
    assert caught.value.request_id
    assert caught.value.request_id in str(caught.value)
    with pytest.raises(anthropic.BadRequestError) as other:
        claude.messages.create(model=5, max_tokens=5, messages=[])  # type: ignore[call-overload]
    assert "model" in str(other.value)
    assert other.value.request_id
    with pytest.raises(openai.NotFoundError):
        gpt.files.list()


def test_an_absent_upstream_is_a_server_error_to_both(tmp_path: Path) -> None:
    with gateway(f"http://127.0.0.1:{free_port()}", tmp_path) as running:
        with (
            openai.OpenAI(base_url=running.url + "/v1", api_key=KEY, max_retries=0) as gpt,
            pytest.raises(openai.InternalServerError) as caught,
        ):
            gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": QUESTION}])
        assert caught.value.code == "upstream_down"
        with (
            anthropic.Anthropic(base_url=running.url, api_key=KEY, max_retries=0) as claude,
            pytest.raises(anthropic.InternalServerError),
        ):
            claude.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": QUESTION}])
        running.stop()
        assert [e.status for e in running.exchanges()] == [502, 502]


def endless(sock: socket.socket, request: bytes) -> None:
    del request
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    number = 0
    while True:
        event = b'data: {"choices":[{"index":0,"delta":{"content":"w%d "}}]}\n\n' % number
        sock.sendall(b"%x\r\n%b\r\n" % (len(event), event))
        number += 1
        time.sleep(0.01)


@pytest.fixture
def infinite() -> Iterator[Scripted]:
    with scripted(endless) as upstream:
        yield upstream


def test_a_cancelled_stream_is_cancelled_upstream_and_recorded(infinite: Scripted, tmp_path: Path) -> None:
    with gateway(infinite.url, tmp_path) as running:
        with openai.OpenAI(base_url=running.url + "/v1", api_key=KEY, max_retries=0) as gpt:
            stream = gpt.chat.completions.create(
                model="m", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
            got = [next(iter(stream)).choices[0].delta.content for _ in range(3)]
            assert got == ["w0 ", "w1 ", "w2 "]
            assert not infinite.gone.is_set()
            stream.close()
            assert infinite.gone.wait(PATIENCE)
        running.stop()
        (kept,) = running.exchanges()
    assert kept.status == 499
    assert kept.response.text is not None
    assert kept.response.text.startswith("w0 w1 w2 ")


def test_a_cancelled_task_is_cancelled_upstream(infinite: Scripted, tmp_path: Path) -> None:
    async def ask(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0) as claude:
            task = asyncio.create_task(
                claude.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": QUESTION}])
            )
            await asyncio.to_thread(until, lambda: len(infinite.requests) == 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await asyncio.to_thread(infinite.gone.wait, PATIENCE)

    with gateway(infinite.url, tmp_path) as running:
        asyncio.run(ask(running.url))


def test_curl_gets_what_upstream_says(running: Running) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": QUESTION}]})
    done = subprocess.run(
        [curl, "-sSN", running.url + "/v1/chat/completions", "-H", f"Authorization: Bearer {KEY}", "-d", body],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.endswith(b"data: [DONE]\n\n")
    # Bodies over a megabyte: curl asks for 100-continue.
    big = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word " * 300_000}]})
    done = subprocess.run(
        [curl, "-sS", running.url + "/v1/chat/completions", "-H", "Expect: 100-continue", "-d", "@-"],
        input=big.encode(), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["usage"]["prompt_tokens"] == 300_000


def test_before_nginx(tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed: `sh tools/need.sh services` installs it on Debian as root, or says how")
    port = free_port()
    answer = '{"choices":[{"index":0,"message":{"role":"assistant","content":"yes"}}],"usage":{"prompt_tokens":3}}'
    with tempfile.TemporaryDirectory() as folder:
        paths = " ".join(f"{n}_temp_path {folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (Path(folder) / "nginx.conf").write_text(
            f"daemon off; master_process off; error_log stderr crit; pid {folder}/pid; events {{}}"
            f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port}; "
            f"location / {{ default_type application/json; return 200 '{answer}'; }} }} }}"
        )
        process = subprocess.Popen([nginx, "-p", folder, "-c", f"{folder}/nginx.conf"])
        try:
            until(lambda: listening("127.0.0.1", port))
            with (
                gateway(f"http://127.0.0.1:{port}", tmp_path) as running,
                openai.OpenAI(base_url=running.url + "/v1", api_key=KEY, max_retries=0) as gpt,
            ):
                for _ in range(5):
                    said = gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": QUESTION}])
                    assert said.choices[0].message.content == "yes"
                running.stop()
                assert [e.usage.prompt_tokens for e in running.exchanges()] == [3] * 5
        finally:
            process.terminate()
            process.wait(PATIENCE)
