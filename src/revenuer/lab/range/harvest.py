"""The machinery of systematic harvesting: a work list, its shards, what carries them, and when they are sent.

Campaigns use it against the terms; the licensed partner among the benign classes uses it with permission.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from revenuer.lab.range.infra import (
    Addresses,
    Books,
    Client,
    Network,
    address,
    agent,
    company,
    digest,
    loguniform,
    mail_domain,
    network,
    opening,
    person_addresses,
    server_addresses,
    token,
)  # fmt: skip
from revenuer.lab.range.phrases import family
from revenuer.lab.range.plan import Stream, World
from revenuer.lab.range.pool import Row, Source, content_words
from revenuer.lab.range.text import reword
from revenuer.lab.range.timing import Batches, Constant, Floats, Ints, Pattern, People, Service
from revenuer.lab.range.workloads import Ask, Published, Templated, Workload, change, in_order, rows_in_order

DAY = 86_400.0
Shard = Sequence[Row]


class Dealt:
    """Times handed to one account by a central queue."""

    def __init__(self, times: Floats, sessions: Ints) -> None:
        self._times, self._sessions = times, sessions

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:  # noqa: ARG002
        """The dealt times inside [start, end), at most `n`."""
        inside = (self._times >= start) & (self._times < end)
        return self._times[inside][:n], self._sessions[inside][:n]


class Job(NamedTuple):
    """What is harvested: the list, and how one account's shard of it is asked."""

    rows: tuple[Row, ...]
    ask: Callable[[Shard], Workload]


def bare(row: Row) -> str:
    """The question inside a published attack prompt, where it can be told."""
    text = row.bare
    for head, tail in (
        ("### Instruction:\n", "\n\n### Response"),
        ("within \\boxed{}. ", ""),
        ("\nQuestion: ", "\nRephrase"),
        ("\nQuestion: ", "\nA:"),
    ):
        if head in text:
            inner = text.rsplit(head, 1)[1]
            text = inner.split(tail, 1)[0] if tail else inner
            break
    return text.strip() or row.text


def questions(w: World, rng: Random, kinds: Sequence[str]) -> tuple[Row, ...]:
    """Rows of one attack source of the kinds, from a random place on; of another kind where there is none."""
    sources = w.material.pool.of("attack", *kinds) or w.material.pool.of("attack")
    return _turned(rng, rng.choice(sources))


def _turned(rng: Random, source: Source) -> tuple[Row, ...]:
    at = rng.randrange(len(source.rows))
    rows = list(source.rows[at:] + source.rows[:at])
    if rng.random() < 0.6:
        rng.shuffle(rows)
    return tuple(rows)


QUESTIONS = ("imitation", "tooluse", "cot", "reasoning")


def published_job(w: World, rng: Random, kinds: Sequence[str]) -> Job:
    """A source's own published prompts, sent as they are."""
    rows = questions(w, rng, kinds)
    return Job(rows, lambda shard: Published(w.material, rows_in_order(shard), 450))


def wrapped_job(
    w: World,
    rng: Random,
    name: str,
    kinds: Sequence[str] = QUESTIONS,
    *,
    loose: bool = False,
    rows: tuple[Row, ...] = (),
    personas: Sequence[str] = (),
) -> Job:
    """Bare questions in one wording of a family (`loose`: worded anew each time)."""
    template = family(rng, name, w.fold, loose=loose)
    again = rng.choice((0.0, 0.0, 0.01, 0.04, 0.08))
    altered = change(rng)
    words = rng.randint(8, 140) if name in {"judge", "trace"} else 0
    tokens = round(loguniform(rng, 90, 900))
    return Job(
        rows or questions(w, rng, kinds),
        lambda shard: Templated(
            w.material,
            template,
            in_order([bare(r) for r in shard], again=again, variation=altered),
            tokens=tokens,
            answer_words=words,
            personas=personas,
        ),
    )


class _Natural:
    """Bare questions, no template; a part of them turned as a person would."""

    def __init__(self, draw: Callable[[Random, int], str], tokens: int, turned: float) -> None:
        self._draw, self._tokens, self._turned = draw, tokens, turned

    def next(self, rng: Random, session: int) -> Ask:
        """The next question."""
        text = self._draw(rng, session)
        return Ask((("user", reword(rng, text) if rng.random() < self._turned else text),), self._tokens)


def natural_job(w: World, rng: Random) -> Job:
    """Questions as a person would put them."""
    tokens = round(loguniform(rng, 120, 600))
    again, turned, altered = rng.choice((0.0, 0.02, 0.06)), rng.choice((0.0, 0.1, 0.4)), change(rng)

    def asked(shard: Shard) -> Workload:
        return _Natural(in_order([bare(r) for r in shard], again=again, variation=altered), tokens, turned)

    return Job(questions(w, rng, ("imitation", "tooluse")), asked)


def any_job(w: World, rng: Random) -> Job:
    """A job of a kind drawn at random."""
    roll = rng.random()
    if roll < 0.25:
        return published_job(w, rng, rng.choice((QUESTIONS, ("data_generation",), ("judge",), ("reasoning", "cot"))))
    if roll < 0.35:
        return natural_job(w, rng)
    return wrapped_job(
        w, rng, rng.choice(("reasoning", "trace", "judge", "taskgen", "rewrite", "instruct", "code", "persona"))
    )


def shards(rng: Random, rows: Sequence[Row], counts: Sequence[int]) -> list[list[Row]]:
    """Deals a list to accounts: at random, in blocks or by subject; some overlap, some have each item several times.

    Shard i has `counts[i]` items where the list is long enough; else shards are shorter and later passes vary slots.
    """
    need = sum(counts)
    copies = rng.choice((1, 1, 1, 1, 2, 3, 4)) if rng.random() < 0.6 else 1
    take = list(rows[: max(len(counts), need // copies)])
    mode = rng.choice(("random", "blocks", "subject"))
    if mode == "random":
        rng.shuffle(take)
    elif mode == "subject":
        take.sort(key=lambda r: (content_words(r.bare[-300:]) or [""])[-1])
    total, at, made = max(1, need), 0.0, []
    for count in counts:
        width = max(1.0, len(take) * count / total)
        made.append(take[int(at) : max(int(at) + 1, int(at + width))] or [rng.choice(take)])
        at = min(at + width, len(take) - 1.0)
    if rng.random() < 0.25:
        overlap = rng.uniform(0.05, 0.4)
        made = [[rng.choice(take) if rng.random() < overlap else r for r in shard] for shard in made]
    if copies > 1:
        made = [[r for r in shard for _ in range(copies)] for shard in made]
        if rng.random() < 0.5:
            for shard in made:
                rng.shuffle(shard)
    return made


class Carrier(NamedTuple):
    """One account's books, addresses and client stack."""

    books: Books
    addresses: Addresses
    client: Client


def carriers(w: World, rng: Random, size: int, care: float) -> list[Carrier]:
    """Infrastructure for `size` accounts; `care` from 0 (all shared) to 1 (nothing is). Traits are drawn one by one."""

    def careless() -> bool:
        return rng.random() > care

    share_pay, share_mail, burst, one_agent, one_key_habit = careless(), careless(), careless(), careless(), careless()
    per_payment = rng.randint(2, 12)
    pays = [token(rng, "pm_", 40) for _ in range(size // per_payment + 1)]
    domains = [mail_domain(rng, company(rng)) for _ in range(size // rng.randint(1, 4) + 1)]
    base = (
        w.start + rng.uniform(-40, 0.4 * w.config.days) * DAY
        if rng.random() < 0.6
        else w.start - DAY * loguniform(rng, 1, 300)
    )
    spread = loguniform(rng, 0.05, 20) * DAY
    name = agent(rng)
    names = [agent(rng) for _ in range(rng.randint(2, 5))]
    habit = w.client(rng, agent_name=name)
    places = _places(rng, size, care)
    made = []
    for i in range(size):
        one = w.client(rng, agent_name=name if one_agent else rng.choice(names) if rng.random() < 0.7 else None)
        if one_key_habit:
            one.params, one.model = habit.params, habit.model
            one.thinking = habit.thinking * rng.lognormvariate(0, 0.5)
        books = Books(
            payment=pays[i // per_payment] if share_pay and rng.random() < 0.85 else None,
            domain=rng.choice(domains) if share_mail and rng.random() < 0.3 else None,
            created_at=base + rng.random() * spread if burst else opening(rng, w.start, w.end),
        )
        made.append(Carrier(books, places[i], one))
    return made


def _places(rng: Random, size: int, care: float) -> list[Addresses]:
    roll = rng.random() + (care - 0.5) * 0.8
    if roll < 0.25:
        net = network(rng, rng.choice(("cloud", "cloud", "office", "relay")))
        per = rng.randint(2, 8)
        groups = [
            [address(rng, net, rng.randrange(4096)) for _ in range(rng.randint(1, 4))] for _ in range(size // per + 1)
        ]
        return [
            Addresses(rng, groups[i // per], stay=rng.uniform(0, 0.9), per_request=rng.random() < 0.3)
            for i in range(size)
        ]
    if roll < 0.5:
        nets = [network(rng, rng.choice(("cloud", "relay", "home"))) for _ in range(rng.randint(1, 3))]
        blocks = [rng.randrange(4096) for _ in range(max(1, size // rng.randint(1, 6)))]
        return [
            Addresses(
                rng,
                [address(rng, nets[k % len(nets)], blocks[k % len(blocks)]) for k in range(i, i + rng.randint(1, 3))],
                stay=rng.uniform(0.3, 0.98),
            )
            for i in range(size)
        ]
    if roll < 0.65:
        homes = [network(rng, "home") for _ in range(rng.randint(3, 25))]
        return [_rotating(rng, homes) for _ in range(size)]
    return [person_addresses(rng) if rng.random() < care else server_addresses(rng) for _ in range(size)]


def _rotating(rng: Random, nets: Sequence[Network]) -> Addresses:
    mine = rng.sample(list(nets), min(len(nets), rng.randint(1, 4)))
    return Addresses(
        rng,
        [address(rng, n) for n in mine],
        mine,
        stay=rng.uniform(0.2, 0.95),
        churn=rng.uniform(0.05, 0.9),
        per_request=rng.random() < 0.3,
    )


def pattern(w: World, rng: Random) -> Pattern:
    """How a harvester's queue runs."""
    roll = rng.random()
    if roll < 0.4:
        return Service(rng, w.traces)
    if roll < 0.55:
        return Constant(rng)
    if roll < 0.75:
        return Batches(rng, rng.randint(2, 25))
    return People(rng, rng.uniform(3, 25))


def loads(rng: Random, size: int, mean: float) -> list[int]:
    """Harvest per account: even, or skewed."""
    sigma = rng.choice((0.03, 0.15, 0.4, 0.8, 1.1))
    raw = [rng.lognormvariate(0, sigma) for _ in range(size)]
    total = sum(raw)
    return [max(3, round(mean * size * r / total)) for r in raw]


def harvest_streams(
    w: World,
    rng: Random,
    job: Job,
    counts: Sequence[int],
    carried: Sequence[Carrier],
    *,
    campaign: str | None,
    window: tuple[float, float] | None = None,
) -> list[Stream]:
    """One stream per account: its shard of the list, at its times."""
    start, end = window or (w.start, w.end)
    parts = shards(rng, job.rows, counts)
    central = rng.random() < 0.6
    first = pattern(w, rng)
    own: list[Pattern] = [first] * len(counts)
    if central:
        gen = np.random.default_rng(digest("deal", rng.getrandbits(64)))
        total = sum(counts)
        times, sessions = first.times(gen, round(total * 1.1) + 5, start, end)
        to = gen.choice(len(counts), len(times), p=np.array(counts) / total)
        opened = np.array([c.books.created_at or start for c in carried])
        for _ in range(6):
            early = times < opened[to]
            to[early] = gen.choice(len(counts), int(early.sum()), p=np.array(counts) / total)
        open_then = times >= opened[to]
        mine = [open_then & (to == i) for i in range(len(counts))]
        own = [Dealt(times[m], sessions[m]) for m in mine]
    elif rng.random() < 0.6:
        own = [pattern(w, rng) for _ in counts]
    return [
        Stream(
            job.ask(parts[i]),
            own[i],
            float(counts[i]),
            carried[i].client,
            carried[i].addresses,
            campaign=campaign,
            window=window,
        )
        for i in range(len(counts))
    ]


def partner_streams(w: World, rng: Random, size: int) -> list[list[Stream]]:
    """A licensed partner's accounts: a job like a campaign's, in the open."""
    carried = carriers(w, rng, size, rng.uniform(0, 0.6))
    counts = loads(rng, size, loguniform(rng, 30, 200))
    return [[s] for s in harvest_streams(w, rng, any_job(w, rng), counts, carried, campaign=None)]
