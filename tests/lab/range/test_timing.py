from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.timing import Batches, Constant, Pattern, People, Schedule, Service, Traces, any_pattern

START, END = 1_000_000.0, 1_000_000.0 + 5 * 86_400
MAKERS: dict[str, Callable[[Random], Pattern]] = {
    "people": People,
    "service": Service,
    "batches": Batches,
    "schedule": lambda rng: Schedule(rng, 3600.0, 3),
    "constant": Constant,
    "any": lambda rng: any_pattern(rng, Traces()),
}


@pytest.mark.parametrize("name", sorted(MAKERS))
@given(seed=st.integers(0, 10_000), n=st.integers(1, 300))
def test_times_are_ascending_inside_the_window_and_no_more_than_asked(name: str, seed: int, n: int) -> None:
    times, sessions = MAKERS[name](Random(seed)).times(np.random.default_rng(seed), n, START, END)
    assert 0 < len(times) <= n
    assert len(times) == len(sessions)
    assert np.all(np.diff(times) >= 0)
    assert times[0] >= START
    assert times[-1] < END


def test_people_sleep_and_constant_load_does_not() -> None:
    def rest(pattern: Pattern) -> float:
        times, _ = pattern.times(np.random.default_rng(1), 2000, START, END)
        hours = np.bincount((times // 3600).astype(int) % 24, minlength=24)
        return float((hours < hours.max() * 0.1).mean())

    assert rest(Constant(Random(1))) == 0
    assert np.mean([rest(People(Random(s))) for s in range(10)]) > 0.2


def test_a_schedule_keeps_its_period() -> None:
    schedule = Schedule(Random(3), 7200.0, 4)
    times, sessions = schedule.times(np.random.default_rng(1), 4 * 60, START, END)
    firsts = np.array([times[sessions == s][0] for s in np.unique(sessions)])
    assert np.allclose(np.diff(firsts), 7200, atol=2 * schedule.jitter + 1)


def test_traces_give_services_the_shape_of_a_real_client(tmp_path: Path) -> None:
    windows = [[600 * i, 10.0 if i % 144 < 72 else 0.0, 1.2, "Gamma", 1, 1] for i in range(288)]
    with gzip.open(tmp_path / "servegen_clients_x.jsonl.gz", "wt") as file:
        file.write(json.dumps({"windows": windows}) + "\n")
    traces = Traces.load(tmp_path)
    assert len(traces.curves) == 1
    rng = Random(0)
    traced = next(s for s in (Service(rng, traces) for _ in range(50)) if s.curve is not None)
    times, _ = traced.times(np.random.default_rng(1), 4000, START, END)
    slot = ((times - START) // 600).astype(int) + traced.offset
    assert (slot % 144 < 72).mean() > 0.99


def test_no_folder_gives_no_curves() -> None:
    assert Traces.load(None).curves == []
