from __future__ import annotations

from random import Random

from revenuer.lab.range.benign_groups import agency, classroom, shared_relay, small_company
from revenuer.lab.range.plan import Plan, World


def _addresses(plans: list[Plan]) -> list[set[str]]:
    return [{ip for ip, _ in p.streams[0].addresses.known} for p in plans]


def test_an_agency_has_one_template_and_many_subjects(world: World) -> None:
    plans = agency(world, Random(2))
    assert len(plans) >= 5
    firsts = [[p.streams[0].workload.next(Random(i), 0).messages for i in range(4)] for p in plans]
    heads = {m[0][1][:25] for asked in firsts for m in asked}
    assert len(heads) <= 2
    assert set.intersection(*_addresses(plans))


def test_a_relay_holds_unrelated_customers(world: World) -> None:
    plans = shared_relay(world, Random(2))
    assert len({p.operator for p in plans}) == len(plans)
    assert set.intersection(*_addresses(plans))


def test_a_class_sits_on_one_address(world: World) -> None:
    plans = classroom(world, Random(2))
    assert len(plans) >= 20
    assert len(set.union(*_addresses(plans))) == 1
    assert len({p.operator for p in plans}) == 1


def test_production_outweighs_staging(world: World) -> None:
    for seed in range(10):
        plans = small_company(world, Random(seed))
        assert plans[0].streams[0].volume > plans[-1].streams[0].volume
        assert len({p.account.org for p in plans}) == 1
