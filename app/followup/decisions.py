"""Decisions about patients: who needs one, so that nothing ends in silence, and what was decided (contract 3, rule
17)."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import decisions as db_decisions
from app.db.columns import new_id
from app.db.decisions import UndecidedFilter as UndecidedFilter
from app.db.decisions import UndecidedPatient
from app.db.patients import EventRow
from app.db.transaction import Transaction
from app.errors import Conflict, Invalid
from app.followup import catalogue, chart, views, visibility
from app.followup.chart import Chart
from app.followup.commands import Ask, ClearText, Command, Page, Slug
from app.followup.settle import settle
from app.planning import decisions
from app.planning.decisions import Undecided
from app.planning.facts import Decision, EventType, life
from app.planning.protocol import Protocol, Purpose, Restart

JSON = dict[str, Any]


class NothingFollows(Conflict):
    """This protocol has no visit ahead of the patient; choose one that goes on."""

    code = "nothing_follows"


class NewDecision(Command):
    """What is decided of a patient: to go on by a further `protocol`, to hand the patient over, to close the follow-up,
    or that a reported death is none."""

    decision: Decision
    reason: ClearText | None = None
    protocol: Slug | None = None


async def undecided(tx: Transaction, wanted: UndecidedFilter, ask: Ask) -> Page:
    """Patients for whom the caller's centres are responsible and who need a decision on the walk's local day, the
    longest silence first. Raises NotYourCentre, Invalid."""
    tx.actor.must(Act.READ_PATIENTS)
    if wanted.centre is not None:
        tx.actor.must_belong_to(wanted.centre)
        if await catalogue.centre_of(tx, wanted.centre) is None:
            raise Invalid("There is no such centre.", field="centre", code="unknown_centre")
    centres = [wanted.centre] if wanted.centre else tx.actor.centres
    if centres is None:
        centres = [centre["code"] for centre in await catalogue.all_centres(tx)]
    after: tuple[date, UUID] | None = None
    if ask.after and isinstance(ask.after[0], date) and isinstance(ask.after[1], UUID):
        after = ask.after[0], ask.after[1]
    rows = await db_decisions.page(tx, wanted, centres, ask.as_of_date, after, ask.limit + 1)
    items = [_serialized(row) for row in rows[: ask.limit]]
    tx.saw("patients to decide on", [item["id"] for item in items])
    place = (items[-1]["last_heard_on"], items[-1]["id"]) if len(rows) > ask.limit else None
    return Page(items, place, await db_decisions.count(tx, wanted, centres, ask.as_of_date) if ask.count else None)


def _serialized(row: UndecidedPatient) -> JSON:
    standing = row.patient.standing
    assert standing is not None, "the list asks for it"
    if row.refused_on is not None:
        reason, since = Undecided.INFUSION_REFUSED, row.refused_on
    elif standing.undecided is not None and standing.since is not None:
        reason, since = standing.undecided, standing.since
    else:
        reason, since = Undecided.NO_CONTACT, decisions.silent_since(standing.last_heard_on)
    return visibility.patient(row.patient) | {
        "responsible_centre": row.patient.responsible_centre,
        "needs_decision": reason.value,
        "since": since,
        "last_heard_on": standing.last_heard_on,
        "follow_up_until": row.follow_up_until,
    }


async def decide(tx: Transaction, patient: UUID, new: NewDecision) -> tuple[JSON, bool]:
    """Stores what a person decided, as an event of today, and settles what follows of it: `extend` plans the further
    visits. Answers the event and whether it is new; the decision that stands, sent again, is not. Raises NotFound,
    Forbidden, Invalid, NothingToDecide, NothingFollows."""
    tx.actor.must(Act.REPORT_EVENT)
    if new.decision is Decision.NOT_DECEASED:
        tx.actor.must(Act.TRANSFER_PATIENT)
    before = await chart.load(tx, patient)
    visibility.must_be_responsible(tx.actor, before)
    await _check(tx, before, new)
    tx.saw("patient event", [patient])
    details = {"decision": new.decision.value} | ({"protocol": new.protocol} if new.protocol else {})
    if (stored := _stands(before, new, details)) is not None:
        return visibility.closed(before.patient.protected, views.event(stored)), False
    known = chart.facts(before)
    decisions.refuse_decision(known, before.plans, new.decision)
    if new.decision is Decision.EXTEND:
        details["infusion_id"] = str(known.counted[-1].id)
    event = EventRow(
        id=new_id(),
        patient_id=patient,
        type=EventType.DECIDED.value,
        on=tx.today,
        details=details,
        note=new.reason,
        source_system=None,
        source_id=None,
        recorded_at=tx.now,
        recorded_by=tx.actor.name,
        recorded_by_id=tx.actor.id,
        recorded_on=tx.today,
    )
    decided = chart.decide(replace(before, events=(*before.events, event)), await catalogue.protocols(tx), tx.today)
    if new.decision is Decision.EXTEND and decisions.is_over(decided.plans):
        raise NothingFollows(field="protocol")
    await settle(tx, EventType.DECIDED.value, before, decided)
    return visibility.closed(before.patient.protected, views.event(event)), True


async def extensions(tx: Transaction, patient: UUID) -> list[str]:
    """Codes of the protocols by which the patient's follow-up may go on, in order: those that an extension may name.
    Raises NotFound, NotResponsible."""
    tx.actor.must(Act.READ_PATIENTS)
    before = await chart.load(tx, patient)
    visibility.must_be_responsible(tx.actor, before)
    tx.saw("follow-up", [patient])
    newest = [protocol for code, protocol in (await catalogue.protocols(tx)).items() if code == protocol.code]
    return sorted(
        protocol.code for protocol in newest if _follows_an_infusion(protocol) and _serves_the_latest(protocol, before)
    )


def _follows_an_infusion(protocol: Protocol) -> bool:
    return protocol.purpose is Purpose.CARE and protocol.restart is not Restart.NEVER


def _serves_the_latest(protocol: Protocol, before: Chart) -> bool:
    return all(protocol.serves(infusion.plan_class) for infusion in chart.facts(before).counted[-1:])


async def _check(tx: Transaction, before: Chart, new: NewDecision) -> None:
    """Raises Invalid: an extension names a care protocol that follows an infusion and serves the class of the latest,
    and only it does; to close or hand over needs a reason."""
    if new.decision in (Decision.CLOSE, Decision.HAND_OVER) and new.reason is None:
        raise Invalid("Say why.", field="reason", code="required")
    if (new.protocol is None) == (new.decision is Decision.EXTEND):
        code = "required" if new.protocol is None else "not_of_this_type"
        raise Invalid("An extension names a protocol, and nothing else does.", field="protocol", code=code)
    if new.protocol is None:
        return
    protocol = (await catalogue.protocols(tx)).get(new.protocol)
    if protocol is None or protocol.code != new.protocol:
        raise Invalid(
            "There is no such protocol; GET /api/v1/protocols lists them.", field="protocol", code="unknown_protocol"
        )
    if not _follows_an_infusion(protocol):
        raise Invalid(
            "Follow-up goes on by a care protocol that counts from an infusion.", field="protocol", code="not_for_care"
        )
    if not _serves_the_latest(protocol, before):
        raise Invalid(
            f"{protocol.code} does not serve the class of the latest infusion.", field="protocol", code="other_class"
        )


def _stands(before: Chart, new: NewDecision, details: JSON) -> EventRow | None:
    """The stored decision that this one repeats: the last that stands, and nothing has come since that needs
    another."""
    standing = life(chart.facts(before)).decisions
    if not standing or chart.standing(before).undecided is not None:
        return None
    last = next(
        event
        for event in before.events
        if event.type == EventType.DECIDED.value and event.recorded_at == standing[-1].recorded_at
    )
    return last if last.note == new.reason and details.items() <= last.details.items() else None
