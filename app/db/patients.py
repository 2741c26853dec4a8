"""Patients, their numbers and what happened to them. Persons are sealed; a number is found by its blind index."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, select, update

from app.db.scope import cut
from app.db.tables import patient_events, patient_identifiers, patients
from app.db.transaction import AnyRow, Transaction
from app.planning.decisions import Standing, Undecided


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient; `person` is the opened seal: name, birth_date (ISO), phone, identifiers, contact_persons,
    preferred_channel. `standing` is what was stored of silence: it follows from the facts, so two rows that differ in
    it only are the same patient."""

    id: UUID
    version: int
    person: dict[str, Any]
    protected: bool
    status: str
    responsible_centre: str
    registered_at: datetime
    standing: Standing | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One patient event; `details` are the event's own fields."""

    id: UUID
    patient_id: UUID
    type: str
    on: date
    details: dict[str, Any]
    note: str | None
    source_system: str | None
    source_id: str | None
    recorded_at: datetime
    recorded_by: str
    recorded_by_id: str | None  # None: recorded before names were unique, by a name that several bear
    recorded_on: date


def about(patient: UUID) -> str:
    """What a patient's seal is bound to, so that it opens for no other row."""
    return f"patient:{patient}"


STANDING = (patients.c.last_heard_on, patients.c.undecided, patients.c.undecided_since, patients.c.quiet_until)
PATIENT = (
    patients.c.id,
    patients.c.version,
    patients.c.sealed,
    patients.c.protected,
    patients.c.status,
    patients.c.responsible_centre,
    patients.c.registered_at,
    *STANDING,
)
_BY_NUMBER = (
    select(patient_identifiers.c.patient_id)
    .where(patient_identifiers.c.blind.in_(bindparam("blinds", expanding=True)))
    .distinct()
)

_OWNERS = select(patient_identifiers.c.blind, patient_identifiers.c.patient_id).where(
    patient_identifiers.c.blind.in_(bindparam("blinds", expanding=True))
)


def opened(tx: Transaction, row: Sequence[Any]) -> PatientRow:
    """A patient from the columns PATIENT."""
    patient, version, sealed, protected, status, centre, registered_at, *stored = row
    return PatientRow(
        patient,
        version,
        tx.keys.open(sealed, about(patient)),
        protected,
        status,
        centre,
        registered_at,
        _standing(*stored),
    )


def _standing(
    heard_on: date | None, undecided: str | None, since: date | None, quiet_until: date | None
) -> Standing | None:
    return (
        None
        if heard_on is None
        else Standing(heard_on, Undecided(undecided) if undecided else None, since, quiet_until)
    )


async def get(tx: Transaction, patient: UUID) -> PatientRow | None:
    """The patient, if the caller may see it."""
    row = await tx.first(cut(select(*PATIENT), tx, patients).where(patients.c.id == patient))
    return None if row is None else opened(tx, row)


async def lock(tx: Transaction, patient: UUID) -> PatientRow | None:
    """The patient, locked until the end of the transaction, so that acts on one patient follow each other."""
    row = await tx.first(
        cut(select(*PATIENT), tx, patients).where(patients.c.id == patient).with_for_update(of=patients)
    )
    return None if row is None else opened(tx, row)


async def many(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, PatientRow]:
    """Those of the patients that the caller may see, by id."""
    if not ids:
        return {}
    rows = await tx.all(cut(select(*PATIENT), tx, patients).where(patients.c.id.in_(ids)))
    return {row[0]: opened(tx, row) for row in rows}


async def visible(tx: Transaction) -> list[PatientRow]:
    """Every patient that the caller may see: names are searched by opening them (22 ms for 3,000)."""
    return [opened(tx, row) for row in await tx.all(cut(select(*PATIENT), tx, patients).order_by(patients.c.id))]


async def first_opens(tx: Transaction) -> None:
    """Raises Unreadable when the keys at hand are not those of this database; shows nothing."""
    row = await tx.first(select(patients.c.id, patients.c.sealed).limit(1))
    if row is not None:
        tx.keys.open(row.sealed, about(row.id))


async def by_number(tx: Transaction, numbers: Iterable[tuple[str, str]]) -> list[UUID]:
    """The patients who carry one of these numbers (system, canonical value), whoever is responsible: numbers are unique
    in the service (rule 11), so this one question is not cut; what the caller may be shown of the patient is decided by
    those who ask."""
    rows = await tx.all(_BY_NUMBER, {"blinds": [tx.keys.blind(system, value) for system, value in numbers]})
    return [row[0] for row in rows]


async def with_number(tx: Transaction, numbers: Iterable[tuple[str, str]]) -> list[PatientRow]:
    """Those patients with one of these numbers whom the caller may see: one statement, so that a number of another
    centre's patient costs the same as one that nobody has."""
    query = cut(select(*PATIENT), tx, patients).where(patients.c.id.in_(_BY_NUMBER))
    return [
        opened(tx, row)
        for row in await tx.all(query, {"blinds": [tx.keys.blind(system, value) for system, value in numbers]})
    ]


async def seen_of(tx: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Those of the patients that the caller may see."""
    return {row[0] for row in await tx.all(cut(select(patients.c.id), tx, patients).where(patients.c.id.in_(ids)))}


async def owners(tx: Transaction, numbers: Collection[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """By number (system, canonical value) the patient who carries it; numbers that nobody carries are left out. Not
    cut, as `by_number` is not."""
    number_of = {tx.keys.blind(*number): number for number in numbers}
    blinds, found = list(number_of), dict[tuple[str, str], UUID]()
    for start in range(0, len(blinds), 500):
        rows = await tx.all(_OWNERS, {"blinds": blinds[start : start + 500]})
        found |= {number_of[blind]: patient for blind, patient in rows}
    return found


async def protected_of(tx: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Those of the patients that have a protected identity. Not cut: what it closes is closed to everybody."""
    if not ids:
        return set()
    return {row[0] for row in await tx.all(select(patients.c.id).where(patients.c.id.in_(ids), patients.c.protected))}


async def lock_known(tx: Transaction, patient: UUID) -> PatientRow:
    """A patient found by number for an infusion that is being recorded: not cut, since the infusing centre becomes
    responsible (rule 11). Locked when the transaction writes; a preview only reads."""
    query = select(*PATIENT).where(patients.c.id == patient)
    row = await tx.first(query.with_for_update() if tx.writing else query)
    assert row is not None, "an identifier belongs to a patient"
    return opened(tx, row)


async def add(tx: Transaction, patient: PatientRow, standing: Standing) -> None:
    """Stores a new patient with the numbers in `person["identifiers"]`."""
    row = {
        "id": patient.id,
        "version": patient.version,
        "sealed": tx.keys.seal(patient.person, about(patient.id)),
        "key_id": tx.keys.current,
        "protected": patient.protected,
        "status": patient.status,
        "responsible_centre": patient.responsible_centre,
        "registered_at": tx.now,
        "changed_at": tx.now,
        **_standing_values(standing),
    }
    tx.add(patients, [row])
    await add_numbers(tx, patient.id, [(i["system"], i["value"]) for i in patient.person["identifiers"]])


async def add_numbers(tx: Transaction, patient: UUID, numbers: Sequence[tuple[str, str]]) -> None:
    """Makes the numbers findable."""
    tx.add(
        patient_identifiers,
        [{"blind": tx.keys.blind(system, value), "patient_id": patient, "system": system} for system, value in numbers],
    )


async def change(tx: Transaction, patient: PatientRow) -> None:
    """Writes the patient as given and raises its version by one. The caller has locked it."""
    await tx.run(
        update(patients)
        .where(patients.c.id == patient.id, patients.c.version == patient.version)
        .values(
            version=patient.version + 1,
            sealed=tx.keys.seal(patient.person, about(patient.id)),
            key_id=tx.keys.current,
            protected=patient.protected,
            status=patient.status,
            responsible_centre=patient.responsible_centre,
            changed_at=tx.now,
        )
    )


async def set_standing(tx: Transaction, patient: UUID, standing: Standing) -> None:
    """Writes what the facts say of silence: no change of the patient, so the version stays."""
    await tx.run(update(patients).where(patients.c.id == patient).values(**_standing_values(standing)))


def _standing_values(standing: Standing) -> dict[str, Any]:
    return {
        "last_heard_on": standing.last_heard_on,
        "undecided": standing.undecided and standing.undecided.value,
        "undecided_since": standing.since,
        "quiet_until": standing.quiet_until,
    }


_EVENT = tuple(patient_events.c)


def _event(tx: Transaction, row: AnyRow) -> EventRow:
    event, patient, kind, on, details, note, *rest = row
    opened = None if note is None else tx.keys.open(note, f"event:{event}")
    return EventRow(event, patient, kind, on, orjson.loads(details), opened, *rest)


async def events_of(tx: Transaction, patient: UUID) -> list[EventRow]:
    """What happened to the patient, in the order of recording (ids sort by creation). Not cut: a death that another
    centre recorded decides here too; what is shown is cut by those who ask."""
    query = select(*_EVENT).where(patient_events.c.patient_id == patient)
    return [_event(tx, row) for row in await tx.all(query.order_by(patient_events.c.recorded_at, patient_events.c.id))]


async def event_by_source(tx: Transaction, system: str, number: str) -> EventRow | None:
    """The event that the sender knows by its own id. Not cut: the natural key is unique in the service; whose patient
    it is of is compared before anything is answered."""
    query = select(*_EVENT).where(patient_events.c.source_system == system, patient_events.c.source_id == number)
    row = await tx.first(query)
    return None if row is None else _event(tx, row)


async def add_event(tx: Transaction, event: EventRow) -> None:
    """Stores an event; it is never changed afterwards."""
    row = {
        "id": event.id,
        "patient_id": event.patient_id,
        "type": event.type,
        "occurred_on": event.on,
        "details": orjson.dumps(event.details).decode(),
        "note": None if event.note is None else tx.keys.seal(event.note, f"event:{event.id}"),
        "source_system": event.source_system,
        "source_id": event.source_id,
        "recorded_at": event.recorded_at,
        "recorded_by": event.recorded_by,
        "recorded_by_id": event.recorded_by_id,
        "recorded_on": event.recorded_on,
    }
    tx.add(patient_events, [row])
