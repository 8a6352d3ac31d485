"""One process of the gateway, and several of them side by side."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec
import uvloop

from revenuer.gateway.admit import Admission
from revenuer.gateway.client import Client, Counters, Phase
from revenuer.gateway.config import GatewaySettings
from revenuer.gateway.errors import Dialect
from revenuer.gateway.gate import Gate
from revenuer.gateway.headers import Kinds
from revenuer.gateway.spool import Spool, SpoolError
from revenuer.gateway.upstream import Pool
from revenuer.settings import SettingsError

_log = logging.getLogger(__name__)
_RESTART_SECONDS = 1.0
_WRONG = 2
"""Exit status where starting again is no use."""


class Server:
    """One process of the gateway. `gate` and `spool` are closed by `stop`."""

    def __init__(
        self, settings: GatewaySettings, gate: Gate, spool: Spool | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Raises SettingsError where a provider's key cannot be had."""
        self.settings, self.gate, self.spool, self.loop = settings, gate, spool, loop
        self.now = loop.time
        self.clients: set[Client] = set()
        self.counters = Counters()
        self.draining = False
        self.kinds = Kinds(settings.client_ip_header, settings.ja4_header)
        self.pools: dict[Dialect, Pool] = {}
        self._all: list[Pool] = []
        for upstream in settings.upstreams:
            pool = Pool(upstream, settings.timeouts, loop)
            self._all.append(pool)
            for dialect in upstream.dialects:
                self.pools.setdefault(dialect, pool)
        self._listening: asyncio.Server | None = None
        self._beat: asyncio.TimerHandle | None = None

    async def start(self, *, reuse_port: bool = False) -> int:
        """Listen; returns the port."""
        settings = self.settings
        self._listening = await self.loop.create_server(
            lambda: Client(self), settings.host, settings.port, reuse_port=reuse_port, backlog=1024
        )
        self._tick()
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    def _tick(self) -> None:
        self._beat = self.loop.call_later(1.0, self._tick)
        now = self.now()
        for client in [c for c in self.clients if c.deadline < now or c.phase is Phase.BUSY]:
            client.check(now)
        for pool in self._all:
            pool.sweep(now)
        self.gate.tick(now)
        if self.spool is not None:
            self.spool.tick()

    async def stop(self) -> None:
        """Take nothing new, finish what is under way for at most `timeouts.drain` seconds, and let go of everything."""
        self.draining = True
        if self._listening is not None:
            self._listening.close()
        for client in list(self.clients):
            client.retire()
        limit = self.now() + self.settings.timeouts.drain
        while self.clients and self.now() < limit:
            await asyncio.sleep(0.02)
        if self._beat is not None:
            self._beat.cancel()
        for pool in self._all:
            pool.close()
        for client in list(self.clients):
            client.check(float("inf"))
        await asyncio.sleep(0)
        self.gate.close()
        if self.spool is not None:
            self.spool.close()


async def serve(settings: GatewaySettings, announce: Callable[[str], None], *, reuse_port: bool = False) -> None:
    """Run one process's part until SIGTERM or SIGINT; `announce` gets the address once it is listening.

    Raises:
        SettingsError, SpoolError: before anything listens.
        OSError: the address cannot be had.
    """
    data = Path(settings.data)
    gate = Admission.of(
        data,
        Path(settings.keys) if settings.keys else None,
        Path(settings.standing) if settings.standing else data / "standing.json",
        Path(settings.limits) if settings.limits else None,
    )
    loop = asyncio.get_running_loop()
    spool = Spool.open(data / "spool", data / "spool.key", settings.spool_bytes) if settings.record else None
    server = Server(settings, gate, spool, loop)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    port = await server.start(reuse_port=reuse_port)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    announce(f"http://{host}:{port}")
    await told.wait()
    await server.stop()


def run(settings: GatewaySettings, announce: Callable[[str], None]) -> int:
    """Run the gateway, in `settings.workers` processes, until told to stop; the exit status. Raises as `serve` does."""
    if settings.workers == 1:
        uvloop.run(serve(settings, announce))
        return 0
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as kept:
        # Bound and never listening: the port stays ours, also where the system chose it.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((settings.host, settings.port))
        own = msgspec.structs.replace(settings, port=kept.getsockname()[1], workers=1)
        return _supervise(own, settings.workers, announce)


def _supervise(settings: GatewaySettings, workers: int, announce: Callable[[str], None]) -> int:
    """Keep so many processes running; pass on the signal to stop."""
    told = False

    def tell(number: int, frame: FrameType | None) -> None:
        nonlocal told
        del number, frame
        told = True
        for child in children:
            os.kill(child, signal.SIGTERM)

    children: set[int] = set()
    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in range(workers):
            children.add(_child(settings, announce if number == 0 else None))
        while children:
            pid, status = os.wait()
            children.discard(pid)
            if told:
                continue
            if os.waitstatus_to_exitcode(status) == _WRONG:
                tell(signal.SIGTERM, None)
                return _WRONG
            _log.error("a process of the gateway ended (status %d); starting another", status)
            time.sleep(_RESTART_SECONDS)
            children.add(_child(settings, None))
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _child(settings: GatewaySettings, announce: Callable[[str], None] | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        uvloop.run(serve(settings, announce or (lambda _: None), reuse_port=True))
        status = 0
    except (SettingsError, SpoolError, OSError) as error:
        _log.error("%s", error)
        status = _WRONG
    except BaseException:
        _log.exception("a process of the gateway ended")
    finally:
        os._exit(status)
