"""Which measures a verdict has. Only the mild and visible rungs: nothing here suspends or refuses by itself.

`watch` accuses nobody and has no measure. `harvesting` slows the account and its campaign down, and takes out of the
answers what a clone learns most from: log-probabilities and the full text of reasoning. Whatever is stronger needs a
person, so no row of this table holds it. A standing ends by itself where the verdict is not renewed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from revenuer.gateway.dialects import Edits, Reasoning
from revenuer.gateway.standing import Measures, Standing
from revenuer.records import AccountResult, Verdict

LADDER: dict[Verdict, Measures] = {
    Verdict.CLEAR: Measures(),
    Verdict.WATCH: Measures(),
    Verdict.AUTHORISED: Measures(),
    Verdict.HARVESTING: Measures(
        requests_per_minute=6.0,
        campaign_requests_per_minute=60.0,
        edits=Edits(no_logprobs=True, reasoning=Reasoning.SUMMARY),
    ),
}
"""One row for every verdict."""
LASTS = 86_400.0
"""Seconds that a standing holds after the look that wrote it."""


def standings(results: Iterable[AccountResult], now: float) -> list[Standing]:
    """The standings of accounts that are not `clear`, as of `now` (UTC seconds)."""
    return [
        Standing(
            account=result.account,
            verdict=result.verdict,
            until=now + LASTS,
            measures=LADDER[result.verdict],
            campaign=result.campaign,
            reference=reference(result),
        )
        for result in results
        if result.verdict is not Verdict.CLEAR
    ]


def reference(result: AccountResult) -> str:
    """What a customer quotes in an appeal: the same as long as account and time of the verdict are."""
    text = f"{result.account}|{result.verdict.value}|{result.first_flagged_at}"
    return "case-" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
