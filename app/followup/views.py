"""How each thing is serialized: plain dicts with the contract's field names (contract 2). Whose eyes they are for is
decided in cards."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from app.db.contacts import ContactRow
from app.db.infusions import InfusionRow
from app.db.patients import EventRow
from app.db.visits import ListedVisit
from app.planning.protocol import Protocol
from app.planning.state import days_overdue, state
from app.planning.visits import Outcome, Plan, Visit, on_time, shown_booking, window

JSON = dict[str, Any]


def visit(
    protocol: Protocol, visit: Visit | ListedVisit, patient: UUID, plan_id: UUID | None, infusion_id: UUID, today: date
) -> JSON:
    """One visit on a local day; `protocol` is the version that its plan follows. A visit that the plan keeps from a
    protocol followed before has its code as label."""
    rule = protocol.rule(visit.code)
    within, outcome = window(visit.window_start, visit.window_end), visit.outcome
    return {
        "id": visit.id,
        "version": visit.version,
        "plan_id": plan_id,
        "protocol": {"code": protocol.code, "version": protocol.version},
        "purpose": protocol.purpose.value,
        "infusion_id": infusion_id,
        "patient_id": patient,
        "centre": visit.centre,
        "code": visit.code,
        "label": rule.label if rule else {"sv": visit.code, "en": visit.code},
        "anchor": visit.anchor,
        "mode": rule.modes if rule else (),
        "provisional": visit.provisional,
        "waits_for": "discharge_date" if visit.provisional else None,
        "target_on": visit.target_on,
        "window_start": visit.window_start,
        "window_end": visit.window_end,
        "suggested_on": visit.suggested_on,
        "report_due_on": visit.report_due_on,
        "state": state(outcome, within, today).value,
        "days_overdue": days_overdue(outcome, within, today),
        "booked_on": shown_booking(visit.booked_on, outcome, visit.decided_by),
        "completed_on": visit.completed_on,
        "completed_mode": visit.completed_mode,
        "on_time": on_time(visit.completed_on, within),
        "performed_by": visit.performed_by,
        "response": visit.response,
        "response_text": visit.response_text,
        "cancel_reason": visit.reason if outcome is Outcome.CANCELLED else None,
        "missed_reason": visit.reason if outcome is Outcome.MISSED else None,
        "assessments": rule.assessments if rule else (),
    }


def visits(protocols: Mapping[str, Protocol], plans: Iterable[Plan], patient: UUID, today: date) -> list[JSON]:
    """The visits of plans on a local day; `protocols` holds every version under `code@version`."""
    return [
        visit(
            protocols[f"{plan.protocol_code}@{plan.protocol_version}"], one, patient, plan.id, plan.infusion_id, today
        )
        for plan in plans
        for one in plan.visits
    ]


def plan(plan: Plan, patient: UUID) -> JSON:
    """One plan."""
    return {
        "id": plan.id,
        "version": plan.version,
        "patient_id": patient,
        "protocol": {"code": plan.protocol_code, "version": plan.protocol_version},
        "purpose": plan.purpose,
        "class": None if plan.plan_class == "none" else plan.plan_class,
        "anchor_infusion_id": plan.infusion_id,
        "consent": plan.consent,
        "state": plan.state,
        "ends_on": plan.ends_on,
    }


def infusion(row: InfusionRow) -> JSON:
    """One infusion, without its plans and visits."""
    return {
        "id": row.id,
        "version": row.version,
        "patient_id": row.patient_id,
        "centre": row.centre,
        "product": row.product,
        "context": row.context,
        "infused_on": row.infused_on,
        "discharged_on": row.discharged_on,
        "indication": row.indication,
        "batch": row.batch,
        "batch_expires_on": row.batch_expires_on,
        "in_specification": row.in_specification,
        "continues": row.continues,
        "new_course": row.new_course,
        "source": None if row.source_system is None else {"system": row.source_system, "id": row.source_id},
        "registered_on": row.registered_on,
        "infusion_number": row.infusion_number or None,
        "course_number": row.course_number or None,
        "reinfusion": row.reinfusion,
        "voided": row.voided,
        "void_reason": row.void_reason,
    }


def event(row: EventRow) -> JSON:
    """One patient event with its own fields."""
    return {
        "id": row.id,
        "type": row.type,
        "on": row.on,
        "note": row.note,
        "source": None if row.source_system is None else {"system": row.source_system, "id": row.source_id},
        "recorded_at": row.recorded_at,
        "recorded_by": row.recorded_by,
        **row.details,
    } | ({"note": None, "reason": row.note} if row.type == "decided" else {})


def contact(row: ContactRow) -> JSON:
    """One contact, or one postponement."""
    return {
        "id": row.id,
        "visit_id": row.visit_id,
        "channel": row.channel,
        "outcome": row.outcome,
        "contacted_on": row.contacted_on,
        "note": row.note,
        "remind_on": row.remind_on,
        "source": None if row.source_system is None else {"system": row.source_system, "id": row.source_id},
        "recorded_at": row.recorded_at,
        "recorded_by": row.recorded_by,
    }
