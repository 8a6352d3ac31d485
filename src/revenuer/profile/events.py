"""Fingerprints as columns in time order: what every later stage computes on.

An evaluation at time t sees the prefix of rows with ts < t and nothing else; `Events.before` gives its length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """Columns of n exchanges, sorted by (ts, id). Codes are small integers in order of first appearance.

    `account` (n,) codes into `accounts`; `network`, `address`, `agent` (user agent and TLS fingerprint), `params`
    (endpoint and parameters) and `model` (n,) codes, -1 where the log is silent; `tokens` rows of the sketch see
    `TokenTable`; `embedding` (n, 64) int8.
    """

    id: pa.ChunkedArray
    ts: F64
    account: I32
    accounts: tuple[str, ...]
    network: I32
    address: I32
    agent: I32
    params: I32
    model: I32
    models: tuple[str, ...]
    turns: npt.NDArray[np.int16]
    chain: U64
    parent: U64
    length: I32
    text: U64
    prefix: U64
    suffix: U64
    system: U64
    chunks: U64
    system_chunks: U64
    bands: U64
    embedding: npt.NDArray[np.int8]
    intents: npt.NDArray[np.uint8]
    completion: I32
    status: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.ts)

    def before(self, moment: float) -> int:
        """How many exchanges happened strictly before `moment`."""
        return int(np.searchsorted(self.ts, moment, "left"))


COLUMNS = [
    "id",
    "ts",
    "account",
    "model",
    "key_h",
    "ip_h",
    "net_h",
    "ua_h",
    "ja4_h",
    "endpoint_h",
    "params_h",
    "turns",
    "chain_h",
    "parent_h",
    "system_h",
    "system_chunks",
    "tokens",
    "text_h",
    "prefix_h",
    "suffix_h",
    "chunks",
    "bands",
    "embedding",
    "intents",
    "completion_tokens",
    "status",
]


def load(batches: Iterable[pa.RecordBatch]) -> Events:
    """Events from record batches that hold `COLUMNS` in (ts, id) order."""
    table = pa.Table.from_batches(list(batches)).select(COLUMNS)
    return from_table(table)


def from_table(table: pa.Table) -> Events:
    """Events from a table with at least `COLUMNS`; sorted here if it is not in (ts, id) order."""
    ts = table["ts"].to_numpy()
    step = np.diff(ts)
    level = np.flatnonzero(step == 0)
    ids = table["id"]
    before, after = ids.take(level), ids.take(level + 1)
    if (step < 0).any() or any(a > b for a, b in zip(before.to_pylist(), after.to_pylist(), strict=True)):
        table = table.sort_by([("ts", "ascending"), ("id", "ascending")])
        ts = table["ts"].to_numpy()
    account, accounts = _codes(table["account"])
    model, models = _codes(table["model"])
    agent = _pair(table["ua_h"].to_numpy(), table["ja4_h"].to_numpy())
    params = _pair(table["endpoint_h"].to_numpy(), table["params_h"].to_numpy())
    return Events(
        id=table["id"],
        ts=ts,
        account=account,
        accounts=accounts,
        network=_hash_codes(table["net_h"].to_numpy()),
        address=_hash_codes(table["ip_h"].to_numpy()),
        agent=agent,
        params=params,
        model=model,
        models=models,
        turns=table["turns"].to_numpy(),
        chain=table["chain_h"].to_numpy(),
        parent=table["parent_h"].to_numpy(),
        length=table["tokens"].to_numpy(),
        text=table["text_h"].to_numpy(),
        prefix=table["prefix_h"].to_numpy(),
        suffix=table["suffix_h"].to_numpy(),
        system=table["system_h"].to_numpy(),
        chunks=_matrix(table["chunks"]),
        system_chunks=_matrix(table["system_chunks"]),
        bands=_matrix(table["bands"]),
        embedding=_matrix(table["embedding"]),
        intents=_matrix(table["intents"]),
        completion=table["completion_tokens"].to_numpy(),
        status=table["status"].to_numpy(),
    )


def _codes(column: pa.ChunkedArray) -> tuple[I32, tuple[str, ...]]:
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, tuple(encoded.dictionary.to_pylist())


def _hash_codes(values: U64) -> I32:
    distinct, inverse = np.unique(values, return_inverse=True)
    codes: I32 = inverse.astype(np.int32)
    if len(distinct) and distinct[0] == 0:
        codes -= 1
    return codes


def _pair(a: U64, b: U64) -> I32:
    return _hash_codes(np.where((a | b) == 0, np.uint64(0), (a * np.uint64(0x9E3779B97F4A7C15)) ^ b))


def _matrix(column: pa.ChunkedArray) -> Any:
    flat = column.combine_chunks()
    size = column.type.list_size
    return np.asarray(flat.flatten().to_numpy(zero_copy_only=False)).reshape(-1, size)
