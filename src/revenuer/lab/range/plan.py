"""What operators are made of: streams of requests in accounts, and the world they live in."""

from __future__ import annotations

from random import Random

import msgspec

from revenuer.lab.range.banks import banks
from revenuer.lab.range.config import Fold, RangeConfig
from revenuer.lab.range.infra import (
    Addresses,
    Books,
    Client,
    account,
    any_addresses,
    client,
    loguniform,
    person_addresses,
    token,
)
from revenuer.lab.range.phrases import product
from revenuer.lab.range.timing import Constant, Pattern, People, Service, Traces, any_pattern
from revenuer.lab.range.workloads import Chat, Material, Templated, Workload, any_of, change, subject_texts
from revenuer.records import Account


class Stream(msgspec.Struct):
    """One use of an account. `volume` is relative until the range is scaled; `campaign` marks harvest."""

    workload: Workload
    pattern: Pattern
    volume: float
    client: Client
    addresses: Addresses
    campaign: str | None = None
    window: tuple[float, float] | None = None
    """Seconds within which it runs; None is the whole range."""
    banned_at: float | None = None
    """From here on every request is refused with 403, and the program gives up after a few."""


class Plan(msgspec.Struct):
    """One account with all its streams, and the truth about it."""

    account: Account
    streams: list[Stream]
    role: str
    cls: str
    operator: str
    campaign: str | None = None


class World:
    """What all operators of a range share."""

    def __init__(self, config: RangeConfig, material: Material, traces: Traces) -> None:
        self.config, self.material, self.traces = config, material, traces
        self.start, self.end = config.start, config.end
        rng = Random(f"{config.seed}/world")
        self.launch = config.start + 86_400 * (0.25 + rng.uniform(0.3, 0.6) * config.days)
        """Day the new model comes out."""
        self.small = min(1.0, config.account_target / 1200)
        """Below 1, groups are made smaller so that every class fits."""

    @property
    def fold(self) -> Fold | None:
        """Half of the phrasings in use."""
        return self.material.fold

    def group(self, rng: Random, low: int, high: int) -> int:
        """Size of a group of accounts, smaller in small ranges."""
        return max(2, round(rng.randint(low, high) * max(0.2, self.small)))

    def adopt(self, rng: Random, one: Client) -> Client:
        """Clients change: some move to the new model, at once, later or in part; some update their library."""
        if rng.random() < 0.15:
            one.upgraded_at = rng.uniform(self.start, self.end)
            kind = one.user_agent.rsplit("/", 1)[0]
            one.upgraded_agent = rng.choice([a for a in banks().agents if a.startswith(kind)] or [one.user_agent])
        if rng.random() < 0.3:
            one.new_model_from = self.launch + (loguniform(rng, 600, 6 * 86_400) if rng.random() < 0.85 else 0.0)
            one.new_share = rng.choice((0.3, 0.5, 1.0, 1.0))
        return one

    def open(self, rng: Random, books: Books | None = None) -> Account:
        """A new account in the provider's books."""
        return account(rng, books or Books(), self.start, self.end)

    def client(self, rng: Random, **how: object) -> Client:
        """A client stack, which may adopt the new model."""
        return self.adopt(rng, client(rng, **how))  # type: ignore[arg-type]


def plan(
    world: World,
    rng: Random,
    cls: str,
    streams: list[Stream],
    *,
    operator: str | None = None,
    books: Books | None = None,
) -> Plan:
    """A benign account."""
    return Plan(world.open(rng, books), streams, "benign", cls, operator or token(rng, "op_"))


def chat_stream(
    world: World, rng: Random, size: float, *, addresses: Addresses | None = None, one: Client | None = None
) -> Stream:
    """A person talking to the model through some chat program or script."""
    system = rng.choice(banks().ordinary_system) if rng.random() < 0.35 else None
    if system and rng.random() < 0.4:
        personas = [r.text for s in world.material.pool.of("benign", "persona") for r in s.rows]
        system = rng.choice(personas) if personas else system
    return Stream(
        Chat(world.material, rng, system=system),
        People(rng) if rng.random() < 0.93 else Service(rng),
        size,
        one or world.client(rng, chat=rng.random() < 0.6),
        addresses or person_addresses(rng),
    )


def product_stream(
    world: World,
    rng: Random,
    size: float,
    *,
    addresses: Addresses | None = None,
    one: Client | None = None,
    pattern: Pattern | None = None,
) -> Stream:
    """A product's own template around varied inputs of its subject."""
    lang = rng.choice((None,) * 9 + ("zh", "zh", "ru", "ru", "de", "es", "fr", "pt", "ja", "ko"))
    texts = subject_texts(world.material, rng)
    shown: list[tuple[str, str]] = []
    if rng.random() < 0.18:
        picks = rng.sample(texts, min(len(texts), round(loguniform(rng, 2, 16))))
        shown = [(x[:600], world.material.answers.make(rng, x, rng.randint(5, 90))) for x in picks]
    template = product(rng, world.fold, lang=lang, examples=shown)
    inputs = any_of(texts, reuse=rng.choice((0, 0, 0.05, 0.2)), variation=change(rng))
    tokens, stamped = round(loguniform(rng, 30, 700)), rng.random() < 0.15
    work = Templated(world.material, template, inputs, tokens=tokens, stamped=stamped)
    return Stream(
        work,
        pattern or any_pattern(rng, world.traces),
        size,
        one or world.client(rng),
        addresses or any_addresses(rng),
    )


def side_use(world: World, rng: Random, streams: list[Stream], *, low: float = 0.05, high: float = 0.4) -> list[Stream]:
    """Adds traffic of another kind: a share of `low` to `high` of what the account does."""
    total = sum(s.volume for s in streams)
    share = rng.uniform(low, high)
    extra = total * share / (1 - share)
    main = streams[0]
    maker = chat_stream if rng.random() < 0.55 else product_stream
    same = rng.random() < 0.5
    streams.append(
        maker(
            world,
            rng,
            extra,
            addresses=main.addresses if same else None,
            one=world.adopt(rng, main.client) if rng.random() < 0.4 else None,
        )
    )
    return streams


def maybe_side(world: World, rng: Random, streams: list[Stream], chance: float = 0.55) -> list[Stream]:
    """`side_use`, for some."""
    return side_use(world, rng, streams) if rng.random() < chance else streams


def constant_or(rng: Random, world: World, chance: float = 0.2) -> Pattern:
    """Round the clock for some, anything for the others."""
    return Constant(rng) if rng.random() < chance else any_pattern(rng, world.traces)


def volume(rng: Random, median: float, sigma: float = 0.9) -> float:
    """Exchanges of an account or stream before scaling: log-normal."""
    return median * rng.lognormvariate(0, sigma)
