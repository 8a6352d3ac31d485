"""What a range is made of: one typed tree, loadable from TOML, written back into `range.json`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec


class LogFormat(StrEnum):
    """How the exchange log is written. Closed."""

    ZST = "jsonl.zst"
    GZ = "jsonl.gz"
    PLAIN = "jsonl"
    PARQUET = "parquet"


class Fold(StrEnum):
    """Half of the sources and phrasings. What is fitted on one fold is judged on the other."""

    A = "a"
    B = "b"


Interval = tuple[float, float]


class RangeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything `make_range` depends on, beside the prompts and traces themselves.

    Same config, same prompts and same traces give the same bytes. Shares are fractions in [0, 1]; an interval is
    drawn from once per range. Empty `classes`, `shapes` or `include` mean "all".
    """

    seed: int = 1
    exchanges: int = 300_000
    """Target; the log comes within a few per cent of it."""
    days: float = 14.0
    start: float = 1_780_272_000.0
    """UTC seconds of the first midnight (default 2026-06-01)."""
    accounts: int | None = None
    """Default: one account for every 65 exchanges."""
    attack_accounts: Interval = (0.08, 0.15)
    """Share of accounts that belong to campaigns."""
    attack_exchanges: Interval = (0.10, 0.25)
    """Share of exchanges that are harvest. Light and heavily diluted campaigns may hold it below the draw."""
    campaign_size: tuple[int, int] = (4, 80)
    """Accounts per campaign, drawn log-uniformly."""
    campaigns_per_shape: tuple[int, int] = (1, 2)
    classes: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    """Prompt sources to use; empty means all that are found."""
    exclude: tuple[str, ...] = ()
    fold: Fold | None = None
    log_format: LogFormat = LogFormat.ZST

    def __post_init__(self) -> None:
        if self.exchanges < 500:
            raise ValueError("exchanges: a range needs at least 500")
        if self.days < 1:
            raise ValueError("days: a range lasts at least one day")
        for name in ("attack_accounts", "attack_exchanges"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 0.6:
                raise ValueError(f"{name}: want 0 <= low <= high <= 0.6, got {low}, {high}")
        low, high = self.campaign_size
        if not 2 <= low <= high:
            raise ValueError("campaign_size: want 2 <= low <= high")
        low, high = self.campaigns_per_shape
        if not 1 <= low <= high:
            raise ValueError("campaigns_per_shape: want 1 <= low <= high")

    def with_changes(self, **changes: Any) -> RangeConfig:
        """A copy with some fields changed, checked again. Raises ValueError where they do not fit."""
        return RangeConfig(**{**{name: getattr(self, name) for name in self.__struct_fields__}, **changes})

    @property
    def end(self) -> float:
        """UTC seconds at which the range ends."""
        return self.start + self.days * 86_400

    @property
    def account_target(self) -> int:
        """Number of accounts aimed at, campaigns included."""
        return self.accounts if self.accounts is not None else max(40, round(self.exchanges / 65))


def load_config(path: Path) -> RangeConfig:
    """Read a TOML file. Raises `msgspec.ValidationError` with the field's name when it does not fit."""
    return msgspec.toml.decode(path.read_bytes(), type=RangeConfig)
