from __future__ import annotations

from tests.store.events import events, ids

from revenuer.store.memory import MemoryStore


def test_state_is_a_copy() -> None:
    with MemoryStore() as store:
        value = {"list": [1]}
        store.put_state("k", value)
        value["list"].append(2)
        assert store.get_state("k") == {"list": [1]}


def test_a_batch_that_was_handed_in_is_not_changed() -> None:
    store = MemoryStore()
    table = events([2, 1])
    store.append(table, {})
    assert table.column("id").to_pylist() == ["ex-2", "ex-1"]
    assert ids(store) == [1, 2]
