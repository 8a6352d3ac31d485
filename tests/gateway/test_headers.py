"""Who is calling, and which headers are sent on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.gateway.errors import Reason
from revenuer.gateway.headers import CallerError, Kind, Kinds, without

KINDS = Kinds("X-Real-Client", "X-JA4")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"Content-Type", Kind.FORWARDED),
        (b"anthropic-beta", Kind.FORWARDED),
        (b"Authorization", Kind.SPECIAL),
        (b"x-aPI-key", Kind.SPECIAL),
        (b"X-Forwarded-For", Kind.SPECIAL),
        (b"OpenAI-Organization", Kind.SPECIAL),
        (b"x-ja4", Kind.SPECIAL),
        (b"User-Agent", Kind.BOTH),
    ],
)
def test_what_is_done_with_a_header(name: bytes, kind: Kind) -> None:
    assert KINDS.learn(name) is KINDS.known[name] is kind


def test_memory_of_spellings_is_bounded() -> None:
    kinds = Kinds(None, None)
    for number in range(10_000):
        kinds.learn(b"x-%d" % number)
    kinds.learn(b"y" * 10_000)
    assert len(kinds.known) == 4096


def test_who_is_calling() -> None:
    caller = KINDS.caller([(b"authorization", b"bearer  sk-1 "), (b"x-api-key", b"sk-1"), (b"user-agent", b"t/1"),
                           (b"x-real-client", b"10.0.0.1, 192.0.2.7"), (b"x-ja4", b"t13d")])  # fmt: skip
    assert (caller.secret, caller.agent, caller.ip, caller.ja4) == (b"sk-1", "t/1", "192.0.2.7", "t13d")
    nobody = KINDS.caller([])
    assert (nobody.secret, nobody.agent, nobody.ip, nobody.ja4) == (b"", None, None, None)


def test_who_does_not_say_clearly() -> None:
    with pytest.raises(CallerError) as caught:
        KINDS.caller([(b"x-api-key", b"sk-1"), (b"authorization", b"Bearer sk-2")])
    assert caught.value.reason is Reason.BAD_REQUEST
    with pytest.raises(CallerError) as caught:
        KINDS.caller([(b"authorization", b"Basic dTpw")])
    assert caught.value.reason is Reason.UNKNOWN_KEY


@given(st.lists(st.sampled_from([b"A", b"b", b"X-Hop"]), max_size=6), st.sets(st.sampled_from([b"a", b"x-hop"])))
def test_headers_for_this_hop_alone_stay_here(names: list[bytes], named: set[bytes]) -> None:
    lines = [part for name in names for part in (name, b": ", b"1", b"\r\n")]
    kept = without(lines, b"close, " + b" , ".join(named))
    assert kept == b"".join(name + b": 1\r\n" for name in names if name.lower() not in named)
