"""Signals of who is behind accounts, each against its definition spelled out slowly."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harvest.made import ACCOUNTS, MOST, books, codes, made
from tests.worlds import DAY, START

from revenuer.harvest.signals_identity import (
    one_network,
    one_payment,
    one_setting,
    one_stack,
    separate_customers,
    signup_burst,
    young_accounts,
)
from revenuer.link.infrastructure import RARE

Rows = list[tuple[int, int]]
held = st.lists(st.integers(-1, 2), min_size=ACCOUNTS, max_size=ACCOUNTS)


@given(codes)
def test_one_network_is_the_mean_share_from_networks_that_others_use(rows: Rows) -> None:
    account, network = zip(*rows, strict=True)
    users = {code: {a for a, n in rows if n == code} for code in set(network)}
    shares = [np.mean([n >= 0 and len(users[n]) > 1 for a, n in rows if a == one]) for one in sorted(set(account))]
    assert one_network(made(account, network=network)) == pytest.approx(np.mean(shares))


@pytest.mark.parametrize(("users", "counts"), [(RARE, True), (RARE + 1, False)])
def test_a_network_of_many_identifies_nobody(users: int, counts: bool) -> None:
    group = made(range(users), of=books((-1,) * users, (-1,) * users, (np.nan,) * users), network=[0] * users)
    assert one_network(group) == float(counts)


@given(codes)
def test_one_setting_is_the_chance_that_two_accounts_exchanges_agree(rows: Rows) -> None:
    account, params = zip(*rows, strict=True)
    of = {one: [p for a, p in rows if a == one] for one in set(account)}
    chances = [np.mean([x == y for x in of[a] for y in of[b]]) for a, b in permutations(of, 2)]
    assert one_setting(made(account, params=params)) == pytest.approx(np.mean(chances) if chances else 0.0)


@given(codes)
def test_one_stack_weighs_agreement_by_rarity(rows: Rows) -> None:
    account, agent = zip(*rows, strict=True)
    of = {one: [p for a, p in rows if a == one] for one in set(account)}
    # In a log that holds nobody else a stack is as common as its share of the accounts; an unknown one tells nothing.
    usual = {code: 1.0 if code < 0 else sum(code in of[one] for one in of) / len(of) for code in set(agent)}
    pairs = [
        np.mean([-np.log(usual[x]) if x == y else 0.0 for x in of[a] for y in of[b]]) for a, b in permutations(of, 2)
    ]
    assert one_stack(made(account, agent=agent)) == pytest.approx(np.mean(pairs) if pairs else 0.0, abs=1e-9)


@given(held)
def test_one_payment_is_the_share_of_accounts_that_share_theirs(payment: list[int]) -> None:
    shared = [code >= 0 and payment.count(code) > 1 for code in payment]
    assert one_payment(made(range(ACCOUNTS), books(payment=payment))) == pytest.approx(np.mean(shared))


@given(held)
def test_an_account_without_an_organisation_is_a_customer_of_its_own(org: list[int]) -> None:
    customers = len({code for code in org if code >= 0}) + org.count(-1)
    assert separate_customers(made(range(ACCOUNTS), books(org=org))) == pytest.approx(customers / ACCOUNTS)


def signups(*days: float) -> list[float]:
    return [START - day * DAY for day in days]


def burst(created: list[float], rows: list[int], seen: int | None = None) -> float:
    k = len(created)
    account = list(range(k if seen is None else seen))
    return signup_burst(made(account, books((-1,) * k, (-1,) * k, created), rows=rows))


USUAL = signups(*(40.0 * n for n in range(1, 13)))


def test_accounts_opened_together_stand_out_and_others_do_not() -> None:
    together = signups(5, 5, 5, 5)
    assert burst([*together, *USUAL], [0, 1, 2, 3]) > 3
    assert burst([*together, *USUAL], [4, 8, 12, 15]) < 1


def test_few_sign_ups_say_nothing() -> None:
    assert burst([*signups(5, 5), *USUAL], [0, 1]) == 0
    assert burst(signups(*([5.0] * 9)), list(range(9))) == 0
    assert burst([*([float("nan")] * 4), *USUAL], [0, 1, 2, 3]) == 0


def test_sign_ups_of_accounts_not_yet_seen_move_nothing() -> None:
    known = [*signups(5, 6, 7, 8), *USUAL]
    before = burst(known, [0, 1, 2, 3])
    assert burst([*known, *signups(*([9000.0] * 8))], [0, 1, 2, 3], seen=len(known)) == before


@given(st.lists(st.floats(0, 3000), min_size=1, max_size=ACCOUNTS))
def test_young_accounts_is_minus_the_log_of_the_median_age(days: list[float]) -> None:
    of = books(created=[*signups(*days), *[np.nan] * (ACCOUNTS - len(days))])
    found = young_accounts(made(range(ACCOUNTS), of, ts=[START] * ACCOUNTS))
    assert found == pytest.approx(-np.log1p(np.median(days)))


def test_age_counts_to_the_first_exchange_of_the_group_and_is_never_negative() -> None:
    of = books(created=[START] * ACCOUNTS)
    ts = START + DAY * np.arange(MOST)
    assert young_accounts(made([0] * MOST, of, ts=ts)) == 0
    assert young_accounts(made([0] * MOST, of, rows=[7, 9], ts=ts)) == pytest.approx(-np.log(8))
    assert young_accounts(made([0] * MOST, of, ts=ts - 3 * DAY)) == 0
    assert young_accounts(made([0] * MOST)) == -4
