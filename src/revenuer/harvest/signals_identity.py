"""Signals of who is behind the accounts: networks, clients, settings, payment, sign-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from revenuer.link.infrastructure import RARE
from revenuer.profile.events import F64, I32, I64

if TYPE_CHECKING:
    from revenuer.harvest.group import Group


def one_network(group: Group) -> float:
    """Mean share of an account's exchanges from a rare network that another account of the group uses too.

    Detects: accounts run from few machines. Misses: a residential address for every account. False positives: small
    offices, families, classrooms of up to fifteen. Evasion costs: an address for every account, paid by traffic.
    """
    return float(rare_network_share(group).mean())


def one_stack(group: Group) -> float:
    """Concentration of client stacks over the group, above what the population's commonness explains, in nats.

    Detects: one program with an unusual client behind all accounts. Misses: clients that everybody uses; a client
    string drawn anew for every account. False positives: customers of one product that ships its own client.
    Evasion costs: client stacks that differ down to the TLS handshake.
    """
    return _concentration(group, group.events.agent, group.population.agent_accounts)


def one_setting(group: Group) -> float:
    """Chance that two exchanges of different accounts have the same endpoint and parameters.

    Detects: one program with one configuration. Misses: parameters drawn for every account. False positives: everybody
    who leaves the defaults. Evasion costs: next to nothing: it counts only together with others.
    """
    return float(agreement(group, group.events.params).mean())


def one_payment(group: Group) -> float:
    """Share of the group's accounts whose payment instrument another account of the group has too.

    Detects: accounts paid by few cards. Misses: a card for every account, or accounts without one. False positives: one
    firm with several accounts, agencies, families. Evasion costs: a payment instrument for every account.
    """
    payment = group.books.payment[group.accounts]
    known = payment >= 0
    if not known.any():
        return 0.0
    _, code, times = np.unique(payment[known], return_inverse=True, return_counts=True)
    return float((times[code] > 1).sum() / len(group.accounts))


def separate_customers(group: Group) -> float:
    """How far the accounts pose as unrelated customers: distinct organisations over accounts; a null is its own.

    Detects: one operator behind many made-up customers. Misses: accounts openly held by one organisation.
    False positives: customers who truly are unrelated, which most are. Evasion costs: being one known customer, who can
    be asked.
    """
    org = group.books.org[group.accounts]
    known = org[org >= 0]
    return float((len(np.unique(known)) + (org < 0).sum()) / len(org))


def signup_burst(group: Group) -> float:
    """Minus log of the spread of sign-up times against the population's, -2 to 5.

    Detects: accounts opened together. Misses: accounts bought, or opened over months; groups of two. False positives:
    classes, teams, customers of one campaign. Evasion costs: opening accounts long before they are used.
    """
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
    """Minus log of the accounts' median age in days at their first exchange of the group.

    Detects: accounts used to the full from their first day. Misses: accounts bought, or left to age. False positives:
    new customers with a job to do. Evasion costs: keeping accounts for months before they are used.
    """
    created = group.books.created[group.accounts]
    first = np.full(len(group.accounts), np.inf)
    np.minimum.at(first, group.owner, group.events.ts[group.rows])
    age = (first - created)[np.isfinite(created)] / 86_400
    return float(-np.log(max(float(np.median(age)), 0.0) + 1)) if len(age) else -4.0


def rare_network_share(group: Group) -> F64:
    """For each account (k,), the share of its exchanges from a rare network that another member uses too."""
    code, spread = group.events.network[group.rows], group.population.network_accounts
    usable = (code >= 0) & (spread[np.maximum(code, 0)] <= RARE)
    pairs = np.unique(code[usable].astype(np.int64) << 32 | group.owner[usable])
    holders = np.bincount(pairs >> 32, minlength=len(spread))
    shared = usable & (holders[np.maximum(code, 0)] > 1)
    return np.bincount(group.owner, shared, len(group.accounts)) / group.size


def agreement(group: Group, code: I32) -> F64:
    """For each account (k,), the chance that one of its exchanges and one of another member's have the same code."""
    k = len(group.accounts)
    _, local = np.unique(code[group.rows], return_inverse=True)
    width = int(local.max()) + 1
    share = np.bincount(group.owner * width + local, minlength=k * width).reshape(k, width) / group.size[:, None]
    others = (share.sum(axis=0)[None, :] - share) / max(k - 1, 1)
    chance: F64 = (share * others).sum(axis=1)
    return chance


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
