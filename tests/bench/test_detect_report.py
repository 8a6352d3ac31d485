"""The section on detection says what was measured: every method, class and shape, and every goal missed."""

from __future__ import annotations

import math

import msgspec
import pytest
from bench.detect_report import best_baseline, section, shape_table, shortfalls, stage_table
from bench.measure import Accused, Figures

from revenuer.lab.range.make import TruthAccount
from revenuer.lab.range.score import Outcome, Score, Truth, score_outcomes
from revenuer.records import StageTime


def truth() -> Truth:
    accounts = [
        TruthAccount(
            account=f"h{i}", role="campaign", cls="light_accounts", campaign="c", operator="op", authorised=False
        )
        for i in range(4)
    ]
    accounts += [
        TruthAccount(account=f"b{i}", role="benign", cls="agency", campaign=None, operator=f"o{i}", authorised=i == 0)
        for i in range(10)
    ]
    return Truth(tuple(accounts), {("c", f"h{i}"): [float(t) for t in range(10)] for i in range(4)})


def scored(caught: int, at: float, group: str | None = None) -> Score:
    return score_outcomes(truth(), {f"h{i}": Outcome(2.0, at, group) for i in range(caught)})


def figures(method: str, seed: int, frozen: Score, strict: Score | None = None) -> Figures:
    return Figures(
        method=method,
        seed=seed,
        equal=dict.fromkeys((0.01, 0.001), strict or frozen),
        frozen=frozen,
        accused={"agency": Accused(2, 9)},
        seconds=3.0,
        timed=method != "Revenuer",
    )


@pytest.fixture
def found() -> list[Figures]:
    return [
        figures("Revenuer", 1, scored(4, 2.0, "g")),
        figures("Revenuer", 2, scored(3, 6.0, "g"), scored(2, math.inf, "g")),
        figures("weak", 1, scored(0, 5.0)),
        figures("weak", 2, scored(1, 5.0)),
        figures("strong", 1, scored(2, 5.0)),
        figures("strong", 2, scored(2, 5.0)),
    ]


def test_the_best_baseline_is_never_ours(found: list[Figures]) -> None:
    assert best_baseline(found, "Revenuer") == "strong"
    assert best_baseline(found[:2], "Revenuer") is None


def test_every_method_class_and_shape_is_shown(found: list[Figures]) -> None:
    text = section(found, [[StageTime("link", 1.0, 1.0)]], "Revenuer", "HEADING", ["NOTE"])
    for part in (
        "HEADING",
        "- NOTE",
        "| Revenuer |",
        "| weak |",
        "| strong |",
        "| agency |",
        "| light_accounts |",
        "link",
    ):
        assert part in text, part
    assert "2 range seeds" in text


def test_recall_of_a_shape_is_over_all_accounts_of_all_seeds(found: list[Figures]) -> None:
    row = shape_table(found, "Revenuer").splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # Ours: 6 of 8 accounts when strict, 7 at the verdicts; leaks of (4 x 2) / 40 and (3 x 6 + 10) / 40; a group twice.
    # Strong: 4 of 8 accounts.
    assert cells == ["light_accounts", "2", "0.75", "0.88", "0.45", "2", "0.50", "0.75"]


def test_without_ours_the_tables_have_the_baselines_alone(found: list[Figures]) -> None:
    text = section(found[2:], [], "Revenuer", "HEADING", [])
    assert "Against the goals" not in text
    assert "our verdicts |" not in text


def test_missed_goals_say_by_how_much_and_met_ones_do_not(found: list[Figures]) -> None:
    lines = {line.split(":")[0]: line for line in shortfalls(found, "Revenuer").splitlines()}
    assert lines["- mean leaked share"].endswith("goal <= 0.35, missed by 0.1")
    assert lines["- share of campaign accounts flagged"].endswith("goal >= 0.8")
    assert len(lines) == 7


def test_a_perfect_result_misses_nothing() -> None:
    perfect = scored(4, 0.0, "g")
    assert "missed" not in shortfalls([figures("Revenuer", 1, perfect)], "Revenuer")


def test_shares_of_time_add_up_over_scans() -> None:
    stages = [StageTime("read", 3.0, 1.0), StageTime("link", 1.0, 3.0)]
    text = stage_table([stages, stages])
    assert "| read | 25% | 75% |" in text
    assert "| link | 75% | 25% |" in text


def test_figures_survive_being_written(found: list[Figures]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Figures]) == found
