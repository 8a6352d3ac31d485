"""Settings from a file, and the installation's key."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.settings import Settings, SettingsError, installation_key, load_settings


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "revenuer.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert load_settings(None) == Settings() == load_settings(written(tmp_path, ""))


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    found = load_settings(written(tmp_path, "[decision]\nfalse_discovery = 0.01\n[evaluation]\nearly = [2.0]\n"))
    assert found.decision.false_discovery == 0.01
    assert found.decision.smallest_accounts == Settings().decision.smallest_accounts
    assert found.evaluation.early == (2.0,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[decision]\nfalse_dicovery = 0.1", "false_dicovery"),
        ("[decision]\nsmallest_accounts = 'three'", "smallest_accounts"),
        ("suspicion = 3", "suspicion"),
        ("[evaluation]\nevery = 0", "evaluation.every"),
        ("[evaluation]\nearly = []", "evaluation.early"),
        ("[evaluation]\nearly = [2.0, 1.0]", "must rise"),
        ("[decision]\nfalse_discovery = 1.5", "false_discovery"),
        ("[decision]\nsmallest_accounts = 1", "smallest_accounts"),
        ("[decision", "revenuer.toml"),
        (b"key_file = '\xff'", "revenuer.toml"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load_settings(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        load_settings(tmp_path / "absent.toml")


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    settings = Settings(key_file=str(path))
    key = installation_key(settings)
    assert 0 <= key < 1 << 64
    assert installation_key(settings) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert installation_key(Settings(key_file=str(tmp_path / "other"))) != key


def test_without_a_key_file_it_lies_in_the_home_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVENUER_HOME", str(tmp_path / "home"))
    key = installation_key(Settings())
    assert int((tmp_path / "home" / "fingerprint.key").read_text(), 16) == key


@given(st.integers(0, (1 << 64) - 1))
def test_a_restored_key_is_the_same_key(tmp_path_factory: pytest.TempPathFactory, key: int) -> None:
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text(f"{key:016x}\n")
    assert installation_key(Settings(key_file=str(path))) == key


@pytest.mark.parametrize(
    "text", ["", "not hex", "12345678", "0123456789abcdef0", "-123456789abcdef", "0x23456789abcdef", "é" * 16]
)
def test_a_damaged_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="key"):
        installation_key(Settings(key_file=str(path)))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="key"):
        installation_key(Settings(key_file=str(tmp_path / "file" / "key")))
