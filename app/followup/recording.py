"""Recording an infusion: what a new one makes of the chart is proposed, judged by planning, and stored with its
schedule."""

from dataclasses import dataclass, replace
from typing import Any

from app.actor import Act
from app.db import infusions as db_infusions
from app.db import locks
from app.db.columns import new_id
from app.db.infusions import InfusionRow
from app.db.patients import PatientRow
from app.db.transaction import Transaction
from app.errors import FieldError, Invalid
from app.followup import catalogue, chart, elsewhere, identity, infusions, repeats, visibility
from app.followup.chart import Chart
from app.followup.identity import Described
from app.followup.infusion_fields import DoneBefore, InfusionFields, NewInfusion, day_faults
from app.followup.settle import settle
from app.planning import courses, decisions, refusals
from app.planning.facts import Facts, life
from app.planning.visits import Outcome, Plan, Visit

JSON = dict[str, Any]
_OUTSIDE = frozenset({"window_not_open", "nearer_to_next"})  # a visit done outside its window: taken, not on time


@dataclass(frozen=True, slots=True)
class Recorded:
    """The infusion as it now stands, and whether it is new."""

    infusion: JSON
    created: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new infusion in its patient's chart: the chart before (None for a new patient), the chart with the infusion,
    its row, the chart as planning wants it then, and what looks odd."""

    before: Chart | None
    proposed: Chart
    infusion: InfusionRow
    decided: Chart
    warnings: list[str]

    @property
    def plans(self) -> list[Plan]:
        """The plans that the infusion anchors."""
        return self.decided.plans_of(self.infusion.id)


async def record(tx: Transaction, new: NewInfusion) -> Recorded:
    """Stores one infusion and its schedule. The same again (by `source`) answers the present state; a value left open
    before is filled in. Raises Invalid with every fault, Conflict when the facts do not allow it (contract 3)."""
    tx.actor.must(Act.RECORD_INFUSION)
    unreadable: list[FieldError] = []
    person = described(tx, new, unreadable)
    source = [f"source:{new.source.system}:{new.source.id}"] if new.source else []
    await locks.take(tx, source + (identity.lock_names(person) if person else []))
    # Before anything is judged against today: a process whose day is behind does not refuse what is stored (rule 1).
    if new.source is not None and (stored := await db_infusions.request_of(tx, new.source.system, new.source.id)):
        return Recorded(await _repeat(tx, await repeats.compare(tx, new, stored)), created=False)
    await check(tx, new, person, unreadable)
    known = None if person is None else await identity.find(tx, person, new.centre)
    found = await propose(tx, new, person, known)
    settled = await settle(tx, "recorded", found.before, found.decided, repeats.normalised(new, person))
    if found.before is not None and person is not None:
        _tell_both_sides(tx, found.before, settled)
    answer = await infusions.changed(tx, found.before, settled, found.infusion.id, found.warnings)
    return Recorded(answer, created=True)


def described(tx: Transaction, new: NewInfusion, unreadable: list[FieldError]) -> Described | None:
    """The person whom the message describes, None where it names a patient by id; faults of the numbers are added."""
    return None if new.patient is None else identity.described(new.patient, tx.today, unreadable)


async def check(tx: Transaction, new: NewInfusion, person: Described | None, unreadable: list[FieldError]) -> None:
    """Raises Invalid with every fault of the values, `unreadable` (of the person) among them, and NotYourCentre for a
    foreign centre."""
    faults = await catalogue.faults(tx, new.centre, new.product, new.protocols)
    faults += day_faults(new, tx.today) + repeats.shape_faults(tx, new) + unreadable
    born = person.birth_date if person else None
    if born is not None and new.infused_on < born:
        faults.append(FieldError("infused_on", "before_birth", "The infusion lies before the birth date."))
    if faults:
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)
    tx.actor.must_belong_to(new.centre)


async def _repeat(tx: Transaction, repeat: repeats.Repeat) -> JSON:
    settled = repeat.before
    if repeat.request is not None:
        await db_infusions.remember(tx, repeat.infusion, repeat.request)
        settled = await infusions.store_moved(tx, "filled in", repeat.before, repeat.corrected, repeat.patient)
    return await infusions.changed(tx, repeat.before, settled, repeat.infusion, repeat.warnings)


async def propose(tx: Transaction, new: NewInfusion, person: Described | None, known: PatientRow | None) -> Proposal:
    """What a checked message would make of the chart; stores nothing. `known` carries the described person's number.
    Raises what planning refuses, NotFound, and Invalid for a done visit that no plan has."""
    before, warnings = None, list[str]()
    if person is None:
        assert new.patient_id is not None, "check has seen to it"
        before = await chart.load(tx, new.patient_id)
        patient = before.patient
    elif known is not None:
        before, warnings = await chart.of(tx, known), identity.warnings(known, person)
        patient = identity.adopt(known, person, tx.today)
    else:
        patient = identity.new_patient(tx, person, new.centre)
    infusion = await _row(tx, new, patient)
    proposed = replace(before or Chart(patient), patient=patient).with_infusion(infusion)
    if before is not None and not visibility.is_whole(tx.actor, before):
        own = visibility.own_part(tx.actor, before)
        courses.refuse_unknown(*infusions.planned(own, infusion))  # what the caller does not see cannot be named
        if own.infusions:
            _judge(own, infusion)  # what the caller knows itself is named
    with elsewhere.closed(tx, before, new.centre):
        _judge(before or Chart(patient), infusion)
    decided = await _with_done_visits(tx, new, before, proposed, infusion)
    warnings += decisions.warnings(new.infused_on, decided.plans_of(infusion.id), tx.today)
    return Proposal(before, proposed, infusion, decided, warnings)


def _judge(before: Chart, infusion: InfusionRow) -> None:
    """Raises what stands against a new infusion."""
    facts, planned = infusions.planned(before, infusion)
    known = life(chart.facts(before) if before.infusions else facts)
    refusals.refuse_infusion(known, infusion.infused_on, infusion.discharged_on)
    courses.refuse_unknown(facts, planned)
    courses.refuse_unclear(facts, planned)


async def _row(tx: Transaction, new: NewInfusion, patient: PatientRow) -> InfusionRow:
    product = await catalogue.product_of(tx, new.product)
    assert product is not None, "check has seen to it"
    return InfusionRow(
        id=new_id(),
        version=1,
        patient_id=patient.id,
        **{name: getattr(new, name) for name in InfusionFields.model_fields} | {"context": new.context.value},
        continues=new.continues,
        new_course=new.new_course,
        protocols=None if new.protocols is None else tuple(new.protocols),
        source_system=new.source.system if new.source else None,
        source_id=new.source.id if new.source else None,
        child=False,
        infusion_number=0,
        course_number=0,
        reinfusion=False,
        registered_on=tx.today,
        registered_at=tx.now,
        voided=False,
        void_reason=None,
        plan_class=product["class"],
        infusions_per_course=product["infusions_per_course"],
        course_days=product["course_days"],
        default_protocol=product["protocol"],
    )


async def _with_done_visits(
    tx: Transaction, new: NewInfusion, before: Chart | None, proposed: Chart, infusion: InfusionRow
) -> Chart:
    """The chart as planning wants it, with the visits that the sender says were done."""
    protocols = await catalogue.protocols(tx)
    decided = chart.decide(proposed, protocols, tx.today)
    if not new.completed:
        return decided
    facts = chart.facts(proposed)
    for n, done in enumerate(new.completed):
        plan, visit = _named(decided.plans_of(infusion.id), done, n)
        with elsewhere.closed(tx, before, new.centre):
            decided = decided.with_visit(_done(tx, facts, plan, visit, done, n), visit)
    return chart.decide(decided, protocols, tx.today)  # what was done may end a loss


def _named(plans: list[Plan], done: DoneBefore, n: int) -> tuple[Plan, Visit]:
    for plan in plans:
        for visit in plan.visits:
            if (plan.protocol_code, visit.code) == (done.protocol, done.code) and not visit.is_decided:
                return plan, visit
    text = "No plan of this infusion has such a visit left."
    raise Invalid(text, field=f"completed.{n}.code", code="unknown_visit")


def _done(tx: Transaction, facts: Facts, plan: Plan, visit: Visit, done: DoneBefore, n: int) -> Visit:
    field = f"completed.{n}.completed_on"
    infused_on = next(i.infused_on for i in facts.infusions if i.id == plan.infusion_id)
    refusals.refuse_future(done.completed_on, tx.today, field)
    refusals.refuse_completion(visit, plan.visits, infused_on, life(facts), done.completed_on, _OUTSIDE, field)
    closed = replace(
        visit,
        outcome=Outcome.COMPLETED,
        reason=None,
        decided_by=tx.actor.name,
        decided_at=tx.now,
        decided_on=tx.today,
        completed_on=done.completed_on,
        response=done.response.value if done.response else None,
    )
    return replace(closed, confirmed_for=closed.closed_before)


def _tell_both_sides(tx: Transaction, before: Chart, settled: Chart) -> None:
    """An infusion for a person known elsewhere stands in the access log with both centres' names (rule 11)."""
    centre, responsible = settled.infusions[-1].centre, before.patient.responsible_centre
    if responsible != centre:
        tx.saw(f"infusion by {centre} for a patient of {responsible}", [settled.patient.id], why="treatment")
