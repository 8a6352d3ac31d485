"""Campaigns: every published shape, careless to careful, each with accounts that also do other things.

`SHAPES` is the list. A shape gets the world, a generator, its number of accounts, a mean harvest per account and the
campaign's id, and returns its accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from revenuer.lab.range.banks import banks, half
from revenuer.lab.range.harvest import (
    DAY,
    QUESTIONS,
    Carrier,
    Job,
    any_job,
    carriers,
    harvest_streams,
    loads,
    natural_job,
    published_job,
    wrapped_job,
)  # fmt: skip
from revenuer.lab.range.infra import loguniform, token
from revenuer.lab.range.plan import Plan, Stream, World, chat_stream, product_stream, side_use
from revenuer.lab.range.pool import Row

Maker = Callable[[World, Random, int, float, str], list[Plan]]


def _accounts(
    w: World,
    rng: Random,
    shape: str,
    campaign: str,
    carried: Sequence[Carrier],
    streams: Sequence[list[Stream]],
    side: float,
) -> list[Plan]:
    operator = f"op_{campaign}"
    made = []
    for carrier, mine in zip(carried, streams, strict=True):
        if rng.random() < side:
            side_use(w, rng, mine, low=0.05, high=0.4)
        made.append(Plan(w.open(rng, carrier.books), mine, "campaign", shape, operator, campaign))
    return made


def _window(w: World, rng: Random) -> tuple[float, float] | None:
    if rng.random() < 0.5:
        return None
    length = rng.uniform(0.3, 1.0) * (w.end - w.start)
    begin = w.start + rng.random() * (w.end - w.start - length)
    return begin, begin + length


def _simple(
    job: Callable[[World, Random], Job], shape: str, care: tuple[float, float], mean: tuple[float, float] | None = None
) -> Maker:
    """A shape that is one job on one pool."""

    def make(w: World, rng: Random, size: int, per_account: float, campaign: str) -> list[Plan]:
        if mean is not None:
            per_account = loguniform(rng, *mean)
        carried = carriers(w, rng, size, rng.uniform(*care))
        counts = loads(rng, size, per_account)
        streams = harvest_streams(w, rng, job(w, rng), counts, carried, campaign=campaign, window=_window(w, rng))
        return _accounts(w, rng, shape, campaign, carried, [[s] for s in streams], rng.uniform(0.2, 0.8))

    return make


def _template_job(w: World, rng: Random) -> Job:
    if rng.random() < 0.5:
        return published_job(w, rng, ("imitation", "data_generation", "tooluse"))
    return wrapped_job(w, rng, rng.choice(("instruct", "code", "rewrite", "tool_calls")))


def _human_questions(w: World, rng: Random) -> tuple[Row, ...]:
    """Public test and training questions, which harvesters use too; none for most campaigns."""
    sources = w.material.pool.of("benign", "eval_harness")
    if not sources or rng.random() < 0.7:
        return ()
    rows = list(rng.choice(sources).rows)
    rng.shuffle(rows)
    return tuple(rows)


def _reasoning_job(w: World, rng: Random) -> Job:
    if rng.random() < 0.4 and w.material.pool.of("attack", "reasoning", "cot"):
        return published_job(w, rng, ("reasoning", "cot"))
    name = rng.choice(("reasoning", "reasoning", "trace", "trace", "hidden_translation"))
    return wrapped_job(w, rng, name, QUESTIONS, rows=_human_questions(w, rng))


def _judge_job(w: World, rng: Random) -> Job:
    if rng.random() < 0.4 and w.material.pool.of("attack", "judge"):
        return published_job(w, rng, ("judge",))
    return wrapped_job(w, rng, "judge", QUESTIONS)


def _taskgen_job(w: World, rng: Random) -> Job:
    if rng.random() < 0.6 and w.material.pool.of("attack", "data_generation"):
        return published_job(w, rng, ("data_generation",))
    return wrapped_job(w, rng, rng.choice(("taskgen", "rewrite")), QUESTIONS)


def _persona_job(w: World, rng: Random) -> Job:
    traits, trades = half(banks().traits, w.fold), half(banks().trades, w.fold)
    personas = [
        f"You are a {rng.choice(traits)} {rng.choice(trades)} {rng.choice(banks().origins)}."
        for _ in range(rng.randint(5, 120))
    ]
    shipped = [r.text for s in w.material.pool.of("benign", "persona") for r in s.rows]
    if shipped and rng.random() < 0.4:
        personas = rng.sample(shipped, min(len(shipped), rng.randint(5, 60)))
    return wrapped_job(w, rng, "persona", personas=personas)


def _chinese_job(w: World, rng: Random) -> Job:
    chinese = [s for s in w.material.pool.of("attack") if s.rows[0].lang == "zh"]
    if chinese and rng.random() < 0.5:
        return (
            published_job(w, rng, (rng.choice(chinese).kind,))
            if rng.random() < 0.5
            else wrapped_job(w, rng, "zh_instruct", rows=chinese[0].rows)
        )
    return wrapped_job(w, rng, rng.choice(("zh_reasoning", "zh_instruct")))


def _russian_job(w: World, rng: Random) -> Job:
    return wrapped_job(w, rng, rng.choice(("ru_reasoning", "ru_instruct")))


def _loose_job(w: World, rng: Random) -> Job:
    return wrapped_job(
        w,
        rng,
        rng.choice(("reasoning", "instruct", "judge", "taskgen", "rewrite", "code", "trace", "tool_calls")),
        loose=True,
    )


def _eval_job(w: World, rng: Random) -> Job:
    return wrapped_job(w, rng, "eval", rows=_human_questions(w, rng))


def _honest(w: World, seed: str, volume: float, carrier: Carrier) -> Stream:
    """One honest customer of a reseller, recognisably the same on whichever account its requests go out."""
    rng = Random(seed)
    maker = chat_stream if rng.random() < 0.5 else product_stream
    through = carrier.client if rng.random() < 0.75 else None
    stream = maker(w, rng, volume, addresses=carrier.addresses, one=through)
    if through is None:
        stream.client.key = carrier.client.key
    return stream


def _diluted(shape: str, low: float, high: float, mean: tuple[float, float]) -> Maker:
    def make(w: World, rng: Random, size: int, per_account: float, campaign: str) -> list[Plan]:
        per_account = min(per_account, loguniform(rng, *mean))
        carried = carriers(w, rng, size, rng.uniform(0.1, 1.0))
        counts = loads(rng, size, per_account)
        job = rng.choice((any_job, _reasoning_job, natural_job, _template_job))(w, rng)
        streams = harvest_streams(w, rng, job, counts, carried, campaign=campaign, window=_window(w, rng))
        customers = [f"{campaign}/customer/{k}" for k in range(max(3, round(size * rng.uniform(0.7, 3))))]
        mine = []
        for i, stream in enumerate(streams):
            share = rng.uniform(low, high)
            rest = counts[i] * (1 - share) / share
            served = rng.sample(customers, min(len(customers), rng.randint(2, 6)))
            weights = [rng.lognormvariate(0, 0.7) for _ in served]
            mine.append(
                [
                    stream,
                    *(_honest(w, c, rest * v / sum(weights), carried[i]) for c, v in zip(served, weights, strict=True)),
                ]
            )
        return _accounts(w, rng, shape, campaign, carried, mine, 0.0)

    return make


def _beneficiaries(w: World, rng: Random, size: int, per_account: float, campaign: str) -> list[Plan]:
    """One pool, two or three buyers with a list of their own; an account may serve several."""
    carried = carriers(w, rng, size, rng.uniform(0, 1))
    mine: list[list[Stream]] = [[] for _ in range(size)]
    buyers = rng.choice((2, 2, 3))
    for _ in range(buyers):
        members = sorted(rng.sample(range(size), max(2, round(size * rng.uniform(0.5, 1.0)))))
        counts = loads(rng, len(members), per_account / buyers * size / len(members))
        for i, stream in zip(
            members,
            harvest_streams(w, rng, any_job(w, rng), counts, [carried[i] for i in members], campaign=campaign),
            strict=True,
        ):
            mine[i].append(stream)
    used = [i for i in range(size) if mine[i]]
    return _accounts(
        w,
        rng,
        "multi_beneficiary",
        campaign,
        [carried[i] for i in used],
        [mine[i] for i in used],
        rng.uniform(0.2, 0.7),
    )


def _pool_switch(w: World, rng: Random, size: int, per_account: float, campaign: str) -> list[Plan]:
    """The first pool is banned after some days; a second one goes on with the list."""
    first = max(2, round(size * rng.uniform(0.35, 0.65)))
    ban = w.start + rng.uniform(0.3, 0.65) * (w.end - w.start)
    job = any_job(w, rng)
    counts = loads(rng, size, per_account)
    cut = min(len(job.rows) - 1, sum(counts[:first]))
    made: list[Plan] = []
    for part, rows, window in (
        (counts[:first], job.rows[:cut], (w.start, w.end)),
        (counts[first:], job.rows[cut:], (ban, w.end)),
    ):
        carried = carriers(w, rng, len(part), rng.uniform(0.1, 1.0))
        if window[0] == ban:
            opened = ban + rng.uniform(-3, 0.2) * DAY
            for c in carried:
                c.books.created_at = opened + rng.random() * DAY if rng.random() < 0.7 else c.books.created_at
            window = (ban + loguniform(rng, 0.02, 1.5) * DAY, w.end)
        window = (min(window[0], w.end - DAY * 0.5), window[1])
        streams = harvest_streams(
            w, rng, Job(tuple(rows) or job.rows, job.ask), part, carried, campaign=campaign, window=window
        )
        if window[0] == w.start:
            for s in streams:
                s.banned_at = ban + rng.expovariate(1 / 7200)
                s.volume *= (w.end - w.start) / (ban - w.start)
        made += _accounts(w, rng, "pool_switch", campaign, carried, [[s] for s in streams], 0.0)
    return made


def _pivot(w: World, rng: Random, size: int, per_account: float, campaign: str) -> list[Plan]:
    """Half or more of the traffic moves to the new model within a day of its launch."""
    carried = carriers(w, rng, size, rng.uniform(0, 1))
    share = rng.uniform(0.45, 1.0)
    for c in carried:
        c.client.new_model_from, c.client.new_share = w.launch + rng.uniform(0, DAY), share
    streams = harvest_streams(w, rng, any_job(w, rng), loads(rng, size, per_account), carried, campaign=campaign)
    return _accounts(w, rng, "model_pivot", campaign, carried, [[s] for s in streams], rng.uniform(0.2, 0.8))


SHAPES: dict[str, Maker] = {
    "shared_template": _simple(_template_job, "shared_template", (0.0, 0.5)),
    "light_accounts": _simple(any_job, "light_accounts", (0.1, 1.0), (10, 30)),
    "reasoning_trace": _simple(_reasoning_job, "reasoning_trace", (0.0, 1.0)),
    "rubric_judge": _simple(_judge_job, "rubric_judge", (0.0, 1.0)),
    "task_generation": _simple(_taskgen_job, "task_generation", (0.0, 1.0)),
    "persona_templates": _simple(_persona_job, "persona_templates", (0.0, 1.0)),
    "diluted_5_10": _diluted("diluted_5_10", 0.05, 0.10, (6, 25)),
    "diluted_20_50": _diluted("diluted_20_50", 0.20, 0.50, (12, 90)),
    "multi_beneficiary": _beneficiaries,
    "slow_randomised": _simple(_loose_job, "slow_randomised", (0.7, 1.0), (10, 70)),
    "natural_questions": _simple(natural_job, "natural_questions", (0.2, 1.0)),
    "pool_switch": _pool_switch,
    "model_pivot": _pivot,
    "chinese": _simple(_chinese_job, "chinese", (0.0, 1.0)),
    "russian": _simple(_russian_job, "russian", (0.0, 1.0)),
    "eval_disguised": _simple(_eval_job, "eval_disguised", (0.1, 1.0)),
}
"""Shape name -> maker."""


CAPPED = {"light_accounts": 18.0, "diluted_5_10": 13.0, "diluted_20_50": 38.0, "slow_randomised": 30.0}
"""Shapes whose harvest per account stays low whatever the range's share: about this many."""


class Draw(msgspec.Struct, frozen=True):
    """One campaign to be made."""

    campaign: str
    shape: str
    size: int
    per_account: float


def draw_campaigns(w: World, rng: Random) -> list[Draw]:
    """Which campaigns a range has: sizes and rates log-uniform, then scaled to the shares drawn from the config."""
    config = w.config
    names = config.shapes or tuple(SHAPES)
    for name in names:
        if name not in SHAPES:
            raise ValueError(f"no campaign shape named {name!r}; there are {', '.join(SHAPES)}")
    accounts = rng.uniform(*config.attack_accounts) * config.account_target
    harvest = rng.uniform(*config.attack_exchanges) * config.exchanges
    low, high = config.campaign_size
    wanted: list[str] = []
    times = {name: rng.randint(*config.campaigns_per_shape) for name in names}
    for again in range(max(times.values())):
        wanted += rng.sample([n for n in names if times[n] > again], sum(t > again for t in times.values()))
    wanted = wanted[: max(1, int(accounts / low))]
    sizes = [loguniform(rng, low, high) for _ in wanted]
    for _ in range(8):
        factor = accounts / sum(sizes)
        sizes = [min(high, max(low, s * factor)) for s in sizes]
    rates = [loguniform(rng, 15, 250) for _ in wanted]
    for _ in range(8):
        spent = sum(s * min(r, CAPPED.get(name, r)) for name, s, r in zip(wanted, sizes, rates, strict=True))
        scale = min(3.0, max(0.2, harvest / spent))
        rates = [min(700.0, max(8.0, r * scale)) for r in rates]
    return [
        Draw(token(rng, "c_", 32), shape, round(size), rate)
        for shape, size, rate in zip(wanted, sizes, rates, strict=True)
    ]
