"""The template that a campaign's prompts share, with its slots: spelled out for people, once, from a few prompts.

Only words that stand in the prompts of at least three accounts are shown; whatever fills a slot is left out. The texts
are read again from the log for this and are not kept.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from revenuer.fingerprint.text import spans_of
from revenuer.records import TemplatePart

RUN = 4
"""Words in a row that must recur, as in the fingerprint's chunks."""
LEAST_ACCOUNTS = 3
SHARE = 0.5
LONGEST = 4000
"""Characters of template that are shown."""


def template_of(prompts: Sequence[tuple[str, str]]) -> tuple[TemplatePart, ...]:
    """Fixed parts and slots of the prompts (account, text); empty where nothing recurs.

    The prompt with the most recurring text is shown, cut into what recurs in at least half of the prompts and in three
    accounts or more, and what does not.
    """
    spelled = [(account, text, spans_of(text)) for account, text in prompts]
    holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, (_, _, spans) in enumerate(spelled):
        words = [word for word, _, _ in spans]
        for at in range(len(words) - RUN + 1):
            holders[tuple(words[at : at + RUN])].add(number)
    accounts = [account for account, _, _ in spelled]
    need = max(LEAST_ACCOUNTS, SHARE * len(spelled))
    fixed = {
        run
        for run, where in holders.items()
        if len(where) >= need and len({accounts[number] for number in where}) >= LEAST_ACCOUNTS
    }
    if not fixed:
        return ()

    def covered(number: int) -> list[bool]:
        words = [word for word, _, _ in spelled[number][2]]
        marks = [False] * len(words)
        for at in range(len(words) - RUN + 1):
            if tuple(words[at : at + RUN]) in fixed:
                marks[at : at + RUN] = [True] * RUN
        return marks

    marks, number = max(((covered(n), n) for n in range(len(spelled))), key=lambda pair: (sum(pair[0]), -pair[1]))
    return _parts(spelled[number][1], spelled[number][2], marks)


def _parts(text: str, spans: list[tuple[str, int, int]], marks: list[bool]) -> tuple[TemplatePart, ...]:
    parts: list[TemplatePart] = []
    at = 0
    shown = 0
    while at < len(spans) and shown < LONGEST:
        end = at
        while end < len(spans) and marks[end] == marks[at]:
            end += 1
        if marks[at]:
            piece = re.sub(r"[ \t]+", " ", text[spans[at][1] : spans[end - 1][2]])
            # Folded tokens (numbers, quotations, links, code) vary from prompt to prompt: they are slots within.
            for word, fixed in _split_folded(piece):
                parts.append(TemplatePart(word, not fixed))
                shown += len(word)
        else:
            words = end - at
            parts.append(TemplatePart(f"{words} word{'s' if words != 1 else ''}", True))
        at = end
    return tuple(parts)


def _split_folded(piece: str) -> list[tuple[str, bool]]:
    out: list[tuple[str, bool]] = []
    last = 0
    for word, begin, end in spans_of(piece):
        if word.startswith("<"):
            if begin > last:
                out.append((piece[last:begin], True))
            out.append((word.strip("<>"), False))
            last = end
    if last < len(piece):
        out.append((piece[last:], True))
    return out
