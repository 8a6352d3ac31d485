"""Exchange -> fingerprint, a batch at a time: a fixed row of numbers from which no prompt can be read back.

Every hash is keyed with the installation's key (64 bits): sketches of two installations cannot be compared, and a
dictionary attack needs the key. What is kept of a text: 24 chunk hashes, 4 bands, a 64-byte embedding, frame hashes,
counts. See `SCHEMA` for every column.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from scipy.sparse import csr_array

from revenuer.fingerprint.intent import Intent, IntentModel
from revenuer.fingerprint.model import DIM, StaticModel, load
from revenuer.fingerprint.sketch import BANDS, frame_hash, sketch, whole_hash
from revenuer.fingerprint.text import Vocabulary
from revenuer.records import Exchange

CHUNKS = 24
SYSTEM_CHUNKS = 8
ANSWER_CHUNKS = 16
BATCH_MAX = 4096

FLAG_STREAM, FLAG_LOGPROBS, FLAG_TOOLS, FLAG_FORMAT, FLAG_SAMPLES, FLAG_REASONING = 1, 2, 4, 8, 16, 32


def _list(kind: pa.DataType, size: int) -> pa.DataType:
    return pa.list_(pa.field("item", kind, nullable=False), size)


SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("ts", pa.float64(), nullable=False),
        pa.field("account", pa.string(), nullable=False),
        pa.field("model", pa.string()),
        # Who sent it: keyed hashes, zero where the log has no value.
        ("key_h", pa.uint64()),
        ("ip_h", pa.uint64()),
        ("net_h", pa.uint64()),  # /24 of IPv4, /48 of IPv6
        ("asn", pa.int32()),
        ("ua_h", pa.uint64()),
        ("ja4_h", pa.uint64()),
        # How it was asked.
        ("endpoint_h", pa.uint64()),
        ("params_h", pa.uint64()),
        ("temperature", pa.float32()),
        ("max_tokens", pa.int32()),
        ("flags", pa.uint8()),
        ("turns", pa.int16()),  # user turns in the request
        ("chain_h", pa.uint64()),  # this conversation up to and with the last user turn
        ("parent_h", pa.uint64()),  # the same without the last user turn; zero at a first turn
        # What was asked.
        ("system_h", pa.uint64()),
        ("system_chunks", _list(pa.uint64(), SYSTEM_CHUNKS)),
        ("tokens", pa.int32()),  # of the last user turn
        ("text_h", pa.uint64()),
        ("prefix_h", pa.uint64()),
        ("suffix_h", pa.uint64()),
        ("chunks", _list(pa.uint64(), CHUNKS)),
        ("bands", _list(pa.uint64(), BANDS)),
        ("embedding", _list(pa.int8(), DIM)),
        ("intents", _list(pa.uint8(), len(Intent))),
        # What came back.
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("status", pa.int16()),
        ("latency_ms", pa.float32()),
        ("answer", _list(pa.uint64(), ANSWER_CHUNKS)),
    ]
)


@lru_cache(maxsize=200_000)
def network_of(ip: str) -> str:
    """The /24 of an IPv4 or the /48 of an IPv6 address; the text itself where it is no address."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


class Fingerprinter:
    """Turns batches of exchanges into rows of `SCHEMA`. Holds the vocabulary; not thread-safe.

    Args:
        key: the installation's secret, 64 bits.
        model: the static embedding; the packaged one by default.
    """

    def __init__(self, key: int, model: StaticModel | None = None) -> None:
        if not 0 <= key < 1 << 64:
            raise ValueError("the fingerprint key must be an unsigned 64-bit number")
        self._key = key
        self._words = Vocabulary(model or load(), key)
        cues = {word: xxhash.xxh3_64_intdigest(word.encode(), seed=key) for word in IntentModel.cue_words()}
        self._intents = IntentModel(cues)
        self._params_encoder = msgspec.json.Encoder(order="sorted")
        self._hash = lru_cache(maxsize=200_000)(self._hash_text)

    @staticmethod
    def mark_of(key: int) -> str:
        """A mark that tells whether two keys are the same without giving either away."""
        return xxhash.xxh3_128_hexdigest(b"revenuer fingerprint key", seed=key)

    def _hash_text(self, text: str) -> int:
        return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), seed=self._key) or 1

    def _hashes(self, values: list[str | None]) -> npt.NDArray[np.uint64]:
        return np.array([self._hash(value) if value else 0 for value in values], np.uint64)

    def fingerprint(self, exchanges: Sequence[Exchange]) -> pa.Table:
        """Rows of `SCHEMA`, one an exchange, in the order given."""
        parts = [self._batch(exchanges[at : at + BATCH_MAX]) for at in range(0, len(exchanges), BATCH_MAX)]
        return pa.concat_tables(parts) if parts else SCHEMA.empty_table()

    def _batch(self, exchanges: Sequence[Exchange]) -> pa.Table:
        count = len(exchanges)
        users: list[str] = []
        systems: list[str] = []
        turns = np.zeros(count, np.int16)
        chain = np.zeros(count, np.uint64)
        parent = np.zeros(count, np.uint64)
        for row, exchange in enumerate(exchanges):
            last, system, number, here, before = self._turns(exchange)
            users.append(last)
            systems.append(system)
            turns[row], chain[row], parent[row] = number, here, before

        columns: dict[str, pa.Array] = {
            "id": pa.array([e.id for e in exchanges], pa.string()),
            "ts": pa.array(np.array([e.ts for e in exchanges], np.float64)),
            "account": pa.array([e.account for e in exchanges], pa.string()),
            "model": pa.array([e.model for e in exchanges], pa.string()),
            "key_h": self._hashes([e.key for e in exchanges]),
            "ip_h": self._hashes([e.ip for e in exchanges]),
            "net_h": self._hashes([network_of(e.ip) if e.ip else None for e in exchanges]),
            "asn": np.array([e.asn or 0 for e in exchanges], np.int64).astype(np.int32),
            "ua_h": self._hashes([e.user_agent for e in exchanges]),
            "ja4_h": self._hashes([e.ja4 for e in exchanges]),
            "endpoint_h": self._hashes([e.endpoint for e in exchanges]),
            "turns": turns,
            "chain_h": chain,
            "parent_h": parent,
        }
        columns |= self._parameters(exchanges)
        columns |= self._texts(users, systems)
        columns |= self._answers(exchanges)
        return pa.table([_column(columns[name], field.type) for name, field in _fields()], schema=SCHEMA)

    def _turns(self, exchange: Exchange) -> tuple[str, str, int, int, int]:
        system = ""
        last = ""
        number = 0
        here = before = 0
        for message in exchange.messages:
            if message.role in ("system", "developer"):
                system = f"{system}\n{message.content}" if system else message.content
            elif message.role == "user":
                number += 1
                last = message.content
                before = here
                here = xxhash.xxh3_64_intdigest(last.encode("utf-8", "surrogatepass"), seed=here ^ self._key) or 1
        return last, system, min(number, 32_767), here, before

    def _parameters(self, exchanges: Sequence[Exchange]) -> dict[str, npt.NDArray[np.generic]]:
        nan = float("nan")
        encode = self._params_encoder.encode
        flags = [
            (FLAG_STREAM if p.stream else 0)
            | (FLAG_LOGPROBS if p.logprobs else 0)
            | (FLAG_TOOLS if p.tools else 0)
            | (FLAG_FORMAT if p.response_format else 0)
            | (FLAG_SAMPLES if (p.n or 1) > 1 else 0)
            | (FLAG_REASONING if p.reasoning_effort else 0)
            for p in (e.params for e in exchanges)
        ]
        return {
            "params_h": self._hashes([encode(e.params).decode() for e in exchanges]),
            "temperature": np.array([nan if e.params.temperature is None else e.params.temperature for e in exchanges]),
            "max_tokens": _ints([e.params.max_tokens for e in exchanges]),
            "flags": np.array(flags, np.uint8),
            "prompt_tokens": _ints([e.usage.prompt_tokens for e in exchanges]),
            "completion_tokens": _ints([e.usage.completion_tokens for e in exchanges]),
            "status": np.clip(_ints([e.status for e in exchanges]), -1, 999),
            "latency_ms": np.array([nan if e.latency_ms is None else e.latency_ms for e in exchanges]),
        }

    def _texts(self, users: list[str], systems: list[str]) -> dict[str, npt.NDArray[np.generic]]:
        words = self._words
        # Few system prompts serve many requests, so each distinct one is sketched once.
        distinct = {text: row for row, text in enumerate(dict.fromkeys(systems))}
        row_of = np.array([distinct[text] for text in systems], np.int64)
        folded_system, _ = words.encode(list(distinct))
        system_chunks = sketch(folded_system, words.hashes, SYSTEM_CHUNKS).chunks[row_of]
        system_h = whole_hash(folded_system, words.hashes)[row_of]

        folded, full = words.encode(users)
        sketches = sketch(folded, words.hashes, CHUNKS)
        prefix, suffix = frame_hash(folded, words.hashes)
        return {
            "system_h": system_h,
            "system_chunks": system_chunks,
            "tokens": full.lengths,
            "text_h": whole_hash(full, words.hashes),
            "prefix_h": prefix,
            "suffix_h": suffix,
            "chunks": sketches.chunks,
            "bands": sketches.bands,
            "embedding": _embed(words, full.ids, full.starts),
            "intents": self._intents.shares(full, words.hashes),
        }

    def _answers(self, exchanges: Sequence[Exchange]) -> dict[str, npt.NDArray[np.generic]]:
        out = np.zeros((len(exchanges), ANSWER_CHUNKS), np.uint64)
        rows = [row for row, e in enumerate(exchanges) if e.response.text]
        if rows:
            folded, _ = self._words.encode([exchanges[row].response.text or "" for row in rows])
            out[rows] = sketch(folded, self._words.hashes, ANSWER_CHUNKS).chunks
        return {"answer": out}


def _fields() -> list[tuple[str, pa.Field]]:
    return [(field.name, field) for field in SCHEMA]


def _ints(values: list[int | None]) -> npt.NDArray[np.int64]:
    return np.clip(np.array([-1 if value is None else value for value in values], np.int64), -1, 2**31 - 1)


def _column(values: pa.Array | npt.NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_fixed_size_list(kind):
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    return pa.array(values.astype(kind.to_pandas_dtype(), copy=False), kind)


def _embed(words: Vocabulary, ids: npt.NDArray[np.int32], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """Mean of the piece vectors of each text, scaled to unit length and to -127..127; zero for an empty text."""
    count = len(starts) - 1
    ones = np.ones(len(ids), np.float32)
    sums = csr_array((ones, ids, starts), shape=(count, len(words.vectors))) @ words.vectors
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    unit = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    # A unit vector's 64 entries are about 1/8 in size; x4 uses the range, and the rare entry above is clipped.
    scaled: npt.NDArray[np.int8] = np.clip(np.rint(unit * 254), -127, 127).astype(np.int8)
    return scaled
