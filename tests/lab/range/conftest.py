"""One pool and one small range for all tests of the range."""

from __future__ import annotations

from pathlib import Path

import pytest

from revenuer.lab.range.config import LogFormat, RangeConfig
from revenuer.lab.range.make import RangeSummary, make_range
from revenuer.lab.range.plan import World
from revenuer.lab.range.pool import PromptPool
from revenuer.lab.range.timing import Traces
from revenuer.lab.range.workloads import Material

SMALL = RangeConfig(seed=5, exchanges=6000, days=4.0, accounts=420, campaign_size=(4, 12), log_format=LogFormat.ZST)


@pytest.fixture(scope="session")
def pool() -> PromptPool:
    """The bundled prompts."""
    return PromptPool.load()


@pytest.fixture(scope="session")
def world(pool: PromptPool) -> World:
    """A world on the bundled prompts."""
    return World(RangeConfig(seed=3), Material(pool, None), Traces())


@pytest.fixture(scope="session")
def small(pool: PromptPool, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RangeSummary]:
    """A small range and its summary."""
    folder = tmp_path_factory.mktemp("range")
    return folder, make_range(SMALL, pool, folder)
