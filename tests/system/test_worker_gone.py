"""The worker is not there: the gateway serves on, the oldest exchanges are kept, and a worker that comes takes them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from revenuer.gateway.dialects import Asked
from revenuer.gateway.gate import Gate
from revenuer.gateway.segment import Secret
from revenuer.store.embedded import EventStore
from revenuer.up import DataFolder, demonstration, free_port, listening, revenuer

LIMIT = 200_000


@contextmanager
def process(command: list[str], top: Path, port: int | None = None, said: Path | None = None) -> Iterator[None]:
    """A process for as long as the block lasts; once it listens on `port`."""
    environment = {**os.environ, "REVENUER_HOME": str(top / "home")}
    with ExitStack() as stack:
        errors = stack.enter_context(said.open("wb")) if said is not None else None
        started = subprocess.Popen(command, env=environment, stderr=errors)
        try:
            while port is not None and not listening("127.0.0.1", port):
                assert started.poll() is None
                time.sleep(0.05)
            yield
        finally:
            started.terminate()
            started.wait()


def stored(folder: DataFolder) -> set[str]:
    """Accounts of which there are exchanges in the store."""
    if not (folder.store / "state" / "manifest.sqlite").exists():
        return set()
    with EventStore.open(folder.store / "state", read_only=True) as store:
        return {row["account"] for batch in store.scan(columns=["account"]) for row in batch.to_pylist()}


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_full_spool(tmp_path: Path, fail: str) -> None:
    folder, upstream, port = DataFolder(tmp_path / "data"), free_port(), free_port()
    settings, said = tmp_path / "gateway.toml", tmp_path / "gateway.log"
    settings.write_text(
        f'spool_bytes = {LIMIT}\nfail = "{fail}"\ndata = "{folder.path}"\nport = {port}\n'
        f'[[upstreams]]\nurl = "http://127.0.0.1:{upstream}"\n'
    )

    def ask(number: int) -> int:
        body = {"messages": [{"role": "user", "content": f"{number} " + "word " * 1_000}], "max_tokens": 3}
        key = {"authorization": f"Bearer key-{number}"}
        return httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=key).status_code

    with (
        process(demonstration(upstream), tmp_path, upstream),
        process(revenuer("gateway", "--settings", str(settings)), tmp_path, port, said),
    ):
        codes = [ask(number) for number in range(80)]
        recorded = codes.index(503) if fail == "closed" else None
        assert set(codes) == ({200, 503} if fail == "closed" else {200})
        assert sum(path.stat().st_size for path in folder.spool.rglob("*") if path.is_file()) <= LIMIT
        with process(revenuer("worker", "--data", str(folder.path)), tmp_path):
            while not (kept := stored(folder)):
                time.sleep(0.1)
            gate = Gate(Secret.load(folder.path / "names.key").derive(b"names")[0])
            names = [gate.enter(f"key-{n}".encode(), Asked("openai.chat"), 0.0).account for n in range(81)]
            assert kept == set(names[: len(kept)]), "the oldest are kept"
            assert 10 < len(kept) < 80
            assert recorded in (None, len(kept))
            # There is room again: the gateway sees it within a second.
            while names[80] not in stored(folder):
                assert ask(80) in (200, 503)
                time.sleep(0.3)
    assert "exchanges are not recorded" in said.read_text()
