"""The whole system on one screen: log -> fingerprints -> strands -> links -> evidence -> verdicts -> report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from revenuer.decide.authorisation import permission_of
from revenuer.decide.replay import Looked, Stopwatch, books_of, replay
from revenuer.harvest.model import Model
from revenuer.harvest.model import load as load_model
from revenuer.intake import Intake, Progress, notes_of, take_in
from revenuer.profile.events import COLUMNS, load
from revenuer.records import ScanReport
from revenuer.report.collect import Input, collect
from revenuer.report.html import write as write_html
from revenuer.report.results import write_results
from revenuer.settings import Settings


def clock() -> tuple[float, float]:
    """Seconds of wall time and of this process's CPU time, for stopwatches."""
    return time.perf_counter(), time.process_time()


@dataclass(frozen=True)
class Telling:
    """Where a scan's reader hears how far it is; every call may come many times a second."""

    reading: Progress = lambda *_: None
    looking: Looked = lambda *_: None


def scan(
    logs: Sequence[str | Path],
    accounts: str | Path | None,
    out: Path,
    settings: Settings | None = None,
    *,
    format: str | None = None,
    strict: bool = False,
    telling: Telling | None = None,
    model: Model | None = None,
) -> ScanReport:
    """Read logs, find campaigns, write `accounts.jsonl`, `campaigns.jsonl`, `rejected.jsonl` and `report.html`.

    Interrupted, it leaves whole results or none, and goes on where it stopped when called again with the same `out`.

    Args:
        logs: files, folders or globs; accounts: the provider's books, if at hand; out: folder of the results.
        model: judges in place of the one that ships with the package.

    Raises:
        revenuer.ingest.IngestError: an input is missing, changed since the interrupted scan, or, with `strict`, has a
            row that cannot be read.
        revenuer.store.StoreError: another process works in `out`.
        revenuer.settings.SettingsError: the installation's key cannot be used.
    """
    settings = settings or Settings()
    telling = telling or Telling()
    model = model or load_model()
    watch = Stopwatch(clock)
    with Intake.open(out, settings) as intake:
        with watch.stage("ingest and fingerprint"):
            known, read = take_in(intake, logs, accounts, format, strict, telling.reading)
        with watch.stage("store"):
            intake.store.compact()
            events = load(intake.store.scan(columns=COLUMNS)) if read.stored else None
        books = found = None
        if events is not None:
            books = books_of(events, known)
            permitted = np.array([permission_of(known.get(name)) is not None for name in events.accounts])
            found = replay(events, books, permitted, settings, model, watch, telling.looking)
        with watch.stage("report"):
            source = Input(read.files, read.rejected, notes_of(read))
            texts = partial(intake.texts, logs)
            report = collect(source, events, books, known, found, model, texts, watch.stages())
            write_results(report, out)
            write_html(report, out / "report.html")
    return report
