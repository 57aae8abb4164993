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


def cells(page, column):
    """The visible cells of a column of the main table."""
    return page.locator(
        f"#rows tbody:visible tr:first-child > :nth-child({column})"
    ).all_inner_texts()


def scores(page):
    return [float(text.split()[0]) for text in cells(page, 3)]


def test_sorting_by_mouse_and_by_keyboard(page):
    heading = page.locator("#rows thead th").nth(2)
    heading.locator("button").click()
    assert scores(page) == sorted(scores(page))
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").press("Enter")
    assert scores(page) == sorted(scores(page), reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    page.locator("#rows thead th button", has_text="Environment").press("Space")
    assert cells(page, 1) == sorted(cells(page, 1))
    assert heading.get_attribute("aria-sort") == "none"


def test_filtering(page):
    count = page.locator("#count")
    assert count.inner_text() == "6 of 6 results"
    page.select_option("#family", "Garnet")
    assert set(cells(page, 1)) == {"Garnet-16s5a2b-v0"}
    assert count.inner_text() == "3 of 6 results"
    page.select_option("#context", "empty")
    assert count.inner_text() == "1 of 6 results"
    page.get_by_role("button", name="Show all").click()
    playwright.expect(count).to_have_text("6 of 6 results")
    page.fill("#text", "RANdom")
    assert count.inner_text() == "2 of 6 results"
    page.check("#checked")
    assert page.locator("#nothing").is_visible()


def test_several_suites_side_by_side(browser, made, tmp_path):
    """Our own submission to another suite beside one: filtered by suite, within a laptop's width."""
    ours = Path(__file__).parents[2] / "leaderboard" / "submissions" / "quick-psrl.csv.gz"
    site = build([validate(p)[0] for p in (made("tql-ucb"), ours)], tmp_path)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    shown.goto(site.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= 1280
    assert {text.split()[-1] for text in cells(shown, 1)} == {"smoke", "quick"}
    shown.select_option("#suite", "smoke")
    assert {text.split()[-1] for text in cells(shown, 1)} == {"smoke"}
    assert shown.locator("#count").inner_text() == "2 of 6 results"
    shown.check("#checked")
    assert shown.locator("#nothing").is_visible()
    context.close()


def test_curves_and_source_on_click(page):
    more = page.locator("button.more").first
    assert more.get_attribute("aria-expanded") == "false"
    more.press("Enter")
    assert more.get_attribute("aria-expanded") == "true"
    details = page.locator(f"#{more.get_attribute('aria-controls')}")
    assert details.locator("path.curve").count() == 6  # three curves and three keys
    assert details.locator("svg[role=img]").get_attribute("aria-label").startswith("Final values: ")
    assert "anymdp-bench run --agent tql-ucb --suite smoke" in details.inner_text()
    with page.expect_download() as download:
        details.locator("a[download]").click()
    assert download.value.suggested_filename == "smoke-tql-ucb.csv"
    more.click()
    assert details.is_hidden()


def test_a_hostile_submission_is_shown_as_text(page):
    assert page.locator("img").count() == 0
    names = page.locator("#rows tbody th").all_inner_texts()
    assert sum(EVIL in name for name in names) == 2
    page.locator("button.more").nth(names.index(next(n for n in names if EVIL in n))).click()
    assert EVIL in page.locator(".details:visible dd").first.inner_text()
    assert EVIL in page.locator(".details:visible svg").text_content()


def test_names_for_screen_readers(page):
    assert page.get_by_role("heading", level=1).inner_text() == "anymdp-bench leaderboard"
    for control in page.locator("select, input").all():
        assert control.evaluate("e => e.labels.length") == 1
    for button in page.locator("button:visible").all():
        assert (button.get_attribute("aria-label") or button.inner_text()).strip()
    assert page.get_by_role("columnheader").count() == 18
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
        return [page.locator(s).first.evaluate(CONTRAST) for s in ("h1", "header p", ".interval")]

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


def test_a_phone_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator("button.more").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#rows tbody").first.bounding_box()["width"] <= 360


def test_pictures_for_the_eye(page):
    folder = os.environ.get("ANYMDP_SCREENSHOTS")
    if not folder:
        pytest.skip("ANYMDP_SCREENSHOTS names no folder")
    page.locator("button.more").first.click()
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
    assert shown.locator("#rows tbody:visible").count() == 6
    assert shown.locator("#filters").is_hidden()
    context.close()
