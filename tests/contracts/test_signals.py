"""What every signal promises, run over `SIGNALS` and `EXCHANGEABILITY`: it rises for the harvest and not for its
look-alike, keeps its range, sees nothing later, does not care for names, and says what it claims.

Each case is a pair of groups of real prompts: one that must show the signal, and innocents who look like it and do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.worlds import (
    BANKING,
    CHAT,
    DAY,
    EVALUATION,
    HOUR,
    MATH,
    SQL,
    START,
    TRANSLATION,
    Operator,
    World,
    assembled,
    customers,
    harvester,
    own,
    prompts,
    world,
)
from tools.signals_page import PAGE, PARTS, claims, page

from revenuer.harvest.exchangeable import log_bayes_factor
from revenuer.harvest.group import Group, Population
from revenuer.harvest.model import FEATURES, uniform_priors
from revenuer.harvest.signals import EXCHANGEABILITY, SIGNALS, Exchangeability, Signal
from revenuer.records import Message, Params

UNIFORM = uniform_priors()
ALL: tuple[Signal | Exchangeability, ...] = (*EXCHANGEABILITY, *SIGNALS)
EACH = [pytest.param(signal, id=signal.id) for signal in ALL]
OTHERS = customers(40, 10)
HARVEST = harvester(6, 40)


def value(signal: Signal | Exchangeability, group: Group) -> float:
    """What the signal says of the group; log Bayes factors with priors that know nothing."""
    if isinstance(signal, Exchangeability):
        return log_bayes_factor(signal.measure(group), np.array(UNIFORM.one), np.array(UNIFORM.many))
    return signal.measure(group)


def innocent(**changed: Any) -> Operator:
    """The harvest but for what makes it innocent in one respect."""
    return replace(HARVEST, **{"name": "innocent", "address": lambda *_: "203.0.114.9", **changed})


def hours(begin: Callable[[int], float], length: float) -> Callable[[int, int, np.random.Generator], list[float]]:
    """Work on any of four days, between hours that depend on the account."""
    return lambda number, count, rng: sorted(
        rng.integers(0, 4, count) * DAY + begin(number) * HOUR + rng.uniform(0, length * HOUR, count)
    )


def driven(_: int, count: int, __: np.random.Generator) -> list[float]:
    """Every account at the same moments, a few seconds apart."""
    return [DAY + at * 5400.0 + 30.0 * (at % 7) for at in range(count)]


@dataclass(frozen=True)
class Case:
    """Innocents who look like the signal's harvest, who they are, and the harvest where it is not `HARVEST`.

    Of the innocents, `share` of each one's exchanges (in time order) belong to the group.
    """

    who: str
    operator: Operator
    harvest: Operator = HARVEST
    others: Operator = OTHERS
    share: float = 1.0


CASES: dict[str, Case] = {
    "same_content": Case(
        "firms of several trades with one supplier",
        innocent(texts=lambda n, rng: own((BANKING, CHAT, SQL, TRANSLATION, EVALUATION, MATH)[n], 40)(n, rng)),
    ),
    "same_length": Case(
        "people who are brief and people who are not",
        innocent(texts=lambda n, _: [text[: 20 * 2**n] for text in prompts(MATH)[:40]]),
    ),
    "same_answer": Case(
        "customers with tasks of different size", innocent(answer=lambda n, rng: int(rng.integers(80, 120) * 2**n))
    ),
    "same_hours": Case("colleagues in several time zones", innocent(times=hours(lambda n: 4.0 * n, 3.0))),
    "same_days": Case(
        "customers who come one after the other",
        innocent(times=lambda n, count, rng: sorted(n * DAY / 2 + rng.uniform(0, 4 * HOUR, count))),
    ),
    "distinct_between": Case("an evaluation run by several teams", innocent(texts=lambda *_: prompts(EVALUATION)[:40])),
    "distinct_within": Case(
        "monitors that ask the same few questions", innocent(texts=lambda *_: prompts(CHAT)[:5] * 8)
    ),
    "near_distinct": Case(
        "people who ask again in slightly other words",
        innocent(
            texts=lambda n, _: [
                f"{text} {end}" for text in prompts(SQL)[n : n + 10] for end in ("", "ok", "please", "now")
            ]
        ),
    ),
    "single_turn": Case(
        "people in conversation", innocent(before=(Message("user", "Hello"), Message("assistant", "Hello!")))
    ),
    "template_share": Case("people who write for themselves", innocent(texts=own(CHAT, 40))),
    "apart": Case(
        "average customers",
        innocent(texts=lambda _, rng: [str(rng.choice(prompts(s))) for s in (BANKING, CHAT, TRANSLATION, SQL) * 10]),
        others=customers(200, 6),
    ),
    "one_network": Case("a large office behind one address", innocent(accounts=30, texts=own(CHAT, 8))),
    "one_stack": Case(
        "users of the client that everybody has",
        innocent(agent=lambda *_: "popular/1"),
        others=replace(OTHERS, agent=lambda *_: "popular/1"),
    ),
    "one_setting": Case(
        "customers with settings of their own", innocent(params=lambda n, _: Params(temperature=n / 10))
    ),
    "one_payment": Case("customers with cards of their own", innocent(books=lambda n, _: {"payment": f"own {n}"})),
    "separate_customers": Case("one firm's teams", innocent(books=lambda *_: {"org": "one firm"})),
    "signup_burst": Case(
        "customers of long standing", innocent(books=lambda n, _: {"created_at": START - 100 * n * DAY})
    ),
    "young_accounts": Case(
        "customers of long standing", innocent(books=lambda n, _: {"created_at": START - (300 + n) * DAY})
    ),
    "round_the_clock": Case("an office", innocent(times=hours(lambda _: 9.0, 8.0))),
    "even_load": Case("a busy customer among small ones", innocent(texts=lambda n, _: prompts(MATH)[: 4 * 2**n])),
    "share_of_account": Case("resellers with other traffic", innocent(), share=0.25),
    "accounts": Case("a couple of accounts", innocent(accounts=3)),
    "exchanges": Case("a small job", innocent(texts=lambda n, _: prompts(MATH)[n * 8 : n * 8 + 8])),
    "together": Case("people who are awake at the same hours", innocent(), harvest=replace(HARVEST, times=driven)),
}

RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys((one.id for one in EXCHANGEABILITY), (-30.0, 30.0)),
    **dict.fromkeys(
        (
            "distinct_between", "distinct_within", "near_distinct", "single_turn", "one_network", "one_setting",
            "one_payment", "separate_customers", "round_the_clock", "share_of_account", "template_share",
        ),
        (0.0, 1.0),
    ),
    "one_stack": (0.0, np.log(1e4)),
    "signup_burst": (-2.0, 5.0),
    "young_accounts": (-np.inf, 0.0),
    "even_load": (-np.inf, 0.0),
    "together": (-np.inf, np.inf),
    "apart": (0.0, np.inf),
    "accounts": (0.0, np.inf),
    "exchanges": (0.0, np.inf),
}  # fmt: skip
"""What the docstrings say of the values; a log Bayes factor is bounded because far evidence underflows."""


@cache
def played(name: str) -> World:
    case = CASES[name]
    return world(case.harvest, case.operator, case.others)


def part(found: World, rows: Any) -> Group:
    return Group.of(found.events, found.books, Population.of(found.events, len(found.events)), rows)


def innocents(name: str) -> Group:
    found = played(name)
    rows = found.rows("innocent")
    kept = [
        mine[: max(1, int(CASES[name].share * len(mine)))]
        for code in sorted(found.codes("innocent"))
        if len(mine := rows[found.events.account[rows] == code])
    ]
    return part(found, np.sort(np.concatenate(kept)))


def test_every_signal_has_recordings_of_both_kinds_and_a_range() -> None:
    assert CASES.keys() == RANGES.keys() == set(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES)


@pytest.mark.parametrize("signal", EACH)
def test_it_is_higher_for_the_harvest_than_for_its_look_alike(signal: Signal | Exchangeability) -> None:
    guilty = value(signal, played(signal.id).group("harvest"))
    free = value(signal, innocents(signal.id))
    low, high = RANGES[signal.id]
    # Shares must differ by a tenth of all, log ratios by a quarter.
    assert guilty - free > (0.1 if (low, high) == (0.0, 1.0) else np.log(1.25)), CASES[signal.id].who
    if isinstance(signal, Exchangeability):
        assert free < 0 < guilty


def groups() -> list[Group]:
    """Groups of every kind, down to a single exchange, and of a log that says nothing beyond the prompts."""
    found = world(HARVEST, OTHERS, seed=3)
    silent = [
        replace_fields(item, ip=None, user_agent=None, model=None, status=None, usage=type(item.usage)())
        for item in found.exchanges
    ]
    bare = assembled(silent, {})
    out = []
    for seen in (found, bare):
        harvest, other = seen.rows("harvest"), seen.rows("customer")
        out += [
            part(seen, rows)
            for rows in (harvest, other, harvest[:1], harvest[:2], other[:3], np.union1d(harvest, other))
        ]
    return out


def replace_fields(item: Any, **changed: Any) -> Any:
    return type(item)(**{name: changed.get(name, getattr(item, name)) for name in item.__struct_fields__})


@cache
def all_groups() -> tuple[Group, ...]:
    return (*groups(), *(innocents(name) for name in CASES))


@pytest.mark.parametrize("signal", EACH)
def test_it_stays_in_its_range(signal: Signal | Exchangeability) -> None:
    low, high = RANGES[signal.id]
    for group in all_groups():
        found = value(signal, group)
        assert np.isfinite(found)
        assert low - 1e-9 <= found <= high + 1e-9


@pytest.mark.parametrize("signal", EACH)
def test_neither_names_nor_the_order_of_accounts_matter(signal: Signal | Exchangeability) -> None:
    found = played(signal.id)
    last = len(found.events.accounts) - 1
    books = replace(
        found.books,
        org=found.books.org[::-1],
        payment=found.books.payment[::-1],
        created=found.books.created[::-1],
    )
    names = tuple(f"zz{code}" for code in range(last + 1))
    turned = replace(
        found, events=replace(found.events, account=last - found.events.account, accounts=names), books=books
    )
    for operator in ("harvest", "innocent"):
        rows = found.rows(operator)
        assert value(signal, part(turned, rows)) == pytest.approx(value(signal, part(found, rows)), abs=1e-6)


@pytest.mark.parametrize("signal", EACH)
def test_nothing_later_is_seen(signal: Signal | Exchangeability) -> None:
    found = played(signal.id)
    count = int(0.6 * len(found.events))
    # A log that ends there, whose books hold nobody who came later.
    seen = {item.account for item in found.exchanges[:count]}
    cut = assembled(found.exchanges[:count], {name: row for name, row in found.accounts.items() if name in seen})
    rows = found.rows("harvest")
    rows = rows[rows < count]
    early = Group.of(found.events, found.books, Population.of(found.events, count), rows)
    fresh = Group.of(cut.events, cut.books, Population.of(cut.events, count), rows)
    assert value(signal, early) == value(signal, fresh)


@pytest.mark.parametrize("signal", EACH)
def test_it_says_what_it_claims(signal: Signal | Exchangeability) -> None:
    said = claims(signal.measure)
    assert tuple(said) == PARTS, f"the docstring of {signal.id} must say {PARTS}, in this order"
    assert all(len(part) > 5 for part in said.values())
    assert signal.say.format(value=0.5)
    assert "_" not in signal.say, "it is said in words that the person suspected could check"


def test_the_page_says_what_the_docstrings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tools/signals_page.py"
