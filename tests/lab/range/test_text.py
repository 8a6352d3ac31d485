from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.pool import PromptPool
from revenuer.lab.range.text import Answers, reword, vary

TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=400)


@given(TEXTS, st.integers(0, 999))
def test_a_reworded_question_is_never_the_same_string(text: str, seed: int) -> None:
    assert reword(Random(seed), text) != text


@given(st.integers(0, 999))
def test_rewording_keeps_most_words(seed: int) -> None:
    text = "Please compare the harvest festivals of Bavaria and Tuscany for visitors with small children"
    kept = set(text.lower().split()) & set(reword(Random(seed), text).lower().split())
    assert len(kept) >= 9


def test_variation_changes_numbers_and_names_but_not_the_head_of_a_long_prompt() -> None:
    head = "Question: " + "worked example. " * 200
    varied = {vary(Random(s), f"{head}John has 48 apples and eats 5.") for s in range(20)}
    assert len(varied) > 10
    assert all(v.startswith(head[:1500]) for v in varied)


def test_answers_have_about_the_length_asked_and_differ(pool: PromptPool) -> None:
    answers = Answers(pool)
    made = [answers.make(Random(s), "How do I bake bread?", 40) for s in range(20)]
    assert len(set(made)) == 20
    assert all(40 <= len(m.split()) <= 60 for m in made)
    assert any("bake" in m or "bread" in m for m in made)
