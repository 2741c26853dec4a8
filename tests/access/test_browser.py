"""The door of the pages over the whole application: where a browser without a session is sent, and what becomes of its
form."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

import app.pages
from app.access.sessions import IDLE, KEPT
from app.db.columns import Keys
from app.db.engine import Database
from app.http.cookie import NAME
from app.http.middleware import Outermost
from app.main import BY_THEMSELVES, OPEN, AppContext
from app.settings import Settings
from tests.access.conftest import Later
from tests.api.conftest import AT, TODAY, Service, make_service

__all__ = ["make_service"]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OURS = FORM | {"Sec-Fetch-Site": "same-origin", "Referer": f"{AT}/?centre=lund&group=now"}
OVER = IDLE + timedelta(seconds=1)
BOOKED = {"booked_on": "2026-12-03", "note": "Test Testsson"}


class Browser:
    """A nurse of Lund who has logged in at the demo's door, and the service's clock."""

    def __init__(self, service: Service, clock: Later) -> None:
        self.service, self.client, self.clock = service, service.client, clock

    async def send(self, path: str = "/visits/1/book", headers: dict[str, str] = OURS, **fields: str) -> httpx.Response:
        return await self.client.post(path, content=urlencode(fields or BOOKED), headers=headers)

    async def kept(self) -> int:
        return (await self.service.counts())["kept_forms"]


@pytest.fixture
async def browser(sqlite_url: str) -> AsyncIterator[Browser]:
    clock, db = Later(fixed=TODAY), Database(sqlite_url, Keys.fresh())
    service = Service(AppContext(db, clock, Settings(database_url=sqlite_url, demo_tokens=True)))
    made = Browser(service, clock)
    assert (await made.send("/login/demo", token="demo-nurse-lund")).status_code == 303
    yield made
    await service.client.aclose()
    await db.close()


def asked(answer: httpx.Response, header: str = "location") -> dict[str, str]:
    """What the login is told in its address."""
    parts = urlsplit(answer.headers[header])
    assert parts.path == "/login"
    return {name: value for name, (value,) in parse_qs(parts.query).items()}


async def test_a_form_sent_after_the_session_ran_out_is_kept_and_the_login_leads_to_it(browser: Browser):
    browser.clock.by = OVER
    told = await browser.send()
    assert told.status_code == 303
    form = UUID(asked(told)["next"].removeprefix("/kept/"))
    kept = await browser.service.app.state.sessions.kept_form("demo-nurse-lund", form)
    assert kept == ("/visits/1/book", {name: [value] for name, value in BOOKED.items()})


async def test_a_form_sent_by_script_is_kept_too(browser: Browser):
    browser.clock.by = OVER
    told = await browser.send(headers=OURS | {"HX-Request": "true"})
    assert (told.status_code, told.text) == (200, "")
    assert asked(told, "hx-redirect")["next"].startswith("/kept/")


@pytest.mark.parametrize("path", ["/profile", "/profile/names", "/logout"])
async def test_what_is_as_quickly_sent_again_is_not_kept(browser: Browser, path: str):
    browser.clock.by = OVER
    assert asked(await browser.send(path))["next"] == "/?centre=lund&group=now"
    assert await browser.kept() == 0


async def test_an_address_that_is_too_long_to_be_led_back_to_leads_to_the_list(browser: Browser):
    browser.client.cookies.clear()
    told = await browser.client.get("/?name=" + "x" * 600)
    assert asked(told) == {"next": "/"}
    assert (await browser.client.get(told.headers["location"])).status_code == 200


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        (OURS | {"Content-Type": "application/json"}, b'{"a": 1}'),
        (OURS | {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--"),
        (OURS, b""),
        (OURS, b"a=" + b"x" * 100_000),
        (OURS, b"&".join(b"f%d=1" % n for n in range(101))),
        (OURS, b"old_password=secret"),
    ],
    ids=["json", "multipart", "empty", "too long", "too many fields", "a password"],
)
async def test_what_is_no_form_or_too_much_is_not_kept(browser: Browser, headers: dict[str, str], content: bytes):
    browser.clock.by = OVER
    told = await browser.client.post("/visits/1/book", content=content, headers=headers)
    assert (told.status_code, asked(told)["next"]) == (303, "/?centre=lund&group=now")
    assert await browser.kept() == 0


async def test_a_form_of_nobody_known_is_not_kept(browser: Browser):
    browser.clock.by = OVER + KEPT
    assert asked(await browser.send())["next"] == "/?centre=lund&group=now"
    browser.client.cookies.clear()
    assert asked(await browser.send())["next"] == "/?centre=lund&group=now"
    browser.client.cookies.set(NAME, "x" * 43)
    assert asked(await browser.send())["next"] == "/?centre=lund&group=now"
    assert await browser.kept() == 0


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}])
async def test_a_form_of_another_site_is_not_kept_for_anybody(browser: Browser, headers: dict[str, str]):
    browser.clock.by = OVER
    assert (await browser.send(headers=FORM | headers)).status_code == 403
    assert await browser.kept() == 0


@pytest.mark.parametrize("referer", ["https://evil.example/?a", f"{AT}.evil.example/x", "http://[", "localhost", ""])
async def test_nobody_is_led_back_to_a_page_of_another_site(browser: Browser, referer: str):
    browser.clock.by = OVER
    assert asked(await browser.send("/profile", headers=OURS | {"Referer": referer}))["next"] == "/"


async def test_a_part_of_a_page_leads_back_to_the_page_and_not_to_the_part(browser: Browser):
    browser.clock.by = OVER
    told = await browser.client.get("/due/changes?since=1", headers=OURS | {"HX-Request": "true"})
    assert asked(told, "hx-redirect")["next"] == "/?centre=lund&group=now"


@pytest.mark.parametrize("origin", ["http://[", "null", "https://", f"{AT}:81", "localhost"])
@pytest.mark.parametrize("path", ["/login", "/logout", "/profile/names"])
async def test_an_origin_that_is_not_ours_is_refused_at_every_page(browser: Browser, origin: str, path: str):
    assert (await browser.send(path, headers=FORM | {"Origin": origin})).status_code == 403


async def test_what_is_refused_before_its_page_is_told_to_script_in_words_and_becomes_no_row(browser: Browser):
    told = await browser.send(headers=FORM | {"Sec-Fetch-Site": "cross-site", "HX-Request": "true"})
    assert (told.status_code, told.text) == (403, "Forms are taken from the service&#x27;s own pages only.")
    assert (told.headers["hx-retarget"], told.headers["hx-reswap"]) == ("#status", "textContent")
    assert told.headers["content-type"].startswith("text/plain")


async def test_what_tells_no_origin_is_taken_without_a_cookie_only(browser: Browser):
    assert (await browser.send("/login", headers=FORM, username="a", password="b")).status_code == 403
    browser.client.cookies.clear()
    assert (await browser.send("/login", headers=FORM, username="a", password="b")).status_code == 401


async def test_a_page_that_is_left_open_runs_out_though_it_asks_for_changes_every_minute(browser: Browser):
    since = browser.clock.now().timestamp()
    for minute in range(1, 31):
        browser.clock.by = timedelta(minutes=minute) - timedelta(seconds=5)
        assert (await browser.client.get(f"/due/changes?since={since}")).status_code == 200
    browser.clock.by = OVER
    assert (await browser.client.get(f"/due/changes?since={since}")).status_code == 303


def test_all_that_pages_ask_for_by_themselves_is_known():
    templates = "".join(file.read_text() for file in Path(app.pages.__file__).parent.rglob("*.html"))
    polled = re.findall(r'hx-get="([^"?]+)[^>]*hx-trigger="[^"]*every', templates)
    assert set(polled) == BY_THEMSELVES
    assert len(polled) == templates.count("every 60s")


async def test_what_is_open_is_open_without_a_session_and_nothing_else_is(browser: Browser):
    browser.client.cookies.clear()
    for path in sorted(OPEN - {"/static/{name}", "/login/demo"}):
        assert "location" not in (await browser.client.get(path)).headers, path
    for path in ("/", "/patients", "/infusions/new", "/alerts", "/profile"):
        assert asked(await browser.client.get(path)) == {"next": path}
    for path in ("/no/such/page", "/login/other", "/staticx", "/visits/1/book/2"):
        assert (await browser.client.get(path)).status_code == 404, path


# ---- The cookie ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "others",
    [
        'odd="a\\"; x',
        "a=b; a@b=c",
        "=;;=",
        f"{NAME}=; {NAME}=short",
        f'{NAME}="' + "x" * 43 + '"',
        'theirs={"json": "1, 2"}',
        "å=ö",
        "a=" + "\\" * 8000,
    ],
    ids=["open quote", "odd name", "empty", "ours without a secret", "ours quoted", "json", "letters", "backslashes"],
)
async def test_what_others_have_stored_in_the_browser_ends_no_session(browser: Browser, others: str):
    own = f"{NAME}={browser.client.cookies[NAME]}"
    for told in (f"{others}; {own}", f"{own}; {others}", f"{own};{others}"):
        answer = await browser.client.get("/", headers=[("Cookie", told.encode())])
        assert answer.status_code == 200, told


async def test_no_cookie_reaches_what_parses_it(browser: Browser):
    """The framework parses the header for every route, at a cost that grows with the square of its length."""
    parsed = []
    inner = browser.service.app.router

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        parsed.extend(value for name, value in scope["headers"] if name == b"cookie")
        await inner(scope, receive, send)

    stack = Outermost(watched, registry=CollectorRegistry(), open_headers=[], public_origin=None)
    transport = httpx.ASGITransport(stack)
    async with httpx.AsyncClient(transport=transport, base_url=AT) as client:
        for path in ("/livez", "/api/v1/visits", "/static/none"):
            await client.get(path, headers=[("Cookie", b"a=1"), ("cookie", b"b=" + b"\\" * 300)])
    assert parsed == []


async def test_a_login_ends_the_session_that_the_browser_had(browser: Browser):
    first = browser.client.cookies[NAME]
    assert (await browser.send("/login/demo", token="demo-clinician-lund")).status_code == 303
    browser.client.cookies.clear()
    answer = await browser.client.get("/", headers={"Cookie": f"{NAME}={first}"})
    assert asked(answer) == {"next": "/"}


# ---- How often -------------------------------------------------------------------------------------------------------


async def test_pages_are_counted_by_session_and_without_one_by_address(make_service: Callable[..., Service]):
    service = make_service(rate=2)
    mine, theirs = [httpx.AsyncClient(transport=service.client._transport, base_url=AT) for _ in range(2)]
    for client in (mine, theirs):
        assert (await client.post("/login/demo", content="token=demo-nurse-lund", headers=OURS)).status_code == 303
    seen = [await mine.get("/profile") for _ in range(30)]
    assert {answer.status_code for answer in seen} == {200, 429}
    refused = next(answer for answer in seen if answer.status_code == 429)
    assert (refused.headers["retry-after"], refused.json()["type"]) == ("1", "/problems/rate-limited")
    assert refused.headers["ratelimit-policy"] == '"browser";q=2;w=1'
    assert (await theirs.get("/profile")).status_code == 200
    mine.cookies.clear()
    assert 429 in [(await mine.get("/login")).status_code for _ in range(20)]
    assert (await mine.get("/livez")).status_code == 200  # what watches is counted apart
    for client in (mine, theirs):
        await client.aclose()


async def test_a_session_opens_nothing_of_the_api(browser: Browser):
    assert (await browser.client.get("/api/v1/visits")).status_code == 401
