"""`RESULTS.md`: each benchmark owns one section between two comments and leaves all other text alone."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("revenuer", "numpy", "scipy", "scikit-learn", "pyarrow", "duckdb", "wordllama")
HEAD = """# Results

Each section is written by the command it names. All traffic is real prompts in simulated campaigns: a figure here
says how methods compare on the range, not what they would find at a provider.
"""


class SectionError(ValueError):
    """The file's markers do not match; the message names the section."""


def with_section(text: str, name: str, body: str) -> str:
    """`text` with the section replaced, or appended where it has none; everything outside it stays as it was.

    Raises SectionError where a marker is missing, doubled or out of order.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{body.strip()}\n{end}"
    if begin not in text and end not in text:
        return (text or HEAD).rstrip("\n") + f"\n\n{section}\n"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise SectionError(f"section {name!r} needs one `{begin}` before one `{end}`")
    return text[: text.index(begin)] + section + text[text.index(end) + len(end) :]


def write_section(name: str, body: str, path: Path = RESULTS) -> None:
    """Put a section into the results file, which is made if needed."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(with_section(old, name, body), encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def circumstances(command: str) -> str:
    """Command, date, commit, versions and class of machine; no host or user names."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, commit {_commit()}; "
        f"Python {platform.python_version()}, {versions}. {machine()}"
    )


def machine() -> str:
    """Processor, cores usable and memory."""
    cpu = "processor unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"Machine: {cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB."


def _commit() -> str:
    def git(*words: str) -> str:
        call = ["git", "-c", "safe.directory=*", *words]
        return subprocess.run(call, capture_output=True, text=True, cwd=RESULTS.parent, check=False).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    changed = [line for line in git("status", "--porcelain").splitlines() if not line.endswith("RESULTS.md")]
    return f"{commit} with uncommitted changes" if changed else commit
