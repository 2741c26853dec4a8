"""Contacts: attempts to reach a patient, about a visit or without one, and the days on which to try again (contract 3,
rule 8)."""

from dataclasses import replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import contacts as db_contacts
from app.db import locks
from app.db import visits as db_visits
from app.db.columns import new_id
from app.db.contacts import ContactRow
from app.db.transaction import Transaction
from app.errors import Conflict, Invalid, NotYourOwn
from app.followup import chart, unseen, views, visibility
from app.followup.chart import Chart
from app.followup.commands import Command, LocalDate, Note, Source
from app.followup.settle import keep_standing
from app.planning import refusals
from app.planning.facts import DECEASED_REPORTED, EventType, FollowUpStatus, life, reported_dead_on

JSON = dict[str, Any]


class Channel(StrEnum):
    """How somebody was tried to be reached."""

    PHONE = "phone"
    LETTER = "letter"
    PORTAL = "1177"
    RELATIVE = "relative"
    HOME_HOSPITAL = "home-hospital"


class ContactOutcome(StrEnum):
    """What came of it."""

    NO_ANSWER = "no-answer"
    BUSY = "busy"
    WRONG_NUMBER = "wrong-number"
    LETTER_SENT = "letter-sent"
    GIVEN_TO_BOOKING = "given-to-booking"
    WILL_COME = "will-come"
    OTHER_DAY = "other-day"
    DECLINED = "declined"
    ELSEWHERE = "elsewhere"
    DECEASED_REPORTED = "deceased-reported"


class NewContact(Command):
    """An attempt to reach the patient, or with `remind_on` alone a postponement."""

    channel: Channel | None = None
    outcome: ContactOutcome | None = None
    contacted_on: LocalDate | None = None
    note: Note | None = None
    remind_on: LocalDate | None = None
    source: Source | None = None


async def log_about_visit(tx: Transaction, visit: UUID, new: NewContact) -> tuple[JSON, bool]:
    """Logs an attempt to reach the patient about a visit, or a postponement; answers the contact and whether it is new.
    The same again is the stored one. `contacted_on` defaults to today. Raises NotFound, Invalid, and Conflict for a
    `source` that sent something else."""
    tx.actor.must(Act.WORK_VISIT)
    patient = await db_visits.patient_of(tx, visit)
    if patient is None:
        raise await unseen.not_found(tx, "visit", visit)
    return await _log(tx, await chart.load(tx, patient), visit, new)


async def log(tx: Transaction, patient: UUID, new: NewContact) -> tuple[JSON, bool]:
    """The same without a visit, by the centre that is responsible for the patient."""
    tx.actor.must(Act.WORK_VISIT)
    before = await chart.load(tx, patient)
    return await _log(tx, before, None, new)


async def _log(tx: Transaction, before: Chart, visit: UUID | None, new: NewContact) -> tuple[JSON, bool]:
    visibility.must_be_responsible(tx.actor, before)
    _check_fields(new)
    row = ContactRow(
        id=new_id(),
        visit_id=visit,
        patient_id=before.patient.id,
        channel=new.channel and new.channel.value,
        outcome=new.outcome and new.outcome.value,
        contacted_on=new.contacted_on or tx.today,
        remind_on=new.remind_on,
        note=new.note,
        source_system=new.source.system if new.source else None,
        source_id=new.source.id if new.source else None,
        recorded_on=tx.today,
        recorded_at=tx.now,
        recorded_by=tx.actor.name,
        recorded_by_id=tx.actor.id,
    )
    tx.saw("contact", [before.patient.id])
    if (stored := await _recorded_before(tx, before, row)) is not None:
        return visibility.closed(before.patient.protected, views.contact(stored)), False
    _check_days(tx, new)
    await db_contacts.add(tx, row)
    tx.changed("contact", row.id, "logged", None, views.contact(row), patient=before.patient.id)
    await keep_standing(tx, before, replace(before, contacts=(*before.contacts, row)))
    return visibility.closed(before.patient.protected, views.contact(row)), True


def _check_fields(new: NewContact) -> None:
    if (new.channel is None) != (new.outcome is None):
        raise Invalid(
            "A contact has a channel and an outcome.",
            field="channel" if new.channel is None else "outcome",
            code="required",
        )
    if new.outcome is None and new.remind_on is None:
        raise Invalid("Tell a channel and an outcome, or the day to be reminded.", field="outcome", code="required")


def _check_days(tx: Transaction, new: NewContact) -> None:
    refusals.refuse_future(new.contacted_on, tx.today, "contacted_on")
    if new.remind_on is not None and new.remind_on < tx.today:
        raise refusals.DateInPast(f"{new.remind_on} lies before today, {tx.today}.", field="remind_on")


async def _recorded_before(tx: Transaction, before: Chart, row: ContactRow) -> ContactRow | None:
    """The stored contact that this one repeats: of the same sender's id; or the same caller's on the same day about the
    same visit, by the same channel, with the same outcome. A postponement to another day is none, nor a report of a
    death after one that was ended."""
    if row.source_system is not None and row.source_id is not None:
        await locks.take(tx, [f"contact:{row.source_system}:{row.source_id}"])
        stored = await db_contacts.by_source(tx, row.source_system, row.source_id)
        if stored is not None:
            if _key(stored) != _key(row):
                raise Conflict(
                    "The sender has sent this contact with other values.", field="source", code="source_conflict"
                )
            return stored
    if row.outcome == DECEASED_REPORTED and reported_dead_on(chart.facts(before)) is None:
        return None
    return next((c for c in before.contacts if _key(c) == _key(row) and tx.actor.wrote(c.recorded_by_id)), None)


def _key(row: ContactRow) -> tuple[object, ...]:
    return (
        row.patient_id,
        row.visit_id,
        row.channel,
        row.outcome,
        row.contacted_on,
        row.remind_on if row.outcome is None else None,
    )


async def own_of_today(tx: Transaction, patient: UUID) -> set[UUID]:
    """The contacts with a patient that the caller may still take back: their own of this local day."""
    tx.actor.must(Act.READ_PATIENTS)
    return {
        c.id
        for c in await db_contacts.of_patient(tx, patient)
        if tx.actor.wrote(c.recorded_by_id) and c.recorded_on == tx.today
    }


async def take_back(tx: Transaction, contact: UUID) -> None:
    """Takes a contact back on the local day on which it was logged, by who logged it: its reminder, its report of a
    death and its attempt go with it; the history keeps it. Once taken back it stays so. Raises NotFound, NotYourOwn,
    NotItsDay, NewerStands."""
    tx.actor.must(Act.WORK_VISIT)
    found = await db_contacts.get(tx, contact)
    if found is None:
        raise await unseen.not_found(tx, "contact", contact)
    before = await chart.load(tx, found.patient_id)
    visibility.must_be_responsible(tx.actor, before)
    if not any(c.id == contact for c in before.contacts):
        return  # taken back already, as seen under the patient's lock
    if not tx.actor.wrote(found.recorded_by_id):
        raise NotYourOwn
    if found.recorded_on != tx.today:
        raise refusals.NotItsDay
    _refuse_under_a_loss(before, found)
    await db_contacts.take_back(tx, contact)
    tx.changed("contact", contact, "taken back", views.contact(found), None, patient=found.patient_id)
    tx.saw("contact", [found.patient_id])
    await keep_standing(tx, before, replace(before, contacts=tuple(c for c in before.contacts if c.id != contact)))


def _refuse_under_a_loss(before: Chart, contact: ContactRow) -> None:
    """Raises NewerStands for an attempt that a standing loss was declared on."""
    if contact.outcome not in refusals.NO_ANSWER or life(chart.facts(before)).status is not FollowUpStatus.LOST:
        return
    lost = next(
        (e for e in reversed(before.events) if e.type == EventType.LOST.value and e.recorded_at >= contact.recorded_at),
        None,
    )
    if lost is not None:
        raise refusals.NewerStands(kind="event", id=str(lost.id))
