"""How much is in view on the ward's screens, that nothing is lost on a phone and at 400 %, and what stands on paper."""

import math

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENTS

FORMS = {"Boka": "booked_on", "Klar…": "completed_on", "Ej svar…": "channel", "Missat…": "reason"}
PATHS = ("/infusions/new", "/alerts", "/patients", "/profile", "/demo", "/login")
PHONE, ZOOMED = (320, 700), (320, 256)  # 1280 x 1024 at 400 %
A4_LANDSCAPE = math.floor((297 - 2 * 12) / 25.4 * 96)  # CSS pixels between the margins

# Rows that end above the lower edge, if the whole list were such rows: the tallest of those there are.
IN_VIEW = """() => {
    const rows = [...document.querySelectorAll("tbody.visit")].map(row => row.getBoundingClientRect());
    return (innerHeight - rows[0].top) / Math.max(...rows.map(row => row.height));
}"""
# What can be pressed and is covered by something else, or lies outside, once it is scrolled into view.
COVERED = """() => [...document.querySelectorAll(`a[href]:not(.skip), button, input:not([type=hidden]), select,
    textarea, summary`)]
    .filter(one => one.checkVisibility())
    .filter(one => {
        one.scrollIntoView({block: "center", inline: "center"});
        const {left, top, width, height} = one.getClientRects()[0];
        const hit = document.elementFromPoint(left + width / 2, top + height / 2);
        return !hit || !(one.contains(hit) || hit.contains(one) && hit.matches("label"));
    })
    .map(one => one.outerHTML.slice(0, 120))"""

# The first row as wide as the widest of the demo's sample: a long name, a window of another year, overdue for more than
# a year, a call noted.
AS_WIDE_AS_THEY_COME = """() => {
    const cells = document.querySelector("tbody.visit tr").children;
    cells[0].querySelector("a").textContent = "Gunnar Palmqvist";
    cells[2].firstChild.textContent = "v. 9–22 2024 ";
    cells[3].querySelector(".state").lastChild.textContent = " Försenad 29 mån";
    cells[3].insertAdjacentHTML("beforeend", " <strong class=decide>över ett år</strong>");
    cells[5].insertAdjacentHTML("beforeend", " <span class=contact>ej svar 07-02</span>");
}"""


def _nothing_is_lost(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(COVERED) == []


@pytest.mark.parametrize(("width", "height", "rows"), [(1920, 1080, 30), (1366, 768, 18)])
def test_so_many_rows_are_in_view(page: Page, width: int, height: int, rows: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(AS_WIDE_AS_THEY_COME)
    assert page.evaluate(IN_VIEW) >= rows
    _nothing_is_lost(page, width)


@pytest.mark.parametrize("width", [640, 768, 1024, 1180, 1181, 1280])
def test_the_list_is_as_wide_as_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    page.locator("tbody.visit").first.get_by_role("link", name="Ej svar…").click()
    page.locator("tr.form").wait_for()
    page.evaluate(AS_WIDE_AS_THEY_COME)
    _nothing_is_lost(page, width)


@pytest.mark.parametrize("size", [PHONE, ZOOMED])
def test_nothing_of_the_list_and_its_forms_is_lost(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    _nothing_is_lost(page, 320)
    erik = page.locator("tbody.visit").first
    for form, field in FORMS.items():
        erik.get_by_role("link", name=form).click()
        expect(erik.locator(f"tr.form [name={field}]")).to_be_focused()
        _nothing_is_lost(page, 320)
    erik.get_by_role("link", name="Boka").click()
    expect(erik.locator("tr.form [name=booked_on]")).to_be_focused()
    erik.get_by_role("button", name="Spara").click()  # without a day: nothing changes
    expect(
        page.locator("#status")
    ).to_be_visible()  # what was told stays in its corner, and covers nothing that can be pressed
    _nothing_is_lost(page, 320)


@pytest.mark.parametrize("size", [PHONE, ZOOMED])
def test_nothing_of_the_other_pages_is_lost(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.get_by_role("link", name="Anna Testsson").first.click()
    page.get_by_text("Ny händelse…").click()
    _nothing_is_lost(page, 320)
    for path in PATHS:
        page.goto(path)
        _nothing_is_lost(page, 320)


def test_no_column_is_cut_on_paper(page: Page) -> None:
    page.add_init_script("window.print = () => {}")
    page.goto("/due/print")
    page.set_viewport_size({"width": A4_LANDSCAPE, "height": 700})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_LANDSCAPE
    table = page.locator("table.paper")
    assert table.evaluate("table => table.getBoundingClientRect().right") <= A4_LANDSCAPE
    assert (
        table.evaluate(
            "table => [...table.querySelectorAll('th, td')].filter(cell => cell.scrollWidth > cell.clientWidth).length"
        )
        == 0
    )
    expect(page.locator("header")).not_to_be_visible()
    words = table.inner_text()
    open_to_all = [name for name in PATIENTS if name != "Nils Hemlig"]
    assert [
        told
        for told in ("Telefon", "Kontakt", "Anteckningar", "Utskrivet", "070-1740680", *open_to_all)
        if told not in words
    ] == []
    assert "Hemlig" not in words
