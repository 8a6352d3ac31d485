"""Lock files are in step with `pyproject.toml`, name no host, and hold only what its licence lets anybody use."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from tests.repository.tree import ROOT, told

RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
RENEW = "The lock files are not in step with pyproject.toml: run `make lock` and commit both."

PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0",
    "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
"""SPDX ids that may be depended on. MPL-2.0 covers its own files alone, which are used unchanged."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}

READ_BY_HAND = {
    "wordllama": "MIT",  # the field holds the whole licence text
}
"""Packages whose metadata do not name an SPDX id or a known classifier, as read in their licence files."""


@dataclass(frozen=True)
class Locked:
    """One entry of a lock file. `hashes` counts its sha256 digests."""

    name: str
    version: Version
    marker: Marker | None
    hashes: int

    def applies(self) -> bool:
        """Whether this machine installs it."""
        return self.marker is None or self.marker.evaluate()


def read_lock(name: str) -> list[Locked]:
    """The entries of a lock file; a line that is neither entry, hash nor comment fails."""
    out: list[Locked] = []
    logical = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in logical.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry, *hashes = line.split("--hash=")
        assert not line.startswith("-"), f"{name}: '{line}' sets an option; a lock holds packages only"
        requirement = Requirement(entry.strip())
        assert requirement.url is None, f"{name}: {requirement.name} comes from an address"
        [pin] = requirement.specifier
        assert pin.operator == "==", f"{name}: {requirement.name} is not pinned"
        digests = [h for h in hashes if re.fullmatch(r"sha256:[0-9a-f]{64}", h.strip())]
        out.append(Locked(canonicalize_name(requirement.name), Version(pin.version), requirement.marker, len(digests)))
    return out


def project() -> dict[str, list[Requirement]]:
    """Requirements of `pyproject.toml` by extra; "" are those of the product, "build" of building it."""
    read = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {
        "": read["project"]["dependencies"],
        "build": read["build-system"]["requires"],
        **read["project"]["optional-dependencies"],
    }
    return {group: [Requirement(text) for text in texts] for group, texts in groups.items()}


@pytest.mark.parametrize(("lock", "groups"), [(RUNTIME, ["", "build"]), (DEVELOPMENT, ["", "build", "dev"])])
def test_every_dependency_is_locked_within_its_bounds(lock: str, groups: list[str]) -> None:
    versions: dict[str, list[Version]] = defaultdict(list)
    for entry in read_lock(lock):
        versions[entry.name].append(entry.version)
    problems = []
    for requirement in (requirement for group in groups for requirement in project()[group]):
        name = canonicalize_name(requirement.name)
        if name not in versions:
            problems.append(f"{lock}: {name} is missing")
        problems += [
            f"{lock}: {name} {version} does not satisfy '{requirement.specifier}'"
            for version in versions[name]
            if not requirement.specifier.contains(version, prereleases=True)
        ]
    assert not problems, told(problems, RENEW)


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT])
def test_every_entry_has_its_hashes(lock: str) -> None:
    bare = [f"{lock}: {entry.name}" for entry in read_lock(lock) if not entry.hashes]
    assert not bare, told(bare, "An entry without a sha256 could be anything (decision 0002).")


def test_tests_run_against_what_ships() -> None:
    development = {(entry.name, entry.version) for entry in read_lock(DEVELOPMENT)}
    other = [f"{e.name} {e.version}" for e in read_lock(RUNTIME) if (e.name, e.version) not in development]
    assert not other, told(other, f"{DEVELOPMENT} holds another version of what ships. {RENEW}")


def test_build_input_equals_the_build_requirements() -> None:
    lines = (ROOT / "tools" / "build.in").read_text(encoding="utf-8").splitlines()
    named = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert named == project()["build"], "tools/build.in and build-system.requires name different packages"


def licence_of(name: str) -> str:
    """The SPDX expression of an installed package, or what its metadata say instead."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    metadata = importlib.metadata.metadata(name)
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier", []) if c.startswith("License :: ")]
    if classifiers:
        return " AND ".join(CLASSIFIERS.get(c, c) for c in classifiers if c != "OSI Approved")
    return metadata["License"][:60] if "License" in metadata else "nothing"


def is_permissive(expression: str) -> bool:
    """Whether an SPDX expression lets anybody use the package: one branch of each OR, every part of each AND."""
    expression = expression.strip()
    while expression.startswith("(") and expression.endswith(")") and "(" not in expression[1:]:
        expression = expression[1:-1].strip()
    if "(" in expression:
        return all(part.strip("() ") in PERMISSIVE for part in re.split(r"\bAND\b|\bOR\b", expression))
    if " OR " in expression:
        return any(is_permissive(part) for part in expression.split(" OR "))
    return all(part.strip() in PERMISSIVE for part in expression.split(" AND "))


def test_every_dependency_may_be_used_by_anybody() -> None:
    problems = []
    for entry in read_lock(RUNTIME):
        if not entry.applies():
            continue
        licence = licence_of(entry.name)
        if not is_permissive(licence):
            problems.append(f"{entry.name} {entry.version}: {licence}")
    assert not problems, told(
        problems,
        "Revenuer is Apache-2.0 and depends on permissive licences only (no GPL or AGPL). If the metadata are merely "
        "unclear, read the licence file and add the package to READ_BY_HAND.",
    )


def test_licences_read_by_hand_are_needed() -> None:
    locked = {entry.name for entry in read_lock(RUNTIME)}
    stale = sorted(set(READ_BY_HAND) - locked)
    assert not stale, told(stale, "No longer depended on; take them out of READ_BY_HAND:")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-2-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", True),
        ("(MIT OR GPL-2.0-only) AND BSD-3-Clause", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("nothing", False),
    ],
)
def test_what_counts_as_permissive(expression: str, allowed: bool) -> None:
    assert is_permissive(expression) is allowed
