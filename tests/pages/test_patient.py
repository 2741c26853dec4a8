"""The patient's page: masked until a reason is given, what happened told in a form, and nothing of another centre's patient."""

import re

import pytest
from sqlalchemy import select

from app.db import tables
from tests.pages.conftest import Ward


@pytest.fixture
async def anna(nurse: Ward) -> dict:
    return await nurse.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")


async def _reads(ward: Ward) -> list[tuple[str, str | None]]:
    async with ward.service.house.db.read.connect() as connection:
        rows = await connection.execute(select(tables.access_log.c.what, tables.access_log.c.why))
        return [tuple(row) for row in rows]


async def test_the_page_has_the_visits_in_a_picture_and_in_a_table(nurse: Ward, anna: dict):
    page = (await nurse.get(f"/patients/{anna['patient_id']}")).text
    assert "Test Testsson" in page
    assert page.count('class="bar ') == 16
    assert "Visa alla 16" in page
    whole = (await nurse.get(f"/patients/{anna['patient_id']}", all="1")).text
    assert [whole.count(f'id="v-{visit["id"]}"') for visit in anna["visits"]] == [1] * 16


async def test_no_address_on_the_page_carries_anything_of_the_person(nurse: Ward, anna: dict):
    page = (await nurse.get(f"/patients/{anna['patient_id']}")).text
    addresses = re.findall(r'(?:href|action|hx-get|hx-post)="([^"]*)"', page)
    assert any(f"row={anna['visits'][1]['id']}" in address for address in addresses)  # the next step leads to its row
    assert [address for address in addresses if "test" in address.lower()] == []


async def test_the_number_is_masked_and_shown_for_a_reason_that_is_logged(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    masked = (await nurse.get(path)).text
    assert "-****" in masked
    refused = await nurse.post(f"{path}/number")
    assert (refused.status_code, "Detta måste fyllas i." in refused.text) == (422, True)
    assert ("patient's number", None) not in await _reads(nurse)
    shown = await nurse.post(f"{path}/number", reason="calls the registry")
    assert 'data-shown-for="60"' in shown.text
    assert "-****<" not in shown.text
    assert ("patient's number", "calls the registry") in await _reads(nurse)


async def test_a_protected_identity_has_no_name_until_a_reason_is_given(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    await nurse.service.patch(path, {"protected": True}, headers={"If-Match": '"1"'})
    hidden = (await nurse.get(path)).text
    assert "Testsson" not in hidden
    assert "▲ Skyddade personuppgifter" in hidden
    assert "Testsson" in (await nurse.post(f"{path}/number", reason="calls the patient")).text
    assert "Testsson" not in (await nurse.get(path)).text


async def test_a_death_is_told_in_the_form_and_closes_what_is_open(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    told = await nurse.post(f"{path}/events", type="deceased", on="2026-11-20")
    assert (told.status_code, told.headers["location"]) == (303, path)
    page = (await nurse.get(path)).text
    assert "avliden" in page
    assert ">Avliden</text>" in page


async def test_a_refused_event_keeps_what_was_written_and_names_the_field(nurse: Ward, anna: dict):
    told = await nurse.post(f"/patients/{anna['patient_id']}/events", type="deceased", on="2027-01-01", note="by letter")
    assert told.status_code == 422
    assert 'value="by letter"' in told.text
    assert "Dagen ligger i framtiden" in told.text


async def test_a_transfer_leads_back_to_the_list(nurse: Ward, anna: dict):
    coordinator = await Ward(nurse.service).log_in("demo-coordinator-lund")
    told = await coordinator.post(f"/patients/{anna['patient_id']}/events", type="transferred", on="2026-11-20", centre="uppsala")
    assert (told.status_code, told.headers["location"]) == (303, "/")


@pytest.mark.parametrize("path", ["", "/number", "/events"])
async def test_another_centres_patient_is_not_there(nurse: Ward, anna: dict, path: str):
    other = await Ward(nurse.service).log_in("demo-nurse-umea")
    address = f"/patients/{anna['patient_id']}{path}"
    told = await (other.post(address, reason="curious", type="survival", on="2026-11-20") if path else other.get(address))
    assert told.status_code == 404
    assert "Testsson" not in told.text
