"""Templates of our own around real prompts, each operator with its own wording.

Honest products and campaigns draw from the same families (a tutor and a trace harvester both ask for steps), so wording
alone does not tell them apart. A template is a list of segments; a segment is a list of alternatives. Frozen, it keeps
one choice for all requests; loose, it chooses again for each. On top of the bank's choice an operator has a style, its
own synonyms, marks and letter case, so that two operators rarely share a long run of words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from revenuer.lab.range.banks import Segment, banks, half
from revenuer.lab.range.config import Fold
from revenuer.lab.range.infra import coin, company

SLOTS = ("persona", "n", "subject", "language", "answer", "x")


class Style:
    """One operator's habits of wording, applied to bank text only, never to the input."""

    def __init__(self, rng: Random) -> None:
        groups = rng.sample(banks().synonyms, rng.randint(4, 14))
        self._swaps = [(re.compile(rf"(?<![\w<{{]){word}(?![\w>}}])"), rng.choice(g)) for g in groups for word in g]
        self._mark = rng.choice(banks().marks) if rng.random() < 0.3 else ""
        self._case = rng.choice(("", "", "", "", "lower", "upper_first"))
        self._end = rng.choice((".", ".", ".", "!", "", ":"))

    def apply(self, text: str) -> str:
        """The text in this style; slots are left alone."""
        if len(text) > 600:
            return text
        for old, new in self._swaps:
            text = old.sub(new, text, count=1)
        if text and "{" not in text:
            if self._case == "lower":
                text = text.lower()
            elif self._case == "upper_first":
                first, _, rest = text.partition(" ")
                text = f"{first.upper()} {rest}".rstrip()
            if text.endswith(".") and self._end != ".":
                text = text[:-1] + self._end
            text = self._mark + text
        return text


class Template:
    """Segments for the system and the user turn, frozen or loose."""

    def __init__(
        self, rng: Random, system: Sequence[Segment], user: Sequence[Segment], *, loose: bool = False, sep: str = "\n"
    ) -> None:
        style = Style(rng)

        def pin(segment: Segment) -> Segment:
            if loose:
                return segment
            return (style.apply(rng.choice(segment)),)

        self._system = [pin(s) for s in system if s]
        self._user = [pin(s) for s in user if s]
        self._sep = sep

    def render(self, rng: Random, **slots: str) -> tuple[str | None, str]:
        """(system turn or None, user turn) with the slots filled."""
        system = self._join(rng, self._system, " ", slots)
        return system or None, self._join(rng, self._user, self._sep, slots)

    @staticmethod
    def _join(rng: Random, segments: list[Segment], sep: str, slots: dict[str, str]) -> str:
        text = sep.join(p for p in (s[0] if len(s) == 1 else rng.choice(s) for s in segments) if p)
        for name in SLOTS:
            if name in slots:
                text = text.replace(f"{{{name}}}", slots[name])
        return text


def family(rng: Random, name: str, fold: Fold | None, *, loose: bool = False) -> Template:
    """One operator's wording of a family."""
    found = banks().families[name]
    keep_system = rng.random() < 0.6 or name == "persona"
    return Template(
        rng,
        [half(s, fold) for s in found.system] if keep_system else [],
        [half(s, fold) for s in found.user],
        loose=loose,
        sep=rng.choice(("\n", "\n\n", " ")),
    )


def product(
    rng: Random,
    fold: Fold | None,
    *,
    task: str | None = None,
    lang: str | None = None,
    system: bool | None = None,
    examples: Sequence[tuple[str, str]] = (),
) -> Template:
    """An ordinary product's own wording: who it is, a few rules, a task, the input, the format wanted.

    `examples` (input, output) are put before the input, the same in every request, as few-shot prompts do.
    """
    bank = banks()
    co = company(rng)
    fill = {
        "{co}": co,
        "{bot}": coin(rng),
        "{what}": rng.choice(half(bank.products, fold)),
        "{language}": rng.choice(bank.languages),
        "{k}": str(rng.randint(2, 12)),
    }

    def done(text: str) -> str:
        for slot, value in fill.items():
            text = text.replace(slot, value)
        return text

    with_system = rng.random() < 0.65 if system is None else system
    if lang in bank.local:
        role, rule, ask, given, out = (done(p) for p in bank.local[lang])
        return Template(
            rng,
            [(role,), (rule,)] if with_system else [],
            [(ask,) if rng.random() < 0.6 else ("",), (given,), (out,) if rng.random() < 0.5 else ("",)],
        )
    rules = rng.sample(half(bank.rules, fold), rng.randint(1, 9))
    role = done(rng.choice(half(bank.roles, fold)))
    head = [(role,), *((done(r),) for r in rules)] if with_system else []
    asked = done(task or rng.choice(half(bank.tasks, fold)))
    ending = rng.choice((".", ":", ". Be brief.", f" for {co}."))
    body: list[Segment] = [(done(rng.choice(half(bank.inputs, fold))),), (done(rng.choice(half(bank.formats, fold))),)]
    if not with_system and rng.random() < 0.5:
        body.insert(0, (role,))
    if examples:
        given, result = rng.choice(
            (("Input", "Output"), ("Q", "A"), ("Text", "Result"), ("User", "Reply"), ("IN", "OUT"))
        )
        body.insert(0, ("\n\n".join(f"{given}: {x}\n{result}: {y}" for x, y in examples),))
    if rng.random() < 0.75 or not with_system:
        body.insert(0, (asked + ending,))
    return Template(rng, head, body, sep=rng.choice(("\n", "\n\n", " ")))
