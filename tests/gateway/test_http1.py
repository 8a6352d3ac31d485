"""Heads and framing of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.gateway.http1 import Chunked, FramingError, answer_head, plain_answer, request_fault
from revenuer.gateway.spool import Media


def test_a_head_keeps_what_is_the_clients_and_drops_what_tells_of_the_installation() -> None:
    head = answer_head(
        b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/event-stream; charset=utf-8\r\nx-request-id: 7\r\n"
        b"Connection: keep-alive, X-Private\r\nX-Private: 1\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b"
    )
    assert head.lines == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nx-request-id: 7\r\n"
        b"Transfer-Encoding: chunked"
    )
    assert (head.status, head.length, head.chunked, head.close, head.media) == (200, None, True, False, Media.SSE)


@pytest.mark.parametrize(
    ("head", "to_head", "length", "close"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12", False, 12, False),
        (b"HTTP/1.1 200\r\nContent-Length: 12\r\nContent-Length: 12", False, 12, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12", True, 0, False),
        (b"HTTP/1.1 204 No Content", False, 0, False),
        (b"HTTP/1.0 200 OK", False, None, True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close", False, None, True),
    ],
)
def test_how_a_body_ends(head: bytes, to_head: bool, length: int | None, close: bool) -> None:
    read = answer_head(head, to_head)
    assert (read.length, read.close) == (length, close)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\n folded: x",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
    ],
)
def test_what_is_no_head(head: bytes) -> None:
    with pytest.raises(FramingError):
        answer_head(head)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.data(), st.binary(max_size=5))
def test_chunks_are_found_however_they_are_cut(payload: list[bytes], data: st.DataObject, after: bytes) -> None:
    body = b"".join(b"%X;x=y\r\n%b\r\n" % (len(piece), piece) for piece in payload) + b"0\r\nTrailer: z\r\n\r\n"
    wire = body + after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body) - 1), max_size=8)))
    walker = Chunked()
    pieces: list[bytes] = []
    ends = [walker.feed(wire[a:b], pieces) for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert ends == [-1] * len(cuts) + [len(after)]
    assert b"".join(pieces) == b"".join(payload)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_a_chunked_body_or_an_error(wire: bytes, cut: int) -> None:
    def walk(*parts: bytes) -> tuple[str, bytes]:
        walker, pieces = Chunked(), list[bytes]()
        try:
            for part in parts:
                if walker.feed(part, pieces) >= 0:
                    return "done", b"".join(pieces)
        except FramingError:
            return "error", b""
        return "more", b"".join(pieces)

    assert walk(wire) == walk(wire[:cut], wire[cut:])


@pytest.mark.parametrize("wire", [b"\r\n", b"g\r\n", b"-1\r\n", b"1\r\nab", b"0x1\r\na\r\n", b" 1\r\n", b"1" * 5000])
def test_what_is_no_chunk(wire: bytes) -> None:
    with pytest.raises(FramingError):
        Chunked().feed(wire + b"\r\n", [])


def test_what_is_wrong_with_a_requests_framing() -> None:
    host = (b"host", b"g")
    assert request_fault([host]) is None
    assert request_fault([host, (b"content-length", b"3")]) is None
    assert request_fault([host, (b"transfer-encoding", b"Chunked")]) is None
    for wrong in (
        [],
        [host, host],
        [host, (b"content-length", b"3"), (b"content-length", b"3")],
        [host, (b"content-length", b"3"), (b"transfer-encoding", b"chunked")],
        [host, (b"transfer-encoding", b"identity")],
        [host, (b"content-length", b"3 ")],
    ):
        assert request_fault(wrong)


def test_an_answer_of_our_own_is_whole() -> None:
    assert plain_answer(429, b"{}", True, b"Retry-After: 1\r\n") == (
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 2\r\nRetry-After: 1\r\n"
        b"Connection: close\r\n\r\n{}"
    )
