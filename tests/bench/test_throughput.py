"""The parts of the speed benchmark run in children of their own and say what they measured."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bench.throughput import Part, in_child, section
from bench.traffic import harvest_of

from revenuer.records import StageTime


def test_a_child_reads_and_fingerprints_the_whole_log(fold_b: Path, tmp_path: Path) -> None:
    part = in_child("reading", next(fold_b.glob("exchanges.*")), tmp_path)
    assert part.exchanges == len(harvest_of(fold_b))
    assert [stage.stage for stage in part.stages] == ["read and decode", "fingerprint"]
    assert part.cpu > 0
    assert 0.05 < part.peak_gib < 2


def test_the_peer_embeds_the_same_texts(fold_b: Path, tmp_path: Path) -> None:
    part = in_child("peer", next(fold_b.glob("exchanges.*")), tmp_path)
    assert len(part.ratios) >= 1
    assert min(part.ratios) > 0


def test_figures_are_of_one_core() -> None:
    reading = Part(300_000, (StageTime("read and decode", 20.0, 10.0), StageTime("fingerprint", 60.0, 30.0)), 0.5)
    peer = Part(10, (), 0.3, (0.5, 0.3, 0.4))
    scan = msgspec.structs.replace(reading, peak_gib=1.25)
    text = section("HEADING", "SAID", reading, peer, scan)
    assert "| exchanges a second a core, reading and fingerprinting | 7,500 | 5,000 |" in text
    assert "0.40 (0.30 to 0.50)" in text
    assert "| peak memory, whole scan | 1.25 GiB | 2 GiB |" in text
    assert "| fingerprint | 75% |" in text
    assert "whole scan" not in section("HEADING", "SAID", reading, peer, None).lower()
