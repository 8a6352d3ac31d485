"""One typed tree of settings, built once from a TOML file (or defaults) and passed down.

Every threshold that decides something is calibrated and lives with the model (`harvest/model.json`), not here: what
is here are sizes, tempo, and the bound on false alarms that the operator of Revenuer wants.
"""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

_KEY = re.compile(r"[0-9a-fA-F]{16}")


class SettingsError(ValueError):
    """The settings file cannot be used; the message names the field and what to do."""


Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Evaluation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the verdicts are looked at, in hours of event time since the log's first exchange.

    The first looks come early, because small young groups are where most leaks; later ones every `every` hours.
    """

    early: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)] = (
        1.0,
        2.0,
        4.0,
        8.0,
        12.0,
        18.0,
        24.0,
        30.0,
        36.0,
        42.0,
        48.0,
    )
    every: Positive = 12.0

    def __post_init__(self) -> None:
        if any(a >= b for a, b in pairwise(self.early)):
            raise ValueError("early: the hours must rise")


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the verdict `harvesting` demands."""

    false_discovery: Share = 0.1
    """Share of accepted groups that may be benign, in expectation (e-BH)."""
    false_campaigns: Positive = 1.0
    """Number of accepted groups that may be benign, in expectation at one look; the laxer of the two applies. Over a
    log's life see `harvest.evidence.Evidence.accepted`: about twice as many for 350 groups."""
    fewest_groups: Annotated[int, msgspec.Meta(ge=1)] = 100
    """A log with fewer groups is judged as if it had so many, so that a young or small log has no lax bar."""
    smallest_accounts: Annotated[int, msgspec.Meta(ge=2)] = 3
    smallest_exchanges: Annotated[int, msgspec.Meta(ge=2)] = 30
    smallest_own: Annotated[int, msgspec.Meta(ge=1)] = 3
    """Exchanges of its own that an account needs in a group before it can be flagged."""
    watch: Share = 0.05
    """Chance at which a benign group may ever come to be watched."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. `key_file` holds the installation's fingerprint key; made on first use, readable by you alone."""

    key_file: str = ""
    evaluation: Evaluation = Evaluation()
    decision: Decision = Decision()


def load_settings(path: Path | None) -> Settings:
    """Settings from a TOML file; defaults where it is None or silent.

    Raises:
        SettingsError: the file cannot be read, is no TOML, or has a field that does not exist or does not fit.
    """
    if path is None:
        return Settings()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(data, Settings)
    except OSError as error:
        raise SettingsError(f"cannot read settings {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"settings {path}: {error}") from error


def installation_key(settings: Settings) -> int:
    """The 64-bit key of this installation's fingerprints; made and kept on first use.

    Kept in `key_file`, else in ``$REVENUER_HOME/fingerprint.key`` (default ``~/.revenuer``), mode 0600. Losing it makes
    old sketches incomparable with new ones, and no more.

    Raises:
        SettingsError: the key file is damaged or cannot be written.
    """
    home = Path(os.environ.get("REVENUER_HOME", "~/.revenuer")).expanduser()
    path = Path(settings.key_file).expanduser() if settings.key_file else home / "fingerprint.key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                pass
            else:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(secrets.token_hex(8) + "\n")
        digits = path.read_text(encoding="ascii").strip()
        if not _KEY.fullmatch(digits):
            raise ValueError(digits)
        return int(digits, 16)
    except ValueError as error:
        raise SettingsError(f"{path} is not a fingerprint key (16 hex digits): restore it or remove it") from error
    except OSError as error:
        raise SettingsError(f"cannot use the fingerprint key {path}: {error.strerror}") from error
