"""Honest operators: every class of innocent look-alike, each with many independent operators of their own make.

`CLASSES` is the list: a class is a share of the benign accounts and a function that makes one operator (or one
group of operators that share infrastructure) of it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from revenuer.lab.range.benign_groups import (
    agency,
    classroom,
    licensed_distillation,
    llm_gateway,
    shared_relay,
    small_company,
    team_key,
)
from revenuer.lab.range.harvest import bare
from revenuer.lab.range.infra import (
    Books,
    any_addresses,
    loguniform,
    server_addresses,
    token,
)
from revenuer.lab.range.phrases import family, product
from revenuer.lab.range.plan import (
    Plan,
    Stream,
    World,
    chat_stream,
    constant_or,
    maybe_side,
    plan,
    product_stream,
    volume,
)
from revenuer.lab.range.pool import Row, Source
from revenuer.lab.range.timing import Batches, Pattern, People, Schedule, Service, any_pattern
from revenuer.lab.range.workloads import (
    Mixture,
    Probing,
    Published,
    Review,
    Templated,
    Threads,
    Workload,
    any_of,
    change,
    in_order,
    rows_in_order,
    subject_texts,
)

DAY = 86_400.0


def _texts(source: Source) -> list[str]:
    return [r.bare for r in source.rows]


def _slice(rng: Random, rows: tuple[Row, ...], low: int, high: int) -> tuple[Row, ...]:
    size = min(len(rows), rng.randint(low, high))
    at = rng.randrange(len(rows) - size + 1)
    return rows[at : at + size]


def chat_user(w: World, rng: Random) -> list[Plan]:
    """One person and a handful of interests."""
    clients = rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 4))
    streams = [chat_stream(w, rng, volume(rng, 22 / clients, 1.0)) for _ in range(clients)]
    return [plan(w, rng, "chat_user", maybe_side(w, rng, streams, 0.15))]


def app_developer(w: World, rng: Random) -> list[Plan]:
    """One product with one to three features."""
    addresses, one = any_addresses(rng), w.client(rng)
    pattern = any_pattern(rng, w.traces)
    size = volume(rng, 40, 1.1)
    features = rng.choice((1, 1, 1, 2, 2, 3))
    streams = [
        product_stream(w, rng, size / features, addresses=addresses, one=one, pattern=pattern) for _ in range(features)
    ]
    if rng.random() < 0.25:
        name = rng.choice(
            (
                "persona",
                "reasoning",
                "rewrite",
                "code",
                "instruct",
                "zh_instruct",
                "ru_instruct",
                "zh_reasoning",
                "ru_reasoning",
            )
        )
        cast = round(loguniform(rng, 2, 80))
        personas = [r.text for s in w.material.pool.of("benign", "persona") for r in s.rows]
        inputs = any_of(subject_texts(w.material, rng), variation=change(rng))
        work = Templated(
            w.material, family(rng, name, w.fold), inputs, personas=rng.sample(personas, min(len(personas), cast))
        )
        streams[0] = Stream(work, pattern, size / features, one, addresses)
    return [plan(w, rng, "app_developer", maybe_side(w, rng, streams, 0.5))]


def support_bot(w: World, rng: Random) -> list[Plan]:
    """A help desk with its own persona over real customer turns."""
    source = rng.choice(w.material.pool.of("benign", "customer_service") or w.material.pool.of("benign"))
    system = None
    template = product(rng, w.fold, task="Answer as our help desk would", system=True)
    system, _ = template.render(rng, x="")
    work: Workload
    if source.rows[0].conversation_id:
        work = Threads(w.material, source, system, window=rng.choice((4, 10, 20)))
    else:
        splits = sorted({r.split for r in source.rows})
        mine = set(rng.sample(splits, min(len(splits), rng.randint(3, 40))))
        texts = [r.text for r in source.rows if r.split in mine]
        work = Templated(w.material, template, any_of(texts, variation=change(rng)), tokens=110)
    streams = [Stream(work, Service(rng, w.traces), volume(rng, 90), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "support_bot", maybe_side(w, rng, streams))]


def rag_backfill(w: World, rng: Random) -> list[Plan]:
    """Summaries and answers over a stock of documents, in bursts."""
    pool = w.material.pool
    rag = pool.of("benign", "rag")
    if rag:
        docs = [f"{r.context}\n\n{r.text}" if r.context else r.text for s in rag for r in s.rows]
        cut = rng.choice((1500, 3000, 6000, 9000))
        docs = [d[-cut:] for d in docs]
    else:
        source = rng.choice(pool.of("benign", "translation") or pool.of("benign"))
        texts = _texts(source)
        width = rng.randint(4, 14)
        docs = [" ".join(texts[i : i + width]) for i in range(0, len(texts) - width, width)]
    at = rng.randrange(len(docs))
    docs = docs[at:] + docs[:at]
    template = product(
        rng,
        w.fold,
        task=rng.choice(
            (
                "Summarise the text",
                "List the main points",
                "Suggest keywords",
                "Turn it into meeting minutes",
                "Suggest three follow-up questions",
            )
        ),
    )
    work = Templated(w.material, template, in_order(docs), tokens=250)
    streams = [Stream(work, Batches(rng), volume(rng, 50), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "rag_backfill", maybe_side(w, rng, streams))]


def code_review(w: World, rng: Random) -> list[Plan]:
    """Continuous integration: diffs in office hours, several at once."""
    system, _ = product(rng, w.fold, task="Find errors in the text").render(rng, x="")
    pattern: Pattern = Service(rng, w.traces) if rng.random() < 0.5 else People(rng, rng.uniform(2, 12))
    streams = [Stream(Review(w.material, rng, system), pattern, volume(rng, 60), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "code_review", maybe_side(w, rng, streams))]


def text_to_sql(w: World, rng: Random) -> list[Plan]:
    """A product that turns its users' questions into queries over its own schema."""
    sources = w.material.pool.of("benign", "text_to_sql") or w.material.pool.of("benign", "agent")
    rows = [r for s in sources for r in s.rows]
    work: Workload
    if not rows:
        return app_developer(w, rng)
    if rng.random() < 0.5:
        splits = sorted({r.split for r in rows})
        mine = set(rng.sample(splits, min(len(splits), rng.randint(1, 3))))
        work = Published(w.material, lambda r, _s, own=tuple(x for x in rows if x.split in mine): r.choice(own), 90)  # type: ignore[misc]
    else:
        template = product(rng, w.fold, task="Write the SQL query that answers the request")
        work = Templated(w.material, template, any_of([r.bare for r in rows], variation=change(rng)), tokens=90)
    streams = [Stream(work, Service(rng, w.traces), volume(rng, 60), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "text_to_sql", maybe_side(w, rng, streams))]


def agent_product(w: World, rng: Random) -> list[Plan]:
    """An agent: policy, tools, many turns."""
    sources = w.material.pool.of("benign", "agent") or w.material.pool.of("benign", "customer_service")
    source = rng.choice(sources or w.material.pool.of("benign"))
    own = rng.random() < 0.6
    system = (
        product(rng, w.fold, task="Decide which team should handle it", system=True).render(rng, x="")[0]
        if own
        else None
    )
    work = Threads(w.material, source, system, tokens=160)
    one = w.client(rng, tools=True)
    streams = [
        Stream(
            work,
            Service(rng, w.traces) if rng.random() < 0.7 else constant_or(rng, w),
            volume(rng, 80),
            one,
            server_addresses(rng),
        )
    ]
    return [plan(w, rng, "agent", maybe_side(w, rng, streams))]


def translation(w: World, rng: Random) -> list[Plan]:
    """Documents translated sentence by sentence, in order."""
    source = rng.choice(w.material.pool.of("benign", "translation", "chat") or w.material.pool.of("benign"))
    rows = _slice(rng, source.rows, 80, 900)
    if source.kind.startswith("translation") and rng.random() < 0.3:
        work: Workload = Published(w.material, rows_in_order(rows), 60)
    else:
        template = product(
            rng,
            w.fold,
            task=rng.choice(
                ("Translate it into {language}", "Translate to {language}, keep names", "Give the {language} version")
            ),
        )
        work = Templated(w.material, template, in_order([r.bare for r in rows]), tokens=70)
    pattern: Pattern = Batches(rng) if rng.random() < 0.7 else constant_or(rng, w, 0.5)
    streams = [Stream(work, pattern, volume(rng, 110), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "translation", maybe_side(w, rng, streams))]


def _suite(w: World, rng: Random, low: int, high: int) -> tuple[Workload, int]:
    """A public harness as published, or in own wording; every run the same. Some use published training data."""
    pool = w.material.pool
    public = pool.of("attack", "imitation", "tooluse", "cot", "reasoning") if rng.random() < 0.12 else []
    source = rng.choice(public or pool.of("benign", "eval_harness") or pool.of("benign"))
    rows = _slice(rng, source.rows, low, high)
    if rng.random() < 0.6:
        return Published(w.material, rows_in_order(rows, restart=True), 220), len(rows)
    texts = [r.bare for r in rows]
    return Templated(
        w.material, family(rng, "eval", w.fold), in_order(texts, restart=True), tokens=220, subject=source.kind
    ), len(rows)


def nightly_eval(w: World, rng: Random) -> list[Plan]:
    """The same suite every night."""
    work, size = _suite(w, rng, 4, int(loguniform(rng, 6, 60)))
    pattern = Schedule(rng, DAY * rng.choice((1, 1, 1, 2)), size)
    streams = [Stream(work, pattern, size * w.config.days, w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "nightly_eval", maybe_side(w, rng, streams))]


def new_model_bench(w: World, rng: Random) -> list[Plan]:
    """A benchmark on the day the new model comes out: independent organisations in step."""
    work, size = _suite(w, rng, 60, 500)
    begin = w.launch + loguniform(rng, 60, 20 * 3600)
    one = w.client(rng)
    one.new_model_from, one.new_share = w.launch, 1.0
    streams = [Stream(work, Batches(rng, 1, at=(begin,)), min(size, volume(rng, 90, 0.6)), one, server_addresses(rng))]
    if rng.random() < 0.8:
        streams.append(product_stream(w, rng, streams[0].volume * rng.uniform(0.2, 1.5)))
    return [plan(w, rng, "new_model_bench", streams)]


def drift_monitor(w: World, rng: Random) -> list[Plan]:
    """A small probe set every hour or so, day and night."""
    work, size = _suite(w, rng, 1, 4)
    pattern = Schedule(rng, 3600.0 * rng.choice((1, 2, 3, 4, 6)), size)
    streams = [Stream(work, pattern, w.config.days * DAY / pattern.period * size, w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "drift_monitor", maybe_side(w, rng, streams, 0.3))]


def fallback_router(w: World, rng: Random) -> list[Plan]:
    """Takes over another provider's traffic while that one is down: nothing, then everything."""
    apps = [product_stream(w, rng, 1.0) for _ in range(rng.randint(2, 6))]
    work = Mixture([(rng.random() + 0.1, s.workload) for s in apps], sticky=False)
    pattern = Batches(rng, rng.randint(2, 7), gap=loguniform(rng, 0.5, 30))
    streams = [Stream(work, pattern, volume(rng, 90), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "fallback_router", maybe_side(w, rng, streams, 0.3))]


def audit_reasoning(w: World, rng: Random) -> list[Plan]:
    """A regulated product that must keep the reasoning behind each answer."""
    name = rng.choice(("reasoning", "reasoning", "trace", "hidden_translation", "zh_reasoning", "ru_reasoning"))
    inputs = any_of(subject_texts(w.material, rng), reuse=rng.choice((0, 0.1)), variation=change(rng))
    work = Templated(w.material, family(rng, name, w.fold), inputs, tokens=600, answer_words=25)
    streams = [Stream(work, any_pattern(rng, w.traces), volume(rng, 80), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "audit_reasoning", maybe_side(w, rng, streams))]


def security_research(w: World, rng: Random) -> list[Plan]:
    """Probing the model's limits, by the hundreds."""
    streams = [
        Stream(Probing(w.material, rng), any_pattern(rng, w.traces), volume(rng, 70), w.client(rng), any_addresses(rng))
    ]
    return [plan(w, rng, "security_research", maybe_side(w, rng, streams))]


def judge_user(w: World, rng: Random) -> list[Plan]:
    """Grades its own system's answers with a public or own judge prompt."""
    texts = subject_texts(w.material, rng)
    public = w.material.pool.of("attack", "judge", "imitation") if rng.random() < 0.15 else []
    if public:
        texts = [bare(r) for r in _slice(rng, rng.choice(public).rows, 40, 400)]
    work = Templated(
        w.material,
        family(rng, "judge", w.fold),
        in_order(texts) if rng.random() < 0.5 else any_of(texts),
        tokens=160,
        answer_words=rng.randint(15, 160),
    )
    pattern: Pattern = Batches(rng) if rng.random() < 0.5 else Service(rng, w.traces)
    streams = [Stream(work, pattern, volume(rng, 90), w.client(rng), server_addresses(rng))]
    return [plan(w, rng, "judge_user", maybe_side(w, rng, streams))]


def synthetic_data(w: World, rng: Random) -> list[Plan]:
    """Makes training data for a classifier of its own: allowed by most terms, and much like an attack."""
    operator = token(rng, "op_")
    template = family(rng, rng.choice(("taskgen", "rewrite", "taskgen", "persona")), w.fold)
    texts = subject_texts(w.material, rng, 150)
    books = Books(org=token(rng, "org_", 40))
    made = []
    for _ in range(rng.choice((1, 1, 2))):
        work = Templated(w.material, template, any_of(texts, variation=change(rng)), tokens=450)
        streams = [Stream(work, any_pattern(rng, w.traces), volume(rng, 110), w.client(rng), server_addresses(rng))]
        made.append(plan(w, rng, "synthetic_data", maybe_side(w, rng, streams), operator=operator, books=books))
    return made


class BenignClass(NamedTuple):
    """A class: its share of benign accounts (the shares add up to 1) and the maker of one operator or group."""

    share: float
    make: Callable[[World, Random], list[Plan]]


CLASSES: dict[str, BenignClass] = {
    "chat_user": BenignClass(0.345, chat_user),
    "app_developer": BenignClass(0.255, app_developer),
    "support_bot": BenignClass(0.035, support_bot),
    "rag_backfill": BenignClass(0.02, rag_backfill),
    "code_review": BenignClass(0.025, code_review),
    "text_to_sql": BenignClass(0.02, text_to_sql),
    "agent": BenignClass(0.025, agent_product),
    "translation": BenignClass(0.018, translation),
    "nightly_eval": BenignClass(0.016, nightly_eval),
    "new_model_bench": BenignClass(0.016, new_model_bench),
    "drift_monitor": BenignClass(0.01, drift_monitor),
    "fallback_router": BenignClass(0.012, fallback_router),
    "team_key": BenignClass(0.008, team_key),
    "llm_gateway": BenignClass(0.006, llm_gateway),
    "audit_reasoning": BenignClass(0.018, audit_reasoning),
    "agency": BenignClass(0.035, agency),
    "shared_relay": BenignClass(0.04, shared_relay),
    "classroom": BenignClass(0.025, classroom),
    "licensed_distillation": BenignClass(0.005, licensed_distillation),
    "security_research": BenignClass(0.01, security_research),
    "judge_user": BenignClass(0.018, judge_user),
    "synthetic_data": BenignClass(0.014, synthetic_data),
    "small_company": BenignClass(0.024, small_company),
}
