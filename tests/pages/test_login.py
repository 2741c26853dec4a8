"""The door of the pages: nothing without a session, forms from our own pages only, nobody sent elsewhere."""

from urllib.parse import urlencode

import pytest

from app.access import accounts
from app.access.accounts import NewAccount
from app.actor import Actor, Role
from app.db.transaction import begin
from tests.api.conftest import AT, Service
from tests.pages.conftest import FORM, Ward


async def _account(service: Service) -> str:
    async with begin(
        service.house.db, Actor("operator:test", Role.OPERATOR, None, id="operator:test"), service.house.clock
    ) as tx:
        return await accounts.add(tx, NewAccount("karin.n", "Karin N", Role.NURSE, frozenset({"lund"})))


async def test_without_a_session_a_page_is_the_login_and_comes_back_after_it(service: Service):
    ward = Ward(service)
    told = await ward.get("/?group=now")
    assert (told.status_code, told.headers["location"]) == (303, "/login?next=%2F%3Fgroup%3Dnow")
    password = await _account(service)
    told = await ward.post("/login", username="karin.n", password=password, next="/?group=now")
    assert (told.status_code, told.headers["location"]) == (303, "/?group=now")
    cookie = told.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Karin N" in (await ward.get("/")).text


async def test_a_part_of_a_page_asked_for_without_a_session_sends_the_whole_browser_to_the_login(service: Service):
    told = await Ward(service, script=True).get("/")
    assert (told.status_code, told.headers["hx-redirect"]) == (200, "/login?next=%2F")


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example", "//[", "/\\evil.example", "javascript:alert(1)"]
)
async def test_nobody_is_sent_elsewhere_after_login(service: Service, where: str):
    told = await Ward(service).post("/login/demo", token="demo-nurse-lund", next=where)
    assert told.headers["location"] == "/"


async def test_a_wrong_password_keeps_the_user_name_and_not_the_password(service: Service):
    told = await Ward(service).post("/login", username="karin.n", password="hunter22")
    assert told.status_code == 401
    assert 'value="karin.n"' in told.text
    assert "hunter22" not in told.text
    assert "Användarnamn eller lösenord är fel." in told.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_of_another_site_is_refused_and_changes_nothing(nurse: Ward, headers: dict[str, str]):
    before = await nurse.service.counts()
    told = await nurse.client.post(
        "/profile/names", content=urlencode({"back": "/"}), headers={"Content-Type": FORM["Content-Type"], **headers}
    )
    assert told.status_code == 403
    assert await nurse.service.counts() == before


async def test_a_form_of_our_own_by_a_browser_that_tells_its_origin_only_is_taken(nurse: Ward):
    told = await nurse.client.post(
        "/profile/names", content="back=%2F", headers={"Content-Type": FORM["Content-Type"], "Origin": AT}
    )
    assert told.status_code == 303


@pytest.mark.parametrize(
    ("media", "sent", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 5_000, 415),
        ("multipart/form-data" + ";" * 30_000, b"", 415),
        (FORM["Content-Type"], b"&" * 90_000, 413),
        (FORM["Content-Type"], b"a=1&" * 101, 413),
        (FORM["Content-Type"], b"a=" + b"x" * 100_000, 413),
        (FORM["Content-Type"], b"username=%ff%&password=", 401),
    ],
    ids=["parts", "semicolons", "ampersands", "fields", "length", "no letters"],
)
async def test_a_form_that_is_none_of_ours_is_refused_at_once(service: Service, media: str, sent: bytes, status: int):
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": media}
    assert (await service.client.post("/login", content=sent, headers=headers)).status_code == status


async def test_log_out_ends_the_session_and_has_the_browser_forget(nurse: Ward):
    told = await nurse.post("/logout")
    assert told.headers["clear-site-data"] == '"cache", "storage"'
    assert (await nurse.get("/")).headers["location"].startswith("/login")


@pytest.mark.parametrize("token", ["demo-network", "demo-admin", "demo-auditor"])
async def test_a_role_without_the_ward_is_told_so_in_words(service: Service, token: str):
    told = await (await Ward(service).log_in(token)).get("/")
    assert told.status_code == 403
    assert "Din roll får inte göra detta." in told.text


async def test_the_language_is_chosen_in_the_profile(nurse: Ward):
    await nurse.post("/profile", language="en", single_keys="yes")
    page = (await nurse.get("/")).text
    assert '<html lang="en">' in page
    assert "To do in Lund, Monday 23 November 2026 (w. 48)" in page


async def test_the_password_is_changed_in_the_profile_and_the_browser_stays_logged_in(service: Service):
    ward, password = Ward(service), await _account(service)
    await ward.post("/login", username="karin.n", password=password)
    refused = await ward.post("/profile/password", old_password="wrong", new_password="Sommar26")
    assert refused.status_code == 422
    assert "Det är inte ditt lösenord." in refused.text
    assert "Ett lösenord har minst tolv tecken." in refused.text
    assert "Sommar26" not in refused.text
    told = await ward.post("/profile/password", old_password=password, new_password="twelve signs")
    assert (told.status_code, told.headers["location"]) == (303, "/profile")
    assert (await ward.get("/profile")).status_code == 200
    assert (await Ward(service).post("/login", username="karin.n", password="twelve signs")).status_code == 303


async def test_a_login_of_the_demo_has_no_password_to_change(nurse: Ward):
    assert "Byt lösenord" not in (await nurse.get("/profile")).text
    assert (await nurse.post("/profile/password", old_password="a", new_password="twelve signs")).status_code == 404


@pytest.mark.parametrize("path", ["/no/such/page", "/visits/1/book", "/staticx"])
async def test_an_address_without_a_page_is_told_in_words_to_whoever_has_logged_in(nurse: Ward, path: str):
    told = await nurse.get(path)
    assert told.status_code == 404
    assert "Här finns inget som du får se." in told.text
    assert "<html" in told.text
