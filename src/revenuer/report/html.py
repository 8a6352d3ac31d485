"""The HTML report of a scan: one file that opens offline, asks nothing of the network, and runs only our own script.

Everything that comes from a log is treated as hostile. The template engine escapes it, `text` makes hiding and
reordering characters visible and bounds its length, and a content security policy with the hashes of our style sheet
and script keeps anything else from running or loading.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from revenuer.records import ScanReport
from revenuer.report import text, view
from revenuer.report.files import replacing

_TEMPLATES = Path(__file__).parent / "templates"
_STYLES = ("base.css", "page.css", "campaign.css", "print.css")
_SCRIPTS = ("report.js",)


def render(report: ScanReport) -> str:
    """The report as one HTML document. The same report gives the same text, byte for byte."""
    style, script = _asset(*_STYLES), _asset(*_SCRIPTS)
    policy = (
        f"default-src 'none'; style-src '{_source_hash(style)}'; script-src '{_source_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    template = _environment().get_template("report.html.j2")
    return template.render(page=view.page(report), style=style, script=script, policy=policy)


def write(report: ScanReport, path: Path) -> None:
    """Write the report to `path`, whole or not at all.

    Raises:
        OSError: the folder of `path` does not exist or cannot be written.
    """
    document = render(report).encode("utf-8")
    with replacing(path) as handle:
        handle.write(document)


@functools.cache
def _asset(*names: str) -> Markup:
    """Our own style sheets or scripts, joined; they go into the page as they are."""
    joined = "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in names)
    if re.search(r"</(style|script)|<!--", joined, flags=re.IGNORECASE):
        raise ValueError(f"{names} would end its own element")
    return Markup(joined)  # ours, not the log's


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        ident=text.ident,
        prose=text.prose,
        passage=text.passage,
        count=text.count,
        compact=text.compact,
        plural=text.plural,
        decimal=text.decimal,
        value=text.value,
        percent=text.percent,
        instant=text.instant,
        day=text.day,
        duration=text.duration,
        odds=text.odds,
        rarity=text.rarity,
        bound_sentence=text.bound_sentence,
    )
    return environment
