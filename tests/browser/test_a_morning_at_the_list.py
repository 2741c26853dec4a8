"""A nurse opens the list, books, notes a call, records an infusion and logs out; and what a page without script
does."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ward


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ward of this file's own: its tests leave bookings and calls behind."""
    with ward(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.fixture
def plain(browser: Browser, address: str) -> Iterator[Page]:
    """The nurse's list with script switched off, after the first click, which is the login."""
    context = browser.new_context(base_url=address, viewport={"width": 1366, "height": 768}, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    page.get_by_role("button", name="Sjuksköterska, Lund").click()
    yield page
    context.close()


def test_the_list_shows_each_group_with_its_visits(page: Page) -> None:
    expect(page.get_by_role("heading", name="Att göra i Lund, måndag 23 november 2026 (v. 48)")).to_be_visible()
    expect(page.locator(".group.overdue")).to_contain_text("Försenade (1)")
    expect(page.locator("tbody.visit.overdue")).to_contain_text("Erik Provberg")


def test_a_booking_is_saved_by_mouse_and_the_focus_goes_to_the_row(page: Page) -> None:
    anna = page.locator("tbody.visit", has_text="Anna Testsson").first
    anna.get_by_role("link", name="Boka").click()
    day = page.get_by_label("Dag", exact=True)
    expect(day).to_be_focused()
    day.fill("2026-12-03")
    page.get_by_role("button", name="Spara").click()
    expect(anna).to_contain_text("2026-12-03")
    expect(anna).to_be_focused()
    expect(page.locator("#status")).to_have_text("Bokningen är sparad.")
    page.reload()
    page.locator(".done").get_by_role("button", name="Ångra").first.click()
    expect(page.locator("tbody.visit", has_text="Anna Testsson").first).to_contain_text("ej bokad")


def test_escape_closes_the_form_and_goes_back_to_the_row(page: Page) -> None:
    anna = page.locator("tbody.visit", has_text="Anna Testsson").first
    anna.focus()
    page.keyboard.press("c")
    expect(page.get_by_label("Kanal")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Kanal")).to_have_count(0)
    expect(anna).to_be_focused()


def test_a_protected_identity_has_no_name_on_the_list(page: Page) -> None:
    expect(page.locator("main")).not_to_contain_text("Hemlig")
    expect(page.locator("main")).to_contain_text("▲ Skyddade personuppgifter")


def test_the_browser_keeps_nothing_of_a_person_and_back_after_log_out_is_the_login(page: Page) -> None:
    page.locator("tbody.visit").first.get_by_role("link", name="Boka").click()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "Testsson" not in kept
    assert "196001" not in kept
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Logga ut").click()
    page.wait_for_url("**/login")
    page.go_back()
    expect(page.get_by_label("Lösenord")).to_be_visible()


def test_a_plan_is_shown_before_anything_is_saved_and_saved_once_by_a_double_click(page: Page) -> None:
    page.goto("/infusions/new")
    page.get_by_label("Personnummer").fill("811228-9874")
    page.get_by_label("Namn", exact=True).fill("Test Testsson")
    page.get_by_label("Produkt").select_option("axicabtagene-ciloleucel")
    page.get_by_label("Sammanhang").select_option("SOC")
    page.get_by_label("Infusionsdag").fill("2026-11-20")
    page.get_by_label("Batch").click()
    expect(page.locator("#plan")).to_contain_text("2041-11-20")
    page.get_by_role("button", name="Spara infusionen").dblclick()
    # Looked at until it is so: the second click ends the first one's navigation, and a wait for that would fail.
    expect(page).to_have_url(re.compile(r"/patients/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Test Testsson")
    expect(page.locator(".years .infusion")).to_have_count(1)


def test_a_name_typed_beside_the_list_leaves_its_rows_and_stands_in_no_address(page: Page) -> None:
    page.get_by_label("Namn").press_sequentially("ÅSTR")
    expect(page.locator("tbody.visit:visible")).to_have_count(1)
    expect(page.locator("tbody.visit:visible")).to_contain_text("Per Åström")
    page.get_by_label("Namn").fill("")
    expect(page.locator("tbody.visit", has_text="Anna Testsson").first).to_be_visible()
    page.get_by_label("Namn").fill("Anna")
    page.keyboard.press("Enter")  # and to find whoever is not on the list
    expect(page.get_by_role("heading", name="Patienter")).to_be_visible()
    assert "nna" not in page.url


def test_a_call_to_be_made_again_is_noted_by_keys_and_its_row_waits(page: Page) -> None:
    anna = page.locator("tbody.visit", has_text="Anna Testsson").first
    anna.focus()
    page.keyboard.press("c")
    expect(page.get_by_label("Kanal")).to_be_focused()
    page.get_by_label("Anteckning").press("Enter")
    expect(anna).to_contain_text("igen 2026-11-30")
    page.reload()
    expect(page.locator(".group.asleep")).to_contain_text("Väntar till senare dag")


def test_from_login_to_the_first_overdue_visit_done_in_three_clicks_and_undone_with_one(plain: Page) -> None:
    erik = plain.locator("tbody.visit.overdue", has_text="Erik Provberg")
    erik.get_by_role("link", name="Klar…").click()
    plain.get_by_role("button", name="Spara").click()
    expect(erik).to_have_count(0)
    plain.locator(".done li", has_text="Erik Provberg").get_by_role("button", name="Ångra").click()
    expect(plain.locator("tbody.visit.overdue", has_text="Erik Provberg")).to_have_count(1)


def test_a_refused_form_stands_open_with_what_was_written(plain: Page) -> None:
    plain.locator("tbody.visit", has_text="Anna Testsson").first.get_by_role("link", name="Klar…").click()
    plain.get_by_label("Dag", exact=True).fill("2027-01-01")
    plain.get_by_role("button", name="Spara").click()
    expect(plain.get_by_text("Dagen ligger i framtiden")).to_be_visible()
    expect(plain.get_by_label("Dag", exact=True)).to_have_value("2027-01-01")
