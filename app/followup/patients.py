"""Patients: what is known of them, what is changed, and what happens to them."""

from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from app import identifiers
from app.actor import Act, Role
from app.db import locks
from app.db import patients as db_patients
from app.db.columns import new_id
from app.db.patients import EventRow, PatientRow
from app.db.transaction import Transaction
from app.errors import Conflict, FieldError, Invalid, NotYourOwn
from app.followup import catalogue, chart, elsewhere, identity, unseen, versions, views, visibility
from app.followup.chart import Chart
from app.followup.commands import ClearText, Command, Flag, Kept, LocalDate, Note, Reason, Slug, Source, Text
from app.followup.identity import NewIdentifier
from app.followup.settle import settle
from app.identifiers import Identifier
from app.planning import refusals
from app.planning.facts import EventType, life

JSON = dict[str, Any]
SHOWN = 50  # at most so many patients of a search


class NumberTaken(Conflict):
    """The number belongs to another patient of the service."""

    code = "number_taken"


class ContactPerson(Command):
    """Somebody who knows where the patient is [N]."""

    name: Text
    relation: Text | None = None
    phone: Text | None = None


class PatientChange(Command):
    """What may be changed of a person; a field that is not named stays, null empties it (JSON merge patch)."""

    name: Kept[Text] = None
    phone: Text | None = None
    birth_date: LocalDate | None = None
    identifiers: Kept[list[NewIdentifier]] = Field(None, min_length=1, max_length=5)
    protected: Kept[Flag] = None
    contact_persons: Kept[list[ContactPerson]] = Field(None, max_length=2)
    preferred_channel: Literal["phone", "letter", "1177", "relative", "home-hospital"] | None = None
    reason: Text | None = None  # why a protection is lifted


class Search(Command):
    """By number, or by a part of the name; in a body, so that no number stands in a log."""

    identifier: NewIdentifier | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "Search":
        if (self.identifier is None) == (self.name is None):
            raise ValueError("ask by identifier or by name")
        return self


class NewEvent(Command):
    """Something that happened to a patient on a local day. `where`, `centre` and `entered_in_error` belong to their
    types."""

    type: Literal[
        "deceased",
        "withdrawn",
        "lost-to-follow-up",
        "survival",
        "followed-elsewhere",
        "relapse",
        "new-therapy",
        "transplant",
        "second-malignancy",
        "transferred",
        "reinstated",
    ]
    on: LocalDate
    note: Note | None = None
    source: Source | None = None
    where: ClearText | None = None
    centre: Slug | None = None
    entered_in_error: Flag | None = None


# Which own field an event type has, and whether it must be given.
_OWN_FIELD: dict[str, tuple[str, bool]] = {
    EventType.ELSEWHERE.value: ("where", True),
    EventType.TRANSFERRED.value: ("centre", True),
    EventType.REINSTATED.value: ("entered_in_error", False),
}


# ---- questions ----


async def get(tx: Transaction, patient: UUID) -> JSON:
    """One patient. Raises NotFound."""
    tx.actor.must(Act.READ_PATIENTS)
    row = await db_patients.get(tx, patient)
    if row is None:
        raise await unseen.not_found(tx, "patient", patient)
    tx.saw("patient", [row.id])
    return visibility.full_patient(row)


async def reveal(tx: Transaction, patient: UUID, why: Reason) -> JSON:
    """Name and numbers in full, of a protected identity too; the log of reads keeps why. Raises NotFound."""
    tx.actor.must(Act.READ_PATIENTS)
    row = await db_patients.get(tx, patient)
    if row is None:
        raise await unseen.not_found(tx, "patient", patient)
    tx.saw("patient's number", [row.id], why.reason)
    numbers = [identifiers.full(Identifier(i["system"], i["value"])) for i in row.person["identifiers"]]
    return {"name": row.person["name"], "birth_date": row.person["birth_date"], "numbers": numbers}


async def search(tx: Transaction, wanted: Search) -> JSON:
    """The patients that the caller may see with this number, or with this part of a name (protected identities are
    found by number only). By name at most 50, and `has_more` says that there are others; raises Invalid for a number
    that cannot be one."""
    tx.actor.must(Act.READ_PATIENTS)
    if wanted.identifier is not None:
        numbers, faults = identity.canonical([wanted.identifier], tx.today, "identifier")
        if faults:
            raise Invalid(
                "The number cannot be read.",
                errors=[replace(f, field=f.field.replace("identifier.0", "identifier")) for f in faults],
            )
        found = await db_patients.with_number(tx, [(n.system, n.value) for n in numbers])
    else:
        words = (wanted.name or "").casefold().split()
        visible = [row for row in await db_patients.visible(tx) if not row.protected]
        found = [row for row in visible if all(word in row.person["name"].casefold() for word in words)]
    found, more = found[:SHOWN], len(found) > SHOWN
    tx.saw("patient search", [row.id for row in found])
    items = [
        visibility.patient(row) | {"responsible_centre": row.responsible_centre, "status": row.status} for row in found
    ]
    return {"items": items, "has_more": more}


async def plans(tx: Transaction, patient: UUID) -> JSON:
    """The plans of a patient that the caller sees. Raises NotFound."""
    tx.actor.must(Act.READ_PATIENTS)
    whole = await chart.load(tx, patient)
    tx.saw("plans", [patient])
    return {"items": [views.plan(plan, patient) for plan in visibility.own_plans(tx.actor, whole)]}


# ---- change ----


async def change(tx: Transaction, patient: UUID, changed: PatientChange, version: int | None) -> JSON:
    """Changes a person's data; a new birth date replans what counts from it. Numbers given replace those known.
    Raises NotFound, Invalid, NumberTaken, VersionRequired, StaleVersion."""
    tx.actor.must(Act.CHANGE_PATIENT)
    numbers, _ = identity.canonical(changed.identifiers or [], tx.today, "identifiers")
    await locks.take(tx, [f"{n.system}:{n.value}" for n in numbers])
    before = await chart.load(tx, patient)
    visibility.must_be_responsible(tx.actor, before)
    after = await _changed(tx, before.patient, changed)
    if after == before.patient:
        tx.saw("patient", [patient])
        return visibility.full_patient(before.patient) | {"dropped_bookings": []}
    versions.must_match(version, before.patient.version)
    if before.patient.protected and not after.protected:
        _lift_protection(tx, patient, changed)
    proposed = replace(before, patient=after)
    settled = await settle(tx, "changed", before, chart.decide(proposed, await catalogue.protocols(tx), tx.today))
    tx.saw("patient", [patient])
    outside = visibility.own_done_outside(tx.actor, before, settled)
    return visibility.full_patient(settled.patient) | {
        "dropped_bookings": visibility.own_dropped(tx.actor, before, settled),
        "warnings": ["done_outside_window"] if outside else [],
        "done_outside_window": outside,
    }


def _lift_protection(tx: Transaction, patient: UUID, changed: PatientChange) -> None:
    """Raises Forbidden for a role that may not, Invalid without a reason; the history keeps it."""
    tx.actor.must(Act.LIFT_PROTECTION)
    if changed.reason is None:
        raise Invalid("Say why the protection is lifted.", field="reason", code="required")
    tx.changed("patient", patient, "protection lifted", None, {"reason": changed.reason}, patient=patient)


async def _changed(tx: Transaction, row: PatientRow, changed: PatientChange) -> PatientRow:
    values = changed.model_dump(mode="json", include=changed.model_fields_set - {"identifiers", "protected", "reason"})
    if changed.birth_date is not None and changed.birth_date > tx.today:
        raise refusals.DateInFuture("The birth date lies in the future.", field="birth_date")
    person = row.person | values
    if changed.identifiers is not None:
        person["identifiers"] = await _numbers(tx, row, changed.identifiers)
    protected = row.protected if changed.protected is None else changed.protected
    if protected:
        # Where a protected person can be reached is itself secret: it is not kept here.
        person |= {"phone": None, "contact_persons": []}
    return replace(row, person=person, protected=protected)


async def _numbers(tx: Transaction, row: PatientRow, given: list[NewIdentifier]) -> list[JSON]:
    numbers, faults = identity.canonical(given, tx.today, "identifiers")
    if faults:
        raise Invalid("A number cannot be read; each is named in errors.", errors=faults)
    owners = await db_patients.by_number(tx, [(n.system, n.value) for n in numbers])
    if any(owner != row.id for owner in owners):
        raise await elsewhere.refused(tx, set(owners) - {row.id}, None, NumberTaken(field="identifiers"))
    since = {(i["system"], i["value"]): i["since"] for i in row.person["identifiers"]}
    now = [
        {"system": n.system, "value": n.value, "since": since.get((n.system, n.value), tx.today.isoformat())}
        for n in numbers
    ]
    # A number that somebody once had still finds them: the old ones stay behind the new.
    return now + [
        i for i in row.person["identifiers"] if (i["system"], i["value"]) not in {(n.system, n.value) for n in numbers}
    ]


# ---- what happens ----


async def report(tx: Transaction, patient: UUID, new: NewEvent) -> tuple[JSON, bool]:
    """Stores what happened to a patient and settles what follows; answers the event and whether it is new. The same
    again (by `source`, or the same type and day while it holds) is not. Raises NotFound, Invalid, Conflict as contract
    3, rules 6 to 8 and 16."""
    tx.actor.must(_act(new))
    if new.source is not None:
        await locks.take(tx, [f"event:{new.source.system}:{new.source.id}"])
    before = await chart.load(tx, patient)
    _check_fields(new)
    if not visibility.is_whole(tx.actor, before):
        return _own_again(tx, before, new), False
    # Before anything is judged against today: a process whose day is behind does not refuse what is stored (rule 1).
    if (repeated := await _recorded_before(tx, before, new)) is not None:
        tx.saw("patient event", [patient])
        return visibility.closed(before.patient.protected, views.event(repeated)) | {"dropped_bookings": []}, False
    await _check(tx, new)
    facts, kind = chart.facts(before), EventType(new.type)
    if new.entered_in_error:
        _refuse_to_nurses(tx, before)
    refusals.refuse_event(facts, life(facts), kind, new.on, bool(new.entered_in_error))
    event = EventRow(
        id=new_id(),
        patient_id=patient,
        type=new.type,
        on=new.on,
        details=_details(new),
        note=new.note,
        source_system=new.source.system if new.source else None,
        source_id=new.source.id if new.source else None,
        recorded_at=tx.now,
        recorded_by=tx.actor.name,
        recorded_by_id=tx.actor.id,
        recorded_on=tx.today,
    )
    proposed = replace(before, events=(*before.events, event))
    settled = await settle(tx, new.type, before, chart.decide(proposed, await catalogue.protocols(tx), tx.today))
    tx.saw("patient event", [patient])
    return visibility.closed(before.patient.protected, views.event(event)) | {
        "dropped_bookings": visibility.own_dropped(tx.actor, before, settled)
    }, True


def _own_again(tx: Transaction, before: Chart, new: NewEvent) -> JSON:
    """The caller's own event, sent again by a centre that is responsible no more, as after a transfer whose answer was
    lost. Raises NotResponsible for any other."""
    matching = (
        e
        for e in reversed(before.events)
        if (e.type, e.on, e.details) == (new.type, new.on, _details(new)) and tx.actor.wrote(e.recorded_by_id)
    )
    own = next(matching, None)
    if own is None:
        raise visibility.NotResponsible
    tx.saw("patient event", [before.patient.id])
    return visibility.closed(before.patient.protected, views.event(own)) | {"dropped_bookings": []}


def _act(new: NewEvent) -> Act:
    if new.entered_in_error:
        return Act.TAKE_BACK_EVENT
    return Act.TRANSFER_PATIENT if new.type == "transferred" else Act.REPORT_EVENT


def _refuse_to_nurses(tx: Transaction, before: Chart) -> None:
    """A nurse takes back her own event only, on its own local day, and while no later act on the patient rests on it
    (contract 8). Raises NotYourOwn, NotItsDay, NewerStands."""
    last = life(chart.facts(before)).last
    taken = next(
        (
            e
            for e in before.events
            if last is not None and (e.type, e.recorded_at) == (last.type.value, last.recorded_at)
        ),
        None,
    )
    if tx.actor.role is not Role.NURSE or taken is None:
        return
    if not tx.actor.wrote(taken.recorded_by_id):
        raise NotYourOwn
    if taken.recorded_on != tx.today:
        raise refusals.NotItsDay
    acts = [(e.recorded_at, "event", e.id) for e in before.events] + [
        (i.registered_at, "infusion", i.id) for i in before.infusions
    ]
    acts += [(v.decided_at, "visit", v.id) for v in before.visits if v.decided_at is not None and v.id is not None]
    newest = max(acts)
    if newest[0] > taken.recorded_at:
        raise refusals.NewerStands(kind=newest[1], id=str(newest[2]))


def _details(new: NewEvent) -> JSON:
    name = _OWN_FIELD.get(new.type, ("", False))[0]
    return {name: getattr(new, name) if name != "entered_in_error" else bool(new.entered_in_error)} if name else {}


def _check_fields(new: NewEvent) -> None:
    own, needed = _OWN_FIELD.get(new.type, ("", False))
    faults = [
        FieldError(name, "not_of_this_type", f"{name} does not belong to an event of the type {new.type}.")
        for name in ("where", "centre", "entered_in_error")
        if name != own and getattr(new, name) is not None
    ]
    if needed and getattr(new, own) is None:
        faults.append(FieldError(own, "required", f"An event of the type {new.type} needs {own}."))
    if faults:
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)


async def _check(tx: Transaction, new: NewEvent) -> None:
    faults = []
    if new.on > tx.today:
        faults.append(FieldError("on", "date_in_future", f"{new.on} lies after today, {tx.today}."))
    if new.centre is not None:
        centre = await catalogue.centre_of(tx, new.centre)
        if centre is None:
            faults.append(
                FieldError("centre", "unknown_centre", "There is no such centre; GET /api/v1/centres lists them.")
            )
    if faults:
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)


async def _recorded_before(tx: Transaction, before: Chart, new: NewEvent) -> EventRow | None:
    """The stored event that this one repeats. Raises Conflict when the sender has sent it with other values."""
    if new.source is not None:
        stored = await db_patients.event_by_source(tx, new.source.system, new.source.id)
        if stored is not None and stored.patient_id != before.patient.id:
            # Of whom it was sent is nobody's to know who names another.
            raise Conflict(
                "An event of another patient has been sent under this id.", field="source", code="source_conflict"
            )
        if stored is not None:
            if (stored.type, stored.on, stored.details) != (new.type, new.on, _details(new)):
                raise Conflict(
                    "The sender has sent this event with other values.",
                    field="source",
                    code="source_conflict",
                    event_id=str(stored.id),
                )
            return stored
        if new.type == EventType.REINSTATED.value:
            return None  # a message of its own takes back one event more
    last = next((e for e in reversed(before.events) if _weighs(e.type) or e.type == new.type), None)
    if last is not None and (last.type, last.on, last.details) == (new.type, new.on, _details(new)):
        return last
    return None


def _weighs(kind: str) -> bool:
    return EventType(kind) in refusals.CLOSING or kind in (
        EventType.REINSTATED,
        EventType.TRANSFERRED,
        EventType.DECIDED,
    )
