from __future__ import annotations

from random import Random

import pytest

from revenuer.lab.range.benign import CLASSES
from revenuer.lab.range.plan import World

GROUPED = {"agency", "classroom", "licensed_distillation", "small_company"}


def test_shares_add_up_and_ordinary_customers_are_the_majority() -> None:
    assert sum(c.share for c in CLASSES.values()) == pytest.approx(1.0, abs=1e-9)
    assert CLASSES["chat_user"].share + CLASSES["app_developer"].share > 0.5


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_makes_independent_operators_that_ask(world: World, name: str) -> None:
    operators: set[str] = set()
    for seed in range(4):
        rng = Random(f"{name}/{seed}")
        plans = CLASSES[name].make(world, rng)
        assert plans
        for plan in plans:
            assert (plan.role, plan.campaign) == ("benign", None)
            assert plan.cls in {name, "app_developer"}
            assert all(s.campaign is None and s.volume > 0 for s in plan.streams)
            for stream in plan.streams:
                assert stream.workload.next(rng, 0).messages
        mine = {p.operator for p in plans}
        assert len(mine) == 1 or name == "shared_relay"
        assert len(plans) > 1 or name not in GROUPED
        assert operators.isdisjoint(mine)
        operators |= mine


def test_only_the_licensed_partner_holds_a_permission(world: World) -> None:
    for name, cls in CLASSES.items():
        authorised = [bool(p.account.authorised) for p in cls.make(world, Random(f"a/{name}"))]
        assert all(authorised) if name == "licensed_distillation" else not any(authorised)


def test_many_have_side_uses(world: World) -> None:
    made = [p for s in range(60) for p in CLASSES["support_bot"].make(world, Random(s))]
    assert 0.3 < sum(len(p.streams) > 1 for p in made) / len(made) < 0.8
