"""A gateway as a process of its own, and upstreams to put behind it."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from revenuer.gateway.drain import drain
from revenuer.gateway.spool import Secret
from revenuer.records import Exchange
from revenuer.up import demonstration, free_port, listening

COMMAND = [sys.executable, "-c", "from revenuer.cli import main; main()", "gateway"]
PATIENCE = 30.0
KEY = "sk-client-secret"


class Running:
    """A gateway under test."""

    def __init__(self, process: subprocess.Popen[str], port: int, data: Path) -> None:
        self.process, self.port, self.data = process, port, data
        self.url = f"http://127.0.0.1:{port}"

    def connect(self) -> socket.socket:
        """A plain connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def say(self, *pieces: bytes) -> bytes:
        """Send bytes as they are, and take what comes until the other end closes."""
        with self.connect() as sock:
            for piece in pieces:
                sock.sendall(piece)
            return everything(sock)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def exchanges(self) -> list[Exchange]:
        """What it has written down; to be asked once it has stopped."""
        found: list[Exchange] = []
        drain(self.data / "spool", Secret.load(self.data / "spool.key"), found.extend)
        return found


@contextmanager
def gateway(
    upstream: str, data: Path, more: str = "", *arguments: str, key: str = "", trust: Path | None = None
) -> Iterator[Running]:
    """A gateway before `upstream`; `more` is TOML, `key` the provider's."""
    data.mkdir(parents=True, exist_ok=True)
    file = data / "gateway.toml"
    secret = 'key_env = "PROVIDER_KEY"\n' if key else ""
    if trust is not None:
        secret += f'ca_file = "{trust}"\n'
    file.write_text(f'data = "{data}"\nport = 0\n{more}\n[[upstreams]]\nurl = "{upstream}"\n{secret}')
    environment = {**os.environ, "PROVIDER_KEY": key} if key else dict(os.environ)
    with (data / "errors.log").open("w") as errors:
        process = subprocess.Popen(
            [*COMMAND, "--settings", str(file), *arguments], stdout=subprocess.PIPE, stderr=errors, text=True,
            env=environment,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r":(\d+)$", line.strip())
        assert found, (line, (data / "errors.log").read_text())
        yield Running(process, int(found[1]), data)
        assert process.poll() in (None, 0), (data / "errors.log").read_text()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)
        process.stdout.close()
    assert (data / "errors.log").read_text() == ""


@contextmanager
def demo() -> Iterator[str]:
    """The demonstration upstream; its URL."""
    port = free_port()
    process = subprocess.Popen(demonstration(port))
    try:
        until(lambda: listening("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


class Scripted:
    """An upstream that does to each connection what it is told, and remembers the requests."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None]) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.gone = threading.Event()
        """The gateway has broken off a connection."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                while request := one_request(sock):
                    self.requests.append(request)
                    self._answer(sock, request)
            except OSError:
                pass
            self.gone.set()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def scripted(answer: Callable[[socket.socket, bytes], None]) -> Iterator[Scripted]:
    server = Scripted(answer)
    try:
        yield server
    finally:
        server.close()


def one_request(sock: socket.socket) -> bytes:
    """A request with its body, by Content-Length; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: *(\d+)", head)
    while found and len(body) < int(found[1]):
        more = sock.recv(65536)
        if not more:
            return b""
        body += more
    return head + b"\r\n\r\n" + body


def everything(sock: socket.socket) -> bytes:
    """All that comes until the other end closes, however it does."""
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
    except ConnectionError:
        pass
    return data


def some(sock: socket.socket, seconds: float) -> bytes:
    """What comes within so many seconds."""
    data = b""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


def post(body: bytes, path: str = "/v1/chat/completions", headers: str = "", close: bool = True) -> bytes:
    """A request as bytes."""
    end = "Connection: close\r\n" if close else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n"
        f"{end}{headers}\r\n"
    ).encode() + body


def until(true: Callable[[], bool]) -> None:
    """Wait for it, and fail where it never comes."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
