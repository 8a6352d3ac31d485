"""The result files of a scan: `accounts.jsonl` and `campaigns.jsonl`.

One JSON object a line, with exactly the fields of `records.AccountResult` and `records.CampaignResult`. A reason has
`signal`, `value` and `text`, no more; the exchanges behind it are named at the end of its text.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import msgspec

from revenuer.records import AccountResult, CampaignResult, Reason, ScanReport
from revenuer.report.files import replacing

Row = TypeVar("Row", AccountResult, CampaignResult)


def write_results(report: ScanReport, out: Path) -> None:
    """Write both result files into the folder `out`, which is made if needed; each file is replaced whole.

    Accounts are ordered by falling score, then by account id; campaigns keep the report's rank.

    Raises:
        ValueError: a number is not finite (JSON has no such number), or an account occurs twice.
        OSError: `out` cannot be written. In every case, older result files stay as they were.
    """
    accounts = sorted(report.results, key=lambda result: (-result.score, result.account))
    campaigns = [campaign.result for campaign in report.campaigns]
    for account in accounts:
        _check_finite(account.account, account.score, account.first_flagged_at, account.reasons)
    for campaign in campaigns:
        _check_finite(
            campaign.campaign, campaign.score, campaign.first_flagged_at, campaign.reasons, campaign.first_seen
        )
    if len({row.account for row in accounts}) != len(accounts):
        raise ValueError("an account occurs twice in the results")
    out.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder()
    with ExitStack() as files:  # neither file is renamed before both are written
        into_campaigns = files.enter_context(replacing(out / "campaigns.jsonl"))
        into_accounts = files.enter_context(replacing(out / "accounts.jsonl"))
        for account in accounts:
            into_accounts.write(encoder.encode(_spelled(account)) + b"\n")
        for campaign in campaigns:
            into_campaigns.write(encoder.encode(_spelled(campaign)) + b"\n")


def _spelled(row: Row) -> Row:
    """The same row with the exchanges of each reason named in its text."""
    reasons = tuple(
        Reason(signal=r.signal, value=r.value, text=f"{r.text}; for example {', '.join(r.exchanges)}")
        if r.exchanges
        else r
        for r in row.reasons
    )
    return msgspec.structs.replace(row, reasons=reasons)


def _check_finite(
    name: str, score: float, flagged: float | None, reasons: tuple[Reason, ...], first_seen: float = 0.0
) -> None:
    numbers = (score, flagged or 0.0, first_seen, *(reason.value for reason in reasons))
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"the result of {name!r} holds a number that is not finite")
