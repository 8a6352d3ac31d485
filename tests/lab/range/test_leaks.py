"""No single field tells campaigns from honest accounts; where careless campaigns share, it tells a part of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from revenuer.lab.range.config import RangeConfig
from revenuer.lab.range.make import make_range
from revenuer.lab.range.pool import PromptPool

from .leaks import SHARED, leak_table, recall_at

LIMIT_SHARED, LIMIT = 0.35, 0.12


@pytest.mark.slow
def test_no_single_field_separates_the_classes(pool: PromptPool, tmp_path: Path) -> None:
    ranges = []
    for seed in (1, 2):
        ranges.append(tmp_path / str(seed))
        make_range(RangeConfig(seed=seed, exchanges=60_000, accounts=2400), pool, ranges[-1])
    one, two = leak_table(*ranges), leak_table(*reversed(ranges))
    assert len(one) > 50
    table = {name: (one[name] + two[name]) / 2 for name in one}
    leaking = {n: round(v, 3) for n, v in table.items() if v >= (LIMIT_SHARED if n in SHARED else LIMIT)}
    assert not leaking, f"a field separates the classes by itself; fix the generator: {leaking}"


def test_the_measure_finds_a_leak() -> None:
    campaign = np.array([True] * 10 + [False] * 200)
    assert recall_at(campaign.astype(float), campaign) == 1.0
    assert recall_at(np.zeros(210), campaign) == 0.0
