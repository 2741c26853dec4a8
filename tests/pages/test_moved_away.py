"""A patient who has moved to another centre while a page of the former one stands open: each of its forms is answered
by a clear word."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.clock import Clock
from app.followup import batches
from tests.api.conftest import TODAY, Service, infusion
from tests.pages.conftest import Ward

NOTHING = "Här finns inget som du får se."
RESOLVED = "Larmet är redan avslutat: besöket stängdes eller flyttades, eller patienten hör nu till ett annat centrum."
GONE = "Besöket finns inte längre i listan."
LATER = Clock(TODAY + timedelta(days=40))
CLINICIAN = "demo-clinician-lund"
FORMS = [
    ("/visits/{visit}/book", {"version": "1", "booked_on": "2026-12-03"}),
    ("/visits/{visit}/complete", {"version": "1", "completed_on": "2026-11-20", "response": "CR"}),
    ("/visits/{visit}/contacts", {"channel": "phone", "outcome": "busy"}),
    ("/visits/{visit}/miss", {"version": "1", "reason": "moved"}),
    ("/visits/{visit}/miss", {"version": "1", "not_required": "yes"}),
    ("/visits/{visit}/reopen", {"version": "1"}),
    ("/patients/{patient}/events", {"type": "survival", "on": "2026-11-20"}),
    ("/patients/{patient}/events", {"type": "transferred", "on": "2026-11-20", "centre": "lund"}),
    ("/patients/{patient}/number", {"reason": "calls the patient"}),
]


class Moved:
    """A patient of Uppsala whom Lund was responsible for, who was never treated there, and an alert that was Lund's."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.ids: dict[str, str] = {}

    async def move(self) -> "Moved":
        told = infusion(centre="uppsala", infused_on="2026-10-12", discharged_on="2026-10-19")
        stored = (await self.service.post("/infusions", told, token="demo-clinician-uppsala")).json()
        self.ids = {"patient": stored["patient_id"], "visit": stored["visits"][0]["id"]}
        await self._transfer("lund", "demo-clinician-uppsala")
        await batches.sweep(self.service.house.db, LATER)
        self.ids["alert"] = (await self.service.get("/alerts")).json()["items"][0]["id"]
        await self._transfer("uppsala", CLINICIAN)
        return self

    async def _transfer(self, centre: str, token: str) -> None:
        event = {"type": "transferred", "on": "2026-11-22", "centre": centre}
        assert (
            await self.service.post(f"/patients/{self.ids['patient']}/events", event, token=token)
        ).status_code == 201


@pytest.fixture
async def moved(make_service: Callable[..., Service]) -> Moved:
    return await Moved(make_service()).move()


@pytest.mark.parametrize("script", [False, True])
async def test_taking_up_an_alert_says_that_it_is_over(moved: Moved, script: bool):
    ward = await Ward(moved.service, script=script).log_in()
    told = await ward.post(f"/alerts/{moved.ids['alert']}/acknowledge", reason="called", state="open")
    assert told.status_code == 409
    assert RESOLVED in told.text
    if script:  # the words take the page's place, not the row's
        assert (told.headers["hx-retarget"], told.headers["hx-reselect"]) == ("#main", "#main")


async def test_an_alert_that_is_over_is_told_on_its_list_too(nurse: Ward):
    stored = await nurse.service.recorded(infused_on="2026-10-12", discharged_on="2026-10-19")
    await batches.sweep(nurse.service.house.db, LATER)
    alert = (await nurse.service.get("/alerts")).json()["items"][0]
    done = {"completed_on": "2026-11-09", "response": "CR"}
    assert (
        await nurse.service.post(f"/visits/{stored['visits'][0]['id']}/complete", done, headers={"If-Match": '"1"'})
    ).status_code == 200
    told = await nurse.post(f"/alerts/{alert['id']}/acknowledge", reason="called", state="open")
    assert told.status_code == 409
    assert RESOLVED in told.text
    assert "Inget öppet larm." in told.text


@pytest.mark.parametrize("script", [False, True])
async def test_every_form_is_answered_in_words_and_changes_nothing_of_the_patient(moved: Moved, script: bool):
    ward = await Ward(moved.service, script=script).log_in(CLINICIAN)
    before = await moved.service.counts()
    for path, fields in FORMS:
        told = await ward.post(path.format(**moved.ids), **fields)
        assert told.status_code in (404, 422), path
        assert NOTHING in told.text, path
        assert (GONE in told.text) == (path.startswith("/visits/") and not script), path
    changed = {name for name, n in (await moved.service.counts()).items() if n != before[name]}
    assert changed == {"access_log", "access_log_patients"}  # what was refused about a person is told there
