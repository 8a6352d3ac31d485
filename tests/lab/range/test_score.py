from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.lab.range.make import TruthAccount
from revenuer.lab.range.score import (
    Outcome,
    Truth,
    bcubed,
    load_result,
    load_summary,
    load_truth,
    recall_at,
    score,
    score_outcomes,
    wilson,
)
from revenuer.records import AccountResult, Verdict


def _account(name: str, campaign: str | None = None, cls: str = "chat_user", authorised: bool = False) -> TruthAccount:
    operator = f"op_{campaign}" if campaign else f"op_{name[0]}"
    role = "campaign" if campaign else "benign"
    return TruthAccount(account=name, role=role, cls=cls, campaign=campaign, operator=operator, authorised=authorised)


# Two campaigns (a of four accounts, b of two), five honest accounts of three operators, one authorised.
TRUTH = Truth(
    accounts=(
        *(_account(f"a{i}", "A", "chinese") for i in range(4)),
        *(_account(f"b{i}", "B", "russian") for i in range(2)),
        _account("x1"),
        _account("x2", cls="agency"),
        _account("y1", cls="agency"),
        _account("z1"),
        _account("z2"),
        _account("l1", cls="licensed_distillation", authorised=True),
    ),
    harvest={
        ("A", "a0"): [1.0, 2.0, 3.0, 4.0],
        ("A", "a1"): [1.0, 5.0],
        ("A", "a2"): [9.0],
        ("A", "a3"): [1.0],
        ("B", "b0"): [1.0, 2.0],
        ("B", "b1"): [3.0, 4.0],
    },
)
FOUND = {
    "a0": Outcome(9.0, 2.5, "g1"),  # leaks 2 of 4
    "a1": Outcome(8.0, 2.5, "g1"),  # leaks 1 of 2
    "a2": Outcome(7.0, 2.5, "g1"),  # leaks 0 of 1
    "a3": Outcome(2.0, None, None),  # leaks 1 of 1
    "b0": Outcome(5.0, 10.0, "g2"),  # leaks 2 of 2
    "b1": Outcome(5.0, None, "g2"),  # leaks 2 of 2
    "x1": Outcome(6.0, 4.0, "g2"),
    "x2": Outcome(1.0, None, "g3"),
    "y1": Outcome(1.0, None, "g3"),
    "z1": Outcome(0.0, None, None),
    "l1": Outcome(9.5, None, "g4"),
    "stranger": Outcome(9.9, 1.0, "g1"),
}


def test_figures_worked_out_by_hand() -> None:
    s = score_outcomes(TRUTH, FOUND)
    assert (s.recall.hits, s.recall.of) == (4, 6)
    assert (s.false_alarms.hits, s.false_alarms.of) == (1, 5)
    assert (s.by_class["agency"].hits, s.by_class["agency"].of) == (0, 2)
    assert (s.by_class["chat_user"].hits, s.by_class["chat_user"].of) == (1, 3)
    assert (s.wrongly_accused_operators.hits, s.wrongly_accused_operators.of) == (1, 3)
    assert (s.authorised_accused.hits, s.authorised_accused.of) == (0, 1)
    assert {c.campaign: c.leaked for c in s.campaigns} == {"A": 4 / 8, "B": 1.0}
    assert s.leaked == 0.75
    assert {c.campaign: c.found for c in s.campaigns} == {"A": True, "B": False}  # g2 is 2 of 3 pure
    assert (s.found.hits, s.shapes_found.hits) == (1, 1)
    assert s.benign_in_campaign_groups == 1
    assert s.unknown_accounts == 1
    assert s.recall_at_1_percent == s.recall_at_01_percent == 0.5  # x1 at 6.0 is the bar; a0, a1, a2 above


def test_bcubed_worked_out_by_hand() -> None:
    precision, recall = bcubed(
        TRUTH, {t.account: FOUND.get(t.account, Outcome(0.0, None, None)) for t in TRUTH.accounts}
    )
    # Items: a0 a1 a2 (g1), a3 alone, b0 b1 x1 (g2). x2, y1 are grouped among honest accounts only and do not count.
    assert precision == pytest.approx((1 + 1 + 1 + 1 + 2 / 3 + 2 / 3 + 1 / 3) / 7)
    assert recall == pytest.approx((3 / 4 * 3 + 1 / 4 + 1 + 1) / 6)


def test_a_perfect_detector_and_a_silent_one() -> None:
    perfect = {t.account: Outcome(1.0, -math.inf, t.campaign) for t in TRUTH.accounts if t.campaign}
    s = score_outcomes(TRUTH, perfect)
    assert (s.recall.share, s.false_alarms.share, s.bcubed_f1, s.found.share, s.leaked) == (1.0, 0.0, 1.0, 1.0, 0.0)
    assert s.recall_at_01_percent == 1.0
    silent = score_outcomes(TRUTH, {})
    assert (silent.recall.share, silent.leaked, silent.found.hits, silent.recall_at_1_percent) == (0.0, 1.0, 0, 0.0)
    assert silent.bcubed_precision == 1.0


def test_accusing_an_authorised_account_is_counted_apart() -> None:
    s = score_outcomes(TRUTH, {"l1": Outcome(1.0, 1.0, None)})
    assert s.authorised_accused.hits == 1
    assert s.false_alarms.hits == 0


def test_ties_count_against() -> None:
    assert recall_at([5.0, 5.0], [5.0] * 100, 0.01) == 0.0
    assert recall_at([6.0, 5.0], [5.0] * 100, 0.01) == 0.5
    assert recall_at([6.0, 5.0], [5.5, *[4.0] * 99], 0.01) == 1.0


SCORES = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=60)


@given(SCORES, SCORES, st.sampled_from([0.0, 0.01, 0.05, 0.2]))
def test_recall_at_is_the_best_threshold_that_keeps_the_rate(
    attack: list[float], benign: list[float], rate: float
) -> None:
    best = 0.0
    for bar in {*attack, *benign}:
        if sum(b >= bar for b in benign) <= rate * len(benign) + 1e-9:
            best = max(best, sum(a >= bar for a in attack) / len(attack))
    assert recall_at(attack, benign, rate) == best


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_holds_the_share_and_narrows(hits: int, more: int) -> None:
    of = hits + more
    rate = wilson(hits, of)
    assert 0.0 <= rate.low <= rate.share <= rate.high <= 1.0
    if of:
        wide = wilson(hits * 10, of * 10)
        assert wide.high - wide.low < rate.high - rate.low


def test_wilson_against_published_values() -> None:
    rate = wilson(10, 100)
    assert [rate.low, rate.high] == pytest.approx([0.05523, 0.17437], abs=1e-4)


GROUPS = st.lists(st.sampled_from([None, "g1", "g2", "g3"]), min_size=12, max_size=12)


@given(GROUPS)
def test_bcubed_is_bounded_and_blind_to_names(groups: list[str | None]) -> None:
    of = {t.account: Outcome(0.0, None, g) for t, g in zip(TRUTH.accounts, groups, strict=True)}
    renamed = {a: o._replace(group=o.group and o.group[::-1]) for a, o in of.items()}
    precision, recall = bcubed(TRUTH, of)
    assert 0 < precision <= 1
    assert 0 < recall <= 1
    assert bcubed(TRUTH, renamed) == pytest.approx((precision, recall))


@given(st.floats(0, 10))
def test_flagging_earlier_never_leaks_more(at: float) -> None:
    early = score_outcomes(TRUTH, {"a0": Outcome(1.0, at, None)})
    late = score_outcomes(TRUTH, {"a0": Outcome(1.0, at + 1.0, None)})
    assert early.leaked <= late.leaked


def test_files_are_read_as_the_formats_say(tmp_path: Path) -> None:
    ranged, result = tmp_path / "range", tmp_path / "result"
    ranged.mkdir()
    result.mkdir()
    (ranged / "truth_accounts.jsonl").write_bytes(b"\n".join(msgspec.json.encode(t) for t in TRUTH.accounts))
    rows = [(c, a, ts) for (c, a), times in TRUTH.harvest.items() for ts in times] + [(None, "x1", 1.0)]
    campaigns, accounts, times = zip(*rows, strict=True)
    columns = {"campaign": pa.array(campaigns, pa.string()), "account": accounts, "ts": times}
    pq.write_table(pa.table(columns), ranged / "truth_exchanges.parquet")
    verdicts = {a: Verdict.HARVESTING if o.flagged_at is not None else Verdict.CLEAR for a, o in FOUND.items()}
    (result / "accounts.jsonl").write_bytes(
        b"\n".join(
            msgspec.json.encode(
                AccountResult(
                    account=a,
                    campaign=o.group,
                    score=o.score,
                    verdict=verdicts[a],
                    first_flagged_at=o.flagged_at,
                    reasons=(),
                )
            )
            for a, o in FOUND.items()
        )
    )
    assert load_truth(ranged).harvest == TRUTH.harvest
    assert score(ranged, result) == score_outcomes(TRUTH, FOUND)


def test_a_verdict_without_a_time_leaks_everything(tmp_path: Path) -> None:
    row = AccountResult(
        account="a0", campaign=None, score=1.0, verdict=Verdict.HARVESTING, first_flagged_at=None, reasons=()
    )
    (tmp_path / "accounts.jsonl").write_bytes(msgspec.json.encode(row))
    outcomes = load_result(tmp_path)
    s = score_outcomes(TRUTH, outcomes)
    assert s.recall.hits == 1
    assert s.leaked == 1.0


def test_a_range_scores_itself(small: tuple[Path, object]) -> None:
    truth = load_truth(small[0])
    s = score_outcomes(truth, {t.account: Outcome(1.0, -math.inf, t.campaign) for t in truth.accounts if t.campaign})
    assert (s.recall.share, s.bcubed_f1, s.found.share, s.leaked) == (1.0, 1.0, 1.0, 0.0)
    assert sum(c.exchanges for c in s.campaigns) == load_summary(small[0]).harvest
