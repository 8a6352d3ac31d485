"""Write docs/reference/signals.md from the docstrings of the channels and signals.

    python tools/signals_page.py

A test compares the page with what this makes, so a changed claim and a stale page cannot be committed together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from revenuer.harvest.signals import EXCHANGEABILITY, SIGNALS
from revenuer.link.candidates import CHANNELS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "signals.md"
PARTS = ("Detects", "Misses", "False positives", "Evasion costs")

HEAD = """# Channels and signals

Made by `python tools/signals_page.py` from the docstrings; change those. What a detection must prove before it is
listed here is in [PHILOSOPHY](../../PHILOSOPHY.md); what was tried and left out, in
[decision 0007](../decisions/0007-signals-left-out.md).

A channel says *who* may belong together. A signal is a measured fact about a group of accounts that a channel proposed.
No signal decides by itself: monotone trees weigh all of them
([decision 0005](../decisions/0005-monotone-trees-weigh-the-signals.md)), so that more of a signal never lowers a score,
and the innocent look-alike of one is told apart by the others.
"""

EXCHANGEABLE = """## Signals of exchangeability

Are the accounts shards of one work list, or customers of their own? Each is the log Bayes factor of one attribute's
variance between the accounts, as one operator's against unrelated customers', from an analysis of variance
(`harvest/exchangeable.py`); zero where there is too little to tell.
"""


def paragraphs(detection: Callable[..., Any]) -> list[str]:
    """The paragraphs of a docstring, each on one line."""
    return [re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", detection.__doc__ or "") if part.strip()]


def claims(detection: Callable[..., Any]) -> dict[str, str]:
    """The parts of a detection's claim, each without its label; a part that is not there is missing."""
    text = " ".join(paragraphs(detection))
    found = re.findall(rf"\b({'|'.join(PARTS)}): (.+?)(?= (?:{'|'.join(PARTS)}): |$)", text)
    return {label: said.strip() for label, said in found}


def entry(name: str, detection: Callable[..., Any]) -> str:
    """A detection's section: what it measures, then its claim as a list."""
    what = [part for part in paragraphs(detection) if not part.startswith(PARTS[0])]
    listed = "\n".join(f"- **{label}**: {said}" for label, said in claims(detection).items())
    return "\n\n".join([f"### `{name}`", *what, listed])


def page() -> str:
    """The whole page."""
    parts = [HEAD.strip(), "## Channels of links"]
    parts += [entry(channel.value, propose) for channel, propose in CHANNELS]
    parts += [EXCHANGEABLE.strip()]
    parts += [entry(one.id, one.measure) for one in EXCHANGEABILITY]
    parts += ["## Other signals"]
    parts += [entry(signal.id, signal.measure) for signal in SIGNALS]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
