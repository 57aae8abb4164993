"""The page in headless Chromium, from the file system. Skipped where there is no Chromium.

ANYMDP_SCREENSHOTS=folder keeps the pictures of the page, to be looked at.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from anymdp_bench.leaderboard.page import build
from anymdp_bench.leaderboard.validate import validate

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, see .ci/run")
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed, see .ci/run")
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


@pytest.fixture(scope="module")
def site(made, tmp_path_factory):
    """The page of two honest submissions and a hostile one."""
    folder = tmp_path_factory.mktemp("site")
    text = made("tql-ucb").read_text(encoding="utf-8")
    text = re.sub(r",tql-ucb,\d+,", f",tql-ucb,{EVIL},", text)
    evil = folder / "evil.csv"
    evil.write_text(f"# author: {EVIL}\n{text}", encoding="utf-8")
    return build([validate(p)[0] for p in (made("tql-ucb"), made("random"), evil)], folder / "out")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser, site):
    """A fresh page; at the end, nothing may have been complained of, asked for, or run."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    shown, said = context.new_page(), []
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("dialog", lambda dialog: said.append(dialog.message))
    shown.on("request", lambda request: said.append(request.url) if "http" in request.url else None)
    shown.goto(site.as_uri())
    yield shown
    context.close()
    assert said == []


def cells(page, column, table="rows"):
    """The visible cells of a column of a table."""
    return page.locator(
        f"#{table} > tbody:visible > tr:first-child > :nth-child({column})"
    ).all_inner_texts()


def scores(page):
    return [float(text.split()[0]) for text in cells(page, 3)]


def count(page):
    return page.locator("#count").inner_text()


def test_sorting_by_mouse_and_by_keyboard(page):
    assert scores(page)[:3] == sorted(scores(page)[:3], reverse=True)  # of the first environment
    heading = page.locator("#rows thead th").nth(2)
    heading.locator("button").click()
    assert scores(page) == sorted(scores(page), reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").press("Enter")
    assert scores(page) == sorted(scores(page))
    assert heading.get_attribute("aria-sort") == "ascending"
    page.locator("#rows thead th button", has_text="Environment").press("Space")
    assert cells(page, 1) == sorted(cells(page, 1))
    assert heading.get_attribute("aria-sort") == "none"


def test_what_never_reached_the_target_comes_last_either_way(page):
    button = page.locator("#rows thead th button", has_text="Steps")
    for _ in range(2):
        button.click()
        steps = cells(page, 6)
        missing = [text.startswith(">") for text in steps]
        assert any(missing)
        assert missing == sorted(missing)


def test_filtering(page):
    assert count(page) == "3 of 3 submissions, 6 of 6 results"
    page.select_option("#family", "Garnet")
    assert set(cells(page, 1)) == {"Garnet-16s5a2b-v0"}
    assert count(page) == "3 of 3 submissions, 3 of 6 results"
    page.select_option("#measure", "online")
    assert count(page) == "1 of 3 submissions, 1 of 6 results"
    page.get_by_role("button", name="Reset").click()
    playwright.expect(page.locator("#count")).to_have_text("3 of 3 submissions, 6 of 6 results")
    page.fill("#text", "RANdom")
    assert count(page) == "1 of 3 submissions, 2 of 6 results"
    page.fill("#text", "garnet")
    assert count(page) == "3 of 3 submissions, 3 of 6 results"
    page.check("#untuned")
    assert count(page) == "1 of 3 submissions, 1 of 6 results"
    page.check("#verified")
    assert page.locator("#nothing").is_visible()


def test_a_link_shows_the_same_view(page, browser):
    """Filters, text, order and open rows travel in the address, to a page that is opened with it."""
    page.select_option("#context", "none")
    page.fill("#text", "16s5a-")
    page.check("#untuned")
    page.uncheck("#untuned")
    page.locator("#agents thead th button", has_text="Online").click()
    page.locator("#rows button.more:visible").last.press("Enter")
    assert page.url.count("#") == 1

    def view(shown):
        state = [
            shown.input_value(f"#{k}") for k in ("suite", "family", "measure", "context", "text")
        ]
        opened = shown.locator("tbody.open").evaluate_all("all => all.map(e => e.dataset.key)")
        return state, opened, cells(shown, 1, "agents"), cells(shown, 2), count(shown)

    state, opened, *_ = view(page)
    assert state == ["smoke", "", "", "none", "16s5a-"]
    assert len(opened) == 1
    other = browser.new_context().new_page()
    other.goto(page.url)
    assert view(other) == view(page)
    assert other.locator("#agents thead [aria-sort=descending]").inner_text().startswith("Online")
    assert other.locator("tr.details:visible svg").count() == 1
    other.goto(page.url.split("#")[0] + "#suite=nowhere&open=nothing&sort=rows,99,up&measure=test")
    assert count(other) == "2 of 3 submissions, 4 of 6 results"
    other.context.close()


def test_several_suites_one_at_a_time(browser, made, tmp_path):
    """Our own submission to another suite beside one: the first suite is shown, within a laptop's width."""
    ours = Path(__file__).parents[2] / "leaderboard" / "submissions" / "quick-v2-psrl.csv.gz"
    site = build([validate(p)[0] for p in (made("tql-ucb"), ours)], tmp_path)
    shown = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    shown.goto(site.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= 1280
    assert cells(shown, 2, "agents") == ["quick-v2"]
    assert count(shown) == "1 of 2 submissions, 4 of 6 results"
    shown.select_option("#suite", "")
    assert {text.split()[-1] for text in cells(shown, 1)} == {"smoke", "quick-v2"}
    assert "suite=all" in shown.url
    shown.reload()
    assert count(shown) == "2 of 2 submissions, 6 of 6 results"
    shown.select_option("#suite", "smoke")
    assert cells(shown, 2, "agents") == ["smoke"]
    shown.context.close()


def test_a_row_opens_by_keyboard_and_mouse(page):
    """The row of an agent shows all about its submission, that of an environment a curve for each agent."""
    more = page.locator("#agents button.more").first
    assert more.get_attribute("aria-expanded") == "false"
    more.press("Enter")
    assert more.get_attribute("aria-expanded") == "true"
    details = page.locator(f"#{more.get_attribute('aria-controls')}")
    assert details.locator("svg[role=img]").count() == 2  # one for each environment
    assert details.locator("path.curve").count() == 6
    words = details.inner_text()
    assert "anymdp-bench run --agent tql-ucb --suite smoke" in words
    assert "seed: 0" in words
    assert "chosen for each environment by its name" in words
    with page.expect_download() as download:
        details.locator("a[download]").first.click()
    assert download.value.suggested_filename == "smoke-tql-ucb.csv"
    page.locator("#agents tbody.open td").first.click()
    assert details.is_hidden()

    row = page.locator("#rows tbody:visible").first
    row.locator("td.score").click()
    more = row.locator("button.more")
    assert more.get_attribute("aria-expanded") == "true"
    details = page.locator(f"#{more.get_attribute('aria-controls')}")
    assert details.locator("path.curve").count() == 6  # three curves and three keys
    assert details.locator("svg[role=img]").get_attribute("aria-label").startswith("Final values: ")
    assert "anymdp-bench run --agent" in details.inner_text()
    more.press("Space")
    assert details.is_hidden()


def test_every_control_is_reached_by_tab_and_shows_it(page):
    wanted = page.locator("a:visible, button:visible, select:visible, input:visible").count()
    seen, outlined = set(), []
    for _ in range(wanted + 1):
        page.keyboard.press("Tab")
        key, outline = page.evaluate(
            """() => { const e = document.activeElement; e.dataset.seen ??= String(Math.random());
            return [e === document.body ? "" : e.dataset.seen, getComputedStyle(e).outlineStyle]; }"""
        )
        if key:
            seen.add(key)
            outlined.append(outline)
    assert len(seen) >= wanted
    assert set(outlined) <= {"solid", "auto"}


def test_a_hostile_submission_is_shown_as_text(page):
    assert page.locator("img").count() == 0
    names = page.locator("#rows tbody th").all_inner_texts()
    assert sum(EVIL in name for name in names) == 2
    for table in ("agents", "rows"):
        page.locator(f"#{table} button.more", has_text="alert(1)").first.click()
    assert EVIL in page.locator("#agents .details:visible dd").first.inner_text()
    assert EVIL in page.locator("#rows .details:visible svg").text_content()
    assert EVIL in page.locator("#rows .details:visible dd").first.inner_text()


def test_names_for_screen_readers(page):
    assert page.get_by_role("heading", level=1).inner_text() == "anymdp-bench leaderboard"
    for control in page.locator("select, input").all():
        assert control.evaluate("e => e.labels.length") == 1
    for button in page.locator("button:visible").all():
        assert (button.get_attribute("aria-label") or button.inner_text()).strip()
    assert page.get_by_role("columnheader").count() == 20
    assert page.locator("th:not([scope])").count() == 0
    for table in page.locator("table").all():
        assert table.locator("caption").count() == 1
    page.keyboard.press("Tab")
    assert page.locator(".skip").evaluate("e => e === document.activeElement")


CONTRAST = """e => {
  const rgb = s => s.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const lum = s => { const [r, g, b] = rgb(s); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ink = lum(getComputedStyle(e).color), paper = lum(getComputedStyle(document.body).backgroundColor);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}"""


def test_dark_mode_follows_the_system_and_the_button(page):
    def contrast():
        return [
            page.locator(s).first.evaluate(CONTRAST)
            for s in ("h1", "header p", "td .soft", ".more")
        ]

    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    assert min(contrast()) >= 4.5  # WCAG 2.2 AA
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert dark != light
    assert min(contrast()) >= 4.5
    page.emulate_media(color_scheme="light")
    page.locator("#theme").click()
    assert page.evaluate(paper) == dark
    assert page.locator("#theme").inner_text() == "Light mode"


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_shows_short_cards_and_needs_no_sideways_scrolling(page, width):
    page.set_viewport_size({"width": width, "height": 740})
    cards = [card.bounding_box() for card in page.locator("#rows > tbody:visible").all()]
    assert max(card["width"] for card in cards) <= width
    honest = page.locator("#rows > tbody:visible", has_not_text="alert").all()
    assert max(card.bounding_box()["height"] for card in honest) <= 150
    page.locator("#agents button.more").first.click()
    page.locator("#rows button.more").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    opened = page.locator("#rows tbody.open .extra")
    assert opened.first.is_visible()
    assert page.locator("#rows tbody:not(.open) .extra").first.is_hidden()


def test_pictures_for_the_eye(page):
    folder = os.environ.get("ANYMDP_SCREENSHOTS")
    if not folder:
        pytest.skip("ANYMDP_SCREENSHOTS names no folder")
    page.locator("#agents button.more").first.click()
    page.locator("#rows button.more").first.click()
    for name, width, scheme in (
        ("light", 1280, "light"),
        ("dark", 1280, "dark"),
        ("phone", 390, "light"),
    ):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_without_scripts_the_numbers_are_there(browser, site):
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(site.as_uri())
    assert shown.locator("#rows > tbody:visible").count() == 6
    assert "anymdp-bench run --agent tql-ucb" in shown.locator("#agents").inner_text()
    assert shown.locator("#filters").is_hidden()
    context.close()
