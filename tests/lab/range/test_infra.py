from __future__ import annotations

import ipaddress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.infra import (
    NEW_MODEL,
    Addresses,
    Books,
    account,
    address,
    client,
    digest,
    loguniform,
    network,
    networks,
    zipf,
)


@pytest.mark.parametrize("kind", ["home", "mobile", "cloud", "office", "campus", "relay"])
@given(seed=st.integers(0, 10_000))
def test_addresses_are_addresses_of_their_network(kind: str, seed: int) -> None:
    rng = Random(seed)
    net = network(rng, kind)
    ip, asn = address(rng, net)
    parsed = ipaddress.ip_address(ip)
    assert not parsed.is_loopback
    assert not parsed.is_multicast
    assert asn == net.asn
    assert net in networks()[kind]


def test_a_block_is_one_24() -> None:
    net = networks()["cloud"][0]
    assert len({address(Random(s), net, 7)[0].rsplit(".", 1)[0] for s in range(50)}) == 1


def test_an_address_stays_for_a_session_unless_told_otherwise() -> None:
    known = [(f"198.51.100.{i}", 1) for i in range(20)]
    sticky = Addresses(Random(1), known, stay=0.0)
    assert len({sticky.pick(Random(i), session=4) for i in range(30)}) == 1
    moving = Addresses(Random(1), known, stay=0.0, per_request=True)
    assert len({moving.pick(Random(i), session=4) for i in range(30)}) > 5


@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([0.5, 1.0, 1.2]))
def test_zipf_stays_in_range(seed: int, count: int, skew: float) -> None:
    assert 0 <= zipf(Random(seed), count, skew) < count


def test_zipf_prefers_the_first() -> None:
    rng = Random(2)
    drawn = [zipf(rng, 50) for _ in range(4000)]
    assert drawn.count(0) > 3 * drawn.count(10)


@given(st.integers(0, 999))
def test_loguniform_keeps_its_bounds(seed: int) -> None:
    assert 3 <= loguniform(Random(seed), 3, 40) <= 40.0000001


def test_digest_is_the_same_everywhere() -> None:
    assert digest("exchange", 1, 2) == 0x3FB5E6552F160F62


def test_books_are_kept_and_the_rest_is_drawn() -> None:
    shared = Books(org="org_1", payment="pm_1", domain="a.example", authorised=("distillation:sol-4",))
    a, b = (account(Random(s), shared, 1000.0, 2000.0) for s in (1, 2))
    assert (a.org, a.payment, a.email_domain, a.authorised) == (b.org, b.payment, b.email_domain, b.authorised)
    assert a.account != b.account
    assert a.created_at is not None
    assert a.created_at < 2000.0


def test_a_client_is_consistent() -> None:
    for seed in range(200):
        one = client(Random(seed))
        assert one.model != NEW_MODEL
        if one.endpoint == "anthropic.messages":
            assert one.params.max_tokens is not None
