"""`revenuer up` as a user starts it: answers come through, processes are killed, nothing that was answered is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from revenuer.gateway.dialects import Asked
from revenuer.gateway.gate import Gate
from revenuer.gateway.segment import Secret
from revenuer.store.embedded import EventStore
from revenuer.up import DataFolder, free_port

QUESTION = "What does the revenue officer look for?"


class Running:
    """A `revenuer up` with its own data folder and the demonstration upstream."""

    def __init__(self, top: Path) -> None:
        self.folder = DataFolder(top / "data")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-c", "from revenuer.cli import main; main()", "up"]
        command += ["--port", str(self.port), "--data", str(self.folder.path)]
        environment = {**os.environ, "REVENUER_HOME": str(top / "home")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert self.process.stdout is not None
        while "Stop with Ctrl-C" not in (line := self.process.stdout.readline()):
            assert line, f"ended with status {self.process.wait()}"

    def child(self, name: str) -> int:
        """Process id of the gateway or the worker; waits until there is one."""
        while True:
            for text in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                words = Path(f"/proc/{text}/cmdline").read_bytes().split(b"\0")
                if name.encode() in words:
                    return int(text)
            time.sleep(0.05)

    def stop(self) -> int:
        """Stop it as a service manager would; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()
        return self.process.returncode

    def stored(self) -> list[tuple[str, int]]:
        """Account and status of each row of the store."""
        with EventStore.open(self.folder.store / "state", read_only=True) as store:
            batches = list(store.scan(columns=["account", "status"]))
        return [(row["account"], row["status"]) for batch in batches for row in batch.to_pylist()]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path)
    yield started
    started.stop()


def account_of(folder: DataFolder, key: str) -> str:
    """The account of a key that the gateway does not know."""
    names = Secret.load(folder.path / "names.key").derive(b"names")[0]
    return Gate(names).enter(key.encode(), Asked("openai.chat"), 0.0).account


def test_an_answer_comes_through_and_is_stored(running: Running) -> None:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="client-key", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said.endswith(QUESTION)
    assert running.stop() == 0
    ((account, status),) = running.stored()
    assert account == account_of(running.folder, "client-key")
    # The SDK hangs up at the stream's last event, which may be before the end of the answer's framing: client gone.
    assert status in (200, 499)
    assert list(running.folder.spool.iterdir()) == []
    for path in running.folder.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert QUESTION.encode() not in data
            assert b"client-key" not in data


def test_a_worker_with_another_key_says_so_and_ends(running: Running, tmp_path: Path) -> None:
    httpx.post(f"{running.url}/v1/chat/completions", json={"messages": [{"role": "user", "content": QUESTION}]})
    children = [running.child(name) for name in ("worker", "gateway")]
    # Held, so that it starts nothing again, and then killed with all the others.
    os.kill(running.process.pid, signal.SIGSTOP)
    for process in (*children, running.process.pid):
        os.kill(process, signal.SIGKILL)
    running.process.communicate()
    key = running.folder.spool_key
    key.write_text("0" * 64)
    command = [sys.executable, "-c", "from revenuer.cli import main; main()", "worker"]
    environment = {**os.environ, "REVENUER_HOME": str(tmp_path / "home")}
    while True:
        done = subprocess.run(
            [*command, "--data", str(running.folder.path)], env=environment, capture_output=True, text=True, check=False
        )
        if "is being written by process" not in done.stderr:
            break
        time.sleep(0.1)
    assert done.returncode == 2
    assert "was written under another key than that in" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(running.folder.spool.glob("*/*.open"))


@pytest.mark.slow
def test_gateway_and_worker_are_killed_while_clients_ask(running: Running) -> None:
    """Each request has a key, and so an account, of its own: an account with two rows would be an exchange twice."""
    answered: list[str] = []
    asked = 0
    over = threading.Event()
    lock = threading.Lock()

    def ask(number: int) -> None:
        nonlocal asked
        for round in range(1_000_000):
            if over.is_set():
                return
            key = f"key-{number}-{round}"
            with lock:
                asked += 1
            try:
                answer = httpx.post(
                    f"{running.url}/v1/chat/completions",
                    json={"model": "m", "messages": [{"role": "user", "content": QUESTION}], "stream": round % 2 == 0},
                    headers={"authorization": f"Bearer {key}"},
                )
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                with lock:
                    answered.append(key)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    chance = random.Random(5)

    def thirty_more() -> None:
        wanted = len(answered) + 30
        for _ in range(6_000):
            if len(answered) >= wanted:
                return
            time.sleep(0.02)
        over.set()
        pytest.fail("the gateway does not answer")

    for _ in range(3):
        thirty_more()
        time.sleep(chance.random() * 0.3)
        os.kill(running.child("gateway"), signal.SIGKILL)
        os.kill(running.child("worker"), signal.SIGKILL)
    thirty_more()
    running.child("worker")
    over.set()
    for thread in threads:
        thread.join()
    assert running.stop() == 0
    rows = running.stored()
    counts = Counter(account for account, _ in rows)
    names = {account_of(running.folder, key) for key in answered}
    assert max(counts.values()) == 1
    assert names <= {account for account, status in rows if status == 200}
    assert len(rows) <= asked
    assert list(running.folder.spool.iterdir()) == []
