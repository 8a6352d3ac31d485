"""Which prompts and load curves the benchmarks use: the larger data set if it is here, else what ships."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from revenuer.lab.range import Traces


class Data(NamedTuple):
    """`prompts` None means the bundled ones; `said` goes into the results."""

    prompts: Path | None
    traces: Traces
    said: str


def find_data() -> Data:
    """The larger data set at ``$REVENUER_SHARED`` or ``../shared/data``; without it, the bundled prompts, loudly.

    Raises FileNotFoundError where the variable names a folder that has no prompts.
    """
    named = os.environ.get("REVENUER_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if (folder / "prompts").is_dir():
        return Data(folder / "prompts", Traces.load(folder / "traces"), "Prompts: the larger data set.")
    if named:
        raise FileNotFoundError(f"REVENUER_SHARED names {named}, which has no folder `prompts`")
    said = (
        "PROMPTS: ONLY THE BUNDLED ONES, which are few and of few sources; the larger data set was not beside the "
        "repository (REVENUER_SHARED names it). These figures do not compare with those of a full run."
    )
    print(f"\n!!! {said}\n", file=sys.stderr)
    return Data(None, Traces(), said)
