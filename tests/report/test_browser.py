"""The report in a real browser: nothing is asked of the network, and everything can be reached, read and worked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.report import sample

from revenuer.records import ScanReport
from revenuer.report import html

pytestmark = pytest.mark.browser

REPORTS: dict[str, Callable[[], ScanReport]] = {
    "rich": sample.rich,
    "empty": sample.empty,
    "all_authorised": sample.all_authorised,
    "watch_only": sample.watch_only,
    "hostile": sample.hostile,
}

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (c) => [0, 1, 2].map((i) => c[i] / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const poor = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest("script, style, .vh, title, [hidden]")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(element.closest("svg") ? style.fill : style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) {
      const said = walker.currentNode.textContent.trim().slice(0, 40);
      poor.set(`${element.tagName}.${element.className}`, `${ratio.toFixed(2)} ${said}`);
    }
  }
  return Array.from(poor);
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reports")
    for name, report in REPORTS.items():
        html.write(report(), made / f"{name}.html")
    return made


class Opened:
    """A report opened in its own window; collects what must never happen."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        self.url = path.as_uri()
        page.goto(self.url)

    def rows(self, selector: str) -> list[str]:
        return [row.inner_text() for row in self.page.locator(selector).all() if row.is_visible()]


@pytest.fixture
def open_report(browser: Browser, folder: Path) -> Iterator[Callable[..., Opened]]:
    opened: list[Opened] = []

    def opener(name: str, *, width: int = 1440, fragment: str = "", scripts: bool = True, dark: bool = False) -> Opened:
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
        )
        opened.append(Opened(page, folder / f"{name}.html"))
        if fragment:
            page.goto(f"{opened[-1].url}#{fragment}")
        return opened[-1]

    yield opener
    for one in opened:
        one.page.close()
        assert one.complaints == []
        assert {request.partition("#")[0] for request in one.requests if not request.startswith("data:")} == {one.url}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_overflows_sideways(open_report: Callable[..., Opened], name: str, width: int) -> None:
    page = open_report(name, width=width).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_hostile_text_runs_nothing(open_report: Callable[..., Opened]) -> None:
    page = open_report("hostile").page
    assert page.evaluate("'pwned' in window") is False
    assert page.locator("script").count() == 1
    assert "window.pwned=1" in page.locator("h2").nth(4).inner_text() + page.locator("body").inner_text()


def test_the_policy_blocks_what_is_added_later(browser: Browser, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "rich.html").as_uri())
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          try { script.textContent = 'window.pwned = 1'; document.body.append(script); } catch { /* refused earlier */ }
        }"""
    )
    assert page.evaluate("'pwned' in window") is False
    page.close()


@pytest.mark.parametrize("name", ["rich", "empty", "all_authorised"])
@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_that_wcag_aa_asks_for(open_report: Callable[..., Opened], name: str, dark: bool) -> None:
    assert open_report(name, dark=dark).page.evaluate(CONTRAST) == []


def test_the_colour_choice_wins_over_the_system_and_is_remembered(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich", dark=False).page
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("label[for=theme-dark]").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    page.locator("#theme-dark").press("ArrowLeft")
    assert page.evaluate(background) == light


def test_the_list_is_filtered_by_text_and_by_verdict(open_report: Callable[..., Opened]) -> None:
    opened = open_report("rich")
    page = opened.page
    page.keyboard.press("/")
    page.keyboard.type("acct-reaso0000")
    assert [row.split()[1] for row in opened.rows(".list tbody")] == ["reasoning-02c9"]
    assert len([s for s in page.locator("details.campaign").all() if s.is_visible()]) == 1
    page.keyboard.press("Escape")
    assert len(opened.rows(".list tbody")) == 6
    page.locator("label[for=show-authorised]").click()
    assert [row.split()[1] for row in opened.rows(".list tbody")] == ["partner-31aa"]
    page.locator("#find").fill("grading")
    assert opened.rows(".list tbody") == []
    assert page.locator("#list-status").inner_text() == "0 of 6 campaigns shown"


@pytest.mark.parametrize(
    ("heading", "first"), [("Accounts", "tasks-b1d4"), ("Exchanges", "grading-7f3a"), ("Campaign", "agency-55e0")]
)
def test_the_list_is_sorted_by_its_headings(open_report: Callable[..., Opened], heading: str, first: str) -> None:
    opened = open_report("rich")
    button = opened.page.locator(".list thead").get_by_role("button", name=heading, exact=True)
    button.focus()
    opened.page.keyboard.press("Enter")
    assert opened.rows(".list tbody")[0].split()[1] == first
    opened.page.keyboard.press("Enter")
    assert opened.rows(".list tbody")[-1].split()[1] == first
    assert opened.page.locator(".list th[aria-sort]").get_attribute("aria-sort") in ("ascending", "descending")


def test_never_flagged_stays_last_whichever_way_times_are_sorted(open_report: Callable[..., Opened]) -> None:
    opened = open_report("rich")
    button = opened.page.locator(".list thead").get_by_role("button", name="First flagged")
    for _ in range(2):
        button.click()
        assert ["never" in row for row in opened.rows(".list tbody")] == [False] * 4 + [True] * 2


def test_a_campaign_opens_from_the_list_by_keyboard(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich").page
    assert not page.locator("#c3").is_visible()
    page.locator(".list a", has_text="reasoning-02c9").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#s3').open")
    assert page.locator("#c3").is_visible()
    page.locator("#s3 > summary").press("Enter")
    assert not page.locator("#c3").is_visible()


def test_every_control_is_reached_by_tab_and_the_graph_is_one_stop(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich").page
    seen: list[str] = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("(e => e.id || e.closest('.graph') && 'graph' || e.tagName)(document.activeElement)"))
        if "graph" in seen:
            page.keyboard.press("Tab")
            break
    assert seen[0] == "A"
    assert {"theme-auto", "find", "show-all", "open-all", "close-all"} <= set(seen)
    assert seen.count("graph") == 1
    assert page.evaluate("document.activeElement.closest('.graph')") is None


def test_a_link_says_why_when_focused_pointed_at_or_tapped(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich").page
    panel = page.locator("#c1 .panel")
    first = page.locator("#c1 .graph a.e[tabindex='0']")
    first.focus()
    strongest = page.locator("#e1-1 td").all_inner_texts()
    for text in strongest:
        assert text in panel.inner_text()
    assert "times likelier under one operator than two" in panel.inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#e1-2 td").nth(3).inner_text() in panel.inner_text()
    page.keyboard.press("Escape")
    assert "appears here" in panel.inner_text()
    page.locator("#c1 .graph a.n").first.hover()
    assert page.locator("#m1-0 .id").inner_text() in panel.inner_text()
    page.locator("#c1 .graph a.n").first.click()
    page.wait_for_function("document.querySelector('#m1-0 details').open")


def test_kinds_of_link_can_be_left_out(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich").page
    links = page.locator("#c1 .graph a.e-timing")
    assert links.first.is_visible()
    page.locator("#c1 .ch-timing").uncheck()
    assert not links.first.is_visible()
    assert page.locator("#c1 .graph a.e-template").first.is_visible()


def test_the_timeline_reads_out_the_bar_under_the_pointer(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich").page
    chart = page.locator("#c1 svg.wide")
    chart.scroll_into_view_if_needed()
    chart.hover()
    told = page.locator("#tip").inner_text()
    rows = page.locator("#c1 figure + details tbody tr").all()
    figures = [row.locator("td").all_text_contents() for row in rows]
    assert told in [f"{start} UTC: {n} exchanges, up to {accounts} accounts" for start, n, accounts in figures]


def test_open_all_and_close_all(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich").page
    page.locator("#open-all").click()
    assert page.locator("details.campaign[open]").count() == 6
    page.locator("#close-all").click()
    assert page.locator("details.campaign[open]").count() == 0


def test_account_ids_can_be_copied(browser: Browser, folder: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto((folder / "rich.html").as_uri())
    page.locator("#c1 [data-copy]").click()
    page.locator("#c1 [data-copy]", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").split() == page.locator("#c1 .members .id").all_inner_texts()
    context.close()


def test_everything_is_there_without_scripts(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich", scripts=False, fragment="c3").page
    assert page.locator("#c3").is_visible()  # the browser itself opens what a link points into
    assert not page.locator("#find").is_visible()
    assert page.locator("#c1 .members tbody").count() == 38
    page.locator("label[for=theme-dark]").click()
    page.locator("#c1 .ch-timing").uncheck()
    assert not page.locator("#c1 .graph a.e-timing").first.is_visible()
    page.locator("#m1-0 summary").click()
    assert page.locator("#m1-0 .why p").is_visible()


def test_print_opens_everything_on_white(open_report: Callable[..., Opened]) -> None:
    page = open_report("rich", dark=True).page
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.campaign[open]").count() == 6
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".theme").is_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.campaign[open]").count() == 1
