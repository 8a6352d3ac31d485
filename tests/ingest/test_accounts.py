from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.recorded import to_parquet

from revenuer.ingest import IngestError, read_accounts
from revenuer.records import Account, RejectedRow

FULL: dict[str, Any] = {
    "account": "acct-1",
    "org": "Acme, Inc.",
    "created_at": "2026-01-01T00:00:00Z",
    "plan": "pro",
    "payment": "fp-9",
    "email_domain": "acme.example",
    "country": "SE",
    "name": "Acme AB",
    "authorised": ["distillation:model-x", "evaluation"],
}
EXPECTED = {
    "acct-1": Account(**{**FULL, "created_at": 1767225600.0, "authorised": tuple(FULL["authorised"])}),
    "acct-2": Account(account="acct-2"),
}
JSONL = json.dumps(FULL) + "\n\n" + json.dumps({"account": "acct-2", "plan": None, "later_field": 1}) + "\n"
CSV = """account,org,created_at,plan,payment,email_domain,country,name,authorised
acct-1,"Acme, Inc.",1767225600,pro,fp-9,acme.example,SE,Acme AB,distillation:model-x; evaluation
acct-2,,,,,,,,
"""


def read(path: Path) -> tuple[dict[str, Account], list[str]]:
    rejected: list[RejectedRow] = []
    accounts = read_accounts(path, rejected)
    return accounts, [f"{row.line}: {row.reason}" for row in rejected]


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("text", [JSONL, CSV, json.dumps([FULL, {"account": "acct-2"}]), "\ufeff" + CSV])
def test_every_shape_reads_the_same(tmp_path: Path, text: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "accounts").write_bytes(pack(text.encode()))
    assert read(tmp_path / "accounts") == (EXPECTED, [])


def test_parquet(tmp_path: Path) -> None:
    rows = [FULL, {**dict.fromkeys(FULL), "account": "acct-2"}]
    assert read(to_parquet(tmp_path / "accounts", rows)) == (EXPECTED, [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"org":"x"}', "account: missing"),
        ('{"account":" "}', "account: empty"),
        ('{"account":5}', "account: expected text, got a number"),
        ('{"account":"b","created_at":-1}', "created_at: negative"),
        ('{"account":"b","created_at":"2026-01-01"}', "created_at: '2026-01-01' is not an RFC 3339 time"),
        ('{"account":"b","authorised":"yes"}', "not valid JSON: "),
        ('{"account":"b","authorised":{}}', "authorised: expected a list, got an object"),
        ('{"account":"b","authorised":[1]}', "authorised: expected texts, got a number"),
        ('{"account":"a"}', "account: 'a' is in line 1 already"),
        ("nonsense", "not valid JSON: "),
    ],
)
def test_bad_rows_are_reported_and_the_rest_read(tmp_path: Path, row: str, reason: str) -> None:
    (tmp_path / "accounts").write_text(f'{{"account":"a"}}\n{row}\n{{"account":"z"}}\n')
    accounts, rejected = read(tmp_path / "accounts")
    assert list(accounts) == ["a", "z"]
    assert len(rejected) == 1
    assert rejected[0].startswith(f"2: {reason}")


def test_bad_rows_of_csv(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text('plan,account\npro,a\n,\npro,b,c\n"open,d\n')
    accounts, rejected = read(tmp_path / "accounts")
    assert list(accounts) == ["a"]
    assert [reason.partition(": ")[2].split(":")[0] for reason in rejected] == [
        "account",
        "more than 2 columns",
        "not a row of CSV",
    ]


def test_a_broken_first_line_of_csv(tmp_path: Path) -> None:
    (tmp_path / "accounts").write_text('"account')
    assert read(tmp_path / "accounts") == ({}, ["1: not a row of CSV: unexpected end of data"])


def test_one_file_that_can_be_read_twice(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"no such file"):
        read(tmp_path / "missing")
    with pytest.raises(IngestError, match=r"expected one accounts file"):
        read(Path("-"))
    (tmp_path / "latin").write_bytes("account,name\na,Bjørn\n".encode("latin-1"))
    with pytest.raises(IngestError, match=r"not UTF-8 text"):
        read(tmp_path / "latin")


@given(st.lists(st.sampled_from([b"account", b",", b"\n", b'"', b"[", b"{", b"}", b"PAR1"]) | st.binary(max_size=9)))
def test_no_bytes_whatever_break_it(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "accounts.any"
    path.write_bytes(b"".join(parts))
    with contextlib.suppress(IngestError):
        assert all(isinstance(account, Account) for account in read(path)[0].values())
