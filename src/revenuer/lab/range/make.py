"""Makes a range: plans operators, plays each account, and writes the log in time order with its truth beside it.

Exchanges are written once, unordered, to a spill file, and copied from there in time order, so memory holds only an
index (about 32 bytes an exchange) and one account's schedule.
"""

from __future__ import annotations

import gzip
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from revenuer import __version__
from revenuer.lab.range.benign import CLASSES
from revenuer.lab.range.campaigns import SHAPES, draw_campaigns
from revenuer.lab.range.config import LogFormat, RangeConfig
from revenuer.lab.range.infra import NEW_MODEL, REASONING, Address, digest
from revenuer.lab.range.plan import Plan, Stream, World
from revenuer.lab.range.pool import PromptPool
from revenuer.lab.range.timing import Traces
from revenuer.lab.range.workloads import Ask, Material
from revenuer.records import Exchange, Message, Response, Usage

RANGE_VERSION = 1

Progress = Callable[[str, int, int], None]
"""Called with (what, done, of)."""


class TruthAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account really is. `cls` is the benign class or the campaign's shape."""

    account: str
    role: str
    cls: str
    campaign: str | None
    operator: str
    authorised: bool


class RangeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was made; also written as `range.json`."""

    version: int
    revenuer: str
    config: RangeConfig
    log: str
    exchanges: int
    harvest: int
    """Exchanges that belong to campaigns."""
    accounts: int
    campaign_accounts: int
    classes: dict[str, int]
    """Accounts per benign class."""
    class_exchanges: dict[str, int]
    """Exchanges per benign class or campaign shape, side uses included."""
    shapes: dict[str, int]
    """Accounts per campaign shape."""
    campaigns: int
    sources: dict[str, int]
    """Rows per prompt source at hand."""
    first_ts: float
    last_ts: float


def make_range(
    config: RangeConfig,
    prompts: PromptPool,
    out: Path,
    *,
    traces: Traces | None = None,
    progress: Progress = lambda *_: None,
) -> RangeSummary:
    """Write a range into the folder `out`, made if need be. Same arguments, same bytes.

    Files: `exchanges.<format>`, `accounts.jsonl`, `truth_accounts.jsonl`, `truth_exchanges.parquet`, `range.json`.
    Raises `ValueError` for names of classes or shapes that do not exist.
    """
    out.mkdir(parents=True, exist_ok=True)
    world = World(config, Material(prompts, config.fold), traces or Traces())
    plans = _plans(world)
    order = Random(f"{config.seed}/order")
    order.shuffle(plans)
    spill_path = out / ".spill"
    index = _Index()
    campaigns: list[str | None] = []
    counts: Counter[str] = Counter()
    ids = config.seed
    try:
        with spill_path.open("wb", buffering=1 << 20) as spill:
            for number, one in enumerate(plans):
                before = len(index)
                _play(world, one, number, ids, spill, index, campaigns)
                counts[one.cls] += len(index) - before
                if number % 50 == 0:
                    progress("playing accounts", number, len(plans))
        ranks = index.order()
        log = out / f"exchanges.{config.log_format}"
        with spill_path.open("rb") as handle:
            lines = (os.pread(handle.fileno(), index.size[i], index.at[i]) for i in ranks)
            _write_log(log, config.log_format, lines, len(ranks), progress)
    finally:
        spill_path.unlink(missing_ok=True)
    accounts = sorted((plans[i] for i in set(index.plan)), key=lambda p: p.account.account)
    _write_lines(out / "accounts.jsonl", (p.account for p in accounts))
    _write_lines(
        out / "truth_accounts.jsonl",
        (
            TruthAccount(
                account=p.account.account,
                role=p.role,
                cls=p.cls,
                campaign=p.campaign,
                operator=p.operator,
                authorised=bool(p.account.authorised),
            )
            for p in accounts
        ),
    )
    ranked = [int(i) for i in ranks]
    table = pa.table(
        {
            "id": [exchange_id(ids, i) for i in ranked],
            "campaign": pa.array([campaigns[i] for i in ranked], pa.string()),
            "ts": pa.array([index.ts[i] for i in ranked], pa.float64()),
            "account": pa.array([plans[index.plan[i]].account.account for i in ranked], pa.string()),
        }
    )
    pq.write_table(table, out / "truth_exchanges.parquet", compression="zstd")
    summary = RangeSummary(
        version=RANGE_VERSION,
        revenuer=__version__,
        config=config,
        log=log.name,
        exchanges=len(index),
        harvest=sum(c is not None for c in campaigns),
        accounts=len(accounts),
        campaign_accounts=sum(p.role == "campaign" for p in accounts),
        classes=dict(sorted(Counter(p.cls for p in accounts if p.role == "benign").items())),
        class_exchanges=dict(sorted(counts.items())),
        shapes=dict(sorted(Counter(p.cls for p in accounts if p.role == "campaign").items())),
        campaigns=len({p.campaign for p in accounts if p.campaign}),
        sources={f"{s.role}__{s.name}": len(s.rows) for s in prompts.sources},
        first_ts=index.ts[ranked[0]],
        last_ts=index.ts[ranked[-1]],
    )
    (out / "range.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    return summary


def exchange_id(seed: int, number: int) -> str:
    """Opaque id of the number-th exchange made; says nothing of its class or time."""
    return f"x{digest('exchange', seed, number):016x}"


class _Index:
    """Where each exchange lies in the spill file."""

    def __init__(self) -> None:
        self.ts, self.at, self.size, self.plan = array("d"), array("q"), array("l"), array("l")
        self._end = 0

    def __len__(self) -> int:
        return len(self.ts)

    def add(self, ts: float, size: int, plan: int) -> None:
        self.ts.append(ts)
        self.at.append(self._end)
        self.size.append(size)
        self.plan.append(plan)
        self._end += size

    def order(self) -> Any:
        return np.argsort(np.frombuffer(self.ts), kind="stable")


def _plans(world: World) -> list[Plan]:
    config = world.config
    campaigns: list[Plan] = []
    for draw in draw_campaigns(world, Random(f"{config.seed}/campaigns")):
        rng = Random(f"{config.seed}/campaign/{draw.campaign}")
        campaigns += SHAPES[draw.shape](world, rng, draw.size, draw.per_account, draw.campaign)
    spent = sum(s.volume for p in campaigns for s in p.streams)
    names = config.classes or tuple(CLASSES)
    for name in names:
        if name not in CLASSES:
            raise ValueError(f"no benign class named {name!r}; there are {', '.join(CLASSES)}")
    room = max(len(names), config.account_target - len(campaigns))
    share = sum(CLASSES[n].share for n in names)
    benign: list[Plan] = []
    for name in names:
        budget, made, number = room * CLASSES[name].share / share, 0, 0
        while made < budget:
            plans = CLASSES[name].make(world, Random(f"{config.seed}/benign/{name}/{number}"))
            number += 1
            if made and made + len(plans) > budget * 1.25 + 3:
                break
            made += len(plans)
            benign += plans
    total = sum(s.volume for p in benign for s in p.streams)
    scale = max(0.05 * config.exchanges, config.exchanges - spent) / total
    for p in benign:
        for s in p.streams:
            s.volume *= scale
    return campaigns + benign


def _play(
    world: World, one: Plan, number: int, seed: int, spill: BinaryIO, index: _Index, campaigns: list[str | None]
) -> None:
    """Everything one account sends."""
    rng = Random(f"{world.config.seed}/play/{number}")
    gen = np.random.default_rng(digest(world.config.seed, "times", number))
    opened = one.account.created_at or world.start
    events: list[tuple[float, int, int]] = []
    for k, stream in enumerate(one.streams):
        start, end = stream.window or (world.start, world.end)
        start = max(start, min(opened, end - 3600))
        whole = int(stream.volume)
        n = max(1, whole + (rng.random() < stream.volume - whole))
        times, sessions = stream.pattern.times(gen, n, start, end)
        events += zip(times.tolist(), [k] * len(times), sessions.tolist(), strict=True)
    events.sort()
    encode = msgspec.json.Encoder().encode
    account, org = one.account.account, one.account.org
    refused = 0
    for ts, k, session in events:
        stream = one.streams[k]
        if stream.banned_at is not None and ts >= stream.banned_at:
            refused += 1
            if refused > 6:
                continue
        request = stream.workload.next(rng, session * 64 + k)
        where = stream.addresses.pick(rng, session * 64 + k)
        model = stream.client.model
        if ts >= stream.client.new_model_from and rng.random() < stream.client.new_share:
            model = NEW_MODEL
        status = _status(rng, stream, ts)
        for attempt in range(4):
            exchange = _exchange(
                rng, exchange_id(seed, len(index)), ts, account, org, stream, where, model, request, status
            )
            line = encode(exchange)
            spill.write(line)
            index.add(exchange.ts, len(line), number)
            campaigns.append(stream.campaign)
            if status in {200, 400, 403}:
                break
            ts = min(world.end - 0.001, ts + rng.uniform(0.5, 1.5) * 2**attempt * 1.2)
            status = _status(rng, stream, ts) if rng.random() < 0.6 else 200


def _status(rng: Random, stream: Stream, ts: float) -> int:
    if stream.banned_at is not None and ts >= stream.banned_at:
        return 403
    if rng.random() >= stream.client.error_rate:
        return 200
    return rng.choice((429, 429, 429, 500, 503, 400, 529, 403))


def _exchange(
    rng: Random,
    ident: str,
    ts: float,
    account: str,
    org: str | None,
    stream: Stream,
    where: Address,
    model: str,
    request: Ask,
    status: int,
) -> Exchange:
    one = stream.client
    characters = sum(len(content) for _, content in request.messages)
    prompt = max(1, int(characters / 4.1) + 3 * len(request.messages))
    ok = status == 200
    completion = reasoning = 0
    finish = None
    latency = rng.uniform(20, 300)
    if ok:
        completion = max(1, int(request.answer_tokens * rng.lognormvariate(0, 0.55)))
        finish = "tool_calls" if one.params.tools and rng.random() < 0.4 else "stop"
        if one.params.max_tokens is not None and completion >= one.params.max_tokens:
            completion, finish = one.params.max_tokens, "length"
        if model in REASONING:
            reasoning = int(completion * one.thinking * rng.lognormvariate(0, 0.6))
        completion *= one.params.n or 1
        latency = (
            250
            + (completion + reasoning) * rng.uniform(6, 22) * (0.5 if "mini" in model or "nano" in model else 1.0)
            + prompt * 0.05
        )
    cached = prompt // 128 * 128 if prompt > 1100 and rng.random() < 0.5 else None
    return Exchange(
        id=ident,
        ts=round(ts, 3),
        org=org,
        account=account,
        key=one.key,
        ip=where[0],
        asn=where[1],
        user_agent=one.user_agent if ts < one.upgraded_at else one.upgraded_agent,
        ja4=one.ja4,
        endpoint=one.endpoint,
        model=model,
        params=one.params,
        messages=tuple(Message(role, content) for role, content in request.messages),
        response=Response(finish_reason=finish) if ok else Response(),
        usage=Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            reasoning_tokens=reasoning or None,
            cached_tokens=cached,
        )
        if ok
        else Usage(),
        status=status,
        latency_ms=round(latency, 1),
    )


def _write_lines(path: Path, records: Iterator[Any]) -> None:
    with path.open("wb") as file:
        for record in records:
            file.write(msgspec.json.encode(record) + b"\n")


@contextmanager
def _opened(path: Path, how: LogFormat) -> Iterator[Any]:
    if how is LogFormat.ZST:
        with path.open("wb") as file, zstandard.ZstdCompressor(level=6).stream_writer(file) as packed:
            yield packed
    elif how is LogFormat.GZ:
        with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            yield packed
    else:
        with path.open("wb") as file:
            yield file


def _write_log(path: Path, how: LogFormat, lines: Iterator[bytes], total: int, progress: Progress) -> None:
    if how is LogFormat.PARQUET:
        _write_parquet(path, lines, total, progress)
        return
    with _opened(path, how) as file:
        for number, line in enumerate(lines):
            file.write(line + b"\n")
            if number % 5000 == 0:
                progress("writing the log", number, total)


_TEXT, _INT, _REAL, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_PARAMS = {"temperature": _REAL, "top_p": _REAL, "max_tokens": _INT, "n": _INT, "stream": _FLAG, "logprobs": _FLAG}
_CHOICES = {"reasoning_effort": _TEXT, "response_format": _TEXT, "tools": _INT}
_USAGE = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")
PARQUET_SCHEMA = pa.schema(
    {
        "id": _TEXT,
        "ts": _REAL,
        **dict.fromkeys(("org", "account", "key", "ip"), _TEXT),
        "asn": _INT,
        **dict.fromkeys(("user_agent", "ja4", "endpoint", "model"), _TEXT),
        "params": pa.struct({**_PARAMS, **_CHOICES}),
        "messages": pa.list_(pa.struct({"role": _TEXT, "content": _TEXT})),
        "response": pa.struct({"text": _TEXT, "finish_reason": _TEXT}),
        "usage": pa.struct(dict.fromkeys(_USAGE, _INT)),
        "status": _INT,
        "latency_ms": _REAL,
    }
)
"""Columns of a Parquet log."""


def _write_parquet(path: Path, lines: Iterator[bytes], total: int, progress: Progress) -> None:
    with pq.ParquetWriter(path, PARQUET_SCHEMA, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for number, line in enumerate(lines):
            batch.append(msgspec.json.decode(line))
            if len(batch) == 5000:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, PARQUET_SCHEMA))
                batch = []
                progress("writing the log", number, total)
        if batch:
            writer.write_batch(pa.RecordBatch.from_pylist(batch, PARQUET_SCHEMA))
