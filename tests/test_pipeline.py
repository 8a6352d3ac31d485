"""The whole system in one process, on a small log with one harvest in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.harvest.simple import simple_model
from tests.worlds import customers, harvester, log_of

from revenuer.ingest import IngestError
from revenuer.pipeline import Telling, scan
from revenuer.records import ScanReport
from revenuer.settings import Decision, Settings


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log and its accounts."""
    folder = tmp_path_factory.mktemp("log")
    exchanges, accounts = log_of(harvester(5, 30), customers(20, 10))
    (folder / "log.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in exchanges))
    (folder / "accounts.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in accounts.values()))
    return folder


def run(log: Path, out: Path, bar: float = -1.0, telling: Telling | None = None) -> ScanReport:
    settings = Settings(key_file=str(log / "key"), decision=Decision(false_campaigns=0.05, fewest_groups=1))
    model = simple_model(member_bar=bar)
    return scan([log / "log.jsonl"], log / "accounts.jsonl", out, settings, model=model, telling=telling)


def test_a_harvest_is_found_and_everything_is_written(log: Path, tmp_path: Path) -> None:
    report = run(log, tmp_path)
    (campaign,) = report.campaigns
    assert campaign.result.accounts == tuple(f"harvest-{n}" for n in range(5))
    assert any("Solve the problem" in part.text for part in campaign.template if not part.slot)
    assert {path.name for path in tmp_path.iterdir()} == {
        "accounts.jsonl", "campaigns.jsonl", "rejected.jsonl", "report.html", "state",
    }  # fmt: skip
    assert [stage.stage for stage in report.stages][:2] == ["ingest and fingerprint", "store"]


def test_the_given_model_judges(log: Path, tmp_path: Path) -> None:
    assert run(log, tmp_path, bar=1e9).verdicts["harvesting"] == 0
    assert run(log, tmp_path).verdicts["harvesting"] == 5


def test_the_same_again_writes_the_same(log: Path, tmp_path: Path) -> None:
    run(log, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in ("accounts.jsonl", "campaigns.jsonl")}
    run(log, tmp_path)
    assert before == {name: (tmp_path / name).read_bytes() for name in before}


def test_progress_reaches_the_end_of_both_parts(log: Path, tmp_path: Path) -> None:
    places: list[int] = []
    looks: list[tuple[int, int, int]] = []
    telling = Telling(
        lambda place: places.append(place.exchanges), lambda done, total, flagged: looks.append((done, total, flagged))
    )
    run(log, tmp_path, telling=telling)
    assert places[-1] == 350
    assert looks[-1][0] == looks[-1][1]
    assert looks[-1][2] == 5


def test_a_missing_log_writes_no_results(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="absent"):
        scan([tmp_path / "absent.jsonl"], None, tmp_path / "out", Settings(key_file=str(tmp_path / "key")))
    assert not list(tmp_path.glob("out/*.jsonl")) or not (tmp_path / "out" / "accounts.jsonl").exists()
