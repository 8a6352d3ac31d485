"""Signals: measured facts about a candidate group, one explicit list.

Each returns a number that is larger the more the group looks like one operator collecting answers; the model may
weigh it from zero upwards and never below (`harvest.model`). A signal that did not help on unseen sources is not here:
complementary coverage and coverage growth were tried and left out (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from revenuer.harvest.exchangeable import Anova, anova
from revenuer.profile.events import F64, I32, I64

if TYPE_CHECKING:
    from revenuer.harvest.group import Group

CONTENT_DIMENSION = 20.0
"""Effective dimensions of prompt embeddings within a template: participation ratio, 14 to 31 over the open sources."""
RARE_NETWORK = 15
"""A network or client stack seen with more accounts than this identifies nobody (DESIGN 4.8)."""


def content_anova(group: Group) -> Anova | None:
    """Between-account variance of prompt embeddings."""
    unit = group.events.embedding[group.rows].astype(np.float32) / 254
    return anova(group.size, group.sums(unit), group.sums((unit * unit).sum(axis=1))[:, 0], CONTENT_DIMENSION)


def length_anova(group: Group) -> Anova | None:
    """Between-account variance of the logarithm of prompt length."""
    return _scalar(group, np.log1p(group.events.length[group.rows].astype(np.float64)))


def answer_anova(group: Group) -> Anova | None:
    """Between-account variance of the logarithm of answer length, where the log has it."""
    answer = group.events.completion[group.rows]
    if (answer < 0).mean() > 0.2:
        return None
    return _scalar(group, np.log1p(np.maximum(answer, 0).astype(np.float64)))


def hours_anova(group: Group) -> Anova | None:
    """Between-account variance of the time of day, as a point on the circle."""
    angle = group.events.ts[group.rows] % 86_400 / 86_400 * 2 * np.pi
    point = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return anova(group.size, group.sums(point), group.size.copy(), 2.0)


def days_anova(group: Group) -> Anova | None:
    """Between-account variance of when in the group's life an account is active."""
    return _scalar(group, group.events.ts[group.rows] / 86_400)


def _scalar(group: Group, value: F64) -> Anova | None:
    value = value - value.mean()
    return anova(group.size, group.sums(value), group.sums(value * value)[:, 0])


def distinct_between(group: Group) -> float:
    """Share of exchanges whose text no other account of the group sent: evaluations and classrooms share theirs."""
    text = group.events.text[group.rows]
    _, code = np.unique(text, return_inverse=True)
    pairs = np.unique(code.astype(np.int64) << 32 | group.owner)
    holders = np.bincount(pairs >> 32)
    return float((holders[code] == 1).mean())


def distinct_within(group: Group) -> float:
    """Distinct texts over exchanges, per account and then averaged: people and monitors repeat, lists do not."""
    text = group.events.text[group.rows]
    _, code = np.unique(text, return_inverse=True)
    pairs = np.unique(code.astype(np.int64) << 32 | group.owner)
    per_account = np.bincount(pairs & 0xFFFFFFFF, minlength=len(group.accounts))
    return float((per_account / group.size).mean())


def near_distinct(group: Group) -> float:
    """Share of exchanges with no near-duplicate (a shared MinHash band) among the group's exchanges."""
    bands = group.events.bands[group.rows]
    shared = np.zeros(len(group.rows), bool)
    for column in range(bands.shape[1]):
        _, code, times = np.unique(bands[:, column], return_inverse=True, return_counts=True)
        shared |= times[code] > 1
    return float(1 - shared.mean())


def single_turn(group: Group) -> float:
    """Share of exchanges that open a conversation."""
    return float((group.events.parent[group.rows] == 0).mean())


def one_network(group: Group) -> float:
    """Mean share of an account's exchanges from a rare network that another account of the group uses too."""
    return _shared(group, group.events.network, group.population.network_accounts, RARE_NETWORK)


def one_stack(group: Group) -> float:
    """Concentration of client stacks over the group, above what the population's commonness explains, in nats."""
    return _concentration(group, group.events.agent, group.population.agent_accounts)


def one_setting(group: Group) -> float:
    """Chance that two exchanges of different accounts have the same endpoint and parameters."""
    return _agreement(group, group.events.params)


def one_payment(group: Group) -> float:
    """Share of the group's accounts whose payment instrument another account of the group has too."""
    payment = group.books.payment[group.accounts]
    known = payment >= 0
    if not known.any():
        return 0.0
    _, code, times = np.unique(payment[known], return_inverse=True, return_counts=True)
    return float((times[code] > 1).sum() / len(group.accounts))


def separate_customers(group: Group) -> float:
    """How far the accounts pose as unrelated customers: distinct organisations over accounts; a null is its own."""
    org = group.books.org[group.accounts]
    known = org[org >= 0]
    return float((len(np.unique(known)) + (org < 0).sum()) / len(org))


def signup_burst(group: Group) -> float:
    """Minus log of the spread of sign-up times against the population's: accounts made together."""
    created = group.books.created
    own = created[group.accounts]
    own = own[np.isfinite(own)]
    # Only accounts that have been seen by now: what comes later must not move an earlier value.
    everyone = created[np.isfinite(created) & (group.population.account_exchanges > 0)]
    if len(own) < 3 or len(everyone) < 10:
        return 0.0
    spread = float(np.median(np.abs(own - np.median(own))) + 3600)
    usual = float(np.median(np.abs(everyone - np.median(everyone))) + 3600)
    return float(np.clip(np.log(usual / spread), -2, 5))


def young_accounts(group: Group) -> float:
    """Minus log of the accounts' median age in days at their first exchange of the group: used hard from day one."""
    created = group.books.created[group.accounts]
    first = np.full(len(group.accounts), np.inf)
    np.minimum.at(first, group.owner, group.events.ts[group.rows])
    age = (first - created)[np.isfinite(created)] / 86_400
    return float(-np.log(max(float(np.median(age)), 0.0) + 1)) if len(age) else -4.0


def round_the_clock(group: Group) -> float:
    """Entropy of the pooled hours of day over its maximum, 0 to 1."""
    hours = np.bincount((group.events.ts[group.rows] // 3600 % 24).astype(np.int64), minlength=24)
    share = hours / hours.sum()
    return float(-(share * np.log(np.maximum(share, 1e-12))).sum() / np.log(24))


def even_load(group: Group) -> float:
    """Minus the coefficient of variation of exchanges per account."""
    return float(-group.size.std() / group.size.mean())


def share_of_account(group: Group) -> float:
    """Mean share of an account's whole traffic that is in the group."""
    return float((group.size / group.population.account_exchanges[group.accounts]).mean())


def template_share(group: Group) -> float:
    """Mean share of a text's chunks that several accounts of the group repeat: how much of it is template."""
    return float(fixed_share(group).mean())


def fixed_share(group: Group, sample: int = 40_000) -> F64:
    """Share (n,) of each exchange's chunks that recur in the group and in three accounts or more.

    What recurs is learned from at most `sample` (exchange, chunk) pairs, taken evenly.
    """
    chunks = group.events.chunks[group.rows]
    row, column = np.nonzero(chunks)
    if not len(row):
        return np.zeros(len(group.rows))
    value = chunks[row, column]
    step = max(1, len(group.rows) * chunks.shape[1] // sample)
    learned = row % step == 0
    values, code, times = np.unique(value[learned], return_inverse=True, return_counts=True)
    pairs = np.unique(code.astype(np.int64) << 32 | group.owner[row[learned]])
    holders = np.bincount(pairs >> 32, minlength=len(times))
    seen = len(np.unique(row[learned]))
    fixed = values[(times >= max(3, 0.03 * seen)) & (holders >= min(3, len(group.accounts)))]
    hit = np.isin(value, fixed)
    sizes = np.maximum(np.bincount(row, minlength=len(group.rows)), 1)
    return np.bincount(row, hit, len(group.rows)) / sizes


def apart(group: Group) -> float:
    """Log distance of the group's topics from the average customer's, in standard deviations between customers."""
    unit = group.events.embedding[group.rows].astype(np.float64) / 254
    means = group.sums(unit) / group.size[:, None]
    offset = (means.mean(axis=0) - group.population.topic_mean) @ group.population.topic_scale
    return float(np.log1p((offset * offset).mean()))


def accounts(group: Group) -> float:
    """Log of the number of accounts."""
    return float(np.log(len(group.accounts)))


def exchanges(group: Group) -> float:
    """Log of the number of exchanges."""
    return float(np.log(len(group.rows)))


def together(group: Group) -> float:
    """Log of observed over expected coincidences of two accounts in one 10-minute window, given each one's hours.

    The expectation keeps every account's activity by hour and shifts it within the hour.
    """
    window = (group.events.ts[group.rows] // 600).astype(np.int64)
    active = np.unique(window << np.int64(20) | group.owner)
    window = active >> 20
    hour = np.unique(window // 6, return_inverse=True)[1]
    _, in_window = np.unique(window, return_counts=True)
    observed = float((in_window * (in_window - 1)).sum())
    # Within an hour an account active in m of six windows meets another active in l of six: m l / 6 times.
    active_in_hour = np.bincount(hour).astype(np.float64)
    own = np.unique(hour.astype(np.int64) << 20 | (active & 0xFFFFF), return_counts=True)
    square = np.bincount(own[0] >> 20, own[1].astype(np.float64) ** 2, len(active_in_hour))
    expected = float(((active_in_hour**2 - square) / 6).sum())
    return float(np.log((observed + 2) / (expected + 2)))


def _shared(group: Group, code: I32, spread: I64, most: int) -> float:
    code = code[group.rows]
    usable = (code >= 0) & (spread[np.maximum(code, 0)] <= most)
    pairs = np.unique(code[usable].astype(np.int64) << 32 | group.owner[usable])
    holders = np.bincount(pairs >> 32, minlength=len(spread))
    shared = usable & (holders[np.maximum(code, 0)] > 1)
    return float((np.bincount(group.owner, shared, len(group.accounts)) / group.size).mean())


def _agreement(group: Group, code: I32) -> float:
    """Chance that two exchanges of two different accounts of the group have the same code."""
    k = len(group.accounts)
    if k < 2:
        return 0.0
    _, local = np.unique(code[group.rows], return_inverse=True)
    table = np.bincount(group.owner * (int(local.max()) + 1) + local, minlength=k * (int(local.max()) + 1))
    share = table.reshape(k, -1) / group.size[:, None]
    total = share.sum(axis=0)
    return float(((total**2).sum() - (share**2).sum()) / (k * (k - 1)))


def _concentration(group: Group, code: I32, spread: I64) -> float:
    k = len(group.accounts)
    values = code[group.rows]
    if k < 2 or (values < 0).all():
        return 0.0
    _, local = np.unique(values, return_inverse=True)
    width = int(local.max()) + 1
    share = np.bincount(group.owner * width + local, minlength=k * width).reshape(k, -1) / group.size[:, None]
    usual = np.zeros(width)
    usual[local] = np.where(values >= 0, spread[np.maximum(values, 0)], group.population.active)
    usual = np.clip(usual / group.population.active, 1e-4, 1.0)
    total = share.sum(axis=0)
    together_ = (total**2 - (share**2).sum(axis=0)) / (k * (k - 1))
    return float((together_ * -np.log(usual)).sum())


@dataclass(frozen=True)
class Signal:
    """One entry of the list: `id` as it appears in reasons, `measure`, and `say`, a sentence with `{value}`."""

    id: str
    measure: Callable[[Group], float]
    say: str


@dataclass(frozen=True)
class Exchangeability:
    """A signal whose value is a log Bayes factor from an analysis of variance; its priors come with the model."""

    id: str
    measure: Callable[[Group], Anova | None]
    say: str


EXCHANGEABILITY: tuple[Exchangeability, ...] = (
    Exchangeability("same_content", content_anova, "the accounts' questions differ no more than shards of one list"),
    Exchangeability("same_length", length_anova, "their prompts have one distribution of lengths"),
    Exchangeability("same_answer", answer_anova, "their answers have one distribution of lengths"),
    Exchangeability("same_hours", hours_anova, "they are active at the same hours"),
    Exchangeability("same_days", days_anova, "they are active on the same days"),
)

SIGNALS: tuple[Signal, ...] = (
    Signal("distinct_between", distinct_between, "{value:.0%} of the texts were sent by one account only"),
    Signal("distinct_within", distinct_within, "{value:.0%} of an account's texts are new"),
    Signal("near_distinct", near_distinct, "{value:.0%} of the texts have no near-duplicate in the group"),
    Signal("single_turn", single_turn, "{value:.0%} of the exchanges open a conversation and react to no answer"),
    Signal("one_network", one_network, "{value:.0%} of an account's exchanges come from a rare network it shares"),
    Signal("one_stack", one_stack, "the client stacks agree more than chance, by {value:.1f} nats"),
    Signal(
        "one_setting",
        one_setting,
        "{value:.0%} of exchange pairs of different accounts have the same parameters",
    ),
    Signal("one_payment", one_payment, "{value:.0%} of the accounts share a payment instrument"),
    Signal("separate_customers", separate_customers, "{value:.0%} of the accounts pose as customers of their own"),
    Signal("signup_burst", signup_burst, "the accounts were opened together (log ratio {value:.1f})"),
    Signal("young_accounts", young_accounts, "the accounts were new when they began (minus log of days {value:.1f})"),
    Signal("round_the_clock", round_the_clock, "activity is spread over the day to {value:.0%} of the maximum"),
    Signal(
        "even_load",
        even_load,
        "evenness of load over the accounts: {value:.2f} (0 is even)",
    ),
    Signal("share_of_account", share_of_account, "{value:.0%} of the accounts' traffic belongs to it"),
    Signal("together", together, "accounts meet in the same ten minutes more than chance (log ratio {value:.1f})"),
    Signal("template_share", template_share, "{value:.0%} of a text is a template that several accounts repeat"),
    Signal("apart", apart, "the subjects differ from the average customer's (log distance {value:.1f})"),
    Signal("accounts", accounts, "the number of accounts (log {value:.1f})"),
    Signal("exchanges", exchanges, "the number of exchanges (log {value:.1f})"),
)
