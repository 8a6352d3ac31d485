"""Processes kept running: started in order, started again, stopped together, never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from revenuer.records import AccountResult, Verdict
from revenuer.settings import SettingsError
from revenuer.up import WRONG, Child, checked_port, free_port, keep_running, listening, until_told, write_verdicts


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


NOTE = """
import os, signal, sys, time
path = sys.argv[1]
def note(word):
    with open(path, "a") as file:
        file.write(f"{word} {os.getpid()}\\n")
signal.signal(signal.SIGTERM, lambda *_: (note("stopped"), sys.exit(0)))
note("started")
"""
STAYS = NOTE + "time.sleep(600)"


def words(path: Path) -> list[str]:
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def gone(pid: int) -> bool:
    """Whether no such process runs; one that ended and was not waited for does not run."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_started_in_order_and_stopped_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    told: list[str] = []
    children = [
        Child("one", python(STAYS, first), ready=lambda: words(first) == ["started"]),
        Child("two", python(STAYS, second), ready=lambda: words(second) == ["started"]),
    ]
    assert keep_running(children, lambda: bool(told), lambda: told.append("ready")) == 0
    assert told == ["ready"]
    assert words(first) == words(second) == ["started", "stopped"]


def test_what_dies_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    child = Child("short", python(NOTE + "sys.exit(0 if os.path.getsize(path) > 30 else 1)", path))
    assert keep_running([child], lambda: len(words(path)) >= 2, lambda: None) == 0
    assert child.deaths >= 1


def test_what_is_set_up_wrongly_ends_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    stays = Child("stays", python(STAYS, path), ready=lambda: words(path) == ["started"])
    assert keep_running([stays, Child("wrong", python(f"exit({WRONG})"))], lambda: False, lambda: None) == WRONG
    assert words(path) == ["started", "stopped"]


def test_what_ends_before_it_is_ready_ends_all() -> None:
    assert keep_running([Child("dead", python("exit(1)"), ready=lambda: False)], lambda: False, lambda: None) == WRONG


def test_what_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("revenuer.up.STOP_SECONDS", 0.2)
    path = tmp_path / "file"
    code = NOTE + "signal.signal(signal.SIGTERM, signal.SIG_IGN); note('deaf'); time.sleep(600)"
    child = Child("deaf", python(code, path))
    assert keep_running([child], lambda: "deaf" in words(path), lambda: None) == 0
    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = """
import sys
from revenuer.up import Child, keep_running
keep_running([Child("child", [sys.executable, "-c", sys.argv[1], sys.argv[2]])], lambda: False, lambda: None)
"""
    parent = subprocess.Popen(python(code, STAYS, path))
    while words(path) != ["started"]:
        time.sleep(0.05)
    pid = int(path.read_text().split()[1])
    parent.kill()
    parent.wait()
    while not gone(pid):
        time.sleep(0.05)
    assert words(path) == ["started", "stopped"]


def test_a_signal_is_heard_and_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with until_told() as told:
        assert not told()
        os.kill(os.getpid(), signal.SIGTERM)
        assert told()
    assert signal.getsignal(signal.SIGTERM) is before


def test_ports() -> None:
    port = free_port()
    assert not listening("127.0.0.1", port)
    assert checked_port("127.0.0.1", port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert listening("127.0.0.1", port)
        with pytest.raises(SettingsError, match="is in use"):
            checked_port("127.0.0.1", port)


def test_verdicts_are_put_in_place_at_once(tmp_path: Path) -> None:
    result = AccountResult(
        account="a", campaign="c", score=1.0, verdict=Verdict.WATCH, first_flagged_at=None, reasons=()
    )
    write_verdicts([result, result], tmp_path / "verdicts.jsonl")
    write_verdicts([result], tmp_path / "verdicts.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["verdicts.jsonl"]
    assert msgspec.json.decode((tmp_path / "verdicts.jsonl").read_bytes(), type=AccountResult) == result
