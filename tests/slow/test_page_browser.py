"""The page in a browser: nothing is asked of a network, nothing fails, and what can be done on it works.

Screenshots and the PDF are kept in the folder that AVOWAL_ARTEFACTS names, or with the test's other files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filled_study import BASE, MINI, fill, folder
from hostile_study import hostile

from avowal.analysis import Settings
from avowal.page.data import page
from avowal.page.pdf import browser, print_page
from avowal.page.render import write
from avowal.page.sources import read
from avowal.sweep.power import power

pytestmark = pytest.mark.slow

PATIENCE = 120_000
"""Milliseconds that a busy machine may take to draw what takes a second."""

SIZES = ((1280, "light"), (420, "dark"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    found = browser()
    if found is None:
        pytest.skip("no Chromium or Chrome is installed: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install 'avowal[test]'")
    options = ["--disable-gpu", "--disable-background-networking"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the pages of a finished study, one half way, one under attack, one never run, and of a sweep."""
    home = tmp_path_factory.mktemp("pages")
    fill(folder(home / "whole", base=(BASE, MINI)))
    fill(folder(home / "half", base=(BASE, MINI)), until=lambda stage: stage.role == "native_before")
    hostile(home / "hostile")
    folder(home / "never")
    power({"agents": [8, 12], "reports": [2, 4]}, tests=["gain"], replicates=20, out=home / "sweep")
    for each in ("whole", "half", "hostile", "never", "sweep"):
        make(home / each, home / f"{each}.html")
    return home


def make(source: Path, file: Path) -> Path:
    write(page(read(source, Settings(resamples=100, draws=100))), file)
    return file


def artefacts(tmp_path: Path) -> Path:
    kept = Path(os.environ.get("AVOWAL_ARTEFACTS") or tmp_path)
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@contextmanager
def looking(chromium: object, file: Path, width: int = 1280, scheme: str = "light") -> Iterator[object]:
    """Open a page, and hold it to silence: no error, no message, no request but for the file itself."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)
    view = context.new_page()
    view.set_default_timeout(PATIENCE)
    said, asked = [], []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    view.on("request", lambda request: asked.append(request.url))
    view.goto(file.as_uri())
    view.wait_for_selector("html[data-charts]", state="attached")
    yield view
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    context.close()


@pytest.mark.parametrize("name", ["whole", "half", "hostile", "never", "sweep"])
@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_a_page_opens_in_silence_at_every_width(chromium, pages, tmp_path, name, width, scheme):
    with looking(chromium, pages / f"{name}.html", width, scheme) as view:
        state = view.locator("html").get_attribute("data-charts")
        assert state == ("none" if name == "never" else "drawn")
        assert view.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        view.screenshot(path=artefacts(tmp_path) / f"{name}-{width}-{scheme}.png", full_page=True)


def test_the_published_page(chromium, published, tmp_path):
    file = make(published, tmp_path / "published.html")
    assert file.stat().st_size < 3_000_000
    for width, scheme in SIZES:
        with looking(chromium, file, width, scheme) as view:
            assert view.locator("html").get_attribute("data-charts") == "drawn"
            assert view.locator("details.context").count() == 200
            assert view.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            view.screenshot(path=artefacts(tmp_path) / f"published-{width}-{scheme}.png")


def test_a_point_tells_whose_it_is(chromium, pages):
    with looking(chromium, pages / "hostile.html") as view:
        view.locator("#chart-scatter .mark-symbol path").nth(3).hover(force=True)
        told = view.locator("#vg-tooltip-element.visible")
        told.wait_for()
        text = told.inner_text()
        assert all(word in text for word in ("context", "agent", "attribute", "learned", "reported"))
        assert view.locator("#vg-tooltip-element img").count() == 0


def test_tables_filter_and_sort_by_keyboard(chromium, pages):
    with looking(chromium, pages / "whole.html") as view:
        table = view.locator("#table-replies-by-context")
        rows = table.locator("tbody tr")
        every = rows.count()
        box = table.get_by_label("Rows with")
        box.focus()
        view.keyboard.type(f"weight-trained {BASE}")
        visible = table.locator("tbody tr:visible")
        assert visible.count() == 8
        assert f"8 of {every}" in table.get_by_role("status").inner_text()
        box.fill("")
        header = table.locator("thead th").first
        header.locator("button").focus()
        for expected in ("ascending", "descending"):
            view.keyboard.press("Enter")
            assert header.get_attribute("aria-sort") == expected
            names = table.locator("tbody th").all_inner_texts()
            assert names == sorted(names, key=str.casefold, reverse=expected == "descending")
        planned = table.locator("thead th").nth(3)
        planned.locator("button").click()
        counts = [int(text) for text in table.locator("tbody tr td:nth-child(4)").all_inner_texts()]
        assert counts == sorted(counts)
        assert header.get_attribute("aria-sort") is None


def test_contexts_are_found_and_opened(chromium, pages):
    with looking(chromium, pages / "whole.html") as view:
        section = view.locator("#contexts")
        name = section.locator("details h3").nth(2).inner_text()
        section.get_by_label("Contexts with").fill(name)
        assert section.locator("details:visible").count() == 1
        section.get_by_role("button", name="Open all shown").click()
        assert section.locator("details[open]").count() == 1
        assert section.locator("details[open] svg.panel").count() == 2
        assert "[INTROSPECTION TASK]" in section.locator("details[open] pre").first.inner_text()


def test_the_scheme_follows_the_system_and_the_button(chromium, pages):
    ground = "getComputedStyle(document.body).backgroundColor"
    with looking(chromium, pages / "whole.html") as view:
        assert view.evaluate(ground) == "rgb(255, 255, 255)"
        view.locator("#theme").click()
        assert view.locator("#theme").get_attribute("aria-pressed") == "true"
        view.wait_for_selector('#chart-scatter[data-drawn="dark"]')
        assert view.evaluate(ground) == "rgb(22, 24, 28)"
    with looking(chromium, pages / "whole.html", scheme="dark") as view:
        assert view.locator("#chart-scatter").get_attribute("data-drawn") == "dark"
        assert view.evaluate(ground) == "rgb(22, 24, 28)"


def test_the_first_tab_leads_to_the_results(chromium, pages):
    with looking(chromium, pages / "whole.html") as view:
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.className") == "skip"
        view.keyboard.press("Enter")
        assert view.evaluate("location.hash") == "#main"


def test_a_table_is_saved_as_a_file(chromium, pages):
    with looking(chromium, pages / "whole.html") as view:
        with view.expect_download() as saved:
            view.locator("#table-accuracies a.csv").click()
        lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
        assert saved.value.suggested_filename == "accuracies.csv"
        assert lines[0].startswith("model,reports,r [by context],r [by context] low")
        assert len(lines) == 11


def test_without_scripts_the_numbers_are_there(chromium, pages):
    context = chromium.new_context(java_script_enabled=False)
    view = context.new_page()
    view.goto((pages / "whole.html").as_uri())
    assert view.locator("#table-replies-by-context tbody tr").count() > 40
    assert "the tables hold its" in view.locator("#chart-scatter").inner_text()
    context.close()


def test_paper_shows_every_context(chromium, pages, tmp_path):
    pdf = artefacts(tmp_path) / "whole.pdf"
    print_page(pages / "whole.html", pdf)
    printed = pdf.read_bytes()
    assert printed.startswith(b"%PDF")
    with looking(chromium, pages / "whole.html") as view:
        view.locator("#table-replies-by-context").get_by_label("Rows with").fill("nothing is called so")
        assert view.locator("#table-replies-by-context tbody tr:visible").count() == 0
        view.emulate_media(media="print")
        view.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert view.locator("details:not([open])").count() == 0
        assert view.locator("#table-replies-by-context tbody tr:not(:visible)").count() == 0
        assert view.locator("pre").first.is_visible()
        assert not view.locator("#theme").is_visible()
        view.evaluate("dispatchEvent(new Event('afterprint'))")
        assert view.locator("details.context[open]").count() == 0
    # Twelve contexts with drawings and prompts fill more pages than the tables alone.
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") + printed.count(b"/Type /Page/") > 15
