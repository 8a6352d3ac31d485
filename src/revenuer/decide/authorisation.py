"""Is it allowed? Permissions on file, read from the accounts' `authorised` lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from revenuer.records import Account

DISTILLATION_USES = frozenset({"distillation", "training", "synthetic-data"})
"""Uses whose permission covers collecting answers to train on. `distillation:model-x` names a model; a bare
`distillation` covers all."""


@dataclass(frozen=True)
class Permission:
    """What an account may do: `models` is None where every model is covered."""

    use: str
    models: frozenset[str] | None


def permission_of(account: Account | None) -> Permission | None:
    """The account's permission to collect answers for training, if there is one."""
    if account is None:
        return None
    found: list[tuple[str, str | None]] = []
    for entry in account.authorised:
        use, _, scope = entry.strip().partition(":")
        if use.strip().lower() in DISTILLATION_USES:
            found.append((use.strip().lower(), scope.strip() or None))
    if not found:
        return None
    scopes = [scope for _, scope in found]
    models = None if any(scope in (None, "*") for scope in scopes) else frozenset(s for s in scopes if s)
    return Permission(found[0][0], models)


def outside(permission: Permission, models: Iterable[str]) -> Sequence[str]:
    """Models asked that the permission does not name, sorted; empty where all are covered."""
    return [] if permission.models is None else sorted(set(models) - permission.models)
