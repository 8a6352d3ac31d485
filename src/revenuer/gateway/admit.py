"""Admission: key -> account -> verdict and limits -> pass, change, slow down or refuse. All from memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from revenuer.gateway.dialects import Asked, Edits
from revenuer.gateway.errors import Reason
from revenuer.gateway.gate import Gate, Passage
from revenuer.gateway.keys import Keys
from revenuer.gateway.limits import Denied, Grant, Limits, Rule, Scope, Share, load_rules
from revenuer.gateway.segment import Secret
from revenuer.gateway.standing import Measures, Standing, StandingTable
from revenuer.gateway.watched import Mark, mark
from revenuer.settings import SettingsError

if TYPE_CHECKING:
    from revenuer.gateway.replicas import Replicas

_log = logging.getLogger(__name__)
_NOTHING = Edits()


class Admission(Gate):
    """Decides on every request. Without a key file every key is an account of its own, as in `Gate`."""

    def __init__(
        self,
        names: bytes,
        keys: Keys | None = None,
        standing: StandingTable | None = None,
        limits: Limits | None = None,
        rules_file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(names)
        self._keys = keys
        # Both are empty at first, and what is empty is false.
        self._standing = StandingTable() if standing is None else standing
        self._limits = Limits() if limits is None else limits
        self._rules_file, self._rules_seen = rules_file, _mark(rules_file)
        self._clock = clock
        self._said: set[str] = set()
        self._exchange: asyncio.Task[None] | None = None
        self.replicas = self._shared()
        """How limits are shared with other processes; None where they are not, or where nobody can be asked."""
        self._standing.refresh()

    @classmethod
    def of(cls, data: Path, keys: Path | None, standing: Path | None, rules: Path | None) -> Admission:
        """From the files of an installation whose secrets are in `data`. Raises SpoolError, SettingsError."""
        secret = Secret.load(data / "names.key")
        return cls(
            secret.derive(b"names")[0],
            Keys.load(keys, secret.derive(b"keys")[0]) if keys is not None else None,
            StandingTable(standing),
            Limits(load_rules(rules) if rules is not None else None),
            rules,
        )

    def enter(self, secret: bytes, asked: Asked, now: float) -> Passage:
        """Decide on a request that came with the key `secret` at `now` (monotonic seconds)."""
        if self._keys is None:
            passage = super().enter(secret, asked, now)
        else:
            passage = self._known_key(self._keys, secret, asked)
            if passage.reason is not None:
                return passage
        found = self._standing.find(passage.account, self._clock())
        if found is not None:
            measures = found.measures
            passage.reference = found.reference
            if measures.refuse or measures.challenge:
                passage.reason = Reason.REFUSED if measures.refuse else Reason.CHALLENGE
                return passage
            if measures.edits != _NOTHING:
                passage.edits = measures.edits
        self._reserve(passage, asked, found, now)
        return passage

    def leave(self, passage: Passage, tokens_in: int | None, tokens_out: int, now: float) -> None:
        """It is over: replace what was reserved by what was used."""
        if isinstance(passage.grant, Grant):
            self._limits.settle(passage.grant, tokens_in, tokens_out, now)
            passage.grant = None

    def tick(self, now: float) -> None:
        """Look whether keys, verdicts or limits have changed; what cannot be read is said once and changes nothing.

        Where limits are shared through Redis, the first call begins to share them, until the running event loop ends.
        """
        if self.replicas is not None and self._exchange is None:
            self._exchange = asyncio.get_running_loop().create_task(self.replicas.run())
        self._limits.sweep(now)
        self._standing.refresh()
        if self._keys is not None:
            self._keys.refresh()
        seen = _mark(self._rules_file)
        problem = None
        if self._rules_file is not None and seen is not None and seen != self._rules_seen:
            self._rules_seen = seen
            try:
                self._limits.replace(load_rules(self._rules_file))
            except SettingsError as error:
                problem = str(error)
        for text in (self._standing.problem, self._keys.problem if self._keys is not None else None, problem):
            if text is not None and text not in self._said:
                self._said.add(text)
                _log.error("%s; going on with what was there before", text)

    def _shared(self) -> Replicas | None:
        shared = self._limits.rules.shared
        if shared.redis is None:
            self._limits.share = Share(shared.processes, shared.processes)
            return None
        # Loaded only where it is used: a process of the gateway stays small.
        from revenuer.gateway.replicas import Replicas

        try:
            return Replicas(self._limits, shared.redis, expected=shared.processes)
        except ValueError as error:
            raise SettingsError(f"{self._rules_file}: shared.redis: {error}") from None

    def _known_key(self, keys: Keys, secret: bytes, asked: Asked) -> Passage:
        if not secret:
            return Passage("anonymous", None, Reason.NO_KEY)
        entry = keys.find(secret)
        if entry is None:
            return Passage("unknown", None, Reason.UNKNOWN_KEY)
        passage = Passage(entry.account, entry.id)
        passage.org = entry.org
        if entry.models is not None and asked.model is not None and asked.model not in entry.models:
            passage.reason = Reason.MODEL_NOT_ALLOWED
        return passage

    def _reserve(self, passage: Passage, asked: Asked, found: Standing | None, now: float) -> None:
        names = [(Scope.ACCOUNT, passage.account)]
        if passage.key is not None:
            names.append((Scope.KEY, passage.key))
        if asked.model is not None:
            names.append((Scope.MODEL, asked.model))
        extra = None
        if found is not None:
            if found.campaign is not None:
                names.append((Scope.CAMPAIGN, found.campaign))
            extra = _slower(found.measures, self._limits, passage.account, found.campaign)
        grant = self._limits.reserve(names, asked.tokens_in, asked.tokens_out, now, extra)
        if isinstance(grant, Denied):
            slowed = extra is not None and grant.scope in extra and grant.reason is Reason.LIMIT_REQUESTS
            passage.reason = Reason.SLOW_DOWN if slowed else grant.reason
            passage.retry_after = grant.retry_after
        else:
            passage.grant = grant


def _slower(measures: Measures, limits: Limits, account: str, campaign: str | None) -> dict[Scope, Rule] | None:
    """The rules that measures put in place of those in force, where they are stricter."""
    out: dict[Scope, Rule] = {}
    for scope, name, rate in (
        (Scope.ACCOUNT, account, measures.requests_per_minute),
        (Scope.CAMPAIGN, campaign, measures.campaign_requests_per_minute),
    ):
        if rate is None or name is None:
            continue
        usual = limits.rules.rule(scope, name) or Rule()
        if usual.requests_per_minute is None or rate < usual.requests_per_minute:
            out[scope] = msgspec.structs.replace(usual, requests_per_minute=rate)
    return out or None


def _mark(path: Path | None) -> Mark | None:
    try:
        return None if path is None else mark(path)
    except OSError:
        return None
