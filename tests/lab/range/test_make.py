from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
import zstandard

from revenuer.lab.range.benign import CLASSES
from revenuer.lab.range.campaigns import SHAPES
from revenuer.lab.range.config import LogFormat, RangeConfig, load_config
from revenuer.lab.range.make import RangeSummary, TruthAccount, make_range
from revenuer.lab.range.pool import PromptPool, bundled_prompts
from revenuer.records import Account, Exchange, Message, Params, Response, Usage

from .conftest import SMALL
from .leaks import exchanges, lines

Made = tuple[Path, RangeSummary]
SCRIPT = """
import sys
from pathlib import Path
from revenuer.lab.range import PromptPool, RangeConfig, make_range
make_range(RangeConfig(seed=2, exchanges=1500, days=2.0, accounts=90), PromptPool.load(), Path(sys.argv[1]))
"""


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    for name, salt in (("a", "1"), ("b", "77")):
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / name)], check=True, env={**os.environ, "PYTHONHASHSEED": salt}
        )
    files = sorted(f.name for f in (tmp_path / "a").iterdir())
    assert files == [
        "accounts.jsonl",
        "exchanges.jsonl.zst",
        "range.json",
        "truth_accounts.jsonl",
        "truth_exchanges.parquet",
    ]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_another_seed_gives_another_range(pool: PromptPool, tmp_path: Path) -> None:
    for seed in (1, 2):
        make_range(RangeConfig(seed=seed, exchanges=800, days=2.0), pool, tmp_path / str(seed))
    one, two = (set((tmp_path / s / "accounts.jsonl").read_bytes().splitlines()) for s in ("1", "2"))
    assert one.isdisjoint(two)


def test_the_log_is_in_time_order_with_unique_ids_inside_its_window(small: Made) -> None:
    sent = list(exchanges(small[0] / "exchanges.jsonl.zst"))
    assert len(sent) == small[1].exchanges
    assert [e.ts for e in sent] == sorted(e.ts for e in sent)
    assert len({e.id for e in sent}) == len(sent)
    assert SMALL.start <= sent[0].ts
    assert sent[-1].ts < SMALL.end
    assert 0.85 * SMALL.exchanges < len(sent) < 1.15 * SMALL.exchanges


def test_truth_agrees_with_the_log(small: Made) -> None:
    folder, summary = small
    sent = list(exchanges(folder / "exchanges.jsonl.zst"))
    truth = {t.account: t for t in lines(folder / "truth_accounts.jsonl", TruthAccount)}
    books = {a.account: a for a in lines(folder / "accounts.jsonl", Account)}
    table = pq.read_table(folder / "truth_exchanges.parquet").to_pydict()
    assert table["id"] == [e.id for e in sent]
    assert table["account"] == [e.account for e in sent]
    assert table["ts"] == pytest.approx([e.ts for e in sent], abs=1e-3)
    assert truth.keys() == books.keys() == {e.account for e in sent}
    for e, campaign in zip(sent, table["campaign"], strict=True):
        assert campaign is None or truth[e.account].campaign == campaign
        assert e.org == books[e.account].org
    for t in truth.values():
        assert (t.role == "campaign") == (t.campaign is not None)
        assert t.authorised == bool(books[t.account].authorised)
        assert t.cls in (SHAPES if t.role == "campaign" else CLASSES)
    assert summary.harvest == sum(c is not None for c in table["campaign"])
    assert summary.campaign_accounts == sum(t.role == "campaign" for t in truth.values())
    per_campaign = Counter(t.campaign for t in truth.values() if t.campaign)
    assert len(per_campaign) == summary.campaigns
    assert min(per_campaign.values()) >= 3


def test_no_account_calls_long_before_it_exists(small: Made) -> None:
    books = {a.account: a.created_at or 0.0 for a in lines(small[0] / "accounts.jsonl", Account)}
    early = [e.account for e in exchanges(small[0] / "exchanges.jsonl.zst") if e.ts < books[e.account] - 3600]
    assert len(early) == 0


def test_repeats_and_refusals_happen_on_both_sides(small: Made) -> None:
    role = {t.account: t.role for t in lines(small[0] / "truth_accounts.jsonl", TruthAccount)}
    refused = Counter(role[e.account] for e in exchanges(small[0] / "exchanges.jsonl.zst") if e.status in {403, 429})
    assert refused["benign"] > 0
    assert refused["campaign"] > 0


@pytest.mark.parametrize("how", [LogFormat.GZ, LogFormat.PLAIN, LogFormat.PARQUET])
def test_every_format_holds_the_same_exchanges(small: Made, pool: PromptPool, tmp_path: Path, how: LogFormat) -> None:
    make_range(SMALL.with_changes(log_format=how), pool, tmp_path)
    path = tmp_path / f"exchanges.{how}"
    want = list(exchanges(small[0] / "exchanges.jsonl.zst"))
    if how is LogFormat.PARQUET:
        rows = pq.read_table(path).to_pylist()
        got = [
            Exchange(
                **{k: v for k, v in row.items() if k not in {"params", "messages", "response", "usage"}},
                params=Params(**row["params"]),
                messages=tuple(Message(**m) for m in row["messages"]),
                response=Response(**(row["response"] or {})),
                usage=Usage(**(row["usage"] or {})),
            )
            for row in rows
        ]
    else:
        raw = gzip.decompress(path.read_bytes()) if how is LogFormat.GZ else path.read_bytes()
        got = [msgspec.json.decode(line, type=Exchange) for line in raw.splitlines()]
    assert got == want


def test_nothing_is_left_beside_the_range(small: Made) -> None:
    assert not (small[0] / ".spill").exists()


def test_classes_can_be_chosen_and_unknown_ones_are_named(pool: PromptPool, tmp_path: Path) -> None:
    config = RangeConfig(seed=1, exchanges=800, days=2.0, classes=("chat_user", "judge_user"), shapes=("chinese",))
    summary = make_range(config, pool, tmp_path)
    assert set(summary.classes) <= {"chat_user", "judge_user"}
    assert set(summary.shapes) == {"chinese"}
    with pytest.raises(ValueError, match="nope"):
        make_range(RangeConfig(exchanges=800, classes=("nope",)), pool, tmp_path)


def test_the_bundled_sample_is_what_its_config_makes(pool: PromptPool, tmp_path: Path) -> None:
    sample = bundled_prompts().parent / "sample"
    make_range(load_config(sample / "range.toml"), pool, tmp_path)
    unpack = zstandard.ZstdDecompressor().stream_reader
    with (sample / "exchanges.jsonl.zst").open("rb") as a, (tmp_path / "exchanges.jsonl.zst").open("rb") as b:
        assert unpack(a).read() == unpack(b).read()
    for name in ("accounts.jsonl", "truth_accounts.jsonl"):
        assert (sample / name).read_bytes() == (tmp_path / name).read_bytes()
    assert pq.read_table(sample / "truth_exchanges.parquet").equals(pq.read_table(tmp_path / "truth_exchanges.parquet"))
