"""A patient's chart: all that is stored of one person's follow-up. An act makes a new one from the old; `decide` is
what planning says to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from app.db import contacts as db_contacts
from app.db import infusions as db_infusions
from app.db import patients as db_patients
from app.db import plans as db_plans
from app.db.contacts import ContactRow
from app.db.infusions import InfusionRow
from app.db.patients import EventRow, PatientRow
from app.db.transaction import Transaction
from app.followup import unseen
from app.planning import changes, courses, decisions
from app.planning.decisions import Standing
from app.planning.facts import (
    Contact,
    Decision,
    Done,
    Event,
    EventType,
    Facts,
    FollowUpStatus,
    Infusion,
    life,
    responsible_centre,
)
from app.planning.protocol import Protocol
from app.planning.visits import Outcome, Plan, Visit


@dataclass(frozen=True, slots=True)
class Chart:
    """One patient with infusions (voided ones too), events and contacts in the order of recording, and plans with their
    visits."""

    patient: PatientRow
    infusions: tuple[InfusionRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    plans: tuple[Plan, ...] = ()
    contacts: tuple[ContactRow, ...] = ()

    @property
    def visits(self) -> list[Visit]:
        """All visits of all plans."""
        return [visit for plan in self.plans for visit in plan.visits]

    def infusion(self, infusion: UUID) -> InfusionRow:
        """The infusion with this id; it is there."""
        return next(i for i in self.infusions if i.id == infusion)

    def visit(self, visit: UUID) -> tuple[Plan, Visit]:
        """The visit with this id and its plan; it is there."""
        return next((p, v) for p in self.plans for v in p.visits if v.id == visit)

    def plans_of(self, infusion: UUID) -> list[Plan]:
        """The plans that an infusion anchors."""
        return [plan for plan in self.plans if plan.infusion_id == infusion]

    def with_visit(self, visit: Visit, was: Visit | None = None) -> "Chart":
        """The chart with one visit as given, in the place of `was`, or else of the visit with its id."""
        plans = tuple(
            replace(p, visits=tuple(visit if v is was or (was is None and v.id == visit.id) else v for v in p.visits))
            for p in self.plans
        )
        return replace(self, plans=plans)

    def with_infusion(self, infusion: InfusionRow) -> "Chart":
        """The chart with one infusion added, or as given."""
        return replace(self, infusions=(*(i for i in self.infusions if i.id != infusion.id), infusion))


async def load(tx: Transaction, patient: UUID) -> Chart:
    """The chart of a patient whom the caller may see, locked until the transaction ends when it writes. Raises
    NotFound."""
    found = await (db_patients.lock if tx.writing else db_patients.get)(tx, patient)
    if found is None:
        raise await unseen.not_found(tx, "patient", patient)
    return await of(tx, found)


async def of(tx: Transaction, patient: PatientRow) -> Chart:
    """The chart of a patient row that is at hand (and locked, when the transaction writes)."""
    tx.concerns("patient", [patient.id])
    infusions = await db_infusions.of_patient(tx, patient.id)
    events = await db_patients.events_of(tx, patient.id)
    contacts = await db_contacts.of_patient(tx, patient.id)
    return Chart(
        patient, tuple(infusions), tuple(events), tuple(await db_plans.of_patient(tx, patient.id)), tuple(contacts)
    )


def facts(chart: Chart) -> Facts:
    """What planning may know of the chart."""
    born = chart.patient.person.get("birth_date")
    protocol_of = {str(plan.id): plan.protocol_code for plan in chart.plans}
    return Facts(
        birth_date=date.fromisoformat(born) if born else None,
        infusions=tuple(_infusion(i) for i in chart.infusions),
        events=tuple(_event(e, protocol_of) for e in chart.events),
        done=tuple(
            Done(v.completed_on, v.decided_at, v.performed_by)
            for v in chart.visits
            if v.outcome is Outcome.COMPLETED and v.completed_on is not None and v.decided_at is not None
        ),
        contacts=tuple(Contact(c.contacted_on, c.recorded_at, c.channel, c.outcome) for c in chart.contacts),
    )


def standing(chart: Chart) -> Standing:
    """What the chart says of silence, whatever day it is."""
    return decisions.standing(facts(chart), chart.plans)


def _infusion(row: InfusionRow) -> Infusion:
    return Infusion(
        id=row.id,
        centre=row.centre,
        product=row.product,
        # A product of no class replaces nothing but itself.
        plan_class=row.product if row.plan_class == "none" else row.plan_class,
        infusions_per_course=row.infusions_per_course,
        course_days=row.course_days,
        infused_on=row.infused_on,
        discharged_on=row.discharged_on,
        continues=row.continues,
        new_course=row.new_course,
        named=row.protocols,
        default_protocol=row.default_protocol,
        registered_on=row.registered_on,
        registered_at=row.registered_at,
        voided=row.voided,
    )


def _event(row: EventRow, protocol_of: Mapping[str, str]) -> Event:
    details = row.details
    return Event(
        type=EventType(row.type),
        on=row.on,
        recorded_at=row.recorded_at,
        centre=details.get("centre"),
        entered_in_error=bool(details.get("entered_in_error")),
        protocol=details.get("protocol") or protocol_of.get(details.get("plan_id", "")),
        answer=details.get("answer"),
        decision=Decision(details["decision"]) if "decision" in details else None,
        infusion=UUID(details["infusion_id"]) if details.get("infusion_id") else None,
    )


def decide(chart: Chart, protocols: Mapping[str, Protocol], today: date) -> Chart:
    """The chart as planning wants it for its facts on a local day: plans and visits, the numbering of infusions, status
    and responsible centre."""
    known = facts(chart)
    numbers = courses.numbers(known)
    infusions = []
    for infusion in chart.infusions:
        number = numbers.get(infusion.id)
        infusions.append(
            replace(
                infusion,
                child=changes.is_child(known.birth_date, infusion.infused_on),
                infusion_number=number.infusion_number if number else 0,
                course_number=number.course_number if number else 0,
                reinfusion=number.reinfusion if number else False,
            )
        )
    status = life(known).status if known.counted else FollowUpStatus.NO_INFUSION
    patient = replace(chart.patient, status=status.value, responsible_centre=responsible_centre(known))
    return replace(
        chart,
        patient=patient,
        infusions=tuple(infusions),
        plans=tuple(changes.replan(known, chart.plans, protocols, today)),
    )
