"""Small changes people and programs make to text: rewording, slot variation, and stand-in answers."""

from __future__ import annotations

import re
from collections import defaultdict
from random import Random

from revenuer.lab.range.pool import PromptPool, content_words

CHINESE = re.compile(r"[一-鿿]")
NUMBER = re.compile(r"(?<![\w.])\d{1,4}(?![\w.])")

_OPENERS = (
    "hi, ", "Hello! ", "hey ", "Please ", "quick question: ", "Again: ", "So ", "ok so ", "Could you help? ", "I asked before but ",
    "sorry, ", "One more time, ", "Let me rephrase. ", "For context, ", "Question - ", "Hmm, ",
)  # fmt: skip
_CLOSERS = (
    " thanks", " Thank you!", " please", " Keep it short.", " More detail this time.", " thx", " Be concise.", " Explain simply.",
    " I need this for tomorrow.", " Give an example.", " as simple as possible", " What am I missing?", " (short answer)",
)  # fmt: skip
_SWAPS = (
    ("what is", "what's"), ("do not", "don't"), ("how do i", "how can i"), ("create", "make"), ("write", "draft"), ("explain", "describe"),
    ("give me", "show me"), ("list", "enumerate"), ("help me", "assist me"), ("use", "employ"), ("find", "look for"), ("big", "large"),
    ("start", "begin"), ("buy", "get"), ("need", "want"), ("good", "decent"), ("difference", "distinction"), ("generate", "produce"),
    ("can you", "could you"), ("i would like", "i want"), ("and", "&"), ("are", "r"), ("because", "since"), ("problem", "issue"),
)  # fmt: skip
_NAMES = (
    "Alex",
    "Sam",
    "Maria",
    "Chen",
    "Priya",
    "Omar",
    "Julia",
    "Tom",
    "Aisha",
    "Ivan",
    "Lena",
    "Noah",
    "Yuki",
    "Carlos",
    "Emma",
    "David",
)
_NAME = re.compile(
    r"\b(?:John|Mary|James|Alice|Bob|Sarah|Tom|Mike|Peter|Jane|Natalia|Weng|Betty|Julie|Mark|Lily|Emma|David|Anna|Kate)\b"
)
_CONSTRAINTS = (
    "Keep the answer under {n} words.", "Use at least {n} examples.", "Assume the reader is a beginner.", "Cite the rule you used.",
    "Answer for an audience of {n}-year-olds.", "Structure the answer in {n} parts.", "Use a formal tone.", "Avoid jargon.",
    "Mention one common mistake.", "Give two alternatives.", "End with a one-line summary.", "State your assumptions first.",
)  # fmt: skip
_REPLY = (
    "Sure.", "Certainly!", "Here is one way to look at it.", "Good question.", "Of course.", "Let's go through it.", "In short:", "Yes.", "No, not quite.",
    "There are a few options.", "I'd start with the basics.", "That depends on your setup.", "Thanks for the details.", "Happy to help.", "Right.",
)  # fmt: skip
_REPLY_ZH = (
    "好的。",
    "可以这样理解：",
    "下面是我的建议。",
    "当然可以。",
    "主要有以下几点：",
    "这取决于具体情况。",
    "没问题。",
)
_BODY_ZH = (
    "首先确认需求，然后逐步处理。",
    "需要注意边界条件。",
    "建议先做一个简单的版本。",
    "可以参考官方文档。",
    "最后检查结果是否合理。",
    "重点在于理解背景。",
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
    for old, new in rng.sample(_SWAPS, 8):
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
        changed = rng.choice(_OPENERS) + changed
    if rng.random() < 0.5:
        changed = changed.rstrip("?. ") + rng.choice(("?", "", ".", "??")) + rng.choice(_CLOSERS)
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
    varied = _NAME.sub(lambda _: rng.choice(_NAMES), NUMBER.sub(number, tail))
    if varied == tail or rng.random() < 0.35:
        varied = f"{varied.rstrip()} {rng.choice(_CONSTRAINTS).replace('{n}', str(rng.randint(2, 120)))}"
    return text[:-1200] + varied if len(text) > 1200 else varied


class Answers:
    """Stand-in answers, for conversation histories and judged texts: no model's words, but varied text of about the right length.

    A word chain over the pool's own benign sentences, opened with words of the question. It means nothing and is not meant to.
    """

    def __init__(self, pool: PromptPool) -> None:
        self._next: dict[str, list[str]] = defaultdict(list)
        budget = 120_000
        for conversation in pool.conversations:
            words = conversation.turns[0][:300].split()
            for a, b in zip(words, words[1:], strict=False):
                self._next[a].append(b)
            budget -= len(words)
            if budget < 0:
                break
        self._starts = sorted(w for w in self._next if w[:1].isupper() and w.isalpha()) or ["The"]

    def make(self, rng: Random, question: str, words: int) -> str:
        """About `words` words that begin on the question's subject."""
        if is_chinese(question):
            return rng.choice(_REPLY_ZH) + "".join(rng.choice(_BODY_ZH) for _ in range(1 + min(6, words // 20)))
        subject = content_words(question, 300)[:12]
        out = [rng.choice(_REPLY)] if rng.random() < 0.7 else []
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
