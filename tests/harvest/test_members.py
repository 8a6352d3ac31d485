"""Each account's own evidence: a stranger inside a group stands out by every fact, and numbers do not hang on names."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from tests.worlds import BANKING, DAY, HOUR, START, Operator, World, customers, harvester, prompts, world

from revenuer.harvest.group import Group, Population
from revenuer.harvest.members import MEMBER_FEATURES, fit_of_members, measure_members
from revenuer.harvest.model import load
from revenuer.records import Params

TEMPLATE = "Solve the problem with care and put the final answer in a box at the end.\n\nProblem: {}\n\nSolution:"

STRANGER = Operator(
    name="stranger",
    accounts=1,
    # The same template once in a while, on one's own matters, beside much else.
    texts=lambda _, rng: [
        *(TEMPLATE.format(text) if at % 2 else text for at, text in enumerate(prompts(BANKING)[:8] * 2)),
        *rng.choice(prompts(BANKING), 30),
    ],
    times=lambda _, count, rng: sorted(3.9 * DAY + rng.uniform(0, 1 * HOUR, count)),
    address=lambda *_: "172.16.3.4",
    agent=lambda *_: "browser/9",
    books=lambda *_: {"created_at": START - 800 * DAY, "payment": "its own"},
    params=lambda *_: Params(temperature=0.0),
    answer=lambda _, rng: int(rng.integers(4, 20)),
)


@cache
def mixed() -> World:
    return world(harvester(6, 40), STRANGER, customers(20, 8))


def group(found: World | None = None) -> Group:
    """The harvest with the stranger's first few exchanges."""
    seen = found or mixed()
    rows = np.union1d(seen.rows("harvest"), seen.rows("stranger")[:16])
    return Group.of(seen.events, seen.books, Population.of(seen.events, len(seen.events)), rows)


def measured(of: Group) -> npt.NDArray[np.float64]:
    model = load()
    fit = fit_of_members(of, *model.priors("same_content"))
    return measure_members(of, fit, *(model.priors(f"same_{name}") for name in ("hours", "days", "length")))


def is_stranger(of: Group) -> npt.NDArray[np.bool_]:
    return np.array([of.events.accounts[code].startswith("stranger") for code in of.accounts.tolist()])


@pytest.mark.parametrize("feature", MEMBER_FEATURES)
def test_a_stranger_who_shares_the_template_is_below_the_members(feature: str) -> None:
    found = measured(group())[:, MEMBER_FEATURES.index(feature)]
    stranger = is_stranger(group())
    assert stranger.sum() == 1
    assert found[stranger].max() < found[~stranger].min()


def test_a_members_own_score_is_above_the_strangers() -> None:
    own = load().member_scores(measured(group()))
    stranger = is_stranger(group())
    assert own[stranger].max() < own[~stranger].min()


def test_every_fact_stays_in_its_range() -> None:
    for of in (group(), mixed().group("customer"), mixed().group("stranger")):
        found = dict(zip(MEMBER_FEATURES, measured(of).T, strict=True))
        for name, value in found.items():
            assert value.shape == (len(of.accounts),)
            assert np.isfinite(value).all(), name
        for name in ("share", "setting", "stack", "network", "payment", "distinct", "template", "stack_share"):
            assert (found[f"own_{name}"] >= 0).all(), name
            assert (found[f"own_{name}"] <= 1 + 1e-9).all(), name
        assert (found["own_exchanges"] >= 0).all()
        assert (found["own_youth"] <= 0).all()
        assert (found["own_signup"] >= 0).all()


def test_a_lone_account_has_nobody_to_be_compared_with() -> None:
    alone = mixed().group("stranger")
    found = dict(zip(MEMBER_FEATURES, measured(alone)[0].tolist(), strict=True))
    assert [
        found[f"own_{name}"]
        for name in ("fit", "hours", "days", "setting", "stack", "network", "payment", "signup", "pace")
    ] == [0] * 9


def test_order_of_accounts_does_not_matter() -> None:
    forwards = mixed()
    codes = len(forwards.events.accounts) - 1
    events = replace(forwards.events, account=codes - forwards.events.account, accounts=forwards.events.accounts[::-1])
    books = replace(
        forwards.books,
        org=forwards.books.org[::-1],
        payment=forwards.books.payment[::-1],
        created=forwards.books.created[::-1],
    )
    turned = replace(forwards, events=events, books=books)
    np.testing.assert_allclose(measured(group(turned))[::-1], measured(group()), atol=1e-9)


def test_fewer_exchanges_say_less() -> None:
    seen = mixed()
    population = Population.of(seen.events, len(seen.events))
    harvest, stranger = seen.rows("harvest"), seen.rows("stranger")[:16]
    full = fit_of_members(group(), *load().priors("same_content"))[is_stranger(group())]
    few = Group.of(seen.events, seen.books, population, np.union1d(harvest, stranger[:2]))
    assert abs(fit_of_members(few, *load().priors("same_content"))[is_stranger(few)]) < abs(full)
