"""Beside the request path: takes exchanges out of the spool into the store, judges them, and publishes verdicts.

Killed at any moment it loses nothing: an exchange leaves the spool only once the store has it, and the store keeps each
id once. After a restart the verdicts are found again by replaying what is stored. The gateway does not need it alive.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from revenuer.decide.authorisation import permission_of
from revenuer.decide.replay import Replay, Stopwatch, books_of, evaluate, moments, replay
from revenuer.decide.verdicts import AccountState
from revenuer.gateway.drain import Drained, drain
from revenuer.gateway.segment import Secret, SpoolError
from revenuer.harvest.assess import Assessed
from revenuer.harvest.model import Model
from revenuer.ingest import IngestError, read_accounts
from revenuer.intake import Intake
from revenuer.link.candidates import Recurring
from revenuer.profile.events import COLUMNS, Events, load
from revenuer.records import Account, AccountResult, Exchange, Verdict
from revenuer.report.collect import group_reasons
from revenuer.settings import Settings

LOOK_SECONDS = 60.0
LOOK_SHARE = 0.1
"""Judging takes at most this share of the time: looks that take long come less often."""
KEEP_DAYS = 45.0
COMPACT_SECONDS = 600.0
POLL_SECONDS = 1.0
REASONS = 6
_FLAGGED = "flagged"

_log = logging.getLogger(__name__)

Publish = Callable[[Sequence[AccountResult]], None]
"""Takes the verdicts of every account that has one other than `clear`; called after each look."""


class Judge:
    """Verdicts that go on as exchanges come in: each look adds to the evidence of the looks before.

    Accounts keep their number over looks, although exchanges may arrive late and old ones are dropped. Weak evidence
    has to stand at two moments of the grid on which the thresholds were calibrated (`settings.Evaluation`), however
    often one looks in between: what is there twice within a minute is there once. Strong evidence counts at once. More
    looks than the calibration had give a benign group more chances to score high; by how much was not measured.
    """

    def __init__(self, settings: Settings, model: Model) -> None:
        self._settings, self._model = settings, model
        self._codes: dict[str, int] = {}
        self._found: Replay | None = None
        self._first = 0.0

    def look(self, events: Events, moment: float, known: Mapping[str, Account]) -> list[AccountResult]:
        """Judge what happened before `moment` (UTC seconds); at the first look, at every moment of the grid till then.

        Returns the accounts whose verdict is not `clear`, strongest first.
        """
        events = self._numbered(events)
        books, permitted = books_of(events, known), self._permitted(known)
        if self._found is None:
            self._first = float(events.ts[0])
            self._found = replay(events, books, permitted, self._settings, self._model)
        text, count = Recurring.of(events), events.before(moment)
        plain, allowed = evaluate(events, books, permitted, text, count, self._settings, self._model, Stopwatch())
        states = self._step(moment, plain, allowed)
        results = [self._result(name, states[code]) for name, code in self._codes.items() if code in states]
        return sorted((r for r in results if r.verdict is not Verdict.CLEAR), key=lambda r: (-r.score, r.account))

    def _step(self, moment: float, plain: list[Assessed], allowed: list[Assessed]) -> dict[int, AccountState]:
        assert self._found is not None
        decider = self._found.decider
        before = {code for code, state in decider.accounts.items() if state.flagged_at is not None}
        passed = moments(self._first, moment, self._settings.evaluation)[-1]
        decider.step(passed if passed <= moment else self._first, plain, allowed)
        # Who is flagged now is flagged now, not at the moment of the grid that the evidence is counted for.
        for code in decider.accounts.keys() - before:
            if decider.accounts[code].flagged_at is not None:
                decider.accounts[code].flagged_at = moment
        for campaign in decider.campaigns:
            for code in campaign.flagged.keys() - before:
                campaign.flagged[code] = moment
        return decider.accounts

    def _numbered(self, events: Events) -> Events:
        codes = [self._codes.setdefault(name, len(self._codes)) for name in events.accounts]
        return replace(events, account=np.array(codes, np.int32)[events.account], accounts=tuple(self._codes))

    def _permitted(self, known: Mapping[str, Account]) -> npt.NDArray[np.bool_]:
        return np.array([permission_of(known.get(name)) is not None for name in self._codes], np.bool_)

    def _result(self, name: str, state: AccountState) -> AccountResult:
        assert self._found is not None
        group = None if state.group is None else self._found.evidence.groups[state.group]
        return AccountResult(
            account=name,
            campaign=state.campaign,
            score=round(state.score, 4),
            verdict=state.verdict,
            first_flagged_at=state.flagged_at,
            reasons=() if group is None else tuple(group_reasons(group.peak, self._model)[:REASONS]),
        )


@dataclass(frozen=True)
class Places:
    """Where a worker finds and puts things. `accounts` are the provider's books, read again at each look."""

    spool: Path
    secret: Path
    out: Path
    accounts: Path | None = None


class Worker:
    """One per store. Use inside `Intake.open`."""

    def __init__(
        self,
        places: Places,
        intake: Intake,
        judge: Judge,
        publish: Publish,
        *,
        keep_days: float = KEEP_DAYS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places, self._intake, self._judge, self._publish = places, intake, judge, publish
        self._keep, self._clock = keep_days * 86400, clock
        self._secret = Secret.load(places.secret)
        self._news = True
        self._results: list[AccountResult] | None = None
        self._known: dict[str, Account] = {}
        self._flagged = msgspec.convert(intake.store.get_state(_FLAGGED) or [], list[AccountResult])

    def drain(self) -> Drained:
        """Bring what is ready in the spool into the store. Raises SpoolError for another key, OSError, StoreError."""
        return drain(self._places.spool, self._secret, self._store)

    def look(self) -> int:
        """Judge and publish; returns how many accounts are not `clear`, or -1 where there was nothing new to judge.

        What is published expires, so it is published again where it still holds.
        """
        if not self._news:
            if self._results is not None:
                self._publish(self._results)
            return -1
        now = self._clock()
        batches = list(self._intake.store.scan(columns=COLUMNS, start=now - self._keep, end=now))
        if not batches:
            return -1
        known = self._books()
        self._results = self._standing(self._judge.look(load(batches), now, known), now, known)
        self._publish(self._results)
        self._news = False
        return len(self._results)

    def _standing(self, results: list[AccountResult], now: float, known: Mapping[str, Account]) -> list[AccountResult]:
        """`results`, and who was flagged before a restart: a verdict once reached stays, for as long as its evidence.

        Whoever was given a permission since is let go. The campaigns of before are not those of now, by name.
        """
        current = {result.account: result for result in results}
        for before in self._flagged:
            since, found = before.first_flagged_at, current.get(before.account)
            if since is None or since < now - self._keep or permission_of(known.get(before.account)) is not None:
                continue
            if found is None or found.verdict is not Verdict.HARVESTING:
                current[before.account] = msgspec.structs.replace(before, campaign=None)
            elif found.first_flagged_at is None or since < found.first_flagged_at:
                current[before.account] = msgspec.structs.replace(found, first_flagged_at=since)
        flagged = [result for result in current.values() if result.verdict is Verdict.HARVESTING]
        if flagged != self._flagged:
            self._intake.store.put_state(_FLAGGED, msgspec.to_builtins(flagged))
            self._flagged = flagged
        return sorted(current.values(), key=lambda result: (-result.score, result.account))

    def tidy(self) -> None:
        """Rewrite what was appended into sorted files, and drop for good what is older than `keep_days`."""
        store = self._intake.store
        if store.span().rows:
            store.compact()
            store.retain(self._clock() - self._keep)

    def run(self, stop: Callable[[], bool], sleep: Callable[[float], None] = time.sleep) -> None:
        """Until `stop`; then once more, so that what was closed is taken.

        Raises SpoolError for another key, StoreError. A full disk is waited out.
        """
        next_look = next_tidy = 0.0
        while not stop():
            began = time.monotonic()
            self._careful(self.drain)
            if began >= next_look:
                flagged = self._careful(self.look)
                spent = time.monotonic() - began
                next_look = began + max(LOOK_SECONDS, spent / LOOK_SHARE)
                if isinstance(flagged, int) and flagged >= 0:
                    _log.info("judged in %.1f s: %d accounts are not clear", spent, flagged)
            if began >= next_tidy:
                self._careful(self.tidy)
                next_tidy = began + COMPACT_SECONDS
            sleep(POLL_SECONDS)
        self._careful(self.drain)

    def _careful(self, step: Callable[[], object]) -> object:
        try:
            return step()
        except OSError as error:
            _log.error("%s: %s; trying again", error.filename or "the disk", error.strerror or error)
            return None

    def _store(self, exchanges: Sequence[Exchange]) -> None:
        self._intake.store.append(self._intake.fingerprinter.fingerprint(exchanges), {})
        self._news = True

    def _books(self) -> dict[str, Account]:
        if self._places.accounts is not None:
            try:
                self._known = read_accounts(self._places.accounts, [])
            except IngestError as error:
                # Better the books as they were than none: without them nobody has a permission.
                _log.error("%s; going on with the accounts as they were", error)
        return self._known


def serve(
    places: Places, settings: Settings, model: Model, publish: Publish, keep_days: float, stop: Callable[[], bool]
) -> None:
    """Open the store and work until `stop`.

    Raises:
        SpoolError: the spool was written under another key, or its key cannot be used.
        revenuer.ingest.IngestError: the store was begun with another fingerprint key, or the books cannot be read.
        revenuer.store.StoreError: another process works in `out`.
        revenuer.settings.SettingsError: the fingerprint key cannot be used.
    """
    if places.accounts is not None:
        read_accounts(places.accounts, [])
    if not places.spool.is_dir():
        places.spool.mkdir(parents=True, mode=0o700)
    with Intake.open(places.out, settings) as intake:
        Worker(places, intake, Judge(settings, model), publish, keep_days=keep_days).run(stop)


__all__ = ["Judge", "Places", "Publish", "SpoolError", "Worker", "serve"]
