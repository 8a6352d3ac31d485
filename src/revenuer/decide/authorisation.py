"""Is it allowed? Permissions on file, read from the accounts' `authorised` lists.

Any permission takes an account out of automatic accusation: statistics cannot tell a licensed evaluator from an
unlicensed harvester, and a person has already judged this one. Where the permission is for another use or another
model than what is seen, the reasons say so, for a person to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from revenuer.records import Account

COLLECTING = frozenset({"distillation", "training", "synthetic-data", "synthetic_data", "fine-tuning"})
"""Uses that cover collecting answers to train on; others (evaluation, research, classifier ...) cover looking alike."""


@dataclass(frozen=True)
class Permission:
    """What an account may do: `uses` as written, lower case; `models` is None where some use covers every model."""

    uses: tuple[str, ...]
    models: frozenset[str] | None

    @property
    def for_collecting(self) -> bool:
        """Whether some use covers collecting answers to train on."""
        return not COLLECTING.isdisjoint(self.uses)


def permission_of(account: Account | None) -> Permission | None:
    """The account's permissions taken together; None where there is none. An entry is `use` or `use:model`."""
    entries = [entry.strip() for entry in account.authorised if entry.strip()] if account else []
    if not entries:
        return None
    uses, scopes = [], []
    for entry in entries:
        use, _, scope = entry.partition(":")
        uses.append(use.strip().lower())
        scopes.append(scope.strip())
    models = None if any(scope in ("", "*") for scope in scopes) else frozenset(scopes)
    return Permission(tuple(sorted(set(uses))), models)


def outside(permission: Permission, models: Iterable[str]) -> Sequence[str]:
    """Models asked that the permission does not name, sorted; empty where all are covered."""
    return [] if permission.models is None else sorted(set(models) - permission.models)
