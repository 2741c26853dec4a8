"""A new infusion at the form: its plan before it is saved, what is refused, and saving it once."""

import re
from datetime import date
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.conftest import infusion, number_of
from tests.pages.conftest import Ward

_serial = count(0)


def form(**changed: Any) -> dict[str, str]:
    """The fields of a form that can be saved; None leaves one out."""
    told = {
        "once": str(uuid4()),
        "number": number_of(date(1981, 2, 1 + next(_serial) % 28), 7),
        "name": "Anna Testsson",
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2026-11-20",
    }
    return {name: value for name, value in {**told, **changed}.items() if value is not None}


def known(number: str, name: str = "Anna Testsson") -> dict[str, Any]:
    return {"identifiers": [{"system": "personnummer", "value": number}], "name": name}


def answered(told: dict[str, str], course: str, **near: str) -> dict[str, str]:
    """The form with the question about its course answered, as the page asks it."""
    return told | near | {"course": course, "near_of": f"{told['number']} {told['infused_on']} {told['product']}"}


async def infusions_of(ward: Ward) -> int:
    return (await ward.service.counts())["infusions"]


async def test_the_plan_is_shown_and_nothing_is_saved(nurse: Ward, scripted: Ward):
    before = await nurse.service.counts()
    told = form(discharged_on="2026-11-23")
    whole, part = await nurse.post("/infusions/preview", **told), await scripted.post("/infusions/preview", **told)
    assert (whole.status_code, part.status_code) == (200, 200)
    assert "<html" in whole.text
    assert "<html" not in part.text
    for page in (whole.text, part.text):
        assert "ltfu-15y" in page
        assert "<small>Y15</small>" in page
        assert "2026-12-21" in page  # the response check, 28 days after discharge
        assert "2041-11-20" in page
    after = await nurse.service.counts()
    assert {name: after[name] for name in ("patients", "infusions", "visits")} == {
        name: before[name] for name in ("patients", "infusions", "visits")
    }


@pytest.mark.parametrize("written", ["811228-9874", "198112289874", "8112289874", "81 12 28 - 98 74"])
async def test_a_number_is_read_in_every_form(nurse: Ward, written: str):
    told = await nurse.post("/infusions/new", **form(number=written))
    assert told.status_code == 303
    patient = (await nurse.service.get(told.headers["location"])).json()
    assert patient["masked_number"] == "19811228-****"


async def test_the_same_form_sent_twice_is_one_infusion(nurse: Ward):
    told = form()
    first, again = [await nurse.post("/infusions/new", **told) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"]
    assert await infusions_of(nurse) == 1


async def test_a_saved_form_that_tells_something_else_is_refused_and_says_where_to_go(nurse: Ward):
    told = form()
    await nurse.post("/infusions/new", **told)
    again = await nurse.post("/infusions/new", **told | {"infused_on": "2026-11-19"})
    assert again.status_code == 409
    assert 'href="/infusions/new"' in again.text
    assert await infusions_of(nurse) == 1


async def test_every_fault_leads_to_its_field_and_what_was_written_is_kept(nurse: Ward):
    told = await nurse.post(
        "/infusions/new", **form(number="811228-9875", infused_on="2027-01-01", name=None, batch="B-7")
    )
    assert told.status_code == 422
    assert '<a href="#name">' in told.text
    assert 'value="B-7"' in told.text
    assert 'value="811228-9875"' in told.text
    again = await nurse.post("/infusions/new", **form(number="811228-9875", infused_on="2027-01-01"))
    for field in ("number", "infused_on"):
        assert f'<a href="#{field}">' in again.text
        assert re.search(rf'<input id="{field}"[^>]* aria-invalid="true" aria-describedby="e-{field}', again.text)


async def test_what_is_still_empty_is_told_beside_the_plan(scripted: Ward):
    told = await scripted.post("/infusions/preview", once=str(uuid4()), centre="lund")
    assert told.status_code == 200
    assert '<a href="#product">' in told.text


async def test_a_birth_date_is_asked_where_the_number_does_not_tell_it(nurse: Ward, scripted: Ward):
    assert 'name="birth_date"' not in (await nurse.get("/infusions/new")).text
    told = form(number="2212AB3456XY")
    assert 'name="birth_date"' in (await scripted.post("/infusions/preview", **told)).text
    saved = await nurse.post("/infusions/new", **told, birth_date="1975-05-01")
    assert (await nurse.service.get(saved.headers["location"])).json()["birth_date"] == "1975-05-01"


@pytest.mark.parametrize(("course", "numbers"), [("new", (2, True)), ("near", (1, False))])
async def test_an_infusion_within_thirty_days_asks_for_its_course(
    nurse: Ward, scripted: Ward, course: str, numbers: tuple[int, bool]
):
    number = number_of(date(1970, 1, 1), 3)
    first = await nurse.service.recorded(patient=known(number), infused_on="2026-11-01", discharged_on="2026-11-08")
    told = form(number=number)
    for page in (await nurse.post("/infusions/new", **told), await scripted.post("/infusions/preview", **told)):
        assert f'name="course" value="{first["id"]}"' in page.text
        assert "2026-11-01" in page.text
    chosen = answered(told, "new" if course == "new" else first["id"], near=first["id"], near_on="2026-11-01")
    shown = await scripted.post("/infusions/preview", **chosen)
    assert "checked" in shown.text  # the question stays where it was answered
    assert (await nurse.post("/infusions/new", **chosen)).status_code == 303
    infused = (await nurse.service.get(f"/infusions?patient={first['patient_id']}")).json()["items"][1]
    assert (infused["course_number"], infused["reinfusion"]) == numbers


async def test_an_answer_about_the_course_does_not_outlive_its_question(nurse: Ward):
    number = number_of(date(1970, 1, 3), 3)
    first = await nurse.service.recorded(patient=known(number), infused_on="2026-11-01", discharged_on="2026-11-08")
    chosen = answered(form(number=number), first["id"], near=first["id"], near_on="2026-11-01")
    again = await nurse.post("/infusions/new", **chosen | {"infused_on": "2026-11-21"})
    assert again.status_code == 409
    assert "checked" not in again.text


async def test_the_effect_on_an_earlier_plan_is_shown(nurse: Ward):
    number = number_of(date(1970, 1, 2), 3)
    await nurse.service.recorded(patient=known(number), infused_on="2025-10-20", discharged_on="2025-11-03")
    visit = await nurse.visit("Y02")
    await nurse.service.post(
        f"/visits/{visit['id']}/book", {"booked_on": "2027-10-20"}, headers={"If-Match": f'"{visit["version"]}"'}
    )
    page = (await nurse.post("/infusions/preview", **form(number=number))).text
    assert "Anna Testsson</a>" in page
    assert "Y03" in page
    assert "2027-10-20" in page


# ---- A person known elsewhere ----------------------------------------------------------------------------------------


async def elsewhere(ward: Ward, **told: Any) -> tuple[str, str]:
    """A number that only Uppsala knows, and the patient's id."""
    number = number_of(date(1966, 3, 3), 5)
    body = infusion(
        patient=known(number, "Berit Hemligsson"),
        centre="uppsala",
        infused_on="2026-11-02",
        discharged_on="2026-11-09",
        **told,
    )
    answer = await ward.service.post("/infusions", body, token="demo-coordinator-uppsala")
    assert answer.status_code == 201, answer.text
    return number, answer.json()["patient_id"]


def telling(page: httpx.Response) -> list[str]:
    return [word for word in ("Berit", "Hemligsson", "2026-11-02", "2026-11-09", "ppsala") if word in page.text]


async def test_of_a_person_known_elsewhere_nothing_more_is_told_than_that(nurse: Ward):
    number, patient = await elsewhere(nurse)
    shown = await nurse.post("/infusions/preview", **form(number=number))
    refused = await nurse.post("/infusions/new", **form(number=number))
    assert (shown.status_code, refused.status_code) == (409, 409)
    for page in (shown, refused):
        assert telling(page) == []
        assert patient not in page.text
    saved = await nurse.post("/infusions/new", **answered(form(number=number), "new"))
    assert saved.headers["location"] == f"/patients/{patient}"


async def test_a_death_recorded_elsewhere_is_not_told_by_a_refusal(nurse: Ward):
    number, patient = await elsewhere(nurse)
    await nurse.service.post(
        f"/patients/{patient}/events", {"type": "deceased", "on": "2026-11-15"}, token="demo-coordinator-uppsala"
    )
    refused = await nurse.post("/infusions/new", **answered(form(number=number), "new"))
    assert refused.status_code == 409
    assert "2026-11-15" not in refused.text
    assert "avliden" not in refused.text
    assert "deceased" not in refused.text


async def test_another_centre_cannot_be_chosen(nurse: Ward):
    told = await nurse.post("/infusions/new", **form(centre="uppsala"))
    assert told.status_code == 403
    assert '<a href="#centre">' in told.text
