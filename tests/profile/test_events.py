"""Events: fingerprints as columns in time order, silent fields as -1, and nothing from `moment` on."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import CHAT, START, exchange, fingerprinter, prompts

from revenuer.profile.events import COLUMNS, Events, from_table, load
from revenuer.records import Exchange, Params, Usage

TEXTS = prompts(CHAT)[:12]
LOG: tuple[Exchange, ...] = tuple(
    exchange(
        at,
        START + 60 * (at // 2),
        f"account {at % 3}",
        text,
        ip=f"10.0.{at % 3}.{at}" if at % 4 else None,
        user_agent="client/1" if at % 2 else None,
        ja4="t13d" if at % 3 == 0 else None,
        model="teacher" if at > 5 else None,
        params=Params(temperature=0.5) if at % 2 else Params(),
        usage=Usage(completion_tokens=at),
        status=200,
    )
    for at, text in enumerate(TEXTS)
)


def table() -> pa.Table:
    return fingerprinter().fingerprint(LOG)


def as_lists(events: Events) -> dict[str, object]:
    found = {field.name: getattr(events, field.name) for field in fields(events)}
    return {
        name: value if isinstance(value, tuple) else value.to_numpy().tolist()
        for name, value in found.items()
        if isinstance(value, tuple | pa.ChunkedArray)
    } | {name: value.tolist() for name, value in found.items() if isinstance(value, np.ndarray)}


def test_every_column_has_a_row_an_exchange() -> None:
    events = from_table(table())
    assert len(events) == len(LOG)
    for field in fields(events):
        value = getattr(events, field.name)
        if not isinstance(value, tuple):
            assert len(value) == len(LOG), field.name
    assert events.embedding.shape == (len(LOG), 64)
    assert events.embedding.dtype == np.int8


def test_codes_count_in_order_of_first_appearance() -> None:
    events = from_table(table())
    assert events.accounts == ("account 0", "account 1", "account 2")
    assert [events.accounts[code] for code in events.account] == [item.account for item in LOG]
    assert events.models == ("teacher",)
    assert events.model.tolist() == [-1 if item.model is None else 0 for item in LOG]


def test_where_the_log_is_silent_the_code_is_minus_one() -> None:
    events = from_table(table())
    assert ((events.address == -1) == [item.ip is None for item in LOG]).all()
    assert ((events.network == -1) == [item.ip is None for item in LOG]).all()
    assert ((events.agent == -1) == [item.user_agent is None and item.ja4 is None for item in LOG]).all()
    assert events.completion.tolist() == list(range(len(LOG)))


def test_an_agent_is_the_user_agent_and_the_tls_fingerprint() -> None:
    events = from_table(table())
    told = [(item.user_agent, item.ja4) for item in LOG]
    for a, first in enumerate(told):
        for b, second in enumerate(told):
            assert (events.agent[a] == events.agent[b]) is np.bool_(first == second)


def test_parameters_tell_settings_apart() -> None:
    events = from_table(table())
    assert len(set(events.params[::2].tolist())) == len(set(events.params[1::2].tolist())) == 1
    assert events.params[0] != events.params[1]


@given(st.permutations(range(len(LOG))))
def test_the_order_of_the_table_does_not_matter(order: list[int]) -> None:
    # Two exchanges share each moment: their ids decide.
    mixed = table().take(pa.array(order))
    assert as_lists(from_table(mixed)) == as_lists(from_table(table()))


@given(st.integers(1, len(LOG)))
def test_batches_of_any_size_give_the_same_events(size: int) -> None:
    assert as_lists(load(table().to_batches(max_chunksize=size))) == as_lists(from_table(table()))


def test_more_columns_than_needed_are_ignored_and_fewer_are_refused() -> None:
    wider = table().append_column("note", pa.array(["x"] * len(LOG)))
    assert as_lists(load(wider.to_batches())) == as_lists(from_table(table()))
    with pytest.raises(KeyError):
        load(table().select(COLUMNS[:-1]).to_batches())


def test_an_evaluation_sees_what_was_strictly_before_it() -> None:
    events = from_table(table())
    assert events.before(START) == 0
    assert events.before(START + 60) == 2
    assert events.before(START + 60.5) == 4
    assert events.before(START + 1e9) == len(LOG)


def test_a_log_without_exchanges() -> None:
    events = from_table(table().slice(0, 0))
    assert len(events) == 0
    assert events.accounts == events.models == ()
    assert events.before(START) == 0
    assert events.embedding.shape == (0, 64)


def test_exchanges_of_one_moment_are_in_the_order_of_their_ids() -> None:
    same = fingerprinter().fingerprint([exchange(number, 5.0, f"a{number}", "hello") for number in (3, 1, 2)])
    assert from_table(same).id.to_pylist() == ["x000001", "x000002", "x000003"]
