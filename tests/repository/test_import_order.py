"""The folders are the data flow: a stage imports what stands to its left, so that each can be read alone."""

from __future__ import annotations

import pytest
from tests.repository.tree import Source, sources, told

ORDER: tuple[tuple[str, ...], ...] = (
    ("records",),
    ("settings",),
    ("ingest",),
    ("gateway",),
    ("fingerprint",),
    ("store",),
    ("intake",),
    ("profile",),
    ("link",),
    ("harvest",),
    ("decide",),
    ("enforce",),
    ("prove",),
    ("screen",),
    ("report",),
    ("pipeline",),
    ("worker", "console"),
    ("up",),
    ("cli", "__main__"),
)
"""Left to right as the data flows. Stages in one group do not import each other, but for the two of the command."""

RANK = {stage: rank for rank, group in enumerate(ORDER) for stage in group}
LAB = "lab"
RULE = (
    "A stage imports records, settings and the stages to its left only (the order is ORDER in this file). Move the "
    "shared piece left, or pass the value in from pipeline. Nobody imports lab but cli, inside a function."
)


def problems(source: Source) -> list[str]:
    """Imports of one file that go against the flow."""
    out: list[str] = []
    stage = source.stage
    if stage == "__init__":
        stage = "records"
    if stage != LAB and stage not in RANK:
        return [f"{source.path}: '{stage}' has no place in the flow; give it one in ORDER"]
    for item in source.imports():
        parts = item.module.split(".")
        where = f"{source.path}:{item.line} imports {item.module}"
        if parts[0] in ("tests", "bench"):
            out.append(f"{where}: the package does not know its tests or benches")
        if parts[0] != "revenuer" or len(parts) == 1:
            continue
        target = parts[1]
        if target in (stage, "__version__"):
            continue
        if target == LAB:
            if stage != "cli":
                out.append(f"{where}: nobody imports lab")
            elif not item.lazy:
                out.append(f"{where}: cli imports lab inside the function that needs it")
        elif target not in RANK:
            out.append(f"{where}: '{target}' has no place in the flow; give it one in ORDER")
        elif stage == LAB:
            if target in ("cli", "__main__"):
                out.append(f"{where}: the command line uses the lab, not the other way round")
        elif RANK[target] >= RANK[stage] and {stage, target} != {"cli", "__main__"}:
            out.append(f"{where}: '{target}' stands to the right of '{stage}'")
    return out


def test_every_import_follows_the_flow() -> None:
    found = [problem for source in sources() for problem in problems(source)]
    assert not found, told(found, RULE)


@pytest.mark.parametrize(
    ("path", "text", "allowed"),
    [
        ("link/graph.py", "from revenuer.records import Edge", True),
        ("link/graph.py", "from revenuer import settings, __version__", True),
        ("link/graph.py", "from revenuer.link.channels import CHANNELS", True),
        ("link/graph.py", "from .channels import CHANNELS", True),
        ("link/graph.py", "import revenuer.harvest", False),
        ("link/graph.py", "from revenuer import harvest", False),
        ("link/graph.py", "from .. import harvest", False),
        ("link/graph.py", "from ..harvest.signals import SIGNALS", False),
        ("link/graph.py", "def f():\n    from revenuer.harvest import fit", False),
        ("link/graph.py", "import tests.repository.tree", False),
        ("link/graph.py", "from revenuer.misc import thing", False),
        ("misc/thing.py", "import json", False),
        ("records.py", "from revenuer.settings import Settings", False),
        ("gateway/server.py", "from revenuer.ingest import IngestError", True),
        ("gateway/server.py", "from revenuer.console import pages", False),
        ("gateway/server.py", "from revenuer.store import EventStore", False),
        ("worker.py", "from revenuer.pipeline import scan", True),
        ("worker.py", "from revenuer.console import pages", False),
        ("lab/range/make.py", "from revenuer.pipeline import scan", True),
        ("lab/range/make.py", "from revenuer.cli import main", False),
        ("pipeline.py", "def f():\n    from revenuer.lab import range", False),
        ("cli.py", "def f():\n    from revenuer.lab import range", True),
        ("cli.py", "from revenuer.lab import range", False),
        ("__main__.py", "from revenuer.cli import main", True),
        ("__init__.py", "from revenuer.pipeline import scan", False),
    ],
)
def test_the_rule_itself(path: str, text: str, allowed: bool) -> None:
    assert (problems(Source(path, text)) == []) is allowed
