"""The accounts file: what the provider's books say, one row an account (JSON lines, Parquet or CSV)."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from revenuer.ingest.files import STDIN, LogFile, Stream, codec_of, find_files
from revenuer.ingest.parquet import MAGIC, parquet_rows
from revenuer.ingest.rows import is_document, line_rows, load_document
from revenuer.ingest.source import MAX_ROW_BYTES, IngestError, RowError
from revenuer.ingest.values import kind_of, object_of, parse, required_text, seconds, strict_text
from revenuer.records import Account, RejectedRow

_FIELDS = frozenset(field.name for field in msgspec.structs.fields(Account))
_SHOWN = 2000


def read_accounts(path: str | Path, rejected: list[RejectedRow]) -> dict[str, Account]:
    """Every account in the file, by its name; rows that cannot be read, or that name an account again, are appended
    to `rejected`.

    JSON lines, a JSON list, Parquet or CSV (first line: names of the columns), plain, gzip or zstd, told by content.
    In CSV the permitted uses are separated by `;`. Raises IngestError when the file cannot be opened or is no such
    table at all.
    """
    files = find_files([path])
    if len(files) != 1 or files[0].key == STDIN:
        raise IngestError(f"{path}: expected one accounts file")
    accounts: dict[str, Account] = {}
    lines: dict[str, int] = {}
    for row, data in _rows(files[0]):
        try:
            if isinstance(data, RowError):
                raise data
            account = _account(object_of(data) if isinstance(data, bytes) else data)
            if account.account in accounts:
                raise RowError(f"account: {account.account!r} is in line {lines[account.account]} already"[:300])
        except RowError as error:
            rejected.append(RejectedRow(file=files[0].name, line=row, reason=str(error), row=_shown(data)))
            continue
        accounts[account.account] = account
        lines[account.account] = row
    return accounts


def _shown(data: bytes | RowError | Mapping[str, Any]) -> str:
    if isinstance(data, RowError):
        return ""
    text = data if isinstance(data, bytes) else msgspec.json.encode(data)
    return text[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]


def _rows(file: LogFile) -> Iterator[tuple[int, bytes | RowError | Mapping[str, Any]]]:
    with file.open() as raw:
        head = raw.read(65536)
        if head.startswith(MAGIC):
            yield from parquet_rows(file.key, columns=_FIELDS)
            return
        stream = Stream(raw, head, codec_of(head))
        first = stream.peek(65536)
        if is_document(first):
            try:
                yield from enumerate(load_document(stream), start=1)
            except RowError as error:
                yield 1, error
        elif _is_csv(first):
            yield from _csv_rows(stream, file.name)
        else:
            for row, data, _ in line_rows(stream, 0, 0, MAX_ROW_BYTES):
                yield row, data


def _is_csv(head: bytes) -> bool:
    names = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].strip().split(b",")
    return b"account" in (name.strip(b' "') for name in names)


def _csv_rows(stream: Stream, name: str) -> Iterator[tuple[int, RowError | Mapping[str, Any]]]:
    content = b"".join(stream.blocks())
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        try:
            names = [column.strip() for column in reader.fieldnames or []]
        except csv.Error as error:
            yield 1, RowError(f"not a row of CSV: {error}")
            return
        reader.fieldnames = names
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                yield reader.line_num, RowError(f"not a row of CSV: {error}")
                continue
            if row is None:
                break
            if None in row:
                yield reader.line_num, RowError(f"more than {len(names)} columns")
            else:
                yield reader.line_num, _from_csv(row)
    except UnicodeDecodeError as error:
        raise IngestError(f"{name}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    if stream.problem:
        yield reader.line_num + 1, RowError(stream.problem)


def _from_csv(row: Mapping[str, str | None]) -> Mapping[str, Any]:
    """Empty cells are absent; a time may be a number; permitted uses come apart at `;`."""
    values: dict[str, Any] = {key: text.strip() for key, text in row.items() if text is not None and text.strip()}
    if "authorised" in values:
        values["authorised"] = [use.strip() for use in values["authorised"].split(";") if use.strip()]
    with contextlib.suppress(KeyError, ValueError):
        values["created_at"] = float(values["created_at"])
    return values


def _account(row: Mapping[str, Any]) -> Account:
    created, uses = row.get("created_at"), row.get("authorised")
    if isinstance(uses, str):
        uses = parse(uses)
    if uses is None:
        uses = []
    if not isinstance(uses, list):
        raise RowError(f"authorised: expected a list, got {kind_of(uses)}")
    for use in uses:
        if not isinstance(use, str) or not use.strip():
            raise RowError(f"authorised: expected texts, got {kind_of(use)}")
    return Account(
        account=required_text(row, "account"),
        org=strict_text(row, "org"),
        created_at=None if created is None else seconds(created, "created_at"),
        plan=strict_text(row, "plan"),
        payment=strict_text(row, "payment"),
        email_domain=strict_text(row, "email_domain"),
        country=strict_text(row, "country"),
        name=strict_text(row, "name"),
        authorised=tuple(uses),
    )
