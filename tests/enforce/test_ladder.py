"""What a verdict leads to by itself: mild, visible, and nothing for those who are not accused."""

from __future__ import annotations

from revenuer.enforce.ladder import LADDER, LASTS, reference, standings
from revenuer.gateway.standing import Measures
from revenuer.records import AccountResult, Verdict


def result(verdict: Verdict, account: str = "a") -> AccountResult:
    return AccountResult(
        account=account, campaign="campaign-001", score=1.0, verdict=verdict, first_flagged_at=5.0, reasons=()
    )


def test_every_verdict_has_a_row_and_only_harvesting_a_measure() -> None:
    assert set(LADDER) == set(Verdict)
    assert [verdict for verdict, measures in LADDER.items() if measures != Measures()] == [Verdict.HARVESTING]


def test_nobody_is_refused_without_a_person() -> None:
    assert not any(measures.refuse or measures.challenge for measures in LADDER.values())


def test_standings_end_and_clear_accounts_have_none() -> None:
    found = standings([result(verdict, verdict.value) for verdict in Verdict], 100.0)
    assert {row.verdict for row in found} == set(Verdict) - {Verdict.CLEAR}
    assert all(row.until == 100.0 + LASTS for row in found)


def test_a_case_keeps_its_reference() -> None:
    assert reference(result(Verdict.HARVESTING)) == reference(result(Verdict.HARVESTING))
    assert reference(result(Verdict.HARVESTING)) != reference(result(Verdict.HARVESTING, "b"))
