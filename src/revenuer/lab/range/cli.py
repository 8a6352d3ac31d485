"""`revenuer range`: make a labelled log, and score what a detector made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from revenuer.lab.range.config import Fold, LogFormat, RangeConfig, load_config
from revenuer.lab.range.make import RangeSummary, make_range
from revenuer.lab.range.pool import PoolError, PromptPool
from revenuer.lab.range.score import Rate, Score, score
from revenuer.lab.range.timing import Traces

app = typer.Typer(no_args_is_help=True, help="Make labelled logs of simulated operators, and score a detector on them.")


@app.command("make")
def make_command(
    out: Annotated[Path, typer.Argument(help="Folder to write the range into.")],
    config: Annotated[Path | None, typer.Option(help="TOML file; the options below override it.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Folder of role__source.jsonl.gz files; default: bundled.")
    ] = None,
    traces: Annotated[Path | None, typer.Option(help="Folder of servegen_clients_*.jsonl.gz load curves.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same bytes (default: 1).")] = None,
    exchanges: Annotated[int | None, typer.Option(help="About how many, at least 500 (default: 300000).")] = None,
    days: Annotated[float | None, typer.Option(help="Length of the log (default: 14).")] = None,
    fold: Annotated[Fold | None, typer.Option(help="Use one half of the sources and phrasings.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Use this prompt source (repeat).")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this prompt source out (repeat).")] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option("--format", help="How to write the log (default: jsonl.zst).")
    ] = None,
) -> None:
    """Write a labelled log: exchanges, accounts, and the truth about both."""
    console = Console(stderr=True)
    given: dict[str, object] = {
        "seed": seed,
        "exchanges": exchanges,
        "days": days,
        "fold": fold,
        "log_format": log_format,
    }
    given |= {"include": tuple(include) if include else None, "exclude": tuple(exclude) if exclude else None}
    try:
        base = load_config(config) if config else RangeConfig()
        chosen = base.with_changes(**{k: v for k, v in given.items() if v is not None})
        for folder in (prompts, traces):
            if folder is not None and not folder.is_dir():
                raise PoolError(f"{folder} is not a folder")
        if out.exists() and not (out.is_dir() and ((out / "range.json").exists() or not any(out.iterdir()))):
            raise PoolError(f"{out} holds something that is not a range: name another folder")
        pool = PromptPool.load(prompts, fold=chosen.fold, include=chosen.include, exclude=chosen.exclude)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console
        ) as shown:
            task = shown.add_task("planning", total=None)
            summary = make_range(
                chosen,
                pool,
                out,
                traces=Traces.load(traces),
                progress=lambda what, done, of: shown.update(task, description=what, completed=done, total=of),
            )
    except (PoolError, ValueError, OSError, msgspec.MsgspecError) as error:
        console.print(f"[red]range make:[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    for other in LogFormat:  # of a range that was here before: two logs would not fit one truth
        if (stale := out / f"exchanges.{other.value}").name != summary.log:
            stale.unlink(missing_ok=True)
    _print_summary(Console(highlight=False), out, summary)


@app.command("score")
def score_command(
    range_dir: Annotated[Path, typer.Argument(help="Folder of a range.")],
    result_dir: Annotated[Path, typer.Argument(help="Output folder of a scan of it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare a scan's result with the truth of the range it was run on."""
    try:
        for path, what in (
            (range_dir / "truth_accounts.jsonl", "revenuer range make"),
            (range_dir / "truth_exchanges.parquet", "revenuer range make"),
            (result_dir / "accounts.jsonl", "revenuer scan ... --out"),
        ):
            if not path.is_file():
                raise FileNotFoundError(f"{path} is not there: want a folder that `{what}` wrote")
        found = score(range_dir, result_dir)
    except (OSError, msgspec.MsgspecError) as error:
        Console(stderr=True).print(f"[red]range score:[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        print_score(Console(), found)


def _print_summary(console: Console, out: Path, summary: RangeSummary) -> None:
    days = (summary.last_ts - summary.first_ts) / 86_400
    size = f"{summary.exchanges:,} exchanges of {summary.accounts:,} accounts over {days:.1f} days"
    console.print(f"{size} in {out / summary.log}", soft_wrap=True)
    members = f"{summary.campaigns} campaigns with {summary.campaign_accounts:,} accounts"
    console.print(f"{members}; {summary.harvest:,} exchanges are harvest")
    console.print(
        f"next: revenuer scan {out / summary.log} --accounts {out / 'accounts.jsonl'} --out RESULT\n"
        f"      revenuer range score {out} RESULT",
        soft_wrap=True,
        markup=False,
    )


def _rate(rate: Rate) -> str:
    return f"{rate.hits}/{rate.of} = {rate.share:.2%} ({rate.low:.2%} to {rate.high:.2%})"


def print_score(console: Console, found: Score) -> None:
    """Show a score as tables."""
    top = Table("figure", "value", title="Score")
    for name, value in (
        ("campaign accounts flagged", _rate(found.recall)),
        ("false alarms (benign accounts)", _rate(found.false_alarms)),
        ("recall at 1 % / 0.1 % false alarms", f"{found.recall_at_1_percent:.2f} / {found.recall_at_01_percent:.2f}"),
        ("campaigns found as groups", _rate(found.found)),
        ("shapes found", f"{found.shapes_found.hits}/{found.shapes_found.of}"),
        (
            "B-cubed precision / recall / F1",
            f"{found.bcubed_precision:.2f} / {found.bcubed_recall:.2f} / {found.bcubed_f1:.2f}",
        ),
        ("benign accounts in campaign groups", str(found.benign_in_campaign_groups)),
        ("mean leaked share", f"{found.leaked:.2f}"),
        ("wrongly accused operators", _rate(found.wrongly_accused_operators)),
        ("authorised accounts accused", f"{found.authorised_accused.hits}/{found.authorised_accused.of}"),
    ):
        top.add_row(name, value)
    console.print(top)
    shapes = Table("campaign shape", "campaigns", "found", "accounts flagged", "leaked", title="Campaigns")
    for shape, s in found.by_shape.items():
        shapes.add_row(shape, str(s.campaigns), str(s.found), _rate(s.recall), f"{s.leaked:.2f}")
    console.print(shapes)
    classes = Table("benign class", "false alarms", title="Benign classes")
    for cls, rate in found.by_class.items():
        classes.add_row(cls, _rate(rate))
    console.print(classes)
