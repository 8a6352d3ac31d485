"""Limits over several processes: through a real Redis, and without it when it is killed under way."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from revenuer.gateway.admit import Admission
from revenuer.gateway.dialects import Asked
from revenuer.gateway.errors import Reason
from revenuer.gateway.limits import Denied, Grant, Limits, Rule, Rules, Scope
from revenuer.gateway.replicas import Replicas
from revenuer.settings import SettingsError

NO_REDIS = "redis-server is not installed: Debian's package redis-server has it"
ME = [(Scope.ACCOUNT, "me")]
ALONE = "redis://localhost:1"


def rules(requests_per_minute: float | None = None, concurrency: int | None = None) -> Rules:
    return Rules(account={"default": Rule(requests_per_minute=requests_per_minute, concurrency=concurrency)})


class Server:
    """A redis-server of the test's own that can be killed and started again."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self.url = f"unix://{folder / 's'}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binary, "--port", "0", "--unixsocket", "s", "--save", "", "--appendonly", "no"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            (self._folder / "s").unlink(missing_ok=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip(NO_REDIS)
    made = Server(binary, tmp_path)
    made.start()
    yield made
    made.kill()


@contextlib.asynccontextmanager
async def four(url: str, shared: Rules) -> AsyncIterator[tuple[list[Limits], list[Replicas]]]:
    """Four processes' worth of limits, all running."""
    limits = [Limits(shared) for _ in range(4)]
    made = [Replicas(each, url, expected=4) for each in limits]
    tasks = [asyncio.create_task(each.run()) for each in made]
    try:
        yield limits, made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def hammer(limits: list[Limits], holds: Callable[[], bool]) -> list[int]:
    """Ask every process for as much as it gives, until something holds; what each let pass."""
    passed = [0] * len(limits)
    async with asyncio.timeout(60):
        while not holds():
            for number, each in enumerate(limits):
                now = time.monotonic()
                while isinstance(grant := each.reserve(ME, 1, 1, now), Grant):
                    each.settle(grant, 1, 1, now)
                    passed[number] += 1
            await asyncio.sleep(0.01)
    return passed


def test_alone_a_process_holds_its_part() -> None:
    limits = Limits(rules(requests_per_minute=600))
    Replicas(limits, ALONE, expected=5)
    passed = 0
    for step in range(60_000):
        grant = limits.reserve(ME, 1, 1, step / 1000)
        if isinstance(grant, Grant):
            passed += 1
            limits.settle(grant, 1, 1, step / 1000)
    # A fifth of 600 a minute, and a fifth of the burst of five seconds at that rate; one for the one that fits.
    assert 120 <= passed <= 120 + 2 + 1


def test_a_url_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        Replicas(Limits(), "https://localhost")


def test_four_processes_keep_one_limit_also_when_redis_is_killed(server: Server) -> None:
    """Counted over the whole: before, while and after Redis is gone, never more than 1.2 of what is due in a minute."""

    async def run() -> None:
        rate = 200.0
        async with four(server.url, rules(requests_per_minute=60 * rate)) as (limits, made):
            began = time.monotonic()
            total = 0
            total += sum(await hammer(limits, lambda: all(each.seen == 4 for each in made)))
            end = time.monotonic() + 2
            together = await hammer(limits, lambda: time.monotonic() > end)
            total += sum(together)
            server.kill()
            total += sum(await hammer(limits, lambda: not any(each.connected for each in made)))
            end = time.monotonic() + 2
            apart = await hammer(limits, lambda: time.monotonic() > end)
            total += sum(apart)
            assert max(apart) <= 1.1 * 2 * rate / 4 + 0.1 * rate
            server.start()
            total += sum(await hammer(limits, lambda: all(each.connected and each.seen == 4 for each in made)))
            elapsed = time.monotonic() - began
        # A bucket that starts empty lets one burst (5 s) pass on top, and a fifth of a minute in all is allowed: 12 s.
        assert total <= rate * (elapsed + 12)
        assert total >= 0.5 * rate * elapsed

    asyncio.run(run())


def test_requests_that_run_elsewhere_count(server: Server) -> None:
    async def run() -> None:
        async with four(server.url, rules(concurrency=2)) as (limits, made):
            await until(lambda: all(each.seen == 4 for each in made))
            held = limits[0].reserve(ME, 1, 1, time.monotonic())
            assert isinstance(held, Grant)
            assert isinstance(limits[0].reserve(ME, 1, 1, time.monotonic()), Grant)
            await until(lambda: all(each._elsewhere.get(ME[0]) == 2 for each in limits[1:]))
            for each in limits:
                assert isinstance(each.reserve(ME, 1, 1, time.monotonic()), Denied)
            limits[0].settle(held, 1, 1, time.monotonic())
            await until(lambda: all(each._elsewhere.get(ME[0]) == 1 for each in limits[1:]))
            assert isinstance(limits[3].reserve(ME, 1, 1, time.monotonic()), Grant)

    asyncio.run(run())


def test_a_process_that_falls_silent_is_counted_no_more(server: Server) -> None:
    async def run() -> None:
        async with four(server.url, rules(concurrency=1)) as (limits, made):
            other = Limits(rules(concurrency=1))
            short = Replicas(other, server.url)
            task = asyncio.create_task(short.run())
            await until(lambda: all(each.seen == 5 for each in made))
            assert isinstance(other.reserve(ME, 1, 1, time.monotonic()), Grant)
            await until(lambda: limits[0]._elsewhere.get(ME[0]) == 1)
            task.cancel()
            await until(lambda: all(each.seen == 4 for each in made))
            assert isinstance(limits[0].reserve(ME, 1, 1, time.monotonic()), Grant)

    asyncio.run(run())


def test_gateways_that_name_redis_in_their_limits_share_them(server: Server, tmp_path: Path) -> None:
    rules_file = tmp_path / "limits.toml"
    rules_file.write_text(f'[shared]\nredis = "{server.url}"\nprocesses = 2\n[account.default]\nconcurrency = 2\n')
    asked = Asked("openai.chat", "atlas-1")

    async def run() -> None:
        doors = [Admission.of(tmp_path, None, None, rules_file) for _ in range(2)]
        for door in doors:
            door.tick(time.monotonic())
        await until(lambda: all(door.replicas is not None and door.replicas.seen == 2 for door in doors))
        assert [doors[0].enter(b"sk-1", asked, time.monotonic()).reason for _ in range(2)] == [None, None]
        await until(lambda: 2 in doors[1]._limits._elsewhere.values())
        assert doors[1].enter(b"sk-1", asked, time.monotonic()).reason is Reason.LIMIT_CONCURRENCY

    asyncio.run(run())


def test_without_redis_each_gateway_holds_its_part(tmp_path: Path) -> None:
    rules_file = tmp_path / "limits.toml"
    rules_file.write_text("[shared]\nprocesses = 2\n[account.default]\nconcurrency = 2\n")
    door = Admission.of(tmp_path, None, None, rules_file)
    asked = Asked("openai.chat", "atlas-1")
    reasons = [door.enter(b"sk-1", asked, 0.0).reason for _ in range(2)]
    assert reasons == [None, Reason.LIMIT_CONCURRENCY]
    rules_file.write_text('[shared]\nredis = "https://localhost"\n')
    with pytest.raises(SettingsError, match=r"shared\.redis"):
        Admission.of(tmp_path, None, None, rules_file)
