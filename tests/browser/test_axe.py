"""Every page in every state, looked at by axe-core: two languages, light and dark, forced colours, desktop and
phone."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, ViewportSize, expect

from tests.browser.conftest import COORDINATOR, faults, ward

DESKTOP, PHONE = ViewportSize(width=1366, height=768), ViewportSize(width=320, height=640)
MAJA = "Maja Berg"  # overdue too: one alert is acknowledged, one is left
ELSEWHERE = ("list, nothing to do", "alerts, none")  # the nurse of Uppsala, who has no patients here
IN_ENGLISH = (1, 2, 4, 7)
ALWAYS = (
    3  # looks that `make test` takes; the others are of the heavy set, which takes each state in four of them besides
)
LOOKS = list(product(("light", "dark"), ("none", "active"), (DESKTOP, PHONE)))


def _row(page: Page, name: str) -> Locator:
    page.goto("/")
    return page.locator("tbody.visit", has_text=name).first


def _form(key: str) -> Callable[[Page], None]:
    def opened(page: Page) -> None:
        _row(page, "Anna Testsson").locator(f"[data-key={key}]").click()
        page.locator("tr.form").wait_for()

    return opened


def _save(page: Page) -> None:
    page.locator("tr.form .primary").click()


def _at(path: str) -> Callable[[Page], None]:
    def opened(page: Page) -> None:
        page.goto(path)

    return opened


def _refused_form(page: Page) -> None:
    _form("d")(page)
    page.locator("tr.form [name=completed_on]").fill("2027-01-01")
    _save(page)
    page.locator("tr.form [aria-invalid]").wait_for()


def _stale_form(page: Page) -> None:
    _form("b")(page)
    row = page.locator("tbody.visit", has=page.locator("tr.form"))
    visit, version = str(row.get_attribute("id")).removeprefix("v-"), row.locator("[name=version]").first.input_value()
    day = {"booked_on": "2026-12-0" + str(1 + int(version) % 9)}
    told = page.request.post(
        f"/api/v1/visits/{visit}/book", data=day, headers=COORDINATOR | {"If-Match": f'"{version}"'}
    )
    assert told.ok, told.text()
    page.locator("tr.form [name=booked_on]").fill("2026-12-18")
    _save(page)
    page.locator("tr.form .refusal").wait_for()


def _asleep(page: Page) -> None:
    row = _row(page, "Karin Lind")
    if not page.locator(".group.asleep").count():
        row.locator("[data-key=c]").click()
        _save(page)
        expect(row).to_contain_text("2026-11-30")
        page.reload()
    expect(page.locator(".group.asleep")).to_be_visible()


def _done(page: Page) -> None:
    row = _row(page, "Per Åström")
    if row.count():
        row.locator("[data-key=d]").click()
        _save(page)
        expect(row.locator(".state.completed")).to_be_visible()  # with script the row stays, and says so
    expect(page.locator("tbody.visit.completed, .done li").first).to_be_visible()


def _done_before(page: Page) -> None:
    _done(page)
    page.goto("/")
    expect(page.locator(".done li").first).to_be_visible()


def _patient(page: Page) -> None:
    _row(page, "Anna Testsson").locator("th a").click()
    page.wait_for_url("**/patients/*-*")
    for fold in page.locator("main details summary").all():
        fold.click()


def _refused_event(page: Page) -> None:
    _patient(page)
    page.locator("#on").fill("2027-01-01")
    page.locator("form[action$=events] .primary").click()
    page.locator("[role=alert]").wait_for()


def _plan(page: Page) -> None:
    page.goto("/infusions/new")
    told = {"number": "811228-9874", "name": "Test Testsson", "infused_on": "2026-11-20"}
    for field, value in told.items():
        page.locator(f"#{field}").fill(value)
    page.locator("#product").select_option("axicabtagene-ciloleucel")
    page.locator("#context").select_option("SOC")
    page.locator("#batch").click()
    expect(page.locator("#plan")).to_contain_text("2041-11-20")


def _refused_infusion(page: Page) -> None:
    page.goto("/infusions/new")
    page.locator("#number").fill("811228-9875")
    page.locator("form.infusion .primary").click()
    page.locator("[role=alert]").wait_for()


def _refused_acknowledgement(page: Page) -> None:
    page.goto("/alerts")
    page.locator("#alerts button").first.click()
    page.locator("#alerts [aria-invalid]").wait_for()


def _acknowledged(page: Page) -> None:
    page.goto("/alerts?state=acknowledged")
    if not page.locator("#alerts").count():
        alerts = page.request.get("/api/v1/alerts?state=open", headers=COORDINATOR).json()["items"]
        told = page.request.post(
            f"/api/v1/alerts/{alerts[0]['id']}/acknowledge", data={"reason": "ringt"}, headers=COORDINATOR
        )
        assert told.ok, told.text()
        page.reload()
    page.locator("#alerts").wait_for()


def _search(words: str) -> Callable[[Page], None]:
    def found(page: Page) -> None:
        page.goto("/patients")
        page.locator("#q").fill(words)
        page.locator("main .primary").click()
        page.wait_for_load_state()

    return found


def _login(page: Page) -> None:
    language = page.locator("html").get_attribute("lang")
    page.context.clear_cookies()
    page.goto(f"/login?language={language}")


def _wrong_password(page: Page) -> None:
    _login(page)
    page.locator("#username").fill("karin.n")
    page.locator("#password").fill("wrong")
    page.locator("main .primary").click()
    page.locator("[role=alert]").wait_for()


STATES: Mapping[str, Callable[[Page], None]] = {
    "list": _at("/"),
    "list, nothing to do": _at("/"),
    "list, filtered to nothing": _at("/?name=ingen"),
    "list, booking": _form("b"),
    "list, done": _form("d"),
    "list, no answer": _form("c"),
    "list, missed": _form("m"),
    "list, refused": _refused_form,
    "list, too late": _stale_form,
    "list, a row asleep": _asleep,
    "list, just done": _done,
    "list, done today": _done_before,
    "paper": _at("/due/print"),
    "patient": _patient,
    "patient, refused": _refused_event,
    "infusion": _at("/infusions/new"),
    "infusion, plan": _plan,
    "infusion, refused": _refused_infusion,
    "alerts": _at("/alerts"),
    "alerts, none": _at("/alerts"),
    "alerts, refused": _refused_acknowledgement,
    "alerts, acknowledged": _acknowledged,
    "patients": _at("/patients"),
    "patients, nobody": _search("ingen"),
    "patients, several": _search("e"),
    "profile": _at("/profile"),
    "demo": _at("/demo"),
    "not there": _at("/nothing"),
    "not yours": _at("/?centre=uppsala"),
    "login": _login,
    "login, wrong password": _wrong_password,
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ward with two alerts."""
    with ward(tmp_path_factory.mktemp("demo"), **{MAJA: "2025-09-12"}) as found:
        yield found


def _open(page: Page, state: str, language: str) -> None:
    """A fresh session with the state before it."""
    page.set_viewport_size(DESKTOP)
    assert page.request.get(f"/login/demo?token=demo-nurse-{'uppsala' if state in ELSEWHERE else 'lund'}").ok
    told = page.request.post(
        "/profile", form={"language": language, "single_keys": "yes"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert told.ok
    page.goto("/")
    STATES[state](page)


def _look(page: Page, scheme: str, forced: str, size: ViewportSize) -> None:
    page.emulate_media(color_scheme=scheme, forced_colors=forced)  # type: ignore[arg-type]
    page.set_viewport_size(size)


@pytest.mark.parametrize(
    "n", [pytest.param(n, marks=[] if n < ALWAYS else pytest.mark.proof) for n in range(len(LOOKS))]
)
def test_each_state_has_no_fault_that_axe_knows_in_one_of_the_looks(context: BrowserContext, n: int) -> None:
    page = context.new_page()
    page.add_init_script("window.print = () => {}")
    found = {}
    for state in list(STATES)[n :: len(LOOKS)]:
        _open(page, state, "en" if n in IN_ENGLISH else "sv")
        _look(page, *LOOKS[n])
        found[state] = faults(page)
    assert {state: told for state, told in found.items() if told} == {}


@pytest.mark.proof
@pytest.mark.parametrize("n", range(len(STATES)))
def test_each_state_has_no_fault_that_axe_knows_light_dark_forced_small_and_in_the_other_language(
    context: BrowserContext, n: int
) -> None:
    """Each pair of scheme, colours and size once, in the language in which the state was not seen above."""
    state = list(STATES)[n]
    page = context.new_page()
    page.add_init_script("window.print = () => {}")
    _open(page, state, "sv" if n % len(LOOKS) in IN_ENGLISH else "en")
    found = {}
    for look in LOOKS[0], LOOKS[3], LOOKS[5], LOOKS[6]:
        _look(page, *look)
        found[str(look)] = faults(page)
    assert {look: told for look, told in found.items() if told} == {}
