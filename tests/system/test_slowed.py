"""A campaign from the range is found by the worker and slowed down by the gateway; its neighbours are not.

Real prompts in a simulated campaign, and time is short-cut: four days of the sample log are put into the spool as if a
gateway had just died that recorded them, ending now. The requests that are then slowed are real ones.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.system.test_up import Running
from tests.test_worker import SAMPLE, play

from revenuer.gateway.dialects import Asked
from revenuer.gateway.gate import Gate
from revenuer.gateway.segment import Secret
from revenuer.gateway.spool import Spool
from revenuer.ingest import read_logs
from revenuer.records import Verdict
from revenuer.up import DataFolder


@pytest.mark.slow
def test_a_campaign_is_found_and_slowed_down(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.path.mkdir()
    gate = Gate(Secret.load(folder.path / "names.key").derive(b"names")[0])
    exchanges = [e for chunk in read_logs([SAMPLE / "exchanges.jsonl.zst"]) for e in chunk.exchanges]
    shift = time.time() - 60 - max(exchange.ts for exchange in exchanges)
    key_of = {gate.enter(e.account.encode(), Asked("openai.chat"), 0.0).account: e.account for e in exchanges}
    name_of = {key: name for name, key in key_of.items()}
    spool = Spool.open(folder.spool, folder.spool_key)
    play(
        spool,
        [msgspec.structs.replace(e, ts=e.ts + shift, account=name_of[e.account]) for e in exchanges],
    )
    spool.close()
    running = Running(tmp_path)
    try:
        while not folder.standing.exists():
            time.sleep(0.1)
        rows = msgspec.json.decode(folder.standing.read_bytes())["standings"]
        held = {row["account"]: row for row in rows if row["until"] > time.time()}
        flagged = [name for name, row in held.items() if row["verdict"] == Verdict.HARVESTING]
        truth = [msgspec.json.decode(row) for row in (SAMPLE / "truth_accounts.jsonl").read_bytes().splitlines()]
        benign = {row["account"] for row in truth if row["role"] == "benign"}
        assert len(flagged) > 5
        assert benign.isdisjoint(key_of[name] for name in flagged)

        def ask(key: str) -> httpx.Response:
            return httpx.post(
                f"{running.url}/v1/chat/completions",
                json={"model": "m", "messages": [{"role": "user", "content": "and on it goes"}]},
                headers={"authorization": f"Bearer {key}"},
            )

        # The gateway looks at the table once a second.
        time.sleep(2.5)
        answers = [ask(key_of[flagged[0]]) for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200
        assert refused
        assert int(refused[0].headers["retry-after"]) >= 1
        assert held[flagged[0]]["reference"] in refused[0].text
        neighbour = min(benign - {key_of[name] for name in held})
        assert {ask(neighbour).status_code for _ in range(12)} == {200}
    finally:
        assert running.stop() == 0
