"""Rows of every log format, made by hand after each format's documentation, and how the tests write them to files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from hypothesis import strategies as st

from revenuer.ingest import Chunk, read_logs
from revenuer.records import Exchange, Message, Params, Response, Usage

FIXTURES = Path(__file__).parent / "fixtures"
OF_SOURCE = {
    "revenuer": ["revenuer.jsonl"],
    "litellm": ["litellm.jsonl"],
    "otlp": ["otlp_new.jsonl", "otlp_old.jsonl", "otlp_document.json"],
    "openai": ["openai.jsonl"],
    "anthropic": ["anthropic.jsonl"],
    "parquet": [],  # a container: `to_parquet` writes the rows of others into it
}

PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gz": gzip.compress,
    "gz in members": lambda data: b"".join(gzip.compress(data[i : i + 700]) for i in range(0, len(data), 700)),
    "zst": zstandard.compress,
    "zst in frames": lambda data: b"".join(zstandard.compress(data[i : i + 700]) for i in range(0, len(data), 700)),
}


def chunks(*paths: Path | str, **options: object) -> list[Chunk]:
    return list(read_logs([str(path) for path in paths], **options))  # type: ignore[arg-type]


def exchanges(*paths: Path | str, **options: object) -> list[Exchange]:
    """All exchanges of files in which every row must be good."""
    found = chunks(*paths, **options)
    assert [row for chunk in found for row in chunk.rejected] == []
    return [exchange for chunk in found for exchange in chunk.exchanges]


def reasons(*paths: Path | str, **options: object) -> list[str]:
    return [f"{row.line}: {row.reason}" for chunk in chunks(*paths, **options) for row in chunk.rejected]


def line(exchange: Exchange) -> bytes:
    return msgspec.json.encode(exchange) + b"\n"


def simple(number: int, **changes: object) -> Exchange:
    made = Exchange(
        id=f"ex-{number}", ts=1767225600.0 + number, account=f"acct-{number % 3}", messages=(Message("user", "hi"),)
    )
    return msgspec.structs.replace(made, **changes)


def to_parquet(path: Path, rows: list[dict[str, object]], **options: object) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_name = _text.filter(lambda text: bool(text) and not text.isspace())
_count = st.none() | st.integers(0, 2**53)
_real = st.none() | st.floats(allow_nan=False, allow_infinity=False)

ANY_EXCHANGE = st.builds(
    Exchange,
    id=_name,
    ts=st.floats(0, 1e11, exclude_max=True),
    account=_name,
    messages=st.lists(st.builds(Message, _name, _text), min_size=1, max_size=4).map(tuple),
    org=st.none() | _text,
    key=st.none() | _text,
    ip=st.none() | _text,
    asn=st.none() | st.integers(0, 2**32 - 1),
    user_agent=st.none() | _text,
    ja4=st.none() | _text,
    endpoint=st.none() | _text,
    model=st.none() | _text,
    params=st.builds(
        Params,
        _real,
        _real,
        _count,
        _count,
        *[st.none() | st.booleans()] * 2,
        st.none() | _text,
        st.none() | _text,
        _count,
    ),
    response=st.builds(Response, st.none() | _text, st.none() | _text),
    usage=st.builds(Usage, _count, _count, _count, _count),
    status=st.none() | st.integers(0, 999),
    latency_ms=st.none() | st.floats(0, allow_infinity=False, allow_nan=False),
)
