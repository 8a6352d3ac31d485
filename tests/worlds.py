"""Small made-up worlds: exchanges of a few accounts, sent through the real fingerprinter.

What is asked is real prompts from the bundled sources; who asks it, when and from where is made up here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from tests.conftest import REPOSITORY

from revenuer.decide.replay import books_of
from revenuer.fingerprint.batch import Fingerprinter
from revenuer.harvest.group import Books, Group, Population
from revenuer.profile.events import Events, from_table
from revenuer.records import Account, Exchange, Message, Params, Response, Usage

KEY = 0x5EED_0F_7E57
START = 1_700_006_400.0
"""A midnight (UTC)."""
HOUR, DAY = 3600.0, 86_400.0
PLAIN = Params()

MATH = "attack__openthoughts_r1_math"
TASKS = "attack__camel_task_generation"
BANKING = "benign__banking77"
CHAT = "benign__oasst1_en_val"
TRANSLATION = "benign__ntrex_translation_batch"
SQL = "benign__spider_text2sql"
EVALUATION = "benign__gsm8k_test_lm_eval"


@cache
def prompts(source: str) -> tuple[str, ...]:
    """Distinct user turns of a bundled source, in file order."""
    path = REPOSITORY / "src" / "revenuer" / "data" / "prompts" / f"{source}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return tuple(dict.fromkeys(json.loads(line)["text"] for line in lines))


def exchange(number: int, ts: float, account: str, text: str, *, system: str | None = None, **more: Any) -> Exchange:
    """One single-turn exchange; `more` are fields of `Exchange`."""
    turns = [Message("system", system)] if system else []
    given: dict[str, Any] = {"messages": (*turns, Message("user", text)), **more}
    return Exchange(id=f"x{number:06d}", ts=ts, account=account, **given)


@lru_cache(maxsize=1)
def fingerprinter() -> Fingerprinter:
    """The fingerprinter that all worlds share."""
    return Fingerprinter(KEY)


def events_of(exchanges: Sequence[Exchange]) -> Events:
    """The exchanges as the stages after `fingerprint` see them."""
    return from_table(fingerprinter().fingerprint(exchanges))


@dataclass(frozen=True)
class Operator:
    """One or more accounts that behave alike. Each function is called with the account's number and a seeded generator.

    `texts` gives the user turns of an account in order, `times` as many moments (seconds since `START`); the rest are
    drawn an exchange: `address`, `agent`, `params`. `before` are the turns that every request repeats. `books` gives
    fields of `Account`.
    """

    name: str
    accounts: int
    texts: Callable[[int, np.random.Generator], Sequence[str]]
    times: Callable[[int, int, np.random.Generator], Sequence[float]] = field(
        default=lambda _, count, rng: sorted(rng.uniform(0, 4 * DAY, count))
    )
    address: Callable[[int, np.random.Generator], str] = lambda account, _: f"10.{account}.1.7"
    agent: Callable[[int, np.random.Generator], str] = lambda *_: "client/1.0"
    books: Callable[[int, np.random.Generator], dict[str, Any]] = lambda *_: {}
    params: Callable[[int, np.random.Generator], Params] = lambda *_: PLAIN
    before: tuple[Message, ...] = ()
    system: str | None = None
    answer: Callable[[int, np.random.Generator], int] = lambda _, rng: int(rng.integers(50, 500))


@dataclass(frozen=True)
class World:
    """What some operators did: the log, its events, and the books."""

    exchanges: tuple[Exchange, ...]
    accounts: dict[str, Account]
    events: Events
    books: Books

    def rows(self, *names: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Exchange numbers of the accounts of some operators."""
        owner = np.array([name.rsplit("-", 1)[0] in names for name in self.events.accounts])
        return np.flatnonzero(owner[self.events.account]).astype(np.int64)

    def group(self, *names: str) -> Group:
        """All exchanges of some operators as one suspect group."""
        population = Population.of(self.events, len(self.events))
        return Group.of(self.events, self.books, population, self.rows(*names))

    def codes(self, name: str) -> set[int]:
        """Account codes of an operator."""
        return {code for code, account in enumerate(self.events.accounts) if account.rsplit("-", 1)[0] == name}


def log_of(*operators: Operator, seed: int = 7) -> tuple[list[Exchange], dict[str, Account]]:
    """The exchanges of some operators in time order, and their accounts."""
    found: list[Exchange] = []
    accounts: dict[str, Account] = {}
    for place, operator in enumerate(operators):
        rng = np.random.default_rng([seed, place])
        for number in range(operator.accounts):
            name = f"{operator.name}-{number}"
            accounts[name] = Account(account=name, **operator.books(number, rng))
            texts = operator.texts(number, rng)
            for text, moment in zip(texts, operator.times(number, len(texts), rng), strict=True):
                tokens = operator.answer(number, rng)
                found.append(
                    exchange(
                        len(found),
                        START + float(moment),
                        name,
                        text,
                        system=operator.system,
                        ip=operator.address(number, rng),
                        user_agent=operator.agent(number, rng),
                        params=operator.params(number, rng),
                        **({"messages": (*operator.before, Message("user", text))} if operator.before else {}),
                        model="teacher",
                        response=Response(text=None, finish_reason="stop"),
                        usage=Usage(completion_tokens=tokens),
                        status=200,
                    )
                )
    return sorted(found, key=lambda item: (item.ts, item.id)), accounts


def world(*operators: Operator, seed: int = 7) -> World:
    """Play some operators."""
    exchanges, accounts = log_of(*operators, seed=seed)
    return assembled(exchanges, accounts)


def assembled(exchanges: Sequence[Exchange], accounts: dict[str, Account]) -> World:
    """A world from exchanges and accounts made elsewhere."""
    events = events_of(exchanges)
    return World(tuple(exchanges), accounts, events, books_of(events, accounts))


def dealt(pool: Sequence[str], accounts: int, each: int) -> Callable[[int, np.random.Generator], Sequence[str]]:
    """Shards of one shuffled work list: `each` texts an account, no text twice."""
    order = np.random.default_rng(11).permutation(len(pool))
    if accounts * each > len(pool):
        raise ValueError(f"{accounts} x {each} texts wanted, {len(pool)} there")
    return lambda number, _: [pool[i] for i in order[number * each : (number + 1) * each]]


def own(source: str, each: int) -> Callable[[int, np.random.Generator], Sequence[str]]:
    """Each account asks a stretch of its own of a source, which is ordered by subject."""
    pool = prompts(source)
    return lambda number, rng: [pool[(number * 37 + int(i)) % len(pool)] for i in rng.integers(0, 30, each)]


def harvester(accounts: int = 6, each: int = 40, **changed: Any) -> Operator:
    """A careless operator: one list dealt evenly over new accounts, one machine, one card, day and night."""
    template = "Solve the problem with care and put the final answer in a box at the end.\n\nProblem: {}\n\nSolution:"
    pool = [template.format(text) for text in prompts(MATH)]
    base = Operator(
        name="harvest",
        accounts=accounts,
        texts=dealt(pool, accounts, each),
        times=lambda _, count, rng: sorted(rng.uniform(DAY, 4 * DAY, count)),
        address=lambda *_: "203.0.113.9",
        agent=lambda *_: "harvest/0.3",
        books=lambda number, _: {
            "org": f"front {number}",
            "created_at": START + 20 * HOUR + 600 * number,
            "payment": "card-1",
        },
        params=lambda *_: Params(temperature=0.7, max_tokens=4096),
    )
    return replace(base, **changed)


def customers(accounts: int = 30, each: int = 12) -> Operator:
    """Unrelated people and small firms, each with its own subjects, network, client and hours."""
    sources = (BANKING, CHAT, TRANSLATION, SQL)

    def texts(number: int, rng: np.random.Generator) -> Sequence[str]:
        return own(sources[number % len(sources)], each)(number, rng)

    def times(number: int, count: int, rng: np.random.Generator) -> Iterable[float]:
        return np.sort(rng.integers(0, 5, count) * DAY + (7 + number % 9) * HOUR + rng.uniform(0, 4 * HOUR, count))

    return Operator(
        name="customer",
        accounts=accounts,
        texts=texts,
        times=lambda *given: list(times(*given)),
        address=lambda number, _: f"198.{number}.7.{number}",
        agent=lambda number, _: f"app-{number % 11}/2",
        books=lambda number, rng: {
            "org": f"firm {number}",
            "created_at": START - float(rng.uniform(10, 900)) * DAY,
            "payment": f"card {number}",
        },
        params=lambda *_: Params(temperature=0.2),
        answer=lambda number, rng: int(rng.integers(20, 40) * (1 + number % 13)),
    )
