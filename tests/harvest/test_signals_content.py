"""Signals of what is asked, each against its definition spelled out slowly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway
from tests.harvest.made import ACCOUNTS, MOST, codes, made

from revenuer.harvest.signals_content import (
    answer_anova,
    apart,
    content_anova,
    distinct_between,
    distinct_within,
    fixed_share,
    length_anova,
    near_distinct,
    single_turn,
    template_share,
)

Rows = list[tuple[int, int]]


@given(codes)
def test_a_text_that_one_account_alone_sent_is_distinct_between(rows: Rows) -> None:
    account, code = zip(*rows, strict=True)
    text = [value + 1 for value in code]
    alone = [len({a for a, t in zip(account, text, strict=True) if t == mine}) == 1 for mine in text]
    assert distinct_between(made(account, text=text)) == pytest.approx(np.mean(alone))


@given(codes)
def test_distinct_within_is_the_mean_over_accounts_of_texts_an_exchange(rows: Rows) -> None:
    account, code = zip(*rows, strict=True)
    text = [value + 1 for value in code]
    texts = [[t for a, t in zip(account, text, strict=True) if a == mine] for mine in set(account)]
    assert distinct_within(made(account, text=text)) == pytest.approx(np.mean([len(set(t)) / len(t) for t in texts]))


@given(codes, st.integers(0, 3))
def test_one_shared_band_makes_near_duplicates(rows: Rows, column: int) -> None:
    account, band = zip(*rows, strict=True)
    bands = np.arange(1000, 1000 + 4 * len(rows)).reshape(-1, 4)
    bands[:, column] = np.array(band) + 1
    times = Counter(band)
    assert near_distinct(made(account, bands=bands)) == pytest.approx(np.mean([times[b] == 1 for b in band]))


@given(codes)
def test_an_exchange_without_a_parent_opens_a_conversation(rows: Rows) -> None:
    account, code = zip(*rows, strict=True)
    parent = [max(0, value) for value in code]
    assert single_turn(made(account, parent=parent)) == pytest.approx(parent.count(0) / len(parent))


def test_variance_of_lengths_is_that_of_scipy() -> None:
    length = np.random.default_rng(3).integers(1, 4000, MOST)
    account = np.arange(MOST) % 3
    expected = f_oneway(*(np.log1p(length[account == one]) for one in range(3)))
    found = length_anova(made(account.tolist(), length=length))
    assert found is not None
    assert found.ratio == pytest.approx(expected.statistic)
    assert found.cell == pytest.approx(MOST / 3)
    answers = answer_anova(made(account.tolist(), completion=length))
    assert answers is not None
    assert answers.ratio == pytest.approx(expected.statistic)


@pytest.mark.parametrize(("missing", "measured"), [(0, True), (4, True), (5, False), (MOST, False)])
def test_answers_are_not_measured_where_over_a_fifth_lack_a_length(missing: int, measured: bool) -> None:
    completion = [-1] * missing + list(range(10, 10 + MOST - missing))
    found = answer_anova(made([at % 3 for at in range(MOST)], completion=completion))
    assert (found is not None) is measured


def test_one_question_from_everybody_has_no_variance() -> None:
    account = [at % 3 for at in range(MOST)]
    same = np.tile(np.arange(64), (MOST, 1))
    assert content_anova(made(account, embedding=same)) is None
    subjects = np.random.default_rng(1).integers(-5, 5, (MOST, 64))
    mixed = content_anova(made(account, embedding=subjects))
    subjects[np.array(account) == 0] += 60
    apart_ = content_anova(made(account, embedding=subjects))
    assert mixed is not None
    assert apart_ is not None
    assert apart_.ratio > 10 * mixed.ratio


@given(st.integers(1, ACCOUNTS), st.integers(1, 4), st.integers(0, 6))
def test_what_recurs_in_three_accounts_is_template(accounts: int, each: int, fixed: int) -> None:
    """Every text has `fixed` chunks of the template and four of its own."""
    account = [a for a in range(accounts) for _ in range(each)]
    chunks = np.zeros((len(account), 24), np.uint64)
    for row in range(len(account)):
        chunks[row, :fixed] = np.arange(1, fixed + 1)
        chunks[row, fixed : fixed + 4] = 1000 + 4 * row + np.arange(4)
    group = made(account, chunks=chunks[:, : made(account).events.chunks.shape[1]])
    # Three times at the least, and from three accounts where there are as many.
    recurs = len(account) >= 3
    expected = fixed / (fixed + 4) if recurs else 0.0
    np.testing.assert_allclose(fixed_share(group), expected)
    assert template_share(group) == pytest.approx(expected)


def test_texts_without_chunks_have_no_template() -> None:
    none = np.zeros_like(made([0] * 6).events.chunks)
    assert fixed_share(made([0, 1, 2] * 2, chunks=none)).tolist() == [0.0] * 6


def test_what_is_learned_from_a_sample_holds_for_every_exchange() -> None:
    account = [at % 3 for at in range(MOST)]
    width = made(account).events.chunks.shape[1]
    chunks = np.zeros((MOST, width), np.uint64)
    chunks[:, :3] = [1, 2, 3]
    chunks[:, 3] = 100 + np.arange(MOST)
    group = made(account, chunks=chunks)
    np.testing.assert_allclose(fixed_share(group, sample=MOST * width // 2), 0.75)


def test_the_average_customer_is_not_apart() -> None:
    vectors = np.random.default_rng(2).integers(-60, 60, (MOST, 64))
    account = [at % 4 for at in range(MOST)]
    everybody = apart(made(account, embedding=vectors))
    one = apart(made(account, embedding=vectors, rows=[at for at in range(MOST) if at % 4 == 0]))
    assert everybody == pytest.approx(0.0, abs=1e-6)
    assert one > 0.01
