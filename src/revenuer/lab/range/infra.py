"""Who calls, from where, with what: networks, client stacks, request parameters, models, and the provider's books.

All addresses, payment instruments and names are invented; numbers of networks are public and used for their shape.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import NamedTuple

import msgspec

from revenuer.lab.range.banks import banks
from revenuer.records import Account, Params


class Network(NamedTuple):
    """An autonomous system: its number, what it is, and where most of it lies."""

    asn: int
    kind: str
    country: str


@cache
def networks() -> dict[str, tuple[Network, ...]]:
    """Networks by kind."""
    return {
        kind: tuple(Network(int(asn), kind, country) for asn, country in (item.split(":") for item in items))
        for kind, items in banks().networks.items()
    }


Address = tuple[str, int]


def digest(*parts: object) -> int:
    """64 bits of BLAKE2b over the parts' text; the same in every process."""
    return int.from_bytes(hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


def token(rng: Random, prefix: str, bits: int = 48) -> str:
    """An opaque identifier."""
    return f"{prefix}{rng.getrandbits(bits):0{bits // 4}x}"


def zipf(rng: Random, count: int, skew: float = 1.0) -> int:
    """An index in [0, count), small ones likelier: density about 1 / (rank + 1) ** skew."""
    if skew == 1.0:
        return min(count - 1, int(math.expm1(rng.random() * math.log1p(count))))
    top = (count + 1.0) ** (1 - skew)
    return min(count - 1, int((1 + rng.random() * (top - 1)) ** (1 / (1 - skew)) - 1))


def loguniform(rng: Random, low: float, high: float) -> float:
    """Drawn uniformly in the logarithm; low and high > 0."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def network(rng: Random, kind: str) -> Network:
    """A network of a kind, popular ones likelier."""
    nets = networks()[kind]
    return nets[zipf(rng, len(nets), 0.6)]


def address(rng: Random, net: Network, block: int | None = None) -> Address:
    """One address of a network; `block` fixes its /24 (or /64). About one in twelve home networks speaks IPv6."""
    spread = {"home": 4096, "mobile": 1024, "cloud": 4096, "office": 2048, "campus": 64, "relay": 96}[net.kind]
    chosen = block if block is not None else rng.randrange(spread)
    where = digest("block", net.asn, chosen)
    if net.kind in {"home", "mobile"} and where % 12 == 0:
        return f"2001:db8:{net.asn & 0xFFFF:x}:{where >> 8 & 0xFFFF:x}::{rng.randrange(1, 0xFFFF):x}", net.asn
    first = 11 + (where >> 24) % 180
    return f"{first + (first >= 127)}.{where >> 8 & 255}.{where >> 16 & 255}.{rng.randrange(1, 255)}", net.asn


class Addresses:
    """The addresses one account calls from.

    `stay` is the chance that the next session (or, with `per_request`, the next request) keeps the address it has;
    `churn` the chance that a move goes to an address never used before, on the same networks.
    """

    def __init__(
        self,
        rng: Random,
        known: Sequence[Address],
        nets: Sequence[Network] = (),
        *,
        stay: float = 0.8,
        churn: float = 0.0,
        per_request: bool = False,
    ) -> None:
        self.known = list(known)
        self._nets = list(nets)
        self._stay, self._churn, self._per_request = stay, churn, per_request
        self._at = self.known[zipf(rng, len(self.known), 1.2)]
        self._session = -1

    def pick(self, rng: Random, session: int) -> Address:
        """The address of the next request of a session."""
        if self._per_request or session != self._session:
            self._session = session
            if rng.random() >= self._stay:
                if self._nets and rng.random() < self._churn:
                    self._at = address(rng, self._nets[zipf(rng, len(self._nets), 1.2)])
                    if len(self.known) < 64:
                        self.known.append(self._at)
                else:
                    self._at = self.known[zipf(rng, len(self.known), 0.8)]
        return self._at


def person_addresses(rng: Random, country: str | None = None) -> Addresses:
    """Home, often a phone, sometimes an office, sometimes a relay."""
    local = [n for n in networks()["home"] if n.country == country]
    home = rng.choice(local) if local else network(rng, "home")
    nets = [home]
    if rng.random() < 0.45:
        nets.append(network(rng, "mobile"))
    if rng.random() < 0.25:
        nets.append(network(rng, "office"))
    if rng.random() < 0.12:
        nets.append(network(rng, "relay"))
    churn = rng.choice((0.0, 0.05, 0.3, 0.9))
    return Addresses(rng, [address(rng, n) for n in nets], nets, stay=rng.uniform(0.3, 0.97), churn=churn)


def server_addresses(rng: Random) -> Addresses:
    """A fixed machine, a small fleet, a serverless platform with many, or an office gateway."""
    roll = rng.random()
    net = network(rng, "cloud" if roll < 0.8 else "office")
    if roll < 0.35 or roll >= 0.9:
        return Addresses(rng, [address(rng, net)])
    if roll < 0.65 or roll >= 0.8:
        block = rng.randrange(4096)
        known = [address(rng, net, block if rng.random() < 0.6 else None) for _ in range(rng.randint(2, 8))]
        return Addresses(rng, known, stay=rng.uniform(0, 0.9), per_request=rng.random() < 0.6)
    known = [address(rng, net, rng.randrange(64)) for _ in range(rng.randint(4, 40))]
    return Addresses(
        rng, known, [net], stay=rng.uniform(0, 0.8), churn=rng.uniform(0.1, 0.9), per_request=rng.random() < 0.7
    )


def any_addresses(rng: Random, country: str | None = None) -> Addresses:
    """A person's or a server's, at even odds."""
    return person_addresses(rng, country) if rng.random() < 0.5 else server_addresses(rng)


MODELS = ("sol-4-mini", "sol-4", "sol-4-reason", "sol-3.5", "sol-4-nano", "sol-3", "sol-reason-mini")
NEW_MODEL = "sol-5"
REASONING = frozenset({"sol-4-reason", "sol-reason-mini", "sol-5"})


class Client(msgspec.Struct):
    """A client stack with its habits: what one program sends with every request."""

    user_agent: str
    ja4: str
    endpoint: str
    model: str
    params: Params
    key: str
    new_model_from: float = math.inf
    """From this time on, `new_share` of the requests ask for the new model."""
    new_share: float = 0.0
    error_rate: float = 0.01
    thinking: float = 1.0
    """Reasoning tokens per completion token, median, where the model reasons."""
    upgraded_at: float = math.inf
    """From this time on, `upgraded_agent` is sent: people update their libraries."""
    upgraded_agent: str = ""


def agent(rng: Random, chat: bool = False) -> str:
    """A user agent; default agents of popular SDKs are shared by very many."""
    if chat:
        return rng.choice(banks().browsers) if rng.random() < 0.5 else rng.choice(banks().chat_apps)
    return banks().agents[zipf(rng, len(banks().agents), 0.7)]


def client(
    rng: Random, *, chat: bool = False, agent_name: str | None = None, max_tokens: int | None = -1, tools: bool = False
) -> Client:
    """A client stack drawn from what is common; `max_tokens` -1 draws it, None leaves it unset."""
    name = agent_name or agent(rng, chat and rng.random() < 0.75)
    family = name.split("/", 1)[0].split(" ", 1)[0]
    build = digest("ja4", family, rng.randrange(3 if family in {"Mozilla", "OpenAI"} else 2))
    endpoint = (
        "anthropic.messages"
        if name.startswith("Anthropic")
        else ("openai.chat", "openai.chat", "openai.responses")[rng.randrange(3)]
    )
    if endpoint == "openai.chat" and rng.random() < 0.12:
        endpoint = "anthropic.messages"
    model = MODELS[zipf(rng, len(MODELS), 0.9)]
    limit = (
        rng.choice((None, None, 256, 512, 1000, 1024, 1024, 2000, 2048, 4096, 4096, 8192))
        if max_tokens == -1
        else max_tokens
    )
    if limit is None and endpoint == "anthropic.messages":
        limit = rng.choice((1024, 2048, 4096))
    params = Params(
        temperature=rng.choice((None, None, None, 0.0, 0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.7, 1.0, 1.0, 0.9)),
        top_p=rng.choice((None,) * 8 + (1.0, 0.95, 0.9)),
        max_tokens=limit,
        n=rng.choice((None,) * 20 + (1, 1, 1, 2, 3, 4, 8)) if not chat else None,
        stream=rng.choice((None, True, False)) if not chat else rng.choice((True, True, None)),
        logprobs=True if not chat and rng.random() < 0.04 else None,
        reasoning_effort=rng.choice((None, "low", "medium", "high")) if model in REASONING else None,
        response_format=rng.choice((None,) * 6 + ("json_object", "json_schema")) if not chat else None,
        tools=rng.randint(1, 14) if tools else None,
    )
    return Client(
        user_agent=name,
        ja4=f"t13d{1400 + build % 300:04d}h2_{build >> 16:012x}_{digest('ext', build) >> 16:012x}",
        endpoint=endpoint,
        model=model,
        params=params,
        key=token(rng, "key_", 40),
        error_rate=loguniform(rng, 0.002, 0.05),
        thinking=loguniform(rng, 0.2, 4.0),
    )


def coin(rng: Random, low: int = 2, high: int = 4) -> str:
    """An invented word."""
    return "".join(rng.choice(banks().syllables) for _ in range(rng.randint(low, high))).capitalize()


def company(rng: Random) -> str:
    """An invented company."""
    return f"{coin(rng)} {rng.choice(banks().company_forms)}"


def mail_domain(rng: Random, name: str | None = None) -> str:
    """A free mail provider's domain, or the company's own."""
    if name is None:
        return rng.choice(banks().free_mail)
    return f"{name.split()[0].lower()}.{rng.choice(('com', 'io', 'ai', 'co', 'dev', 'net', 'app'))}"


class Books(msgspec.Struct):
    """What a set of accounts have in common in the provider's books; None means each account has its own."""

    org: str | None = None
    name: str | None = None
    payment: str | None = None
    domain: str | None = None
    country: str | None = None
    plan: str | None = None
    created_at: float | None = None
    authorised: tuple[str, ...] = ()


def employer_domain(rng: Random) -> str:
    """The domain of one of a few hundred larger companies, several of whose people have accounts of their own."""
    one = Random(f"employer/{zipf(rng, 400, 0.5)}")
    return mail_domain(one, company(one))


def opening(rng: Random, start: float, end: float) -> float:
    """When an account was opened: mostly long before the log begins, sometimes during it."""
    if rng.random() < 0.15:
        return rng.uniform(start, start + 0.6 * (end - start))
    return start - 86_400 * loguniform(rng, 0.2, 900)


def account(rng: Random, books: Books, start: float, end: float) -> Account:
    """A new billing account; what `books` leaves open is drawn."""
    person = books.org is None and rng.random() < 0.55
    legal = books.name or (f"{coin(rng, 1, 2)} {coin(rng)}" if person else company(rng))
    created = books.created_at if books.created_at is not None else opening(rng, start, end)
    domain = books.domain
    if domain is None:
        domain = (
            employer_domain(rng)
            if rng.random() < 0.12
            else mail_domain(rng, None if person or rng.random() < 0.3 else legal)
        )
    return Account(
        account=token(rng, "acct_"),
        org=books.org or token(rng, "org_", 40),
        created_at=round(created, 1),
        plan=books.plan or rng.choice(banks().plans),
        payment=books.payment or token(rng, "pm_", 40),
        email_domain=domain,
        country=books.country or rng.choice(banks().countries),
        name=legal,
        authorised=books.authorised,
    )
