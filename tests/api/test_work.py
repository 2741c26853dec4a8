"""Imports over HTTP, the demo's clock, and the feed as a hospital's system polls it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access import tokens
from app.access.tokens import NewToken
from app.actor import Actor, Role
from app.clock import Clock
from app.db import state
from app.db.columns import Keys
from app.db.engine import Database
from app.db.transaction import begin
from app.main import AppContext
from app.settings import Settings
from tests.api.conftest import TODAY, Service

DIRTY = (Path(__file__).parent.parent / "data" / "infusions-dirty.csv").read_bytes()
CSV = {"Content-Type": "text/csv"}
# contract 3, rule 15
ACCEPTED, UNCHANGED = {1, 12, 13, 14, 15, 17, 20}, {8}


async def _report(service: Service, started: httpx.Response, token: str) -> dict[str, Any]:
    assert started.status_code == 202, started.text
    while (told := (await service.get(started.headers["location"], api="", token=token)).json())["state"] == "running":
        await asyncio.gather(*service.app.state.jobs)
    body: dict[str, Any] = told
    return body


def _of_lund(data: bytes) -> bytes:
    header, *rows = data.decode().splitlines()
    return "\n".join([header, *(row for row in rows if ",lund," in row)]).encode()


async def test_an_import_is_taken_worked_off_and_told_row_by_row(service: Service):
    async with begin(
        service.house.db, Actor("operator:test", Role.OPERATOR, None, id="operator:test"), service.house.clock
    ) as tx:
        token = await tokens.add(tx, NewToken("the network's coordinator", Role.COORDINATOR, None))
    dry = await _report(
        service, await service.call("POST", "/imports?dry_run=true", token=token, content=DIRTY, headers=CSV), token
    )
    assert (await service.counts())["infusions"] == 0
    real = await _report(
        service, await service.call("POST", "/imports", token=token, content=DIRTY, headers=CSV), token
    )
    again = await _report(
        service, await service.call("POST", "/imports", token=token, content=DIRTY, headers=CSV), token
    )
    verdicts = {item["row"]: item["verdict"] for item in real["items"]}
    assert verdicts == {item["row"]: item["verdict"] for item in dry["items"]}
    assert {row for row, verdict in verdicts.items() if verdict == "accepted"} == ACCEPTED
    assert {row for row, verdict in verdicts.items() if verdict == "unchanged"} == UNCHANGED
    assert all(item["field"] and item["message"] for item in real["items"] if item["verdict"] == "rejected")
    assert (again["accepted"], again["unchanged"]) == (0, real["accepted"] + real["unchanged"])
    assert (dry["dry_run"], real["dry_run"], real["rows"]) == (True, False, 20)
    assert (await service.counts())["infusions"] == real["accepted"]


async def test_a_row_with_a_personal_number_in_clear_is_rejected_with_its_column_and_not_repeated(service: Service):
    header, row, *_ = DIRTY.decode("utf-8-sig").splitlines()
    names, cells = header.split(";"), row.split(";")
    for column in ("source_id", "batch", "indication"):
        told = ";".join("811228-9874" if name == column else cell for name, cell in zip(names, cells, strict=True))
        started = await service.call(
            "POST", "/imports", token="demo-coordinator-uppsala", content=f"{header}\n{told}".encode(), headers=CSV
        )
        (item,) = (await _report(service, started, "demo-coordinator-uppsala"))["items"]
        assert (item["verdict"], item["code"], item["field"]) == ("rejected", "looks_like_a_number", column)
        assert "811228" not in str(item)
    assert (await service.counts())["infusions"] == 0


async def test_an_import_is_its_owners(service: Service):
    started = await service.call(
        "POST", "/imports", token="demo-coordinator-lund", content=_of_lund(DIRTY), headers=CSV
    )
    # Its state may change by the time that passes alone, so it is never "not modified".
    assert "etag" not in (await service.get(started.headers["location"], api="", token="demo-coordinator-lund")).headers
    assert (await service.get(started.headers["location"], api="", token="demo-coordinator-umea")).status_code == 404
    await asyncio.gather(*service.app.state.jobs)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "text/csv", 422),
        (b"a,b\n1,2\n", "text/csv", 422),
        (b"\xff\xfe", "text/csv", 422),
        (b"PK\x03\x04", "application/octet-stream", 422),
        (DIRTY, "application/json", 415),
        (DIRTY, "application/x-www-form-urlencoded", 415),
        (DIRTY, "multipart/form-data; boundary=x", 415),
        (DIRTY, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 415),
    ],
)
async def test_what_is_no_file_of_infusions_is_refused(
    service: Service, content: bytes, content_type: str, status: int
):
    before = await service.counts()
    told = await service.call(
        "POST", "/imports", token="demo-coordinator-lund", content=content, headers={"Content-Type": content_type}
    )
    assert told.status_code == status
    assert await service.counts() == before


# ---- The demo's clock and the feed -----------------------------------------------------------------------------------


@pytest.fixture
async def make_demo(sqlite_url: str) -> AsyncIterator[Callable[[Clock], Service]]:
    database = Database(sqlite_url, Keys.fresh())
    made: list[Service] = []

    def make(clock: Clock) -> Service:
        made.append(
            Service(AppContext(database, clock, Settings(database_url=sqlite_url, rate_per_second=100_000), demo=True))
        )
        return made[-1]

    yield make
    for service in made:
        await service.client.aclose()
    await database.close()


async def test_the_day_moves_forward_and_is_swept(make_demo: Callable[[Clock], Service]):
    service = make_demo(Clock(fixed=TODAY))
    await service.recorded(infused_on="2026-03-04", discharged_on="2026-03-18")
    assert (await service.get("/demo/clock")).json() == {"today": "2026-11-23"}
    assert (await service.post("/demo/clock", {"today": "2027-05-04"})).json() == {"today": "2027-05-04", "raised": 1}
    assert (await service.post("/demo/clock", {"today": "2027-05-04"})).json() == {"today": "2027-05-04", "raised": 0}
    earlier = await service.post("/demo/clock", {"today": "2027-05-03"})
    assert (earlier.status_code, earlier.json()["code"]) == (409, "day_before_today")
    assert [v["code"] for v in (await service.get("/visits?state=overdue")).json()["items"]] == ["Y01"]


async def test_the_demos_day_is_an_offset_that_days_go_on_from(make_demo: Callable[[Clock], Service]):
    clock = Clock(offset=timedelta(days=10))
    service = make_demo(clock)
    wanted = clock.today() + timedelta(days=30)
    assert (await service.post("/demo/clock", {"today": wanted.isoformat()}, token="demo-auditor")).status_code == 200
    assert (clock.today(), clock.offset) == (wanted, timedelta(days=40))


async def test_a_move_that_has_not_reached_this_clock_yet_is_not_added_to_the_next(
    make_demo: Callable[[Clock], Service],
):
    first, second = Clock(), Clock()  # as two calls at once see the day: each as it was before the other

    async def move(clock: Clock, ahead: int) -> int:
        day = (clock.real_day() + timedelta(days=ahead)).isoformat()
        return (await make_demo(clock).post("/demo/clock", {"today": day})).status_code

    assert [await move(first, 10), await move(second, 30), await move(first, 20)] == [200, 200, 409]
    async with begin(
        make_demo(first).house.db,
        Actor("operator:test", Role.OPERATOR, None, id="operator:test"),
        second,
        writing=False,
    ) as tx:
        assert (second.offset, (await state.get(tx)).demo_offset_days) == (timedelta(days=30), 30)


async def test_every_page_of_the_snapshot_gives_the_cursor_that_fits_its_first(make_demo: Callable[[Clock], Service]):
    service, token = make_demo(Clock(fixed=TODAY)), "demo-integration-lund"
    for _ in range(2):
        await service.recorded(infused_on="2024-03-04", discharged_on="2024-03-18")
    await service.post("/demo/clock", {"today": "2027-05-04"})
    first = (await service.get("/alerts?limit=1", token=token)).json()
    await service.post("/demo/clock", {"today": "2028-05-04"})  # what is raised here lies between the pages
    second = (await service.get(f"/alerts?limit=1&cursor={first['next_cursor']}", token=token)).json()
    assert (first["feed_cursor"], second["feed_cursor"]) == (first["feed_cursor"],) * 2
    between = (await service.get(f"/alerts/events?after={second['feed_cursor']}", token=token)).json()["items"]
    assert len(between) == 2


async def test_a_cursor_behind_every_number_is_ahead_of_the_head(service: Service):
    for seq in (2**63 - 1, 2**63, 10**30):
        told = await service.get(f"/alerts/events?after=1.{seq}")
        assert (told.status_code, told.json()["type"]) == (410, "/problems/cursor-expired"), seq


async def test_a_polling_system_misses_nothing_and_is_sent_nothing_twice(make_demo: Callable[[Clock], Service]):
    service, token = make_demo(Clock(fixed=TODAY)), "demo-integration-lund"
    for _ in range(3):
        await service.recorded(infused_on="2026-03-04", discharged_on="2026-03-18")
    snapshot = (await service.get("/alerts", token=token)).json()
    assert (snapshot["items"], snapshot["feed_cursor"]) == ([], "1.0")
    await service.post("/demo/clock", {"today": "2027-05-04"})
    first = await service.get(f"/alerts/events?after={snapshot['feed_cursor']}&limit=2", token=token)
    rest = await service.get(f"/alerts/events?after={first.json()['next_cursor']}", token=token)
    events = first.json()["items"] + rest.json()["items"]
    assert ([event["seq"] for event in events], first.json()["has_more"], rest.json()["has_more"]) == (
        [1, 2, 3],
        True,
        False,
    )
    assert {event["type"] for event in events} == {"visit.overdue"}
    assert "Testsson" not in first.text + rest.text
    end = await service.get(f"/alerts/events?after={rest.json()['next_cursor']}", token=token)
    assert (end.json()["items"], end.json()["next_cursor"]) == ([], "1.3")
    for page in (first, rest, end):
        again = await service.get(
            str(page.request.url.raw_path, "ascii"),
            api="",
            token=token,
            headers={"If-None-Match": page.headers["etag"]},
        )
        assert (again.status_code, again.content) == (304, b"")
    alert = events[0]["data"]["alert_id"]
    assert (await service.post(f"/alerts/{alert}/acknowledge", {"reason": "called"}, token=token)).json()[
        "state"
    ] == "acknowledged"
    # A full page never changes; one that was not full has grown.
    statuses = [
        (
            await service.get(
                str(page.request.url.raw_path, "ascii"),
                api="",
                token=token,
                headers={"If-None-Match": page.headers["etag"]},
            )
        ).status_code
        for page in (first, rest, end)
    ]
    assert statuses == [304, 200, 200]
    foreign = await service.get("/alerts/events", token="demo-integration-umea")
    assert (foreign.json()["items"], foreign.json()["next_cursor"]) == ([], "1.4")
