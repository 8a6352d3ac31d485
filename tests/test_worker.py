"""The worker against a real spool and a real store; killed at random moments; judging as exchanges come in."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.gateway.spooling import begun, ended

from revenuer.gateway.drain import pending_bytes
from revenuer.gateway.segment import Begun, Ended, Media, SpoolError
from revenuer.gateway.spool import Spool
from revenuer.harvest.model import load as load_model
from revenuer.ingest import read_logs
from revenuer.intake import Intake
from revenuer.pipeline import scan
from revenuer.records import AccountResult, Exchange, Verdict
from revenuer.settings import Settings
from revenuer.store import StoreLocked
from revenuer.store.embedded import EventStore
from revenuer.worker import Judge, Places, Worker, serve

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "src" / "revenuer" / "data" / "sample"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "spool", tmp_path / "spool.key", tmp_path / "out")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(key_file=str(tmp_path / "fingerprint.key"))


def body_of(exchange: Exchange) -> bytes:
    """A request body that says what the exchange says."""
    if exchange.endpoint == "anthropic.messages":
        system = [m.content for m in exchange.messages if m.role == "system"]
        turns = [{"role": m.role, "content": m.content} for m in exchange.messages if m.role != "system"]
        body = {"model": exchange.model, "messages": turns} | ({"system": system[0]} if system else {})
    else:
        body = {"model": exchange.model, "messages": msgspec.to_builtins(exchange.messages)}
    named = {name: value for name, value in msgspec.to_builtins(exchange.params).items() if value is not None}
    if "response_format" in named:
        named["response_format"] = {"type": named["response_format"]}
    if "tools" in named:
        named["tools"] = [{} for _ in range(named["tools"])]
    return msgspec.json.encode(body | named)


def play(spool: Spool, exchanges: Sequence[Exchange]) -> None:
    """Spool exchanges as the gateway would have at their time."""
    for exchange in exchanges:
        usage = exchange.usage
        request = Begun(
            id=exchange.id,
            ts=exchange.ts,
            account=exchange.account,
            endpoint=exchange.endpoint or "openai.chat",
            body=body_of(exchange),
            key=exchange.key,
            ip=exchange.ip,
            user_agent=exchange.user_agent,
            ja4=exchange.ja4,
            org=exchange.org,
        )
        answered = Ended(
            id=exchange.id,
            status=exchange.status or 200,
            latency_ms=exchange.latency_ms or 0.0,
            media=Media.NONE,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )
        assert spool.whole(request, answered)


def test_the_sample_is_judged_while_it_happens(places: Places, settings: Settings, tmp_path: Path) -> None:
    """Replayed through the spool, the campaigns of the sample are found before it ends, and as a scan finds them."""
    books = SAMPLE / "accounts.jsonl"
    log = [SAMPLE / "exchanges.jsonl.zst"]
    exchanges = sorted((e for chunk in read_logs(log) for e in chunk.exchanges), key=lambda e: e.ts)
    places = replace(places, accounts=books)
    now = exchanges[0].ts
    published: list[Sequence[AccountResult]] = []
    first: dict[str, float] = {}
    spool = Spool.open(places.spool, places.secret, segment_bytes=100_000)
    with Intake.open(places.out, settings) as intake:
        worker = Worker(places, intake, Judge(settings, load_model()), published.append, clock=lambda: now)
        at = 0
        while at < len(exchanges):
            now += 6 * 3600
            upto = next((i for i in range(at, len(exchanges)) if exchanges[i].ts >= now), len(exchanges))
            play(spool, exchanges[at:upto])
            at = upto
            worker.drain()
            worker.look()
            for result in published[-1] if published else ():
                if result.verdict is Verdict.HARVESTING:
                    first.setdefault(result.account, now)
                    assert result.first_flagged_at is not None
                    assert result.first_flagged_at <= now
                    assert result.campaign
                    assert result.reasons
        spool.close()
        worker.drain()
        assert intake.store.span().rows == len(exchanges)
        assert worker.look() >= 0
        count = len(published)
        assert worker.look() == -1
        assert published[count:] == [published[count - 1]]
        again: list[Sequence[AccountResult]] = []
        Worker(places, intake, Judge(settings, load_model()), again.append, clock=lambda: now).look()
    report = scan(log, books, tmp_path / "scan", settings)
    expected = {r.account for r in report.results if r.verdict is Verdict.HARVESTING}
    found = {r.account for r in published[-1] if r.verdict is Verdict.HARVESTING}
    assert len(expected) > 5
    assert expected <= found
    assert expected <= {r.account for r in again[0] if r.verdict is Verdict.HARVESTING}, "found again after a restart"
    truth = [msgspec.json.decode(line) for line in (SAMPLE / "truth_accounts.jsonl").read_bytes().splitlines()]
    assert found <= {row["account"] for row in truth if row["role"] != "benign"}
    assert min(first.values()) < exchanges[-1].ts - 86400


def stored(out: Path) -> list[tuple[str, int, int]]:
    """Id, status and tokens of all that is in the store, in order of time."""
    with EventStore.open(out / "state", read_only=True) as store:
        batches = list(store.scan(columns=["id", "status", "completion_tokens"]))
    return [(row["id"], row["status"], row["completion_tokens"]) for batch in batches for row in batch.to_pylist()]


def opened(places: Places, intake: Intake, keep_days: float = 45.0) -> Worker:
    return Worker(places, intake, Judge(Settings(), load_model()), lambda _: None, keep_days=keep_days)


def test_an_exchange_without_its_end_is_stored_with_an_unknown_answer(places: Places, settings: Settings) -> None:
    spool = Spool.open(places.spool, places.secret)
    spool.begin(begun("a"))
    spool.whole(begun("b"), ended("b"))
    spool.close()
    with Intake.open(places.out, settings) as intake:
        assert opened(places, intake).drain().unanswered == 1
    assert stored(places.out) == [("a", -1, -1), ("b", 200, 3)]


def test_the_answer_leaves_a_sketch_and_no_text_is_kept(places: Places, settings: Settings) -> None:
    spool = Spool.open(places.spool, places.secret)
    said = b" ".join(b"word%d" % number for number in range(60))
    spool.whole(begun("a", b'{"messages":[{"role":"user","content":"SECRET-PROMPT"}]}'), replace_answer("a", said))
    spool.close()
    with Intake.open(places.out, settings) as intake:
        opened(places, intake).drain()
        (batch,) = intake.store.scan(columns=["answer"])
        assert any(batch.to_pylist()[0]["answer"])
    for path in places.out.rglob("*"):
        if path.is_file():
            assert b"SECRET-PROMPT" not in path.read_bytes()
            assert b"word1 word2" not in path.read_bytes()
    assert pending_bytes(places.spool) == 0


def replace_answer(name: str, text: bytes) -> Ended:
    return Ended(id=name, status=200, latency_ms=1.0, media=Media.TEXT, answer=text)


def test_what_is_too_old_is_dropped(places: Places, settings: Settings) -> None:
    spool, now = Spool.open(places.spool, places.secret), time.time()
    for name, age in (("old", 3.0), ("new", 1.0)):
        spool.whole(msgspec.structs.replace(begun(name), ts=now - age * 86400), ended(name))
    spool.close()
    with Intake.open(places.out, settings) as intake:
        worker = opened(places, intake, keep_days=2.0)
        worker.tidy()
        worker.drain()
        worker.tidy()
    assert [name for name, _, _ in stored(places.out)] == ["new"]


def test_another_key_ends_the_worker_and_loses_nothing(places: Places, settings: Settings, tmp_path: Path) -> None:
    spool = Spool.open(places.spool, places.secret)
    spool.whole(begun("a"), ended("a"))
    spool.close()
    wrong = replace(places, secret=tmp_path / "wrong.key")
    with pytest.raises(SpoolError, match=r"another key than that in .*wrong\.key"):
        serve(wrong, settings, load_model(), lambda _: None, 45.0, lambda: False)
    serve(places, settings, load_model(), lambda _: None, 45.0, lambda: True)
    assert [name for name, _, _ in stored(places.out)] == ["a"]


def test_two_workers_cannot_have_one_store(places: Places, settings: Settings) -> None:
    with Intake.open(places.out, settings), pytest.raises(StoreLocked, match="is being written by process"):
        serve(places, settings, load_model(), lambda _: None, 45.0, lambda: True)


def test_a_full_disk_is_waited_out(places: Places, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool.open(places.spool, places.secret)
    spool.whole(begun("a"), ended("a"))
    spool.close()
    passes = iter([False, True])
    data = places.out / "state" / "data"
    with Intake.open(places.out, settings) as intake:
        worker = opened(places, intake)
        data.rmdir()
        worker.run(lambda: next(passes), lambda _: data.mkdir())
    assert "trying again" in caplog.text
    assert [name for name, _, _ in stored(places.out)] == ["a"]


def test_books_that_cannot_be_read_for_a_while_stay_as_they_were(
    places: Places, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    books = tmp_path / "accounts.jsonl"
    books.write_bytes((SAMPLE / "accounts.jsonl").read_bytes())
    spool = Spool.open(places.spool, places.secret)
    with Intake.open(places.out, settings) as intake:
        worker = opened(replace(places, accounts=books), intake, keep_days=100_000.0)
        for round in range(2):
            spool.whole(begun(f"{round}"), ended(f"{round}"))
            spool.close()
            spool = Spool.open(places.spool, places.secret)
            worker.drain()
            assert worker.look() == 0
            books.unlink(missing_ok=True)
    spool.close()
    assert "going on with the accounts as they were" in caplog.text


def test_accounts_that_are_gone_keep_their_number(places: Places, settings: Settings) -> None:
    """After retention an account may have no exchanges left: the others are judged on, with their own verdicts."""
    spool, now = Spool.open(places.spool, places.secret), 1_700_000_000.0
    for number in range(40):
        request = msgspec.structs.replace(begun(f"{number}"), account=f"account-{number % 8}", ts=now + number)
        spool.whole(request, ended(f"{number}"))
    spool.close()
    clock = [now + 60.0]
    with Intake.open(places.out, settings) as intake:
        judge = Judge(Settings(), load_model())
        worker = Worker(places, intake, judge, lambda _: None, keep_days=1.0, clock=lambda: clock[0])
        worker.drain()
        assert worker.look() >= 0
        clock[0] += 2 * 86400
        spool = Spool.open(places.spool, places.secret)
        for number in range(40):
            request = msgspec.structs.replace(begun(f"n{number}"), account=f"fresh-{number % 8}", ts=clock[0] - number)
            spool.whole(request, ended(f"n{number}"))
        spool.close()
        worker.drain()
        worker.tidy()
        assert intake.store.span().rows == 40
        assert worker.look() >= 0


@pytest.mark.parametrize("permitted", [False, True])
def test_a_verdict_once_reached_outlives_a_restart(
    places: Places, settings: Settings, tmp_path: Path, permitted: bool
) -> None:
    """Unless it is too old, or a permission was given since."""
    books, now = tmp_path / "accounts.jsonl", 1_700_000_000.0
    books.write_text('{"account":"held","authorised":["training"]}\n' if permitted else '{"account":"other"}\n')
    spool = Spool.open(places.spool, places.secret)
    spool.whole(msgspec.structs.replace(begun("a"), ts=now), ended("a"))
    spool.close()
    old, held = (
        AccountResult(
            account=name, campaign="c", score=25.0, verdict=Verdict.HARVESTING, first_flagged_at=since, reasons=()
        )
        for name, since in (("old", now - 3 * 86400), ("held", now - 3600))
    )
    published: list[Sequence[AccountResult]] = []
    with Intake.open(places.out, settings) as intake:
        intake.store.put_state("flagged", msgspec.to_builtins([old, held]))
        for _ in range(2):
            worker = Worker(
                replace(places, accounts=books), intake, Judge(Settings(), load_model()), published.append,
                keep_days=2.0, clock=lambda: now + 1,
            )  # fmt: skip
            worker.drain()
            worker.look()
    expected = [] if permitted else [msgspec.structs.replace(held, campaign=None)]
    assert published == [expected, expected]


def main(top: Path) -> None:
    """A worker as it is started, without its waits."""
    places = Places(top / "spool", top / "spool.key", top / "out")
    with Intake.open(places.out, Settings(key_file=str(top / "fingerprint.key"))) as intake:
        worker = opened(places, intake, keep_days=100_000.0)
        os.write(1, b"ready\n")
        while True:
            worker.drain()
            worker.tidy()


def start(module: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def killed(process: subprocess.Popen[bytes]) -> list[list[str]]:
    """Kill it and read what it managed to say, a torn last line left out."""
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return [line.split() for line in said.decode().split("\n")[:-1]]


@pytest.mark.slow
def test_killed_at_random_moments_every_exchange_is_stored_once(places: Places, tmp_path: Path) -> None:
    """Gateway processes and the worker are killed, the worker in mid-append as well; the store holds each id once."""
    chance, said = random.Random(11), []
    for number in range(6):
        writer = start("tests.gateway.spooling", places.spool, places.secret, number)
        worker = start("tests.test_worker", tmp_path)
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(chance.random() * 0.5)
        killed(worker)
        time.sleep(chance.random() * 0.2)
        said += killed(writer)
    worker = start("tests.test_worker", tmp_path)
    while list(places.spool.iterdir()):
        assert worker.poll() is None
        time.sleep(0.05)
    killed(worker)
    begun_ids = {name for what, name in said if what == "begun"}
    ended_ids = {name for what, name in said if what == "ended"}
    rows = stored(places.out)
    counts = Counter(name for name, _, _ in rows)
    assert len(ended_ids) > 100
    assert max(counts.values()) == 1
    assert begun_ids <= counts.keys()
    assert len(counts) - len(begun_ids) <= 6
    assert ended_ids <= {name for name, status, tokens in rows if (status, tokens) == (200, 3)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
