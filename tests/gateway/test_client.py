"""What clients can do to a connection: smuggle, flood, dawdle, vanish; against the running process."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.running import (
    KEY,
    PATIENCE,
    Running,
    everything,
    gateway,
    one_request,
    post,
    scripted,
    some,
    until,
)

from revenuer.gateway.client import LINGER

ANSWER = b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
TIGHT = """
[timeouts]
head = 1.0
body = 1.0
idle = 2.0
stalled = 2.0
[sizes]
head = 4096
headers = 20
body = 20000
connections = 40
"""


def canned(sock: socket.socket, request: bytes) -> None:
    """Answers with the request's own bytes behind a fixed head."""
    del request
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: secret/1.0\r\nX-Request-Id: up-1\r\n"
                 b"Content-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))  # fmt: skip


@pytest.fixture(scope="module")
def behind() -> Iterator[list[bytes]]:
    """Requests that reached the upstream of `running`."""
    with scripted(canned) as upstream:
        _URL.append(upstream.url)
        yield upstream.requests


_URL: list[str] = []


@pytest.fixture(scope="module")
def running(behind: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    del behind
    with gateway(_URL[-1], tmp_path_factory.mktemp("gateway"), TIGHT, key="sk-provider") as it:
        yield it


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def test_an_allowed_answer_is_unchanged_and_heads_are_cleaned(running: Running, behind: list[bytes]) -> None:
    headers = "User-Agent: test/1\r\nX-Forwarded-For: 9.9.9.9\r\nCookie: a=b\r\nAccept-Encoding: gzip\r\nX-Hop: 1\r\n"
    answer = running.say(post(BODY, headers=headers, close=False).replace(
        b"X-Hop: 1\r\n", b"X-Hop: 1\r\nConnection: close, X-Hop\r\nX-Stays: 1\r\n"))  # fmt: skip
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (status(answer), body) == (200, ANSWER)
    assert b"secret/1.0" not in head
    assert b"X-Request-Id: up-1" in head
    assert b"Connection: close" in head
    sent = behind[-1].lower()
    assert sent.endswith(BODY.lower())
    assert b"authorization: bearer sk-provider" in sent
    assert KEY.encode() not in sent
    for header in (b"x-forwarded-for", b"cookie", b"accept-encoding", b"x-hop", b"connection"):
        assert b"\r\n" + header + b":" not in sent
    assert b"\r\nuser-agent: test/1\r\n" in sent
    assert b"\r\nx-stays: 1\r\n" in sent


def test_one_connection_serves_many_requests_in_any_pieces(running: Running) -> None:
    with running.connect() as sock:
        for cut in (1, 40, 150, len(post(BODY)) - 1):
            request = post(BODY, close=False)
            sock.sendall(request[:cut])
            time.sleep(0.02)
            sock.sendall(request[cut:])
            assert some_answer(sock).endswith(ANSWER)


def some_answer(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(ANSWER):
        more = sock.recv(4096)
        assert more, data
        data += more
    return data


def test_chunked_requests_are_sent_on_with_their_length(running: Running, behind: list[bytes]) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert status(
        running.say(head, b"5\r\n" + BODY[:5] + b"\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY) - 5, BODY[5:]))
    )
    assert b"Content-Length: %d\r\n" % len(BODY) in behind[-1]
    assert behind[-1].endswith(BODY)


GET = "GET /v1/models HTTP/1.1\r\nHost: g\r\n"
SMUGGLED = {
    "length and chunked": post(BODY, headers="Transfer-Encoding: chunked\r\n"),
    "chunked and length": f"{GET}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n".encode(),
    "two lengths": post(BODY, headers="Content-Length: 3\r\n"),
    "a list of lengths": f"{GET}Content-Length: 3, 3\r\n\r\nabc".encode(),
    "signed length": f"{GET}Content-Length: +3\r\n\r\nabc".encode(),
    "hexadecimal length": f"{GET}Content-Length: 0x3\r\n\r\nabc".encode(),
    "other encoding": f"{GET}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".encode(),
    "encoding in disguise": f"{GET}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".encode(),
    "tab before the colon": f"{GET}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n".encode(),
    "space before the colon": f"{GET}Content-Length : 3\r\n\r\nabc".encode(),
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "two hosts": f"{GET}Host: h\r\n\r\n".encode(),
    "folded header": f"{GET}X: a\r\n b\r\n\r\n".encode(),
    "bare line feeds": b"GET /v1/models HTTP/1.1\nHost: g\n\n",
    "bare return in a value": f"{GET}X: a\rContent-Length: 3\r\n\r\n".encode(),
    "zero byte in a value": f"{GET}X: a\x00b\r\n\r\n".encode(),
    "zero byte in a name": f"{GET}X\x00: b\r\n\r\n".encode(),
    "space in the target": b"GET /v1/models HTTP/1.1 HTTP/1.1\r\nHost: g\r\n\r\n",
    "absolute target": b"GET http://g/v1/models HTTP/1.1\r\nHost: g\r\n\r\n",
    "dot segments": b"GET /v1/x/../models HTTP/1.1\r\nHost: g\r\n\r\n",
    "escaped dot segments": b"GET /v1/x/%2e%2e/models HTTP/1.1\r\nHost: g\r\n\r\n",
    "backslash": b"GET /v1\\models HTTP/1.1\r\nHost: g\r\n\r\n",
    "chunk size overflows": f"{GET}Transfer-Encoding: chunked\r\n\r\n{'f' * 17}\r\n".encode(),
    "chunk longer than it says": f"{GET}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n".encode(),
    "two keys": post(BODY, headers="X-Api-Key: another\r\n"),
    "other credentials": post(BODY).replace(b"Bearer", b"Basic"),
    "HTTP/1.0": b"GET /v1/models HTTP/1.0\r\nHost: g\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "upgrade": f"{GET}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n".encode(),
    "connect": b"CONNECT g:443 HTTP/1.1\r\nHost: g:443\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_two_servers_could_read_in_two_ways_goes_nowhere(name: str, running: Running, behind: list[bytes]) -> None:
    before = len(behind)
    with running.connect() as sock:
        sock.sendall(SMUGGLED[name])
        sock.shutdown(socket.SHUT_WR) if name == "TLS" else None
        answer = some(sock, 0.3) or everything(sock)
    assert status(answer) in (400, 401, 501, 505), answer
    assert len(behind) == before


def test_a_request_behind_a_request_is_not_served(running: Running, behind: list[bytes]) -> None:
    before = len(behind)
    answer = running.say(post(BODY, close=False) + post(BODY, path="/v1/secret"))
    assert status(answer) == 200
    assert answer.count(b"HTTP/1.1") == 1
    assert len(behind) == before + 1


@pytest.mark.parametrize(
    "path", ["/v1//chat/completions", "/v1/chat/completions/", "/V1/Chat/completions", "/v1/ch%61t/completions"]
)
def test_a_disguised_path_is_read_and_sent_on_in_plain(path: str, running: Running, behind: list[bytes]) -> None:
    assert status(running.say(post(BODY, path=path))) == 200
    assert behind[-1].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert status(running.say(post(b"{", path=path))) == 400


def test_unknown_paths_pass_with_the_provider_key(running: Running, behind: list[bytes]) -> None:
    assert status(running.say(post(b"anything", path="/v1/files?purpose=x"))) == 200
    assert behind[-1].startswith(b"POST /v1/files?purpose=x HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (post(BODY, headers="X: " + "a" * 5000 + "\r\n"), 431),
        (post(BODY, headers="X: a\r\n" * 30), 431),
        (post(BODY, path="/" + "a" * 6000), 431),
        (post(b" " * 20001), 413),
        (post(b"")[:-2].replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"\r\n"
         + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 6, 413),
        (post(b"\xff\xfe" + BODY), 400),
        (post(b'{"model":"\xff"}'), 400),
        (post(b'{"a":' * 3000 + b"1" + b"}" * 3000), 400),
        (post(b"[" * 15000), 400),
        (post(b'{"model":1}'), 400),
        (post(b'{"max_tokens":"5"}'), 400),
        (post(BODY, headers="Expect: tea\r\n"), 400),
    ],
)  # fmt: skip
def test_too_much_or_unreadable_is_said_so(request_: bytes, expected: int, running: Running) -> None:
    assert status(running.say(request_)) == expected


@pytest.mark.parametrize(
    "start", [b"POST /v1/chat/completions HTT", post(BODY)[:60], post(BODY)[:-5]], ids=["line", "head", "body"]
)
def test_who_dawdles_is_told_and_cut_off(start: bytes, running: Running) -> None:
    with running.connect() as sock:
        sock.sendall(start)
        assert status(everything(sock)) == 408


def test_an_idle_connection_is_closed_without_a_word(running: Running) -> None:
    with running.connect() as sock:
        assert everything(sock) == b""


def test_too_many_connections_are_told_to_come_back(running: Running) -> None:
    kept = [running.connect() for _ in range(41)]
    try:
        answer = everything(kept[-1])
        assert status(answer) == 503
        assert b"Retry-After: 1\r\n" in answer
    finally:
        for sock in kept:
            sock.close()
    until(lambda: status(running.say(post(BODY))) == 200)


@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda at, put: post(BODY)[:at] + put + post(BODY)[at + len(put) :],
            st.integers(0, len(post(BODY)) - 1),
            st.binary(min_size=1, max_size=4),
        ),
        st.builds(
            lambda name, value: post(BODY, headers=f"{name}: {value}\r\n"),
            st.sampled_from(["Transfer-Encoding", "Content-Length", "Connection", "Host", "Expect", "TE", "X"]),
            st.text(st.characters(max_codepoint=127), max_size=20),
        ),
    )
)
def test_no_bytes_bring_it_down(running: Running, data: bytes) -> None:
    with running.connect() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = everything(sock)
    assert answer == b"" or status(answer), answer
    assert running.process.poll() is None
    assert status(running.say(post(BODY))) == 200


def test_back_pressure_reaches_the_upstream(tmp_path: Path) -> None:
    sent = [0]
    total = 64 << 20

    def pour(sock: socket.socket, request: bytes) -> None:
        del request
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent[0] < total:
            sent[0] += sock.send(b"x" * 65536)

    with scripted(pour) as upstream, gateway(upstream.url, tmp_path) as running, running.connect() as sock:
        sock.sendall(post(BODY))
        until(lambda: sent[0] > 0)
        before = -1
        while before != sent[0]:
            before = sent[0]
            time.sleep(0.3)
        # What the sockets of three hops hold and the gateway's own bound; not the answer.
        assert before < total // 2
        resident = Path(f"/proc/{running.process.pid}/status").read_text()
        assert int(re.findall(r"VmRSS:\s+(\d+)", resident)[0]) < 120_000
        assert everything(sock).endswith(b"x" * 65536)
        assert sent[0] == total


def test_a_client_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    def pour(sock: socket.socket, request: bytes) -> None:
        del request
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with scripted(pour) as upstream, gateway(upstream.url, tmp_path, TIGHT) as running, running.connect() as sock:
        sock.sendall(post(BODY))
        assert upstream.gone.wait(PATIENCE)


def test_each_piece_of_a_stream_is_passed_on_at_once(tmp_path: Path) -> None:
    pieces = [b'data: {"n":%d}\n\n' % number for number in range(5)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with gateway(url, tmp_path) as running, running.connect() as sock:
            sock.sendall(post(BODY))
            upstream, _ = listening.accept()
            with upstream:
                one_request(upstream)
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                 b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
                got = b""
                for piece in pieces:
                    upstream.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                    # The next piece is not sent before this one has arrived.
                    while piece not in got:
                        more = sock.recv(4096)
                        assert more
                        got += more
                upstream.sendall(b"0\r\n\r\n")
                assert everything(sock).endswith(b"0\r\n\r\n")


def test_a_refused_upload_can_still_be_read(running: Running) -> None:
    assert LINGER > 0
    with running.connect() as sock:
        sock.sendall(post(b"")[:-2].replace(b"Content-Length: 0", b"Content-Length: 30000000") + b"\r\n")
        try:
            for _ in range(100):
                sock.sendall(b"x" * 65536)
        except ConnectionError:
            pytest.fail("cut off while sending")
        assert status(everything(sock)) == 413
