"""Honest operators with many accounts, or accounts with many users: agencies, relays, classrooms, teams, partners."""

from __future__ import annotations

from random import Random

from revenuer.lab.range.harvest import partner_streams
from revenuer.lab.range.infra import (
    Addresses,
    Books,
    address,
    agent,
    any_addresses,
    company,
    loguniform,
    mail_domain,
    network,
    server_addresses,
    token,
)
from revenuer.lab.range.phrases import family, product
from revenuer.lab.range.plan import Plan, Stream, World, chat_stream, maybe_side, plan, product_stream, volume
from revenuer.lab.range.timing import Batches, any_pattern
from revenuer.lab.range.workloads import (
    Chat,
    Mixture,
    Templated,
    Workload,
    any_of,
    change,
    subject_texts,
)

DAY = 86_400.0


def team_key(w: World, rng: Random) -> list[Plan]:
    """One account, many people and programs."""
    streams = []
    for _ in range(rng.randint(4, 18)):
        maker = chat_stream if rng.random() < 0.6 else product_stream
        streams.append(maker(w, rng, volume(rng, 20)))
    return [plan(w, rng, "team_key", streams)]


def llm_gateway(w: World, rng: Random) -> list[Plan]:
    """A company's own gateway: many programs behind one account and few addresses."""
    addresses = server_addresses(rng)
    name = agent(rng) if rng.random() < 0.6 else None
    streams = [
        product_stream(w, rng, volume(rng, 25), addresses=addresses, one=w.client(rng, agent_name=name))
        for _ in range(rng.randint(5, 22))
    ]
    return [plan(w, rng, "llm_gateway", streams)]


def agency(w: World, rng: Random) -> list[Plan]:
    """Client accounts on one template and network, each client with its own subject."""
    template = product(rng, w.fold)
    net = network(rng, rng.choice(("cloud", "office")))
    block = rng.randrange(2048)
    ips = [address(rng, net, block) for _ in range(rng.randint(1, 6))]
    name = agent(rng)
    pay = token(rng, "pm_", 40) if rng.random() < 0.5 else None
    operator, made = token(rng, "op_"), []
    domain = mail_domain(rng, company(rng)) if rng.random() < 0.5 else None
    pattern = any_pattern(rng, w.traces)
    signup = w.start - DAY * loguniform(rng, 1, 500)
    burst = rng.random() < 0.4
    median = volume(rng, 45, 0.5)
    for _ in range(w.group(rng, 5, 25)):
        work = Templated(
            w.material, template, any_of(subject_texts(w.material, rng), variation=change(rng)), tokens=220
        )
        when = pattern if rng.random() < 0.5 else any_pattern(rng, w.traces)
        stream = Stream(
            work, when, volume(rng, median, 0.8), w.client(rng, agent_name=name), Addresses(rng, ips, stay=0.5)
        )
        books = Books(payment=pay, domain=domain, created_at=signup + rng.uniform(0, 3 * DAY) if burst else None)
        made.append(plan(w, rng, "agency", maybe_side(w, rng, [stream], 0.3), operator=operator, books=books))
    return made


def shared_relay(w: World, rng: Random) -> list[Plan]:
    """Unrelated customers behind the addresses, and often the program, of one relay."""
    net = network(rng, "relay")
    ips = [address(rng, net, rng.randrange(6)) for _ in range(rng.randint(2, 14))]
    name = agent(rng, chat=True) if rng.random() < 0.7 else None
    made = []
    for _ in range(w.group(rng, 10, 50)):
        one = w.client(rng, agent_name=name) if name and rng.random() < 0.8 else None
        maker = chat_stream if rng.random() < 0.7 else product_stream
        stream = maker(w, rng, volume(rng, 30), addresses=Addresses(rng, ips, stay=rng.uniform(0.1, 0.9)), one=one)
        made.append(plan(w, rng, "shared_relay", maybe_side(w, rng, [stream], 0.2)))
    return made


def classroom(w: World, rng: Random) -> list[Plan]:
    """Students on one address, with the same exercises, in lessons and at home."""
    net = network(rng, "campus")
    ip = address(rng, net)
    domain, org = mail_domain(rng, company(rng)), token(rng, "org_", 40)
    own_org = rng.random() < 0.5
    exercises = subject_texts(w.material, rng, 40)
    system = rng.choice(
        (
            None,
            "You are a patient teacher. Give hints, not solutions.",
            "You help students of a computer science course.",
        )
    )
    template = family(rng, rng.choice(("reasoning", "instruct", "code")), w.fold) if rng.random() < 0.4 else None
    first = w.start + rng.uniform(8, 15) * 3600
    lessons = [
        first + d * DAY + rng.choice((0, 0, 7200))
        for d in range(rng.randrange(2), int(w.config.days), rng.choice((1, 2, 3, 7)))
    ] or [first]
    name = agent(rng, chat=True) if rng.random() < 0.5 else None
    operator, made = token(rng, "op_"), []
    signup = w.start - DAY * rng.uniform(0, 60)
    for _ in range(w.group(rng, 20, 40)):
        inputs = any_of(exercises, reuse=0.15, variation=rng.uniform(0.5, 1.0))
        work: Workload = (
            Templated(w.material, template, inputs)
            if template
            else Mixture(
                [
                    (0.7, Templated(w.material, product(rng, w.fold, system=False), inputs)),
                    (0.3, Chat(w.material, rng, system=system)),
                ]
            )
        )
        one = w.client(rng, agent_name=name, chat=name is None)
        here = Stream(
            work, Batches(rng, at=lessons, gap=rng.uniform(40, 260)), volume(rng, 18, 0.6), one, Addresses(rng, [ip])
        )
        streams = [here]
        if rng.random() < 0.7:
            streams.append(chat_stream(w, rng, here.volume * rng.uniform(0.1, 0.9)))
        books = Books(
            org=org if own_org else None,
            domain=domain,
            created_at=signup + rng.uniform(0, 2 * 3600),
            country=net.country,
        )
        made.append(plan(w, rng, "classroom", streams, operator=operator, books=books))
    return made


def licensed_distillation(w: World, rng: Random) -> list[Plan]:
    """A partner with a permission: just like a campaign, and allowed."""
    operator, org, pay, name = token(rng, "op_"), token(rng, "org_", 40), token(rng, "pm_", 40), company(rng)
    shared = rng.random() < 0.5
    made = []
    for streams in partner_streams(w, rng, w.group(rng, 3, 10)):
        books = Books(
            org=org,
            name=name,
            payment=pay if shared else None,
            domain=mail_domain(rng, name),
            authorised=(f"distillation:{streams[0].client.model}",),
        )
        made.append(
            plan(w, rng, "licensed_distillation", maybe_side(w, rng, streams, 0.3), operator=operator, books=books)
        )
    return made


def small_company(w: World, rng: Random) -> list[Plan]:
    """Development, staging and production accounts of one product: one template, unequal loads."""
    operator, name = token(rng, "op_"), company(rng)
    books = Books(
        org=token(rng, "org_", 40),
        name=name,
        payment=token(rng, "pm_", 40) if rng.random() < 0.7 else None,
        domain=mail_domain(rng, name),
    )
    template, texts = product(rng, w.fold), subject_texts(w.material, rng)
    addresses = server_addresses(rng)
    agent_name = agent(rng)
    size, made = volume(rng, 90), []
    for number in range(rng.randint(2, 5)):
        inputs = any_of(texts[:12] if number else texts, reuse=0.3 if number else 0.02, variation=change(rng))
        work = Templated(w.material, template, inputs)
        where = addresses if rng.random() < 0.5 else any_addresses(rng)
        streams = [Stream(work, any_pattern(rng, w.traces), size, w.client(rng, agent_name=agent_name), where)]
        made.append(plan(w, rng, "small_company", maybe_side(w, rng, streams, 0.3), operator=operator, books=books))
        size *= rng.uniform(0.1, 0.7)
    return made
