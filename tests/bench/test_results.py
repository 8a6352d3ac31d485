"""One section is replaced, all other text stays; what is said of the machine names no host."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path

import pytest
from bench.results import SectionError, circumstances, table, with_section, write_section
from hypothesis import given
from hypothesis import strategies as st

plain = st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"]), max_size=60)


@given(plain, plain, plain, plain)
def test_other_text_stays(before: str, body: str, after: str, new: str) -> None:
    text = f"{before}<!-- begin x -->\n{body}\n<!-- end x -->{after}"
    done = with_section(text, "x", new)
    assert done == f"{before}<!-- begin x -->\n{new.strip()}\n<!-- end x -->{after}"
    assert with_section(done, "x", new) == done


def test_sections_of_other_benchmarks_and_hand_written_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    write_section("speed", "fast", path)
    path.write_text(path.read_text() + "\n## By hand\n\nWhy.\n")
    write_section("quality", "good", path)
    write_section("speed", "faster", path)
    text = path.read_text()
    assert text.startswith("# Results")
    assert [text.count(part) for part in ("fast\n", "faster\n", "good\n", "## By hand\n\nWhy.\n")] == [0, 1, 1, 1]


@pytest.mark.parametrize("text", ["<!-- begin x -->", "<!-- end x --><!-- begin x -->", "<!-- begin x -->" * 2])
def test_broken_markers_are_refused(text: str) -> None:
    with pytest.raises(SectionError, match="'x'"):
        with_section(text, "x", "body")


def test_table() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | --: |\n| x | 1 |"


def test_circumstances_tell_versions_and_machine_but_no_names() -> None:
    said = circumstances("make thing")
    assert "`make thing`" in said
    assert f"Python {platform.python_version()}" in said
    assert "cores" in said
    for name in (platform.node(), getpass.getuser()):
        assert name not in said.split()
