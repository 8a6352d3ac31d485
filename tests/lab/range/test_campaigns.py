from __future__ import annotations

from random import Random

import pytest

from revenuer.lab.range.campaigns import SHAPES, draw_campaigns
from revenuer.lab.range.config import RangeConfig
from revenuer.lab.range.plan import World
from revenuer.lab.range.timing import Traces
from revenuer.lab.range.workloads import Material


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_harvests_and_most_also_do_other_things(world: World, shape: str) -> None:
    others = 0
    for seed in range(6):
        rng = Random(f"{shape}/{seed}")
        plans = SHAPES[shape](world, rng, 8, 30.0, f"c_{seed}")
        assert 4 <= len(plans) <= 8
        assert {(p.role, p.cls, p.campaign, p.operator) for p in plans} == {
            ("campaign", shape, f"c_{seed}", f"op_c_{seed}")
        }
        for plan in plans:
            assert any(s.campaign == f"c_{seed}" for s in plan.streams)
            others += any(s.campaign is None for s in plan.streams)
            assert not plan.account.authorised
            for stream in plan.streams:
                assert stream.workload.next(rng, 0).messages
    assert others or shape == "pool_switch"


@pytest.mark.parametrize(("shape", "low", "high"), [("diluted_5_10", 0.04, 0.12), ("diluted_20_50", 0.18, 0.55)])
def test_dilution_is_what_the_name_says(world: World, shape: str, low: float, high: float) -> None:
    for seed in range(5):
        for plan in SHAPES[shape](world, Random(seed), 6, 40.0, "c"):
            harvest = sum(s.volume for s in plan.streams if s.campaign)
            assert low < harvest / sum(s.volume for s in plan.streams) < high


def test_light_accounts_stay_light(world: World) -> None:
    plans = SHAPES["light_accounts"](world, Random(1), 40, 500.0, "c")
    mean = sum(s.volume for p in plans for s in p.streams if s.campaign) / len(plans)
    assert 8 < mean < 35


def test_the_second_pool_opens_when_the_first_is_banned(world: World) -> None:
    for seed in range(5):
        plans = SHAPES["pool_switch"](world, Random(seed), 12, 40.0, "c")
        banned = [s.banned_at for p in plans for s in p.streams if s.banned_at]
        later = [s.window[0] for p in plans for s in p.streams if s.window and not s.banned_at]
        assert banned
        assert later
        assert min(later) > min(banned) - 86_400


def test_the_slow_campaign_never_words_itself_twice_alike(world: World) -> None:
    plan = SHAPES["slow_randomised"](world, Random(3), 4, 40.0, "c")[0]
    texts = [plan.streams[0].workload.next(Random(i), 0).messages[-1][1][:30] for i in range(30)]
    assert len(set(texts)) > 5


def test_draws_follow_the_config(world: World) -> None:
    config = RangeConfig(seed=1, exchanges=100_000, shapes=("chinese", "russian"), campaign_size=(6, 20))
    drawn = draw_campaigns(World(config, world.material, Traces()), Random(1))
    assert {d.shape for d in drawn} == {"chinese", "russian"}
    assert all(6 <= d.size <= 20 for d in drawn)
    assert len({d.campaign for d in drawn}) == len(drawn)


def test_unknown_shapes_are_named(world: World) -> None:
    config = RangeConfig(shapes=("nope",))
    with pytest.raises(ValueError, match="nope"):
        draw_campaigns(World(config, Material(world.material.pool, None), Traces()), Random(1))
