"""Small changes people and programs make to text: rewording, slot variation, and stand-in answers."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from random import Random

from revenuer.lab.range.banks import banks
from revenuer.lab.range.pool import PromptPool, content_words

CHINESE = re.compile(r"[一-鿿]")
NUMBER = re.compile(r"(?<![\w.])\d{1,4}(?![\w.])")

_NAME = re.compile(
    r"\b(?:John|Mary|James|Alice|Bob|Sarah|Tom|Mike|Peter|Jane|Natalia|Weng|Betty|Julie|Mark|Lily|Emma|David|Anna|Kate)\b"
)


def is_chinese(text: str) -> bool:
    """Whether the text has Chinese characters in its first 200."""
    return CHINESE.search(text[:200]) is not None


def reword(rng: Random, text: str) -> str:
    """The same question as its asker might put it a second time. Never the identical string."""
    if is_chinese(text):
        return (
            rng.choice(("请问", "麻烦", "再问一下，", "你好，"))
            + text.rstrip("。？?")
            + rng.choice(("？", "。谢谢", "，简单说明", "，请详细一点"))
        )
    changed = text
    for old, new in rng.sample(banks().swaps, 8):
        where = changed.lower().find(f"{old} ")
        if 0 <= where < 400:
            changed = changed[:where] + new + changed[where + len(old) :]
    roll = rng.random()
    if roll < 0.3:
        changed = changed[:1].lower() + changed[1:]
    elif roll < 0.45 and len(changed) < 300:
        changed = changed.lower()
    elif roll < 0.6 and len(changed) > 30:
        at = rng.randrange(8, min(len(changed) - 1, 200))
        changed = changed[:at] + changed[at + 1 :]
    if rng.random() < 0.5 or changed == text:
        changed = rng.choice(banks().openers) + changed
    if rng.random() < 0.5:
        changed = changed.rstrip("?. ") + rng.choice(("?", "", ".", "??")) + rng.choice(banks().closers)
    return changed


def vary(rng: Random, text: str) -> str:
    """A new question of the same make: other numbers and names, or one more constraint. Used where a list runs out."""

    def number(match: re.Match[str]) -> str:
        value = int(match.group())
        return (
            match.group()
            if rng.random() < 0.3
            else str(max(1, value + rng.randint(-max(1, value // 2), max(2, value // 2))))
        )

    tail = text[-1200:]
    varied = _NAME.sub(lambda _: rng.choice(banks().first_names), NUMBER.sub(number, tail))
    if varied == tail or rng.random() < 0.15:
        varied = f"{varied.rstrip()} {rng.choice(banks().constraints).replace('{n}', str(rng.randint(2, 40)))}"
    return text[:-1200] + varied if len(text) > 1200 else varied


class Answers:
    """Stand-in answers for conversation histories and judged texts: varied text of about the right length.

    No model's words: a word chain over the pool's benign sentences, opened with words of the question. It means nothing
    and is not meant to.
    """

    def __init__(self, pool: PromptPool) -> None:
        self._next: dict[str, list[str]] = defaultdict(list)
        budget = 120_000
        for conversation in pool.conversations:
            words = conversation.turns[0][:300].split()
            for a, b in pairwise(words):
                self._next[a].append(b)
            budget -= len(words)
            if budget < 0:
                break
        self._starts = sorted(w for w in self._next if w[:1].isupper() and w.isalpha()) or ["The"]

    def make(self, rng: Random, question: str, words: int) -> str:
        """About `words` words that begin on the question's subject."""
        if is_chinese(question):
            return rng.choice(banks().replies_zh) + "".join(
                rng.choice(banks().bodies_zh) for _ in range(1 + min(6, words // 20))
            )
        subject = content_words(question, 300)[:12]
        out = [rng.choice(banks().replies)] if rng.random() < 0.7 else []
        if subject:
            out += [*rng.sample(subject, min(3, len(subject))), "-"]
        word = rng.choice(self._starts)
        nexts = self._next
        rand = rng.random
        for _ in range(words):
            out.append(word)
            follow = nexts.get(word)
            word = follow[int(rand() * len(follow))] if follow else self._starts[int(rand() * len(self._starts))]
        return " ".join(out) + "."
