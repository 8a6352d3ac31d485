"""Keys are kept as hashes only, found while they are live, and survive bad files."""

from __future__ import annotations

from pathlib import Path

import pytest

from revenuer.gateway.keys import Keys
from revenuer.settings import SettingsError


def test_a_key_is_found_and_never_stored(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.load(path, b"pepper")
    secret, entry = keys.add("acct_1", org="Example", models=("atlas-1",))
    assert keys.find(secret.encode()) == entry
    assert keys.find(secret.encode() + b"x") is None
    assert secret.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert Keys.load(path, b"pepper").find(secret.encode()) == entry
    assert Keys.load(path, b"other pepper").find(secret.encode()) is None


def test_a_revoked_key_is_found_no_more_by_another_process_either(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.load(path, b"pepper")
    secret, entry = keys.add("acct_1")
    other = Keys.load(path, b"pepper")
    assert not other.refresh()
    keys.revoke(entry.id)
    assert keys.find(secret.encode()) is None
    assert other.refresh()
    assert other.find(secret.encode()) is None
    with pytest.raises(KeyError):
        keys.revoke("key_none")


def test_a_damaged_file_stops_the_start_but_not_a_running_gateway(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.load(path, b"pepper")
    secret, _ = keys.add("acct_1")
    path.write_text("{")
    assert not keys.refresh()
    assert keys.problem is not None
    assert keys.find(secret.encode()) is not None
    with pytest.raises(SettingsError, match=r"keys\.json"):
        Keys.load(path, b"pepper")
