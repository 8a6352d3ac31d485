"""The shown template: what several accounts repeat, and nothing that only one of them wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from revenuer.report.template_text import LEAST_ACCOUNTS, LONGEST, template_of

HEAD, TAIL = "Work out the following exercise with great care", "and put the final result in a box"
PRIVATE = st.lists(st.sampled_from(["violet", "harbour", "nineteen", "clockwork", "sparrow"]), min_size=1, max_size=8)


def fixed(parts: object) -> str:
    return " ".join(part.text for part in parts if not part.slot)  # type: ignore[attr-defined]


def test_the_frame_is_shown_and_the_slot_is_counted() -> None:
    prompts = [(f"account {n}", f"{HEAD}: {word} {word} {TAIL}.") for n, word in enumerate(["ash", "beech", "cedar"])]
    assert [(part.text, part.slot) for part in template_of(prompts)] == [
        (HEAD, False),
        ("2 words", True),
        (TAIL, False),
    ]


@given(st.lists(st.tuples(st.integers(0, 5), PRIVATE), min_size=1, max_size=12))
def test_no_word_is_shown_that_fewer_than_three_accounts_wrote(rows: list[tuple[int, list[str]]]) -> None:
    prompts = [(str(account), f"{HEAD} {' '.join(words)} {TAIL}") for account, words in rows]
    for word in fixed(template_of(prompts)).lower().split():
        assert len({account for account, text in prompts if word in text.lower()}) >= LEAST_ACCOUNTS


def test_what_one_account_repeats_alone_is_no_template() -> None:
    assert template_of([("one", f"{HEAD} {TAIL}")] * 20 + [("two", "something else entirely, and short")]) == ()
    assert template_of([]) == ()


def test_numbers_quotations_and_links_are_slots_inside_fixed_text() -> None:
    prompts = [(str(n), f'{HEAD} number {n} from "book {n}" {TAIL}') for n in range(4)]
    parts = template_of(prompts)
    assert [part.text for part in parts if part.slot]
    assert not any(character.isdigit() for character in fixed(parts))


def test_a_very_long_template_is_cut() -> None:
    text = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}" for n in range(2000))
    shown = fixed(template_of([(str(n), text) for n in range(3)]))
    assert LONGEST <= len(shown) <= len(text)
