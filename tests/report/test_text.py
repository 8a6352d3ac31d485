from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.report import text

ANY_TEXT = st.text(st.characters(), max_size=200)  # surrogates and controls included


@given(ANY_TEXT)
def test_nothing_shown_can_hide_reorder_or_break_encoding(value: str) -> None:
    for shown in (text.ident(value), text.prose(value), text.passage(value)):
        shown.encode("utf-8")
        for character in shown:
            allowed = character in "\n\t\u200c\u200d" or unicodedata.category(character) not in (
                "Cc",
                "Cf",
                "Cs",
                "Zl",
                "Zp",
            )
            assert allowed, repr(character)
    assert "\n" not in text.prose(value)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=60))
def test_ordinary_text_of_every_script_is_shown_as_it_is(value: str) -> None:
    assert text.prose(value) == value
    assert text.ident(value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x00b", "a␀b"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\ud800b", "a⟨U+D800⟩b"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("\U000e0041", "⟨U+E0041⟩"),
    ],
)
def test_identifiers_show_what_they_hide(value: str, shown: str) -> None:
    assert text.ident(value) == shown


def test_joiners_that_words_need_stay_in_prose_but_not_in_identifiers() -> None:
    assert text.prose("می\u200cخواهم") == "می\u200cخواهم"
    assert text.ident("می\u200cخواهم") == "می⟨U+200C⟩خواهم"


def test_long_strings_are_cut_and_say_so() -> None:
    shown = text.prose("x" * 1_000_000)
    assert len(shown) < 700
    assert shown.endswith("[cut: 1,000,000 characters in all]")


def test_towers_of_combining_marks_are_cut() -> None:
    assert len(text.prose("a" + "\u0301" * 500)) < 20


def test_passages_keep_their_lines() -> None:
    assert text.passage("a\r\nb\tc") == "a\nb\tc"


@given(st.floats(0, 1e9), st.floats(0.001, 1e9))
def test_shares_never_round_something_to_nothing_or_nearly_all_to_all(part: float, whole: float) -> None:
    shown = text.percent(part, whole)
    assert (shown == "0\u00a0%") == (part / whole == 0)
    assert (shown == "100\u00a0%") == (100 * part / whole >= 100)


@given(st.floats(1e-9, 1, exclude_min=True))
def test_bounds_are_never_made_to_look_better(bound: float) -> None:
    words = text.rarity(bound)
    assert words is not None
    hits, cases = (int(part.replace(",", "")) for part in words.split("\u00a0in\u00a0"))
    assert hits / cases >= bound * (1 - 1e-6)
    assert hits / cases <= bound * 1.2 + 0.01


@pytest.mark.parametrize(
    ("bound", "words"),
    [(0.001, "1 in 1,000"), (0.002, "1 in 500"), (0.05, "1 in 20"), (0.5, "50 in 100"), (0.0013, "1 in 760")],
)
def test_bounds_in_words(bound: float, words: str) -> None:
    assert text.rarity(bound) == words.replace(" ", "\u00a0")


@pytest.mark.parametrize("bound", [None, 0.0, -1.0, 2.0, math.nan])
def test_no_bound_is_invented(bound: float | None) -> None:
    assert text.rarity(bound) is None
    assert "none is stated" in text.bound_sentence(bound)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (math.log(1100), "1,100 times likelier under one operator than two"),
        (-math.log(3.4), "3.4 times likelier under two operators than one"),
        (0.0, "equally likely under one operator and two"),
        (math.inf, "over a million times likelier under one operator than two"),
        (math.nan, "not measured"),
    ],
)
def test_weights_in_words(weight: float, words: str) -> None:
    assert text.odds(weight) == words


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"), (0.05, "0.05 s"), (42, "42 s"), (59.7, "1 min"), (68, "1 min 8 s"), (3_000, "50 min"),
        (5_400, "1 h 30 min"), (97_200, "1 d 3 h"), (-1, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_durations(seconds: float, shown: str) -> None:
    assert text.duration(seconds).replace("\u00a0", " ") == shown


@given(st.floats())
def test_any_number_can_be_shown(number: float) -> None:
    assert text.instant(number)
    assert text.day(number)
    assert text.clock(number)
    assert text.decimal(number)
    assert text.value(number)
    assert text.duration(number)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (987, "987"), (999, "999"), (1_019, "1.0k"), (12_345, "12k"), (999_600, "1.0M"), (5_100_000, "5.1M")],
)
def test_compact_counts(number: int, shown: str) -> None:
    assert text.compact(number) == shown


def test_instants_are_utc_and_no_time_is_never() -> None:
    assert text.instant(1_772_323_200.0) == "2026-03-01 00:00"
    assert text.instant(None) == "never"
    assert text.day(1_772_323_200.0) == "1\u00a0Mar\u00a02026"


def test_counts_agree_with_their_noun() -> None:
    assert text.plural(1, "account") == "1\u00a0account"
    assert text.plural(0, "account") == "0\u00a0accounts"
    assert text.plural(2, "group is", "groups are") == "2\u00a0groups are"
