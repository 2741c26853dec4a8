"""One patient: what comes next, fifteen years in one picture and in its table, contacts, events, changes, and who has
read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.actor import Act
from app.errors import FieldError, FollowUpError
from app.followup import audit, catalogue, patients, status
from app.followup.commands import Ask, Reason
from app.followup.patients import NewEvent
from app.http.deps import Needs, Transaction, reading, refuse_kept, writing
from app.pages import days, forms, words
from app.pages.due_list import OPENS_WITHIN
from app.pages.page import PageRoute, back_to, frame, language_of, render, translations
from app.pages.pictures import MARKS, Lane, Words, years

router = APIRouter(include_in_schema=False, route_class=PageRoute)
LATEST, ROWS = 20, 200  # so many acts are shown, out of so many changes: a death closes sixteen visits
OPEN, OVER = ("planned", "due", "overdue"), ("completed", "missed")
Item = Mapping[str, Any]
# What a ward may tell of a patient, in the order of the form's list.
EVENTS = tuple(kind for kind in words.WORDS["event"] if kind != "decided")


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands open on the page: a form with what was filled in and refused, or what a reason has opened."""

    given: Mapping[str, str] = field(default_factory=dict)
    refusal: FollowUpError | None = None
    asked: str = ""
    revealed: Mapping[str, Any] | None = None

    @property
    def faults(self) -> Sequence[FieldError]:
        """What was refused."""
        return forms.faults(self.refusal) if self.refusal else ()


@router.get("/patients/{patient_id}", dependencies=[Needs(Act.READ_PATIENTS)])
async def patient(
    request: Request, patient_id: UUID, every: Annotated[str | None, Query(alias="all")] = None, tell: str | None = None
) -> Response:
    """The patient, as the reader's centre may see it."""
    async with reading(request) as read:
        given = {"type": tell} if tell in EVENTS else {}
        return await _page(request, read.tx, patient_id, Shown(given), whole=every is not None)


async def _page(
    request: Request, tx: Transaction, patient_id: UUID, shown: Shown, *, whole: bool = False, code: int = 200
) -> Response:
    found = await status.follow_up(tx, patient_id, opened=shown.revealed is not None)
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
        treated=sorted(
            {centres[infusion["centre"]] for infusion in found["infusions"]} - {centres[found["responsible_centre"]]}
        ),
        numbers={infusion["id"]: infusion["infusion_number"] or "–" for infusion in found["infusions"]},
        picture=_picture(request, found, tx.today),
        visits=found["visits"] if whole else _near(found["visits"], tx.today),
        total=len(found["visits"]),
        attempts={visit["id"]: attempts.count(visit["id"]) for visit in found["visits"]},
        shown=shown,
        is_whole=_is_own(tx, found["responsible_centre"]),
        listed_from=_listed_from(tx, found),
        kinds=[(kind, kind) for kind in _events(tx, found["status"])],
        labels_of={str(visit["id"]): visit["label"] for visit in found["visits"]},
        local_day=days.local_day,
        marks=MARKS,
        changes=_acts((await audit.changes(tx, patient_id, Ask(ROWS, tx.today))).items)
        if tx.actor.may(Act.READ_HISTORY)
        else None,
    )


def _is_own(tx: Transaction, centre: str) -> bool:
    return tx.actor.centres is None or centre in tx.actor.centres


def _listed_from(tx: Transaction, found: Item) -> date | None:
    """From which local day on the next visit stands on the reader's list, where its forms are; None when it never will:
    the patient is not in follow-up, or another centre's."""
    visit = found["next_visit"]
    if visit is None or found["status"] != "in-follow-up" or not _is_own(tx, visit["centre"]):
        return None
    opens: date = visit["window_start"]
    return opens - OPENS_WITHIN


def _events(tx: Transaction, status: str) -> list[str]:
    """What the reader may tell: to transfer, and to take back a death, is not everybody's."""
    lacks = {"transferred"} if not tx.actor.may(Act.TRANSFER_PATIENT) else set()
    if status == "deceased" and not tx.actor.may(Act.TAKE_BACK_EVENT):
        lacks.add("reinstated")
    return [kind for kind in EVENTS if kind not in lacks]


def _acts(changes: Sequence[Item]) -> Sequence[Item]:
    """Changes as people know them: what one act changed together, with its visits (ids) apart from the other kinds of
    things."""
    acts = []
    for (at, actor, act), rows in groupby(changes, key=lambda row: (row["at"], row["actor"], row["act"])):
        touched = [(row["kind"], row["object_id"]) for row in rows]
        kinds = list(dict.fromkeys(kind for kind, _ in touched if kind != "visit"))
        acts.append(
            {
                "at": at,
                "actor": actor,
                "act": act,
                "kinds": kinds,
                "visits": [one for kind, one in touched if kind == "visit"],
            }
        )
    return acts[:LATEST]


def _age(born: str | None, today: date) -> int | None:
    """Whole years on a local day."""
    if born is None:
        return None
    day = date.fromisoformat(str(born))
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))


def _near(visits: list[Item], today: date) -> list[Item]:
    """What was done or missed, the last ten, and what is open until two years ahead; everything where that is
    nothing."""
    over = [visit for visit in visits if visit["state"] in OVER]
    ahead = [
        visit for visit in visits if visit["state"] in OPEN and visit["window_start"] <= today + timedelta(days=730)
    ]
    return sorted(over[-10:] + ahead, key=lambda visit: (visit["window_end"] or date.max, visit["id"])) or visits


def _picture(request: Request, found: Item, today: date) -> Any:
    language = language_of(request)
    say = translations(language).gettext

    def describe(visit: Item) -> str:
        state = say(words.word("state", visit["state"]))
        return f"{visit['label'][language]}: {state}, {visit['window_start']} – {visit['window_end']}"

    lanes = [
        _lane(plan, visits, found, say) for plan in found["plans"] if (visits := _remaining(plan, found["visits"]))
    ]
    drawn = {plan["anchor_infusion_id"] for plan in found["plans"] if _remaining(plan, found["visits"])}
    happened = [(event["on"], say(words.word("event", event["type"]))) for event in found["events"]]
    happened += [
        (i["infused_on"], _name(i, say)) for i in found["infusions"] if i["id"] not in drawn and not i["voided"]
    ]
    today_is = f"{say(words.PICTURE['today'])} {days.weeks(today, today, today)}"
    return years(
        lanes,
        happened,
        today,
        Words(say(words.PICTURE["title"]), say(words.PICTURE["description"]), today_is, describe),
    )


def _remaining(plan: Item, visits: list[Item]) -> list[Item]:
    """The visits of a plan that have a window, or nothing when it was entered in error and nobody has done anything
    with it."""
    own = [visit for visit in visits if visit["plan_id"] == plan["id"] and visit["window_end"] is not None]
    return own if any(visit["cancel_reason"] != "entered-in-error" for visit in own) else []


def _name(infusion: Item, say: Callable[[str], str]) -> str:
    """`Infusion 2`; one that was entered in error has no number."""
    return f"{say('Infusion')} {infusion['infusion_number'] or '–'}"


def _lane(plan: Item, visits: list[Item], found: Item, say: Callable[[str], str]) -> Lane:
    """One plan in the picture. What events cancelled at its end is not drawn visit by visit: the line breaks off
    there."""
    infusion = next(i for i in found["infusions"] if i["id"] == plan["anchor_infusion_id"])
    alone = len({plan["protocol"]["code"] for plan in found["plans"]}) == 1
    name = (
        _name(infusion, say)
        if alone
        else f"{_name(infusion, say)} · {say(words.word('protocol', plan['protocol']['code']))}"
    )
    kept = max([n for n, visit in enumerate(visits, 1) if visit["cancel_reason"] in (None, "not-required")], default=0)
    last = max(visit["window_end"] for visit in visits)
    if kept == len(visits):
        return Lane(name, infusion["infused_on"], visits, last)
    reason = visits[kept]["cancel_reason"]
    ended = _ended_on(plan, reason, found) or visits[kept]["window_start"]
    return Lane(name, infusion["infused_on"], visits[:kept], last, (ended, say(words.word("reason", reason))))


def _ended_on(plan: Item, reason: str, found: Item) -> date | None:
    """The local day of what ended a plan, where the reader may see it: the infusion whose plan replaced it, or the
    event."""
    if reason != "superseded":
        return max((event["on"] for event in found["events"] if event["type"] == reason), default=None)
    infused = {infusion["id"]: infusion["infused_on"] for infusion in found["infusions"] if not infusion["voided"]}
    same = [
        p["anchor_infusion_id"]
        for p in found["plans"]
        if (p["class"], p["purpose"]) == (plan["class"], plan["purpose"])
    ]
    after = [
        infused[one]
        for one in same
        if one in infused and infused[one] > infused.get(plan["anchor_infusion_id"], date.max)
    ]
    return min(after, default=None)


# ---- What a reason opens ---------------------------------------------------------------------------------------------


@router.post("/patients/{patient_id}/number", dependencies=[Needs(Act.READ_PATIENTS)])
async def open_person(request: Request, patient_id: UUID) -> Response:
    """Shows the number, and of a protected identity the name too, once and for a reason, which the log of reads
    keeps."""
    given = await forms.fields(request)
    async with reading(request) as read:
        try:
            refuse_kept(request)
            why = forms.command(Reason, {"reason": given.get("reason", "")})
            revealed = await patients.reveal(read.tx, patient_id, why)
        except FollowUpError as refusal:
            return await _page(request, read.tx, patient_id, Shown(given, refusal, asked="number"), code=422)
        return await _page(request, read.tx, patient_id, Shown(revealed=revealed))


@router.post("/patients/{patient_id}/events", dependencies=[Needs(Act.REPORT_EVENT)])
async def report(request: Request, patient_id: UUID) -> Response:
    """Stores what happened; what follows of it stands on the page at once."""
    given = await forms.fields(request)
    fields: dict[str, object] = {
        name: given[name] for name in ("type", "on", "centre", "where", "note") if name in given
    }
    if "entered_in_error" in given:
        fields["entered_in_error"] = True
    try:
        async with writing(request) as tx:
            await patients.report(tx, patient_id, forms.command(NewEvent, fields))
    except FollowUpError as refusal:
        async with reading(request) as read:
            return await _page(request, read.tx, patient_id, Shown(given, refusal, asked="event"), code=422)
    if given.get("type") == "transferred":
        return back_to("/")  # the patient is another centre's now
    return back_to(f"/patients/{patient_id}")
