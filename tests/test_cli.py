"""The command line: what it prints and its exit status; what it computes is tested with `pipeline`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from revenuer import __version__
from revenuer.cli import app


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key of the test's own; the handler that a scan sets is taken back."""
    monkeypatch.setenv("REVENUER_HOME", str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def invoke(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def log(path: Path, accounts: str = "ab") -> Path:
    rows = [
        {
            "id": f"{name}{n}",
            "ts": 1_700_000_000 + n,
            "account": name,
            "messages": [{"role": "user", "content": "hello"}],
        }
        for name in accounts
        for n in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_version_and_help() -> None:
    assert invoke("--version") == (0, f"revenuer {__version__}\n", "")
    assert "scan" in invoke("--help")[1]


def test_a_scan_counts_verdicts_and_names_the_report(tmp_path: Path) -> None:
    code, said, errors = invoke("scan", log(tmp_path / "log.jsonl"), "--out", tmp_path / "out")
    assert (code, errors) == (0, "")
    assert "10 exchanges of 2 accounts: 2 clear, 0 watch, 0 harvesting, 0 authorised." in said
    assert "No campaign was found." in said
    assert str(tmp_path / "out" / "report.html") in said.replace("\n", "")


def test_rows_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl")
    path.write_text(path.read_text() + "{[bold]bad\n")
    code, said, _ = invoke("scan", path, "--out", tmp_path / "out")
    assert code == 0
    assert "1 rows could not be read" in said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["absent.jsonl"], "absent.jsonl"),
        (["log.jsonl", "--accounts", "absent.jsonl"], "absent.jsonl"),
        (["log.jsonl", "--settings", "absent.toml"], "absent.toml"),
        (["log.jsonl", "--format", "no-such-format"], "no-such-format"),
        (["log.jsonl", "--out", "log.jsonl"], "log.jsonl"),
        (["log.jsonl", "--out", "log.jsonl/below"], "log.jsonl"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    log(tmp_path / "log.jsonl")
    code, said, errors = invoke("scan", *arguments)
    assert (code, said) == (2, "")
    assert errors.startswith("revenuer: ")
    assert errors.count("\n") == 1
    assert named in errors
