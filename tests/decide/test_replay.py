"""Replays: a grid that a longer log only adds to, causal verdicts, and books that cannot say where people come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.harvest.simple import simple_model
from tests.worlds import CHAT, DAY, HOUR, START, Operator, customers, events_of, harvester, log_of, own

from revenuer.decide.replay import Stopwatch, books_of, moments, replay
from revenuer.harvest import model as models
from revenuer.harvest.model import Model
from revenuer.records import Account, Exchange, Verdict
from revenuer.settings import Decision, Evaluation, Settings

GRID = Settings(
    evaluation=Evaluation(early=(12.0, 24.0, 30.0), every=12.0),
    decision=Decision(false_campaigns=0.05, fewest_groups=1),
)


@cache
def log() -> tuple[tuple[Exchange, ...], dict[str, Account]]:
    """A harvest that begins on the second day, customers, and one who joins late."""
    late = Operator("late", 4, own(CHAT, 10), times=lambda _, n, rng: sorted(rng.uniform(3 * DAY, 4 * DAY, n)))
    exchanges, accounts = log_of(harvester(5, 30), customers(20, 10), late, seed=3)
    return tuple(exchanges), accounts


def run(
    exchanges: Sequence[Exchange],
    accounts: Mapping[str, Account],
    model: Model | None = None,
    permitted: Sequence[str] = (),
) -> tuple[dict[str, Any], list[Any]]:
    """States by account name, and campaigns with their accounts' names."""
    events = events_of(exchanges)
    allowed = np.isin(np.array(events.accounts), np.array(permitted, dtype=str))
    found = replay(events, books_of(events, accounts), allowed, GRID, model or simple_model()).decider
    states = {
        events.accounts[code]: (state.verdict, state.score, state.flagged_at) for code, state in found.accounts.items()
    }
    groups = [
        (campaign.name, campaign.flagged_at, {events.accounts[code]: at for code, at in campaign.flagged.items()})
        for campaign in found.campaigns
    ]
    return states, groups


def flags(states: Mapping[str, Any]) -> dict[str, float]:
    return {name: at for name, (_, _, at) in states.items() if at is not None}


MODELS: dict[str, Callable[[], Model]] = {"simple": simple_model, "shipped": models.load}


@cache
def whole(model: str = "simple") -> tuple[dict[str, Any], list[Any]]:
    return run(*log(), MODELS[model]())


def test_the_harvest_is_found_and_nobody_else() -> None:
    states, groups = whole()
    assert set(flags(states)) == {f"harvest-{n}" for n in range(5)}
    assert [set(accounts) for _, _, accounts in groups] == [set(flags(states))]
    assert all(at > START + DAY for at in flags(states).values())


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=6)
@given(share=st.floats(0.02, 1.0))
def test_truncating_the_log_changes_no_earlier_flag(model: str, share: float) -> None:
    exchanges, accounts = log()
    kept = exchanges[: max(1, int(share * len(exchanges)))]
    end = kept[-1].ts
    cut, _ = run(kept, {name: accounts[name] for name in {e.account for e in kept}}, MODELS[model]())
    assert flags(cut) == {name: at for name, at in flags(whole(model)[0]).items() if at <= end}


def test_a_score_is_the_same_to_the_last_digit_whatever_comes_later() -> None:
    exchanges, accounts = log()
    looks = moments(exchanges[0].ts, exchanges[-1].ts, GRID.evaluation)
    for at in (1, 3, 5):
        seen = [e for e in exchanges if e.ts < looks[at]]
        # Both logs are looked at the same times; the second holds accounts of which the first knows nothing.
        stop = msgspec.structs.replace(seen[0], id="y", ts=looks[at])
        more = [e for e in exchanges if looks[at] <= e.ts < looks[at + 1]]
        known = {name: accounts[name] for name in {e.account for e in seen}}
        assert run([*seen, stop], known) == run([*seen, stop, *more], accounts)


def test_where_people_come_from_and_what_they_are_called_changes_nothing() -> None:
    exchanges, accounts = log()
    rng = np.random.default_rng(0)
    places = rng.choice(["CN", "DE", "RU", "US", "NG"], len(accounts)).tolist()
    dressed = {
        name: msgspec.structs.replace(row, country=place, name=f"{place} Holding {number}")
        for number, ((name, row), place) in enumerate(zip(accounts.items(), places, strict=True))
    }
    assert run(exchanges, dressed) == whole()


def test_a_permission_keeps_an_account_from_being_accused() -> None:
    exchanges, accounts = log()
    states, groups = run(exchanges, accounts, permitted=["harvest-0", "harvest-1"])
    assert set(flags(states)) <= {"harvest-2", "harvest-3", "harvest-4"}
    assert all(
        state[0] is not Verdict.HARVESTING for name, state in states.items() if name in ("harvest-0", "harvest-1")
    )
    assert {name for _, _, accounts in groups for name in accounts} == set(flags(states))
    everyone, _ = run(exchanges, accounts, permitted=sorted(accounts))
    assert not flags(everyone)


def test_what_an_account_is_called_changes_nothing() -> None:
    exchanges, accounts = log()
    renamed = {name: f"zz{hash_ * 7919 % 1000:04d}" for hash_, name in enumerate(sorted(accounts))}
    states, _ = run(
        [msgspec.structs.replace(e, account=renamed[e.account]) for e in exchanges],
        {renamed[name]: msgspec.structs.replace(row, account=renamed[name]) for name, row in accounts.items()},
    )
    assert states == {renamed[name]: state for name, state in whole()[0].items()}


schedules = st.builds(
    Evaluation,
    early=st.lists(st.integers(1, 60).map(float), min_size=1, max_size=5, unique=True).map(lambda x: tuple(sorted(x))),
    every=st.integers(1, 48).map(float),
)


@given(st.floats(0, 2e9), st.floats(0, 60 * DAY), st.floats(0, 30 * DAY), schedules)
def test_a_longer_log_only_adds_moments(first: float, length: float, more: float, schedule: Evaluation) -> None:
    short, long = moments(first, first + length, schedule), moments(first, first + length + more, schedule)
    assert short == sorted(set(short))
    if length >= schedule.early[0] * HOUR + 1:
        assert long[: len(short)] == short
        assert all(moment > first + length for moment in long[len(short) :])
        assert short[-1] <= first + length
    elif length < schedule.early[0] * HOUR - 1:
        (only,) = short
        assert only > first + length


def test_books_are_codes_of_what_is_known() -> None:
    exchanges = log()[0][:60]
    events = events_of(exchanges)
    names = events.accounts
    known = {
        names[0]: Account(account=names[0], org="o", payment="p", created_at=5.0),
        names[1]: Account(account=names[1], org="o", payment="q"),
        "never seen": Account(account="never seen", org="o"),
    }
    books = books_of(events, known)
    assert books.org[0] == books.org[1] >= 0
    assert books.payment[0] != books.payment[1]
    assert (books.org[2:] == -1).all()
    assert books.created[0] == 5.0
    assert np.isnan(books.created[1:]).all()


def test_a_stopwatch_adds_up_by_stage_in_order() -> None:
    # A clock that goes one second on at each look, with half a second of CPU.
    seconds = count()
    watch = Stopwatch(lambda: ((now := next(seconds)), now / 2))
    for name in ("b", "a", "b"):
        with watch.stage(name):
            pass
    with pytest.raises(ZeroDivisionError), watch.stage("c"):
        _ = 1 / 0
    assert [(time.stage, time.wall, time.cpu) for time in watch.stages()] == [
        ("b", 2.0, 1.0),
        ("a", 1.0, 0.5),
        ("c", 1.0, 0.5),
    ]


def test_without_a_clock_no_time_passes() -> None:
    watch = Stopwatch()
    with watch.stage("a"):
        pass
    assert [(time.wall, time.cpu) for time in watch.stages()] == [(0.0, 0.0)]
