"""Admission: every way in, every way to be refused, and everything that changes while it runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from revenuer.gateway.admit import Admission
from revenuer.gateway.dialects import Asked, Edits
from revenuer.gateway.errors import Reason
from revenuer.gateway.keys import Keys
from revenuer.gateway.limits import Limits, Rule, Rules
from revenuer.gateway.standing import Measures, Standing, StandingTable, write
from revenuer.records import Verdict

CHAT = Asked("openai.chat", "atlas-1", tokens_in=10, tokens_out=100)
NOW = 1_000_000.0


def gate(tmp_path: Path, measures: Measures | None = None, rules: Rules | None = None) -> tuple[Admission, bytes]:
    keys = Keys.load(tmp_path / "keys.json", b"p")
    secret, _ = keys.add("acct_1", org="Example")
    path = tmp_path / "standing.json"
    if measures is not None:
        write([Standing("acct_1", Verdict.HARVESTING, NOW + 60, measures, "campaign-001", "case-1")], path)
    return Admission(b"n", keys, StandingTable(path), Limits(rules), clock=lambda: NOW), secret.encode()


def test_a_known_key_passes_unchanged_as_its_account(tmp_path: Path) -> None:
    door, secret = gate(tmp_path)
    found = door.enter(secret, CHAT, 0.0)
    assert (found.reason, found.account, found.org, found.edits) == (None, "acct_1", "Example", None)
    door.leave(found, 10, 20, 1.0)


def test_no_key_and_unknown_keys_are_refused(tmp_path: Path) -> None:
    door, _ = gate(tmp_path)
    assert door.enter(b"", CHAT, 0.0).reason is Reason.NO_KEY
    assert door.enter(b"sk-else", CHAT, 0.0).reason is Reason.UNKNOWN_KEY


def test_a_key_for_one_model_gets_no_other(tmp_path: Path) -> None:
    keys = Keys.load(tmp_path / "keys.json", b"p")
    secret, _ = keys.add("acct_1", models=("atlas-2",))
    door = Admission(b"n", keys)
    assert door.enter(secret.encode(), CHAT, 0.0).reason is Reason.MODEL_NOT_ALLOWED
    assert door.enter(secret.encode(), Asked("openai.chat", "atlas-2"), 0.0).reason is None


@pytest.mark.parametrize(
    ("measures", "reason"),
    [(Measures(refuse=True), Reason.REFUSED), (Measures(challenge=True), Reason.CHALLENGE)],
)
def test_who_is_refused_gets_a_reference(tmp_path: Path, measures: Measures, reason: Reason) -> None:
    door, secret = gate(tmp_path, measures)
    found = door.enter(secret, CHAT, 0.0)
    assert (found.reason, found.reference) == (reason, "case-1")


def test_edits_are_handed_on(tmp_path: Path) -> None:
    edits = Edits(no_logprobs=True, max_output_tokens=64)
    door, secret = gate(tmp_path, Measures(edits=edits))
    assert door.enter(secret, CHAT, 0.0).edits == edits


def test_a_slowed_account_is_told_when_to_come_back_and_then_let_in(tmp_path: Path) -> None:
    door, secret = gate(tmp_path, Measures(requests_per_minute=6.0))
    assert door.enter(secret, CHAT, 0.0).reason is None
    found = door.enter(secret, CHAT, 0.0)
    assert found.reason is Reason.SLOW_DOWN
    assert found.retry_after == pytest.approx(10.0)
    assert found.reference == "case-1"
    assert door.enter(secret, CHAT, 10.0).reason is None


def test_a_campaign_is_slowed_as_a_whole(tmp_path: Path) -> None:
    keys = Keys.load(tmp_path / "keys.json", b"p")
    secrets = [keys.add(f"acct_{number}")[0].encode() for number in range(5)]
    path = tmp_path / "standing.json"
    measures = Measures(campaign_requests_per_minute=6.0)
    write([Standing(f"acct_{n}", Verdict.HARVESTING, NOW + 60, measures, "campaign-001") for n in range(5)], path)
    door = Admission(b"n", keys, StandingTable(path), clock=lambda: NOW)
    assert [door.enter(secret, CHAT, 0.0).reason for secret in secrets] == [None] + [Reason.SLOW_DOWN] * 4


def test_a_measure_never_loosens_a_limit(tmp_path: Path) -> None:
    rules = Rules(account={"default": Rule(requests_per_minute=1, burst_seconds=1)})
    door, secret = gate(tmp_path, Measures(requests_per_minute=600.0), rules)
    assert door.enter(secret, CHAT, 0.0).reason is None
    assert door.enter(secret, CHAT, 0.0).reason is Reason.LIMIT_REQUESTS


def test_changes_are_followed_while_it_runs_and_damage_is_not(tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text("")
    keys = tmp_path / "keys.json"
    door = Admission.of(tmp_path, keys, tmp_path / "standing.json", limits)
    from revenuer.gateway.segment import Secret

    secret, entry = Keys.load(keys, Secret.load(tmp_path / "names.key").derive(b"keys")[0]).add("acct_1")
    assert door.enter(secret.encode(), CHAT, 0.0).reason is Reason.UNKNOWN_KEY
    door.tick(0.0)
    assert door.enter(secret.encode(), CHAT, 0.0).reason is None
    limits.write_text("[account.default]\nconcurrency = 1\n")
    door.tick(1.0)
    first = door.enter(secret.encode(), CHAT, 1.0)
    assert first.reason is None
    assert door.enter(secret.encode(), CHAT, 1.0).reason is Reason.LIMIT_CONCURRENCY
    limits.write_text("[broken")
    os.utime(limits, (time.time() + 5, time.time() + 5))
    door.tick(2.0)
    assert door.enter(secret.encode(), CHAT, 2.0).reason is Reason.LIMIT_CONCURRENCY
    door.leave(first, None, 0, 3.0)
    assert door.enter(secret.encode(), CHAT, 3.0).reason is None
    write([Standing("acct_1", Verdict.HARVESTING, time.time() + 60, Measures(refuse=True))], tmp_path / "standing.json")
    door.tick(4.0)
    assert door.enter(secret.encode(), CHAT, 4.0).reason is Reason.REFUSED
    assert entry.account == "acct_1"


def test_without_a_key_file_every_key_is_an_account_that_verdicts_reach(tmp_path: Path) -> None:
    path = tmp_path / "standing.json"
    door = Admission(b"n", standing=StandingTable(path), clock=lambda: NOW)
    account = door.enter(b"sk-1", CHAT, 0.0).account
    assert account != door.enter(b"sk-2", CHAT, 0.0).account
    write([Standing(account, Verdict.HARVESTING, NOW + 60, Measures(refuse=True))], path)
    door.tick(1.0)
    assert door.enter(b"sk-1", CHAT, 1.0).reason is Reason.REFUSED
    assert door.enter(b"sk-2", CHAT, 1.0).reason is None
