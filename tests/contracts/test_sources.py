"""What every log format promises, run over `SOURCES`: it knows its own recorded rows and no other's, says why it
refuses one, gives the same exchange every time, and is in the reference."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.recorded import FIXTURES, OF_SOURCE, chunks, exchanges

from revenuer.ingest import SOURCES, RowError, Source

LINES = [source for source in SOURCES if source.name != "parquet"]


def recorded(source: Source) -> list[dict[str, Any]]:
    files = [FIXTURES / name for name in OF_SOURCE[source.name] if name.endswith(".jsonl")]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def named(source: Source) -> str:
    return source.name


def test_every_source_has_recorded_rows() -> None:
    assert OF_SOURCE.keys() == {source.name for source in SOURCES}
    assert {name for names in OF_SOURCE.values() for name in names} == {file.name for file in FIXTURES.iterdir()}


@pytest.mark.parametrize("source", LINES, ids=named)
def test_it_recognises_its_own_rows_best(source: Source) -> None:
    for row in recorded(source):
        scores = {other.name: other.recognise(row) for other in SOURCES}
        assert max(scores, key=lambda name: scores[name]) == source.name
        assert sum(score > 0.5 for score in scores.values()) == 1, scores


@pytest.mark.parametrize("source", LINES, ids=named)
def test_files_are_recognised_and_the_named_format_reads_the_same(source: Source) -> None:
    for name in OF_SOURCE[source.name]:
        assert {chunk.format for chunk in chunks(FIXTURES / name)} == {source.name}
        assert exchanges(FIXTURES / name) == exchanges(FIXTURES / name, format=source.name)


@pytest.mark.parametrize("source", LINES, ids=named)
def test_ids_are_unique_and_exchanges_complete(source: Source) -> None:
    found = [e for name in OF_SOURCE[source.name] if name.endswith(".jsonl") for e in exchanges(FIXTURES / name)]
    assert len({e.id for e in found}) == len(found) >= 2
    for exchange in found:
        assert exchange.id
        assert exchange.account
        assert exchange.ts > 1.7e9
        assert exchange.messages


@pytest.mark.parametrize("source", SOURCES, ids=named)
@pytest.mark.parametrize("row", [b"", b"null", b"[]", b"7", b'"x"', b"{}", b'{"a":', b"\xff", b"[" * 100_000])
def test_what_is_no_row_is_refused_with_a_reason(source: Source, row: bytes) -> None:
    with pytest.raises(RowError, match=r"\w"):
        source.decode(row)


@pytest.mark.parametrize("source", LINES, ids=named)
def test_every_field_of_a_row_may_be_of_a_wrong_type(source: Source) -> None:
    for row in recorded(source):
        for name in row:
            values: list[Any] = [None, True, -1, 1e300, "", "x", [], [None], {}, {"a": {}}]
            for wrong in values:
                data = json.dumps({**row, name: wrong}).encode()
                with contextlib.suppress(RowError):
                    for part in source.split(data) if source.split else [data]:
                        decoded = source.decode(part)
                        assert decoded is None or decoded.ts >= 0


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_it_is_in_the_reference(source: Source, repository: Path) -> None:
    page = (repository / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    assert f"`{source.name}`" in page
