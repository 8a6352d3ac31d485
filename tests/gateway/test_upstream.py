"""What upstreams can do to a connection; against the running process."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.gateway.running import PATIENCE, Scripted, everything, gateway, one_request, post, scripted
from tests.gateway.test_client import BODY, status

TIGHT = """
[timeouts]
first_byte = 1.0
silence = 1.0
connect = 1.0
upstream_idle = 1.0
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def saying(said: bytes, close: bool) -> Scripted:
    def answer(sock: socket.socket, request: bytes) -> None:
        del request
        sock.sendall(said)
        if close:
            sock.shutdown(socket.SHUT_RDWR)

    return Scripted(answer)


@pytest.mark.parametrize(
    ("answer", "close", "expected"),
    [
        (b"", True, 502),
        (b"nonsense\r\n\r\n", False, 502),
        (b"HTTP/1.1 200 OK\r\nContent-Le", True, 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", False, 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", False, 502),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, False, 502),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK, False, 200),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", True, 200),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops", False, 500),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", False, 302),
        (b"HTTP/1.1 200 OK\r\nX:", False, 504),
        (b"", False, 504),
    ],
)
def test_answers_of_all_kinds(answer: bytes, close: bool, expected: int, tmp_path: Path) -> None:
    upstream = saying(answer, close)
    try:
        with gateway(upstream.url, tmp_path, TIGHT) as running:
            said = running.say(post(BODY))
            assert status(said) == expected
            assert said.endswith(b"until the end") is (b"until the end" in answer)
            assert len(upstream.requests) == 1
    finally:
        upstream.close()


@pytest.mark.parametrize(
    ("answer", "close"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", False),
    ],
)
def test_half_an_answer_is_not_made_to_look_whole(answer: bytes, close: bool, tmp_path: Path) -> None:
    upstream = saying(answer, close)
    try:
        with gateway(upstream.url, tmp_path, TIGHT) as running:
            with running.connect() as sock:
                sock.sendall(post(BODY))
                said = everything(sock)
            assert b"half" in said
            assert not said.endswith(b"0\r\n\r\n")
            running.stop()
            assert [exchange.status for exchange in running.exchanges()] == [502]
    finally:
        upstream.close()


def test_connections_are_kept_and_given_up(tmp_path: Path) -> None:
    accepted: list[int] = []

    def answer(sock: socket.socket, request: bytes) -> None:
        del request
        accepted.append(sock.getpeername()[1])
        sock.sendall(OK)

    with scripted(answer) as upstream, gateway(upstream.url, tmp_path, TIGHT) as running:
        for _ in range(3):
            assert status(running.say(post(BODY))) == 200
        assert len(set(accepted)) == 1
        # Idle for longer than the upstream might keep it.
        assert upstream.gone.wait(PATIENCE)
        assert status(running.say(post(BODY))) == 200
        assert len(set(accepted)) == 2


def test_an_answer_that_nobody_asked_for_is_given_to_nobody(tmp_path: Path) -> None:
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    def answer(sock: socket.socket, request: bytes) -> None:
        del request
        sock.sendall(OK)
        time.sleep(0.1)
        sock.sendall(poison)

    with scripted(answer) as upstream, gateway(upstream.url, tmp_path, TIGHT) as running:
        for _ in range(4):
            said = running.say(post(BODY))
            assert status(said) == 200
            assert b"poison" not in said
            time.sleep(0.2)
    with scripted(lambda sock, _: sock.sendall(OK + poison)) as upstream, gateway(upstream.url, tmp_path) as running:
        assert b"poison" not in running.say(post(BODY))


def test_upstreams_behind_tls_are_checked(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                    with context.wrap_socket(plain, server_side=True) as sock:
                        one_request(sock)
                        sock.sendall(OK)
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://localhost:{port}"
        with gateway(url, tmp_path / "trusting", trust=certificate) as running:
            assert status(running.say(post(BODY))) == 200
        with gateway(url, tmp_path / "wary") as running:
            assert status(running.say(post(BODY))) == 502
        listening.shutdown(socket.SHUT_RDWR)
