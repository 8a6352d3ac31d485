"""A log replayed in time order: at every moment of a grid, what a live worker would have concluded by then.

Pure: events in, verdicts out. The grid is anchored at the log's first exchange and an evaluation sees only exchanges
before its moment, so a longer log adds evaluations and changes none (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from revenuer.decide.verdicts import Decider
from revenuer.harvest.assess import Assessed, assess, restricted
from revenuer.harvest.evidence import Evidence
from revenuer.harvest.group import Books, Population
from revenuer.harvest.model import Model
from revenuer.link.candidates import Recurring, Scene, candidates
from revenuer.profile.events import Events
from revenuer.records import Account, StageTime
from revenuer.settings import Evaluation, Settings

Looked = Callable[[int, int, int], None]
"""Called after each evaluation with (done, total, accounts flagged so far)."""


@dataclass
class Stopwatch:
    """Wall and CPU seconds by stage, in the order the stages first ran, by a clock that is passed in.

    Without one no time passes: what is concluded never depends on how long it took.
    """

    clock: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)
    spent: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        wall, cpu = self.clock()
        try:
            yield
        finally:
            before, now = self.spent.get(name, (0.0, 0.0)), self.clock()
            self.spent[name] = (before[0] + now[0] - wall, before[1] + now[1] - cpu)

    def stages(self) -> tuple[StageTime, ...]:
        """What was measured."""
        return tuple(StageTime(name, wall, cpu) for name, (wall, cpu) in self.spent.items())


def moments(first: float, last: float, schedule: Evaluation) -> list[float]:
    """Evaluation times (seconds) of a log: a grid anchored at its first exchange, so that a longer log only adds to it.

    A log shorter than the first look is looked at once, just after its last exchange.
    """
    hours = list(schedule.early)
    while first + hours[-1] * 3600 <= last:
        hours.append(hours[-1] + schedule.every)
    grid = [first + hour * 3600 for hour in hours if first + hour * 3600 <= last]
    return grid or [float(np.nextafter(last, np.inf))]


def books_of(events: Events, accounts: Mapping[str, Account]) -> Books:
    """The provider's books as codes aligned with the events' accounts."""
    rows = [accounts.get(name) for name in events.accounts]

    def codes(values: list[str | None]) -> npt.NDArray[np.int32]:
        known: dict[str, int] = {}
        return np.array([-1 if v is None else known.setdefault(v, len(known)) for v in values], np.int32)

    created = [np.nan if row is None or row.created_at is None else row.created_at for row in rows]
    return Books(
        org=codes([row.org if row else None for row in rows]),
        payment=codes([row.payment if row else None for row in rows]),
        created=np.array(created, np.float64),
    )


@dataclass
class Replay:
    """A finished replay: verdicts, and the material of the last evaluation for pictures."""

    decider: Decider
    evidence: Evidence
    text: Recurring
    last_count: int
    moments: list[float]


def replay(
    events: Events,
    books: Books,
    permitted: npt.NDArray[np.bool_],
    settings: Settings,
    model: Model,
    watch: Stopwatch | None = None,
    looked: Looked = lambda *_: None,
) -> Replay:
    """Evaluate the log at every moment of its grid, in time order.

    Args:
        permitted: (a,) true for accounts with a permission to collect answers.
    """
    watch = watch or Stopwatch()
    with watch.stage("profile"):
        text = Recurring.of(events)
    evidence = Evidence(model)
    decider = Decider(evidence, settings.decision)
    grid = moments(float(events.ts[0]), float(events.ts[-1]), settings.evaluation)
    count = 0
    for done, moment in enumerate(grid, 1):
        count = events.before(moment)
        plain, allowed = evaluate(events, books, permitted, text, count, settings, model, watch)
        with watch.stage("decide"):
            decider.step(moment, plain, allowed)
        looked(done, len(grid), sum(state.flagged_at is not None for state in decider.accounts.values()))
    return Replay(decider, evidence, text, count, grid)


def evaluate(
    events: Events,
    books: Books,
    permitted: npt.NDArray[np.bool_],
    text: Recurring,
    count: int,
    settings: Settings,
    model: Model,
    watch: Stopwatch,
) -> tuple[list[Assessed], list[Assessed]]:
    """Assess every candidate group among the first `count` exchanges.

    Returns the groups of accounts without permission, and the permitted accounts' part of each group that has some.
    """
    least = settings.decision
    with watch.stage("profile"):
        scene = Scene.at(events, text, books.payment, count)
    with watch.stage("link"):
        proposed = candidates(scene, least.smallest_accounts, least.smallest_exchanges)
    plain: list[Assessed] = []
    allowed: list[Assessed] = []
    with watch.stage("harvest"):
        population = Population.of(events, count)
        # Channels often propose the very same exchanges: measured once.
        known: dict[bytes, Assessed | None] = {}
        for candidate in proposed:
            for mask, out in ((~permitted, plain), (permitted, allowed)):
                part = restricted(events, candidate, mask)
                mark = part.rows.tobytes()
                if mark not in known:
                    known[mark] = assess(
                        part, events, books, population, model, least.smallest_accounts, least.smallest_exchanges
                    )
                found = known[mark]
                if found is not None:
                    out.append(replace(found, channel=candidate.channel))
    return plain, allowed
