"""What a file may contain and how long it may be, and that each source has its test."""

from __future__ import annotations

import ast
import re

import pytest
from tests.repository.tree import ROOT, Source, repository_files, sources, text_of, told

MAX_LINES = 500
MIRROR_FROM = 25
"""Sources of fewer lines, or without a function or class of their own, need no test file of their own."""

UNTESTED: dict[str, str] = {}
"""Sources without a test file of their own, each with the reason: ``{"cli.py": "..."}``. May only shrink."""

RECORDED = "src/revenuer/data/"
"""Other people's words, quoted as they wrote them: the rules about wording stop here."""

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK|WIP)\b|\bNotImplementedError\b|\bnot (?:yet )?implemented\b")

MACHINE_PATH = re.compile(
    r"(?<![\w.}~*<-])/(?:work|tmp|root|farm|opt|mnt)/[\w.]|(?<![\w./])/(?:home|Users)/(?!user|you)\w"
)
REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:com|org)|crates\.io|proxy\.golang\.org|repo1?\.maven\.org"
    r"|(?:deb|security|snapshot)\.debian\.org|huggingface\.co)\b",
    re.I,
)


def _texts() -> list[tuple[str, str]]:
    """Path and text of each text file of the repository, but for recorded data."""
    named = [(path.relative_to(ROOT).as_posix(), path) for path in repository_files()]
    return [
        (name, text) for name, path in named if not name.startswith(RECORDED) and (text := text_of(path)) is not None
    ]


def _lines(pattern: re.Pattern[str], only: str = "") -> list[str]:
    return [
        f"{name}:{number} {line.strip()[:100]}"
        for name, text in _texts()
        if name.startswith(only)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def mirror(path: str) -> str:
    """The test file of a source: ``link/graph.py`` has ``tests/link/test_graph.py``.

    A folder's own ``__init__.py`` has ``tests/link/test_link.py``.
    """
    *folders, file = path.split("/")
    name = file.removesuffix(".py")
    if name.strip("_") in ("init", "main"):
        name = folders[-1] if folders else "package"
    return "/".join(["tests", *folders, f"test_{name}.py"])


def wants_test(source: Source) -> bool:
    """Whether a source has enough of its own to need a test file."""
    defines = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in source.tree.body)
    return defines and len(source.text.splitlines()) > MIRROR_FROM


def _without_test() -> list[str]:
    return [s.path for s in sources() if wants_test(s) and not (ROOT / mirror(s.path)).is_file()]


def test_every_source_has_its_test_file() -> None:
    missing = [f"{path} wants {mirror(path)}" for path in _without_test() if path not in UNTESTED]
    assert not missing, told(
        missing,
        f"Tests mirror the source: each file of more than {MIRROR_FROM} lines with a function or class has a test file "
        "of its own.",
    )


def test_exemptions_from_the_mirror_only_shrink() -> None:
    stale = sorted(set(UNTESTED) - set(_without_test()))
    assert not stale, told(stale, "These have their test now, or are gone: take them out of UNTESTED.")
    unexplained = [path for path, reason in UNTESTED.items() if len(reason) < 20]
    assert not unexplained, told(unexplained, "An exemption says why, in a sentence that a newcomer accepts.")


def test_no_file_is_too_long() -> None:
    long = [
        f"{name}: {count} lines"
        for name, text in _texts()
        if name.endswith(".py") and (count := len(text.splitlines())) > MAX_LINES
    ]
    assert not long, told(long, f"A Python file has one subject and at most {MAX_LINES} lines. Split by subject.")


def test_every_module_says_what_it_is() -> None:
    silent = [source.path for source in sources() if not ast.get_docstring(source.tree)]
    assert not silent, told(silent, "Every module begins with a docstring: what it is for, in a sentence.")


def test_nothing_is_left_unfinished() -> None:
    found = _lines(UNFINISHED, only="src/")
    assert not found, told(found, "The package holds no unfinished parts. Finish it, or file an issue and delete it.")


def test_the_package_does_not_know_the_larger_data_set() -> None:
    found = _lines(re.compile(r"\.\./shared|REVENUER_SHARED|\bshared[/_]data\b"), only="src/")
    assert not found, told(
        found, "The package runs for people who do not have our larger data set; take a path as a parameter."
    )


def test_no_paths_of_one_machine() -> None:
    found = _lines(MACHINE_PATH)
    assert not found, told(found, "A path of one person's machine means nothing elsewhere. Use a relative one.")


def test_no_registry_hosts() -> None:
    found = _lines(REGISTRY_HOST)
    assert not found, told(
        found,
        "Which package registry to use is the installer's choice: name no host, so that mirrors and offline "
        "wheel folders work (decision 0002).",
    )


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("records.py", "tests/test_records.py"),
        ("link/graph.py", "tests/link/test_graph.py"),
        ("lab/range/make.py", "tests/lab/range/test_make.py"),
        ("lab/range/__init__.py", "tests/lab/range/test_range.py"),
    ],
)
def test_where_the_mirror_looks(source: str, test: str) -> None:
    assert mirror(source) == test


def test_what_the_mirror_asks_for() -> None:
    padding = "x = 1\n" * MIRROR_FROM
    assert wants_test(Source("link/a.py", padding + "def f(): ...\n"))
    assert not wants_test(Source("link/a.py", "def f(): ...\n"))
    assert not wants_test(Source("link/__init__.py", padding + "from revenuer.link.a import f\n"))


@pytest.mark.parametrize(
    ("pattern", "text", "hit"),
    [
        (MACHINE_PATH, 'open("/' + 'tmp/x")', True),
        (MACHINE_PATH, "see /" + "work/main", True),
        (MACHINE_PATH, "the home of /" + "home/alice/log", True),
        (MACHINE_PATH, "GET /v1/tmp.json", False),
        (MACHINE_PATH, "out/" + "tmp/x", False),
        (MACHINE_PATH, 'tmp_path / "work"', False),
        (REGISTRY_HOST, "https://" + "pypi" + ".org/simple", True),
        (REGISTRY_HOST, "the Python package index", False),
        (UNFINISHED, "# TO" + "DO: later", True),
        (UNFINISHED, "raise NotImplemented" + "Error", True),
        (UNFINISHED, "todos = []", False),
    ],
)
def test_what_the_patterns_find(pattern: re.Pattern[str], text: str, hit: bool) -> None:
    assert bool(pattern.search(text)) is hit
