"""Signals of how the accounts are run: hours, days, minutes, load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from revenuer.harvest.exchangeable import Anova, anova

if TYPE_CHECKING:
    from revenuer.harvest.group import Group


def hours_anova(group: Group) -> Anova | None:
    """Between-account variance of the time of day, as a point on the circle.

    Detects: one driver that runs all accounts at the same hours. Misses: a driver that gives each account hours of its
    own. False positives: colleagues, and nightly jobs of one schedule. Evasion costs: a timetable for every account:
    fewer exchanges a day.
    """
    angle = group.events.ts[group.rows] % 86_400 / 86_400 * 2 * np.pi
    point = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return anova(group.size, group.sums(point), group.size.copy(), 2.0)


def days_anova(group: Group) -> Anova | None:
    """Between-account variance of when in the group's life an account is active.

    Detects: accounts worked in parallel until the list is done. Misses: accounts used one after the other.
    False positives: a class, or customers of one product launch. Evasion costs: accounts that wait for their turn: the
    harvest takes as many times longer.
    """
    day = group.events.ts[group.rows] / 86_400
    day = day - day.mean()
    return anova(group.size, group.sums(day), group.sums(day * day)[:, 0])


def round_the_clock(group: Group) -> float:
    """Entropy of the pooled hours of day over its maximum, 0 to 1.

    Detects: programs that do not sleep, pooled over the operator. Misses: harvest at office hours. False positives:
    services with users in all time zones, and groups of many people. Evasion costs: half to two thirds of the day.
    """
    hours = np.bincount((group.events.ts[group.rows] // 3600 % 24).astype(np.int64), minlength=24)
    share = hours / hours.sum()
    return float(-(share * np.log(np.maximum(share, 1e-12))).sum() / np.log(24))


def together(group: Group) -> float:
    """Log of observed over expected coincidences of two accounts in one 10-minute window, given each one's hours.

    The expectation keeps every account's activity by hour and shifts it within the hour.

    Detects: a driver that starts its accounts in the same minutes. Misses: a queue that keeps only one account busy at
    a time; independent timers. False positives: cron jobs on the full hour, a class at its exercise. Evasion costs:
    timers of their own for all accounts.
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


def even_load(group: Group) -> float:
    """Minus the coefficient of variation of exchanges per account.

    Detects: a driver that deals evenly. Misses: a driver that deals at random weights. False positives: cohorts with
    the same homework, small groups. Evasion costs: limits reached by the busiest account while others idle.
    """
    return float(-group.size.std() / group.size.mean())


def share_of_account(group: Group) -> float:
    """Mean share of an account's whole traffic that is in the group.

    Detects: accounts made for the harvest. Misses: harvest hidden in resold or honest traffic. False positives: single-
    purpose honest accounts, as most programs' are. Evasion costs: padding: several honest queries for each one
    harvested.
    """
    return float((group.size / group.population.account_exchanges[group.accounts]).mean())


def accounts(group: Group) -> float:
    """Log of the number of accounts.

    Detects: many accounts on one list. Misses: campaigns of few, busy accounts. False positives: products with many
    customers, classes, platforms. Evasion costs: fewer accounts, each nearer to its limits.
    """
    return float(np.log(len(group.accounts)))


def exchanges(group: Group) -> float:
    """Log of the number of exchanges.

    Detects: large harvests. Misses: small ones, and every one while it is young. False positives: any busy service.
    Evasion costs: taking less.
    """
    return float(np.log(len(group.rows)))
