"""Intake: every row is stored or rejected exactly once, wherever an earlier run stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from revenuer.ingest import IngestError
from revenuer.intake import SHOWN, Intake, Place, Read, notes_of, take_in
from revenuer.settings import Settings


def row(number: int, text: str = "What is the time?") -> str:
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": f"{text} ({number})"}]
    return json.dumps(
        {"id": f"x{number}", "ts": 1_700_000_000 + number, "account": f"a{number % 3}", "messages": turns}
    )


def settings(folder: Path) -> Settings:
    return Settings(key_file=str(folder / "key"))


def taken(folder: Path, *logs: Path, strict: bool = False, accounts: Path | None = None) -> Read:
    with Intake.open(folder / "out", settings(folder)) as intake:
        return take_in(intake, list(logs), accounts, None, strict, lambda _: None)[1]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def rejected(folder: Path) -> list[int]:
    return [json.loads(line)["line"] for line in (folder / "out" / "rejected.jsonl").read_text().splitlines()]


def test_good_rows_are_stored_bad_ones_are_rejected_and_repeats_count_once(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1), "{bad", row(2), row(1), "[]"])
    read = taken(tmp_path, log)
    assert (read.stored, read.duplicates, read.rejected) == (2, 1, 2)
    assert rejected(tmp_path) == [2, 5]
    assert [first.line for first in read.rejected_first] == [2, 5]
    assert (read.first_ts, read.last_ts) == (1_700_000_001, 1_700_000_002)
    notes = " ".join(notes_of(read))
    assert "2 rows could not be read" in notes
    assert "1 exchanges came twice" in notes


def test_the_same_again_adds_nothing_and_a_longer_log_adds_its_end(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1), "{bad"])
    first = taken(tmp_path, log)
    assert taken(tmp_path, log) == first
    more = taken(tmp_path, log, write(tmp_path / "second.jsonl", [row(2), "{worse"]))
    assert (more.stored, more.rejected, rejected(tmp_path)) == (2, 2, [2, 2])


def test_what_a_stopped_run_wrote_behind_its_last_append_is_cut_off(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1), "{bad"])
    taken(tmp_path, log)
    path = tmp_path / "out" / "rejected.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    taken(tmp_path, log)
    assert path.read_bytes() == whole


def test_only_the_first_few_rejected_rows_are_shown_whichever_run_read_them(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(0), *["{bad"] * (SHOWN + 3)])
    for _ in range(2):
        assert [first.line for first in taken(tmp_path, log).rejected_first] == list(range(2, 2 + SHOWN))


def test_strict_refuses_the_first_bad_row_of_the_log_and_of_the_accounts(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1), "{bad"])
    with pytest.raises(IngestError, match=r"log\.jsonl, line 2: .*--strict"):
        taken(tmp_path, log, strict=True)
    books = write(tmp_path / "accounts.jsonl", ['{"account": "a1"}', "{}"])
    with pytest.raises(IngestError, match=r"accounts\.jsonl, line 2"):
        taken(tmp_path, write(tmp_path / "good.jsonl", [row(1)]), strict=True, accounts=books)


def test_bad_accounts_are_rejected_rows_once(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1)])
    books = write(tmp_path / "accounts.jsonl", ['{"account": "a1", "org": "o"}', "{}"])
    for _ in range(2):
        assert taken(tmp_path, log, accounts=books).rejected == 1
    assert rejected(tmp_path) == [2]


def test_another_key_cannot_go_on_in_a_folder(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1)])
    taken(tmp_path, log)
    (tmp_path / "key").write_text("0123456789abcdef\n")
    with pytest.raises(IngestError, match="another fingerprint key"):
        taken(tmp_path, log)


def test_texts_are_read_again_from_the_logs_and_missed_where_a_log_is_gone(tmp_path: Path) -> None:
    first = write(tmp_path / "first.jsonl", [row(3, "third"), row(1, "first")])
    second = write(tmp_path / "second.jsonl", [row(2, "second")])
    with Intake.open(tmp_path / "out", settings(tmp_path)) as intake:
        take_in(intake, [first, second], None, None, False, lambda _: None)
        assert intake.texts([second, first], [0, 1, 2]) == {0: "first (1)", 1: "second (2)", 2: "third (3)"}
        assert intake.texts([first], [0, 1]) == {0: "first (1)"}
        first.unlink()
        assert intake.texts([first, second], [0]) == {}


def test_progress_tells_how_far_it_is(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [row(1), "{bad"])
    told: list[Place] = []
    with Intake.open(tmp_path / "out", settings(tmp_path)) as intake:
        take_in(intake, [log], None, None, False, told.append)
    assert (told[-1].exchanges, told[-1].rejected) == (1, 1)
    assert told[-1].bytes_read == told[-1].bytes_total == log.stat().st_size
