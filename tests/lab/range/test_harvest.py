from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.harvest import Dealt, bare, carriers, harvest_streams, loads, shards, wrapped_job
from revenuer.lab.range.plan import World
from revenuer.lab.range.pool import Row

ROWS = tuple(Row("s", "attack", "imitation", f"question {i} about subject {i % 7}") for i in range(200))


@given(st.integers(0, 5000), st.lists(st.integers(3, 40), min_size=2, max_size=12))
def test_every_account_gets_a_shard_of_the_list(seed: int, counts: list[int]) -> None:
    dealt = shards(Random(seed), ROWS, counts)
    assert len(dealt) == len(counts)
    assert all(dealt)
    assert all(row in ROWS for shard in dealt for row in shard)


def test_shards_mostly_do_not_overlap() -> None:
    overlaps = []
    for seed in range(60):
        a, b = shards(Random(seed), ROWS, [40, 40])
        overlaps.append(len({r.text for r in a} & {r.text for r in b}) / len({r.text for r in a}))
    assert sum(o == 0 for o in overlaps) > 30
    assert max(overlaps) > 0


@given(st.integers(0, 5000), st.integers(2, 60), st.floats(5, 200))
def test_loads_keep_their_mean(seed: int, size: int, mean: float) -> None:
    counts = loads(Random(seed), size, mean)
    assert len(counts) == size
    assert min(counts) >= 3
    assert sum(counts) >= 0.95 * mean * size - size


def test_care_decides_how_much_is_shared(world: World) -> None:
    def sharing(care: float) -> float:
        shared = 0
        for seed in range(40):
            made = carriers(world, Random(seed), 12, care)
            pays = [c.books.payment for c in made if c.books.payment]
            shared += len(pays) - len(set(pays))
        return shared / 480

    assert sharing(0.0) > 0.5
    assert sharing(1.0) == 0


def test_the_bare_question_is_inside_the_published_prompt(world: World) -> None:
    for source in world.material.pool.of("attack"):
        for row in source.rows[:50]:
            inner = bare(row)
            assert inner
            assert inner in row.bare
    math = world.material.pool.named("openthoughts_r1_math")[0].rows[0]
    assert not bare(math).startswith("Return your final")


def test_a_central_queue_deals_no_work_to_accounts_that_do_not_exist_yet(world: World) -> None:
    dealt = 0
    for seed in range(20):
        rng = Random(seed)
        carried = carriers(world, rng, 8, 0.5)
        for c in carried[:4]:
            c.books.created_at = world.start + 5 * 86_400
        streams = harvest_streams(world, rng, wrapped_job(world, rng, "instruct"), [20] * 8, carried, campaign="c")
        for c, stream in zip(carried, streams, strict=True):
            if isinstance(stream.pattern, Dealt):
                times, _ = stream.pattern.times(np.random.default_rng(0), 500, world.start, world.end)
                assert (times >= (c.books.created_at or 0.0)).all()
                dealt += len(times)
    assert dealt > 500
