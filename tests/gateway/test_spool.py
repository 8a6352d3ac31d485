"""The spool: order, bounds, sealing, ids, and what a full folder or a full disk does."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.spooling import BODY, begun, ended

from revenuer.gateway.segment import read_segment
from revenuer.gateway.spool import ANSWER_BYTES, Begun, Ended, Media, Secret, Spool, SpoolError, Sync


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def records(folder: Path, secret: Path) -> list[Begun | Ended]:
    """All that is in the spool, process by process in the order written."""
    paths = sorted([*folder.glob("*/*.seg"), *folder.glob("*/*.open")])
    return [record for path in paths for record in read_segment(path, Secret.load(secret)).records]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_record_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    folder, secret = tmp_path / "spool", tmp_path / "key"
    spool = Spool.open(folder, secret)
    assert spool.begin(begun("a"))
    assert records(folder, secret) == [begun("a")]
    spool.end(ended("a"))
    assert records(folder, secret) == [begun("a"), ended("a")]
    assert spool.whole(begun("b"), ended("b"))
    assert len(records(folder, secret)) == 4
    stats = spool.stats()
    assert (stats.begun, stats.ended, stats.dropped, stats.open, stats.full) == (2, 2, 0, 0, False)
    spool.close()


def test_only_the_owner_can_look_in(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", tmp_path / "key")
    spool.begin(begun("a"))
    for path in (tmp_path / "spool").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == "lock"
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    spool.close()


def test_an_end_without_a_beginning_is_not_written(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", tmp_path / "key")
    spool.end(ended("never begun"))
    spool.begin(begun("a"))
    spool.end(ended("a"))
    spool.end(ended("a"))
    assert records(tmp_path / "spool", tmp_path / "key") == [begun("a"), ended("a")]
    spool.close()


def test_answers_are_cut(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", tmp_path / "key")
    spool.begin(begun("a"))
    spool.end(ended("a", b"x" * (ANSWER_BYTES + 1)))
    spool.whole(begun("b"), ended("b", b"x" * (ANSWER_BYTES + 1)))
    found = records(tmp_path / "spool", tmp_path / "key")
    assert [len(record.answer) for record in found if isinstance(record, Ended)] == [ANSWER_BYTES] * 2
    spool.close()


def test_segments_are_sealed_by_size_and_by_age(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool.open(tmp_path / "spool", tmp_path / "key", segment_bytes=2_000, clock=clock)
    for number in range(20):
        spool.whole(begun(f"{number}"), ended(f"{number}"))
    by_size = len(list((tmp_path / "spool").glob("*/*.seg")))
    assert by_size > 1
    spool.whole(begun("last"), ended("last"))
    spool.tick()
    assert len(list((tmp_path / "spool").glob("*/*.seg"))) == by_size
    clock.now = 5.0
    spool.tick()
    assert not list((tmp_path / "spool").glob("*/*.open"))
    clock.now = 10.0
    spool.tick()
    assert len(list((tmp_path / "spool").glob("*/*.seg"))) == by_size + 1
    spool.close()


def test_when_full_the_oldest_are_kept_and_the_new_are_counted_and_shouted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, secret, clock = tmp_path / "spool", tmp_path / "key", Clock()
    spool = Spool.open(folder, secret, 200_000, segment_bytes=20_000, clock=clock)
    with caplog.at_level(logging.ERROR):
        kept = [number for number in range(1_000) if spool.begin(begun(f"{number}", BODY + b" " * 1_000))]
        assert kept == list(range(len(kept)))
        assert 0 < len(kept) < 1_000
        stats = spool.stats()
        assert stats.full
        assert stats.dropped == 1_000 - len(kept)
        assert len(caplog.records) == 1
        assert "is full" in caplog.text
        clock.now = 11.0
        spool.begin(begun("late"))
        assert len(caplog.records) == 2
    for number in range(1_000):
        spool.end(ended(f"{number}", b"x" * ANSWER_BYTES))
    spool.tick()
    assert spool.stats().used == size(folder) <= 200_000
    found = records(folder, secret)
    assert [record.id for record in found if isinstance(record, Ended)] == [f"{number}" for number in kept]
    for path in folder.glob("*/*.seg"):
        path.unlink()
    spool.tick()
    assert not spool.stats().full
    assert spool.begin(begun("room again"))
    spool.close()


@given(
    actions=st.lists(st.tuples(st.sampled_from(["begin", "end", "whole", "tick"]), st.integers(0, 40_000)), max_size=60)
)
def test_the_folder_never_outgrows_its_limit(tmp_path_factory: pytest.TempPathFactory, actions: object) -> None:
    assert isinstance(actions, list)
    folder = tmp_path_factory.mktemp("bounded")
    spool = Spool.open(folder / "spool", folder / "key", 150_000, segment_bytes=30_000)
    under_way: list[str] = []
    for action, length in actions:
        name = spool.next_id()
        if action == "begin" and spool.begin(begun(name, b" " * length)):
            under_way.append(name)
        elif action == "end" and under_way:
            spool.end(ended(under_way.pop(), b"x" * length))
        elif action == "whole":
            spool.whole(begun(name, b" " * length), ended(name))
        elif action == "tick":
            spool.tick()
        assert size(folder / "spool") <= 150_000
    for name in under_way:
        spool.end(ended(name, b"x" * ANSWER_BYTES))
    spool.close()
    assert size(folder / "spool") <= 150_000
    assert spool.stats().begun == spool.stats().ended


def test_the_limit_counts_what_other_processes_left(tmp_path: Path) -> None:
    first = Spool.open(tmp_path / "spool", tmp_path / "key", 100_000)
    while first.whole(begun("a", b" " * 10_000), ended("a")):
        pass
    first.close()
    second = Spool.open(tmp_path / "spool", tmp_path / "key", 100_000)
    assert not second.begin(begun("b", b" " * 10_000))
    second.close()


def test_ids_are_distinct_and_tell_nothing_of_their_number(tmp_path: Path) -> None:
    first = Spool.open(tmp_path / "spool", tmp_path / "key")
    second = Spool.open(tmp_path / "spool", tmp_path / "key")
    names = [spool.next_id() for _ in range(2_000) for spool in (first, second)]
    assert len(set(names)) == 4_000
    assert all(len(name) == 24 and set(name) <= set("0123456789abcdef") for name in names)
    own = names[::2]
    assert own != sorted(own) or own[0] != min(own)
    first.close()
    second.close()


def test_text_that_is_no_unicode_is_dropped_not_raised(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", tmp_path / "key")
    assert spool.begin(begun("a"))
    assert not spool.begin(msgspec.structs.replace(begun("b"), user_agent="\ud800"))
    assert spool.begin(begun("c"))
    assert [record.id for record in records(tmp_path / "spool", tmp_path / "key")] == ["a", "c"]
    spool.close()


def test_a_disk_that_refuses_loses_the_answer_at_most(tmp_path: Path) -> None:
    """No file of this process may grow beyond a bound, as on a full disk: begin says no, ends wait for room."""
    code = """
import resource, signal, sys
from pathlib import Path
from revenuer.gateway.spool import Spool
from tests.gateway.spooling import begun, ended
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool.open(Path(sys.argv[1]), Path(sys.argv[2]))
assert spool.begin(begun("a"))
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
assert not spool.begin(begun("b"))
spool.end(ended("a"))
spool.tick()
assert spool.stats().ends_lost == 1, spool.stats()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.tick()
stats = spool.stats()
assert (stats.begun, stats.ended, stats.dropped, stats.ends_lost, stats.full) == (1, 1, 1, 0, False), stats
spool.close()
"""
    folder, secret = tmp_path / "spool", tmp_path / "key"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code, folder, secret], check=True, env=environment, capture_output=True)
    assert [(type(record), record.id) for record in records(folder, secret)] == [(Begun, "a"), (Ended, "a")]
    last = records(folder, secret)[-1]
    assert isinstance(last, Ended)
    assert (last.media, last.answer, last.completion_tokens) == (Media.NONE, b"", 3)


def test_forced_onto_the_disk(tmp_path: Path) -> None:
    """Whether the disk keeps it cannot be tested here; that the thread does its work and ends, can."""
    spool = Spool.open(tmp_path / "spool", tmp_path / "key", sync=Sync.BATCH, segment_bytes=1_000)
    for number in range(10):
        spool.whole(begun(f"{number}"), ended(f"{number}"))
        spool.tick()
    spool.close()
    assert len(records(tmp_path / "spool", tmp_path / "key")) == 20


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot use the spool"):
        Spool.open(tmp_path / "file" / "spool", tmp_path / "key")
