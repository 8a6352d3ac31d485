"""One object for each connection of a client: no task and no line of log per request.

A request is read whole (within limits), admitted, written down, and sent on; its answer goes to the client as it comes,
held back where the client is slow, broken off upstream where the client goes.
"""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING, cast

import httptools

from revenuer.gateway.config import FailMode, UnknownPaths
from revenuer.gateway.dialects import Asked, BodyError, Endpoint, PathError, asked, dialect_of, edit, find
from revenuer.gateway.errors import Dialect, Reason, error_body
from revenuer.gateway.gate import Passage, reference
from revenuer.gateway.headers import CallerError, Kind, without
from revenuer.gateway.http1 import SECRETS, AnswerHead, plain_answer, request_fault
from revenuer.gateway.spool import Begun, Ended, Media
from revenuer.gateway.sse import Answer
from revenuer.gateway.upstream import Connection

if TYPE_CHECKING:
    from revenuer.gateway.server import Server

LINGER = 2.0
"""Seconds for which a client that was refused in the middle of its request may go on sending into the void."""
_DISCARD = 64 << 20
_HIGH_WATER = 256 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_GONE = 499


class Phase(Enum):
    """Where a client's connection is."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    BUSY = 3
    """A whole request is being served."""
    CLOSING = 4
    """Answered for the last time; what still comes is thrown away."""


class Counters:
    """Of one process since it began; for metrics."""

    __slots__ = ("broken", "gone", "recorded_not", "refused", "requests", "served")

    def __init__(self) -> None:
        self.requests = self.served = self.gone = self.broken = self.recorded_not = 0
        self.refused: dict[Reason, int] = dict.fromkeys(Reason, 0)


class Client(asyncio.Protocol):
    """One connection of a client."""

    __slots__ = (
        "_answer", "_body", "_body_size", "_close", "_delay", "_endpoint", "_fault", "_head_size", "_headers", "_ip",
        "_method", "_overrun", "_parser", "_passage", "_paused", "_pool", "_raw", "_record", "_request", "_server",
        "_special", "_started", "_status", "_transport", "_upstream", "_url", "_waiting", "deadline", "phase",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self.phase = Phase.IDLE
        self._overrun = 0
        self._paused = False
        self._waiting = 0
        self._upstream: Connection | None = None
        self._delay: asyncio.TimerHandle | None = None
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._method = b""
        self._raw: list[tuple[bytes, bytes]] = []
        self._headers: list[bytes] = []
        self._special: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._body: list[bytes] = []
        self._body_size = 0
        self._fault: tuple[Reason, str | None] | None = None
        self._endpoint: Endpoint | None = None
        self._passage: Passage | None = None
        self._record: str | None = None
        self._answer: Answer | None = None
        self._status = 0
        self._close = False

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self._ip = peer[0] if isinstance(peer, tuple) and peer else None
        server = self._server
        self.deadline = server.now() + server.settings.timeouts.idle
        server.clients.add(self)
        if len(server.clients) > server.settings.sizes.connections or server.draining:
            self._refuse(Reason.UNAVAILABLE, retry_after=1.0)

    def data_received(self, data: bytes) -> None:
        if self._overrun:
            self._overrun += len(data)
            if self._overrun > _DISCARD:
                self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fault = (Reason.NOT_SUPPORTED, "Switching protocols is not supported here.")
        except httptools.HttpParserError:
            if self.phase is Phase.BUSY:
                # Rubbish behind a good request, which is still served.
                self._overrun = 1
            elif self._fault is None:
                self._fault = (Reason.BAD_REQUEST, "This is not HTTP/1.1.")
        if self._fault is None and self.phase is Phase.HEAD:
            self._head_size += len(data)
            if self._head_size > 2 * self._server.settings.sizes.head:
                self._fault = (Reason.HEADERS_TOO_LARGE, None)
        if self._fault is not None and self.phase is not Phase.CLOSING:
            self._refuse(*self._fault)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        server = self._server
        server.clients.discard(self)
        if self._delay is not None:
            self._delay.cancel()
        if self.phase is Phase.BUSY:
            upstream, self._upstream = self._upstream, None
            if upstream is not None:
                upstream.abort()
            server.counters.gone += 1
            self._over(_GONE)
        self.phase = Phase.CLOSING
        # The parser refers back here; without this the pair would wait for the garbage collector.
        del self._parser

    def pause_writing(self) -> None:
        self._paused = True
        self._waiting = self._transport.get_write_buffer_size()
        self.deadline = self._server.now() + self._server.settings.timeouts.stalled
        if self._upstream is not None:
            self._upstream.pause()

    def resume_writing(self) -> None:
        self._paused = False
        now = self._server.now()
        self.deadline = float("inf") if self.phase is Phase.BUSY else now + self._server.settings.timeouts.idle
        if self._upstream is not None:
            self._upstream.resume()

    def check(self, now: float) -> None:
        """Once a second: is its time up?"""
        if self._paused:
            waiting = self._transport.get_write_buffer_size()
            if waiting < self._waiting:
                self._waiting = waiting
                self.deadline = now + self._server.settings.timeouts.stalled
        if now < self.deadline:
            return
        if self.phase in (Phase.HEAD, Phase.BODY):
            self._refuse(Reason.TIMEOUT)
        else:
            self._transport.abort()

    def retire(self) -> None:
        """The server is stopping: go now, or after this answer."""
        if self.phase is Phase.IDLE:
            self._transport.close()
        self._close = True

    # The parser's side.

    def on_message_begin(self) -> None:
        if self.phase is not Phase.IDLE:
            # A second request before the first is answered: clients of these APIs never do that, smugglers do.
            self._overrun = 1
            return
        self._reset()
        self.phase = Phase.HEAD
        self.deadline = self._server.now() + self._server.settings.timeouts.head

    def on_url(self, url: bytes) -> None:
        if not self._overrun:
            self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase is Phase.HEAD:
            self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        if self._overrun or self.phase is not Phase.HEAD:
            return
        self.phase = Phase.BODY
        server = self._server
        self.deadline = server.now() + server.settings.timeouts.body
        parser = self._parser
        self._method = parser.get_method()
        special, headers = self._special, self._headers
        known, size = server.kinds.known, len(self._url)
        for item in self._raw:
            name, value = item
            size += len(name) + len(value) + 4
            kind = known.get(name) or server.kinds.learn(name)
            if kind is not Kind.FORWARDED:
                special.append((name.lower(), value))
            if kind is not Kind.SPECIAL:
                headers += (name, b": ", value, b"\r\n")
        limits = server.settings.sizes
        if size > limits.head or len(self._raw) > limits.headers:
            self._fault = (Reason.HEADERS_TOO_LARGE, None)
            return
        wrong = request_fault(special)
        if wrong is not None:
            self._fault = (Reason.BAD_REQUEST, wrong)
            return
        if parser.get_http_version() != "1.1":
            self._fault = (Reason.HTTP_VERSION, None)
        elif self._method == b"CONNECT" or parser.should_upgrade():
            self._fault = (Reason.NOT_SUPPORTED, "Switching protocols is not supported here.")
        else:
            self._close = not parser.should_keep_alive() or server.draining
            for name, value in self._special:
                if name == b"content-length" and int(value) > server.settings.sizes.body:
                    self._fault = (Reason.TOO_LARGE, None)
                    return
            for name, value in self._special:
                if name == b"expect":
                    if value.lower() == b"100-continue":
                        self._transport.write(_CONTINUE)
                    else:
                        self._fault = (Reason.BAD_REQUEST, "Nothing but 100-continue can be expected here.")

    def on_body(self, data: bytes) -> None:
        if self._overrun or self._fault is not None or self.phase is not Phase.BODY:
            return
        self._body_size += len(data)
        if self._body_size > self._server.settings.sizes.body:
            self._fault = (Reason.TOO_LARGE, None)
            self._body.clear()
            return
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._overrun or self._fault is not None or self.phase is not Phase.BODY:
            return
        self.phase = Phase.BUSY
        self.deadline = float("inf")
        self._serve()

    # Serving.

    def _serve(self) -> None:
        server = self._server
        settings = server.settings
        server.counters.requests += 1
        now = self._started = server.now()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        try:
            caller = server.kinds.caller(self._special)
        except CallerError as error:
            self._refuse(error.reason, error.message)
            return
        path, mark, query = self._url.partition(b"?")
        try:
            endpoint, path = find(path)
        except PathError:
            self._refuse(Reason.BAD_REQUEST, "The path is not in its plain form.")
            return
        self._endpoint = endpoint
        if endpoint is None and settings.unknown_paths is UnknownPaths.REFUSE:
            self._refuse(Reason.UNKNOWN_PATH)
            return
        try:
            wanted = asked(endpoint, body) if endpoint is not None else Asked(path.decode("latin-1"))
        except BodyError as error:
            self._refuse(Reason.BAD_REQUEST, str(error))
            return
        passage = self._passage = server.gate.enter(caller.secret, wanted, now)
        records = server.spool is not None and (endpoint.records if endpoint is not None else bool(body))
        begun: Begun | None = None
        if records:
            assert server.spool is not None
            begun = Begun(
                server.spool.next_id(), time.time(), passage.account, wanted.endpoint, body, passage.key,
                caller.ip or self._ip, caller.agent, caller.ja4, passage.org,
            )  # fmt: skip
        if passage.reason is not None:
            self._refuse(passage.reason, passage.message, passage.retry_after, begun)
            return
        if passage.edits is not None:
            if endpoint is None:
                self._refuse(Reason.REFUSED, "This path is not open to this account at present.", None, begun)
                return
            try:
                body = edit(endpoint, body, passage.edits) if body else body
            except BodyError as error:
                self._refuse(Reason.BAD_REQUEST, str(error), None, begun)
                return
        if begun is not None and server.spool is not None:
            if server.spool.begin(begun):
                self._record = begun.id
            else:
                server.counters.recorded_not += 1
                if settings.fail is FailMode.CLOSED:
                    self._refuse(Reason.UNAVAILABLE, retry_after=5.0)
                    return
        dialect = endpoint.dialect if endpoint is not None else self._dialect()
        pool = server.pools.get(dialect)
        if pool is None:
            self._refuse(Reason.UNKNOWN_PATH)
            return
        headers = b"".join(self._headers)
        if not 4 * headers.count(b"\n") == 4 * headers.count(b"\r") == len(self._headers):
            self._refuse(Reason.BAD_REQUEST, "A header goes over several lines.")
            return
        if caller.connection and caller.connection.lower() not in (b"keep-alive", b"close"):
            headers = without(self._headers, caller.connection)
        if pool.credentials is not None:
            key = pool.credentials[dialect]
        elif settings.keys is not None:
            # Clients' keys are ours: no upstream gets to see them.
            key = b""
        else:
            key = b"".join(b"%b: %b\r\n" % item for item in self._special if item[0] in SECRETS)
        length = b"Content-Length: %d\r\n" % len(body) if body or self._method in (b"POST", b"PUT", b"PATCH") else b""
        self._request = b"".join(
            (self._method, b" ", pool.base, path, mark, query, b" HTTP/1.1\r\nHost: ", pool.host, b"\r\n", key, length,
             headers, b"\r\n", body)
        )  # fmt: skip
        self._pool = pool
        if passage.delay > 0:
            self._delay = server.loop.call_later(passage.delay, self._forward)
        else:
            self._forward()

    def _forward(self) -> None:
        self._delay = None
        self._pool.acquire(self)

    def _dialect(self) -> Dialect:
        return dialect_of(self._url, any(name == b"anthropic-version" for name, _ in self._special))

    def upstream_ready(self, connection: Connection) -> None:
        if self.phase is not Phase.BUSY:
            self._pool.spare(connection)
            return
        self._upstream = connection
        request, self._request = self._request, b""
        connection.send(request, self, self._method == b"HEAD")
        if self._paused:
            connection.pause()

    def upstream_failed(self, reason: Reason) -> None:
        self._upstream = None
        if self.phase is not Phase.BUSY:
            return
        self._server.counters.broken += 1
        if self._answer is None:
            self._refuse(reason)
        else:
            # Half an answer is out: only a broken connection tells the client.
            self._over(502)
            self.phase = Phase.CLOSING
            self._transport.abort()

    def answer_begins(self, head: AnswerHead) -> bytes:
        self._status = head.status
        self._answer = Answer(head.media)
        if head.length is None and not head.chunked:
            self._close = True
        return head.lines + (b"\r\nConnection: close\r\n\r\n" if self._close or self._overrun else b"\r\n\r\n")

    def answer_part(self, raw: bytes, payload: list[bytes], done: bool) -> None:
        answer = self._answer
        assert answer is not None
        for piece in payload:
            answer.feed(piece)
        if not done:
            self._transport.write(raw)
            return
        self._upstream = None
        self._server.counters.served += 1
        self._over(self._status)
        self.phase = Phase.IDLE
        self.deadline = self._server.now() + self._server.settings.timeouts.idle
        if raw:
            self._transport.write(raw)
        if self._close or self._overrun:
            self._finish()

    def _over(self, status: int) -> None:
        """The exchange is over: write it down and settle what it used. Before its last bytes go to the client."""
        server = self._server
        answer, passage = self._answer, self._passage
        now = server.now()
        stated = answer.usage() if answer is not None else None
        if self._record is not None:
            assert server.spool is not None
            record = self._record
            self._record = None
            latency = (now - self._started) * 1000.0
            if answer is None or stated is None:
                server.spool.end(Ended(record, status, latency))
            else:
                server.spool.end(
                    Ended(record, status, latency, answer.media, answer.kept(), stated.prompt_tokens,
                          stated.completion_tokens, stated.reasoning_tokens, stated.cached_tokens)
                )  # fmt: skip
        if passage is not None:
            self._passage = None
            tokens = 0
            if answer is not None and stated is not None and self._status < 400:
                tokens = answer.tokens() if stated.completion_tokens is None else stated.completion_tokens
            server.gate.leave(passage, stated.prompt_tokens if stated is not None else None, tokens, now)

    def _refuse(
        self, reason: Reason, message: str | None = None, retry_after: float | None = None, begun: Begun | None = None
    ) -> None:
        """Answer here, with an error, and write that down where the request was whole."""
        server = self._server
        server.counters.refused[reason] += 1
        dialect = self._endpoint.dialect if self._endpoint is not None else self._dialect()
        quoted = self._record or (begun.id if begun is not None else reference())
        if self._passage is not None and self._passage.reference:
            quoted = self._passage.reference
        appeal = server.settings.appeal_url
        status, body = error_body(dialect, reason, message, quoted, appeal, retry_after)
        if begun is not None and self._record is None and server.spool is not None:
            server.spool.whole(
                begun, Ended(begun.id, status, (server.now() - self._started) * 1000.0, Media.JSON, body)
            )
        if self.phase is Phase.BUSY:
            self._over(status)
        whole = self.phase is Phase.BUSY and not self._overrun
        headers = b"Request-Id: %b\r\nX-Request-Id: %b\r\n" % (quoted.encode(), quoted.encode())
        if retry_after is not None:
            headers += b"Retry-After: %d\r\n" % max(1, -int(-retry_after // 1))
        close = self._close or not whole or server.draining
        self.phase = Phase.IDLE
        self.deadline = server.now() + server.settings.timeouts.idle
        self._transport.write(plain_answer(status, b"" if self._method == b"HEAD" else body, close, headers))
        if close:
            self._finish()

    def _finish(self) -> None:
        """Close in a way that lets the client read the answer, even while it is still sending."""
        self.phase = Phase.CLOSING
        self._overrun = self._overrun or 1
        self.deadline = self._server.now() + LINGER
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
