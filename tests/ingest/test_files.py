from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.recorded import PACK

from revenuer.ingest.files import Stream, codec_of, find_files
from revenuer.ingest.source import IngestError

DATA = os.urandom(300_000) + b"text " * 100_000


def stream(packed: bytes, frame: int = 0, frame_offset: int = 0) -> Stream:
    raw = io.BytesIO(packed)
    head = raw.read(1000)
    codec = codec_of(head)
    if frame:
        raw.seek(frame)
        head = b""
    return Stream(raw, head, codec, frame, frame_offset)


@pytest.mark.parametrize("pack", PACK)
def test_every_packing_gives_the_data_back(pack: str) -> None:
    packed = PACK[pack](DATA)
    opened = stream(packed)
    assert b"".join(opened.blocks()) == DATA
    assert opened.read_bytes == len(packed)


@pytest.mark.parametrize("pack", PACK)
def test_peeking_takes_nothing(pack: str) -> None:
    opened = stream(PACK[pack](DATA))
    assert DATA.startswith(opened.peek(5000))
    assert b"".join(opened.blocks()) == DATA
    assert opened.problem is None


@pytest.mark.parametrize("pack", ["gz in members", "zst in frames"])
@pytest.mark.parametrize("offset", [0, 699, 700, 350_001, 799_999])
def test_reading_starts_again_at_a_member(pack: str, offset: int) -> None:
    packed = PACK[pack](DATA)
    opened, got = stream(packed), 0
    for block in opened.blocks():
        got += len(block)
        opened.frame_before(min(got, offset))
    frame, frame_offset = opened.frame_before(offset)
    assert 0 <= offset - frame_offset <= 700
    assert b"".join(stream(packed, frame, frame_offset).blocks()) == DATA[frame_offset:]


@pytest.mark.parametrize("pack", ["gz", "zst", "gz in members", "zst in frames"])
@given(cut=st.integers(1, 2000))
def test_a_cut_end_is_noticed_and_what_came_before_is_kept(pack: str, cut: int) -> None:
    packed = PACK[pack](DATA[:5000])
    opened = stream(packed[:-cut])
    got = b"".join(opened.blocks())
    assert DATA.startswith(got)
    assert opened.problem == "compressed data is cut off" or (pack.endswith("s") and got != DATA[:5000])


@pytest.mark.parametrize("packer", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_damage_and_foreign_bytes(packer: object) -> None:
    packed = packer(DATA)  # type: ignore[operator]
    damaged = stream(packed[:200_000] + bytes(1000) + packed[201_000:])
    assert len(b"".join(damaged.blocks())) <= len(DATA)
    assert (damaged.problem or "").startswith("damaged compressed data")
    followed = stream(packed + b"and then some")
    assert b"".join(followed.blocks()) == DATA
    assert followed.problem == "bytes after the end of the compressed data"
    padded = stream(packed + bytes(5000))
    assert b"".join(padded.blocks()) == DATA
    assert padded.problem is None


def test_a_bomb_is_unpacked_in_small_blocks() -> None:
    for packed in (zstandard.compress(bytes(2**28)), gzip.compress(bytes(2**26))):
        assert max(map(len, stream(packed).blocks())) <= 2**26


def test_skippable_frames_are_passed_over() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"junk"
    assert b"".join(stream(skippable + zstandard.compress(b"hello")).blocks()) == b"hello"


def test_folders_patterns_and_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "deep/c.parquet", "deep/.hidden/d.jsonl", "notes.txt", "e.JSON.ZST"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    names = [Path(file.key).name for file in find_files([tmp_path])]
    assert names == ["a.jsonl.gz", "b.jsonl", "c.parquet", "e.JSON.ZST"]
    pattern = [Path(file.key).name for file in find_files([tmp_path / "*.jsonl*", tmp_path / "notes.txt"])]
    assert pattern == ["a.jsonl.gz", "b.jsonl", "notes.txt"]
    assert len(find_files([tmp_path, tmp_path / "b.jsonl", "-", "-"])) == 5, "each file once"


def test_a_name_with_glob_characters_is_a_name_first(tmp_path: Path) -> None:
    (tmp_path / "log[1].jsonl").write_bytes(b"")
    assert len(find_files([tmp_path / "log[1].jsonl"])) == 1


@pytest.mark.parametrize("name", ["missing.jsonl", "*.jsonl", "empty"])
def test_what_matches_nothing_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(IngestError, match=r"no such file|no log in this folder"):
        find_files([tmp_path / name])


def test_a_pipe_is_not_read_before_its_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IngestError, match=r"pipe it in with - as the name"):
        find_files([tmp_path / "pipe"])


def test_a_changed_file_is_another_file(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    log.write_bytes(b"x" * 100)
    [before] = find_files([log])
    assert before.checked(before.start()) == before.start()
    for content in (b"x" * 101, b"y" + b"x" * 99):
        log.write_bytes(content)
        [after] = find_files([log])
        with pytest.raises(IngestError, match=r"has changed since .* begin anew"):
            after.checked(before.start())
