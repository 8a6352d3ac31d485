"""The command as people run it, in processes of its own, on the bundled sample: stopped, resumed, cut, re-packed."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from tests.conftest import REPOSITORY

SAMPLE = REPOSITORY / "src" / "revenuer" / "data" / "sample"
ACCOUNTS = SAMPLE / "accounts.jsonl"
RESULTS = ("accounts.jsonl", "campaigns.jsonl")
BAD = (b"{bad", b"[]", b'{"id": "no-time", "account": "a", "messages": []}')
WAIT = 120.0
"""Seconds after which a process that should have come far enough is taken for stuck."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One installation: every scan of this file has the same fingerprint key, today's and tomorrow's."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "fingerprint.key").write_text("5eed0f7e575eed0f\n")
    return folder


@pytest.fixture(scope="module")
def sample() -> list[bytes]:
    """The rows of the bundled sample, in time order."""
    with zstandard.open(SAMPLE / "exchanges.jsonl.zst", "rb") as file:
        return bytes(file.read()).splitlines(keepends=True)


def start(home: Path, log: Path, out: Path, *more: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from revenuer.cli import main; main()", "scan"]
    return subprocess.Popen(
        [*command, str(log), "--out", str(out), *map(str, more)],
        env={**os.environ, "REVENUER_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def scan(home: Path, log: Path, out: Path, *more: str | Path, code: int = 0) -> str:
    """Run to the end; what it said on both streams."""
    process = start(home, log, out, *more)
    said, errors = process.communicate(timeout=WAIT)
    assert process.returncode == code, said + errors
    return said + errors


def write(path: Path, rows: list[bytes]) -> Path:
    path.write_bytes(b"".join(rows))
    return path


def results(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in RESULTS}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def flags(out: Path) -> dict[str, float]:
    times = {row["account"]: row["first_flagged_at"] for row in rows_of(out / "accounts.jsonl")}
    return {account: at for account, at in times.items() if at is not None}


def edited(rows: list[bytes], change: Callable[[dict[str, Any]], None]) -> list[bytes]:
    found = []
    for line in rows:
        row = json.loads(line)
        change(row)
        found.append(msgspec.json.encode(row) + b"\n")
    return found


@pytest.fixture(scope="module")
def whole(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of an uninterrupted scan of the sample."""
    out = tmp_path_factory.mktemp("whole")
    scan(home, SAMPLE / "exchanges.jsonl.zst", out, "--accounts", ACCOUNTS)
    return out


@pytest.fixture(scope="module")
def dirty(sample: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """The sample with rows among it that cannot be read, and their line numbers."""
    rows = list(sample)
    places = sorted(random.Random(5).sample(range(len(rows)), 40))
    for place in places:
        rows.insert(place, BAD[place % len(BAD)] + b"\n")
    return write(tmp_path_factory.mktemp("dirty") / "log.jsonl", rows), [place + 1 for place in places]


def reached(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    """Wait until the scan has come so far; it must not have ended by then."""
    until = time.monotonic() + WAIT
    while not there():
        assert process.poll() is None, "the scan ended before it was to be stopped"
        assert time.monotonic() < until, "the scan did not come so far"
        time.sleep(0.005)


def stored(out: Path) -> Callable[[], bool]:
    """Whether some part of the log is in the store."""
    return lambda: any((out / "state" / "data").glob("*"))


def judging(rows: int, out: Path) -> Callable[[], bool]:
    """Whether the last row that cannot be read was met, which is near the end of the log."""
    path = out / "rejected.jsonl"
    return lambda: path.exists() and path.read_bytes().count(b"\n") == rows


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_a_stopped_scan_goes_on_to_the_same_results(
    number: signal.Signals, home: Path, whole: Path, dirty: tuple[Path, list[int]], tmp_path: Path
) -> None:
    log, bad = dirty
    for there in (stored(tmp_path), judging(len(bad), tmp_path)):
        process = start(home, log, tmp_path, "--accounts", ACCOUNTS)
        reached(process, there)
        process.send_signal(number)
        _, errors = process.communicate(timeout=WAIT)
        if number is signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert (process.returncode, errors.count("\n")) == (130, 1)
            assert "the same command goes on from there" in errors
        assert not (tmp_path / "accounts.jsonl").exists()
    scan(home, log, tmp_path, "--accounts", ACCOUNTS)
    assert results(tmp_path) == results(whole)
    assert [row["line"] for row in rows_of(tmp_path / "rejected.jsonl")] == bad


def test_a_second_scan_in_the_same_folder_is_refused(
    home: Path, whole: Path, sample: list[bytes], tmp_path: Path
) -> None:
    log = write(tmp_path / "log.jsonl", sample)
    out = tmp_path / "out"
    first = start(home, log, out, "--accounts", ACCOUNTS)
    reached(first, stored(out))
    first.send_signal(signal.SIGSTOP)
    try:
        said = scan(home, log, out, "--accounts", ACCOUNTS, code=2)
    finally:
        first.send_signal(signal.SIGCONT)
    assert said.startswith("revenuer: ")
    assert said.count("\n") == 1
    assert str(out) in said
    first.communicate(timeout=WAIT)
    assert first.returncode == 0
    assert results(out) == results(whole)


@pytest.mark.parametrize("kind", ["plain", "gz", "parquet"])
def test_every_container_gives_the_same_results(
    kind: str, home: Path, whole: Path, sample: list[bytes], tmp_path: Path
) -> None:
    log = tmp_path / f"log.{kind}"
    if kind == "parquet":
        rows = [json.loads(line) for line in sample]
        for row in rows:
            row["params"] = json.dumps(row.get("params") or {})
        pq.write_table(pa.Table.from_pylist(rows), log)
    else:
        log.write_bytes(gzip.compress(b"".join(sample)) if kind == "gz" else b"".join(sample))
    scan(home, log, tmp_path / "out", "--accounts", ACCOUNTS)
    assert results(tmp_path / "out") == results(whole)


def test_the_result_files_have_the_documented_fields(whole: Path, sample: list[bytes]) -> None:
    accounts, campaigns = rows_of(whole / "accounts.jsonl"), rows_of(whole / "campaigns.jsonl")
    assert campaigns
    for row in accounts:
        assert list(row) == ["account", "campaign", "score", "verdict", "first_flagged_at", "reasons"]
        assert row["verdict"] in {"clear", "watch", "harvesting", "authorised"}
        assert (row["first_flagged_at"] is None) == (row["verdict"] != "harvesting")
    for row in campaigns:
        fields = ["campaign", "accounts", "exchanges", "first_seen", "first_flagged_at", "score", "reasons"]
        assert list(row) == fields
        assert {a["account"] for a in accounts if a["campaign"] == row["campaign"]} == set(row["accounts"])
        assert row["reasons"]
    for row in accounts + campaigns:
        for reason in row["reasons"]:
            assert set(reason) == {"signal", "value", "text"}
    assert sorted(row["account"] for row in accounts) == sorted({json.loads(line)["account"] for line in sample})


def test_strict_stops_at_the_first_bad_row_and_writes_no_result(
    home: Path, dirty: tuple[Path, list[int]], tmp_path: Path
) -> None:
    log, bad = dirty
    said = scan(home, log, tmp_path, "--strict", code=2)
    assert said.count("\n") == 1
    assert f"{log.name}, line {bad[0]}: " in said
    assert not any((tmp_path / name).exists() for name in RESULTS)


def test_a_missing_log_is_one_clear_line(home: Path, tmp_path: Path) -> None:
    said = scan(home, tmp_path / "absent.jsonl", tmp_path / "out", code=2)
    assert said.startswith("revenuer: ")
    assert said.count("\n") == 1
    assert "absent.jsonl" in said


@pytest.mark.parametrize("content", [b"", b"\n".join(BAD) + b"\n"], ids=["empty", "nothing readable"])
def test_a_log_without_exchanges_has_a_report_all_the_same(content: bytes, home: Path, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [content])
    said = scan(home, log, tmp_path / "out", "--accounts", ACCOUNTS)
    assert "No campaign was found." in said
    assert results(tmp_path / "out") == {"accounts.jsonl": b"", "campaigns.jsonl": b""}
    assert len(rows_of(tmp_path / "out" / "rejected.jsonl")) == (len(BAD) if content else 0)
    assert b"<html" in (tmp_path / "out" / "report.html").read_bytes()


@pytest.mark.parametrize("share", [0.35, 0.7])
def test_what_comes_later_changes_no_earlier_flag(
    share: float, home: Path, whole: Path, sample: list[bytes], tmp_path: Path
) -> None:
    kept = sample[: int(share * len(sample))]
    last = json.loads(kept[-1])["ts"]
    scan(home, write(tmp_path / "log.jsonl", kept), tmp_path / "out", "--accounts", ACCOUNTS)
    before = {account: at for account, at in flags(whole).items() if at <= last}
    assert before
    assert flags(tmp_path / "out") == before


def test_country_and_name_change_nothing(home: Path, whole: Path, tmp_path: Path) -> None:
    books = rows_of(ACCOUNTS)
    assert len({row["country"] for row in books}) > 5
    moved = books[7:] + books[:7]
    for row, other in zip(books, [(row["country"], row["name"]) for row in moved], strict=True):
        row["country"], row["name"] = other
    shuffled = write(tmp_path / "accounts.jsonl", [msgspec.json.encode(row) + b"\n" for row in books])
    assert shuffled.read_bytes() != ACCOUNTS.read_bytes()
    scan(home, SAMPLE / "exchanges.jsonl.zst", tmp_path / "out", "--accounts", shuffled)
    assert results(tmp_path / "out") == results(whole)


def test_no_prompt_or_answer_is_kept(home: Path, whole: Path, sample: list[bytes], tmp_path: Path) -> None:
    # Two accounts of each campaign: too few to be taken for its template.
    planted = {account for row in rows_of(whole / "campaigns.jsonl") for account in row["accounts"][:2]}
    marker = "qzvmarkerword"

    def plant(row: dict[str, Any]) -> None:
        if row["account"] in planted:
            for turn in row["messages"]:
                turn["content"] = f"{marker} {turn['content']} {marker}"
            row["response"] = {**row.get("response", {}), "text": f"{marker} and more"}

    out = tmp_path / "out"
    log = write(tmp_path / "log.jsonl", edited(sample, plant))
    assert marker.encode() in log.read_bytes()
    scan(home, log, out, "--accounts", ACCOUNTS)
    assert planted & flags(out).keys()
    files = [path for path in out.rglob("*") if path.is_file()]
    tables = [path for path in files if path.suffix == ".parquet"]
    assert tables
    for path in files:
        assert marker not in path.read_bytes().decode("latin-1").lower(), path
    for path in tables:
        assert marker not in str(pq.read_table(path).to_pylist()).lower(), path


WATCHED = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        raise RuntimeError(f"the network was asked for: {event}")

sys.addaudithook(refuse)
from revenuer.cli import main
main()
"""


def test_a_scan_opens_no_network_connection(home: Path, whole: Path, tmp_path: Path) -> None:
    alone = shutil.which("unshare")
    if alone is None or subprocess.run([alone, "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may take the network away from a process (unshare -n)")
    arguments = ["scan", str(SAMPLE / "exchanges.jsonl.zst"), "--accounts", str(ACCOUNTS), "--out", str(tmp_path)]
    done = subprocess.run(
        [alone, "-n", sys.executable, "-c", WATCHED, *arguments],
        env={**os.environ, "REVENUER_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert results(tmp_path) == results(whole)
