from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from revenuer.lab.range.config import Fold
from revenuer.lab.range.pool import FOLDS, Flavour, PoolError, PromptPool, bundled_prompts, fold_of


def test_folds_have_no_source_in_common_and_both_can_fill_every_need(pool: PromptPool) -> None:
    a, b = (PromptPool.load(fold=fold) for fold in Fold)
    names = {s.name for s in a.sources}, {s.name for s in b.sources}
    assert names[0].isdisjoint(names[1])
    assert names[0] | names[1] == {s.name for s in pool.sources}
    for half in (a, b):
        for kind in ("chat", "eval_harness", "customer_service", "agent"):
            assert half.of("benign", kind) or kind == "agent", kind
        assert len(half.of("attack")) >= 2


def test_unlisted_sources_alternate() -> None:
    folds = fold_of([("benign", "chat", "zz1"), ("benign", "chat", "zz2"), ("attack", "judge_rubric", "zz3")])
    assert folds == {"zz1": Fold.A, "zz2": Fold.B, "zz3": Fold.A}


def test_every_bundled_source_has_a_fold_credit_and_licence() -> None:
    credits = (bundled_prompts() / "CREDITS.md").read_text()
    for file in bundled_prompts().glob("*.jsonl.gz"):
        role, name = file.name.removesuffix(".jsonl.gz").split("__", 1)
        assert name in FOLDS
        assert f"{role}__{name}" in credits
        with gzip.open(file, "rt") as lines:
            for line in lines:
                licence = json.loads(line)["licence"]
                assert licence
                assert "NC" not in licence
                assert "claimed" not in licence


def test_include_and_exclude_name_sources() -> None:
    pool = PromptPool.load(include=("oasst1_en_val", "gorilla_apibench"))
    assert [s.name for s in pool.sources] == ["gorilla_apibench", "oasst1_en_val"]
    assert "banking77" not in {s.name for s in PromptPool.load(exclude=("banking77",)).sources}
    with pytest.raises(PoolError, match="no source named 'nope'"):
        PromptPool.load(exclude=("nope",))
    with pytest.raises(PoolError, match="at least one benign and one attack"):
        PromptPool.load(include=("oasst1_en_val",))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=tmp_path.name):
        PromptPool.load(tmp_path)


def test_conversations_keep_their_turns_in_order(pool: PromptPool) -> None:
    source = pool.named("oasst1_en_val")[0]
    turns: dict[str, list[str]] = {}
    for row in sorted(source.rows, key=lambda r: r.turn):
        turns.setdefault(row.conversation_id or "", []).append(row.text)
    got = {c.turns for c in pool.conversations if c.source == source.name}
    assert got == {tuple(t) for t in turns.values()}


def test_topics_are_of_their_flavour(pool: PromptPool) -> None:
    from random import Random

    kinds = {s.name: s.kind for s in pool.sources}
    for topic in pool.interests(Random(1), 30, Flavour.STUDY):
        assert all(kinds[pool.conversations[i].source].startswith("eval_harness") for i in pool.topic(topic))
