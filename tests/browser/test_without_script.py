"""The same morning with script switched off: each act by a plain form, the same rows afterwards."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect


@pytest.fixture
def plain(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport={"width": 1366, "height": 768}, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    page.get_by_role("button", name="Sjuksköterska, Lund").click()
    yield page
    context.close()


def _anna(page: Page) -> Locator:
    return page.locator("tbody.visit", has_text="Anna Testsson").first


def test_book_done_no_answer_missed_and_undo_by_plain_forms(plain: Page) -> None:
    _anna(plain).get_by_role("link", name="Boka").click()
    plain.get_by_label("Dag", exact=True).fill("2026-12-03")
    plain.get_by_role("button", name="Spara").click()
    expect(_anna(plain)).to_contain_text("2026-12-03")
    _anna(plain).get_by_role("link", name="Ej svar…").click()
    plain.get_by_role("button", name="Spara").click()
    expect(_anna(plain)).to_contain_text("ej svar 11-23")
    _anna(plain).get_by_role("link", name="Klar…").click()
    plain.get_by_text("CR", exact=True).click()
    plain.get_by_role("button", name="Spara").click()
    expect(plain.locator("tbody.visit", has_text="Anna Testsson")).to_have_count(0)
    plain.locator(".done li", has_text="Anna Testsson").get_by_role("button", name="Ångra").click()
    expect(_anna(plain)).to_contain_text("2026-12-03")


def test_from_login_to_the_first_overdue_visit_done_in_three_clicks_and_undone_with_one(plain: Page) -> None:
    erik = plain.locator("tbody.visit.overdue", has_text="Erik Provberg")  # the login was the first click
    erik.get_by_role("link", name="Klar…").click()
    plain.get_by_role("button", name="Spara").click()
    expect(erik).to_have_count(0)
    plain.locator(".done li", has_text="Erik Provberg").get_by_role("button", name="Ångra").click()
    expect(plain.locator("tbody.visit.overdue", has_text="Erik Provberg")).to_have_count(1)


def test_a_refused_form_stands_open_with_what_was_written(plain: Page) -> None:
    _anna(plain).get_by_role("link", name="Klar…").click()
    plain.get_by_label("Dag", exact=True).fill("2027-01-01")
    plain.get_by_role("button", name="Spara").click()
    expect(plain.get_by_text("Dagen ligger i framtiden")).to_be_visible()
    expect(plain.get_by_label("Dag", exact=True)).to_have_value("2027-01-01")
