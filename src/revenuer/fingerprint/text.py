"""Text to token arrays: normalising, and one growing vocabulary that everything else is looked up in.

Normalised text (after NFKC and lower case) has its moving parts folded, so that a template filled in twice reads
the same twice: numbers, URLs, quoted strings and fenced code each become one token. Han, Kana and Hangul have no
spaces, so each of their characters is a token.

Words are hashed with a key of the installation, so that sketches mean nothing elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from revenuer.fingerprint.model import StaticModel

U64 = npt.NDArray[np.uint64]

NUMBER, URL, QUOTED, CODE = 0, 1, 2, 3
FOLDED = ("<num>", "<url>", "<str>", "<code>")

HEAD_CHARS = 6000
TAIL_CHARS = 2000
"""A text longer than head + tail is fingerprinted on its two ends: cost stays bounded, both frames are kept."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W\d_{_CJK}]+|\d+(?:[.,:]\d+)*")
_FOLDS = (
    (re.compile(r"```.*?(?:```|\Z)", re.S), "```", " \x04 "),
    (re.compile(r"https?://\S+"), "://", " \x02 "),
    (re.compile(r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|`[^`\n]{1,400}`"), None, " \x03 "),
)
_TOKEN_FOLDED = re.compile(rf"[\x02\x03\x04]|[{_CJK}]|[^\W\d_{_CJK}]+|\d+(?:[.,:]\d+)*")
_MARKS = {"\x02": URL, "\x03": QUOTED, "\x04": CODE}
_QUOTES = re.compile(r"[\"“`]|://")


@dataclass(frozen=True)
class Tokens:
    """Token ids of a batch of texts, end to end. `starts` has one entry more than there are texts."""

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens in each text."""
        return np.diff(self.starts)

    @property
    def owners(self) -> npt.NDArray[np.int32]:
        """For each token, the index of the text it stands in."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), self.lengths)


class _WordIds(dict[str, int]):
    """Word -> id; an unknown word gets the next id on first look-up, any number the id of `<num>`."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def __missing__(self, word: str) -> int:
        if word[0].isdigit():
            index = NUMBER
        else:
            index = len(self.words)
            self.words.append(word)
        self[word] = index
        return index


class Vocabulary:
    """Words seen so far, each with its keyed hash and its static embedding.

    A word's embedding is computed once; afterwards a text costs one dictionary look-up a word. The table is
    emptied when it reaches `limit` words, which bounds memory and changes no result.
    """

    def __init__(self, model: StaticModel, key: int, limit: int = 200_000) -> None:
        self._model = model
        self._key = key
        self._limit = limit
        self._reset()

    def _reset(self) -> None:
        self._ids = _WordIds()
        self.hashes: U64 = np.empty(0, np.uint64)
        self.vectors: npt.NDArray[np.float32] = np.empty((0, self._model.dim), np.float32)
        self.weights: npt.NDArray[np.float32] = np.empty(0, np.float32)
        for token in FOLDED:
            self._ids[token]
        self.flush()

    def flush(self) -> None:
        """Give every word met since the last call its hash and vector."""
        done = len(self.hashes)
        fresh = self._ids.words[done:]
        if not fresh:
            return
        hashes = np.array([xxhash.xxh3_64_intdigest(word.encode(), seed=self._key) for word in fresh], np.uint64)
        vectors, weights = self._model.word_vectors(fresh)
        if done == 0:
            # A folded token stands for text that was taken out: it has a place in a template and no meaning.
            vectors[: len(FOLDED)] = 0
            weights[: len(FOLDED)] = 0
        self.hashes = np.concatenate([self.hashes, hashes])
        self.vectors = np.concatenate([self.vectors, vectors])
        self.weights = np.concatenate([self.weights, weights])

    def encode(self, texts: Sequence[str]) -> tuple[Tokens, Tokens]:
        """Tokens with moving parts folded (for templates), and in full (for meaning), of each text."""
        if len(self._ids.words) > self._limit:
            self._reset()
        folded: list[int] = []
        full: list[int] = []
        folded_starts = [0]
        full_starts = [0]
        lookup = self._ids.__getitem__
        for text in texts:
            plain = clean(text)
            ids = list(map(lookup, _TOKEN.findall(plain)))
            full += ids
            if _QUOTES.search(plain):
                for pattern, needle, mark in _FOLDS:
                    if needle is None or needle in plain:
                        plain = pattern.sub(mark, plain)
                marks = _TOKEN_FOLDED.findall(plain)
                ids = [lookup(FOLDED[_MARKS[word]] if word in _MARKS else word) for word in marks]
            folded += ids
            folded_starts.append(len(folded))
            full_starts.append(len(full))
        self.flush()
        return (
            Tokens(np.array(folded, np.int32), np.array(folded_starts, np.int64)),
            Tokens(np.array(full, np.int32), np.array(full_starts, np.int64)),
        )


def clean(text: str) -> str:
    """NFKC, lower case, and the two ends of a very long text."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.lower()


_SPAN = re.compile(
    r"(?P<code>```.*?(?:```|\Z))|(?P<url>https?://\S+)|(?P<str>\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|`[^`\n]{1,400}`)"
    rf"|(?P<num>\d+(?:[.,:]\d+)*)|(?P<word>[{_CJK}]|[^\W\d_{_CJK}]+)",
    re.S,
)


def spans_of(text: str) -> list[tuple[str, int, int]]:
    """Folded tokens of one text with where they stand in it: (token, begin, end). For showing templates to people."""
    out = []
    for match in _SPAN.finditer(text[: HEAD_CHARS + TAIL_CHARS]):
        kind = match.lastgroup
        word = match.group().lower() if kind == "word" else f"<{kind}>"
        out.append((word, match.start(), match.end()))
    return out
