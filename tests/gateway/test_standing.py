"""The table of verdicts: replaced at once, expires by itself, survives bad files."""

from __future__ import annotations

from pathlib import Path

from revenuer.gateway.dialects import Edits, Reasoning
from revenuer.gateway.standing import Measures, Standing, StandingTable, write
from revenuer.records import Verdict

ROW = Standing(
    account="a",
    verdict=Verdict.HARVESTING,
    until=100.0,
    measures=Measures(requests_per_minute=6.0, edits=Edits(no_logprobs=True, reasoning=Reasoning.NONE)),
    campaign="campaign-001",
    reference="case-1",
)


def test_what_is_written_is_read_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "standing.json"
    table = StandingTable(path)
    assert not table.refresh()
    write([ROW], path)
    assert table.refresh()
    assert not table.refresh()
    assert table.find("a", 99.0) == ROW
    assert table.find("a", 100.0) is None
    assert table.find("b", 99.0) is None
    write([], path)
    assert table.refresh()
    assert table.find("a", 99.0) is None


def test_a_damaged_or_missing_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "standing.json"
    write([ROW], path)
    table = StandingTable(path)
    table.refresh()
    for wrong in (b"{", b'{"standings": 3}', b'{"standings": [], "version": 2}'):
        path.write_bytes(wrong)
        assert not table.refresh()
        assert table.problem is not None
        assert table.find("a", 99.0) == ROW
    path.unlink()
    assert not table.refresh()
    assert table.find("a", 99.0) == ROW
