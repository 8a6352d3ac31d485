"""Labelled ranges for fitting: made by both generators, fingerprinted once, kept in a cache folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from revenuer.decide.authorisation import permission_of
from revenuer.decide.replay import books_of
from revenuer.fingerprint.batch import Fingerprinter
from revenuer.harvest.group import Books
from revenuer.ingest import read_accounts, read_logs
from revenuer.lab.range import Fold, PromptPool, RangeConfig, make_range
from revenuer.profile.events import Events, from_table


class Truth(msgspec.Struct, frozen=True):
    """One line of `truth_accounts.jsonl`."""

    account: str
    role: str
    cls: str
    campaign: str | None
    operator: str
    authorised: bool


@dataclass(frozen=True)
class Recipe:
    """How a range is made. `generator` is `range` (the product's) or `second`; `fold` is a, b or all.

    The halves of `second` hold the sources of the same folds of `range`, but for ShareGPT, which serves both halves.
    """

    generator: str
    fold: str
    seed: int
    exchanges: int
    days: int

    @property
    def name(self) -> str:
        """Folder name in the cache."""
        part = f"fold-{self.fold}" if self.generator == "range" else self.fold
        return f"{self.generator}-{part}-{self.seed}-{self.exchanges // 1000}k-{self.days}d"


@dataclass(frozen=True)
class Corpus:
    """A range ready for evaluation. `campaign` (n,) code of the true campaign of each exchange, -1 for none."""

    recipe: Recipe
    events: Events
    books: Books
    permitted: npt.NDArray[np.bool_]
    truth: tuple[Truth, ...]
    """Aligned with `events.accounts`."""
    campaign: npt.NDArray[np.int64]
    campaigns: tuple[str, ...]


def made(recipe: Recipe, prompts: Path, cache: Path) -> Path:
    """The range's folder, made if it is not there yet."""
    folder = cache / recipe.name
    if (folder / "truth_exchanges.parquet").exists():
        return folder
    if recipe.generator == "second":
        script = Path(__file__).with_name("second_range.py")
        command = [sys.executable, str(script), "--prompts", str(prompts), "--out", str(folder)]
        command += ["--seed", str(recipe.seed), "--exchanges", str(recipe.exchanges), "--days", str(recipe.days)]
        subprocess.run([*command, "--sources-half", recipe.fold], check=True, stdout=subprocess.DEVNULL)
        return folder
    fold = None if recipe.fold == "all" else Fold(recipe.fold)
    config = RangeConfig(seed=recipe.seed, exchanges=recipe.exchanges, days=float(recipe.days), fold=fold)
    make_range(config, PromptPool.load(prompts, fold=fold), folder)
    return folder


def load(recipe: Recipe, prompts: Path, cache: Path) -> Corpus:
    """Make (if need be), fingerprint (if need be) and load a range."""
    folder = made(recipe, prompts, cache)
    fingerprints = folder / "fingerprints.parquet"
    if not fingerprints.exists():
        log = next(folder.glob("exchanges.jsonl*"))
        fingerprinter = Fingerprinter(recipe.seed)
        parts = [fingerprinter.fingerprint(chunk.exchanges) for chunk in read_logs([log])]
        pq.write_table(pa.concat_tables(parts), fingerprints)
    events = from_table(pq.read_table(fingerprints))
    accounts = read_accounts(folder / "accounts.jsonl", [])
    decode = msgspec.json.Decoder(Truth).decode
    truth = {row.account: row for row in map(decode, (folder / "truth_accounts.jsonl").read_bytes().splitlines())}
    labels = pq.read_table(folder / "truth_exchanges.parquet")
    by_id = dict(zip(labels["id"].to_pylist(), labels["campaign"].to_pylist(), strict=True))
    names = sorted({name for name in by_id.values() if name})
    code = {name: at for at, name in enumerate(names)}
    campaign = np.array([code.get(by_id[i] or "", -1) for i in events.id.to_pylist()], np.int64)
    return Corpus(
        recipe=recipe,
        events=events,
        books=books_of(events, accounts),
        permitted=np.array([permission_of(accounts.get(name)) is not None for name in events.accounts]),
        truth=tuple(truth[name] for name in events.accounts),
        campaign=campaign,
        campaigns=tuple(names),
    )
