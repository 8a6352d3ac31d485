"""The larger data set is used where it is named, and its absence is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.prompts import find_data

from bench import prompts


def test_a_folder_named_wrongly_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REVENUER_SHARED", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="prompts"):
        find_data()


def test_the_named_folder_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    monkeypatch.setenv("REVENUER_SHARED", str(tmp_path))
    assert find_data().prompts == tmp_path / "prompts"


def test_without_it_the_bundled_prompts_are_used_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REVENUER_SHARED", raising=False)
    monkeypatch.setattr(prompts, "__file__", str(tmp_path / "repo" / "bench" / "prompts.py"))
    data = find_data()
    assert data.prompts is None
    assert "ONLY THE BUNDLED" in data.said
    assert data.said in capsys.readouterr().err
