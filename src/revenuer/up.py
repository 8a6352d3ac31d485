"""`revenuer worker` and `revenuer up`: the processes of one machine, started, watched and stopped together.

Each is a process of its own: the gateway serves on while the worker is dead, and the other way round. One that dies is
started again, at longer and longer intervals; one that says its settings are wrong (exit status 2) ends all.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import msgspec

from revenuer.records import AccountResult
from revenuer.settings import Settings, SettingsError

WRONG = 2
"""Exit status of a command that cannot work as it was called: starting it again is no use."""
STOP_SECONDS = 40.0
"""For a process to end by itself once it was told to; then it is killed, and the spool has what it saw."""
LONGEST_PAUSE = 30.0
_PR_SET_PDEATHSIG = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataFolder:
    """What one installation keeps, in one folder that gateway and worker share."""

    path: Path

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    @property
    def spool_key(self) -> Path:
        return self.path / "spool.key"

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def verdicts(self) -> Path:
        """Accounts that are not `clear`, with reasons, for people; JSON lines."""
        return self.path / "verdicts.jsonl"

    @property
    def standing(self) -> Path:
        """The table of verdicts and measures that the gateway reads."""
        return self.path / "standing.json"


def write_verdicts(results: Sequence[AccountResult], path: Path) -> None:
    """One line an account, put in place at once: a reader sees the old file or the new one."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.write_bytes(b"".join(msgspec.json.encode(result) + b"\n" for result in results))
    made.replace(path)


@contextlib.contextmanager
def until_told() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGINT has come since."""
    told = False

    def tell(number: int, frame: FrameType | None) -> None:
        nonlocal told
        del number, frame
        told = True

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Child:
    """One process that is kept running. `ready` is asked until it is true, before the next one is started."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    again: float = field(default=0.0)

    def start(self) -> None:
        """Start it; it is told to stop when this process dies, however it dies."""
        self.process = subprocess.Popen(self.command, preexec_fn=_stop_with_parent, start_new_session=True)

    def stop(self) -> None:
        """Tell it to stop and wait; kill it where it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _stop_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def keep_running(children: Sequence[Child], stop: Callable[[], bool], ready: Callable[[], None]) -> int:
    """Start them in order, call `ready`, keep them running until `stop`, stop them in the same order.

    Returns the exit status: 0, or `WRONG` where one of them cannot work as it is set up.
    """
    try:
        for child in children:
            child.start()
            while not child.ready():
                if stop():
                    return 0
                if child.process is not None and child.process.poll() is not None:
                    _log.error("%s ended with status %s before it was ready", child.name, child.process.returncode)
                    return WRONG
                time.sleep(0.05)
        ready()
        while not stop():
            for child in children:
                status = None if child.process is None else child.process.poll()
                if status == WRONG:
                    return WRONG
                if status is not None and child.again == 0.0:
                    pause = min(2.0**child.deaths, LONGEST_PAUSE)
                    child.deaths += 1
                    child.again = time.monotonic() + pause
                    _log.error("%s ended with status %d; starting it again in %.0f s", child.name, status, pause)
                elif status is not None and time.monotonic() >= child.again:
                    child.again = 0.0
                    child.start()
            time.sleep(0.1)
        return 0
    finally:
        for child in children:
            child.stop()


def work(
    folder: DataFolder, accounts: Path | None, settings: Settings, keep_days: float, stop: Callable[[], bool]
) -> None:
    """The worker of `folder` until `stop`. Raises what `worker.serve` raises."""
    from revenuer.enforce.ladder import standings
    from revenuer.gateway.standing import write
    from revenuer.harvest.model import load
    from revenuer.worker import Places, serve

    def publish(results: Sequence[AccountResult]) -> None:
        write_verdicts(results, folder.verdicts)
        write(standings(results, time.time()), folder.standing)

    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    places = Places(folder.spool, folder.spool_key, folder.store, accounts)
    serve(places, settings, load(), publish, keep_days, stop)


@dataclass(frozen=True)
class Wanted:
    """What `revenuer up` was asked for. Without `upstream` and `gateway_settings` there is a demonstration upstream."""

    folder: DataFolder
    host: str
    port: int
    upstream: str | None
    key_env: str | None
    gateway_settings: Path | None
    accounts: Path | None
    settings: Path | None
    keep_days: float
    keys: Path | None = None
    limits: Path | None = None


def up(wanted: Wanted, stop: Callable[[], bool], tell: Callable[[str], None]) -> int:
    """Gateway and worker, and the demonstration upstream where there is no other, until `stop`; the exit status.

    Raises SettingsError where the port is taken.
    """
    checked_port(wanted.host, wanted.port)
    wanted.folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = str(wanted.folder.path)
    gateway = ["gateway", "--data", data, "--host", wanted.host, "--port", str(wanted.port)]
    worker = ["worker", "--data", data, "--keep-days", str(wanted.keep_days)]
    demo: list[Child] = []
    upstream = wanted.upstream
    if upstream is None and wanted.gateway_settings is None:
        port = free_port()
        upstream = f"http://127.0.0.1:{port}"
        demo = [Child("the demonstration upstream", demonstration(port), lambda: listening("127.0.0.1", port))]
    for options, name, value in (
        (gateway, "--upstream", upstream),
        (gateway, "--key-env", wanted.key_env),
        (gateway, "--settings", wanted.gateway_settings),
        (gateway, "--keys", wanted.keys),
        (gateway, "--limits", wanted.limits),
        (worker, "--accounts", wanted.accounts),
        (worker, "--settings", wanted.settings),
    ):
        options += [] if value is None else [name, str(value)]
    # Stopped in this order too: the gateway finishes its answers, then the worker takes what it recorded.
    children = [
        Child("the gateway", revenuer(*gateway), lambda: listening(wanted.host, wanted.port)),
        Child("the worker", revenuer(*worker)),
        *demo,
    ]

    def ready() -> None:
        tell(f"Ready: http://{wanted.host}:{wanted.port} in front of {upstream or wanted.gateway_settings}.")
        if demo:
            tell("No upstream was given, so a demonstration answers; it has no model. Give one with --upstream URL.")
        tell(f"Verdicts: {wanted.folder.verdicts}. Stop with Ctrl-C.")

    return keep_running(children, stop, ready)


def revenuer(*arguments: str) -> list[str]:
    """The command line of another process of this program."""
    return [sys.executable, "-c", "from revenuer.cli import main; main()", *arguments]


def demonstration(port: int) -> list[str]:
    """The command line of the demonstration upstream."""
    return [sys.executable, "-c", f"from revenuer.gateway.demo import serve; serve('127.0.0.1', {port})"]


def listening(host: str, port: int) -> bool:
    """Whether something takes connections there."""
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def checked_port(host: str, port: int) -> int:
    """`port` itself; raises SettingsError where somebody listens there already."""
    if listening(host, port):
        raise SettingsError(f"{host}:{port} is in use; choose another --port")
    return port
