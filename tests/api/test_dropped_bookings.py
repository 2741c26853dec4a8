"""Every write tells which bookings it has dropped (contract 3, rules 4 and 5)."""

from typing import Any

from tests.api.conftest import Service, infusion


async def booked(service: Service, told: dict[str, Any], name: str, day: str) -> dict[str, Any]:
    visit = next(visit for visit in told["visits"] if visit["code"] == name)
    answer = await service.post(
        f"/visits/{visit['id']}/book", {"booked_on": day}, headers={"If-Match": f'"{visit["version"]}"'}
    )
    assert (answer.status_code, answer.json()["dropped_bookings"]) == (200, []), answer.text
    return {"visit_id": visit["id"], "code": name, "booked_on": day}


async def test_a_reinfusion_its_void_a_death_and_a_correction_tell_what_they_dropped(service: Service):
    first = await service.recorded(infused_on="2026-03-04", discharged_on="2026-03-18")
    patient = first["patient_id"]
    dropped = await booked(service, first, "Y01", "2027-03-01")
    again = infusion(patient=..., patient_id=patient, infused_on="2026-10-04", discharged_on="2026-10-18")
    second = (await service.post("/infusions", again)).json()
    assert second["dropped_bookings"] == [dropped]
    assert (await service.post("/infusions", again)).json()["dropped_bookings"] == []

    second_booking = await booked(service, second, "Y01", "2027-10-01")
    reason, version = {"reason": "wrong patient"}, {"If-Match": f'"{second["version"]}"'}
    voided = (
        await service.post(f"/infusions/{second['id']}/void", reason, headers=version, token="demo-clinician-lund")
    ).json()
    assert voided["dropped_bookings"] == [second_booking]

    moved = await service.patch(f"/infusions/{first['id']}", {"infused_on": "2026-01-02"}, headers={"If-Match": "*"})
    assert moved.status_code == 428
    now = (await service.get(f"/infusions/{first['id']}")).json()
    moved = await service.patch(
        f"/infusions/{first['id']}", {"infused_on": "2025-12-02"}, headers={"If-Match": f'"{now["version"]}"'}
    )
    assert moved.json()["dropped_bookings"] == [dropped]

    last = await booked(service, moved.json(), "Y01", "2026-12-01")
    died = {"type": "deceased", "on": "2026-11-20"}
    assert (await service.post(f"/patients/{patient}/events", died)).json()["dropped_bookings"] == [last]
    assert (await service.post(f"/patients/{patient}/events", died)).json()["dropped_bookings"] == []


async def test_a_birth_date_and_a_visit_that_is_closed_tell_it_too(service: Service):
    told = await service.recorded(infused_on="2026-03-04", discharged_on="2026-03-18")
    patient = await service.patch(
        f"/patients/{told['patient_id']}", {"birth_date": "1950-01-05"}, headers={"If-Match": '"1"'}
    )
    assert patient.json()["dropped_bookings"] == []
    taken = await booked(service, told, "Y01", "2027-03-01")
    visit = (await service.get(f"/visits/{taken['visit_id']}")).json()
    back = await service.post(
        f"/visits/{visit['id']}/book", {"booked_on": None}, headers={"If-Match": f'"{visit["version"]}"'}
    )
    # What a person takes back is not dropped.
    assert (back.json()["booked_on"], back.json()["dropped_bookings"]) == (None, [])
