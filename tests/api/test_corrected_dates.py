"""Corrected and late dates over HTTP: what is refused on each road, and the question about what was closed before its
window (contract 3)."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Service, infusion


def match(told: dict[str, Any]) -> dict[str, str]:
    return {"If-Match": f'"{told["version"]}"'}


def refusal(told: httpx.Response) -> tuple[int, str, str]:
    (error,) = told.json()["errors"]
    return told.status_code, error["pointer"], error["code"]


async def happened(service: Service, patient: str, kind: str, on: str, **told: Any) -> httpx.Response:
    return await service.post(
        f"/patients/{patient}/events", {"type": kind, "on": on, **told}, token="demo-coordinator-lund"
    )


async def done_early(service: Service) -> tuple[dict[str, Any], dict[str, Any]]:
    """A response check that was done, and a discharge that came later and moved its window behind that day."""
    told = await service.recorded(infused_on="2026-09-20", discharged_on=...)
    w4 = next(visit for visit in told["visits"] if visit["code"] == "W4")
    done = await service.post(f"/visits/{w4['id']}/complete", {"completed_on": "2026-11-02"}, headers=match(w4))
    assert done.status_code == 200, done.text
    mended = await service.patch(f"/infusions/{told['id']}", {"discharged_on": "2026-10-20"}, headers=match(told))
    assert mended.status_code == 200, mended.text
    return mended.json(), (await service.get(f"/visits/{w4['id']}")).json()


async def asked(service: Service, **query: str) -> list[dict[str, Any]]:
    told = await service.get("/visits", params={"needs_decision": "decided-before-window", **query})
    assert told.status_code == 200, told.text
    items: list[dict[str, Any]] = told.json()["items"]
    return items


async def test_a_correction_tells_what_it_moved_away_from_the_day_it_was_done(service: Service):
    mended, w4 = await done_early(service)
    assert mended["warnings"] == ["done_outside_window"]
    (outside,) = mended["done_outside_window"]
    assert outside == {
        "visit_id": w4["id"],
        "code": "W4",
        "completed_on": "2026-11-02",
        "window_start": "2026-11-10",
        "window_end": "2026-12-01",
        "fits": None,
    }
    assert (w4["on_time"], w4["provisional"], w4["waits_for"]) == (False, False, None)


async def test_what_was_closed_before_its_window_is_listed_until_it_is_confirmed(service: Service):
    _, w4 = await done_early(service)
    (item,) = await asked(service)
    assert (item["id"], item["state"], item["needs_decision"]) == (w4["id"], "completed", "decided-before-window")
    assert item["patient"]["name"] == "Test Testsson"
    assert await asked(service, state="missed") == []
    path, told = f"/visits/{w4['id']}/confirm", {"codes": ["window_not_open"]}
    assert (await service.post(path, told)).status_code == 428
    assert (await service.post(path, {"codes": ["nearer_to_next"]}, headers=match(w4))).status_code == 422
    assert (await service.post(path, {"codes": []}, headers=match(w4))).status_code == 422
    confirmed = await service.post(path, told, headers=match(w4))
    assert (confirmed.status_code, confirmed.json()["version"]) == (200, w4["version"] + 1)
    again = await service.post(path, told, headers=match(w4))
    assert (again.status_code, again.json()["version"]) == (200, w4["version"] + 1)
    assert await asked(service) == []
    history = (await service.get(f"/patients/{w4['patient_id']}/history", token="demo-coordinator-lund")).json()[
        "items"
    ]
    assert [(one["act"], one["after"]["confirmed_for"]) for one in history if one["act"] == "confirmed"] == [
        ("confirmed", "2026-11-10")
    ]


async def test_another_centre_is_not_asked_and_cannot_confirm(service: Service):
    _, w4 = await done_early(service)
    assert await asked(service, limit="10") != []
    other = await service.get("/visits", params={"needs_decision": "decided-before-window"}, token="demo-nurse-umea")
    assert other.json()["items"] == []
    told = await service.post(
        f"/visits/{w4['id']}/confirm", {"codes": ["window_not_open"]}, token="demo-nurse-umea", headers=match(w4)
    )
    assert told.status_code == 404


async def test_a_word_that_no_decision_has_is_refused(service: Service):
    assert (await service.get("/visits", params={"needs_decision": "everything"})).status_code == 422


async def test_a_discharge_after_the_death_is_refused_on_every_road(service: Service):
    told = await service.recorded(
        infused_on="2026-03-04", discharged_on=..., source={"system": "cosmic-lund", "id": "dies"}
    )
    patient = told["patient_id"]
    assert (await happened(service, patient, "deceased", "2026-03-20")).status_code == 201
    late = {"discharged_on": "2026-03-21"}
    assert refusal(await service.patch(f"/infusions/{told['id']}", late, headers=match(told))) == (
        409,
        "/discharged_on",
        "after_death",
    )
    other = infusion(patient=..., patient_id=patient, infused_on="2026-03-19", new_course=True, **late)
    for path in ("/infusions", "/infusions/preview"):
        assert refusal(await service.post(path, other)) == (409, "/discharged_on", "after_death")
    stands = (await service.get(f"/infusions/{told['id']}")).json()
    assert (stands["discharged_on"], stands["version"]) == (None, told["version"])
    left = await service.recorded(infused_on="2026-03-04", discharged_on="2026-03-21")
    assert refusal(await happened(service, left["patient_id"], "deceased", "2026-03-20")) == (
        409,
        "/on",
        "death_before_done",
    )


@pytest.mark.parametrize("kind", ["withdrawn", "transferred"])
async def test_care_neither_declined_nor_moved_before_the_first_infusion(service: Service, kind: str):
    own = {"centre": "umea"} if kind == "transferred" else {}
    told = await service.recorded(infused_on="2026-03-04", discharged_on=...)
    assert refusal(await happened(service, told["patient_id"], kind, "2026-03-03", **own)) == (
        422,
        "/on",
        "before_infusion",
    )
    assert (await happened(service, told["patient_id"], kind, "2026-03-04", **own)).status_code == 201
    mended = await service.patch(
        f"/infusions/{told['id']}", {"infused_on": "2026-03-05"}, token="demo-integration-all", headers=match(told)
    )
    assert refusal(mended) == (422, "/infused_on", "after_event")


async def test_nobody_is_lost_before_the_first_infusion(service: Service):
    told = await service.recorded(infused_on="2026-03-04", discharged_on=...)
    assert refusal(await happened(service, told["patient_id"], "lost-to-follow-up", "2026-03-03")) == (
        422,
        "/on",
        "before_infusion",
    )
