from __future__ import annotations

from itertools import chain

from revenuer.lab.range.banks import banks, half
from revenuer.lab.range.config import Fold


def test_folds_share_no_phrase_of_a_family() -> None:
    for name, family in banks().families.items():
        for segment in chain(family.system, family.user):
            a, b = half(segment, Fold.A), half(segment, Fold.B)
            assert len(a) >= 2, name
            assert len(b) >= 2, name
            assert set(a) | set(b) == set(segment)
            assert set(a).isdisjoint(b)


def test_every_family_asks_its_input() -> None:
    for name, family in banks().families.items():
        slots = [s for s in family.user if all("{x}" in alternative for alternative in s)]
        assert len(slots) == 1, name
