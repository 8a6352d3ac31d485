from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from revenuer.store.ids import SeenIds, hash_ids


@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=20))
def test_it_is_a_set(batches: list[list[int]]) -> None:
    seen, known = SeenIds(), set[int]()
    for batch in batches:
        hashes = np.array(batch, dtype=np.uint64)
        expected = []
        for number in batch:
            expected.append(number not in known)
            known.add(number)
        new = seen.new(hashes)
        assert new.tolist() == expected
        seen.add(hashes[new])
        assert len(seen) == len(known)


def test_levels_stay_few() -> None:
    seen = SeenIds()
    for start in range(0, 100_000, 100):
        seen.add(np.arange(start, start + 100, dtype=np.uint64))
    assert len(seen) == 100_000
    assert len(seen._levels) < 17


def test_hashes_are_pinned_and_depend_on_the_seed() -> None:
    assert hash_ids(["ex-1", ""], 0).tolist() == [6909605108150249689, 3244421341483603138]
    assert hash_ids(["ex-1"], 1) != hash_ids(["ex-1"], 2)
