"""What is refused about a patient stands in the log of reads: who, when, which patient, what (HSLF-FS 2016:40)."""

from typing import Any

from tests.api.conftest import Service

UMEA, NOBODY = "demo-nurse-umea", "01890000-0000-7000-8000-000000000000"


async def refusals(service: Service, patient: str) -> list[tuple[str, str]]:
    """Who was refused what about the patient, oldest first."""
    told = (await service.get(f"/patients/{patient}/accesses?limit=500", token="demo-auditor")).json()
    return [(row["actor"], row["what"]) for row in reversed(told["items"]) if "refused" in row["what"]]


async def rows(service: Service) -> int:
    return (await service.counts())["access_log"]


def addresses(told: dict[str, Any]) -> dict[str, str]:
    return {
        "infusion": f"/infusions/{told['id']}",
        "patient": f"/patients/{told['patient_id']}",
        "visit": f"/visits/{told['visits'][1]['id']}",
    }


async def test_what_is_another_centres_looks_as_if_it_were_not_there_and_is_logged(service: Service):
    told = await service.recorded()
    for address in addresses(told).values():
        assert (await service.get(address, token=UMEA)).status_code == 404
    assert (await service.patch(addresses(told)["patient"], {"phone": "+4670"}, token=UMEA)).status_code == 404
    assert await refusals(service, told["patient_id"]) == [
        (UMEA, f"{kind}: refused, not_found") for kind in ("infusion", "patient", "visit", "patient")
    ]


async def test_what_a_role_may_not_do_is_logged(service: Service):
    told = await service.recorded()
    for address in addresses(told).values():
        assert (await service.get(address, token="demo-network")).status_code == 403
    assert await refusals(service, told["patient_id"]) == [
        ("demo-network", f"{kind}: refused, forbidden") for kind in ("infusion", "patient", "visit")
    ]


async def test_what_the_facts_do_not_allow_is_logged(service: Service):
    told = await service.recorded()
    twice = {
        "patient_id": told["patient_id"],
        "centre": "lund",
        "product": told["product"],
        "context": "SOC",
        "infused_on": told["infused_on"],
    }
    assert (await service.post("/infusions", twice)).status_code == 409
    assert (await service.post("/infusions/preview", twice)).status_code == 409
    assert (await service.patch(f"/infusions/{told['id']}", {"batch": "B-1"})).status_code == 428
    assert await refusals(service, told["patient_id"]) == [
        ("demo-nurse-lund", f"patient: refused, {code}") for code in ("same_day", "same_day", "version_required")
    ]


async def test_a_refusal_that_is_about_nobody_and_a_list_that_shows_nobody_leave_no_row(service: Service):
    told = await service.recorded()
    before = await rows(service)
    for address in (f"/patients/{NOBODY}", f"/infusions/{NOBODY}", f"/visits/{NOBODY}"):
        assert (await service.get(address)).status_code == 404
        assert (await service.get(address, token="demo-network")).status_code == 403
    number = {"system": "reservnummer", "value": "NOBODYS1"}
    for empty in ("/visits", "/infusions", "/alerts", "/alerts/events", f"/infusions?patient={told['patient_id']}"):
        assert (await service.get(empty, token=UMEA)).json()["items"] == []
    assert (await service.post("/patients/search", {"identifier": number}, token=UMEA)).json()["items"] == []
    assert (await service.post("/patients/search", {"name": "Test"}, token=UMEA)).json()["items"] == []
    assert await rows(service) == before
