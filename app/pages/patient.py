"""One patient: what comes next, fifteen years in one picture and in its table, contacts, events, changes, and who has read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.actor import Act
from app.errors import FollowUpError
from app.followup import audit, catalogue, patients, status
from app.followup.commands import Ask, Reason
from app.followup.patients import NewEvent
from app.http.deps import Needs, Transaction, reading, writing
from app.pages import days, forms, words
from app.pages.page import PageRoute, back_to, frame, language_of, render, translations
from app.pages.pictures import Lane, Told, years

router = APIRouter(include_in_schema=False, route_class=PageRoute)
LATEST = 20
OPEN = ("planned", "due", "overdue")
# What a ward may tell of a patient, in the order of the form's list.
EVENTS = tuple(words.WORDS["event"])


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands open on the page: a form with what was filled in and refused, or what a reason has opened."""

    given: Mapping[str, str] = field(default_factory=dict)
    refusal: FollowUpError | None = None
    asked: str = ""
    revealed: Mapping[str, Any] | None = None


@router.get("/patients/{patient_id}", dependencies=[Needs(Act.READ_PATIENTS)])
async def patient(request: Request, patient_id: UUID, every: Annotated[str | None, Query(alias="all")] = None, tell: str | None = None) -> Response:
    """The patient, as the reader's centre may see it."""
    async with reading(request) as read:
        given = {"type": tell} if tell in EVENTS else {}
        return await _page(request, read.tx, patient_id, Shown(given), whole=every is not None)


async def _page(request: Request, tx: Transaction, patient_id: UUID, shown: Shown, *, whole: bool = False, code: int = 200) -> Response:
    found = await status.follow_up(tx, patient_id)
    facts = await frame(request, tx)
    attempts = [contact["visit_id"] for contact in found["contacts"] if contact["outcome"]]
    centres = {centre["code"]: centre["city"] for centre in await catalogue.all_centres(tx)}
    return render(
        request,
        "patient.html",
        code,
        **facts,
        found=found,
        patient=found["patient"],
        age=_age(found["patient"]["birth_date"], tx.today),
        centres=centres,
        treated=sorted({centres[infusion["centre"]] for infusion in found["infusions"]} - {centres[found["responsible_centre"]]}),
        numbers={infusion["id"]: n for n, infusion in enumerate(found["infusions"], 1)},
        picture=_picture(request, found, tx.today),
        visits=found["visits"] if whole else _near(found["visits"], tx.today),
        total=len(found["visits"]),
        attempts={visit["id"]: attempts.count(visit["id"]) for visit in found["visits"]},
        shown=shown,
        events=EVENTS,
        changes=(await audit.changes(tx, patient_id, Ask(LATEST, tx.today))).items if tx.actor.may(Act.READ_HISTORY) else None,
    )


def _age(born: str | None, today: date) -> int | None:
    """Whole years on a local day."""
    if born is None:
        return None
    day = date.fromisoformat(str(born))
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))


def _near(visits: list[Mapping[str, Any]], today: date) -> list[Mapping[str, Any]]:
    """What is over, the last ten, and what is open until two years ahead."""
    over = [visit for visit in visits if visit["state"] not in OPEN]
    ahead = [visit for visit in visits if visit["state"] in OPEN and visit["window_start"] <= today + timedelta(days=730)]
    return sorted(over[-10:] + ahead, key=lambda visit: (visit["window_end"], visit["id"]))


def _picture(request: Request, found: Mapping[str, Any], today: date) -> Any:
    language = language_of(request)
    say = translations(language).gettext
    infused = {infusion["id"]: (n, infusion["infused_on"]) for n, infusion in enumerate(found["infusions"], 1)}
    lanes = []
    for plan in found["plans"]:
        number, infused_on = infused[plan["anchor_infusion_id"]]
        visits = [visit for visit in found["visits"] if visit["plan_id"] == plan["id"]]
        if visits:
            lanes.append(Lane(f"{number} · {plan['protocol']['code']}"[:18], infused_on, visits))

    def told(visit: Mapping[str, Any]) -> str:
        state = say(words.word("state", visit["state"]))
        return f"{visit['label'][language]}: {state}, {visit['window_start']} – {visit['window_end']}"

    text = Told(
        say(words.PICTURE["title"]),
        say(words.PICTURE["description"]),
        f"{say(words.PICTURE['today'])} {days.weeks(today, today, today)}",
        told,
    )
    return years(lanes, [(event["on"], say(words.word("event", event["type"]))) for event in found["events"]], today, text)


# ---- What a reason opens ------------------------------------------------------------------------------------------------


@router.post("/patients/{patient_id}/number", dependencies=[Needs(Act.READ_PATIENTS)])
async def open_person(request: Request, patient_id: UUID) -> Response:
    """Shows the number, and of a protected identity the name too, once and for a reason, which the log of reads keeps."""
    given = await forms.fields(request)
    async with reading(request) as read:
        try:
            why = forms.command(Reason, {"reason": given.get("reason", "")})
            revealed = await patients.reveal(read.tx, patient_id, why)
        except FollowUpError as refusal:
            return await _page(request, read.tx, patient_id, Shown(given, refusal, asked="number"), code=422)
        return await _page(request, read.tx, patient_id, Shown(revealed=revealed))


@router.post("/patients/{patient_id}/events", dependencies=[Needs(Act.REPORT_EVENT)])
async def report(request: Request, patient_id: UUID) -> Response:
    """Stores what happened; what follows of it stands on the page at once."""
    given = await forms.fields(request)
    told: dict[str, object] = {name: given[name] for name in ("type", "on", "centre", "where", "note") if name in given}
    if "entered_in_error" in given:
        told["entered_in_error"] = True
    try:
        async with writing(request) as tx:
            await patients.report(tx, patient_id, forms.command(NewEvent, told))
    except FollowUpError as refusal:
        async with reading(request) as read:
            return await _page(request, read.tx, patient_id, Shown(given, refusal, asked="event"), code=422)
    if given.get("type") == "transferred":
        return back_to("/")  # the patient is another centre's now
    return back_to(f"/patients/{patient_id}")
