"""Whole fingerprints: one row an exchange, the same in every company, keyed, and nothing readable in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import wordllama
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds import BANKING, KEY, exchange, fingerprinter, prompts

import revenuer.fingerprint.batch as batch
from revenuer.fingerprint.batch import SCHEMA, Fingerprinter, network_of
from revenuer.fingerprint.model import DIM
from revenuer.records import Exchange, Message, Params, Response, Usage

SECRET = "Wie backt man Sachertorte zimtfrei"
FULL: dict[str, Any] = {
    "key": "key-secret",
    "ip": "203.0.113.77",
    "asn": 64_500,
    "user_agent": "agent-secret/1",
    "ja4": "ja4-secret",
    "endpoint": "/v1/chat/completions",
    "model": "teacher",
    "params": Params(temperature=0.5, max_tokens=100, stream=True, tools=2),
    "response": Response(text="An answer that is longer than four words", finish_reason="stop"),
    "usage": Usage(prompt_tokens=10, completion_tokens=20),
    "status": 200,
    "latency_ms": 12.5,
}


def rows(*exchanges: Exchange, key: int = KEY) -> list[dict[str, Any]]:
    maker = fingerprinter() if key == KEY else Fingerprinter(key)
    found: list[dict[str, Any]] = maker.fingerprint(exchanges).to_pylist()
    return found


def row(text: str, **more: Any) -> dict[str, Any]:
    return rows(exchange(0, 1.0, "a", text, **more))[0]


texts = st.text(max_size=120) | st.sampled_from(
    ["解方程 x+1=2，请一步一步推理", "Реши задачу шаг за шагом", "", "\ud800\udfff", "say \ud83d twice", "a\x00b"]
)
exchanges = st.builds(
    lambda number, text, system, more: exchange(number, 1.0, "a", text, system=system, **more),
    st.integers(0, 999),
    texts,
    texts | st.none(),
    st.sampled_from([{}, FULL, {"ip": "2001:db8::1"}, {"ip": "not an address", "response": Response(text="\ud800")}]),
)


@given(st.lists(exchanges, min_size=1, max_size=7), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=60)
def test_neither_batch_size_nor_order_changes_a_row(found: list[Exchange], random: Any, size: int) -> None:
    expected = [repr(rows(item)[0]) for item in found]
    order = list(range(len(found)))
    random.shuffle(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "BATCH_MAX", size)
        together = rows(*(found[i] for i in order))
    assert [repr(item) for item in together] == [expected[i] for i in order]


@given(exchanges)
def test_every_row_has_the_schema(item: Exchange) -> None:
    table = fingerprinter().fingerprint([item])
    assert table.schema == SCHEMA
    table.validate(full=True)
    assert all(table[name].null_count == 0 for name in SCHEMA.names if name != "model")


def test_no_exchange_gives_no_row() -> None:
    assert fingerprinter().fingerprint([]).equals(SCHEMA.empty_table())


def test_a_megabyte_is_fingerprinted_like_any_text() -> None:
    text = "start of it " + "слово 解 word " * 80_000 + "end of it"
    assert len(text) > 1_000_000
    long = row(text)
    assert 1000 < long["tokens"] < 8000
    assert any(long["chunks"])
    assert long["text_h"] == row(text.replace("слово 解 word " * 50_000, "слово 解 word " * 49_000))["text_h"]


HASHED = [field.name for field in SCHEMA if pa.types.is_uint64(field.type)]
SKETCHED = ["system_chunks", "chunks", "bands", "answer"]


def test_another_key_changes_every_hash_and_nothing_else() -> None:
    conversation = (Message("system", "Be brief and kind to everybody"), Message("user", "Hi"), Message("user", SECRET))
    item = exchange(1, 2.0, "a", "", **{**FULL, "messages": conversation})
    mine, theirs = rows(item)[0], rows(item, key=KEY + 1)[0]
    for name in HASHED:
        assert mine[name] != 0, name
        assert mine[name] != theirs[name], name
    for name in SKETCHED:
        assert any(mine[name]), name
        assert not set(mine[name]) & set(theirs[name]) - {0}, name
    same = set(SCHEMA.names) - set(HASHED) - set(SKETCHED)
    assert {name: mine[name] for name in same} == {name: theirs[name] for name in same}


def test_nothing_can_be_read_in_it() -> None:
    found = fingerprinter().fingerprint([exchange(1, 2.0, "acct", SECRET, **FULL, system="You are called Zenobia")])
    stored = b"".join(
        bytes(buffer) for column in found.columns for chunk in column.chunks for buffer in chunk.buffers() if buffer
    )
    for word in (*SECRET.split(), "Zenobia", "secret", "203.0.113", "answer", "longer"):
        assert word.lower().encode() not in stored.lower(), word
    assert b"acct" in stored, "the account itself is kept in clear"


@pytest.mark.parametrize("key", [-1, 1 << 64])
def test_a_key_has_64_bits(key: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        Fingerprinter(key)


def test_the_mark_tells_keys_apart_and_gives_none_away() -> None:
    assert Fingerprinter.mark_of(5) == Fingerprinter.mark_of(5)
    assert len({Fingerprinter.mark_of(key) for key in range(100)}) == 100
    assert f"{5:x}" != Fingerprinter.mark_of(5)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("203.0.113.7", "203.0.113.250", True),
        ("203.0.113.7", "203.0.114.7", False),
        ("2001:db8:1::1", "2001:db8:1:ffff::9", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
        ("unix:", "unix:", True),
        ("203.0.113.7", "::ffff:203.0.113.7", False),
    ],
)
def test_networks(a: str, b: str, same: bool) -> None:
    assert (network_of(a) == network_of(b)) is same
    first, second = row("x", ip=a), row("x", ip=b)
    assert (first["net_h"] == second["net_h"]) is same
    assert (first["ip_h"] == second["ip_h"]) is (a == b)


def test_what_the_log_does_not_say_is_zero_or_minus_one() -> None:
    bare = row("hello")
    for name in ("key_h", "ip_h", "net_h", "ua_h", "ja4_h", "endpoint_h", "system_h", "parent_h"):
        assert bare[name] == 0, name
    for name in ("max_tokens", "prompt_tokens", "completion_tokens", "status"):
        assert bare[name] == -1, name
    assert not any(bare["answer"])
    assert np.isnan(bare["temperature"])
    assert bare["model"] is None


def test_params_are_hashed_as_a_whole() -> None:
    first = row("x", params=Params(temperature=0.5, top_p=1.0))
    assert first["params_h"] == row("y", params=Params(top_p=1.0, temperature=0.5))["params_h"]
    assert first["params_h"] != row("x", params=Params(temperature=0.5))["params_h"]
    assert row("x", params=Params(n=1, stream=True))["flags"] == batch.FLAG_STREAM
    everything = Params(stream=True, logprobs=True, tools=1, response_format="json", n=2, reasoning_effort="high")
    assert row("x", params=everything)["flags"] == 63


# --- conversations --------------------------------------------------------------------------------------------------


def talk(*turns: str, system: str | None = None) -> Exchange:
    """User and assistant in turn, beginning and ending with the user."""
    roles = ("user", "assistant")
    messages = [Message(roles[i % 2], turn) for i, turn in enumerate(turns)]
    head = [Message("system", system)] if system else []
    return exchange(0, 1.0, "a", "", messages=(*head, *messages))


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.text(max_size=20), st.text(max_size=20))
def test_a_continued_conversation_names_the_one_it_continues(said: list[str], answer: str, next_: str) -> None:
    turns = [part for turn in said for part in (turn, "ok")][:-1]
    first, second = rows(talk(*turns), talk(*turns, answer, next_))
    assert second["parent_h"] == first["chain_h"]
    assert second["turns"] == first["turns"] + 1 == len(said) + 1
    assert (first["parent_h"] == 0) == (len(said) == 1)


def test_conversations_that_differ_anywhere_are_different() -> None:
    found = rows(talk("a", "x", "b"), talk("b", "x", "a"), talk("b"), talk("a", "x", "c"), talk("ab"))
    assert len({item["chain_h"] for item in found}) == len(found)
    # The same start is the same parent, whatever was answered.
    assert found[0]["parent_h"] == found[3]["parent_h"] == rows(talk("a"))[0]["chain_h"]


def test_the_last_user_turn_is_what_is_fingerprinted() -> None:
    assert rows(talk("something else", "fine", "how are you"))[0]["text_h"] == row("how are you")["text_h"]


def test_system_and_developer_turns_are_one_system_text() -> None:
    two = exchange(
        0, 1.0, "a", "", messages=(Message("system", "be"), Message("developer", "brief"), Message("user", "x"))
    )
    assert rows(two)[0]["system_h"] == row("x", system="be\nbrief")["system_h"] != 0


def test_an_exchange_without_a_user_turn_is_empty() -> None:
    found = rows(exchange(0, 1.0, "a", "", messages=(Message("assistant", "hello there my friend"),)))[0]
    assert found["turns"] == found["tokens"] == found["chain_h"] == found["text_h"] == 0
    assert not any(found["chunks"] + found["embedding"] + found["bands"])


# --- embedding ------------------------------------------------------------------------------------------------------


@given(texts)
def test_an_embedding_is_a_unit_vector_or_zero(text: str) -> None:
    vector = np.array(row(text)["embedding"], np.float64) / 254
    assert np.linalg.norm(vector) == pytest.approx(0, abs=1e-9) or 0.8 < np.linalg.norm(vector) < 1.1


def test_it_is_the_packages_own_embedding() -> None:
    words_only = [" ".join(re.findall("[a-z]+", text.lower())) for text in prompts(BANKING)[:100]]
    package = Path(wordllama.__file__).parent
    oracle = wordllama.WordLlama.load(cache_dir=package, disable_download=True, dim=256, trunc_dim=DIM)
    theirs = np.asarray(oracle.embed(words_only, norm=True), np.float64)
    found = rows(*(exchange(0, 1.0, "a", text) for text in words_only))
    ours = np.array([item["embedding"] for item in found], np.float64)
    cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1)
    assert cosine.min() > 0.95


def test_what_means_the_same_lies_closer() -> None:
    def vector(text: str) -> Any:
        value = np.array(row(text)["embedding"], np.float64)
        return value / np.linalg.norm(value)

    money = vector("How do I transfer money to another bank account?")
    assert money @ vector("Can I send funds from my bank to someone else?") > 0.5
    assert money @ vector("Prove that the square root of two is irrational") < 0.3
