"""Enter twice, a double click, two tabs, back after done: one visit is done once, nothing is undone, and the filters
stay."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import COORDINATOR, DAY

FILTERED = "/?visit=yearly&booked=no"
Visit = Callable[[str], dict[str, Any]]


@pytest.fixture
def visit(address: str) -> Visit:
    """The first year's visit of a patient, as the API tells it."""

    def told(name: str) -> dict[str, Any]:
        with httpx.Client(base_url=f"{address}/api/v1", headers=COORDINATOR, timeout=60) as client:
            listed = client.get("/visits?state=planned,due,overdue,completed,missed,cancelled&limit=200").json()[
                "items"
            ]
        found: dict[str, Any] = next(v for v in listed if v["patient"]["name"] == name and v["code"] == "Y01")
        return found

    return told


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def either(request: pytest.FixtureRequest, browser: Browser, address: str) -> Any:
    """A nurse's page with script, and one without."""
    context = browser.new_context(
        base_url=address, viewport={"width": 1366, "height": 768}, java_script_enabled=request.param
    )
    page = context.new_page()
    page.goto("/login/demo?token=demo-nurse-lund")
    yield page
    context.close()


def _row(page: Page, name: str) -> Locator:
    return page.locator("tbody.visit", has_text=name).first


def _open(page: Page, name: str, form: str = "Klar…") -> Locator:
    _row(page, name).get_by_role("link", name=form).click()
    expect(page.locator("tr.form").get_by_label("Dag")).to_be_visible()
    return page.locator("tr.form").get_by_role("button", name="Spara")


def _done_once(visit: Visit, name: str, before: dict[str, Any]) -> None:
    """The visit is done, by one change only: its version went up by one."""
    now = visit(name)
    assert (now["state"], now["completed_on"], now["version"]) == ("completed", DAY, before["version"] + 1)


def _take_back(page: Page, name: str) -> None:
    page.goto("/")
    page.locator(".done li", has_text=name).get_by_role("button", name="Ångra").click()
    expect(_row(page, name).get_by_role("link", name="Klar…")).to_be_visible()


def test_enter_twice_is_done_once(either: Page, visit: Visit) -> None:
    before = visit("Erik Provberg")
    either.goto(FILTERED)
    _open(either, "Erik Provberg")
    either.get_by_label("Dag", exact=True).press("Enter")
    either.keyboard.press("Enter")
    expect(either.locator("tr.form")).to_have_count(0)
    either.keyboard.press("Enter")  # and once more, where the focus is now
    expect(either).to_have_url(re.compile(r"visit=yearly&booked=no"))
    _done_once(visit, "Erik Provberg", before)
    _take_back(either, "Erik Provberg")


def test_a_double_click_is_done_once(either: Page, visit: Visit) -> None:
    before = visit("Anna Testsson")
    either.goto(FILTERED)
    _open(either, "Anna Testsson").dblclick()
    expect(either.locator("tr.form")).to_have_count(0)
    expect(either).to_have_url(re.compile(r"visit=yearly&booked=no"))
    _done_once(visit, "Anna Testsson", before)
    _take_back(either, "Anna Testsson")


def test_a_second_click_after_the_answer_hits_no_undo(either: Page, visit: Visit) -> None:
    name = "Per Åström"  # the last row
    before = visit(name)
    _open(either, "Anna Testsson").click()  # so that below the list there is something to undo
    expect(either.locator("tr.form")).to_have_count(0)
    either.goto("/")
    save = _open(either, name)
    place = save.bounding_box()
    assert place is not None
    save.click()
    expect(either.locator("tr.form")).to_have_count(0)
    either.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    either.wait_for_load_state()
    _done_once(visit, name, before)
    assert visit("Anna Testsson")["state"] == "completed"
    for one in ("Anna Testsson", name):
        _take_back(either, one)


def test_two_tabs_do_it_once_and_the_later_one_is_told_what_holds(
    page: Page, context: BrowserContext, visit: Visit
) -> None:
    before = visit("Karin Lind")
    same, other = context.new_page(), context.new_page()
    saves = []
    for tab in (page, same, other):
        tab.goto(FILTERED)
        saves.append(_open(tab, "Karin Lind"))
    other.get_by_text("PD", exact=True).click()
    for tab, save in zip((page, same), saves, strict=False):
        save.click()
        expect(_row(tab, "Karin Lind")).to_contain_text(f"Klar {DAY}")
    saves[-1].click()
    expect(_row(other, "Karin Lind")).to_contain_text("Din ändring sparades inte")
    expect(other).to_have_url(re.compile(r"visit=yearly&booked=no"))
    _done_once(visit, "Karin Lind", before)
    _take_back(page, "Karin Lind")


def test_back_after_done_and_saved_again_is_done_once(either: Page, visit: Visit) -> None:
    before = visit("Per Åström")
    either.goto(FILTERED)
    _open(either, "Per Åström").click()
    expect(either.locator("tr.form")).to_have_count(0)
    either.goto("/alerts")
    either.go_back()
    expect(either).to_have_url(re.compile(r"visit=yearly&booked=no"))
    either.go_back()
    save = either.locator("tr.form").get_by_role("button", name="Spara")
    if save.count():
        save.click()
        either.wait_for_load_state()
    _done_once(visit, "Per Åström", before)
    _take_back(either, "Per Åström")
