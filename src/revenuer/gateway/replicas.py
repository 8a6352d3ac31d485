"""One limit over several processes: each tells the others, in batches through Redis, what it let pass.

Every tenth of a second a process appends one message to a Redis stream and reads those of the others: one pipeline, off
the request path. What others let pass is charged to the local buckets, so all of them owe the sum. Between two
rounds each process is blind, which is why it holds a part of the burst only.

When Redis is gone (the first round that fails or takes longer than a quarter of a second), each process goes on alone
with its part of every limit: one part of as many as it last saw, or was told to expect where that is more. The
limits then hold on the whole, and a client that reaches one process only gets less than its due. A concurrency limit
smaller than the number of processes still lets one request run in each. What was let pass in the round that failed may
stay unknown to the others; when Redis is back, what passed meanwhile is not told, for it was within the parts.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from revenuer.gateway.limits import Limits, Scope, Share, Use

_log = logging.getLogger(__name__)
_MESSAGES = 4096
"""Kept in the stream, about: a hundred seconds of four processes. Messages older than a few rounds matter to nobody."""
_PATIENCE = 0.25
"""Seconds that a round may wait for Redis."""
_SILENT = 2.0
"""Seconds after which a process that says nothing counts as gone."""
_FULL_EVERY = 50
"""Rounds between messages that name all running requests, so that whoever joins, or missed one, is right again."""


class _Message(msgspec.Struct, frozen=True, array_like=True):
    by: str
    full: bool
    uses: list[Use]


class Replicas:
    """The exchange of one process. Set up, it holds its part of the limits; `run` goes on until it is cancelled."""

    def __init__(
        self,
        limits: Limits,
        url: str,
        *,
        expected: int = 1,
        stream: str = "revenuer:use",
        interval: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` of Redis (`redis://`, `rediss://`, `unix://`); `expected` processes where none were seen so far.

        `clock` is the one that `limits` is asked with; `interval` in seconds.

        Raises:
            ValueError: the URL is none that Redis has.
        """
        self._limits, self._clock = limits, clock
        self._stream, self._interval, self._expected = stream, interval, expected
        self._name = secrets.token_hex(8)
        self._redis = Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        self._last: str | None = None
        self._heard: dict[str, float] = {}
        self._running: dict[str, dict[tuple[Scope, str], int]] = {}
        self.connected = False
        self.seen = 1
        """Processes at the last round that succeeded, this one among them."""
        self.rounds = 0
        self.failures = 0
        """Rounds that failed."""
        self._alone()

    async def run(self) -> None:
        """Exchange until cancelled; Redis being away is said once, and again when it is back."""
        try:
            while True:
                began = self._clock()
                try:
                    await asyncio.wait_for(self.round(), 2 * _PATIENCE)
                except (RedisError, OSError, TimeoutError, msgspec.DecodeError) as error:
                    self._lost(error)
                await asyncio.sleep(max(0.01, self._interval - (self._clock() - began)))
        finally:
            await self._redis.aclose()

    async def round(self) -> None:
        """Tell once and hear once. Raises RedisError, OSError, msgspec.DecodeError."""
        full = self.rounds % _FULL_EVERY == 0 or self._last is None
        if self._last is None:
            newest = cast(list[tuple[bytes, object]], await self._redis.xrevrange(self._stream, count=1))
            self._last = newest[0][0].decode() if newest else "0-0"
            # What passed before belongs to the part that this process held by itself.
            self._limits.drain()
        message = _Message(self._name, full, self._uses(full))
        pipe = self._redis.pipeline(transaction=False)
        pipe.xadd(self._stream, {"m": msgspec.msgpack.encode(message)}, maxlen=_MESSAGES, approximate=True)
        pipe.xrange(self._stream, min=f"({self._last}")
        _, rows = await pipe.execute()
        now = self._clock()
        for row, fields in rows:
            self._last = row.decode()
            self._hear(msgspec.msgpack.decode(fields[b"m"], type=_Message), now)
        for name in [name for name, at in self._heard.items() if now - at > _SILENT]:
            del self._heard[name], self._running[name]
        self.rounds += 1
        self._together()

    def _uses(self, full: bool) -> list[Use]:
        uses = self._limits.drain()
        if full:
            told = {(use.scope, use.name) for use in uses}
            running = self._limits.running()
            uses += [Use(*at, 0, 0, 0, count) for at, count in running.items() if at not in told]
        return uses

    def _hear(self, message: _Message, now: float) -> None:
        if message.by == self._name:
            return
        self._heard[message.by] = now
        running = self._running.setdefault(message.by, {})
        if message.full:
            running.clear()
        for use in message.uses:
            self._limits.spend(use, now)
            if use.running:
                running[use.scope, use.name] = use.running
            else:
                running.pop((use.scope, use.name), None)

    def _together(self) -> None:
        self.seen = 1 + len(self._heard)
        total: dict[tuple[Scope, str], int] = {}
        for running in self._running.values():
            for at, count in running.items():
                total[at] = total.get(at, 0) + count
        self._limits.elsewhere(total)
        self._divide(Share(burst=self.seen))
        if not self.connected:
            self.connected = True
            _log.warning("limits are shared through Redis")

    def _lost(self, error: BaseException) -> None:
        self.failures += 1
        self._limits.drain()
        if self.connected or self.failures == 1:
            self._alone()
            # The text of a Redis error may hold the URL, and that a password.
            _log.error(
                "Redis does not answer (%s): going on alone with 1/%d of each limit",
                type(error).__name__,
                self._limits.share.rate,
            )

    def _alone(self) -> None:
        self.connected, self._last = False, None
        parts = max(self._expected, self.seen)
        self._heard.clear()
        self._running.clear()
        self._limits.elsewhere({})
        self._divide(Share(rate=parts, burst=parts))

    def _divide(self, share: Share) -> None:
        # The same object as long as nothing changes: the request path compares by identity.
        if self._limits.share != share:
            self._limits.share = share
