"""By keys alone: how many it takes, and that the Tab key goes everywhere and out again."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests import processes
from tests.browser.conftest import tab_to

# What the Tab key must reach: of a group of radio buttons it is one.
REACHABLE = """() => [...document.querySelectorAll(`a[href], button, input:not([type=hidden]), select, textarea,
    summary, [tabindex='0']`)]
    .filter(one => one.checkVisibility() && (one.type !== "radio" || one ===
        one.form.querySelector(`[name="${one.name}"]`)))
    .map(one => one.outerHTML.slice(0, 200))"""


def _stops(page: Page, key: str) -> list[str]:
    """What has the focus, from where it is now until it is there again; the parts of one field count once."""
    seen = [page.evaluate("document.activeElement.outerHTML.slice(0, 200)")]
    for _ in range(400):
        page.keyboard.press(key)
        now = page.evaluate(
            "document.activeElement === document.body ? null : document.activeElement.outerHTML.slice(0, 200)"
        )
        if now == seen[0]:
            return seen
        if now not in (None, seen[-1]):
            seen.append(now)
    raise AssertionError(f"the {key} key never comes round; last on {seen[-1]}")


def test_the_tab_key_goes_through_the_list_with_open_forms_and_out_again_both_ways(page: Page) -> None:
    for name, form in (
        ("Erik Provberg", "Boka"),
        ("Anna Testsson", "Klar…"),
        ("Karin Lind", "Ej svar…"),
        ("Per Åström", "Missat…"),
    ):
        row = page.locator("tbody.visit", has_text=name)
        row.get_by_role("link", name=form).click()
        row.locator("tr.form").wait_for()
    tab_to(page, ".skip")  # the last form's field has the focus: on to the end, and round to the page's beginning
    first, *others = _stops(page, "Tab")
    assert [first, *others] == page.evaluate(REACHABLE)
    assert _stops(page, "Shift+Tab") == [first, *others[::-1]]


def test_from_the_list_to_the_first_overdue_visit_done_in_three_keys_and_undone_with_one(page: Page) -> None:
    erik = page.locator("tbody.visit.overdue").first
    for key in ("j", "d"):
        page.keyboard.press(key)
    expect(page.locator("tr.form").get_by_label("Dag")).to_be_focused()
    page.keyboard.press("Enter")
    done = page.locator("tbody.visit.completed")
    expect(done).to_be_focused()
    page.keyboard.press("u")
    expect(done).to_have_count(0)
    expect(erik).to_be_focused()


def test_from_the_login_to_the_first_overdue_visit_done_in_five_keys_beside_name_and_password(
    browser: Browser, address: str, data: Path, tmp_path: Path
) -> None:
    where = processes.environment(database_url=f"sqlite:///{data}/follow-up.db", key_file=data / "follow-up.keys")
    forks = processes.Forks(tmp_path)
    made = forks.run(
        "user", "add", "karin.n", "--name", "Karin N", "--role", "nurse", "--centre", "lund", env=where, cwd=tmp_path
    )
    forks.close()
    page = browser.new_context(base_url=address, locale="sv-SE").new_page()
    page.goto("/login")
    tab_to(page, "#username")
    page.keyboard.type("karin.n")
    page.keyboard.press("Tab")  # 1
    page.keyboard.type(made.stdout.strip())
    page.keyboard.press("Enter")  # 2
    page.wait_for_url("**/")
    page.keyboard.press("j")  # 3
    page.keyboard.press("d")  # 4
    expect(page.locator("tr.form").get_by_label("Dag")).to_be_focused()
    page.keyboard.press("Enter")  # 5
    erik = page.locator("tbody.visit", has_text="Erik Provberg")
    expect(erik).to_contain_text("Klar 2026-11-23")
    expect(erik).to_be_focused()
    page.keyboard.press("u")
    expect(erik).to_contain_text("Försenad")


def test_letters_do_nothing_outside_the_list_and_nothing_at_all_when_switched_off(page: Page) -> None:
    for key in "kbdcmuo":
        page.keyboard.press(key)
    expect(page.locator("tr.form")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_label("Sök patient")).to_be_focused()
    page.keyboard.type("jdm")
    expect(page.get_by_label("Sök patient")).to_have_value("jdm")
    page.goto("/profile")
    page.get_by_label("Enstaka bokstäver").uncheck()
    page.get_by_role("button", name="Spara").click()
    page.goto("/")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement === document.body")
    page.locator("tbody.visit").first.get_by_role("link", name="Klar…").focus()
    page.keyboard.press("d")
    expect(page.locator("tr.form")).to_have_count(0)


def test_j_goes_on_from_the_row_that_had_the_focus_last(page: Page) -> None:
    for key in "jj":
        page.keyboard.press(key)
    expect(page.locator("tbody.visit").nth(1)).to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page.locator("tbody.visit").nth(2)).to_be_focused()
