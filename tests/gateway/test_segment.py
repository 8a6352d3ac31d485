"""Segments: round trip, torn and damaged files, keys."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.spooling import BODY, begun, ended

from revenuer.gateway.segment import (
    HEADER,
    Begun,
    Ended,
    Media,
    Record,
    Secret,
    SegmentWriter,
    SpoolError,
    read_segment,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
BEGUN = st.builds(
    Begun,
    id=TEXT,
    ts=st.floats(0, 1e10),
    account=TEXT,
    endpoint=TEXT,
    body=st.binary(max_size=200),
    key=st.none() | TEXT,
    ip=st.none() | TEXT,
    user_agent=st.none() | TEXT,
    ja4=st.none() | TEXT,
    org=st.none() | TEXT,
)
COUNT = st.none() | st.integers(0, 2**53)
ENDED = st.builds(
    Ended,
    id=TEXT,
    status=st.integers(0, 999),
    latency_ms=st.floats(0, 1e7),
    media=st.sampled_from(Media),
    answer=st.binary(max_size=200),
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    reasoning_tokens=COUNT,
    cached_tokens=COUNT,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("segments")


def written(folder: Path, records: list[Record]) -> tuple[Path, Secret]:
    """A new segment with these records."""
    path, secret = folder / os.urandom(8).hex(), Secret.load(folder / "key")
    writer = SegmentWriter(path, secret)
    for record in records:
        writer.append(record)
    writer.close()
    assert writer.size == path.stat().st_size
    return path, secret


@given(records=st.lists(BEGUN | ENDED, max_size=8))
def test_what_was_written_is_read(folder: Path, records: list[Record]) -> None:
    contents = read_segment(*written(folder, records))
    assert contents.records == records
    assert (contents.lost, contents.damaged) == (0, 0)


@given(records=st.lists(BEGUN | ENDED, min_size=1, max_size=5), data=st.data())
def test_a_torn_tail_loses_only_the_last_records(folder: Path, records: list[Record], data: st.DataObject) -> None:
    path, secret = written(folder, records)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:cut])
    contents = read_segment(path, secret)
    assert contents.records == records[: len(contents.records)]
    assert len(contents.records) < len(records)
    assert contents.damaged == 0
    path.write_bytes(whole[: cut - contents.lost])
    assert read_segment(path, secret).lost == 0 or cut < HEADER


@given(records=st.lists(BEGUN | ENDED, min_size=1, max_size=5), data=st.data())
def test_damage_is_noticed_and_never_read_as_something_else(
    folder: Path, records: list[Record], data: st.DataObject
) -> None:
    path, secret = written(folder, records)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(HEADER, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    contents = read_segment(path, secret)
    assert contents.lost or contents.damaged
    remaining = iter(records)
    assert all(record in remaining for record in contents.records)


def test_records_around_a_damaged_one_are_read(folder: Path) -> None:
    path, secret = written(folder, [begun("a"), begun("b"), begun("c")])
    data = bytearray(path.read_bytes())
    data[HEADER + (len(data) - HEADER) // 2] ^= 1
    path.write_bytes(data)
    contents = read_segment(path, secret)
    assert [record.id for record in contents.records] == ["a", "c"]
    assert (contents.lost, contents.damaged) == (0, 1)


def test_a_file_of_zeros_or_of_someone_else_is_lost_not_a_crash(folder: Path) -> None:
    secret = Secret.load(folder / "key")
    for number, data in enumerate([b"", bytes(500), b"hello" * 20]):
        path = folder / f"foreign-{number}"
        path.write_bytes(data)
        assert read_segment(path, secret).lost == len(data)


def test_another_key_is_refused_by_name(folder: Path) -> None:
    path, _ = written(folder, [begun("a")])
    other = Secret.load(folder / "other.key")
    with pytest.raises(SpoolError, match=r"written under another key than that in .*other\.key.*Nothing was removed"):
        read_segment(path, other)
    assert path.exists()


def test_no_prompt_and_no_answer_can_be_read_in_the_file(folder: Path) -> None:
    path, _ = written(folder, [begun("a"), ended("a")])
    data = path.read_bytes()
    for word in (b"spool?", b"A reel", b"account-1", b"198.51"):
        assert word not in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_two_records_share_key_and_nonce(folder: Path) -> None:
    path, secret = written(folder, [begun("a"), begun("a")])
    data = path.read_bytes()[HEADER:]
    assert data[4 : len(data) // 2] != data[len(data) // 2 + 4 :]
    again, _ = written(folder, [begun("a")])
    assert again.read_bytes()[HEADER + 4 :] != data[4 : len(data) // 2]
    assert read_segment(path, secret).records == [begun("a"), begun("a")]


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "0" * 63])
def test_a_key_file_that_holds_no_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SpoolError, match="not a spool key"):
        Secret.load(path)


def test_a_key_file_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    Secret.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(SpoolError, match="chmod 600"):
        Secret.load(path)


def test_a_key_file_in_an_impossible_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot use the spool's key"):
        Secret.load(tmp_path / "file" / "key")


def test_a_refused_write_leaves_whole_records(tmp_path: Path) -> None:
    """The system takes only a part of a write (the file may not grow further): the part is cut off again."""
    code = f"""
import resource, signal, sys
from pathlib import Path
from revenuer.gateway.segment import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = SegmentWriter(Path(sys.argv[1]), Secret.load(Path(sys.argv[2])))
record = Begun(id="a", ts=0.0, account="b", endpoint="c", body={BODY!r})
size = writer.append(record)
resource.setrlimit(resource.RLIMIT_FSIZE, (writer.size + size // 2,) * 2)
try:
    writer.append(record)
except OSError:
    print(writer.size == Path(sys.argv[1]).stat().st_size == {HEADER} + size)
"""
    path, key = tmp_path / "segment", tmp_path / "key"
    done = subprocess.run([sys.executable, "-c", code, path, key], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert len(read_segment(path, Secret.load(key)).records) == 1
