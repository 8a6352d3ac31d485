"""What every detection says of itself, read from its docstring (STYLE of `PHILOSOPHY.md`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

PARTS = ("Detects", "Misses", "False positives", "Evasion costs")


def claims(detection: Callable[..., Any]) -> dict[str, str]:
    """The parts of a detection's claim, each without its label; a part that is not there is missing."""
    text = re.sub(r"\s+", " ", detection.__doc__ or "")
    found = re.findall(rf"\b({'|'.join(PARTS)}): (.+?)(?= (?:{'|'.join(PARTS)}): |$)", text)
    return {label: said.strip() for label, said in found}
