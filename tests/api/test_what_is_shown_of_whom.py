"""What is told of a protected identity, and to a centre that is not responsible: a walk over every address of the API
(contract 3, rule 11)."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.api.conftest import Service, infusion, number_of
from tests.house.routes import Route, routes

WORDS = ("Berta", "Cecilia", "Dalby", "Eslov", "Fjelie", "Genarp")
CLINICIAN, STRANGER = "demo-clinician-lund", "demo-coordinator-umea"


async def marked(service: Service, address: str, body: dict[str, Any], token: str = CLINICIAN) -> Any:
    """An act with the version that stands."""
    found = await service.get(re.sub(r"/[a-z]+$", "", address) if address.count("/") > 2 else address, token=token)
    return await service.post(address, body, token=token, headers={"If-Match": f'"{found.json()["version"]}"'})


async def a_protected_patient(earlier: Service, service: Service) -> dict[str, Any]:
    """Somebody about whom people have written words of their own; the infusion was entered early enough for Y01 to be
    overdue today."""
    told = await earlier.recorded(infused_on="2025-03-04", discharged_on="2025-03-18")
    patient, visits = told["patient_id"], told["visits"]
    twice = infusion(
        patient=..., patient_id=patient, infused_on="2025-01-04", discharged_on="2025-01-18", new_course=True
    )
    wrong = (await service.post("/infusions", twice)).json()
    assert (await marked(service, f"/infusions/{wrong['id']}/void", {"reason": "of Berta"})).status_code == 200
    contact = {"channel": "phone", "outcome": "busy", "note": "asks for Cecilia"}
    assert (await service.post(f"/visits/{visits[3]['id']}/contacts", contact)).status_code == 201
    (alert,) = [one for one in (await service.get("/alerts")).json()["items"] if one["code"] == "Y01"]
    assert (await service.post(f"/alerts/{alert['id']}/acknowledge", {"reason": "with Fjelie"})).status_code == 200
    assert (await marked(service, f"/visits/{visits[0]['id']}/miss", {"reason": "is in Genarp"})).status_code == 200
    elsewhere = {"type": "followed-elsewhere", "on": "2026-10-01", "where": "Dalby", "note": "moved to Eslov"}
    assert (await service.post(f"/patients/{patient}/events", elsewhere)).status_code == 201
    version = (await service.get(f"/patients/{patient}")).json()["version"]
    protected = await service.patch(f"/patients/{patient}", {"protected": True}, headers={"If-Match": f'"{version}"'})
    assert protected.status_code == 200, protected.text
    return told


def read_addresses(told: dict[str, Any]) -> list[str]:
    patient = told["patient_id"]
    everything = "planned,due,overdue,completed,missed,cancelled"
    return [
        f"/patients/{patient}/follow-up",
        f"/patients/{patient}/history?limit=500",
        f"/patients/{patient}/plans",
        f"/patients/{patient}",
        f"/infusions?patient={patient}",
        f"/infusions/{told['id']}",
        f"/visits?patient={patient}&state={everything}&limit=500",
        *[f"/visits/{visit['id']}" for visit in told["visits"][:5]],
        "/alerts?state=open,acknowledged,resolved",
        "/alerts/events?after=0",
    ]


async def test_peoples_own_words_about_a_protected_identity_are_closed_everywhere_and_said_to_be_there(
    make_service: Callable[..., Service],
):
    service = make_service()
    told = await a_protected_patient(make_service(today=date(2025, 4, 1)), service)
    for address in read_addresses(told):
        answer = await service.get(address, token=CLINICIAN)
        assert answer.status_code == 200, address
        assert [word for word in WORDS if word in answer.text] == [], address
    found = (await service.get(f"/patients/{told['patient_id']}/follow-up", token=CLINICIAN)).json()
    assert {tuple(event["closed"]) for event in found["events"]} == {("note", "where")}
    assert [contact["closed"] for contact in found["contacts"]] == [["note"]]
    assert [visit["closed"] for visit in found["visits"] if visit["closed"]] == [["missed_reason"]]


async def test_the_history_masks_numbers_of_everybody(service: Service):
    told = await service.recorded()
    other = number_of(date(1981, 12, 28), 7)
    await service.patch(
        f"/patients/{told['patient_id']}",
        {"identifiers": [{"system": "personnummer", "value": other}]},
        headers={"If-Match": '"1"'},
    )
    history = await service.get(f"/patients/{told['patient_id']}/history", token=CLINICIAN)
    assert "19811228-****" in history.text
    assert other[8:] not in re.sub(r'"(id|object_id|patient_id|at|actor_id)":"[^"]*"', "", history.text)
    assert other not in history.text


# ---- Every address, asked by a centre that has nothing to do with the patient, or no more ----------------------------


def _bodies() -> dict[str, Any]:
    return {
        "/infusions/{infusion_id}": {"batch": "B-2"},
        "/infusions/{infusion_id}/void": {"reason": "entered twice"},
        "/patients/{patient_id}": {"name": "Annat Namn", "protected": True},
        "/patients/{patient_id}/events": {"type": "transferred", "on": "2026-11-01", "centre": "umea"},
        "/patients/{patient_id}/decide": {"decision": "close", "reason": "moved"},
        "/patients/{patient_id}/contacts": {"channel": "phone", "outcome": "busy"},
        "/visits/{visit_id}/book": {"booked_on": "2026-12-10"},
        "/visits/{visit_id}/complete": {"completed_on": "2026-11-04"},
        "/visits/{visit_id}/miss": {"reason": "moved away"},
        "/visits/{visit_id}/cancel": {"reason": "not-required"},
        "/visits/{visit_id}/reopen": {"reason": "by mistake"},
        "/visits/{visit_id}/confirm": {"codes": ["window_not_open"]},
        "/visits/{visit_id}/contacts": {"channel": "phone", "outcome": "busy"},
        "/alerts/{alert_id}/acknowledge": {"reason": "called"},
    }


OF_A_PATIENT = [route for route in routes() if re.search(r"{(patient|infusion|visit|alert)_id}", route.path)]


async def ask(service: Service, route: Route, ids: dict[str, str], token: str) -> Any:
    address = route.path.format(**ids)
    options: dict[str, Any] = (
        {} if route.method == "GET" else {"json": _bodies().get(route.path.removeprefix("/api/v1"), {})}
    )
    return await service.call(route.method, address, api="", token=token, headers={"If-Match": '"1"'}, **options)


async def refusals(service: Service, patient: str) -> int:
    told = (await service.get(f"/patients/{patient}/accesses?limit=500", token="demo-auditor")).json()["items"]
    return sum("refused" in row["what"] for row in told)


async def kept(service: Service) -> dict[str, int]:
    return {name: count for name, count in (await service.counts()).items() if not name.startswith("access_log")}


@pytest.mark.parametrize("whose", ["foreign", "voided", "former"])
async def test_a_centre_that_is_not_responsible_is_told_nothing_and_changes_nothing_but_its_own_infusion(
    service: Service, whose: str
):
    body = infusion(infused_on="2024-03-04", discharged_on="2024-03-18")
    theirs = None
    if whose != "foreign":
        own = body | {
            "centre": "umea",
            "infused_on": "2022-03-04",
            "discharged_on": "2022-03-18",
            "source": {"system": "u", "id": "1"},
        }
        theirs = (await service.post("/infusions", own, token=STRANGER)).json()
    told = (await service.post("/infusions", body)).json()
    if whose == "voided" and theirs is not None:
        assert (
            await marked(service, f"/infusions/{theirs['id']}/void", {"reason": "another person"}, STRANGER)
        ).status_code == 200
    mine = theirs if theirs is not None and whose == "former" else None
    alert = (await service.get("/alerts")).json()["items"]
    ids = {
        "patient_id": told["patient_id"],
        "infusion_id": told["id"],
        "visit_id": told["visits"][3]["id"],
        "alert_id": alert[0]["id"] if alert else "01890000-0000-7000-8000-000000000000",
    }
    before = await kept(service)
    walked = 0
    for route in OF_A_PATIENT:
        if "alert_id" in route.path and not alert:
            continue
        logged = await refusals(service, told["patient_id"])
        answer = await ask(service, route, ids, STRANGER)
        reads = mine is not None and route.method == "GET" and "patient_id" in route.path
        if reads and "accesses" not in route.path:
            assert answer.status_code == 200, route  # a former centre reads its own part
            assert told["id"] not in answer.text, route
            continue
        assert answer.status_code in (403, 404), (route, answer.text)
        assert await refusals(service, told["patient_id"]) == logged + 1, route
        walked += 1
    assert walked >= 10
    assert await kept(service) == before
