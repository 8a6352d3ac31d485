from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.recorded import simple

from revenuer.ingest.source import RowError
from revenuer.ingest.values import (
    any_epoch,
    content_id,
    loose_float,
    loose_int,
    loose_object,
    loose_text,
    parse,
    seconds,
    strict_int,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-01-01T00:00:00z", 1767225600.0),
        ("2026-01-01 05:30:00+05:30", 1767225600.0),
        ("2025-12-31t16:00:00.25-08:00", 1767225600.25),
        ("2026-01-01T00:00:00.123456789Z", 1767225600.123456789),
        ("2016-12-31T23:59:60Z", 1483228800.0),  # a leap second
    ],
)
def test_rfc_3339(text: str, expected: float) -> None:
    assert seconds(text, "ts") == pytest.approx(expected, abs=1e-6)


@given(
    st.datetimes(datetime(1970, 1, 3), datetime(2200, 1, 1)),
    st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)
def test_any_offset_gives_the_same_moment(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert seconds(moment.astimezone(zone).isoformat(), "ts") == pytest.approx(moment.timestamp(), abs=1e-5)


@pytest.mark.parametrize("text", ["", "2026", "2026-01-01", "2026-01-01T24:00:00Z", "1969-12-31T23:59:59Z", "٢٠٢٦"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(RowError, match=r"^ts: "):
        seconds(text, "ts")


@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
def test_epochs_of_any_unit_are_told_apart(scale: float) -> None:
    assert any_epoch(int(1767225600 * scale), "ts") == pytest.approx(1767225600)
    assert any_epoch(str(int(1767225600 * scale)), "ts") == pytest.approx(1767225600)


def test_an_epoch_that_fits_no_unit_is_refused() -> None:
    with pytest.raises(RowError, match=r"too large"):
        any_epoch(1e21, "ts")


def test_numbers_where_text_or_text_where_numbers() -> None:
    row = {"text": "12", "id": 12, "yes": True, "wide": 2**80, "part": 1.5, "blank": "  "}
    assert loose_int(row, "yes", "wide", "part", "text") == 12
    assert loose_float(row, "yes", "part") == 1.5
    assert loose_text(row, "blank", "yes", "id") == "12"
    assert strict_int({"n": 3.0}, "n") == 3
    with pytest.raises(RowError, match=r"^yes: expected a whole number, got true/false"):
        strict_int(row, "yes")


def test_objects_may_come_as_json_text() -> None:
    assert loose_object({"a": "{broken", "b": '{"c": 1}'}, "a", "b") == {"c": 1}
    assert loose_object({"a": "[1]"}, "a") == {}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whole_surrogate_pairs_come_through_untouched(text: str) -> None:
    assert parse(msgspec.json.encode(text)) == text


def test_content_ids_depend_on_every_field_and_nothing_else() -> None:
    made = {content_id(simple(1, id="", **change)) for change in ({}, {"ts": 2.0}, {"account": "b"}, {"status": 200})}
    assert len(made) == 4
    assert content_id(simple(1, id="")) == "xf38fa3def57326590f4cf831507b7dc1"  # stored ids must stay what they are
