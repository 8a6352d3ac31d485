from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from revenuer.lab.range.config import Fold, LogFormat, RangeConfig, load_config


def test_toml_is_read_with_its_types(tmp_path: Path) -> None:
    path = tmp_path / "range.toml"
    path.write_text(
        'seed = 9\nfold = "b"\nlog_format = "parquet"\nshapes = ["chinese"]\nattack_accounts = [0.1, 0.2]\n'
    )
    assert load_config(path) == RangeConfig(
        seed=9, fold=Fold.B, log_format=LogFormat.PARQUET, shapes=("chinese",), attack_accounts=(0.1, 0.2)
    )


def test_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "range.toml"
    path.write_text("sed = 9\n")
    with pytest.raises(msgspec.ValidationError, match="sed"):
        load_config(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exchanges", 10),
        ("days", 0.5),
        ("attack_accounts", (0.3, 0.2)),
        ("attack_exchanges", (0.1, 0.9)),
        ("campaign_size", (1, 5)),
        ("campaigns_per_shape", (0, 1)),
    ],
)
def test_values_that_make_no_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        RangeConfig(**{field: value})  # type: ignore[arg-type]


def test_changes_are_checked_again() -> None:
    assert RangeConfig().with_changes(seed=4).seed == 4
    with pytest.raises(ValueError, match="days"):
        RangeConfig().with_changes(days=0.0)
