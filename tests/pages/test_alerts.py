"""Alerts at the page: what is told, who takes them up, and how the worker stands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.clock import Clock
from app.followup import batches
from tests.api.conftest import infusion
from tests.pages.conftest import Ward


@pytest.fixture
async def alert(nurse: Ward) -> dict[str, Any]:
    """An alert of Lund: a visit that was open and has become overdue."""
    return await raised(nurse)


async def raised(ward: Ward, **told: Any) -> dict[str, Any]:
    answer = await ward.service.post(
        "/infusions",
        infusion(infused_on="2026-10-12", discharged_on="2026-10-19", **told),
        token="demo-coordinator-lund",
    )
    assert answer.status_code == 201, answer.text
    await batches.sweep(ward.service.house.db, Clock(ward.service.house.clock.today() + timedelta(days=40)))
    found: dict[str, Any] = (await ward.service.get("/alerts")).json()["items"][0]
    return found


async def test_an_alert_names_patient_and_visit_and_masks_the_number(nurse: Ward, alert: dict):
    page = (await nurse.get("/alerts")).text
    assert "Test Testsson" in page
    assert "4-veckorskontroll" in page
    assert f'action="/alerts/{alert["id"]}/acknowledge"' in page
    assert str(alert["window_end"]) in page


@pytest.mark.parametrize("script", [False, True])
async def test_an_alert_is_taken_up_once(nurse: Ward, scripted: Ward, alert: dict, script: bool):
    ward = scripted if script else nurse
    told = [await ward.post(f"/alerts/{alert['id']}/acknowledge", reason="called", state="open") for _ in range(2)]
    if script:
        assert [answer.status_code for answer in told] == [200, 200]
        assert "<html" not in told[0].text
        assert f'id="a-{alert["id"]}"' in told[0].text
        assert "demo-nurse-lund: called" in told[0].text
    else:
        assert [(answer.status_code, answer.headers["location"]) for answer in told] == [(303, "/alerts#alerts")] * 2
    assert f"a-{alert['id']}" not in (await nurse.get("/alerts")).text
    assert "called" in (await nurse.get("/alerts", state="acknowledged")).text


@pytest.mark.parametrize("script", [False, True])
async def test_without_a_reason_the_field_is_named(nurse: Ward, scripted: Ward, alert: dict, script: bool):
    told = await (scripted if script else nurse).post(f"/alerts/{alert['id']}/acknowledge", state="open")
    assert told.status_code == 422
    assert 'aria-invalid="true"' in told.text
    assert ("<html" in told.text) is not script


async def test_a_foreign_alert_is_nowhere(nurse: Ward, alert: dict):
    other = await Ward(nurse.service).log_in("demo-nurse-uppsala")
    assert alert["id"] not in (await other.get("/alerts")).text
    assert (await other.post(f"/alerts/{alert['id']}/acknowledge", reason="called")).status_code == 404
    assert (await other.get("/alerts", centre="lund")).status_code == 403


async def test_the_read_is_logged(nurse: Ward, alert: dict):
    await nurse.get("/alerts")
    log = await nurse.service.get(f"/patients/{alert['patient_id']}/accesses", token="demo-auditor")
    assert ("demo-nurse-lund", "alerts") in [(row["actor"], row["what"]) for row in log.json()["items"]]


async def test_what_the_last_sweep_raised_and_a_day_that_jumped_are_told(nurse: Ward, alert: dict):
    page = (await nurse.get("/alerts")).text
    assert ": 1 " in page[page.index('class="worker') :], "one new alert"
    assert "har hoppat från 2027-01-02 till 2026-11-23" in page
    ready = (await nurse.service.get("/readyz", api="", token=None)).json()
    assert (ready["status"], ready["reasons"]) == ("degraded", ["day_jumped"])
    metrics = (await nurse.service.get("/metrics", api="", token=None)).text
    assert "follow_up_last_sweep_raised 1.0" in metrics
    assert "follow_up_sweep_day_jumped_days -40.0" in metrics


@pytest.mark.parametrize(("age", "late"), [(None, True), (timedelta(minutes=29), False), (timedelta(minutes=31), True)])
async def test_a_worker_behind_two_intervals_is_told_in_words_and_red(nurse: Ward, age: timedelta | None, late: bool):
    at = None if age is None else (datetime.now(UTC) - age).strftime("%Y-%m-%d %H:%M:%S.%f")
    async with nurse.service.house.db.write.begin() as connection:
        await connection.execute(text("UPDATE service_state SET last_sweep_at = :at"), {"at": at})
    assert ("worker is-late" in (await nurse.get("/alerts")).text) is late
