from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from tests.report import sample
from tests.report.plans import PLANS

from revenuer.records import AccountResult, CampaignResult, Reason, ScanReport, Verdict
from revenuer.report.results import write_results

ACCOUNT_FIELDS = ["account", "campaign", "score", "verdict", "first_flagged_at", "reasons"]
CAMPAIGN_FIELDS = ["campaign", "accounts", "exchanges", "first_seen", "first_flagged_at", "score", "reasons"]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _with(report: ScanReport, *results: AccountResult) -> ScanReport:
    return msgspec.structs.replace(report, results=results)


def _result(account: str, score: float = 0.0, **more: object) -> AccountResult:
    base = AccountResult(
        account=account, campaign=None, score=score, verdict=Verdict.CLEAR, first_flagged_at=None, reasons=()
    )
    return msgspec.structs.replace(base, **more)


def test_the_exact_bytes_of_account_lines(tmp_path: Path) -> None:
    reasons = (
        Reason(signal="template_share", value=0.5, text="half"),
        Reason(signal="hours", value=22.0, text="«späť»", exchanges=("x1", "x2")),
    )
    flagged = _result(
        "b", 2.5, campaign="c1", verdict=Verdict.HARVESTING, first_flagged_at=1772323200.5, reasons=reasons
    )
    write_results(_with(sample.empty(), _result("a"), flagged), tmp_path)
    assert _lines(tmp_path / "accounts.jsonl") == [
        '{"account":"b","campaign":"c1","score":2.5,"verdict":"harvesting","first_flagged_at":1772323200.5,"reasons":'
        '[{"signal":"template_share","value":0.5,"text":"half"},'
        '{"signal":"hours","value":22.0,"text":"«späť»; for example x1, x2"}]}',
        '{"account":"a","campaign":null,"score":0.0,"verdict":"clear","first_flagged_at":null,"reasons":[]}',
    ]
    assert _lines(tmp_path / "campaigns.jsonl") == []


def test_the_exact_bytes_of_a_campaign_line(tmp_path: Path) -> None:
    detail = sample.campaign(PLANS[5], 5)
    result = CampaignResult(
        campaign="c1", accounts=("a", "b"), exchanges=7, first_seen=1.0, first_flagged_at=None, score=0.25, reasons=()
    )
    report = msgspec.structs.replace(sample.empty(), campaigns=(msgspec.structs.replace(detail, result=result),))
    write_results(report, tmp_path)
    assert _lines(tmp_path / "campaigns.jsonl") == [
        '{"campaign":"c1","accounts":["a","b"],"exchanges":7,"first_seen":1.0,"first_flagged_at":null,"score":0.25,"reasons":[]}'
    ]


def test_every_account_and_campaign_has_one_line_with_exactly_the_fields(tmp_path: Path) -> None:
    report = sample.rich()
    write_results(report, tmp_path / "made" / "for it")
    accounts = [json.loads(line) for line in _lines(tmp_path / "made" / "for it" / "accounts.jsonl")]
    campaigns = [json.loads(line) for line in _lines(tmp_path / "made" / "for it" / "campaigns.jsonl")]
    assert sorted(row["account"] for row in accounts) == sorted(result.account for result in report.results)
    assert [row["campaign"] for row in campaigns] == [detail.result.campaign for detail in report.campaigns]
    assert all(list(row) == ACCOUNT_FIELDS for row in accounts)
    assert all(list(row) == CAMPAIGN_FIELDS for row in campaigns)
    assert {tuple(reason) for row in (*accounts, *campaigns) for reason in row["reasons"]} == {
        ("signal", "value", "text"),
    }


def test_lines_read_back_as_the_records_they_were(tmp_path: Path) -> None:
    report = sample.rich()
    write_results(report, tmp_path)
    read = [msgspec.json.decode(line, type=AccountResult) for line in _lines(tmp_path / "accounts.jsonl")]
    written = {result.account: result for result in read}
    for result in report.results:
        row = written[result.account]
        assert msgspec.structs.replace(row, reasons=()) == msgspec.structs.replace(result, reasons=())
        assert [(r.signal, r.value) for r in row.reasons] == [(r.signal, r.value) for r in result.reasons]
        for found, wanted in zip(row.reasons, result.reasons, strict=True):
            assert found.text.startswith(wanted.text)
            assert all(name in found.text for name in wanted.exchanges)


def test_the_order_of_the_records_does_not_matter(tmp_path: Path) -> None:
    report = sample.rich()
    write_results(report, tmp_path / "a")
    write_results(_with(report, *reversed(report.results)), tmp_path / "b")
    assert (tmp_path / "a" / "accounts.jsonl").read_bytes() == (tmp_path / "b" / "accounts.jsonl").read_bytes()


def test_line_breaks_in_ids_do_not_break_lines(tmp_path: Path) -> None:
    write_results(_with(sample.empty(), _result("a\nb\u2028c\x00")), tmp_path)
    rows = (tmp_path / "accounts.jsonl").read_bytes().split(b"\n")
    assert json.loads(rows[0])["account"] == "a\nb\u2028c\x00"
    assert rows[1:] == [b""]


@pytest.mark.parametrize(
    "bad",
    [
        (_result("a", math.nan),),
        (_result("a", first_flagged_at=math.inf),),
        (_result("a", reasons=(Reason(signal="s", value=math.nan, text=""),)),),
        (_result("a"), _result("a")),
    ],
)
def test_what_json_cannot_say_is_refused_and_old_results_stay(tmp_path: Path, bad: tuple[AccountResult, ...]) -> None:
    write_results(_with(sample.empty(), _result("old")), tmp_path)
    before = (tmp_path / "accounts.jsonl").read_bytes()
    with pytest.raises(ValueError):
        write_results(_with(sample.empty(), *bad), tmp_path)
    assert (tmp_path / "accounts.jsonl").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accounts.jsonl", "campaigns.jsonl"]
