"""Who has read a patient: for auditors, by the patient's id, without a name."""

import re

import pytest

from app.pages import accesses
from tests.pages.conftest import Ward


@pytest.fixture
async def auditor(nurse: Ward) -> Ward:
    return await Ward(nurse.service).log_in("demo-auditor")


async def test_an_auditor_finds_who_has_read_and_why_by_id_or_address(nurse: Ward, auditor: Ward):
    patient = (await nurse.service.recorded())["patient_id"]
    await nurse.post(f"/patients/{patient}/number", reason="calls the registry")
    for asked in (patient, f"https://follow-up.example/patients/{patient}"):
        told = await auditor.post("/accesses", patient=asked)
        assert (told.status_code, told.headers["location"]) == (303, f"/patients/{patient}/accesses")
    page = (await auditor.get(f"/patients/{patient}/accesses")).text
    row = re.sub(r"<[^>]*>", "|", next(row for row in page.split("<tr>") if "calls the registry" in row))
    assert re.search(
        r"\d{4}-\d\d-\d\d \d\d\.\d\d\|+demo-nurse-lund\|+sjuksköterska\|+Lund\|+numret i klartext\|+calls the registry",
        row,
    )
    assert "Testsson" not in page


async def test_what_is_no_id_is_told_in_the_form_and_a_stranger_is_not_there(auditor: Ward):
    told = await auditor.post("/accesses", patient="Anna Testsson")
    assert (told.status_code, "Detta är inte ett av de tillåtna värdena." in told.text) == (422, True)
    assert (await auditor.get("/patients/01890000-0000-7000-8000-000000000000/accesses")).status_code == 404


async def test_older_reads_stand_on_pages_of_their_own(nurse: Ward, auditor: Ward, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(accesses, "ROWS", 2)
    patient = (await nurse.service.recorded())["patient_id"]
    for n in range(3):
        await nurse.post(f"/patients/{patient}/number", reason=f"reason {n}")
    path, found = f"/patients/{patient}/accesses", list[str]()
    while path:
        page = (await auditor.get(path)).text
        assert page.count("<tr>") <= 1 + 2
        found += re.findall(r"reason \d", page)
        path = "".join(re.findall(r'href="(/patients/[^"]*\?before=[^"]*)"', page))
    assert found == ["reason 2", "reason 1", "reason 0"]


@pytest.mark.parametrize("token", ["demo-nurse-lund", "demo-coordinator-lund", "demo-network", "demo-admin"])
async def test_nobody_else_is_led_there_or_let_in(nurse: Ward, token: str):
    reader = await Ward(nurse.service).log_in(token)
    patient = (await nurse.service.recorded())["patient_id"]
    assert [(await reader.get(path)).status_code for path in ("/accesses", f"/patients/{patient}/accesses")] == [
        403,
        403,
    ]
    assert 'href="/accesses"' not in (await reader.get("/profile")).text


async def test_an_auditor_is_led_there_and_to_no_search(auditor: Ward):
    page = (await auditor.get("/profile")).text
    assert ('href="/accesses"' in page, 'id="find"' in page) == (True, False)
