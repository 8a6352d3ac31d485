"""Normalising and folding of text, and the vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.fingerprint.model import load
from revenuer.fingerprint.text import FOLDED, HEAD_CHARS, TAIL_CHARS, Vocabulary, clean, spans_of

WORDS = Vocabulary(load(), 7)


def folded(text: str, words: Vocabulary = WORDS) -> list[int]:
    """Hashes of the folded tokens."""
    tokens, _ = words.encode([text])
    return [int(value) for value in words.hashes[tokens.ids]]


def full(text: str) -> int:
    return int(WORDS.encode([text])[1].lengths[0])


SAME_WHEN_FOLDED = [
    ("Add 17 and 4.", "Add 2,300.5 and 12:30."),
    ('Say "good morning" twice', 'Say "bonne nuit, cher ami" twice'),
    ("Say “good morning” twice", "Say “no” twice"),
    ("run `ls -l` now", "run `rm x` now"),
    ("open https://a.example/x?y=1 please", "open http://b.example please"),
    ("fix ```python\nx = 1\n``` now", "fix ```js\nlet y = 'z';\nlet q;\n``` now"),
    ("fix ```python\nx = 1", "fix ```never closed at all"),
    ("Cafe\u0301 １２", "café 99"),
    ("HELLO  there\n\nfriend!", "hello there, friend"),
    ("请解释第3步", "请解释第12步"),
    ("Реши задачу 5", "реши ЗАДАЧУ 81"),
]


@pytest.mark.parametrize(("one", "other"), SAME_WHEN_FOLDED)
def test_moving_parts_are_folded(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("add 3 apples", "add three apples"), ("say good", "say bad"), ("реши это", "реши то"), ("解释", "证明")],
)
def test_words_are_not_folded(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_every_character_of_a_script_without_spaces_is_a_token() -> None:
    assert full("证明勾股定理") == 6
    assert full("докажи теорему") == 2
    assert full("プログラム") == 5
    assert full("한국어") == 3


@pytest.mark.parametrize("text", ["", " \n\t", "!?…", "\ud800", "\x00\x02\x03\x04", "___"])
def test_texts_without_words(text: str) -> None:
    tokens, whole = WORDS.encode([text])
    assert whole.lengths.tolist() == [0]
    assert tokens.lengths.tolist() == [0]


def test_a_lone_surrogate_is_passed_over() -> None:
    assert folded("good \udfff morning") == folded("good morning")


def test_a_very_long_text_is_read_at_both_ends() -> None:
    long = "alpha " * 2000 + "middle " * 150_000 + "omega " * 2000
    assert len(clean(long)) == HEAD_CHARS + 1 + TAIL_CHARS
    plain = clean(long)
    assert plain.startswith("alpha")
    assert plain.endswith("omega ")
    assert "middle" not in plain


@given(st.text(max_size=300))
def test_cleaning_twice_changes_what_is_tokenised_no_more(text: str) -> None:
    # NFKC of a lowered text may differ once (dotted capital I), so tokens are compared, not characters.
    once = clean(text)
    assert clean(once) == clean(clean(once))


@given(st.lists(st.text(max_size=80), max_size=8))
def test_texts_are_laid_end_to_end(texts: list[str]) -> None:
    for tokens in WORDS.encode(texts):
        assert len(tokens.starts) == len(texts) + 1
        assert tokens.starts[0] == 0
        assert tokens.starts[-1] == len(tokens.ids)
        assert (np.bincount(tokens.owners, minlength=len(texts)) == tokens.lengths).all()


def test_emptying_the_vocabulary_changes_no_result() -> None:
    small = Vocabulary(load(), 7, limit=30)
    texts = [" ".join(f"word{chr(97 + n)}{chr(97 + m)}" for m in range(20)) for n in range(20)]
    for text in texts:
        assert folded(text, small) == folded(text)
        ids = small.encode([text])[1].ids
        want = WORDS.encode([text])[1].ids
        assert np.array_equal(small.vectors[ids], WORDS.vectors[want])
    assert len(small.hashes) < 80, "it was emptied on the way"


def test_every_word_hash_depends_on_the_key() -> None:
    other = Vocabulary(load(), 8)
    text = 'Write "x" 3 times, as https://a.example says'
    assert not set(folded(text)) & set(folded(text, other))


def test_folded_tokens_have_a_hash_and_no_meaning() -> None:
    assert len(set(WORDS.hashes[: len(FOLDED)].tolist())) == len(FOLDED)
    assert not WORDS.vectors[: len(FOLDED)].any()


def test_spans_show_where_each_token_stands() -> None:
    text = 'Ask "why" 12 times at https://a.example or ```x = 1``` now'
    found = spans_of(text)
    assert [token for token, _, _ in found] == ["ask", "<str>", "<num>", "times", "at", "<url>", "or", "<code>", "now"]
    assert [text[begin:end] for _, begin, end in found][1:3] == ['"why"', "12"]


@given(st.text(alphabet="ab 1\"`'./:é中\n", max_size=120))
def test_spans_agree_with_the_folded_tokens(text: str) -> None:
    shown = [token for token, _, _ in spans_of(text)]
    tokens, _ = WORDS.encode([text])
    plain = [token for token in shown if token not in FOLDED]
    hashes = iter(folded(" ".join(plain)))
    marks = dict(zip(FOLDED, WORDS.hashes.tolist(), strict=False))
    assert [marks[token] if token in marks else next(hashes) for token in shown] == WORDS.hashes[tokens.ids].tolist()
