"""The command line: thin, it parses, calls one function and prints."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from revenuer import __version__
from revenuer.gateway.keys_cli import app as keys_app
from revenuer.records import ScanReport, Verdict

app = typer.Typer(
    help="Find unlicensed distilling of language models in logs of API exchanges.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys_app, name="keys")
SHOWN_CAMPAIGNS = 20
QUIET_EVERY = 10.0
"""Seconds between lines of progress where the output is not a terminal."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"revenuer {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    del version


@app.command()
def scan(
    logs: Annotated[list[str], typer.Argument(help="Log files, folders or globs; - reads standard input.")],
    accounts: Annotated[Path | None, typer.Option(help="The accounts file; without it, who is who is unknown.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; an interrupted scan goes on in it.")] = Path("out"),
    format: Annotated[str | None, typer.Option(help="Format of all logs; recognised by content without it.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be read.")] = False,
    settings: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
) -> None:
    """Read a log of exchanges and name the campaigns in it, account by account, with reasons and pictures."""
    from revenuer.ingest import IngestError
    from revenuer.pipeline import Telling
    from revenuer.pipeline import scan as run
    from revenuer.settings import SettingsError, load_settings
    from revenuer.store import StoreError

    errors = Console(stderr=True, highlight=False)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _Display(errors) as display:
            telling = Telling(display.reading, display.looking)
            report = run(logs, accounts, out, load_settings(settings), format=format, strict=strict, telling=telling)
    except (IngestError, StoreError, SettingsError) as error:
        errors.print(f"revenuer: {escape(str(error))}", style="red", soft_wrap=True)
        raise typer.Exit(2) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        errors.print(f"revenuer: {escape(where + (error.strerror or str(error)))}", style="red", soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        errors.print(
            f"revenuer: stopped. What was read is kept in {escape(str(out))}; the same command goes on from there.",
            soft_wrap=True,
        )
        raise typer.Exit(130) from None
    _print(report, out)


@app.command()
def worker(
    data: Annotated[Path, typer.Option(help="The folder that it shares with the gateway.")] = Path("revenuer-data"),
    accounts: Annotated[Path | None, typer.Option(help="The accounts file, read again at each look.")] = None,
    settings: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    keep_days: Annotated[float, typer.Option(min=0.1, help="Days for which fingerprints are kept.")] = 45.0,
) -> None:
    """Take what the gateway recorded into the store, judge it every minute, and publish the verdicts."""
    from revenuer.settings import load_settings
    from revenuer.up import DataFolder, until_told, work

    with _told(), until_told() as stop:
        work(DataFolder(data), accounts, load_settings(settings), keep_days, stop)


@app.command()
def up(
    upstream: Annotated[str | None, typer.Option(help="URL of the model server; without it, a demonstration.")] = None,
    keys: Annotated[Path | None, typer.Option(help="File of clients' keys; without it, upstream checks keys.")] = None,
    limits: Annotated[Path | None, typer.Option(help="A TOML file of limits.")] = None,
    key_env: Annotated[str | None, typer.Option(help="With --upstream: variable with the provider's key.")] = None,
    gateway_settings: Annotated[Path | None, typer.Option(help="A TOML file of settings of the gateway.")] = None,
    accounts: Annotated[Path | None, typer.Option(help="The accounts file, read again at each look.")] = None,
    settings: Annotated[Path | None, typer.Option(help="A TOML file of settings of the worker.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    data: Annotated[Path, typer.Option(help="Folder for all that is kept.")] = Path("revenuer-data"),
    keep_days: Annotated[float, typer.Option(min=0.1, help="Days for which fingerprints are kept.")] = 45.0,
) -> None:
    """Run gateway and worker together on this machine, in front of a model server or of a demonstration."""
    from revenuer.up import DataFolder, Wanted, until_told
    from revenuer.up import up as run_all

    wanted = Wanted(
        folder=DataFolder(data), host=host, port=port, upstream=upstream, key_env=key_env,
        gateway_settings=gateway_settings, accounts=accounts, settings=settings, keep_days=keep_days,
        keys=keys, limits=limits,
    )  # fmt: skip
    with _told(), until_told() as stop:
        status = run_all(wanted, stop, typer.echo)
    raise typer.Exit(status)


@contextmanager
def _told() -> Iterator[None]:
    """Messages of a process that runs for long, and its errors as one line with exit status 2."""
    from revenuer.gateway.segment import SpoolError
    from revenuer.ingest import IngestError
    from revenuer.settings import SettingsError
    from revenuer.store import StoreError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        yield
    except (IngestError, StoreError, SettingsError, SpoolError) as error:
        Console(stderr=True, highlight=False).print(f"revenuer: {escape(str(error))}", style="red", soft_wrap=True)
        raise typer.Exit(2) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


class _Display:
    """Progress bars on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._reading = self._bars.add_task("reading", total=None, note="", visible=False)
        self._looking = self._bars.add_task("judging", total=None, note="", visible=False)
        self._told = self._began = time.monotonic()

    def __enter__(self) -> _Display:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def reading(self, place: object) -> None:
        """Show how far reading is."""
        from revenuer.intake import Place

        assert isinstance(place, Place)
        note = f"{place.exchanges:,} exchanges, {place.rate:,.0f}/s"
        if place.rejected:
            note += f", {place.rejected:,} rejected"
        self._bars.update(self._reading, completed=place.bytes_read, total=place.bytes_total, note=note, visible=True)
        left = ""
        if place.bytes_total and place.bytes_read:
            spent = time.monotonic() - self._began
            left = f", about {spent * (place.bytes_total - place.bytes_read) / place.bytes_read:,.0f} s left"
        self._line(f"reading: {note}{left}")

    def looking(self, done: int, total: int, flagged: int) -> None:
        """Show how far judging is."""
        note = f"{flagged:,} accounts flagged"
        self._bars.update(self._looking, completed=done, total=total, note=note, visible=True)
        self._line(f"judging: {done} of {total} looks, {note}")

    def _line(self, text: str) -> None:
        if not self._console.is_terminal and time.monotonic() - self._told >= QUIET_EVERY:
            self._told = time.monotonic()
            self._console.print(text, soft_wrap=True)


def _print(report: ScanReport, out: Path) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    counts = ", ".join(f"{report.verdicts[v.value]:,} {v.value}" for v in Verdict)
    console.print(f"{report.exchanges:,} exchanges of {report.accounts:,} accounts: {counts}.")
    for note in report.notes:
        console.print(f"  note: {escape(note)}", soft_wrap=True)
    if report.campaigns:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column, side in (("campaign", "left"), ("accounts", "right"), ("exchanges", "right"), ("flagged", "left"),
                             ("false-alarm bound", "right"), ("strongest reason", "left")):  # fmt: skip
            table.add_column(column, justify="right" if side == "right" else "left")
        for detail in report.campaigns[:SHOWN_CAMPAIGNS]:
            row = detail.result
            when = "" if row.first_flagged_at is None else time.strftime("%F %H:%M", time.gmtime(row.first_flagged_at))
            bound = "" if detail.false_alarm_bound is None else f"1 in {1 / detail.false_alarm_bound:,.0f}"
            reason = row.reasons[0].text if row.reasons else ""
            table.add_row(row.campaign, f"{len(row.accounts)}", f"{row.exchanges:,}", when, bound, escape(reason))
        console.print(table)
        if len(report.campaigns) > SHOWN_CAMPAIGNS:
            console.print(f"... and {len(report.campaigns) - SHOWN_CAMPAIGNS} more in campaigns.jsonl")
    else:
        console.print("No campaign was found.")
    console.print(f"Report: {escape(str(out / 'report.html'))}", soft_wrap=True)


@app.command()
def gateway(
    upstream: Annotated[str | None, typer.Option(help="URL of the model server, instead of [[upstreams]].")] = None,
    settings: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for the spool and the secrets.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="File of clients' keys; without it, the upstream checks them.")
    ] = None,
    limits: Annotated[Path | None, typer.Option(help="A TOML file of limits.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="With --upstream: variable that holds the provider's key.")
    ] = None,
) -> None:
    """Stand in front of a model server (OpenAI's or Anthropic's API): admit, pass on, record."""
    from revenuer.gateway.config import load_gateway_settings
    from revenuer.gateway.server import run
    from revenuer.gateway.spool import SpoolError
    from revenuer.settings import SettingsError

    errors = Console(stderr=True, highlight=False)
    upstreams = None if upstream is None else [{"url": upstream, **({"key_env": key_env} if key_env else {})}]
    files = {name: str(path) for name, path in (("data", data), ("keys", keys), ("limits", limits)) if path is not None}
    try:
        read = load_gateway_settings(settings, upstreams=upstreams, host=host, port=port, workers=workers, **files)
        status = run(read, lambda url: typer.echo(f"revenuer gateway: listening on {url}"))
    except (SettingsError, SpoolError) as error:
        errors.print(f"revenuer: {escape(str(error))}", style="red", soft_wrap=True)
        raise typer.Exit(2) from None
    except OSError as error:
        errors.print(f"revenuer: {escape(error.strerror or str(error))}", style="red", soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)


def _range_app() -> typer.Typer:
    # The lab is loaded only when it is asked for: nothing that judges traffic depends on it.
    from revenuer.lab.range.cli import app as range_app

    return range_app


def main() -> None:
    """Entry point of the `revenuer` command."""
    if (len(sys.argv) > 1 and sys.argv[1] == "range") or "--help" in sys.argv or len(sys.argv) == 1:
        app.add_typer(_range_app(), name="range", help="Make labelled logs, and score a scan of one.")
    app()
