from __future__ import annotations

from revenuer.ingest import SOURCES, IngestError, RowError
from revenuer.ingest.registry import source_named


def test_names_are_unique_and_find_their_source() -> None:
    assert [source_named(source.name) for source in SOURCES] == list(SOURCES)


def test_a_bad_row_and_a_broken_run_are_caught_apart() -> None:
    assert not issubclass(RowError, IngestError)
    assert not issubclass(IngestError, ValueError), "no `except ValueError` around a row may swallow it"
