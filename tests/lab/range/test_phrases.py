from __future__ import annotations

from random import Random

from revenuer.lab.range.banks import banks
from revenuer.lab.range.phrases import family, product


def _slots(x: str) -> dict[str, str]:
    return {"x": x, "answer": "42", "n": "5", "subject": "s", "language": "German", "persona": "You are a cook."}


def test_a_frozen_template_differs_only_in_its_slot() -> None:
    for name in banks().families:
        template = family(Random(1), name, None)
        a, b = (template.render(Random(i), **_slots(x))[1] for i, x in enumerate(("INPUT-A", "INPUT-B")))
        assert "INPUT-A" in a
        assert a.replace("INPUT-A", "INPUT-B") == b


def test_a_loose_template_words_itself_anew() -> None:
    template = family(Random(1), "reasoning", None, loose=True)
    assert len({template.render(Random(i), **_slots("X")) for i in range(40)}) > 30


def test_operators_rarely_share_their_wording() -> None:
    made = [family(Random(s), "reasoning", None).render(Random(0), **_slots("X")) for s in range(200)]
    assert len(set(made)) > 190
    products = [product(Random(s), None).render(Random(0), x="X") for s in range(200)]
    assert len(set(products)) == 200


def test_examples_come_before_the_input_and_stay() -> None:
    template = product(Random(4), None, examples=[("one", "first answer"), ("two", "second answer")])
    _, text = template.render(Random(0), x="THE INPUT")
    assert text.index("one") < text.index("two") < text.index("THE INPUT")
