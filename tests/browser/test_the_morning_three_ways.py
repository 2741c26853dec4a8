"""One morning's work by mouse, by keys alone, and with script switched off: the same rows are in the database after
each of the three."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import COORDINATOR, PATIENTS, tab_to

# Of each patient the visit of the first year as the morning leaves it, and what was noted of calls.
OPEN = {"booked_on": None, "completed_on": None, "response": None, "missed_reason": None}
AFTERWARDS = {
    # Booked; marked as done by mistake, and taken back.
    "Anna Testsson": ({**OPEN, "state": "due", "booked_on": "2026-12-03"}, []),
    "Erik Provberg": (
        {**OPEN, "state": "completed", "completed_on": "2026-11-20", "response": "PR"},
        [("phone", "no-answer", "2026-11-30")],
    ),
    "Nils Hemlig": ({**OPEN, "state": "due"}, []),  # the protected one: marked as missed by mistake, and taken back
    "Karin Lind": ({**OPEN, "state": "missed", "missed_reason": "moved abroad"}, []),
    # Postponed: he is called again on a later day.
    "Per Åström": ({**OPEN, "state": "due"}, [("letter", "other-day", "2026-12-08")]),
}


def opened(browser: Browser, address: str, *, script: bool = True) -> Page:
    """The login page in a browser of its own."""
    context = browser.new_context(
        base_url=address, viewport={"width": 1366, "height": 768}, locale="sv-SE", java_script_enabled=script
    )
    page = context.new_page()
    page.goto("/login")
    return page


def told(address: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """All visits and contacts as the API tells them, without ids and instants: of each patient the first year's visit
    with the contacts, and the other visits."""
    first, others = {}, {}
    with httpx.Client(base_url=f"{address}/api/v1", headers=COORDINATOR, timeout=60) as client:
        listed = client.get("/visits?state=planned,due,overdue,completed,missed,cancelled&limit=200").json()["items"]
        for patient, name in {
            visit["patient"]["id"]: visit["patient"]["name"] or "Nils Hemlig" for visit in listed
        }.items():
            whole = client.get(f"/patients/{patient}/follow-up").json()
            visits = {visit["code"]: {fact: visit[fact] for fact in ("state", *OPEN)} for visit in whole["visits"]}
            first[name] = (visits.pop("Y01"), [(c["channel"], c["outcome"], c["remind_on"]) for c in whole["contacts"]])
            others[name] = visits
    return first, others


def check(address: str, before: dict[str, Any]) -> None:
    """What the morning was to leave stands there, and no other visit has been touched."""
    first, others = told(address)
    assert first == AFTERWARDS
    assert others == before


def row(page: Page, name: str) -> Locator:
    """The patient's row; the one of a protected identity has no name."""
    return page.locator("tbody.visit", has_text="Skyddade personuppgifter" if name == "Nils Hemlig" else name).first


def pressed(page: Page, name: str, button: str, fields: Mapping[str, str]) -> None:
    """By mouse: the button of a row, the fields of its form, Save."""
    row(page, name).get_by_role("link", name=button).click()
    for label, value in fields.items():
        field = page.locator("tr.form").get_by_label(label)
        if value in ("CR", "PR"):
            page.locator("tr.form").get_by_text(value, exact=True).click()
        elif field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.locator("tr.form").get_by_role("button", name="Spara").click()


def by_mouse(page: Page) -> None:
    """The morning, the same clicks with script and without."""
    page.get_by_role("button", name="Sjuksköterska, Lund").click()
    pressed(page, "Erik Provberg", "Ej svar…", {})
    expect(row(page, "Erik Provberg")).to_contain_text("ej svar 11-23")
    pressed(page, "Erik Provberg", "Klar…", {"Dag": "2026-11-20", "Svar": "PR"})
    expect(row(page, "Erik Provberg").get_by_role("link", name="Klar…")).to_have_count(0)
    pressed(page, "Anna Testsson", "Klar…", {})
    undo(page, "Anna Testsson")
    pressed(page, "Anna Testsson", "Boka", {"Dag": "2026-12-03"})
    expect(row(page, "Anna Testsson")).to_contain_text("2026-12-03")
    pressed(page, "Nils Hemlig", "Missat…", {"Skäl": "fel rad"})
    undo(page, "Nils Hemlig")
    expect(row(page, "Nils Hemlig").get_by_role("link", name="Missat…")).to_be_visible()
    pressed(page, "Karin Lind", "Missat…", {"Skäl": "moved abroad"})
    expect(row(page, "Karin Lind").get_by_role("link", name="Missat…")).to_have_count(0)
    pressed(page, "Per Åström", "Ej svar…", {"Kanal": "letter", "Utfall": "other-day", "Påminn igen": "2026-12-08"})
    expect(row(page, "Per Åström")).to_contain_text("igen 2026-12-08")


def undo(page: Page, name: str) -> None:
    """By mouse: in the row, or where the page lists what was done today."""
    seen = "▲ Skyddade personuppgifter" if name == "Nils Hemlig" else name
    page.locator("tbody.visit, .done li", has_text=seen).get_by_role("button", name="Ångra").click()
    expect(row(page, name).get_by_role("link", name="Klar…")).to_be_visible()


def test_a_morning_by_mouse(browser: Browser, fresh: str) -> None:
    _, before = told(fresh)
    page = opened(browser, fresh)
    by_mouse(page)
    check(fresh, before)
    kept_by_the_browser(page)


@pytest.mark.proof
def test_a_morning_with_script_switched_off(browser: Browser, fresh: str) -> None:
    _, before = told(fresh)
    by_mouse(opened(browser, fresh, script=False))
    check(fresh, before)


def keys(page: Page, *pressed: str) -> None:
    """Keys one after the other, as fast as they come."""
    for key in pressed:
        page.keyboard.press(key)


def type_day(page: Page, day: str) -> None:
    """The figures of a day in the order in which this browser shows them, which without a language pack is month, day,
    year."""
    year, month, rest = day.split("-")
    page.keyboard.type(month + rest + year)


def at(page: Page, name: str) -> None:
    """The focus is on the patient's row itself."""
    expect(row(page, name)).to_be_focused()


def open_form(page: Page, key: str, field: str) -> None:
    """A letter opens the form, and the focus is in its first field."""
    keys(page, key)
    expect(page.locator("tr.form").get_by_label(field)).to_be_focused()


def missed(page: Page, name: str, reason: str) -> None:
    """By keys: the row that has the focus is marked as missed, and keeps it."""
    open_form(page, "m", "Skäl")
    page.keyboard.type(reason)
    keys(page, "Enter")
    expect(row(page, name)).to_contain_text("Missat")
    at(page, name)


@pytest.mark.proof
def test_a_morning_by_keys_alone(browser: Browser, fresh: str) -> None:
    _, before = told(fresh)
    page = opened(browser, fresh)
    tab_to(page, "[value=demo-nurse-lund]")
    keys(page, "Enter")
    page.wait_for_url("**/")

    keys(page, "j")
    at(page, "Erik Provberg")
    open_form(page, "c", "Kanal")
    keys(page, "Tab", "Tab", "Enter")  # phone and no answer stand there; Enter in a field saves
    expect(row(page, "Erik Provberg")).to_contain_text("ej svar 11-23")
    at(page, "Erik Provberg")
    open_form(page, "d", "Dag")
    type_day(page, "2026-11-20")
    keys(page, "Tab", "Tab", "Space", "ArrowRight", "Enter")  # past the day and its calendar to CR, and on to PR
    expect(row(page, "Erik Provberg")).to_contain_text("Klar 2026-11-20")
    at(page, "Erik Provberg")

    keys(page, "j")
    at(page, "Anna Testsson")
    open_form(page, "m", "Skäl")
    keys(page, "Escape")  # the wrong form
    at(page, "Anna Testsson")
    open_form(page, "d", "Dag")
    keys(page, "Enter")
    expect(row(page, "Anna Testsson")).to_contain_text("Klar 2026-11-23")
    at(page, "Anna Testsson")
    keys(page, "u")
    expect(row(page, "Anna Testsson")).to_contain_text("Nu")
    at(page, "Anna Testsson")
    open_form(page, "b", "Dag")
    type_day(page, "2026-12-03")
    keys(page, "Enter")
    expect(row(page, "Anna Testsson")).to_contain_text("2026-12-03")
    at(page, "Anna Testsson")

    keys(page, "j")
    at(page, "Nils Hemlig")
    missed(page, "Nils Hemlig", "fel rad")
    keys(page, "u")
    expect(row(page, "Nils Hemlig")).to_contain_text("Nu")
    at(page, "Nils Hemlig")

    keys(page, "j", "j", "k")  # one too far, and back
    at(page, "Karin Lind")
    missed(page, "Karin Lind", "moved abroad")

    keys(page, "j")
    at(page, "Per Åström")
    open_form(page, "c", "Kanal")
    keys(page, "ArrowDown", "Tab")
    page.keyboard.type("vill ha")  # a choice is found by the beginning of its word
    keys(page, "Tab")
    type_day(page, "2026-12-08")
    keys(page, "Enter")
    expect(row(page, "Per Åström")).to_contain_text("igen 2026-12-08")
    check(fresh, before)
    kept_by_the_browser(page)


def kept_by_the_browser(page: Page) -> None:
    """Nothing of a person is in the browser's storage, in the address, or in the addresses that its history holds."""
    addresses = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, document.cookie])")
    told = f"{kept} {page.url} {[(entry['url'], entry['title']) for entry in addresses]}"
    assert [part for name in PATIENTS for part in name.split() if part in told] == []
    assert "196001" not in told
    assert "070-17" not in told
