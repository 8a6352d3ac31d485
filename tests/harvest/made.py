"""Groups of a few exchanges whose columns are given by hand, for comparison with slow and plain definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from tests.worlds import CHAT, START, exchange, fingerprinter, prompts

from revenuer.harvest.group import Books, Group, Population
from revenuer.profile.events import from_table

MOST = 24
ACCOUNTS = 5

codes = st.lists(st.tuples(st.integers(0, ACCOUNTS - 1), st.integers(-1, 3)), min_size=1, max_size=MOST)
"""An account and some code (-1 is unknown) for each of a few exchanges."""


@cache
def _table() -> pa.Table:
    log = [exchange(at, START + 600.0 * at, "a", text) for at, text in enumerate(prompts(CHAT)[:MOST])]
    return fingerprinter().fingerprint(log)


def books(
    org: Sequence[int] = (-1,) * ACCOUNTS,
    payment: Sequence[int] = (-1,) * ACCOUNTS,
    created: Sequence[float] = (np.nan,) * ACCOUNTS,
) -> Books:
    """Books of as many accounts; unknown unless given."""
    return Books(
        org=np.array(org, np.int32),
        payment=np.array(payment, np.int32),
        created=np.array(created, np.float64),
    )


def made(account: Sequence[int], of: Books | None = None, rows: Sequence[int] | None = None, **columns: Any) -> Group:
    """The group of the exchanges `rows` (all) of a log in which exchange i is by `account[i]`.

    `columns` replace those of `Events`, keeping their types.
    """
    events = from_table(_table().slice(0, len(account)))
    held = of or books()
    changed: dict[str, Any] = {name: np.array(column, getattr(events, name).dtype) for name, column in columns.items()}
    events = replace(
        events,
        account=np.array(account, np.int32),
        accounts=tuple(f"a{code}" for code in range(len(held.org))),
        **changed,
    )
    chosen = np.arange(len(account)) if rows is None else np.array(rows)
    return Group.of(events, held, Population.of(events, len(events)), chosen.astype(np.int64))
