"""Patients found at the form: by every form of a number, by parts of a name, and nobody who should not be."""

from datetime import date
from typing import Any

import pytest

from app.errors import Invalid
from app.pages.patients import by_name, is_number, search_of
from tests.api.conftest import number_of
from tests.pages.conftest import Ward

NUMBER = number_of(date(1981, 12, 28), 7)


@pytest.mark.parametrize(
    ("asked", "number"), [("811228-9874", True), ("2212AB3456XY", True), ("Anna", False), ("von Åkerström-Ek", False)]
)
def test_figures_make_a_number(asked: str, number: bool):
    assert is_number(asked) is number


def test_a_question_is_a_number_or_a_name():
    assert search_of("2212AB34-56XY").identifier.system == "reservnummer"
    assert search_of("811228-9874").identifier.system == "personnummer"
    assert search_of("Anna").name == "Anna"
    with pytest.raises(Invalid):
        search_of("")


def test_names_sort_as_swedish_does():
    names = ["Östen", "Åke", "Ärla", "Zack", "adam"]
    assert sorted([{"name": name} for name in names], key=by_name) == [
        {"name": name} for name in ("adam", "Zack", "Åke", "Ärla", "Östen")
    ]


async def patient(ward: Ward, name: str = "Anna Testsson", number: str = NUMBER, **told: Any) -> dict[str, Any]:
    return await ward.service.recorded(
        patient={"identifiers": [{"system": "personnummer", "value": number}], "name": name}, **told
    )


async def test_the_form_lists_nobody(nurse: Ward):
    await patient(nurse)
    page = await nurse.get("/patients")
    assert page.status_code == 200
    assert "Testsson" not in page.text


@pytest.mark.parametrize("written", [NUMBER, NUMBER[2:], f"{NUMBER[:8]}-{NUMBER[8:]}", f"{NUMBER[2:8]} - {NUMBER[8:]}"])
async def test_a_number_leads_to_the_patient(nurse: Ward, written: str):
    infused = await patient(nurse)
    told = await nurse.post("/patients", q=written)
    assert (told.status_code, told.headers["location"]) == (303, f"/patients/{infused['patient_id']}")


async def test_a_part_of_a_name_lists_them(nurse: Ward):
    await patient(nurse)
    page = (await nurse.post("/patients", q="test anna")).text
    assert "Anna Testsson" in page
    assert "19811228-****" in page
    assert "Lund" in page
    assert NUMBER[8:] not in page


async def test_nobody_and_a_bad_number_are_told_in_words(nurse: Ward):
    assert (await nurse.post("/patients", q=NUMBER)).status_code == 200
    bad = await nurse.post("/patients", q="811228-9875")
    assert bad.status_code == 422
    assert 'aria-invalid="true"' in bad.text
    assert 'value="811228-9875"' in bad.text
    assert (await nurse.post("/patients")).status_code == 422


async def test_a_protected_identity_is_found_by_number_only(nurse: Ward):
    infused = await patient(nurse)
    now = await nurse.service.get(f"/patients/{infused['patient_id']}")
    hidden = await nurse.service.patch(
        f"/patients/{infused['patient_id']}", {"protected": True}, headers={"If-Match": now.headers["etag"]}
    )
    assert hidden.status_code == 200, hidden.text
    assert "/patients/" not in (await nurse.post("/patients", q="Testsson")).text
    assert (await nurse.post("/patients", q=NUMBER)).status_code == 303
