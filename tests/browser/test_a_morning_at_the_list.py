"""A nurse opens the list, books, marks as done, notes a call and takes back: by mouse and by keys alone."""

import re

from playwright.sync_api import BrowserContext, Page, expect


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


def test_a_visit_is_done_and_undone_by_keys_alone(page: Page) -> None:
    page.locator("tbody.visit").first.focus()
    page.keyboard.press("j")
    name = page.evaluate("document.activeElement.querySelector('th').innerText")
    page.keyboard.press("d")
    expect(page.get_by_label("Dag", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    seen = page.locator("tbody.visit", has_text=name.split("\n")[0][:8]).first
    expect(seen).to_contain_text("Klar 2026-11-23")
    expect(seen).to_be_focused()
    page.keyboard.press("Enter")  # once more changes nothing: the focus is not on Undo
    expect(seen).to_contain_text("Klar 2026-11-23")
    page.keyboard.press("u")
    expect(seen).not_to_contain_text("Klar 2026-11-23")


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
    page.wait_for_url("**/patients/*-*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Test Testsson")
    expect(page.locator(".years .infusion")).to_have_count(1)


def test_two_tabs_on_one_row_and_the_later_one_is_told_what_holds(page: Page, context: BrowserContext) -> None:
    other = context.new_page()
    other.goto("/")
    for tab in (page, other):
        tab.locator("tbody.visit", has_text="Per Åström").first.get_by_role("link", name="Boka").click()
        tab.get_by_label("Dag", exact=True).wait_for()
    for tab, day in ((page, "2026-12-03"), (other, "2026-12-04")):
        tab.get_by_label("Dag", exact=True).fill(day)
        tab.get_by_role("button", name="Spara").click()
    expect(other.locator("tr.form")).to_contain_text("Din ändring sparades inte")
    expect(other.locator("tbody.visit", has_text="Per Åström").first).to_contain_text("2026-12-03")
    page.reload()
    page.locator(".done li", has_text="Per Åström").get_by_role("button", name="Ångra").click()


def test_enter_pressed_twice_books_once_and_the_filters_stay(page: Page) -> None:
    page.goto("/?visit=yearly&booked=no")
    anna = page.locator("tbody.visit", has_text="Anna Testsson").first
    anna.get_by_role("link", name="Boka").click()
    page.get_by_label("Dag", exact=True).fill("2026-12-07")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(anna).to_contain_text("2026-12-07")
    expect(page).to_have_url(re.compile(r"visit=yearly&booked=no"))
    page.goto("/alerts")
    page.go_back()
    expect(page).to_have_url(re.compile(r"visit=yearly&booked=no"))
    page.goto("/")
    page.locator(".done li", has_text="Anna Testsson").get_by_role("button", name="Ångra").click()


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
