"""`revenuer keys` as a person uses it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from revenuer.gateway.keys import Keys
from revenuer.gateway.keys_cli import app
from revenuer.gateway.segment import Secret


def run(*arguments: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, arguments)
    return found.exit_code, found.stdout, found.stderr


def test_add_list_revoke(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    code, out, _ = run("add", "acct_1", "--model", "atlas-1", *data)
    assert code == 0
    secret = out.strip()
    keys = Keys.load(tmp_path / "keys.json", Secret.load(tmp_path / "names.key").derive(b"keys")[0])
    entry = keys.find(secret.encode())
    assert entry is not None
    assert (entry.account, entry.models) == ("acct_1", ("atlas-1",))
    code, out, _ = run("list", *data)
    assert code == 0
    assert entry.id in out
    assert "live" in out
    assert secret not in out
    assert run("revoke", entry.id, *data)[0] == 0
    assert "revoked" in run("list", *data)[1]


def test_mistakes_are_said_in_one_line(tmp_path: Path) -> None:
    code, _, err = run("revoke", "key_none", "--data", str(tmp_path))
    assert code == 2
    assert "key_none" in err
    (tmp_path / "keys.json").write_text("{")
    code, _, err = run("list", "--data", str(tmp_path))
    assert code == 2
    assert "keys.json" in err
