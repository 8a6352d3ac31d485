"""Signals: measured facts about a candidate group, one explicit list.

Each returns a number that is larger the more the group looks like one operator collecting answers; the model may
weigh it from zero upwards and never below (`harvest.model`). They are measured in `signals_content`, `signals_conduct`
and `signals_identity`; the docstring of each is its claim, from which docs/reference/signals.md is made. A signal that
did not help on unseen sources is not here: complementary coverage and coverage growth were tried and left out
(docs/decisions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from revenuer.harvest.exchangeable import Anova
from revenuer.harvest.signals_conduct import (
    accounts,
    days_anova,
    even_load,
    exchanges,
    hours_anova,
    round_the_clock,
    share_of_account,
    together,
)
from revenuer.harvest.signals_content import (
    answer_anova,
    apart,
    content_anova,
    distinct_between,
    distinct_within,
    length_anova,
    near_distinct,
    single_turn,
    template_share,
)
from revenuer.harvest.signals_identity import (
    one_network,
    one_payment,
    one_setting,
    one_stack,
    separate_customers,
    signup_burst,
    young_accounts,
)

if TYPE_CHECKING:
    from revenuer.harvest.group import Group


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
