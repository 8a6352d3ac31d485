"""Checked conversions shared by every format: JSON objects, times, numbers, text, ids.

Two kinds of reader: `strict_*` raise `RowError` when a value that is present has the wrong type (our own format, and
required fields everywhere); `loose_*` treat such a value as absent, because in foreign logs request parameters are
whatever the client sent, and a strange parameter must not hide the exchange.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import xxhash

from revenuer.ingest.source import RowError
from revenuer.records import Exchange

MAX_TS = 1e11
"""Seconds; year 5138. Anything above is a count of milliseconds or smaller."""
MAX_INT = 2**53

_any = msgspec.json.Decoder()
_exchange = msgspec.json.Encoder(order="sorted")
# RFC 3339, section 5.6, with the space that its note allows between date and time.
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d+)?(?:([Zz])|([+-]\d\d:\d\d))\Z",
    re.ASCII,
)


def object_of(row: bytes) -> dict[str, Any]:
    """The JSON object in `row`. Raises RowError for anything else, including nesting too deep to decode."""
    value = parse(row)
    if not isinstance(value, dict):
        raise RowError(f"expected a JSON object, got {kind_of(value)}")
    return value


def parse(data: bytes | str) -> Any:
    """Any JSON value; half surrogate pairs (an emoji cut in two) become U+FFFD instead of hiding the row."""
    try:
        return _any.decode(data)
    except RecursionError:
        raise RowError("not readable: nested too deeply") from None
    except ValueError as error:
        repaired = _without_lone_surrogates(data)
        if repaired is None:
            raise RowError(f"not valid JSON: {error}") from None
    try:
        return _any.decode(repaired)
    except (ValueError, RecursionError) as error:
        raise RowError(f"not valid JSON: {error}") from None


def _without_lone_surrogates(data: bytes | str) -> bytes | None:
    probe = data.lower()
    if (b"\\ud" if isinstance(probe, bytes) else "\\ud") not in probe:  # type: ignore[operator]
        return None
    try:
        text = json.dumps(json.loads(data, parse_constant=_no_constant), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def kind_of(value: object) -> str:
    """A word for the type of a JSON value, for messages to people."""
    match value:
        case None:
            return "null"
        case bool():
            return "true/false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def strict_text(row: Mapping[str, Any], name: str) -> str | None:
    """Text or None when absent or null."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise RowError(f"{name}: expected text, got {kind_of(value)}")


def required_text(row: Mapping[str, Any], name: str) -> str:
    """Text that is present and not blank."""
    value = strict_text(row, name)
    if value is None:
        raise RowError(f"{name}: missing")
    if not value.strip():
        raise RowError(f"{name}: empty")
    return value


def strict_int(row: Mapping[str, Any], name: str) -> int | None:
    """A whole number (12.0 counts: Parquet writers turn nullable integers into floats) or None."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{name}: expected a whole number, got {kind_of(value)}")
    if abs(value) > MAX_INT or value != int(value):
        raise RowError(f"{name}: expected a whole number, got {value!r}"[:200])
    return int(value)


def strict_float(row: Mapping[str, Any], name: str) -> float | None:
    """A finite number or None."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{name}: expected a number, got {kind_of(value)}")
    return finite(value, name)


def strict_bool(row: Mapping[str, Any], name: str) -> bool | None:
    value = row.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise RowError(f"{name}: expected true or false, got {kind_of(value)}")


def strict_object(row: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """An object, or the JSON text of one (Parquet columns often hold it so), or None."""
    value = row.get(name)
    if isinstance(value, str):
        value = parse(value)
    if value is None or isinstance(value, dict):
        return value
    raise RowError(f"{name}: expected an object, got {kind_of(value)}")


def loose_text(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of `names` that holds text that is not blank; whole numbers (ids) count as text."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def loose_int(row: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` that holds a whole number, or text that is one."""
    for name in names:
        number = _number(row.get(name))
        if number is not None and abs(number) <= MAX_INT and number == int(number):
            return int(number)
    return None


def loose_float(row: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        number = _number(row.get(name))
        if number is not None:
            return float(number)
    return None


def loose_bool(row: Mapping[str, Any], *names: str) -> bool | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, bool):
            return value
    return None


def loose_object(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The first of `names` that holds an object, or the JSON text of one; else an empty object."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.lstrip()[:1] == "{":
            try:
                value = parse(value)
            except RowError:
                continue
        if isinstance(value, dict):
            return value
    return {}


def _number(value: object) -> int | float | None:
    if isinstance(value, str):
        try:
            value = int(value) if len(value) < 20 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        return None
    return value


def _is_finite(value: int | float) -> bool:
    return (isinstance(value, int) and abs(value) <= 2**63) or (isinstance(value, float) and math.isfinite(value))


def finite(value: int | float, name: str) -> float:
    if not _is_finite(value):
        raise RowError(f"{name}: not a finite number")
    return float(value)


def seconds(value: object, name: str) -> float:
    """Epoch seconds (int or float) or an RFC 3339 text with any offset, as UTC epoch seconds."""
    if isinstance(value, str):
        return _rfc3339(value, name)
    if value is None:
        raise RowError(f"{name}: missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{name}: expected seconds or an RFC 3339 time, got {kind_of(value)}")
    number = finite(value, name)
    if number < 0:
        raise RowError(f"{name}: negative")
    if number >= MAX_TS:
        raise RowError(f"{name}: {number:.15g} is too large for seconds (milliseconds?)")
    return number


def any_epoch(value: object, name: str) -> float:
    """As `seconds`, and counts of milli-, micro- or nanoseconds told apart by their size; digits may be text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
        for scale in (1e3, 1e6, 1e9):
            if value < MAX_TS:
                break
            if value < MAX_TS * scale:
                return float(value / scale)
    return seconds(value, name)


def _rfc3339(text: str, name: str) -> float:
    match = _RFC3339.match(text.strip())
    if match is None:
        no_offset = _RFC3339.match(text.strip() + "Z")
        problem = "has no UTC offset" if no_offset else "is not an RFC 3339 time"
        raise RowError(f"{name}: {text[:40]!r} {problem}")
    date, minute, second, fraction, zulu, offset = match.groups()
    leap = second == "60"  # RFC 3339 allows it; the epoch does not count it
    try:
        parsed = datetime.fromisoformat(f"{date}T{minute}:{'59' if leap else second}{'+00:00' if zulu else offset}")
        value = parsed.timestamp() + leap + float(fraction or 0)
    except (ValueError, OverflowError):
        raise RowError(f"{name}: {text[:40]!r} is not a date that exists") from None
    if value < 0:
        raise RowError(f"{name}: before 1970")
    return value


def content_id(exchange: Exchange) -> str:
    """A stable id for an exchange whose log gives none: 128 bits of xxh3 over its content."""
    return "x" + xxhash.xxh3_128_hexdigest(_exchange.encode(exchange))


def checked(exchange: Exchange) -> Exchange:
    """`exchange` itself once its values are within range; raises RowError naming the field otherwise."""
    if not exchange.id or exchange.id.isspace():
        raise RowError("id: empty")
    if not exchange.account or exchange.account.isspace():
        raise RowError("account: empty")
    if not 0 <= exchange.ts < MAX_TS:
        seconds(exchange.ts, "ts")
    if not exchange.messages:
        raise RowError("messages: empty list")
    for number, message in enumerate(exchange.messages):
        if not message.role:
            raise RowError(f"messages[{number}].role: empty")
    if exchange.status is not None and not 0 <= exchange.status <= 999:
        raise RowError(f"status: {exchange.status} is not an HTTP status"[:200])
    if exchange.asn is not None and not 0 <= exchange.asn < 2**32:
        raise RowError("asn: not between 0 and 4294967295")
    if exchange.latency_ms is not None and exchange.latency_ms < 0:
        raise RowError("latency_ms: negative")
    usage = exchange.usage
    for name, count in (
        ("usage.prompt_tokens", usage.prompt_tokens),
        ("usage.completion_tokens", usage.completion_tokens),
        ("usage.reasoning_tokens", usage.reasoning_tokens),
        ("usage.cached_tokens", usage.cached_tokens),
        ("params.tools", exchange.params.tools),
    ):
        if count is not None and not 0 <= count <= MAX_INT:
            raise RowError(f"{name}: negative or too large")
    for name, count in (("params.max_tokens", exchange.params.max_tokens), ("params.n", exchange.params.n)):
        if count is not None and not -MAX_INT <= count <= MAX_INT:
            raise RowError(f"{name}: too large")
    return exchange


def text_or_first(value: object) -> str | None:
    """Text, or the first text of a list of texts."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = next((item for item in value if isinstance(item, str)), None)
    return value if isinstance(value, str) and value else None
