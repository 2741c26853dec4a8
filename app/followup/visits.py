"""Visits: book, complete, miss, cancel, reopen. Each act sets a person's decision on one visit and settles the
chart."""

from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.actor import Act
from app.db import visits as db_visits
from app.db.transaction import Transaction
from app.followup import catalogue, chart, unseen, versions, views, visibility
from app.followup.chart import Chart
from app.followup.commands import ClearText, Command, LocalDate, Reason, Response
from app.followup.settle import settle
from app.planning import changes, refusals
from app.planning.facts import life
from app.planning.protocol import Mode
from app.planning.visits import NOT_REQUIRED, Outcome, Plan, Visit

JSON = dict[str, Any]


class PerformedBy(StrEnum):
    """Where or by whom a visit was done; a local physician's counts [C][N]."""

    OWN_CENTRE = "own-centre"
    HOME_HOSPITAL = "home-hospital"
    PHONE = "phone"
    RECORDS = "records"
    ELSEWHERE = "elsewhere"


class Confirmation(StrEnum):
    """What a person has been warned of and wants all the same."""

    WINDOW_NOT_OPEN = "window_not_open"
    NEARER_TO_NEXT = "nearer_to_next"


class Booking(Command):
    """The day that was agreed; null takes a booking back."""

    booked_on: LocalDate | None


class Completion(Command):
    """A visit that was done."""

    completed_on: LocalDate
    response: Response | None = None
    response_text: ClearText | None = None
    mode: Mode | None = None
    performed_by: PerformedBy | None = None
    confirm: frozenset[Confirmation] = Field(frozenset(), max_length=2)


class Confirmed(Command):
    """What of a closed visit holds all the same: that it was closed before its window, as the dates now stand."""

    codes: frozenset[Literal["window_not_open"]] = Field(min_length=1, max_length=1)


class NotRequired(Command):
    """A visit that the protocol no longer asks for."""

    reason: Literal["not-required"]


async def _loaded(tx: Transaction, visit: UUID) -> tuple[Chart, Plan, Visit]:
    patient = await db_visits.patient_of(tx, visit)
    if patient is None:
        raise await unseen.not_found(tx, "visit", visit)
    whole = await chart.load(tx, patient)
    return whole, *whole.visit(visit)


async def _decided(tx: Transaction, act: str, before: Chart, visit: Visit) -> JSON:
    protocols = await catalogue.protocols(tx)
    settled = await settle(tx, act, before, chart.decide(before.with_visit(visit), protocols, tx.today))
    assert visit.id is not None, "a stored visit has an id"
    dropped = [one for one in visibility.own_dropped(tx.actor, before, settled) if one["visit_id"] != visit.id]
    return await _serialized(tx, settled, visit.id) | {"dropped_bookings": dropped}


async def _as_it_is(tx: Transaction, whole: Chart, visit: UUID) -> JSON:
    """The answer to a repeated act: nothing has changed."""
    return await _serialized(tx, whole, visit) | {"dropped_bookings": []}


async def _serialized(tx: Transaction, whole: Chart, visit: UUID) -> JSON:
    protocols = await catalogue.protocols(tx)
    tx.saw("visit", [whole.patient.id])
    plan, found = whole.visit(visit)
    own = {p.id for p in visibility.own_plans(tx.actor, whole)}
    protocol = protocols[f"{plan.protocol_code}@{plan.protocol_version}"]
    others = [
        {"id": v.id, "code": v.code, "protocol": p.protocol_code}
        for p in whole.plans
        if p.id in own
        for v in p.visits
        if v.is_open and v.id != visit and v.holds(tx.today)
    ]
    serialized = views.visit(protocol, found, whole.patient.id, plan.id, plan.infusion_id, tx.today)
    return visibility.closed(whole.patient.protected, serialized) | {
        "as_of_date": tx.today,
        "also_open": others,
        "patient": visibility.patient(whole.patient),
    }


def _by(tx: Transaction, visit: Visit, outcome: Outcome, reason: str | None) -> Visit:
    return replace(
        visit, outcome=outcome, reason=reason, decided_by=tx.actor.name, decided_at=tx.now, decided_on=tx.today
    )


async def get(tx: Transaction, visit: UUID) -> JSON:
    """One visit, with the patient's other open visits whose window holds today. Raises NotFound."""
    tx.actor.must(Act.READ_VISITS)
    whole, _, _ = await _loaded(tx, visit)
    return await _serialized(tx, whole, visit)


async def _to_work_on(tx: Transaction, visit: UUID) -> tuple[Chart, Plan, Visit]:
    """The visit for an act: only the responsible centre works on the visits of a patient."""
    whole, plan, found = await _loaded(tx, visit)
    visibility.must_be_responsible(tx.actor, whole)
    return whole, plan, found


async def book(tx: Transaction, visit: UUID, booking: Booking, *, version: int | None) -> JSON:
    """Notes the agreed local day, inside the window or not; null takes it back. A visit stays overdue until it is done.
    Raises NotFound, Invalid (in the past), VisitClosed, ClosedByEvent, VersionRequired, StaleVersion."""
    tx.actor.must(Act.WORK_VISIT)
    before, _, found = await _to_work_on(tx, visit)
    if found.is_open and found.booked_on == booking.booked_on:
        return await _as_it_is(tx, before, visit)
    if booking.booked_on is not None and booking.booked_on < tx.today:
        raise refusals.DateInPast(f"{booking.booked_on} lies before today, {tx.today}.", field="booked_on")
    versions.must_match(version, found.version)
    refusals.refuse_closed(found)
    return await _decided(tx, "booked", before, replace(found, booked_on=booking.booked_on))


async def complete(tx: Transaction, visit: UUID, done: Completion, *, version: int | None) -> JSON:
    """Marks a visit as done on a local day; one that planning closed too, when it was really done in time. Raises
    NotFound, DateInFuture, BeforeInfusion, AfterDeath, and what a person must confirm first; VersionRequired,
    StaleVersion."""
    tx.actor.must(Act.COMPLETE_VISIT)
    before, plan, found = await _to_work_on(tx, visit)
    given: dict[str, Any] = {
        "completed_on": done.completed_on,
        "response": done.response and done.response.value,
        "response_text": done.response_text,
        "completed_mode": done.mode and done.mode.value,
        "performed_by": done.performed_by and done.performed_by.value,
    }
    if found.outcome is Outcome.COMPLETED and all(getattr(found, name) == value for name, value in given.items()):
        return await _as_it_is(tx, before, visit)
    refusals.refuse_future(done.completed_on, tx.today, "completed_on")
    infusion = before.infusion(plan.infusion_id)
    known = life(chart.facts(before))
    confirmed = frozenset(c.value for c in done.confirm)
    if done.completed_on < infusion.infused_on:
        raise refusals.BeforeInfusion(
            f"{done.completed_on} lies before the infusion on {infusion.infused_on}.", field="completed_on"
        )
    versions.must_match(version, found.version)
    refusals.refuse_completion(found, plan.visits, infusion.infused_on, known, done.completed_on, confirmed)
    await _refuse_after_closing(tx, before, plan, found, done.completed_on)
    closed = replace(_by(tx, found, Outcome.COMPLETED, None), **given)
    # A confirmation holds for the window that it was given for: when that moves, it is asked anew.
    return await _decided(tx, "completed", before, replace(closed, confirmed_for=closed.closed_before))


async def _refuse_after_closing(tx: Transaction, before: Chart, plan: Plan, visit: Visit, on: date) -> None:
    """A visit that an event closed may be completed only with a day before that; on the day of death itself it may have
    been done."""
    if visit.is_open or visit.is_decided:
        return
    assert visit.window_end is not None, "what planning closed has a window"
    closing = changes.closed_by(chart.facts(before), await catalogue.protocols(tx), plan, visit.window_end)
    if closing is not None and closing.event != "death" and on >= closing.since:
        raise refusals.ClosedByEvent(
            f"An event closed this visit on {closing.since}.", field="completed_on", closed_on=closing.since.isoformat()
        )


async def miss(tx: Transaction, visit: UUID, reason: Reason, *, version: int | None) -> JSON:
    """Closes a visit that will never take place, with a person's word why; the next one stands.
    Raises NotFound, WindowNotOpen, VisitClosed, ClosedByEvent, VersionRequired, StaleVersion."""
    tx.actor.must(Act.WORK_VISIT)
    before, _, found = await _to_work_on(tx, visit)
    if found.outcome is Outcome.MISSED and found.is_decided and found.reason == reason.reason:
        return await _as_it_is(tx, before, visit)
    refusals.refuse_reserved(reason.reason)
    versions.must_match(version, found.version)
    refusals.refuse_missing(found, tx.today)
    return await _decided(tx, "missed", before, _by(tx, found, Outcome.MISSED, reason.reason))


async def cancel(tx: Transaction, visit: UUID, reason: NotRequired, *, version: int | None) -> JSON:
    """Closes a visit that the protocol no longer asks for; for clinicians and coordinators.
    Raises NotFound, VisitClosed, ClosedByEvent, VersionRequired, StaleVersion."""
    tx.actor.must(Act.WAIVE_VISIT)
    before, _, found = await _to_work_on(tx, visit)
    if found.outcome is Outcome.CANCELLED and found.is_decided and found.reason == reason.reason:
        return await _as_it_is(tx, before, visit)
    versions.must_match(version, found.version)
    refusals.refuse_closed(found)
    return await _decided(tx, "cancelled", before, _by(tx, found, Outcome.CANCELLED, NOT_REQUIRED))


async def reopen(tx: Transaction, visit: UUID, reason: Reason, *, version: int | None) -> JSON:
    """Takes a person's decision back; planning then says what the visit is. What an event closed is not reopened by
    hand (rule 9). One that is open already is answered as it is. Raises NotFound, ClosedByEvent, VersionRequired,
    StaleVersion."""
    tx.actor.must(Act.WORK_VISIT)
    before, _, found = await _to_work_on(tx, visit)
    if found.is_open:
        return await _as_it_is(tx, before, visit)
    versions.must_match(version, found.version)
    refusals.refuse_reopening(found)
    undone = replace(
        found,
        outcome=None,
        reason=None,
        decided_by=None,
        decided_at=None,
        decided_on=None,
        confirmed_for=None,
        completed_on=None,
        completed_mode=None,
        performed_by=None,
        response=None,
        response_text=None,
    )
    tx.changed("visit", visit, "reopening", None, {"reason": reason.reason}, patient=before.patient.id)
    return await _decided(tx, "reopened", before, undone)


async def confirm(tx: Transaction, visit: UUID, confirmed: Confirmed, *, version: int | None) -> JSON:
    """Says that a visit which was closed before its window holds all the same; a window that moves later asks anew
    (rule 4). Raises NotFound, NothingToConfirm, VersionRequired, StaleVersion."""
    tx.actor.must(Act.WORK_VISIT)
    before, _, found = await _loaded(tx, visit)
    if found.is_decided and found.closed_before is not None and found.confirmed_for == found.closed_before:
        return await _as_it_is(tx, before, visit)
    versions.must_match(version, found.version)
    refusals.refuse_confirming(found)
    return await _decided(tx, "confirmed", before, replace(found, confirmed_for=found.closed_before))
