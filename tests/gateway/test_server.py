"""The gateway as processes: admission end to end, several of them, stopping, failing, being told wrong things."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from tests.gateway.running import (
    COMMAND,
    PATIENCE,
    Running,
    Scripted,
    demo,
    everything,
    gateway,
    post,
    scripted,
    until,
)
from tests.gateway.test_client import BODY, canned, status

from revenuer.gateway.dialects import Edits, Reasoning
from revenuer.gateway.keys import Keys
from revenuer.gateway.segment import Secret
from revenuer.gateway.standing import Measures, Standing, write
from revenuer.records import Verdict
from revenuer.up import listening as listening_on

APPEAL = "https://example.org/appeal"


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with scripted(canned) as it:
        yield it


def make_key(data: Path, account: str = "acct_1", models: tuple[str, ...] | None = None) -> str:
    data.mkdir(parents=True, exist_ok=True)
    pepper = Secret.load(data / "names.key").derive(b"keys")[0]
    return Keys.load(data / "keys.json", pepper).add(account, models=models)[0]


def with_keys(data: Path) -> str:
    return f'keys = "{data / "keys.json"}"\nappeal_url = "{APPEAL}"\n'


def stand(data: Path, measures: Measures, account: str = "acct_1") -> None:
    write([Standing(account, Verdict.HARVESTING, time.time() + 600, measures, "campaign-1", "case-7")],
          data / "standing.json")  # fmt: skip


def keyed(key: str, body: bytes = BODY, path: str = "/v1/chat/completions") -> bytes:
    return post(body, path).replace(b"Bearer sk-client-secret", b"Bearer " + key.encode())


def test_keys_are_asked_for_and_stay_here(upstream: Scripted, tmp_path: Path) -> None:
    key = make_key(tmp_path)
    with gateway(upstream.url, tmp_path, with_keys(tmp_path)) as running:
        assert status(running.say(keyed(key))) == 200
        assert key.encode() not in upstream.requests[0]
        with openai.OpenAI(base_url=running.url + "/v1", api_key="rvn-wrong", max_retries=0) as gpt:
            with pytest.raises(openai.AuthenticationError) as caught:
                gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
            assert caught.value.code == "unknown_key"
            assert APPEAL in str(caught.value)
        assert len(upstream.requests) == 1
        # A key made while it runs is known soon after.
        later = make_key(tmp_path, "acct_2")
        until(lambda: status(running.say(keyed(later))) == 200)
        running.stop()
        kept = running.exchanges()
    assert sorted({exchange.account for exchange in kept}) == ["acct_1", "acct_2", "unknown"]
    everything_kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert key.encode() not in everything_kept


def test_a_standing_edits_then_refuses_while_it_runs(upstream: Scripted, tmp_path: Path) -> None:
    key = make_key(tmp_path)
    wish = b'{"model":"m","logprobs":true,"n":4,"messages":[]}'
    edits = Edits(no_logprobs=True, max_output_tokens=64, reasoning=Reasoning.KEEP)
    with gateway(upstream.url, tmp_path, with_keys(tmp_path)) as running:
        running.say(keyed(key, wish))
        assert upstream.requests[-1].endswith(wish)
        stand(tmp_path, Measures(edits=edits))

        def edited() -> bool:
            assert status(running.say(keyed(key, wish))) == 200
            return not upstream.requests[-1].endswith(wish)

        until(edited)
        sent = json.loads(upstream.requests[-1].partition(b"\r\n\r\n")[2])
        assert sent == {"model": "m", "n": 1, "messages": [], "max_completion_tokens": 64}
        assert status(running.say(keyed(key, b"{}", "/v1/other"))) == 403
        stand(tmp_path, Measures(refuse=True))
        until(lambda: status(running.say(keyed(key))) == 403)
        with (
            anthropic.Anthropic(base_url=running.url, api_key=key, max_retries=0) as claude,
            pytest.raises(anthropic.PermissionDeniedError) as caught,
        ):
            claude.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "x"}])
        for part in ("case-7", APPEAL):
            assert part in str(caught.value)
        stand(tmp_path, Measures())
        until(lambda: status(running.say(keyed(key))) == 200)


def test_limits_say_when_to_come_back(upstream: Scripted, tmp_path: Path) -> None:
    rules = tmp_path / "limits.toml"
    rules.write_text("[account.default]\nrequests_per_minute = 2\nburst_seconds = 60\n")
    with gateway(upstream.url, tmp_path, f'limits = "{rules}"\n') as running:
        answers = [running.say(post(BODY)) for _ in range(3)]
        assert [status(answer) for answer in answers] == [200, 200, 429]
        assert b"\r\nRetry-After: " in answers[-1]
        assert b'"code":"limit_requests"' in answers[-1]
        assert len(upstream.requests) == 2
        running.stop()
        assert sorted(str(exchange.status) for exchange in running.exchanges()) == ["200", "200", "429"]


def test_concurrency_is_given_back_when_clients_go(tmp_path: Path) -> None:
    rules = tmp_path / "limits.toml"
    rules.write_text("[account.default]\nconcurrency = 1\n")
    with (
        scripted(lambda *_: time.sleep(60)) as upstream,
        gateway(upstream.url, tmp_path, f'limits = "{rules}"\n') as running,
    ):
        with running.connect() as sock:
            sock.sendall(post(BODY))
            until(lambda: len(upstream.requests) == 1)
            assert status(running.say(post(BODY))) == 429
        with running.connect() as sock:

            def admitted() -> bool:
                if len(upstream.requests) == 1:
                    sock.sendall(post(BODY, close=False))
                    time.sleep(0.1)
                return len(upstream.requests) == 2

            until(admitted)


def test_requests_under_way_are_finished_when_it_is_told_to_stop(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with gateway(url, tmp_path) as running, running.connect() as sock, running.connect() as idle:
            sock.sendall(post(BODY, close=False))
            upstream, _ = listening.accept()
            with upstream:
                upstream.recv(65536)
                running.process.send_signal(signal.SIGTERM)
                assert everything(idle) == b""
                until(lambda: not listening_on("127.0.0.1", running.port))
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                answer = everything(sock)
            assert answer.endswith(b"{}")
            assert b"\r\nConnection: close\r\n" in answer
            assert running.process.wait(PATIENCE) == 0


def test_several_processes_share_a_port_and_one_that_dies_is_replaced(upstream: Scripted, tmp_path: Path) -> None:
    with gateway(upstream.url, tmp_path, "", "--workers", "2") as running:
        until(lambda: len(children(running)) == 2)
        assert {status(running.say(post(BODY))) for _ in range(20)} == {200}
        # A process that was killed may have taken a connection with it, but not the service.
        os.kill(children(running)[0], signal.SIGTERM)
        until(lambda: len(children(running)) == 1)
        until(lambda: len(children(running)) == 2)
        until(lambda: status(running.say(post(BODY))) == 200)
        assert running.stop() == 0
        assert len(running.exchanges()) >= 21
        (running.data / "errors.log").write_text("")


def children(running: Running) -> list[int]:
    pid = running.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(("mode", "expected"), [("open", 200), ("closed", 503)])
def test_a_full_spool_fails_as_the_operator_chose(mode: str, expected: int, upstream: Scripted, tmp_path: Path) -> None:
    with gateway(upstream.url, tmp_path, f'spool_bytes = 60000\nfail = "{mode}"\n') as running:
        assert status(running.say(post(BODY))) == 200
        big = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 50_000}]}).encode()
        assert status(running.say(post(big))) == expected
        running.stop()
        assert "spool is full" in (tmp_path / "errors.log").read_text()
        (tmp_path / "errors.log").write_text("")


def test_wrong_settings_end_it_at_once(tmp_path: Path) -> None:
    for arguments, named in (
        ([], "no upstream"),
        (["--upstream", "nonsense"], "not a URL"),
        (["--upstream", "http://127.0.0.1:1", "--key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
        (["--settings", str(tmp_path / "none.toml")], "none.toml"),
    ):
        done = subprocess.run(
            [*COMMAND, "--data", str(tmp_path / "data"), "--port", "0", *arguments],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert named in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_so(upstream: Scripted, tmp_path: Path) -> None:
    with demo() as taken:
        done = subprocess.run(
            [*COMMAND, "--data", str(tmp_path), "--upstream", upstream.url, "--port", taken.rpartition(":")[2]],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "in use" in done.stderr
