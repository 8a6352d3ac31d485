"""`revenuer keys`: make, end and list the keys that clients of the gateway use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make, revoke and list clients' keys.", no_args_is_help=True)
Data = Annotated[Path, typer.Option(help="The gateway's folder, which holds its secrets.")]
File = Annotated[Path | None, typer.Option("--file", help="The key file; keys.json in the folder where not given.")]
_DATA = Path("revenuer-data")


@app.command()
def add(
    account: Annotated[str, typer.Argument(help="The account that is billed.")],
    org: Annotated[str | None, typer.Option(help="What the customer says it is.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model that the key may use; repeat. All if none.")] = None,
    data: Data = _DATA,
    file: File = None,
) -> None:
    """Make a key and print it. It is shown once: only its hash is kept."""
    from revenuer.gateway.keys import Keys

    with _errors():
        keys = Keys.load(file or data / "keys.json", _pepper(data))
        secret, entry = keys.add(account, org, tuple(model) if model else None)
    typer.echo(secret)
    typer.echo(f"{entry.id} for {account}; the key above is not shown again.", err=True)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `revenuer keys list` shows it.")],
    data: Data = _DATA,
    file: File = None,
) -> None:
    """End a key; a running gateway follows within a second or two."""
    from revenuer.gateway.keys import Keys

    with _errors():
        keys = Keys.load(file or data / "keys.json", _pepper(data))
        try:
            keys.revoke(key_id)
        except KeyError:
            typer.echo(f"revenuer: there is no key {key_id}; see: revenuer keys list", err=True)
            raise typer.Exit(2) from None
    typer.echo(f"{key_id} is revoked.")


@app.command(name="list")
def list_(data: Data = _DATA, file: File = None) -> None:
    """One line a key: id, account, when made, models, whether revoked."""
    from revenuer.gateway.keys import Keys

    with _errors():
        keys = Keys.load(file or data / "keys.json", _pepper(data))
    for entry in keys.entries:
        made = datetime.fromtimestamp(entry.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        models = "all models" if entry.models is None else ",".join(entry.models)
        typer.echo("\t".join((entry.id, entry.account, made, models, "revoked" if entry.revoked_at else "live")))


def _pepper(data: Path) -> bytes:
    from revenuer.gateway.segment import Secret

    return Secret.load(data / "names.key").derive(b"keys")[0]


@contextmanager
def _errors() -> Iterator[None]:
    """Errors of files as one line and exit status 2."""
    from revenuer.gateway.segment import SpoolError
    from revenuer.settings import SettingsError

    try:
        yield
    except (SpoolError, SettingsError, OSError) as error:
        typer.echo(f"revenuer: {error}", err=True)
        raise typer.Exit(2) from None
