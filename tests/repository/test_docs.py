"""The documents point at things that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.repository.tree import PACKAGE, ROOT, repository_files, text_of, told

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
DECISION = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
REGISTRY = re.compile(r"`([A-Z][A-Z_]+)` in `([a-z./_]+)`")


def _documents() -> list[Path]:
    return [path for path in repository_files() if path.suffix == ".md"]


def test_links_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in _documents()
        for target in LINK.findall(text_of(path) or "")
        if not (path.parent / target).exists()
    ]
    assert not broken, told(broken, "These links lead nowhere; mend or remove them.")


def test_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    names = sorted(path.name for path in folder.iterdir())
    numbers = [match[1] for name in names if (match := DECISION.fullmatch(name))]
    assert len(numbers) == len(names), f"a decision is called NNNN-what-it-says.md: {names}"
    assert numbers == [f"{number:04d}" for number in range(1, len(names) + 1)], "decisions are numbered without gaps"
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    unlisted = [name for name in names if f"decisions/{name}" not in index]
    assert not unlisted, told(unlisted, "Give each of these decisions its line in docs/index.md.")


def _assigned(folder: Path) -> set[str]:
    """Names given a value at the top of any module of a folder or file."""
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
    return {
        target.id
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        for target in (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if isinstance(target, ast.Name)
    }


def test_the_lists_that_contributing_names_exist() -> None:
    named = REGISTRY.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert named, "CONTRIBUTING.md names no list any more"
    missing = []
    for name, where in named:
        places = [ROOT / where, PACKAGE / where]
        if not any(name in _assigned(place) for place in places if place.exists()):
            missing.append(f"{name} in {where}")
    assert not missing, told(missing, 'The table "To add a new ..." in CONTRIBUTING.md names lists that do not exist.')
