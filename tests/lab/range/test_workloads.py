from __future__ import annotations

from random import Random

import pytest

from revenuer.lab.range.phrases import family, product
from revenuer.lab.range.plan import World
from revenuer.lab.range.workloads import (
    Chat,
    Mixture,
    Probing,
    Published,
    Review,
    Templated,
    Threads,
    Workload,
    any_of,
    in_order,
    rows_in_order,
    subject_texts,
)


def test_a_conversation_carries_its_history_and_a_new_session_begins_anew(world: World) -> None:
    rng = Random(4)
    chat = Chat(world.material, rng)
    grew = False
    for session in range(60):
        before: tuple[tuple[str, str], ...] = ()
        for _ in range(3):
            asked = chat.next(rng, session)
            assert asked.messages[-1][0] == "user"
            if before and len(asked.messages) > len(before):
                assert asked.messages[-2][0] == "assistant"
                grew = True
            before = asked.messages
        first = chat.next(rng, session + 1000)
        assert sum(role == "user" for role, _ in first.messages) == 1
    assert grew


def test_people_return_to_what_they_asked(world: World) -> None:
    returns = 0
    for seed in range(40):
        rng = Random(seed)
        chat = Chat(world.material, rng)
        words = [set(chat.next(rng, s).messages[-1][1].lower().split()) for s in range(40)]
        returns += sum(len(a & b) > 0.6 * len(a | b) for i, a in enumerate(words) for b in words[:i] if len(a) > 5)
    assert returns > 40


def test_a_list_is_not_repeated_until_it_ends_and_then_varied() -> None:
    rng = Random(0)
    items = [f"Tom has {i} apples and {i + 3} pears, how many?" for i in range(1, 30)]
    draw = in_order(items)
    first = [draw(rng, 0) for _ in items]
    second = [draw(rng, 0) for _ in items]
    assert first == items
    assert len(set(second) & set(items)) < 5


def test_a_suite_begins_anew_with_every_run(world: World) -> None:
    rng = Random(0)
    rows = world.material.pool.named("mmlu_test_lm_eval")[0].rows[:5]
    suite = Published(world.material, rows_in_order(rows, restart=True))
    runs = [[suite.next(rng, run).messages for _ in range(5)] for run in range(3)]
    assert runs[0] == runs[1] == runs[2]


def test_dialogues_of_a_product_share_its_system_turn(world: World) -> None:
    rng = Random(0)
    threads = Threads(world.material, world.material.pool.named("sgd_user_turns")[0], "You are the desk.")
    asked = [threads.next(rng, 0).messages for _ in range(200)]
    assert all(m[0] == ("system", "You are the desk.") for m in asked)
    assert max(len(m) for m in asked) > 6


@pytest.mark.parametrize("name", ["templated", "review", "probing", "mixture"])
def test_every_workload_asks_something(world: World, name: str) -> None:
    rng = Random(1)
    m = world.material
    template = Templated(m, family(rng, "judge", None), any_of(subject_texts(m, rng)), answer_words=20)
    made: dict[str, Workload] = {
        "templated": template,
        "review": Review(m, rng, product(rng, None, system=True).render(rng, x="")[0]),
        "probing": Probing(m, rng),
        "mixture": Mixture([(1.0, template), (2.0, Probing(m, rng))]),
    }
    texts = [made[name].next(rng, i).messages[-1][1] for i in range(60)]
    assert all(texts)
    assert len(set(texts)) > 20
    assert not any("{x}" in t or "{answer}" in t for t in texts)
