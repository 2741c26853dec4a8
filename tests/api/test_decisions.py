"""Patients who need a decision, over HTTP: a list like others, decisions and contacts that may be repeated."""

import pytest

from tests.api.conftest import NURSE, Service

COORDINATOR = "demo-coordinator-lund"
LIST = "/patients?needs_decision=plan-ended,no-contact,no-plan,infusion-refused"


@pytest.fixture
async def patient(service: Service) -> str:
    """Somebody whose follow-up was over before the infusion was entered."""
    told = await service.recorded(infused_on="2009-03-04", discharged_on="2009-03-18")
    assert told["warnings"] == ["late_entry", "follow_up_over"]
    return str(told["patient_id"])


async def test_the_list_tells_the_patient_why_since_when_and_until_when(service: Service, patient: str):
    page = (await service.get(LIST)).json()
    (item,) = page["items"]
    assert (page["as_of_date"], page["has_more"], item["id"], item["name"]) == (
        "2026-11-23",
        False,
        patient,
        "Test Testsson",
    )
    named = ("needs_decision", "since", "last_heard_on", "follow_up_until", "responsible_centre", "protected")
    assert [item[name] for name in named] == ["no-plan", "2026-11-23", "2009-03-18", "2024-03-04", "lund", False]
    assert (await service.get("/patients?needs_decision=plan-ended")).json()["items"] == []
    assert (await service.get("/patients?needs_decision=no-plan&centre=lund&count=exact")).json()["total"] == 1


async def test_of_a_protected_identity_the_list_tells_only_that_there_is_a_row(service: Service, patient: str):
    await service.patch(f"/patients/{patient}", {"protected": True}, headers={"If-Match": '"1"'})
    (item,) = (await service.get(LIST)).json()["items"]
    assert (item["id"], item["name"], item["masked_number"], item["phone"], item["protected"]) == (
        patient,
        None,
        None,
        None,
        True,
    )


async def test_what_has_not_changed_is_304_and_one_decision_changes_it(service: Service, patient: str):
    first = await service.get(LIST)
    held = {"If-None-Match": first.headers["etag"]}
    assert (await service.get(LIST, headers=held)).status_code == 304
    closing = {"decision": "close", "reason": "by agreement"}
    told = [await service.post(f"/patients/{patient}/decide", closing) for _ in range(2)]
    assert [answer.status_code for answer in told] == [201, 200]
    assert told[0].json() == told[1].json()
    assert {name: told[0].json()[name] for name in ("type", "on", "decision", "reason", "recorded_by")} == {
        "type": "decided",
        "on": "2026-11-23",
        "decision": "close",
        "reason": "by agreement",
        "recorded_by": NURSE,
    }
    now = await service.get(LIST, headers=held)
    assert (now.status_code, now.json()["items"]) == (200, [])


async def test_a_walk_by_pages_loses_nobody(service: Service, patient: str):
    others = [(await service.recorded(infused_on=f"2008-0{n}-04", discharged_on=None))["patient_id"] for n in (3, 1, 2)]
    found, path = [], f"{LIST}&limit=1"
    while path:
        answer = await service.get(path)
        found += [item["id"] for item in answer.json()["items"]]
        path = answer.links["next"]["url"].removeprefix("/api/v1") if "next" in answer.links else ""
    assert found == [others[1], others[2], others[0], patient]


async def test_a_foreign_centre_is_refused_and_its_own_list_does_not_show_the_patient(service: Service, patient: str):
    assert (await service.get(f"{LIST}&centre=lund", token="demo-nurse-umea")).status_code == 403
    assert (await service.get(LIST, token="demo-nurse-umea")).json()["items"] == []
    assert (
        await service.post(
            f"/patients/{patient}/decide", {"decision": "close", "reason": "so"}, token="demo-nurse-umea"
        )
    ).status_code == 404
    assert (await service.get("/patients?needs_decision=no-such-word")).status_code == 422


async def test_a_reported_death_is_ended_by_a_coordinators_word(service: Service):
    given = await service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")
    contact = {"channel": "relative", "outcome": "deceased-reported", "source": {"system": "ward", "id": "1"}}
    told = [await service.post(f"/patients/{given['patient_id']}/contacts", contact) for _ in range(2)]
    assert [answer.status_code for answer in told] == [201, 200]
    assert (await service.get("/patients")).json()["items"][0]["needs_decision"] == "deceased-reported"
    path, body = f"/patients/{given['patient_id']}/decide", {"decision": "not-deceased"}
    assert (await service.post(path, body)).status_code == 403
    assert (await service.post(path, body, token=COORDINATOR)).status_code == 201
    assert (await service.get("/patients")).json()["items"] == []


async def test_a_contact_is_taken_back_and_stays_so(service: Service):
    given = await service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")
    contact = (
        await service.post(f"/patients/{given['patient_id']}/contacts", {"channel": "phone", "outcome": "busy"})
    ).json()
    path = f"/contacts/{contact['id']}"
    assert (await service.call("DELETE", path, token="demo-nurse-umea")).status_code == 404
    assert (await service.call("DELETE", path, token=COORDINATOR)).status_code == 403
    for _ in range(2):
        answer = await service.call("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await service.get(f"/patients/{given['patient_id']}/follow-up")).json()["contacts"] == []
