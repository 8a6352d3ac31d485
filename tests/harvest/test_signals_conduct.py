"""Signals of how accounts are run, each against its definition spelled out slowly."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy, f_oneway
from tests.harvest.made import ACCOUNTS, MOST, made
from tests.worlds import DAY, HOUR, START

from revenuer.harvest.signals_conduct import (
    accounts,
    days_anova,
    even_load,
    exchanges,
    hours_anova,
    round_the_clock,
    share_of_account,
    together,
)

moments = st.lists(st.tuples(st.integers(0, ACCOUNTS - 1), st.integers(0, 3 * 86_400)), min_size=1, max_size=MOST).map(
    lambda rows: sorted(rows, key=lambda row: row[1])
)
"""An account and a second of three days for each of a few exchanges, in order."""

Rows = list[tuple[int, int]]


def split(rows: Rows) -> tuple[list[int], list[float]]:
    return [account for account, _ in rows], [START + second for _, second in rows]


@given(moments)
def test_round_the_clock_is_the_entropy_of_the_hours(rows: Rows) -> None:
    account, ts = split(rows)
    hours = np.bincount([second % 86_400 // 3600 for _, second in rows], minlength=24)
    assert round_the_clock(made(account, ts=ts)) == pytest.approx(entropy(hours) / np.log(24), abs=1e-9)


def test_every_hour_alike_is_the_most_and_one_hour_the_least() -> None:
    assert round_the_clock(made([0] * 24, ts=START + HOUR * np.arange(24))) == pytest.approx(1)
    assert round_the_clock(made([0] * 24, ts=START + DAY * np.arange(24))) == pytest.approx(0)


@given(moments)
def test_together_counts_pairs_of_accounts_in_ten_minutes(rows: Rows) -> None:
    account, ts = split(rows)
    windows = {one: {second // 600 for a, second in rows if a == one} for one in set(account)}
    observed = expected = 0.0
    for a, b in permutations(windows, 2):
        observed += len(windows[a] & windows[b])
        # Each one's windows shifted within their hour.
        expected += sum(x // 6 == y // 6 for x in windows[a] for y in windows[b]) / 6
    found = together(made(account, ts=ts))
    assert found == pytest.approx(np.log((observed + 2) / (expected + 2)), abs=1e-9)


@given(moments, st.integers(-10, 10))
def test_hours_do_not_hang_on_the_day_nor_days_on_the_epoch(rows: Rows, days: int) -> None:
    account, ts = split(rows)
    here, there = made(account, ts=ts), made(account, ts=np.array(ts) + DAY * days)
    for measure in (hours_anova, days_anova):
        now, later = measure(here), measure(there)
        assert (now is None) == (later is None)
        if now is not None and later is not None:
            assert later.ratio == pytest.approx(now.ratio, rel=1e-3, abs=1e-6)


def test_variance_of_days_is_that_of_scipy() -> None:
    ts = START + np.sort(np.random.default_rng(5).uniform(0, 5 * DAY, MOST))
    account = np.random.default_rng(6).integers(0, 3, MOST)
    expected = f_oneway(*(ts[account == one] / DAY for one in range(3)))
    found = days_anova(made(account.tolist(), ts=ts))
    assert found is not None
    assert found.ratio == pytest.approx(expected.statistic, rel=1e-6)


def test_midnight_is_no_gap() -> None:
    """Half past eleven and half past midnight are as near as two other moments an hour apart."""
    account = [at % 2 for at in range(MOST)]
    near = np.array([DAY * (at + 1) + (HOUR if at % 2 else -HOUR) / 2 + 120 * (at // 2) for at in range(MOST)])
    night, noon = hours_anova(made(account, ts=START + near)), hours_anova(made(account, ts=START + 12 * HOUR + near))
    assert night is not None
    assert noon is not None
    assert night.ratio == pytest.approx(noon.ratio, rel=1e-6)


@given(st.lists(st.integers(0, ACCOUNTS - 1), min_size=1, max_size=MOST))
def test_load_and_size(account: list[int]) -> None:
    group = made(account)
    load = [account.count(one) for one in set(account)]
    assert even_load(group) == pytest.approx(-np.std(load) / np.mean(load))
    assert accounts(group) == pytest.approx(np.log(len(load)))
    assert exchanges(group) == pytest.approx(np.log(len(account)))


@given(st.lists(st.tuples(st.integers(0, ACCOUNTS - 1), st.booleans()), min_size=1, max_size=MOST))
def test_share_of_account_is_averaged_over_the_accounts_in_the_group(rows: list[tuple[int, bool]]) -> None:
    account = [one for one, _ in rows]
    chosen = [at for at, (_, inside) in enumerate(rows) if inside] or [0]
    mine = [account[at] for at in chosen]
    shares = [mine.count(one) / account.count(one) for one in set(mine)]
    assert share_of_account(made(account, rows=chosen)) == pytest.approx(np.mean(shares))
