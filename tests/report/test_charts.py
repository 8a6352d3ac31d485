from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.report import sample
from tests.report.plans import PLANS

from revenuer.records import CampaignDetail, TimelineBucket
from revenuer.report import charts

BUCKETS = st.lists(
    st.builds(
        TimelineBucket,
        start=st.one_of(st.integers(0, 5_000).map(float), st.floats(allow_nan=True, allow_infinity=True)),
        exchanges=st.integers(0, 10_000),
        accounts=st.integers(0, 500),
    ),
    max_size=40,
)


def _campaign(buckets: list[TimelineBucket], seconds: float, flagged: float | None = None) -> CampaignDetail:
    base = sample.campaign(PLANS[3], 3)
    result = msgspec.structs.replace(base.result, first_flagged_at=flagged)
    return msgspec.structs.replace(base, result=result, timeline=tuple(buckets), bucket_seconds=seconds)


@given(BUCKETS, st.floats(1, 1e6), st.integers(1, 120))
def test_bars_keep_every_exchange_and_stay_few(buckets: list[TimelineBucket], seconds: float, most: int) -> None:
    series, _ = charts.bars(_campaign(buckets, seconds), most)
    assert len(series) <= most + 1
    assert sum(bar.exchanges for bar in series) == sum(
        b.exchanges for b in buckets if 0 <= b.start < charts.CALENDAR_END
    )


@given(BUCKETS, st.floats(1, 1e6), st.one_of(st.none(), st.floats(0, 5_000)))
def test_a_timeline_stays_inside_its_frame(
    buckets: list[TimelineBucket], seconds: float, flagged: float | None
) -> None:
    chart = charts.timeline(_campaign(buckets, seconds, flagged), width=980, height=250, most=96)
    if chart is None:
        return
    assert all(chart.left <= tick.at <= chart.right for tick in chart.x_ticks)
    assert all(0 <= tick.at <= chart.base for tick in chart.y_ticks)
    assert chart.flag is None or chart.left <= chart.flag <= chart.right


def test_bars_up_to_the_flag_are_told_from_those_after_it() -> None:
    buckets = [TimelineBucket(start=hour * 3600.0, exchanges=10, accounts=2) for hour in range(6)]
    series, seconds = charts.bars(_campaign(buckets, 3600.0, flagged=2 * 3600.0 + 60), 96)
    assert seconds == 3600
    assert [bar.before for bar in series] == [True, True, True, False, False, False]


def test_merged_bars_sum_exchanges_and_take_the_peak_of_accounts() -> None:
    buckets = [TimelineBucket(start=hour * 3600.0, exchanges=hour, accounts=hour) for hour in range(10)]
    series, seconds = charts.bars(_campaign(buckets, 3600.0), 5)
    assert seconds == 7200
    assert [(bar.exchanges, bar.accounts) for bar in series] == [(1, 1), (5, 3), (9, 5), (13, 7), (17, 9)]


def test_days_are_ticked_at_midnight_utc() -> None:
    chart = charts.timeline(sample.campaign(PLANS[0], 0), width=980, height=250, most=96)
    assert chart is not None
    assert [tick.label for tick in chart.x_ticks][:2] == ["4\u00a0Mar", "6\u00a0Mar"]


@given(st.lists(st.integers(0, 10_000), min_size=24, max_size=24))
def test_the_busiest_hour_is_darkest_and_only_idle_hours_are_empty(hours: list[int]) -> None:
    levels = charts.heat(hours)
    assert [level == 0 for level in levels] == [value == 0 for value in hours]
    if any(hours):
        assert levels[hours.index(max(hours))] == charts.HEAT_LEVELS


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=5))
def test_a_stacked_bar_fills_its_width_and_shows_each_part(parts: list[int]) -> None:
    placed = charts.segments(parts, width=1000)
    if not any(parts):
        assert all(wide == 0 for _, wide in placed)
        return
    assert sum(wide for _, wide in placed) == 1000
    assert all((wide >= 3) == (part > 0) for part, (_, wide) in zip(parts, placed, strict=True))


def test_a_place_outside_the_log_is_not_drawn() -> None:
    assert charts.place(5.0, 0.0, 10.0, width=100) == 50
    assert charts.place(11.0, 0.0, 10.0, width=100) is None
    assert charts.place(None, 0.0, 10.0, width=100) is None
    assert charts.place(5.0, 5.0, 5.0, width=100) is None


def test_a_strip_is_empty_where_the_log_has_no_length() -> None:
    bucket = TimelineBucket(start=1.0, exchanges=3, accounts=1)
    assert charts.strip([bucket], 1.0, 1.0, width=180, height=24) == ""
    assert charts.strip([bucket], 0.0, 2.0, width=180, height=24).count("M") == 1
