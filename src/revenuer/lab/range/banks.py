"""Reads `banks.toml`, the phrases and names operators draw from."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from revenuer.lab.range.config import Fold

Segment = tuple[str, ...]
"""Alternatives for one place in a template."""


class Family(msgspec.Struct, frozen=True):
    """A family of templates: segments of the system turn and of the user turn."""

    system: tuple[Segment, ...]
    user: tuple[Segment, ...]


class Banks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file, field by field; what each bank holds is said there."""

    rules: Segment
    tasks: Segment
    inputs: Segment
    formats: Segment
    roles: Segment
    products: Segment
    languages: Segment
    probes: Segment
    review_notes: Segment
    openers: Segment
    closers: Segment
    first_names: Segment
    constraints: Segment
    replies: Segment
    replies_zh: Segment
    bodies_zh: Segment
    trades: Segment
    traits: Segment
    origins: Segment
    code_verbs: Segment
    code_nouns: Segment
    agents: Segment
    browsers: Segment
    chat_apps: Segment
    syllables: Segment
    company_forms: Segment
    free_mail: Segment
    countries: Segment
    plans: Segment
    swaps: tuple[tuple[str, str], ...]
    synonyms: tuple[Segment, ...]
    marks: Segment
    ordinary_system: Segment
    lesson_system: Segment
    guarded_system: Segment
    local: dict[str, tuple[str, str, str, str, str]]
    networks: dict[str, Segment]
    families: dict[str, Family]


@cache
def banks() -> Banks:
    """The banks, read once."""
    return msgspec.toml.decode((resources.files(__package__) / "banks.toml").read_bytes(), type=Banks)


def half(items: Segment, fold: Fold | None) -> Segment:
    """The alternatives of one fold: every other one. Banks of one stay whole."""
    if fold is None or len(items) < 2:
        return items
    return items[fold is Fold.B :: 2]
