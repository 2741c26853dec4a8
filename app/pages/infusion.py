"""A new infusion: the form, its plan before anything is saved, and saving it once however often it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import identifiers
from app.actor import Act
from app.errors import FieldError, FollowUpError
from app.followup import catalogue, patients, previews, recording
from app.followup.infusion_fields import Context, NewInfusion
from app.followup.patients import Search
from app.http import problems
from app.http.deps import Needs, Transaction, reading, writing
from app.pages import forms
from app.pages.page import PageRoute, back_to, frame, is_fragment, language_of, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SYSTEM = "ward-form"
_ASKED = ("centre", "product", "context", "infused_on", "discharged_on", "batch")
# The command's field, or what it begins with -> the form's.
_FIELDS = {
    "patient.identifiers": "number",
    "patient.name": "name",
    "patient.birth_date": "birth_date",
    "patient.phone": "phone",
    "patient": "number",
    "continues": "course",
    "new_course": "course",
}
Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What saving would make: the preview, and who of one's own patients has the number; or why there is none."""

    preview: Mapping[str, Any] | None = None
    known: Mapping[str, Any] | None = None
    refusal: FollowUpError | None = None


@router.get("/infusions/new", dependencies=[Needs(Act.RECORD_INFUSION)])
async def new(request: Request) -> Response:
    """The empty form, with an id of its own by which it is known when it comes again."""
    async with reading(request) as read:
        return await _page(request, read.tx, {"once": str(uuid4())}, Plan())


@router.post("/infusions/preview", dependencies=[Needs(Act.RECORD_INFUSION)])
async def preview(request: Request) -> Response:
    """The plan as it would be; with script that part alone."""
    given = _read(await forms.fields(request))
    async with reading(request) as read:
        plan = await _plan(read.tx, given)
        if is_fragment(request):
            return render(request, "infusion_plan.html", **await _facts(request, read.tx, given, plan))
        return await _page(request, read.tx, given, plan, plan.refusal)


@router.post("/infusions/new", dependencies=[Needs(Act.RECORD_INFUSION)])
async def record(request: Request) -> Response:
    """Saves the infusion and goes to the patient. The same form again goes there too, and saves nothing more."""
    given = _read(await forms.fields(request))
    try:
        async with writing(request) as tx:
            recorded = await recording.record(tx, _command(given))
    except FollowUpError as refusal:
        async with reading(request) as read:
            plan = await _plan(read.tx, given)
            return await _page(request, read.tx, given, plan, refusal)
    return back_to(f"/patients/{recorded.infusion['patient_id']}")


async def _page(
    request: Request, tx: Transaction, given: Given, plan: Plan, refusal: FollowUpError | None = None
) -> Response:
    status = 200 if refusal is None else problems.kind_of(refusal).status
    return render(request, "infusion.html", status, **await _facts(request, tx, given, plan, refusal))


async def _facts(
    request: Request, tx: Transaction, given: Given, plan: Plan, refusal: FollowUpError | None = None
) -> dict[str, Any]:
    """What form and plan are rendered from."""
    own = [c for c in await catalogue.all_centres(tx) if tx.actor.centres is None or c["code"] in tx.actor.centres]
    reserve = identifiers.system_of(given.get("number", "")) == identifiers.RESERVNUMMER
    return await frame(request, tx) | {
        "given": {"centre": own[0]["code"] if len(own) == 1 else ""} | dict(given),
        "centres": [(c["code"], c["city"]) for c in own if c["status"] == "active"],
        "products": sorted(
            [(p["code"], _named(p, language_of(request))) for p in (await catalogue.products(tx))["items"]],
            key=lambda pair: pair[1].casefold(),
        ),
        "contexts": [(context.value, context.value) for context in Context],
        "plan": plan,
        "faults": _faults(refusal),
        "plan_faults": _faults(plan.refusal),
        "question": _question(given, plan),
        "tells_no_birth": reserve,
        "birth_is_asked": "birth_asked" in given,
    }


def _named(product: Mapping[str, Any], language: str) -> str:
    """`Yescarta (axicabtagene ciloleucel)`, or the name alone where there is no other."""
    name, inn = product["name"][language], product["inn"]
    return f"{name} ({inn})" if inn and inn != name else str(name)


# ---- The form as a command -------------------------------------------------------------------------------------------


def _read(given: dict[str, str]) -> dict[str, str]:
    """The fields with the form's own id (one that is lost, or is none, is made anew), and without an answer about the
    course that was given for another person, day or product."""
    try:
        once = UUID(given.get("once", ""))
    except ValueError:
        once = uuid4()
    stale = {"course", "near", "near_on", "near_of"} if given.get("near_of") != _about(given) else set()
    return {name: value for name, value in given.items() if name not in stale} | {"once": str(once)}


def _about(given: Given) -> str:
    """What a question about the course is about."""
    return " ".join(given.get(name, "") for name in ("number", "infused_on", "product"))


def _command(given: Given) -> NewInfusion:
    """What the form asks for. Raises Invalid with one error for each field that cannot be read."""
    number = given.get("number", "")
    system = identifiers.system_of(number)
    person: dict[str, Any] = {name: given[name] for name in ("name", "phone") if name in given}
    if system == identifiers.RESERVNUMMER and "birth_date" in given:
        person["birth_date"] = given["birth_date"]
    fields: dict[str, Any] = {name: given[name] for name in _ASKED if name in given}
    course = {"new_course": True} if given.get("course") == "new" else {"continues": given.get("course")}
    person["identifiers"] = [{"system": system, "value": number}]
    return forms.command(
        NewInfusion, fields | course | {"patient": person, "source": {"system": SYSTEM, "id": given["once"]}}
    )


async def _plan(tx: Transaction, given: Given) -> Plan:
    try:
        asked = _command(given)
        preview = await previews.preview(tx, asked)
    except FollowUpError as refusal:
        tx.refused(refusal)
        return Plan(refusal=refusal)
    assert asked.patient is not None, "the form always tells a person"
    found = (await patients.search(tx, Search(identifier=asked.patient.identifiers[0])))["items"]
    return Plan(preview, found[0] if found else None)


def _question(given: Given, plan: Plan) -> Mapping[str, str] | None:
    """The infusion that this one may continue, as planning asked for it now or before; without one, whether a person
    known elsewhere begins anew."""
    about = {"near": "", "on": "", "of": _about(given)}
    if plan.refusal is not None and plan.refusal.code == "needs_continues":
        return about | {"near": str(plan.refusal.facts["infusion_id"]), "on": str(plan.refusal.facts["infused_on"])}
    if "near" in given and "near_on" in given:
        return about | {"near": given["near"], "on": given["near_on"]}
    elsewhere = plan.refusal is not None and plan.refusal.code == "known_elsewhere"
    return about if elsewhere or (plan.preview is not None and plan.preview["known_elsewhere"]) else None


def _faults(refusal: FollowUpError | None) -> list[FieldError]:
    """What was refused, each fault at the form's own field."""
    # What the form can do about it is to say that a new course begins.
    if refusal is not None and refusal.code == "known_elsewhere":
        return [FieldError("course", refusal.code, refusal.detail)]
    found = () if refusal is None else forms.faults(refusal)
    return [FieldError(_field(fault.field), fault.code, fault.message) for fault in found]


def _field(name: str) -> str:
    return next((own for beginning, own in _FIELDS.items() if name.startswith(beginning)), name)
