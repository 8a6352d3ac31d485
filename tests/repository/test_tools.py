"""The set-up scripts do what they promise where something is missing or an install is cut short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.repository.tree import ROOT

SH = shutil.which("sh") or "sh"


def _bare_machine(folder: Path) -> dict[str, str]:
    """An environment with next to no commands: no apt-get, no Chromium, no Python."""
    bare = folder / "bin"
    bare.mkdir()
    for tool in ("sh", "id"):
        found = shutil.which(tool)
        assert found, f"{tool} is not on this machine"
        (bare / tool).symlink_to(found)
    return {"PATH": str(bare)}


def _need(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SH, "tools/need.sh", *arguments], cwd=ROOT, env=env, capture_output=True, text=True)


def test_a_missing_browser_is_named_and_does_not_stop_the_tests(tmp_path: Path) -> None:
    done = _need("chromium", env=_bare_machine(tmp_path))
    assert done.returncode == 0
    assert "missing: Chromium" in done.stderr
    assert "apt-get install chromium" in done.stderr


def test_a_missing_python_is_named_and_stops_the_set_up(tmp_path: Path) -> None:
    done = _need("python", "python3", env=_bare_machine(tmp_path))
    assert done.returncode == 1
    assert "missing: Python >= 3.11" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_an_old_python_is_refused_and_a_newer_one_pointed_at(tmp_path: Path) -> None:
    env = _bare_machine(tmp_path)
    old = tmp_path / "bin" / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    (tmp_path / "bin" / "python3.11").symlink_to(sys.executable)
    done = _need("python", "python3", env=env)
    assert done.returncode == 1
    assert "Python 3.9.2" in done.stderr
    assert "PYTHON=python3.11" in done.stderr


def test_this_python_will_do() -> None:
    done = _need("python", getattr(sys, "_base_executable", sys.executable), env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("pip_ends_with", "status", "unfinished"),
    [("exit 0", 0, False), ("exit 1", 1, False), ("kill -9 $$", 137, True)],
    ids=["installed", "failed", "killed"],
)
def test_only_a_killed_install_leaves_its_mark(
    tmp_path: Path, pip_ends_with: str, status: int, unfinished: bool
) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$3" = --version ] && exit 0\n{pip_ends_with}\n')
    python.chmod(0o755)
    done = subprocess.run([SH, "tools/venv.sh", "unused", str(tmp_path / "venv"), "thing"], cwd=ROOT)
    assert done.returncode == status
    assert (tmp_path / "venv" / ".unfinished").exists() is unfinished


def test_tests_that_did_not_run_are_listed_before_the_last_line(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_runs(): pass\ndef test_looks(chromium): pass\ndef test_reads(shared_data): pass\n"
    )
    env = {"PATH": "", "HOME": str(tmp_path), "CI": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")],
        cwd=tmp_path, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert "TESTS THAT DID NOT RUN" in done.stdout
    assert "1 not run: Chromium is not installed" in done.stdout
    assert "1 not run: the larger data set is not here" in done.stdout
    assert "test_it.py::test_looks" in done.stdout
    assert done.stdout.strip().splitlines()[-1].startswith("1 passed, 2 skipped")
