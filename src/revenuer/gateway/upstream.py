"""Connections to a model: kept alive, one request at a time on each, bytes passed on as they come.

A request is sent once. Where a connection breaks before the answer, the client is told: only it can know whether asking
a model twice is harmless.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import urlsplit

from revenuer.gateway.config import Timeouts, Upstream
from revenuer.gateway.errors import Dialect, Reason
from revenuer.gateway.http1 import MAX_ANSWER_HEAD, AnswerHead, Chunked, FramingError, answer_head

_BUFFER = 256 << 10


class Sink(Protocol):
    """Who takes an answer."""

    def upstream_ready(self, connection: Connection) -> None:
        """A connection for `Pool.acquire`."""

    def upstream_failed(self, reason: Reason) -> None:
        """No answer, or no more of it: the connection is gone."""

    def answer_begins(self, head: AnswerHead) -> bytes:
        """The head to send in place of the upstream's."""

    def answer_part(self, raw: bytes, payload: list[bytes], done: bool) -> None:
        """Bytes to send on, and the body in them without framing. After `done` the connection is another's."""


class Connection(asyncio.Protocol):
    """One connection to an upstream. `deadline`: loop time at which the pool gives it up."""

    __slots__ = ("_body", "_chunked", "_head", "_left", "_pool", "_to_head", "_transport", "deadline", "sink")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self.sink: Sink | None = None
        self.deadline = 0.0
        self._head = b""
        self._body = False
        self._chunked: Chunked | None = None
        self._left: int | None = None
        self._to_head = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_BUFFER)
        self.deadline = self._pool.now() + self._pool.timeouts.upstream_idle
        self._pool.connections.add(self)

    def send(self, request: bytes, sink: Sink, to_head: bool) -> None:
        """Send a whole request; what comes back goes to `sink`."""
        assert self._transport is not None
        self.sink = sink
        self._to_head = to_head
        self._head = b""
        self._body = False
        self.deadline = self._pool.now() + self._pool.timeouts.first_byte
        self._transport.write(request)

    def pause(self) -> None:
        """Take nothing more from upstream until `resume`: the client is slow."""
        if self._transport is not None:
            self._transport.pause_reading()
            self.deadline = float("inf")

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self.deadline = self._pool.now() + self._pool.timeouts.silence

    def abort(self) -> None:
        """Break it off: the client has gone, or the upstream talks nonsense. The sink hears nothing more."""
        self.sink = None
        if self._transport is not None:
            self._transport.abort()

    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def overdue(self) -> None:
        """Its time is up."""
        sink = self.sink
        self.abort()
        if sink is not None:
            sink.upstream_failed(Reason.UPSTREAM_TIMEOUT)

    def data_received(self, data: bytes) -> None:
        sink = self.sink
        if sink is None:
            # Nobody asked: a server that answers by itself is not to be trusted with the next request.
            self.abort()
            return
        try:
            if self._body:
                self.deadline = self._pool.now() + self._pool.timeouts.silence
                self._body_received(sink, b"", data)
            else:
                self._head_received(sink, data)
        except FramingError:
            self.abort()
            sink.upstream_failed(Reason.UPSTREAM_DOWN)

    def _head_received(self, sink: Sink, data: bytes) -> None:
        if self._head:
            data = self._head + data
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > MAX_ANSWER_HEAD:
                    raise FramingError("head too long")
                self._head = data
                return
            head = answer_head(data[:end], self._to_head)
            data = data[end + 4 :]
            if head.status >= 200:
                break
            if head.status == 101:
                raise FramingError("switched protocols unasked")
        self.deadline = self._pool.now() + self._pool.timeouts.silence
        self._body = True
        self._left = head.length
        self._chunked = Chunked() if head.chunked else None
        if head.close:
            self._pool.keep.discard(self)
        else:
            self._pool.keep.add(self)
        self._body_received(sink, sink.answer_begins(head), data)

    def _body_received(self, sink: Sink, before: bytes, data: bytes) -> None:
        done = False
        surplus = 0
        payload: list[bytes]
        if self._chunked is not None:
            payload = []
            if data:
                surplus = self._chunked.feed(data, payload)
                done = surplus >= 0
        else:
            payload = [data] if data else []
            if self._left is not None:
                self._left -= len(data)
                done = self._left <= 0
                surplus = -self._left
        if done and surplus > 0:
            raise FramingError("more bytes than the answer has")
        if done:
            self.sink = None
            self._pool.release(self)
        sink.answer_part(before + data if before else data, payload, done)

    def connection_lost(self, exc: Exception | None) -> None:
        pool = self._pool
        pool.connections.discard(self)
        pool.keep.discard(self)
        if self in pool.idle:
            pool.idle.remove(self)
        sink, self.sink = self.sink, None
        if sink is None:
            return
        if self._body and self._left is None and self._chunked is None and exc is None:
            sink.answer_part(b"", [], True)
        else:
            sink.upstream_failed(Reason.UPSTREAM_DOWN)


class Pool:
    """The connections of one upstream."""

    def __init__(self, upstream: Upstream, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        """Raises SettingsError where the provider's key cannot be had."""
        parts = urlsplit(upstream.url)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if secure else 80)
        self._tls = ssl.create_default_context(cafile=upstream.ca_file) if secure else None
        self._loop = loop
        self.timeouts = timeouts
        self.now: Callable[[], float] = loop.time
        self.dialects = upstream.dialects
        self.base = parts.path.rstrip("/").encode()
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.host = (host if parts.port is None else f"{host}:{parts.port}").encode(
            "idna" if not host.isascii() else "ascii"
        )
        key = upstream.key()
        self.credentials: dict[Dialect, bytes] | None = None
        if key is not None:
            self.credentials = {
                Dialect.OPENAI: b"Authorization: Bearer " + key + b"\r\n",
                Dialect.ANTHROPIC: b"X-Api-Key: " + key + b"\r\n",
            }
        self.idle: list[Connection] = []
        self.keep: set[Connection] = set()
        self.connections: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()

    def acquire(self, sink: Sink) -> None:
        """Give `sink` a connection, now or soon, or tell it that there is none."""
        while self.idle:
            # The one used last: the others can fall idle and go.
            connection = self.idle.pop()
            if not connection.closing():
                sink.upstream_ready(connection)
                return
        task = self._loop.create_task(self._open(sink))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, sink: Sink) -> None:
        try:
            async with asyncio.timeout(self.timeouts.connect):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self), self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            sink.upstream_failed(Reason.UPSTREAM_TIMEOUT)
        except (OSError, ssl.SSLError):
            sink.upstream_failed(Reason.UPSTREAM_DOWN)
        else:
            sink.upstream_ready(connection)

    def release(self, connection: Connection) -> None:
        """An answer is over: keep the connection for the next, if it can be kept."""
        if connection in self.keep and not connection.closing():
            connection.deadline = self.now() + self.timeouts.upstream_idle
            self.idle.append(connection)
        else:
            connection.abort()

    def spare(self, connection: Connection) -> None:
        """A fresh connection that nobody wants any more."""
        self.keep.add(connection)
        self.release(connection)

    def sweep(self, now: float) -> None:
        """Give up connections whose time is up."""
        for connection in [c for c in self.connections if c.deadline < now]:
            connection.overdue()

    def close(self) -> None:
        for task in self._opening:
            task.cancel()
        for connection in list(self.connections):
            connection.abort()
