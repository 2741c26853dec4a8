"""A patient moves to another centre while the nurse has the list before her: what she sends is answered in words where
the page was."""

from collections.abc import Callable
from datetime import date

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.api.conftest import number_of
from tests.browser.conftest import DAY

Tell = Callable[..., dict]


@pytest.fixture
def tell(fresh: str) -> Tell:
    """Calls the API of a ward as somebody."""

    def told(who: str, path: str, body: dict) -> dict:
        headers = {"Authorization": f"Bearer {who}"}
        answer = httpx.post(f"{fresh}/api/v1{path}", json=body, headers=headers, timeout=60, trust_env=False)
        assert answer.status_code in (200, 201), answer.text
        found: dict = answer.json()
        return found

    return told


def test_a_form_about_a_patient_who_has_moved_is_answered_in_words(browser: Browser, fresh: str, tell: Tell) -> None:
    person = {
        "identifiers": [{"system": "personnummer", "value": number_of(date(1961, 2, 3), 1)}],
        "name": "Olle Flyttad",
    }
    infusion = {
        "patient": person,
        "centre": "uppsala",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2025-11-25",
    }
    patient = tell("demo-coordinator-uppsala", "/infusions", infusion)["patient_id"]
    tell(
        "demo-coordinator-uppsala", f"/patients/{patient}/events", {"type": "transferred", "on": DAY, "centre": "lund"}
    )
    page = browser.new_context(base_url=fresh, locale="sv-SE").new_page()
    page.goto("/login/demo?token=demo-nurse-lund")
    row = page.locator("tbody.visit", has_text="Olle Flyttad").first
    row.get_by_role("link", name="Ej svar…").click()
    expect(page.locator("tr.form").get_by_role("button", name="Spara")).to_be_visible()
    tell(
        "demo-coordinator-lund", f"/patients/{patient}/events", {"type": "transferred", "on": DAY, "centre": "uppsala"}
    )
    page.locator("tr.form").get_by_role("button", name="Spara").click()
    expect(page.locator("#main")).to_contain_text("Här finns inget som du får se.")
    expect(page.locator("#main").get_by_role("link", name="Till listan")).to_be_visible()
    assert page.locator("#main").count() == 1
    page.context.close()
