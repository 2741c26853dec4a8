"""A form sent when the session had run out: after the login it is there again, filled in, and nothing has been
saved."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import unquote
from uuid import uuid4

import httpx
import pytest

from app.access.sessions import IDLE, KEPT
from app.db.columns import Keys
from app.db.engine import Database
from app.main import AppContext
from app.settings import Settings
from tests.access.conftest import Later
from tests.api.conftest import TODAY, Service
from tests.pages.conftest import Ward, row_of

WORDS = "Sessionen hade gått ut, så inget sparades."


@pytest.fixture
async def later(sqlite_url: str) -> AsyncIterator[tuple[Ward, Later]]:
    clock, db = Later(fixed=TODAY), Database(sqlite_url, Keys.fresh())
    ward = await Ward(Service(AppContext(db, clock, Settings(database_url=sqlite_url, demo_tokens=True)))).log_in()
    yield ward, clock
    await ward.client.aclose()
    await ward.service.client.aclose()
    await db.close()


def _next(told: httpx.Response) -> str:
    """Where the login will lead to."""
    return unquote(told.headers["location"].partition("next=")[2])


async def _again(ward: Ward, clock: Later, path: str, **fields: str) -> tuple[int, str]:
    """Sends a form after the session ran out, logs in, and is led on: what stands there."""
    clock.by += IDLE + timedelta(seconds=1)
    told = await ward.post(path, **fields)
    login = await ward.post("/login/demo", token="demo-nurse-lund", next=_next(told))
    shown = await ward.get(login.headers["location"])
    return shown.status_code, shown.text


async def _due(ward: Ward) -> dict:
    await ward.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")
    return await ward.visit("Y01")


@pytest.mark.parametrize(
    ("act", "fields", "shown"),
    [
        ("book", {"booked_on": "2026-12-03"}, 'value="2026-12-03"'),
        ("complete", {"completed_on": "2026-11-20", "response": "PR"}, 'value="PR" checked'),
        (
            "contacts",
            {"channel": "letter", "outcome": "busy", "note": "call in the evening"},
            'value="call in the evening"',
        ),
        ("miss", {"reason": "moved abroad"}, 'value="moved abroad"'),
    ],
)
async def test_a_form_of_a_row_stands_open_with_what_was_written(
    later: tuple[Ward, Later], act: str, fields: dict[str, str], shown: str
):
    ward, clock = later
    visit = await _due(ward)
    before = await ward.service.counts()
    _, page = await _again(ward, clock, f"/visits/{visit['id']}/{act}", version=str(visit["version"]), **fields)
    row = row_of(page, visit["id"])
    assert shown in row
    assert WORDS in row
    assert await ward.visit("Y01") == visit
    assert (await ward.service.counts())["contacts"] == before["contacts"]
    await ward.post(f"/visits/{visit['id']}/{act}", version=str(visit["version"]), **fields)  # saved now
    assert await ward.service.counts() != before


async def test_an_event_stands_in_its_form(later: tuple[Ward, Later]):
    ward, clock = later
    stored = await ward.service.recorded()
    _, page = await _again(
        ward, clock, f"/patients/{stored['patient_id']}/events", type="survival", on="2026-11-20", note="by letter"
    )
    assert 'value="by letter"' in page
    assert WORDS in page
    assert (await ward.service.counts())["patient_events"] == 0


async def test_a_new_infusion_stands_in_its_form_with_its_plan_and_is_not_stored(later: tuple[Ward, Later]):
    ward, clock = later
    form = {"once": str(uuid4()), "number": "811228-9874", "name": "Test Testsson", "centre": "lund", "context": "SOC"}
    status, page = await _again(
        ward, clock, "/infusions/new", product="axicabtagene-ciloleucel", infused_on="2026-11-20", **form
    )
    assert status == 409
    assert 'value="Test Testsson"' in page
    assert form["once"] in page
    assert "2041-11-20" in page
    assert WORDS in page
    assert (await ward.service.counts())["infusions"] == 0


async def test_a_form_that_asks_to_show_a_number_stands_there_and_shows_none(later: tuple[Ward, Later]):
    ward, clock = later
    stored = await ward.service.recorded()
    status, page = await _again(ward, clock, f"/patients/{stored['patient_id']}/number", reason="calls the registry")
    assert status == 422
    assert 'value="calls the registry"' in page
    assert WORDS in page
    assert re.search(r"\d{8}-\d{4}", page) is None
    log = await ward.service.get(f"/patients/{stored['patient_id']}/accesses", token="demo-auditor")
    assert "patient's number" not in [row["what"] for row in log.json()["items"]]
    shown = await ward.post(f"/patients/{stored['patient_id']}/number", reason="calls the registry")
    assert re.search(r"\d{8}-\d{4}", shown.text)


async def test_it_is_there_once_and_for_its_sender_only(later: tuple[Ward, Later]):
    ward, clock = later
    visit = await _due(ward)
    clock.by += IDLE + timedelta(seconds=1)
    where = _next(await ward.post(f"/visits/{visit['id']}/book", version="1", booked_on="2026-12-03"))
    shown = []
    for who in ("demo-coordinator-lund", "demo-nurse-lund", "demo-nurse-lund"):
        await ward.log_in(who)
        shown.append((await ward.get(where)).status_code)
    assert shown == [303, 422, 303]


async def test_after_half_an_hour_it_is_gone_and_the_list_is_there(later: tuple[Ward, Later]):
    ward, clock = later
    visit = await _due(ward)
    clock.by += IDLE + timedelta(seconds=1)
    told = await ward.post(f"/visits/{visit['id']}/book", version="1", booked_on="2026-12-03")
    clock.by += KEPT
    await ward.log_in()
    shown = await ward.get(_next(told))
    assert (shown.status_code, shown.headers["location"]) == (303, "/")
