"""The source tree as the house rules see it: which files there are, and what each imports, calls and reads."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "revenuer"


@dataclass(frozen=True)
class Import:
    """One imported module, by its full dotted name. `lazy` when it stands inside a function."""

    module: str
    line: int
    lazy: bool


@dataclass(frozen=True)
class Source:
    """One Python file of the package, or a made-up one when `text` is given apart from the tree."""

    path: str
    """Relative to the package, with slashes: ``link/graph.py``."""
    text: str

    @property
    def stage(self) -> str:
        """The folder, or the module's own name at the top: ``link``, ``records``."""
        return self.path.split("/")[0].removesuffix(".py")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def imports(self) -> Iterator[Import]:
        """Every import of the file; a ``from`` import yields the module and each name as if it were one."""
        lazy = {
            id(inner)
            for outer in ast.walk(self.tree)
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
            for inner in ast.walk(outer)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno, id(node) in lazy)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for alias in node.names:
                    yield Import(f"{base}.{alias.name}", node.lineno, id(node) in lazy)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = ["revenuer", *self.path.split("/")[:-1]]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])


@lru_cache(maxsize=1)
def sources() -> tuple[Source, ...]:
    """Every Python file of the package."""
    return tuple(
        Source(path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    )


def python_sources(*stages: str) -> list[Source]:
    """The Python files of some stages."""
    return [source for source in sources() if source.stage in stages]


@lru_cache(maxsize=1)
def repository_files() -> tuple[Path, ...]:
    """Files that git holds, or would if they were added."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    return tuple(path for name in names if (path := ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """The text of a file, or None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def told(problems: list[str], rule: str) -> str:
    """A failure message: the rule and its reason first, then each place that breaks it."""
    return "\n".join([rule, *(f"  {problem}" for problem in problems)])
