"""GCRA keeps its word for any traffic; what was reserved and settled is what was used."""

from __future__ import annotations

import heapq
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenuer.gateway.errors import Reason
from revenuer.gateway.limits import Bucket, Denied, Grant, Limits, Rule, Rules, Scope, Share, Use, load_rules
from revenuer.settings import SettingsError

ME = [(Scope.ACCOUNT, "me")]
GAPS = st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 20)), max_size=80)


def limits(**rule: float) -> Limits:
    return Limits(Rules(account={"default": Rule(**rule)}))  # type: ignore[arg-type]


@given(GAPS, st.floats(0.5, 20), st.floats(0.5, 30))
def test_no_window_holds_more_than_rate_and_burst(traffic: list[tuple[float, float]], rate: float, room: float) -> None:
    bucket, now, passed = Bucket(rate, room), 100.0, list[tuple[float, float]]()
    for gap, cost in traffic:
        now += gap
        if bucket.wait(cost, now) == 0:
            bucket.take(cost, now)
            passed.append((now, cost))
    for begin, (start, _) in enumerate(passed):
        total = 0.0
        for end, cost in passed[begin:]:
            total += cost
            # What is larger than the whole burst passes only where nothing is owed; hence the largest cost on top.
            largest = max(cost for _, cost in passed)
            assert total <= rate * (end - start + room) + largest + 1e-6


@given(GAPS, st.floats(0.5, 20), st.floats(0.5, 30))
def test_who_comes_back_when_told_is_let_in(traffic: list[tuple[float, float]], rate: float, room: float) -> None:
    bucket, now = Bucket(rate, room), 100.0
    for gap, cost in traffic:
        now += gap
        now += bucket.wait(cost, now)
        assert bucket.wait(cost, now) < 1e-6
        bucket.take(cost, now)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=30))
def test_what_is_settled_is_what_was_used(used: list[tuple[int, int]]) -> None:
    reserved, exact = Bucket(1.0, 1e9), Bucket(1.0, 1e9)
    for bound, _ in used:
        reserved.take(bound, 0.0)
    for bound, spent in used:
        reserved.take(spent - bound, 0.0)
        exact.take(spent, 0.0)
    assert reserved.arrival == pytest.approx(exact.arrival)


def test_a_refund_gives_no_credit_for_the_past() -> None:
    bucket = Bucket(1.0, 10.0)
    bucket.take(5, 100.0)
    bucket.take(-5, 200.0)
    assert bucket.arrival == 200.0


def test_every_limit_refuses_with_its_own_reason_and_a_time() -> None:
    for rule, reason in (
        ({"requests_per_minute": 6.0}, Reason.LIMIT_REQUESTS),
        ({"input_tokens_per_minute": 600.0}, Reason.LIMIT_TOKENS),
        ({"output_tokens_per_minute": 600.0}, Reason.LIMIT_TOKENS),
        ({"concurrency": 1}, Reason.LIMIT_CONCURRENCY),
    ):
        held = limits(**rule)
        assert isinstance(held.reserve(ME, 100, 100, 0.0), Grant)
        found = held.reserve(ME, 100, 100, 0.0)
        assert isinstance(found, Denied)
        assert found.reason is reason
        assert found.retry_after > 0


def test_a_refused_request_takes_nothing_from_any_scope() -> None:
    held = Limits(Rules(account={"default": Rule(requests_per_minute=600)}, model={"full": Rule(concurrency=1)}))
    names = [*ME, (Scope.MODEL, "full")]
    assert isinstance(held.reserve(names, 1, 1, 0.0), Grant)
    for _ in range(1000):
        assert isinstance(held.reserve(names, 1, 1, 0.0), Denied)
    assert isinstance(held.reserve(ME, 1, 1, 0.0), Grant)


def test_concurrency_is_given_back_and_never_twice() -> None:
    held = limits(concurrency=1)
    for _ in range(3):
        grant = held.reserve(ME, 1, 1, 0.0)
        assert isinstance(grant, Grant)
        held.settle(grant, None, 0, 1.0)
        held.settle(grant, None, 0, 1.0)


def test_a_rule_changed_under_way_keeps_what_was_spent_and_what_runs() -> None:
    held = limits(requests_per_minute=6, concurrency=2)
    grant = held.reserve(ME, 1, 1, 0.0)
    assert isinstance(grant, Grant)
    held.replace(Rules(account={"default": Rule(requests_per_minute=7, concurrency=1)}))
    found = held.reserve(ME, 1, 1, 0.0)
    assert isinstance(found, Denied)
    assert found.reason is Reason.LIMIT_CONCURRENCY
    held.settle(grant, 1, 1, 0.0)
    found = held.reserve(ME, 1, 1, 0.0)
    assert isinstance(found, Denied)
    assert found.reason is Reason.LIMIT_REQUESTS


def test_what_is_idle_is_forgotten_where_too_much_is_held() -> None:
    held = Limits(Rules(account={"default": Rule(requests_per_minute=60)}), most=10)
    for number in range(50):
        held.reserve([(Scope.ACCOUNT, str(number))], 1, 1, 0.0)
    held.sweep(0.5)
    assert len(held) == 50
    held.sweep(1000.0)
    assert len(held) == 50  # still running
    for state in list(held._states.values()):
        state.running = 0
    held.sweep(1000.0)
    assert len(held) == 0


def test_reserving_first_keeps_the_worst_minute_near_the_limit() -> None:
    """Forty requests at once, each bounded by 1,000 tokens and using 800: charging after the answer lets all pass."""
    held = limits(output_tokens_per_minute=6000, burst_seconds=5)
    under_way: list[tuple[float, Grant]] = []
    done: list[tuple[float, int]] = []
    for step in range(1800):
        now = step / 10
        for end, grant in [item for item in under_way if item[0] <= now]:
            held.settle(grant, None, 800, now)
            done.append((end, 800))
            under_way.remove((end, grant))
        while len(under_way) < 40 and isinstance(found := held.reserve(ME, 10, 1000, now), Grant):
            under_way.append((now + 20, found))
    worst = max(sum(tokens for at, tokens in done if begin <= at < begin + 60) for begin in range(120))
    assert worst <= 1.2 * 6000
    assert worst >= 0.6 * 6000


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(any),
    st.integers(50, 400),
    st.floats(0.5, 30),
)
@settings(max_examples=15)
def test_four_processes_that_tell_each_other_pass_one_limit(
    seed: int, skew: list[float], mean: int, seconds: float
) -> None:
    """Demand is several times the limit, skewed over the processes; each hears of the others after 0.1 to 0.2 s."""
    chance, limit = random.Random(seed), 60_000
    held = [
        Limits(Rules(account={"default": Rule(output_tokens_per_minute=limit)}), share=Share(burst=4)) for _ in "four"
    ]
    for each in held:
        each.drain()
    under_way: list[tuple[float, int, Grant, int]] = []
    in_the_air: list[tuple[int, list[Use]]] = []
    done: list[tuple[float, int]] = []
    for step in range(1, 1801):
        now = step / 10
        for number, uses in in_the_air:
            for other, each in enumerate(held):
                if other != number:
                    for use in uses:
                        each.spend(use, now)
        in_the_air = [(number, each.drain()) for number, each in enumerate(held)]
        while under_way and under_way[0][0] <= now:
            end, number, grant, used = heapq.heappop(under_way)
            held[number].settle(grant, None, used, now)
            done.append((end, used))
        for _ in range(12):
            number = chance.choices(range(4), skew)[0]
            bound = chance.randint(1, 2 * mean)
            if isinstance(found := held[number].reserve(ME, 1, bound, now), Grant):
                used = chance.randint(0, bound)
                heapq.heappush(under_way, (now + chance.uniform(0, 2 * seconds), number, found, used))
    done.sort()
    worst = max(sum(used for at, used in done if begin <= at < begin + 60) for begin in range(0, 180, 5))
    assert worst <= 1.2 * limit


def test_what_is_told_is_what_passed_and_each_use_once() -> None:
    here, there = limits(requests_per_minute=600, output_tokens_per_minute=6000), limits(requests_per_minute=60)
    assert here.drain() == []
    grant = here.reserve(ME, 10, 100, 0.0)
    assert isinstance(grant, Grant)
    assert here.running() == {ME[0]: 1}
    here.settle(grant, 12, 30, 1.0)
    told = here.drain()
    assert told == [Use(Scope.ACCOUNT, "me", 1, 12, 30, 0)]
    assert here.drain() == []
    assert here.running() == {}
    there.spend(told[0], 1.0)
    found = there.reserve(ME, 1, 1, 1.0)
    assert isinstance(found, Grant)  # the burst of five seconds holds five
    for _ in range(3):
        assert isinstance(there.reserve(ME, 1, 1, 1.0), Grant)
    assert isinstance(there.reserve(ME, 1, 1, 1.0), Denied)
    there.spend(Use(Scope.MODEL, "unlimited", 1, 1, 1, 1), 1.0)
    assert len(there) == 1


def test_a_part_of_a_limit_and_the_whole_again() -> None:
    held = limits(concurrency=4)
    held.share = Share(rate=2, burst=2)
    grants = [held.reserve(ME, 1, 1, 0.0) for _ in range(3)]
    assert [isinstance(grant, Grant) for grant in grants] == [True, True, False]
    held.share = Share()
    held.elsewhere({ME[0]: 1})
    assert isinstance(held.reserve(ME, 1, 1, 0.0), Grant)
    assert isinstance(held.reserve(ME, 1, 1, 0.0), Denied)
    held.elsewhere({})
    assert isinstance(held.reserve(ME, 1, 1, 0.0), Grant)


def test_rules_come_from_a_file_and_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text('[account.default]\nrequests_per_minute = 60\n[model."atlas-1"]\nconcurrency = 4\n')
    rules = load_rules(path)
    assert rules.rule(Scope.ACCOUNT, "anybody") == Rule(requests_per_minute=60)
    assert rules.rule(Scope.MODEL, "atlas-1") == Rule(concurrency=4)
    assert rules.rule(Scope.MODEL, "other") is None
    for wrong in ("[account.default]\nrequests_per_minute = 0\n", "[acount.default]\n", "x = ["):
        path.write_text(wrong)
        with pytest.raises(SettingsError, match=r"limits\.toml"):
            load_rules(path)
    with pytest.raises(SettingsError, match="absent"):
        load_rules(tmp_path / "absent")
