"""Sketches against plain-Python oracles, and what they are for: templates are found, strangers are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import BANKING, MATH, SQL, prompts

from revenuer.fingerprint.model import load
from revenuer.fingerprint.sketch import (
    BANDS,
    BINS,
    CHUNK,
    FRAME,
    HASH_BITS,
    containment,
    frame_hash,
    mix,
    sketch,
    whole_hash,
)
from revenuer.fingerprint.text import Tokens, Vocabulary

MASK = (1 << 64) - 1
IDS = st.lists(st.lists(st.integers(0, 30), max_size=40), min_size=1, max_size=6)
HASHES = mix(np.arange(1, 32, dtype=np.uint64))

words = Vocabulary(load(), 5)


def tokens_of(texts: list[list[int]]) -> Tokens:
    starts = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return Tokens(np.array([i for text in texts for i in text], np.int32), starts)


def chunks_of(*texts: str, k: int = 24) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return sketch(words.encode(texts)[0], words.hashes, k).chunks


def plain_mix(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def plain_chunks(text: list[int]) -> set[int]:
    """52-bit hashes of the chunks of one text, as the module's docstring says."""
    hashes = [int(HASHES[i]) for i in text]
    golden = 0x9E3779B97F4A7C15
    found = []
    if 0 < len(text) < CHUNK:
        value = 0
        for word in hashes[:FRAME]:
            value = plain_mix((value * golden + word + 1) & MASK)
        found = [value]
    for at in range(len(text) - CHUNK + 1):
        value = hashes[at]
        for word in hashes[at + 1 : at + CHUNK]:
            value = plain_mix((value * golden + word) & MASK)
        found.append(value)
    return {value >> (64 - HASH_BITS) | 1 for value in found}


@given(st.lists(st.integers(0, MASK), min_size=1, max_size=20))
def test_mix_is_the_published_finaliser(values: list[int]) -> None:
    assert mix(np.array(values, np.uint64)).tolist() == [plain_mix(value) for value in values]


@given(IDS, st.integers(1, 12))
def test_bottom_k_is_the_k_smallest_distinct_chunks(texts: list[list[int]], k: int) -> None:
    found = sketch(tokens_of(texts), HASHES, k).chunks
    for row, text in zip(found, texts, strict=True):
        expected = sorted(plain_chunks(text))[:k]
        assert row.tolist() == expected + [0] * (k - len(expected))


@given(IDS)
def test_bands_are_those_of_one_permutation_minhash(texts: list[list[int]]) -> None:
    found = sketch(tokens_of(texts), HASHES, 4).bands
    for row, text in zip(found, texts, strict=True):
        minima = [0] * BINS
        for value in sorted(plain_chunks(text), reverse=True):
            minima[value >> (HASH_BITS - 4)] = value
        if not any(minima):
            assert not row.any()
            continue
        while 0 in minima:
            minima = [minima[i] or minima[(i + 1) % BINS] for i in range(BINS)]
        width = BINS // BANDS
        expected = []
        for band in range(BANDS):
            value = 0
            for minimum in minima[band * width : (band + 1) * width]:
                value = plain_mix(value ^ (minimum + 0x9E3779B97F4A7C15) & MASK)
            expected.append(value)
        assert row.tolist() == expected


@given(IDS)
def test_a_text_is_sketched_alike_in_every_company(texts: list[list[int]]) -> None:
    together = sketch(tokens_of(texts), HASHES, 8)
    for row, text in enumerate(texts):
        alone = sketch(tokens_of([text]), HASHES, 8)
        assert alone.chunks[0].tolist() == together.chunks[row].tolist()
        assert alone.bands[0].tolist() == together.bands[row].tolist()
        for mine, all_of_them in zip(
            (*frame_hash(tokens_of([text]), HASHES), whole_hash(tokens_of([text]), HASHES)),
            (*frame_hash(tokens_of(texts), HASHES), whole_hash(tokens_of(texts), HASHES)),
            strict=True,
        ):
            assert mine[0] == all_of_them[row]


@given(st.lists(st.integers(0, 30), max_size=20), st.lists(st.integers(0, 30), max_size=20))
def test_frames_and_whole_texts_are_equal_exactly_when_the_words_are(a: list[int], b: list[int]) -> None:
    pair = tokens_of([a, b])
    prefix, suffix = frame_hash(pair, HASHES)
    assert (prefix[0] == prefix[1]) == (a[:FRAME] == b[:FRAME])
    assert (suffix[0] == suffix[1]) == (a[-FRAME:] == b[-FRAME:])
    whole = whole_hash(pair, HASHES)
    assert (whole[0] == whole[1]) == (a == b)
    assert (whole[0] == 0) == (not a)


def test_a_batch_that_would_overflow_is_refused() -> None:
    count = (1 << (64 - HASH_BITS)) + 1
    with pytest.raises(ValueError, match="at most 4096"):
        sketch(Tokens(np.zeros(count, np.int32), np.arange(count + 1)), HASHES, 4)


TEMPLATE = (
    "You are an expert annotator for a research project. Read the problem below with great care, think about it step "
    "by step, consider at least two different approaches, and write down every intermediate result that you rely on. "
    "Then check your own reasoning for mistakes and state the final answer on a line of its own.\n\n{}\n\nReasoning:"
)


def test_two_fills_of_a_template_contain_each_other() -> None:
    slots = [text for text in prompts(MATH) if 100 < len(text) <= len(TEMPLATE)][:40]
    fills = chunks_of(*(TEMPLATE.format(text) for text in slots))
    assert min(containment(a, b) for a in fills[:10] for b in fills) >= 0.5


def test_unrelated_texts_share_nothing() -> None:
    mine = chunks_of(*prompts(BANKING)[:60])
    theirs = chunks_of(*prompts(SQL)[:1], *prompts(MATH)[:60])
    found = np.array([[containment(a, b) for b in theirs] for a in mine])
    assert np.mean(found > 0) < 0.05
    assert np.mean(found) < 0.01


@given(IDS)
def test_containment_is_symmetric_and_whole_for_a_text_in_itself(texts: list[list[int]]) -> None:
    found = sketch(tokens_of([*texts, []]), HASHES, 8).chunks
    for a in found:
        assert containment(a, a) == (1.0 if a.any() else 0.0)
        for b in found:
            assert containment(a, b) == containment(b, a)
            assert 0 <= containment(a, b) <= 1


def test_near_duplicates_meet_in_a_band_and_strangers_do_not() -> None:
    def meet(a: str, b: str) -> bool:
        pair = sketch(words.encode([a, b])[0], words.hashes, 8).bands
        return bool((pair[0] == pair[1]).any())

    originals = [text for text in prompts(MATH) if 250 < len(text) < 1500][:40]
    edited = [text.replace(" the ", " a ", 1) + " Thanks." for text in originals]
    assert all(meet(a, a) for a in originals)
    assert sum(map(meet, originals, edited)) >= 0.9 * len(originals)
    assert sum(map(meet, originals, prompts(BANKING)[:40])) == 0
