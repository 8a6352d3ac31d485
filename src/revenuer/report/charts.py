"""Geometry of the report's charts: bars over time, hours of the day, small bars in tables.

A chart is a few SVG path strings in whole units, so that thirty campaigns stay small and the same input draws the
same bytes. Nothing here knows colours: the style sheet paints the classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from revenuer.records import CampaignDetail, TimelineBucket
from revenuer.report.text import clock, count, day, instant

HEAT_LEVELS = 6
CALENDAR_END = 253_402_300_800.0
"""The year 10000; buckets outside the calendar (a broken clock, a broken log) are not drawn."""
_TICK_STEPS = (
    600,
    1800,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    *(86400 * days for days in (1, 2, 4, 7, 14, 28, 91, 365)),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """Exchanges from `start` until the next bar, by at most `accounts` accounts at once; `before` the first flag."""

    start: float
    exchanges: int
    accounts: int
    before: bool

    @property
    def label(self) -> str:
        return instant(self.start)


@dataclass(frozen=True, slots=True)
class Tick:
    at: int
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """One drawing of a campaign over time: bars of exchanges above, accounts active below, on one time axis."""

    width: int
    height: int
    left: int
    right: int
    base: int
    """y of the zero line of the exchanges."""
    before: str
    """Path of the bars that lie before the first flag."""
    after: str
    accounts: str
    """Filled step path of the accounts active."""
    accounts_base: int
    accounts_top: int
    accounts_peak: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    flag: int | None
    """x of the first flag, None when never flagged or outside the span drawn."""
    flag_anchor: str


def bars(campaign: CampaignDetail, most: int) -> tuple[tuple[Bar, ...], float]:
    """The timeline in at most `most` bars of equal length, neighbouring buckets summed, and that length in seconds.

    A bar holds the flag's own bucket as `before`: what passed in that bucket partly passed unflagged.
    """
    usable = sorted((b for b in campaign.timeline if 0 <= b.start < CALENDAR_END), key=lambda bucket: bucket.start)
    width = campaign.bucket_seconds
    if not usable or not math.isfinite(width) or width <= 0:
        return (), 0.0
    first = usable[0].start
    whole = int((usable[-1].start - first) // width) + 1
    width *= max(1, math.ceil(whole / most))
    number = int((usable[-1].start - first) // width) + 1
    sums, peaks = [0] * number, [0] * number
    for bucket in usable:
        index = min(number - 1, int((bucket.start - first) // width))
        sums[index] += bucket.exchanges
        peaks[index] = max(peaks[index], bucket.accounts)
    flagged = campaign.result.first_flagged_at
    flagged = math.inf if flagged is None else flagged
    return tuple(
        Bar(first + index * width, total, peak, first + index * width <= flagged)
        for index, (total, peak) in enumerate(zip(sums, peaks, strict=True))
    ), width


def timeline(campaign: CampaignDetail, *, width: int, height: int, most: int) -> Timeline | None:
    """Draw a campaign's timeline into `width` x `height` units; None where there is nothing to draw."""
    series, step = bars(campaign, most)
    if not series:
        return None
    left, right, top, base = 46, width - 10, 22, height - 84
    lower_top, lower_base = base + 22, height - 24
    start, span = series[0].start, step * len(series)
    slot = (right - left) / len(series)
    gap = 1 if slot > 4 else 0

    def x_of(seconds: float) -> float:
        return left + (seconds - start) / span * (right - left)

    ceiling, y_steps = _nice_ceiling(max(bar.exchanges for bar in series))
    peak = max(1, max(bar.accounts for bar in series))
    paths: dict[bool, list[str]] = {True: [], False: []}
    steps = [f"M{left} {lower_base}"]
    for index, bar in enumerate(series):
        x0, x1 = round(left + index * slot), round(left + (index + 1) * slot)
        if bar.exchanges:
            tall = max(1, round((base - top) * bar.exchanges / ceiling))
            paths[bar.before].append(f"M{x0} {base}v-{tall}h{max(1, x1 - x0 - gap)}v{tall}z")
        steps.append(f"V{lower_base - round((lower_base - lower_top) * bar.accounts / peak)}H{x1}")
    flagged = campaign.result.first_flagged_at
    flag = round(x_of(flagged)) if flagged is not None and start <= flagged <= start + span else None
    return Timeline(
        width=width,
        height=height,
        left=left,
        right=right,
        base=base,
        before="".join(paths[True]),
        after="".join(paths[False]),
        accounts="".join(steps) + f"V{lower_base}z",
        accounts_base=lower_base,
        accounts_top=lower_top,
        accounts_peak=peak,
        x_ticks=_time_ticks(start, span, x_of, most=max(2, width // 110)),
        y_ticks=tuple(Tick(round(base - (base - top) * value / ceiling), count(value)) for value in y_steps),
        flag=flag,
        flag_anchor="start" if flag is None or flag < width / 2 else "end",
    )


def strip(timeline_of: Sequence[TimelineBucket], first: float, last: float, *, width: int, height: int) -> str:
    """A campaign's activity over the whole log as one small path: 60 bins from `first` to `last`."""
    bins = 60
    sums = [0] * bins
    if not last > first:
        return ""
    for bucket in timeline_of:
        place = (bucket.start - first) / (last - first)
        if 0 <= place <= 1:
            sums[min(bins - 1, int(place * bins))] += bucket.exchanges
    most = max(sums)
    slot = width / bins
    return "".join(
        f"M{index * slot:g} {height}v-{max(2, round(height * total / most))}h{slot:g}V{height}z"
        for index, total in enumerate(sums)
        if total
    )


def place(seconds: float | None, first: float, last: float, *, width: int) -> int | None:
    """Where an instant lies on an axis from `first` to `last`; None outside it."""
    if seconds is None or not last > first or not first <= seconds <= last:
        return None
    return round((seconds - first) / (last - first) * width)


def heat(hours: Sequence[int]) -> tuple[int, ...]:
    """Level 0 (none) to `HEAT_LEVELS` of each hour, relative to the row's own busiest hour."""
    most = max(hours, default=0)
    return tuple(math.ceil(HEAT_LEVELS * value / most) if most and value > 0 else 0 for value in hours)


def segments(parts: Sequence[float], *, width: int) -> tuple[tuple[int, int], ...]:
    """(x, width) of each part of a stacked bar; a part above zero is at least 3 units wide so that it can be seen."""
    total = sum(parts)
    if total <= 0:
        return tuple((0, 0) for _ in parts)
    widths = [max(3, round(width * part / total)) if part > 0 else 0 for part in parts]
    largest = max(range(len(widths)), key=widths.__getitem__)
    widths[largest] += width - sum(widths)
    return tuple((sum(widths[:index]), wide) for index, wide in enumerate(widths))


def _nice_ceiling(most: int) -> tuple[int, tuple[int, ...]]:
    """A round number of at least `most`, and two or three values at which to rule lines."""
    if most <= 4:
        return max(1, most), (max(1, most),)
    magnitude = 10 ** int(math.log10(most))
    for factor, parts in ((1, 2), (1.5, 3), (2, 2), (3, 3), (4, 2), (5, 2), (6, 3), (8, 2), (10, 2)):
        ceiling = int(factor * magnitude)
        if ceiling >= most and ceiling % parts == 0:
            return ceiling, tuple(ceiling * part // parts for part in range(1, parts + 1))
    return most, (most,)


def _time_ticks(start: float, span: float, x_of: Callable[[float], float], *, most: int) -> tuple[Tick, ...]:
    """At most `most` labelled instants at round UTC times."""
    step = next((step for step in _TICK_STEPS if span / step <= most), 0)
    if not step:
        return ()
    first = math.ceil(start / step) * step
    ticks: list[Tick] = []
    while first <= start + span and len(ticks) <= most:
        label = day(first, year=False) if step >= 86400 or first % 86400 == 0 else clock(first)
        ticks.append(Tick(round(x_of(first)), label))
        first += step
    return tuple(ticks)
