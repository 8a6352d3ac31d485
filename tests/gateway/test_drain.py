"""Draining: exactly once, whoever is killed when. Real processes, real kill -9."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.spooling import BODY, begun, ended

from revenuer.gateway.drain import DAMAGED, drain, pending_bytes
from revenuer.gateway.segment import Secret, SpoolError
from revenuer.gateway.spool import Spool
from revenuer.records import Exchange

ROOT = Path(__file__).parents[2]


class Kept:
    """A store in memory, by the store's contract; may fail like one that is killed before or after it stored."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {}

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            self.exchanges.setdefault(exchange.id, exchange)


def start(module: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process that runs a module of the tests; what it says can be read."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def killed(process: subprocess.Popen[bytes]) -> list[list[str]]:
    """Kill it and read what it managed to say, a torn last line left out."""
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return [line.split() for line in said.decode().split("\n")[:-1]]


def wait_for(path: Path, size: int) -> None:
    """Wait until so many bytes are in files below `path`."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            if sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) >= size:
                return
        time.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Secret]:
    return tmp_path / "spool", Secret.load(tmp_path / "key")


def test_nothing_to_do(place: tuple[Path, Secret]) -> None:
    assert drain(*place, Kept()).exchanges == 0


def test_a_live_process_keeps_what_is_not_sealed(place: tuple[Path, Secret]) -> None:
    folder, secret = place
    spool = Spool.open(folder, secret.path)
    spool.whole(begun("a"), ended("a"))
    kept = Kept()
    assert drain(folder, secret, kept).exchanges == 0
    spool.close()
    assert drain(folder, secret, kept).exchanges == 1
    assert list(folder.iterdir()) == []


def test_an_exchange_that_outlives_its_segment(place: tuple[Path, Secret]) -> None:
    folder, secret = place
    spool, kept = Spool.open(folder, secret.path, segment_bytes=1_500), Kept()
    spool.begin(begun("long"))
    for number in range(50):
        spool.whole(begun(f"{number}"), ended(f"{number}"))
        drain(folder, secret, kept)
    assert "long" not in kept.exchanges
    assert len(kept.exchanges) > 40
    assert len(list(folder.glob("*/*.seg"))) == 1
    spool.end(ended("long"))
    spool.close()
    drain(folder, secret, kept)
    assert kept.exchanges["long"].response.text == "A reel."
    assert len(kept.exchanges) == 51


def test_batches_are_bounded(place: tuple[Path, Secret], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revenuer.gateway.drain.BATCH_BYTES", 3_000)
    folder, secret = place
    spool, sizes, kept = Spool.open(folder, secret.path, segment_bytes=1_500), [], Kept()
    spool.begin(begun("early"))
    spool.begin(begun("never ended"))
    for number in range(50):
        spool.whole(begun(f"{number}"), ended(f"{number}"))
    spool.end(ended("early"))
    spool.close()

    def store(exchanges: Sequence[Exchange]) -> None:
        sizes.append(len(exchanges))
        kept(exchanges)

    done = drain(folder, secret, store)
    assert (done.exchanges, done.unanswered, sum(sizes)) == (52, 1, 52)
    assert len(sizes) > 5
    assert kept.exchanges["early"].status == 200
    assert kept.exchanges["never ended"].status is None


def test_another_key_stops_and_removes_nothing(place: tuple[Path, Secret], tmp_path: Path) -> None:
    folder, secret = place
    spool = Spool.open(folder, secret.path)
    spool.whole(begun("a"), ended("a"))
    spool.close()
    with pytest.raises(SpoolError, match="written under another key"):
        drain(folder, Secret.load(tmp_path / "other"), Kept())
    kept = Kept()
    drain(folder, secret, kept)
    assert list(kept.exchanges) == ["a"]


def test_a_damaged_segment_is_kept_apart_and_the_rest_stored(
    place: tuple[Path, Secret], caplog: pytest.LogCaptureFixture
) -> None:
    folder, secret = place
    spool, kept = Spool.open(folder, secret.path, segment_bytes=1_500), Kept()
    for number in range(20):
        spool.whole(begun(f"{number}"), ended(f"{number}"))
    victim = sorted(folder.glob("*/*.seg"))[1]
    data = bytearray(victim.read_bytes())
    data[60] ^= 1
    victim.write_bytes(data)
    spool.close()
    done = drain(folder, secret, kept)
    assert (done.damaged, done.exchanges) == (1, 19)
    assert [path.name for path in folder.iterdir()] == [DAMAGED]
    assert "damaged" in caplog.text
    assert drain(folder, secret, kept).exchanges == 0
    assert pending_bytes(folder) == 0


class Killed(Exception):
    """Stands for the end of the worker."""


@settings(max_examples=60)
@given(
    plan=st.lists(st.sampled_from(["begin", "end", "whole", "drain", "fail before", "fail after"]), max_size=40),
    data=st.data(),
)
def test_any_order_of_events_stores_each_exchange_once(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str], data: st.DataObject
) -> None:
    top = tmp_path_factory.mktemp("plan")
    folder, secret = top / "spool", Secret.load(top / "key")
    spool, kept = Spool.open(folder, secret.path, segment_bytes=data.draw(st.integers(100, 3_000))), Kept()
    open_: list[str] = []
    answered: list[str] = []
    asked = 0

    def before(_: Sequence[Exchange]) -> None:
        raise Killed

    def after(exchanges: Sequence[Exchange]) -> None:
        kept(exchanges)
        raise Killed

    with contextlib.closing(spool):
        for action in plan:
            name = spool.next_id()
            if action == "begin":
                spool.begin(begun(name))
                open_.append(name)
            elif action == "end" and open_:
                name = open_.pop(data.draw(st.integers(0, len(open_) - 1)))
                spool.end(ended(name))
                answered.append(name)
            elif action == "whole":
                spool.whole(begun(name), ended(name))
                answered.append(name)
            elif action != "end":
                with contextlib.suppress(Killed):
                    drain(folder, secret, {"fail before": before, "fail after": after}.get(action, kept))
            asked += action in ("begin", "whole")
    drain(folder, secret, kept)
    assert len(kept.exchanges) == asked
    assert all(kept.exchanges[name].response.text == "A reel." for name in answered)
    assert all(kept.exchanges[name].status is None for name in open_)
    assert list(folder.iterdir()) == []


def main(folder: Path, secret: Path, log: Path) -> None:
    """A worker whose store is a file of lines, forced onto the disk; it drains until it is killed."""
    chance = random.Random()
    with log.open("a+") as file:
        file.seek(0)
        # As a store does: a torn last line counts for nothing, and an id is kept once.
        whole = file.read().rpartition("\n")[0]
        known = {line.split()[0] for line in whole.split("\n") if line}
        file.truncate(len(whole) + (1 if whole else 0))

        def store(exchanges: Sequence[Exchange]) -> None:
            lines = [f"{e.id} {e.status} {e.response.text!r}\n" for e in exchanges if e.id not in known]
            file.write("".join(lines))
            file.flush()
            os.fsync(file.fileno())
            known.update(exchange.id for exchange in exchanges)
            time.sleep(chance.random() * 0.002)

        while True:
            drain(folder, Secret.load(secret), store)


@pytest.mark.slow
def test_gateway_and_worker_killed_at_random_moments(place: tuple[Path, Secret], tmp_path: Path) -> None:
    """Writers and workers are killed again and again; each answered exchange is stored once, with its answer."""
    folder, secret = place
    log, chance = tmp_path / "stored", random.Random(7)
    begun_ids: list[str] = []
    ended_ids: list[str] = []
    worker = start("tests.gateway.test_drain", folder, secret.path, log)
    for number in range(12):
        writers = [start("tests.gateway.spooling", folder, secret.path, 10 * number + each) for each in range(2)]
        wait_for(folder, 20_000)
        for writer in writers:
            time.sleep(chance.random() * 0.3)
            for what, name in killed(writer):
                (begun_ids if what == "begun" else ended_ids).append(name)
            killed(worker)
            worker = start("tests.gateway.test_drain", folder, secret.path, log)
    while pending_bytes(folder) or list(folder.iterdir()):
        assert worker.poll() is None
        time.sleep(0.05)
    killed(worker)
    lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
    counts = Counter(name for name, _, _ in lines)
    answers = {name: (status, text) for name, status, text in lines}
    assert len(ended_ids) > 200
    assert max(counts.values()) == 1
    assert set(begun_ids) <= counts.keys()
    assert all(answers[name] == ("200", "'A reel.'") for name in ended_ids)
    # Beyond what was acknowledged, at most the one exchange and the one end that each writer was about to report.
    assert len(counts) - len(begun_ids) <= 24
    unanswered = sum(status == "None" for status, _ in answers.values())
    assert len(counts) - len(ended_ids) - 24 <= unanswered <= len(counts) - len(ended_ids)
    assert BODY not in log.read_bytes()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
