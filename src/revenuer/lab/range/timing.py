"""When requests happen: people's sessions, services' daily curves, batches, schedules and constant load.

Every pattern gives `n` times with the number of the session (or run) each belongs to. Where real traces are given,
services draw their curve from one real client's 10-minute windows; otherwise from a parametric daily and weekly curve.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOW = 600.0


class Pattern(Protocol):
    """A way to spread `n` requests over [start, end)."""

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:
        """`n` or fewer ascending times in seconds, and the session number of each (sessions may overlap)."""
        ...


class Traces:
    """Load curves of real clients: relative rate per 10-minute window, cyclic."""

    def __init__(self, curves: Sequence[Floats] = (), burstiness: Sequence[float] = ()) -> None:
        self.curves = list(curves)
        self.burstiness = list(burstiness)

    @classmethod
    def load(cls, directory: Path | None) -> Traces:
        """Read `servegen_clients_*.jsonl.gz` files of a directory; no directory gives no curves."""
        curves, bursts = [], []
        for file in sorted(directory.glob("servegen_clients_*.jsonl.gz")) if directory else ():
            with gzip.open(file, "rb") as lines:
                for line in lines:
                    windows: list[list[Any]] = msgspec.json.decode(line)["windows"]
                    if len(windows) < 72:
                        continue
                    slots = 1 + int(max(w[0] for w in windows) // WINDOW)
                    curve = np.zeros(slots)
                    for w in windows:
                        curve[int(w[0] // WINDOW)] = w[1]
                    curves.append(curve / curve.mean())
                    bursts.append(float(np.median([w[2] for w in windows])))
        return cls(curves, bursts)


class People:
    """Sessions of a few requests with thinking time between, in waking hours of one time zone."""

    def __init__(self, rng: Random, session: float = 4.0) -> None:
        self.zone = rng.randint(-8, 10)
        self.peak = rng.gauss(15, 3.5)
        self.width = rng.uniform(2.0, 6.5)
        self.weekend = rng.choice((0.1, 0.5, 1.0, 1.0, 1.6))
        self.session = session * rng.uniform(0.5, 2.0)
        self.pause = rng.uniform(25, 240)
        self.days_off = rng.random() * 0.5

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:
        """Session lengths are geometric, pauses log-normal."""
        sizes: list[int] = []
        while sum(sizes) < n:
            sizes.append(int(gen.geometric(1 / max(1.0, self.session))))
        grid = np.arange(start, end, 1800.0)
        hour = (grid / 3600 + self.zone - self.peak) % 24
        level = np.exp(-(np.minimum(hour, 24 - hour) ** 2) / (2 * self.width**2)) + 0.01
        day = ((grid / 3600 + self.zone) // 24).astype(np.int64)
        level *= np.where((day + 3) % 7 >= 5, self.weekend, 1.0)
        first = int(day.min())
        level *= np.where(gen.random(int(day.max()) - first + 1)[day - first] < self.days_off, 0.02, 1.0)
        begins = np.sort(gen.choice(grid, len(sizes), p=level / level.sum()) + gen.random(len(sizes)) * 1800)
        return _runs(begins, sizes, lambda k: gen.lognormal(np.log(self.pause), 0.8, k), n, end)


class Service:
    """Requests of a product's many users: a daily and weekly curve, with bursts."""

    def __init__(self, rng: Random, traces: Traces | None = None, depth: float | None = None) -> None:
        self.depth = rng.uniform(0.0, 0.97) if depth is None else depth
        self.phase = rng.uniform(0, 24)
        self.weekend = rng.choice((0.25, 0.6, 1.0, 1.0))
        self.noise = rng.uniform(0.1, 0.9)
        self.ramp = rng.choice((0.0, 0.0, 0.0, 1.0, -0.7))
        self.curve: Floats | None = None
        if traces is not None and traces.curves and rng.random() < 0.6:
            self.curve = traces.curves[rng.randrange(len(traces.curves))]
            self.offset = rng.randrange(len(self.curve))
        self.shape = rng.uniform(0.25, 1.2)

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:
        """Counts per 10-minute window are multinomial with gamma noise; inside a window arrivals are clumped."""
        grid = np.arange(start, end, WINDOW)
        if self.curve is not None:
            level = self.curve[(np.arange(len(grid)) + self.offset) % len(self.curve)] + 1e-3
        else:
            hours = grid / 3600
            level = 1 - self.depth * (0.5 + 0.5 * np.cos((hours - self.phase) * 2 * np.pi / 24))
            level *= np.where(((hours // 24) + 3) % 7 >= 5, self.weekend, 1.0)
        level = level * (1 + self.ramp * np.linspace(0, 1, len(grid)))
        level = np.maximum(level, 1e-4) * gen.gamma(1 / self.noise**2, self.noise**2, len(grid))
        counts = gen.multinomial(n, level / level.sum())
        slots = np.repeat(np.arange(len(grid)), counts)
        within = gen.beta(self.shape, self.shape, n) * WINDOW
        times = np.sort(grid[slots] + within)
        sessions = (
            np.concatenate(([0], np.cumsum(np.diff(times) > 900))).astype(np.int64) if n else np.zeros(0, np.int64)
        )
        return np.minimum(times, end - 0.001), sessions


class Batches:
    """Runs of back-to-back requests with some concurrency, at a few drawn moments (office hours or any)."""

    def __init__(
        self, rng: Random, runs: int | None = None, *, at: Sequence[float] = (), gap: float | None = None
    ) -> None:
        self.runs = runs if runs is not None else rng.randint(1, 12)
        self.at = list(at)
        self.gap = gap if gap is not None else float(np.exp(rng.uniform(np.log(0.3), np.log(25))))
        self.shape = rng.choice((0.6, 1.0, 2.0, 6.0))
        self.office = rng.random() < 0.6
        self.zone = rng.randint(-8, 10)

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:
        """Sizes of the runs are log-normal."""
        if self.at:
            begins = np.sort(np.array([t for t in self.at if start <= t < end] or [start]) + gen.random(1) * 30)
        else:
            days = gen.integers(0, max(1, int((end - start) // 86_400)), self.runs)
            hours = gen.normal(13, 3, self.runs) - self.zone if self.office else gen.random(self.runs) * 24
            begins = np.sort(start + np.clip(days * 86_400 + (hours % 24) * 3600, 0, (end - start) * 0.97))
        weights = gen.lognormal(0, 0.6, len(begins))
        sizes = gen.multinomial(n, weights / weights.sum()).tolist()
        return _runs(begins, sizes, lambda k: gen.gamma(self.shape, self.gap / self.shape, k), n, end)


class Schedule:
    """The same small run again and again: every `period` seconds, `size` requests each, with a little delay."""

    def __init__(self, rng: Random, period: float, size: int, *, offset: float | None = None) -> None:
        self.period, self.size = period, max(1, size)
        self.offset = rng.uniform(0, period) if offset is None else offset
        self.jitter = rng.choice((1.0, 20.0, 300.0))
        self.gap = rng.uniform(0.4, 12.0)

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:
        """When `n` asks for fewer runs than the clock has, runs are evenly left out; when more, runs grow."""
        ticks = np.arange(start + self.offset % self.period, end, self.period)
        if len(ticks) == 0:
            ticks = np.array([start])
        wanted = max(1, round(n / self.size))
        if wanted < len(ticks):
            ticks = ticks[np.linspace(0, len(ticks) - 1, wanted).astype(np.int64)]
        size, extra = divmod(n, len(ticks))
        sizes = [size + (k < extra) for k in range(len(ticks))]
        begins = np.sort(ticks + gen.random(len(ticks)) * self.jitter)
        return _runs(begins, sizes, lambda k: gen.gamma(3.0, self.gap / 3.0, k), n, end)


class Constant:
    """Round the clock without a rest: a renewal process of some regularity."""

    def __init__(self, rng: Random) -> None:
        self.shape = rng.choice((0.4, 1.0, 1.0, 3.0, 20.0))

    def times(self, gen: np.random.Generator, n: int, start: float, end: float) -> tuple[Floats, Ints]:
        """Gaps are gamma, scaled to fill the interval."""
        gaps = gen.gamma(self.shape, 1.0, n + 1)
        times = start + np.cumsum(gaps)[:-1] / gaps.sum() * (end - start)
        return times, (np.arange(n) // 8).astype(np.int64)


def any_pattern(rng: Random, traces: Traces) -> Pattern:
    """A pattern of an automated client whose owner is unknown."""
    roll = rng.random()
    if roll < 0.4:
        return Service(rng, traces)
    if roll < 0.65:
        return Batches(rng)
    if roll < 0.8:
        return Constant(rng)
    return People(rng, rng.uniform(3, 30))


def _runs(begins: Floats, sizes: Sequence[int], pauses: Any, n: int, end: float) -> tuple[Floats, Ints]:
    total = int(sum(sizes))
    gaps = pauses(total)
    heads = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64) if len(sizes) else np.zeros(0, np.int64)
    session = np.repeat(np.arange(len(sizes)), sizes)
    elapsed = np.cumsum(gaps)
    base = np.where(heads < total, elapsed[np.minimum(heads, max(total - 1, 0))] if total else 0.0, 0.0)
    times = begins[session] + elapsed - base[session] if total else np.zeros(0)
    keep = times < end
    times, session = times[keep], session[keep]
    order = np.argsort(times, kind="stable")[:n]
    return times[order], session[order].astype(np.int64)
