"""What the spool's tests share: records, and a process that writes them until it is killed."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from revenuer.gateway.spool import Begun, Ended, Media, Spool

BODY = b'{"model":"m","messages":[{"role":"user","content":"What is a spool?"}],"stream":true}'
ANSWER = b'data: {"choices":[{"delta":{"content":"A reel."}}]}\n\ndata: [DONE]\n\n'


def begun(id: str, body: bytes = BODY) -> Begun:
    """A request of account-1."""
    return Begun(id=id, ts=1_700_000_000.0, account="account-1", endpoint="openai.chat", body=body, ip="198.51.100.7")


def ended(id: str, answer: bytes = ANSWER) -> Ended:
    """Its streamed answer."""
    return Ended(id=id, status=200, latency_ms=12.5, media=Media.SSE, answer=answer, completion_tokens=3)


def main(folder: Path, secret: Path, seed: int) -> None:
    """Several exchanges under way at a time; each is acknowledged on standard output once `end` has returned."""
    chance = random.Random(seed)
    spool = Spool.open(folder, secret, segment_bytes=chance.choice([2_000, 20_000, 200_000]))
    under_way: list[str] = []
    while True:
        name = spool.next_id()
        assert spool.begin(begun(name, BODY + b" " * chance.randrange(5_000)))
        os.write(1, f"begun {name}\n".encode())
        under_way.append(name)
        while under_way and chance.random() < 0.6:
            name = under_way.pop(chance.randrange(len(under_way)))
            spool.end(ended(name))
            os.write(1, f"ended {name}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
