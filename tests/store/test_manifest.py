from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.store.events import SCHEMA, position

from revenuer.store import StoreError
from revenuer.store.manifest import DataFile, Manifest

FILE = DataFile("a.parquet", False, 3, 1.0, 2.0)


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m")

    def broken_off() -> None:
        with manifest.transaction():
            manifest.add([FILE])
            manifest.put_positions({"a": position(1)})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken_off()
    assert manifest.files() == []
    with manifest.transaction():
        manifest.add([FILE])
        manifest.put_schema(SCHEMA)
    manifest.close()
    again = Manifest(tmp_path / "m")
    assert again.files() == [FILE]
    assert SCHEMA.equals(again.schema())
    again.close()


def test_replaced_files_do_not_count_until_they_are_forgotten(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m")
    manifest.add([FILE, DataFile("b.parquet", True, 4, 0.0, 9.0)])
    manifest.replace(["a.parquet"])
    assert [file.name for file in manifest.files()] == ["b.parquet"]
    assert (manifest.span().rows, manifest.replaced()) == (4, ["a.parquet"])
    manifest.forget(["a.parquet", "b.parquet"])
    assert manifest.names() == {"b.parquet"}, "what counts cannot be forgotten"
    manifest.close()


def test_another_layout_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    Manifest(tmp_path / "m").close()
    with sqlite3.connect(tmp_path / "m") as database:
        database.execute("UPDATE meta SET value = '999' WHERE key = 'layout'")
    database.close()
    with pytest.raises(StoreError, match=r"another version of revenuer \(layout 999"):
        Manifest(tmp_path / "m")
    (tmp_path / "n").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"not a manifest"):
        Manifest(tmp_path / "n")
