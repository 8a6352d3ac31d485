from __future__ import annotations

from revenuer.store import Store, StoreError, StoreLocked
from revenuer.store.embedded import EventStore
from revenuer.store.memory import MemoryStore


def test_implementations_have_every_method_of_the_protocol() -> None:
    wanted = {name for name in vars(Store) if callable(getattr(Store, name)) and name[0] != "_"}
    for implementation in (EventStore, MemoryStore):
        assert wanted <= set(vars(implementation)), implementation.__name__


def test_a_lock_is_a_store_error() -> None:
    assert issubclass(StoreLocked, StoreError)
