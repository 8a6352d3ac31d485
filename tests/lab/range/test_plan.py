from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.config import RangeConfig
from revenuer.lab.range.infra import NEW_MODEL, client
from revenuer.lab.range.plan import World, chat_stream, plan, product_stream, side_use, volume
from revenuer.lab.range.timing import Traces


def test_the_new_model_comes_out_inside_the_range_and_some_move_to_it(world: World) -> None:
    assert world.start < world.launch < world.end
    moved = [world.client(Random(s)) for s in range(300)]
    share = sum(c.new_model_from < world.end for c in moved) / 300
    assert 0.1 < share < 0.5
    assert all(c.new_model_from >= world.launch for c in moved)
    assert all(c.model != NEW_MODEL for c in moved)


def test_an_update_keeps_the_kind_of_client(world: World) -> None:
    for seed in range(300):
        one = world.adopt(Random(seed), client(Random(seed)))
        if one.upgraded_agent:
            assert one.upgraded_agent.startswith(one.user_agent.rsplit("/", 1)[0])


@pytest.mark.parametrize(("low", "high"), [(0.05, 0.4), (0.2, 0.2)])
@given(seed=st.integers(0, 500))
def test_side_use_has_the_share_asked(world: World, seed: int, low: float, high: float) -> None:
    rng = Random(seed)
    streams = side_use(world, rng, [product_stream(world, rng, 100.0)], low=low, high=high)
    share = streams[-1].volume / sum(s.volume for s in streams)
    assert low - 1e-9 <= share <= high + 1e-9


def test_streams_of_honest_accounts_are_nobodys_campaign(world: World) -> None:
    rng = Random(1)
    made = plan(world, rng, "chat_user", [chat_stream(world, rng, 10.0), product_stream(world, rng, 5.0)])
    assert made.role == "benign"
    assert {s.campaign for s in made.streams} == {None}


def test_products_of_two_operators_have_their_own_wording(world: World) -> None:
    def words(seed: int) -> set[str]:
        rng = Random(seed)
        asked = product_stream(world, rng, 1.0).workload.next(rng, 0).messages
        return {content for role, content in asked if role == "system"}

    systems = [text for seed in range(80) for text in words(seed)]
    assert len(systems) > 30
    assert len(set(systems)) == len(systems)


def test_groups_shrink_in_small_ranges(world: World) -> None:
    small = World(RangeConfig(exchanges=3000), world.material, Traces())
    assert small.group(Random(1), 20, 40) < world.group(Random(1), 20, 40)
    assert small.group(Random(1), 2, 3) >= 2


@given(st.integers(0, 5000))
def test_volumes_are_positive(seed: int) -> None:
    assert volume(Random(seed), 20.0) > 0
