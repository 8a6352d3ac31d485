from __future__ import annotations

import base64
import functools
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report import sample
from tests.report.plans import PLANS

from revenuer.records import ScanReport
from revenuer.report import html


class Tags(HTMLParser):
    """Collects every element with its attributes, and the text of scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside in self.raw:
            self.raw[self._inside].append(data)


@pytest.fixture(scope="module")
def rich() -> str:
    return html.render(sample.rich())


@pytest.fixture(scope="module")
def hostile() -> str:
    return html.render(sample.hostile())


def test_nothing_in_the_file_asks_for_anything_outside_it(rich: str, hostile: str) -> None:
    for document in (rich, hostile):
        for tag, attributes in Tags(document).seen:
            for name, value in attributes.items():
                if name in ("src", "srcset", "data", "action", "formaction", "poster", "background", "ping", "style"):
                    pytest.fail(f"<{tag} {name}={value!r}>")
                if name in ("href", "xlink:href"):
                    assert value is not None
                    assert value.startswith("#") or (tag == "link" and value.startswith("data:image/svg+xml,")), value
        assert "url(" not in document
        assert "@import" not in document


def test_the_policy_admits_exactly_our_script_and_style(rich: str) -> None:
    tags = Tags(rich)
    [policy] = [
        a["content"] for tag, a in tags.seen if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        [source] = tags.raw[kind]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_hostile_strings_add_no_element_and_no_attribute(hostile: str) -> None:
    tags = Tags(hostile)
    assert len(tags.raw["script"]) == 1
    assert not [tag for tag, _ in tags.seen if tag in ("img", "iframe", "object", "embed", "base", "form")]
    assert not [name for _, attributes in tags.seen for name in attributes if name.startswith("on")]
    assert "{{7*7}}" in hostile
    assert len(hostile) < 400_000


def test_hostile_characters_are_shown_and_not_obeyed(hostile: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ufeff]", hostile)
    assert "⟨U+202E⟩" in hostile
    assert "␀" in hostile


@settings(max_examples=25)
@given(st.text(st.characters(), max_size=30))
def test_no_string_of_a_log_reaches_the_page_as_markup(value: str) -> None:
    document = _small(value)
    assert [tag for tag, _ in Tags(document).seen] == [tag for tag, _ in Tags(_small("")).seen]
    document.encode("utf-8")


@functools.cache
def _small(text: str) -> str:
    plan = replace(PLANS[4], accounts=3, per_account=30, lasts=1.0)
    return html.render(sample.report([sample.campaign(plan, 4, text=text)], exchanges=10_000, accounts=12, text=text))


def test_the_same_report_gives_the_same_bytes_in_another_process(rich: str) -> None:
    code = (
        "import hashlib; from tests.report import sample; from revenuer.report import html; "
        "print(hashlib.sha256(html.render(sample.rich()).encode()).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "LC_ALL": "C"},
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert digests == {hashlib.sha256(rich.encode()).hexdigest()}


def test_every_link_inside_the_page_leads_somewhere_and_ids_are_unique(rich: str) -> None:
    seen = Tags(rich).seen
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {value for _, a in seen for key in ("aria-labelledby", "for") if (value := a.get(key))}
    targets = {value[1:] for _, a in seen if (value := a.get("href")) and value.startswith("#")} | named
    assert not targets - set(ids)


def test_each_campaign_says_what_speaks_for_it_against_it_and_how_sure(rich: str) -> None:
    report = sample.rich()
    for detail in report.campaigns:
        for doubt in detail.doubts:
            assert doubt.replace("'", "&#39;") in rich
        assert detail.result.campaign in rich
    assert rich.count("What speaks against it") == len(report.campaigns)
    assert "At most 1\u00a0in\u00a01,000 benign groups would score this high" in rich
    assert "No false-alarm bound was calibrated" in rich


def test_the_words_accuse_nobody(rich: str) -> None:
    visible = re.sub(r"<(style|script)>.*?</\1>", "", rich, flags=re.S).lower()
    for word in ("attacker", "criminal", "guilty", "fraudster", "thief", "perpetrator", "country:", "nationality"):
        assert word not in visible
    assert "it accuses nobody" in visible


@pytest.mark.parametrize(
    ("report", "headline"),
    [
        (sample.empty(), "No campaigns found"),
        (sample.all_authorised(), "Everything that looks like collecting is authorised"),
        (sample.watch_only(), "No campaign reached the bound; 1\u00a0group is worth watching"),
        (sample.rich(), "4\u00a0campaigns collecting model answers were found"),
        (
            msgspec.structs.replace(sample.empty(), exchanges=0, accounts=0, results=(), verdicts={}),
            "No campaigns found",
        ),
    ],
)
def test_headlines(report: ScanReport, headline: str) -> None:
    assert f'<h1 id="headline">{headline}</h1>' in html.render(report)


def test_an_empty_scan_claims_no_more_than_it_knows() -> None:
    document = html.render(sample.empty())
    assert "Nothing in 88,120\u00a0exchanges from 940\u00a0accounts stood out" in document
    assert "Not finding a campaign is weaker than finding one" in document
    nothing = msgspec.structs.replace(sample.empty(), exchanges=0, accounts=0, results=(), verdicts={}, calibration="")
    assert "nothing can be said" in html.render(nothing)


def test_a_campaign_without_any_detail_still_renders() -> None:
    bare = msgspec.structs.replace(
        sample.campaign(PLANS[0], 0), members=(), edges=(), template=(), timeline=(), intents=(), doubts=(),
        bucket_seconds=0.0, false_alarm_bound=None,
    )  # fmt: skip
    document = html.render(sample.report([bare], exchanges=10, accounts=10))
    for words in ("No timeline was kept", "No links were kept", "No shared template", "Intents were not measured"):
        assert words in document


def test_thirty_campaigns_of_sixty_accounts_stay_small() -> None:
    document = html.render(sample.many(30, 60))
    assert len(document.encode()) < 6_000_000
    assert document.count('<details class="campaign') == 30


def test_write_replaces_the_file_whole(tmp_path: Path, rich: str) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    html.write(sample.rich(), path)
    assert path.read_text(encoding="utf-8") == rich
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
