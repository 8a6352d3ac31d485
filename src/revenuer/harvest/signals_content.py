"""Signals of what is asked: variance of content and lengths between accounts, repeats, templates, subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from revenuer.fingerprint.sketch import mix
from revenuer.harvest.exchangeable import Anova, anova
from revenuer.profile.events import F64

if TYPE_CHECKING:
    from revenuer.harvest.group import Group

CONTENT_DIMENSION = 20.0
"""Effective dimensions of prompt embeddings within a template: participation ratio, 14 to 31 over the open sources."""


def content_anova(group: Group) -> Anova | None:
    """Between-account variance of prompt embeddings.

    Detects: shards of one list, dealt to the accounts at random. Misses: lists sorted by subject before they are dealt.
    False positives: evaluations, and customers of one product whose users ask alike. Evasion costs: a subject of its
    own for every account, so that the list cannot be dealt at will.
    """
    unit = group.events.embedding[group.rows].astype(np.float32) / 254
    return anova(group.size, group.sums(unit), group.sums((unit * unit).sum(axis=1))[:, 0], CONTENT_DIMENSION)


def length_anova(group: Group) -> Anova | None:
    """Between-account variance of the logarithm of prompt length.

    Detects: prompts of one template and one pool. Misses: accounts that are each given a template of another length.
    False positives: customers of one product, whose template is the same. Evasion costs: padding by an amount of its
    own for each account, paid for in every prompt.
    """
    return _scalar(group, np.log1p(group.events.length[group.rows].astype(np.float64)))


def answer_anova(group: Group) -> Anova | None:
    """Between-account variance of the logarithm of answer length; none where over a fifth of the exchanges lack it.

    Detects: one kind of task, so one kind of answer. Misses: accounts with limits on answers of their own; logs without
    token counts. False positives: customers of one product. Evasion costs: other tasks or other limits for every
    account: answers that are not wanted.
    """
    answer = group.events.completion[group.rows]
    if (answer < 0).mean() > 0.2:
        return None
    return _scalar(group, np.log1p(np.maximum(answer, 0).astype(np.float64)))


def _scalar(group: Group, value: F64) -> Anova | None:
    value = value - value.mean()
    return anova(group.size, group.sums(value), group.sums(value * value)[:, 0])


def distinct_between(group: Group) -> float:
    """Share of exchanges whose text no other account of the group sent.

    Detects: a list dealt without overlap. Misses: lists of which several accounts ask the same part. False positives:
    unrelated people, who share no texts either. Evasion costs: asking again what another account has asked already:
    queries without new answers.
    """
    text = group.events.text[group.rows]
    _, code = np.unique(text, return_inverse=True)
    pairs = np.unique(code.astype(np.int64) << 32 | group.owner)
    holders = np.bincount(pairs >> 32)
    return float((holders[code] == 1).mean())


def distinct_within(group: Group) -> float:
    """Distinct texts over exchanges, per account and then averaged.

    Detects: sweeps of a list; people, monitors and nightly evaluations repeat themselves. Misses: several samples drawn
    of each prompt. False positives: translation and back-fill jobs, which also never ask twice. Evasion costs: repeats:
    queries without new answers.
    """
    return float(distinct_share(group).mean())


def distinct_share(group: Group) -> F64:
    """For each account (k,), its distinct texts over its exchanges."""
    _, code = np.unique(group.events.text[group.rows], return_inverse=True)
    pairs = np.unique(code.astype(np.int64) << 32 | group.owner)
    return np.bincount(pairs & 0xFFFFFFFF, minlength=len(group.accounts)) / group.size


def near_distinct(group: Group) -> float:
    """Share of exchanges with no near-duplicate (a shared MinHash band) among the group's exchanges.

    Detects: pools of different questions. Misses: templates so long that all their fills are near-duplicates; lists of
    reworded questions. False positives: unrelated people. Evasion costs: rewording of old questions instead of new
    ones: queries that teach less.
    """
    bands = group.events.bands[group.rows]
    shared = np.zeros(len(group.rows), bool)
    for column in range(bands.shape[1]):
        _, code, times = np.unique(bands[:, column], return_inverse=True, return_counts=True)
        shared |= times[code] > 1
    return float(1 - shared.mean())


def single_turn(group: Group) -> float:
    """Share of exchanges that open a conversation.

    Detects: lists worked off one prompt at a time. Misses: harvest of whole conversations. False positives:
    classifiers, translations, back-fills and everything else that is a job. Evasion costs: follow-up turns, each a
    query that has to react to an answer.
    """
    return float((group.events.parent[group.rows] == 0).mean())


def template_share(group: Group) -> float:
    """Mean share of a text's chunks that several accounts of the group repeat: how much of it is template.

    Detects: one template run from three accounts or more. Misses: prompts without a template, or a template for every
    account. False positives: customers of one product, public evaluation harnesses. Evasion costs: a template for every
    account, and its upkeep.
    """
    return float(fixed_share(group).mean())


def fixed_share(group: Group, sample: int = 40_000) -> F64:
    """Share (n,) of each exchange's chunks that recur in the group and in three accounts or more.

    What recurs is learned from about `sample` (exchange, chunk) pairs. A hash picks the exchanges: every n-th one would
    be one account's alone where a list is dealt in turn.
    """
    chunks = group.events.chunks[group.rows]
    row, column = np.nonzero(chunks)
    if not len(row):
        return np.zeros(len(group.rows))
    value = chunks[row, column]
    step = max(1, len(group.rows) * chunks.shape[1] // sample)
    learned = mix(row.astype(np.uint64)) % np.uint64(step) == 0
    values, code, times = np.unique(value[learned], return_inverse=True, return_counts=True)
    pairs = np.unique(code.astype(np.int64) << 32 | group.owner[row[learned]])
    holders = np.bincount(pairs >> 32, minlength=len(times))
    seen = len(np.unique(row[learned]))
    fixed = values[(times >= max(3, 0.03 * seen)) & (holders >= min(3, len(group.accounts)))]
    hit = np.isin(value, fixed)
    sizes = np.maximum(np.bincount(row, minlength=len(group.rows)), 1)
    return np.bincount(row, hit, len(group.rows)) / sizes


def apart(group: Group) -> float:
    """Log distance of the group's topics from the average customer's, in standard deviations between customers.

    Detects: pools that nobody else asks about. Misses: pools as broad as what all customers ask. False positives:
    specialists: one trade, one science, one language's textbook. Evasion costs: padding with everyday questions,
    several times the harvest.
    """
    unit = group.events.embedding[group.rows].astype(np.float64) / 254
    means = group.sums(unit) / group.size[:, None]
    offset = (means.mean(axis=0) - group.population.topic_mean) @ group.population.topic_scale
    return float(np.log1p((offset * offset).mean()))
