"""What every test can use: the larger data set, a browser, Hypothesis profiles, and a list of what did not run."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

NO_DATA = (
    "the larger data set is not here: put it at ../shared/data beside the repository, or name its folder in "
    "REVENUER_SHARED"
)
NO_CHROMIUM = "Chromium is not installed: `sh tools/need.sh chromium` installs it on Debian as root, or says how"

# Machines differ in speed, and no test here is about time. CI draws the same examples at every run; at home each run
# draws new ones.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The larger data set (see the `shared` marker); a test that asks for it is listed as not run without it."""
    named = os.environ.get("REVENUER_SHARED")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if named:
            pytest.fail(f"REVENUER_SHARED names a folder that is not there: {named}")
        pytest.skip(NO_DATA)
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium (see the `browser` marker); a test that asks for it is listed as not run without it."""
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip(NO_CHROMIUM)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List, by reason, every test that did not run: a skip that nobody sees is a test that nobody has."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")].append(report.nodeid or report.fspath)
    for item in terminalreporter.stats.get("deselected", []):
        reasons["left out by the command line (-m, -k or --deselect)"].append(item.nodeid)
    if not reasons:
        return
    terminalreporter.section("TESTS THAT DID NOT RUN", sep="!", yellow=True, bold=True)
    for reason, names in sorted(reasons.items()):
        terminalreporter.write_line(f"{len(names)} not run: {reason}", yellow=True, bold=True)
        for name in names[:20]:
            terminalreporter.write_line(f"    {name}")
        if len(names) > 20:
            terminalreporter.write_line(f"    and {len(names) - 20} more")
