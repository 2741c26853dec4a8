"""Repeated messages: what a sender sends again under its own id of an infusion, compared with what it sent first
(contract 3, rule 1)."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.actor import Role
from app.db import infusions as db_infusions
from app.db.infusions import InfusionRow
from app.db.patients import PatientRow
from app.db.transaction import Transaction
from app.errors import Conflict, FieldError, Invalid
from app.followup import catalogue, chart, identity, visibility
from app.followup.chart import Chart
from app.followup.identity import Described
from app.followup.infusion_fields import Correction, InfusionFields, NewInfusion, day_faults

JSON = dict[str, Any]
_WHO = ("patient_id", "patient.identifiers")  # tell the person, who is compared as such
_FILLED_IN = {*Correction.model_fields, "protocols"}  # what a later message may add to the infusion itself


class SourceConflict(Conflict):
    """The sender has sent this infusion with other values; correct the stored one by its version."""

    code = "source_conflict"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A message about an infusion that is stored: the chart, and infusion and patient with what was left open filled
    in. `request` is what the message and those before it have sent together, None when it has nothing new; `warnings`
    what looks odd."""

    before: Chart
    infusion: UUID
    corrected: InfusionRow
    patient: PatientRow
    request: JSON | None
    warnings: list[str]


def normalised(new: NewInfusion, person: Described | None) -> JSON:
    """The request as repeated ones are compared: identifiers resolved, defaults filled."""
    fields = new.model_dump(mode="json", exclude={"patient", "source"})
    return fields | (
        {} if person is None else {f"patient.{name}": value for name, value in person.normalised().items()}
    )


def shape_faults(tx: Transaction, new: NewInfusion) -> list[FieldError]:
    """What is wrong with a message whatever the day is."""
    faults = []
    if (new.patient is None) == (new.patient_id is None):
        faults.append(
            FieldError(
                "patient",
                "patient_required",
                "Tell the patient by identifiers and name, or by patient_id, and not by both.",
            )
        )
    if new.source is None and tx.actor.role is Role.INTEGRATION:
        faults.append(
            FieldError(
                "source",
                "source_required",
                "A system tells its own id of the infusion, so that a repeated message is known.",
            )
        )
    if new.continues is not None and new.new_course:
        faults.append(
            FieldError("new_course", "contradiction", "An infusion either continues a course or begins a new one.")
        )
    return faults


async def compare(tx: Transaction, new: NewInfusion, stored: tuple[UUID, int, UUID, str, JSON]) -> Repeat:
    """What the message means for the infusion that is stored under its source (`db.infusions.request_of`); only what it
    fills in is judged against today. Raises NotYourCentre; Invalid; SourceConflict when it tells another person, or
    another value than before."""
    infusion, _, patient, _, was = stored
    tx.actor.must_belong_to(new.centre)
    if await db_infusions.get(tx, infusion) is None:
        raise SourceConflict("Another centre has sent an infusion under this id.", field="source")
    before = await chart.load(tx, patient)
    row = before.infusion(infusion)
    person = _same_person(tx, new, before, row)
    if faults := shape_faults(tx, new):
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)
    request = {name: value for name, value in normalised(new, person).items() if name not in _WHO}
    _refuse_changed(request, was, before, row)
    filled = {name: value for name, value in request.items() if was.get(name) is None and value is not None}
    # A value that somebody has corrected by hand since is theirs: only what is still open is filled in.
    own = {name: getattr(new, name) for name in filled if name in _FILLED_IN and getattr(row, name) is None}
    if "protocols" in own:
        own["protocols"] = tuple(own["protocols"])
    corrected = replace(row, **own)
    await _check_filled(tx, corrected, own)
    warnings = (
        [] if person is None or was.get("patient.name") is not None else identity.warnings(before.patient, person)
    )
    adopted = (
        before.patient
        if person is None or not visibility.is_whole(tx.actor, before)
        else identity.adopt(before.patient, person, tx.today)
    )
    return Repeat(before, infusion, corrected, adopted, was | filled if filled else None, warnings)


def _same_person(tx: Transaction, new: NewInfusion, before: Chart, row: InfusionRow) -> Described | None:
    """The person of the message, if it tells one by numbers. Raises SourceConflict when that is not the patient of the
    infusion: every number must be the patient's, so that a number of somebody else, known or not, is never written to
    this one."""
    unreadable: list[FieldError] = []
    person = (
        None if new.patient is None else identity.described(new.patient, max(tx.today, row.registered_on), unreadable)
    )
    known = {(i["system"], i["value"]) for i in before.patient.person["identifiers"]}
    numbers = set() if person is None else {(n.system, n.value) for n in person.numbers}
    if new.patient_id not in (None, before.patient.id) or not numbers <= known:
        raise SourceConflict(
            "The sender has sent this infusion of another person.",
            field="patient",
            infusion_id=str(row.id),
            version=row.version,
            changed=["patient"],
        )
    if unreadable:
        raise Invalid("A number cannot be read; each is named in errors.", errors=unreadable)
    return person


def _refuse_changed(request: JSON, was: JSON, before: Chart, row: InfusionRow) -> None:
    # What somebody has corrected here since, and the sender now tells the same, is no conflict.
    now = InfusionFields.model_validate({name: getattr(row, name) for name in InfusionFields.model_fields}).model_dump(
        mode="json"
    )
    now |= {f"patient.{name}": before.patient.person[name] for name in ("name", "birth_date", "phone")}
    differing = {
        name: value
        for name, value in request.items()
        if value is not None and value != was.get(name) and value != now.get(name)
    }
    if changed := sorted(name for name in differing if was.get(name) is not None):
        raise SourceConflict(field=changed[0], infusion_id=str(row.id), version=row.version, changed=changed)


async def _check_filled(tx: Transaction, corrected: InfusionRow, own: JSON) -> None:
    if not own:
        return
    fields = InfusionFields.model_validate({name: getattr(corrected, name) for name in InfusionFields.model_fields})
    faults = await catalogue.faults(tx, fields.centre, fields.product, own.get("protocols")) + day_faults(
        fields, tx.today
    )
    if wrong := [fault for fault in faults if fault.field.partition(".")[0] in own]:
        raise Invalid("Some values break a rule; each is named in errors.", errors=wrong)
