"""What one field alone tells about an account: the measure behind the test that the range does not separate itself."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from revenuer.lab.range.make import TruthAccount
from revenuer.records import Account, Exchange

Floats = NDArray[np.float64]
T = TypeVar("T")
Fields = dict[str, Floats]

SHARED = ("payment_sharing", "address_sharing", "block_sharing")
"""The fields in which careless campaigns may show: accounts on the same payment instrument, address, or /24."""


def exchanges(path: Path) -> Iterator[Exchange]:
    """Every exchange of a zstandard log."""
    decoder = msgspec.json.Decoder(Exchange)
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as packed:
        for line in io.BufferedReader(packed):
            yield decoder.decode(line)


def lines(path: Path, kind: type[T]) -> list[T]:
    """Every row of a JSONL file."""
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]


def block(ip: str) -> str:
    """The /24 (or /64) of an address."""
    return ip.rsplit(":", 2)[0] if ":" in ip else ip.rsplit(".", 1)[0]


def fields(folder: Path) -> tuple[Fields, dict[str, list[str]], NDArray[np.bool_]]:
    """(numeric fields, categorical fields, is campaign), one entry per account that is not authorised."""
    truth = [t for t in lines(folder / "truth_accounts.jsonl", TruthAccount) if not t.authorised]
    books = {a.account: a for a in lines(folder / "accounts.jsonl", Account)}
    per: dict[str, list[Exchange]] = defaultdict(list)
    start = None
    for e in exchanges(folder / "exchanges.jsonl.zst"):
        start = e.ts if start is None else start
        per[e.account].append(e)
    users_of: dict[str, dict[str, set[str]]] = {
        k: defaultdict(set) for k in ("ip", "block", "user_agent", "ja4", "key")
    }
    for account, sent in per.items():
        for e in sent:
            users_of["ip"][e.ip or ""].add(account)
            users_of["block"][block(e.ip or "")].add(account)
            users_of["user_agent"][e.user_agent or ""].add(account)
            users_of["ja4"][e.ja4 or ""].add(account)
            users_of["key"][e.key or ""].add(account)
    books_of = {
        k: Counter(getattr(a, k) for a in books.values())
        for k in ("payment", "org", "email_domain", "name", "country", "plan")
    }
    signups = np.sort([a.created_at or 0.0 for a in books.values()])
    numeric: dict[str, list[float]] = defaultdict(list)
    categorical: dict[str, list[str]] = defaultdict(list)
    for t in truth:
        sent, a = per[t.account], books[t.account]
        for name, value in _numbers(sent, start or 0.0).items():
            numeric[name].append(value)
        numeric["payment_sharing"].append(books_of["payment"][a.payment])
        numeric["org_sharing"].append(books_of["org"][a.org])
        numeric["email_domain_sharing"].append(books_of["email_domain"][a.email_domain])
        numeric["name_sharing"].append(books_of["name"][a.name])
        numeric["address_sharing"].append(max((len(users_of["ip"][e.ip or ""]) for e in sent), default=0))
        numeric["block_sharing"].append(max((len(users_of["block"][block(e.ip or "")]) for e in sent), default=0))
        numeric["user_agent_sharing"].append(
            max((len(users_of["user_agent"][e.user_agent or ""]) for e in sent), default=0)
        )
        numeric["ja4_sharing"].append(max((len(users_of["ja4"][e.ja4 or ""]) for e in sent), default=0))
        created = a.created_at or 0.0
        numeric["age_days"].append(((start or 0.0) - created) / 86_400)
        numeric["idle_before_first_use"].append((sent[0].ts - created) / 86_400 if sent else 0.0)
        for hours in (1, 24):
            low, high = np.searchsorted(signups, (created - hours * 3600, created + hours * 3600))
            numeric[f"signups_within_{hours}h"].append(float(high - low))
        for name in ("country", "plan", "email_domain"):
            categorical[name].append(str(getattr(a, name)))
        for name in ("user_agent", "model", "endpoint", "asn", "ja4"):
            categorical[name].append(str(Counter(getattr(e, name) for e in sent).most_common(1)[0][0]) if sent else "")
    campaign = np.array([t.role == "campaign" for t in truth])
    return {k: np.array(v, float) for k, v in numeric.items()}, dict(categorical), campaign


def _numbers(sent: list[Exchange], start: float) -> dict[str, float]:
    n = max(1, len(sent))
    times = np.array([e.ts for e in sent])
    gaps = np.diff(times)
    hours = Counter(int(e.ts // 3600) % 24 for e in sent)
    shares = np.array([c / n for c in hours.values()])
    lengths = np.array([len(e.messages[-1].content) for e in sent])
    prompt = np.array([e.usage.prompt_tokens or 0 for e in sent])
    completion = np.array([e.usage.completion_tokens or 0 for e in sent])
    systems = [e.messages[0].content for e in sent if e.messages[0].role == "system"]
    active = np.array(sorted(hours))
    longest_rest = float(np.max(np.diff(np.concatenate((active, active[:1] + 24))))) if len(active) else 24.0

    def mean(values: list[float | None]) -> float:
        known = [v for v in values if v is not None]
        return float(np.mean(known)) if known else -1.0

    def share(flags: list[bool]) -> float:
        return sum(flags) / n

    return {
        "volume": n,
        "days_active": len({int(t // 86_400) for t in times}),
        "volume_per_active_day": n / max(1, len({int(t // 86_400) for t in times})),
        "first_seen": (times[0] - start) / 86_400 if len(times) else 0.0,
        "last_seen": (times[-1] - start) / 86_400 if len(times) else 0.0,
        "first_day_share": share([t < times[0] + 86_400 for t in times]),
        "gap_median": float(np.median(gaps)) if len(gaps) else 0.0,
        "gap_cv": float(gaps.std() / (gaps.mean() + 1e-9)) if len(gaps) else 0.0,
        "gap_min": float(gaps.min()) if len(gaps) else 0.0,
        "hour_entropy": float(-(shares * np.log(shares)).sum()),
        "active_hours": len(hours),
        "longest_rest": longest_rest,
        "night_share": share([int(e.ts // 3600) % 24 < 6 for e in sent]),
        "weekend_share": share([(int(e.ts // 86_400) + 3) % 7 >= 5 for e in sent]),
        "addresses": len({e.ip for e in sent}),
        "address_rate": len({e.ip for e in sent}) / n,
        "networks": len({e.asn for e in sent}),
        "agents": len({e.user_agent for e in sent}),
        "tls_clients": len({e.ja4 for e in sent}),
        "keys": len({e.key for e in sent}),
        "models": len({e.model for e in sent}),
        "new_model_share": share([e.model == "sol-5" for e in sent]),
        "system_share": len(systems) / n,
        "system_distinct": len(set(systems)) / n,
        "system_length": float(np.mean([len(s) for s in systems])) if systems else 0.0,
        "prompt_length": float(lengths.mean()),
        "prompt_length_spread": float(lengths.std() / (lengths.mean() + 1e-9)),
        "turns": float(np.mean([len(e.messages) for e in sent])),
        "single_turn_share": share([sum(m.role == "user" for m in e.messages) == 1 for e in sent]),
        "prompt_tokens": float(prompt.mean()),
        "completion_tokens": float(completion.mean()),
        "completion_spread": float(completion.std() / (completion.mean() + 1e-9)),
        "out_to_in": float(completion.sum() / max(1, prompt.sum())),
        "reasoning_tokens": float(np.mean([e.usage.reasoning_tokens or 0 for e in sent])),
        "cached_share": share([e.usage.cached_tokens is not None for e in sent]),
        "temperature": mean([e.params.temperature for e in sent]),
        "temperature_set": share([e.params.temperature is not None for e in sent]),
        "top_p": mean([e.params.top_p for e in sent]),
        "max_tokens": mean([e.params.max_tokens for e in sent]),
        "choices": mean([e.params.n for e in sent]),
        "stream_share": share([bool(e.params.stream) for e in sent]),
        "logprobs_share": share([bool(e.params.logprobs) for e in sent]),
        "effort_share": share([e.params.reasoning_effort is not None for e in sent]),
        "format_share": share([e.params.response_format is not None for e in sent]),
        "tools": mean([e.params.tools for e in sent]),
        "error_share": share([e.status != 200 for e in sent]),
        "refused_share": share([e.status == 403 for e in sent]),
        "limited_share": share([e.status == 429 for e in sent]),
        "latency": float(np.mean([e.latency_ms or 0 for e in sent])),
        "length_stop_share": share([e.response.finish_reason == "length" for e in sent]),
        "ascii_share": float(np.mean([e.messages[-1].content[:200].isascii() for e in sent])),
    }


def recall_at(scores: Floats, campaign: NDArray[np.bool_], rate: float = 0.01) -> float:
    """Share of campaign accounts above the threshold that at most `rate` of the others reach; ties count against."""
    benign = np.sort(scores[~campaign])[::-1]
    return float((scores[campaign] > benign[int(rate * len(benign))]).mean())


def leak_table(train: Path, test: Path) -> dict[str, float]:
    """Recall at 1 % false alarms of a depth-3 tree on each field alone, fitted on one range and scored on another."""
    number_a, label_a, y_a = fields(train)
    number_b, label_b, y_b = fields(test)
    table = {}
    for name, x in number_a.items():
        tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=0).fit(x[:, None], y_a)
        table[name] = recall_at(tree.predict_proba(number_b[name][:, None])[:, 1], y_b)
    for name, values in label_a.items():
        hits, total = Counter(v for v, y in zip(values, y_a, strict=True) if y), Counter(values)
        rate = {v: (hits[v] + 0.1) / (total[v] + 1) for v in total}
        base = float(y_a.mean())
        x_a = np.array([rate[v] for v in values])
        x_b = np.array([rate.get(v, base) for v in label_b[name]])
        tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=0).fit(x_a[:, None], y_a)
        table[name] = recall_at(tree.predict_proba(x_b[:, None])[:, 1], y_b)
    return table
