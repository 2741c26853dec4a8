"""A walk over every page and form about a patient: by a centre that has nothing to do with the patient or no more, and
about somebody whose identity is protected (contract 3, rule 11)."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from tests.api.conftest import Service, infusion
from tests.house.routes import application
from tests.pages.conftest import Ward

STRANGER = "demo-coordinator-umea"
NAME, PHONE, WORDS = "Vendela Testsson", "+46701740605", "bor hos en granne"
FORMS: dict[str, dict[str, str]] = {
    "/visits/{visit_id}/book": {"version": "1", "booked_on": "2026-12-03"},
    "/visits/{visit_id}/complete": {"version": "1", "completed_on": "2026-11-20", "response": "CR"},
    "/visits/{visit_id}/contacts": {"channel": "phone", "outcome": "busy"},
    "/visits/{visit_id}/miss": {"version": "1", "reason": "moved"},
    "/visits/{visit_id}/confirm": {"version": "1"},
    "/visits/{visit_id}/reopen": {"version": "1"},
    "/patients/{patient_id}/events": {"type": "survival", "on": "2026-11-20"},
    "/patients/{patient_id}/number": {"reason": "calls the patient"},
    "/patients/{patient_id}/decide": {"decision": "close", "reason": "moved"},
    "/patients/{patient_id}/contacts": {"channel": "phone", "outcome": "busy"},
    "/patients/{patient_id}/contacts/{contact_id}/undo": {},
    "/alerts/{alert_id}/acknowledge": {"reason": "called"},
}


def pages() -> list[tuple[str, str]]:
    """Method and path of every page and form about one patient, visit, contact or alert that a ward has."""
    found = [
        (method, str(route.path))
        for route in iter_route_contexts(application().routes)
        for method in route.methods or ()
    ]
    about = [
        one
        for one in found
        if re.search(r"{(patient|visit|alert|contact)_id}", one[1]) and not one[1].startswith("/api/")
    ]
    return sorted(one for one in about if not one[1].endswith("/accesses") and one[0] != "HEAD")


async def a_patient(earlier: Service, *, infused_before_at: str | None = None) -> dict[str, Any]:
    """A patient of Lund, entered early enough for Y01 to be overdue today; `infused_before_at`: treated at that centre
    first."""
    patient = infusion()["patient"] | {"name": NAME, "phone": PHONE}
    number = patient["identifiers"][0]["value"]
    first = None
    if infused_before_at:
        body = infusion(centre=infused_before_at, patient=patient, infused_on="2022-03-04", discharged_on="2022-03-18")
        first = (await earlier.post("/infusions", body, token=STRANGER)).json()["id"]
    told = await earlier.post("/infusions", infusion(patient=patient, new_course=True))
    assert told.status_code == 201, told.text
    return {"number": number, "first": first, **told.json()}


async def ids(service: Service, told: dict[str, Any]) -> dict[str, str]:
    """What pages are about: with a contact and an event in somebody's own words, and an alert."""
    patient, visit = told["patient_id"], next(v for v in told["visits"] if v["code"] == "Y01")
    contact = await service.post(
        f"/visits/{visit['id']}/contacts", {"channel": "relative", "outcome": "busy", "note": WORDS}
    )
    assert (
        await service.post(f"/patients/{patient}/events", {"type": "relapse", "on": "2026-11-01", "note": WORDS})
    ).status_code == 201
    (alert,) = [
        one for one in (await service.get("/alerts?limit=500")).json()["items"] if one["visit_id"] == visit["id"]
    ]
    return {"patient_id": patient, "visit_id": visit["id"], "contact_id": contact.json()["id"], "alert_id": alert["id"]}


async def refusals(service: Service, patient: str) -> int:
    told = (await service.get(f"/patients/{patient}/accesses?limit=500", token="demo-auditor")).json()["items"]
    return sum("refused" in row["what"] for row in told)


async def kept(service: Service) -> dict[str, int]:
    return {name: count for name, count in (await service.counts()).items() if not name.startswith("access_log")}


def secrets(told: dict[str, Any]) -> list[str]:
    number = told["number"]
    return [
        NAME,
        NAME.split()[0],
        PHONE,
        PHONE[-7:],
        WORDS,
        number,
        f"{number[:8]}-{number[8:]}",
        f"{number[:4]}-{number[4:6]}-{number[6:8]}",
    ]


def test_each_form_of_a_ward_is_walked() -> None:
    assert {path for method, path in pages() if method == "POST"} == FORMS.keys()


@pytest.mark.parametrize("script", [False, True])
@pytest.mark.parametrize("whose", ["foreign", "voided", "former"])
async def test_a_page_tells_a_centre_that_is_not_responsible_nothing_and_changes_nothing(
    make_service: Callable[..., Service], whose: str, script: bool
) -> None:
    service = make_service()
    told = await a_patient(
        make_service(today=date(2025, 4, 1)), infused_before_at=None if whose == "foreign" else "umea"
    )
    if whose == "voided":
        void = await service.post(
            f"/infusions/{told['first']}/void", {"reason": "twice"}, token=STRANGER, headers={"If-Match": '"1"'}
        )
        assert void.status_code == 200, void.text
    found = await ids(service, told)
    ward = await Ward(service, script=script).log_in(STRANGER)
    before = await kept(service)
    for method, path in pages():
        logged = await refusals(service, told["patient_id"])
        address = path.format(**found)
        answer = await (ward.get(address) if method == "GET" else ward.post(address, **FORMS[path]))
        assert WORDS not in answer.text, path
        assert "2025-03-04" not in answer.text, path  # the infusion of the other centre
        if whose == "former" and answer.status_code == 200:
            # A centre that gave an infusion reads its own part.
            assert path in ("/patients/{patient_id}", "/patients/{patient_id}/number"), path
            continue
        assert answer.status_code in (403, 404, 409, 422), (path, answer.status_code)
        if whose != "former":
            assert [word for word in secrets(told) if word in answer.text] == [], path
        assert await refusals(service, told["patient_id"]) > logged, path
    assert await kept(service) == before


async def test_pages_about_a_protected_identity_show_neither_name_nor_number_nor_anybodys_own_words(
    make_service: Callable[..., Service],
) -> None:
    service = make_service()
    told = await a_patient(make_service(today=date(2025, 4, 1)))
    found = await ids(service, told)
    version = (await service.get(f"/patients/{told['patient_id']}")).json()["version"]
    protected = await service.patch(
        f"/patients/{told['patient_id']}", {"protected": True}, headers={"If-Match": f'"{version}"'}
    )
    assert protected.status_code == 200, protected.text
    ward = await Ward(service).log_in("demo-coordinator-lund")
    lists = [("GET", path) for path in ("/", "/alerts", "/due/print", "/due.csv", "/due/changes?since=0")]
    shown = 0
    for method, path in [*lists, *pages(), *lists]:
        if path.endswith("/number"):
            continue  # the one form that shows the number, with a reason, and logged
        answer = await (
            ward.get(path.format(**found)) if method == "GET" else ward.post(path.format(**found), **FORMS[path])
        )
        assert answer.status_code < 500, path
        assert [word for word in secrets(told) if word in answer.text] == [], path
        shown += answer.status_code in (200, 303)
    assert shown > 10
