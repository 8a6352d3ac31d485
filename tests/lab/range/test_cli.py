from __future__ import annotations

import json
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from revenuer.lab.range.cli import app
from revenuer.lab.range.make import TruthAccount
from revenuer.records import AccountResult, Verdict

from .leaks import lines

RUN = CliRunner()


def _make(out: Path, *more: str) -> None:
    done = RUN.invoke(app, ["make", str(out), "--seed", "4", "--exchanges", "900", "--days", "2", *more])
    assert done.exit_code == 0, done.output
    assert "campaigns" in done.output


def test_make_then_score(tmp_path: Path) -> None:
    _make(tmp_path / "range")
    result = tmp_path / "result"
    result.mkdir()
    truth = lines(tmp_path / "range" / "truth_accounts.jsonl", TruthAccount)
    (result / "accounts.jsonl").write_bytes(
        b"\n".join(
            msgspec.json.encode(
                AccountResult(
                    account=t.account,
                    campaign=t.campaign,
                    score=float(t.role == "campaign"),
                    verdict=Verdict.HARVESTING if t.role == "campaign" else Verdict.CLEAR,
                    first_flagged_at=0.0 if t.role == "campaign" else None,
                    reasons=(),
                )
            )
            for t in truth
        )
    )
    shown = RUN.invoke(app, ["score", str(tmp_path / "range"), str(result)])
    assert shown.exit_code == 0
    assert "mean leaked share" in shown.output
    assert "chat_user" in shown.output
    found = json.loads(RUN.invoke(app, ["score", str(tmp_path / "range"), str(result), "--json"]).output)
    assert found["recall"]["share"] == 1.0
    assert found["leaked"] == 0.0


def test_options_override_the_config(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('exchanges = 5000\nshapes = ["chinese"]\n')
    _make(tmp_path / "out", "--config", str(tmp_path / "c.toml"), "--fold", "a")
    made = json.loads((tmp_path / "out" / "range.json").read_text())
    assert made["config"]["exchanges"] == 900
    assert made["config"]["fold"] == "a"
    assert set(made["shapes"]) == {"chinese"}


def test_mistakes_are_said_plainly(tmp_path: Path) -> None:
    for args, text in (
        (["make", str(tmp_path / "o"), "--prompts", str(tmp_path / "none")], "not a folder"),
        (["make", str(tmp_path / "o"), "--exclude", "nope"], "no source named"),
        (["make", str(tmp_path / "o"), "--exchanges", "3"], "at least 500"),
        (["score", str(tmp_path), str(tmp_path)], "truth_accounts.jsonl"),
    ):
        done = RUN.invoke(app, args)
        assert done.exit_code == 2, args
        assert text in " ".join(done.output.split()), done.output
