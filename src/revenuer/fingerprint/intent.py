"""What a request asks for, roughly: shares over eight intents from cue words.

Descriptive only. It tells a reader what a campaign was after; no link and no verdict rests on it, because a prompt's
wording says little about its purpose: on unseen sources, classifiers of wording accuse honest judge users
(measured in `bench`). Detects: explicit cue words in English, Chinese and Russian. Misses: everything implied.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from revenuer.fingerprint.text import Tokens


class Intent(IntEnum):
    """Order is the column order of the stored shares; only ever append."""

    OTHER = 0
    REASONING = 1
    GRADING = 2
    TASK_GENERATION = 3
    REWRITING = 4
    TRANSLATION = 5
    CODING = 6
    EXTRACTION = 7
    PROBING = 8


_CUES: dict[Intent, str] = {
    Intent.REASONING: (
        "step steps reasoning reason think thinking thought explain prove proof derive boxed solve logic solution "
        "推 理 步 证 шаг шагам рассуждение рассуждай объясни докажи реши"
    ),
    Intent.GRADING: (
        "rate rating score scores rubric criteria criterion grade evaluate evaluation assess assessment judge rank "
        "rationale annotation helpfulness correctness 评 分 оцени оценка оценку критерии критериям балл"
    ),
    Intent.TASK_GENERATION: (
        "generate diverse tasks instructions brainstorm invent variations creative list come ideas examples 生 多 样 "
        "придумай сгенерируй составь разнообразных заданий"
    ),
    Intent.REWRITING: (
        "rewrite rephrase paraphrase reword edit simplify shorten proofread tone 改 写 перефразируй перепиши"
    ),
    Intent.TRANSLATION: "translate translation phrase english german french chinese russian 译 переведи перевод",
    Intent.CODING: (
        "code function python javascript java program programming implement algorithm sql query class bug compile "
        "html css api 代 码 код программу функцию"
    ),
    Intent.EXTRACTION: "summarize summary summarise extract classify classification label identify 摘 кратко извлеки",
    Intent.PROBING: "ignore jailbreak bypass filter pretend prompt secret unrestricted dan",
}
_PRIOR = 0.35
"""Cue hits that `OTHER` starts with: a text needs real cues to leave it."""


class IntentModel:
    """Cue words resolved against one vocabulary's hashes."""

    def __init__(self, hash_word: dict[str, int]) -> None:
        pairs = sorted((hash_word[word], intent) for intent, words in _CUES.items() for word in words.split())
        self._hashes = np.array([value for value, _ in pairs], np.uint64)
        self._intents = np.array([intent for _, intent in pairs], np.int64)

    @staticmethod
    def cue_words() -> list[str]:
        """Every cue word, for the caller to hash with its key."""
        return sorted({word for words in _CUES.values() for word in words.split()})

    def shares(self, tokens: Tokens, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
        """Shares (n, 9) of each text over the intents, in 1/255; rows sum to about 255."""
        count = len(tokens.starts) - 1
        hits = np.zeros((count, len(Intent)), np.float32)
        hits[:, Intent.OTHER] = _PRIOR
        if len(tokens.ids):
            words = hashes[tokens.ids]
            at = np.minimum(np.searchsorted(self._hashes, words), len(self._hashes) - 1)
            found = self._hashes[at] == words
            np.add.at(hits, (tokens.owners[found], self._intents[at[found]]), 1.0)
        hits[:, 1:] = np.sqrt(hits[:, 1:])
        shares: npt.NDArray[np.uint8] = np.rint(255 * hits / hits.sum(axis=1, keepdims=True)).astype(np.uint8)
        return shares
