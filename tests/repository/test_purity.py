"""The core is free of I/O: the stages that judge take records in and give records out, the same for the same input.

Then a verdict can be computed again from the same log, in a test or in court, and nothing it rests on is hidden.
"""

from __future__ import annotations

import ast

import pytest
from tests.repository.tree import Source, python_sources, told

CORE = ("fingerprint", "profile", "link", "harvest", "decide")

LOADERS: dict[str, str] = {"harvest/model.py": "load"}
"""The one function of a file that may read packaged data (a fitted model), as ``{"harvest/model.py": "load"}``."""

FORBIDDEN_MODULES = {
    "aiohttp", "asyncio", "duckdb", "ftplib", "http", "httpx", "httpx2", "io", "logging", "multiprocessing", "os",
    "psycopg", "random", "requests", "shutil", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "time",
    "urllib", "urllib3",
}  # fmt: skip
"""The world outside, the clock, and chance without a seed. (`numpy.random.default_rng(seed)` is fine.)"""

FORBIDDEN_CALLS = {
    "open", "print", "input", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "iterdir",
    "glob", "rglob", "urlopen", "now", "utcnow", "today", "fromfile", "tofile", "memmap", "memory_map",
    "read_table", "write_table", "loadtxt", "savetxt", "savez", "getenv",
}  # fmt: skip

RULE = (
    "fingerprint, profile, link, harvest and decide do no I/O and read neither clock nor environment: they take "
    "values and return values. Let pipeline read it and pass it in. A fitted model that ships with the package may be "
    "read by one function, named in LOADERS in this file."
)


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _unseeded(call: ast.Call) -> bool:
    """`np.random.something(...)` draws from hidden state, and `default_rng()` without a seed from the system."""
    if _name(call) == "default_rng":
        return not call.args and not call.keywords
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Attribute)
        and function.value.attr == "random"
        and function.attr[:1].islower()
    )


def problems(source: Source, loaders: dict[str, str]) -> list[str]:
    """Where one file of the core touches the world."""
    out = [
        f"{source.path}:{item.line} imports {item.module}"
        for item in source.imports()
        if item.module.split(".")[0] in FORBIDDEN_MODULES
    ]
    exempt = {
        id(inner)
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef) and node.name == loaders.get(source.path)
        for inner in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or id(node) in exempt:
            continue
        if _name(node) in FORBIDDEN_CALLS:
            out.append(f"{source.path}:{node.lineno} calls {_name(node)}()")
        elif _unseeded(node):
            out.append(f"{source.path}:{node.lineno} draws random numbers without a seed")
    return out


def test_the_core_does_no_io() -> None:
    found = [problem for source in python_sources(*CORE) for problem in problems(source, LOADERS)]
    assert not found, told(found, RULE)


def test_loaders_are_needed() -> None:
    sources = {source.path: source for source in python_sources(*CORE)}
    stale = [
        path
        for path in LOADERS
        if path not in sources or problems(sources[path], {}) == problems(sources[path], LOADERS)
    ]
    assert not stale, told(stale, "LOADERS lists functions that read nothing any more; take them out:")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("import numpy as np\nrng = np.random.default_rng(7)", True),
        ("import numpy as np\nrng = np.random.default_rng()", False),
        ("import numpy as np\nx = np.random.rand(3)", False),
        ("import numpy as np\ndef f(rng: np.random.Generator): return rng.normal()", True),
        ("import duckdb", False),
        ("from urllib.request import urlopen", False),
        ("def f(path): return open(path).read()", False),
        ("def load(path): return path.read_bytes()", True),
        ("def other(path): return path.read_bytes()", False),
        ("from datetime import datetime\nx = datetime.now()", False),
        ("def f(text): return text.split()", True),
    ],
)
def test_the_rule_itself(text: str, allowed: bool) -> None:
    assert (problems(Source("link/made_up.py", text), {"link/made_up.py": "load"}) == []) is allowed
