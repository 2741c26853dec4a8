"""Infusions: record, preview, correct, void; and what is asked about them."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import infusions as db_infusions
from app.db import locks
from app.db import patients as db_patients
from app.db.columns import new_id
from app.db.infusions import InfusionFilter as InfusionFilter
from app.db.infusions import InfusionRow
from app.db.patients import PatientRow
from app.db.transaction import Transaction
from app.errors import Conflict, FieldError, Invalid
from app.followup import cards, catalogue, chart, elsewhere, persons, repeats, unseen, versions, views
from app.followup.chart import Chart
from app.followup.commands import Ask, Page, Reason
from app.followup.infusion_fields import Context as Context
from app.followup.infusion_fields import Correction as Correction
from app.followup.infusion_fields import InfusionFields, day_faults
from app.followup.infusion_fields import NewInfusion as NewInfusion
from app.followup.persons import Described
from app.followup.settle import dropped_bookings, effects, plan_ids, settle
from app.planning import courses, decisions, refusals
from app.planning.facts import Facts, Infusion, life
from app.planning.protocol import Purpose
from app.planning.visits import Outcome

JSON = dict[str, Any]


class OtherClass(Conflict):
    """The product is of another class, and so of another plan; void the infusion and record it anew."""

    code = "other_class"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The infusion as it now stands, and whether it is new."""

    infusion: JSON
    created: bool


# ---- record and preview ----


async def record(tx: Transaction, new: NewInfusion) -> Recorded:
    """Stores one infusion and its schedule. The same again (by `source`) answers the present state; a value left open before is filled in.
    Raises Invalid with every fault, Conflict when the facts do not allow it (contract 3)."""
    tx.actor.must(Act.RECORD_INFUSION)
    unreadable: list[FieldError] = []
    person = None if new.patient is None else persons.described(new.patient, tx.today, unreadable)
    source = [f"source:{new.source.system}:{new.source.id}"] if new.source else []
    await locks.take(tx, source + (persons.lock_names(person) if person else []))
    # Before anything is judged against today: a process whose day is behind does not refuse what is stored (rule 1).
    if new.source is not None and (stored := await db_infusions.request_of(tx, new.source.system, new.source.id)):
        return Recorded(await _repeat(tx, await repeats.compare(tx, new, stored)), created=False)
    await _check(tx, new, person, unreadable)
    known = None if person is None else await persons.find(tx, person, new.centre)
    before, drawn, odd = await _drawn(tx, new, person, known)
    decided = await _decided(tx, new, before, drawn)
    odd += decisions.warnings(new.infused_on, plan_ids(decided, decided.infusions[-1].id), tx.today)
    settled = await settle(tx, "recorded", before, decided, repeats.normalised(new, person))
    if before is not None and person is not None:
        await _tell_both_sides(tx, before, settled)
    return Recorded(await _changed(tx, before, settled, decided.infusions[-1].id, odd), created=True)


async def preview(tx: Transaction, new: NewInfusion) -> JSON:
    """What recording would make and change; stores nothing. Of a person known elsewhere it says only that (rule 11)."""
    tx.actor.must(Act.RECORD_INFUSION)
    unreadable: list[FieldError] = []
    person = None if new.patient is None else persons.described(new.patient, tx.today, unreadable)
    await _check(tx, new, person, unreadable)
    known = None if person is None else await persons.find(tx, person, new.centre)
    before, drawn, odd = await _drawn(tx, new, person, known)
    decided = await _decided(tx, new, before, drawn)
    unseen_known = known is not None and not await db_patients.seen_of(tx, [known.id])
    if known is not None and unseen_known:
        # Refused as recording would be; what is told is what a person of no other centre would get.
        tx.saw("infusion preview: known elsewhere", [known.id])
        before, drawn, odd = await _drawn(tx, new.model_copy(update={"continues": None}), person, None)
        decided = await _decided(tx, new, before, drawn)
    mine = plan_ids(decided, decided.infusions[-1].id)
    if before is not None:
        tx.saw("infusion preview", [before.patient.id])
        before = replace(before, plans=tuple(cards.own_plans(tx.actor, before)))
    return {
        "as_of_date": tx.today,
        "plans": [views.plan(plan, drawn.patient.id) for plan in mine],
        "visits": views.visits(await catalogue.protocols(tx), mine, drawn.patient.id, tx.today),
        "changes": effects(before, decided, tx.today),
        "dropped_bookings": dropped_bookings(before, decided),
        "warnings": odd + decisions.warnings(new.infused_on, mine, tx.today),
        "known_elsewhere": unseen_known,
    }


async def _check(tx: Transaction, new: NewInfusion, person: Described | None, unreadable: list[FieldError]) -> None:
    """Raises Invalid with every fault of the values, `unreadable` (of the person) among them, and NotYourCentre for a foreign centre."""
    faults = await catalogue.faults(tx, new.centre, new.product, new.protocols)
    faults += day_faults(new, tx.today) + repeats.shape_faults(tx, new) + unreadable
    born = person.birth_date if person else None
    if born is not None and new.infused_on < born:
        faults.append(FieldError("infused_on", "before_birth", "The infusion lies before the birth date."))
    if faults:
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)
    tx.actor.must_belong_to(new.centre)


async def _repeat(tx: Transaction, told: repeats.Repeat) -> JSON:
    if told.request is None:
        return await _changed(tx, told.before, told.before, told.infusion, told.odd)
    await db_infusions.remember(tx, told.infusion, told.request)
    settled = await _moved(tx, "filled in", told.before, told.mended, told.patient)
    return await _changed(tx, told.before, settled, told.infusion, told.odd)


async def _drawn(tx: Transaction, new: NewInfusion, person: Described | None, known: PatientRow | None) -> tuple[Chart | None, Chart, list[str]]:
    """The chart before (None for a new patient), the chart with the new infusion drawn in, and what looks odd. `known` carries the described
    person's number. Raises what planning refuses."""
    odd: list[str] = []
    before: Chart | None = None
    if person is None:
        assert new.patient_id is not None, "_check has seen to it"
        before = await chart.load(tx, new.patient_id)
        patient = before.patient
    elif known is not None:
        before, odd = await chart.of(tx, known), persons.warnings(known, person)
        patient = persons.adopt(known, person, tx.today)
    else:
        patient = persons.new_patient(tx, person, new.centre)
    infusion = await _row(tx, new, patient)
    drawn = replace(before or Chart(patient), patient=patient).with_infusion(infusion)
    if before is not None and not cards.is_whole(tx.actor, before):
        own = cards.own_part(tx.actor, before)
        courses.refuse_unknown(*_planned(own, infusion))  # what the caller does not see cannot be named
        if own.infusions:
            _judge(own, infusion)  # what the caller knows itself is told
    with elsewhere.closed(tx, before, new.centre):
        _judge(before or Chart(patient), infusion)
    return before, drawn, odd


def _judge(before: Chart, infusion: InfusionRow) -> None:
    """Raises what stands against a new infusion."""
    facts, drawn = _planned(before, infusion)
    refusals.refuse_infusion(life(chart.facts(before) if before.infusions else facts), infusion.infused_on, infusion.discharged_on)
    courses.refuse_unknown(facts, drawn)
    courses.refuse_unclear(facts, drawn)


def _planned(before: Chart, infusion: InfusionRow) -> tuple[Facts, Infusion]:
    """The facts with an infusion that is new or moved, and that infusion among them."""
    facts = chart.facts(before.with_infusion(infusion))
    return facts, next(i for i in facts.infusions if i.id == infusion.id)


async def _row(tx: Transaction, new: NewInfusion, patient: PatientRow) -> InfusionRow:
    product = await catalogue.product_of(tx, new.product)
    assert product is not None, "_check has seen to it"
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


async def _decided(tx: Transaction, new: NewInfusion, before: Chart | None, drawn: Chart) -> Chart:
    """The chart as planning wants it, with the visits that the sender says were done. Raises Invalid for a visit that no plan has."""
    protocols = await catalogue.protocols(tx)
    decided = chart.decide(drawn, protocols, tx.today)
    if not new.completed:
        return decided
    infusion = decided.infusions[-1]
    known = life(chart.facts(drawn))
    for n, done in enumerate(new.completed):
        found = [(p, v) for p in plan_ids(decided, infusion.id) for v in p.visits if (p.protocol_code, v.code) == (done.protocol, done.code)]
        if not found or found[0][1].is_decided:
            raise Invalid("No plan of this infusion has such a visit left.", field=f"completed.{n}.code", code="unknown_visit")
        refusals.refuse_future(done.completed_on, tx.today, f"completed.{n}.completed_on")
        plan, visit = found[0]
        everything = frozenset({"window_not_open", "nearer_to_next"})  # outside the window: taken, not on time
        field = f"completed.{n}.completed_on"
        with elsewhere.closed(tx, before, new.centre):
            refusals.refuse_completion(visit, plan.visits, infusion.infused_on, known, done.completed_on, everything, field)
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
        closed = replace(closed, confirmed_for=closed.closed_before)
        visits = tuple(closed if v is visit else v for v in plan.visits)
        decided = replace(decided, plans=tuple(replace(p, visits=visits) if p is plan else p for p in decided.plans))
    return chart.decide(decided, protocols, tx.today)  # what was done may end a loss


async def _tell_both_sides(tx: Transaction, before: Chart, settled: Chart) -> None:
    """An infusion for a person known elsewhere is told in the access log with both centres' names (rule 11)."""
    centre = settled.infusions[-1].centre
    if before.patient.responsible_centre != centre:
        tx.saw(f"infusion by {centre} for a patient of {before.patient.responsible_centre}", [settled.patient.id], why="treatment")


# ---- correct and void ----


async def correct(tx: Transaction, infusion: UUID, correction: Correction, version: int | None) -> JSON:
    """Mends an infusion; open visits move, what people decided stays. What already holds is answered before the version is looked at.
    Raises NotFound, VersionRequired, StaleVersion, Invalid, Conflict."""
    tx.actor.must(Act.CORRECT_INFUSION)
    before, row = await _loaded(tx, infusion)
    told = {name: getattr(correction, name) for name in correction.model_fields_set}
    told |= {"context": correction.context.value} if correction.context else {}
    told = {name: value for name, value in told.items() if getattr(row, name) != value}
    if not told:
        return await _changed(tx, before, before, infusion, [])
    versions.must_match(version, row.version)
    if row.voided:
        raise Conflict("A voided infusion is not corrected; record it anew.", code="voided")
    if "centre" in told:
        tx.actor.must_belong_to(told["centre"])
    if "product" in told:
        told |= await _same_class(tx, row, told["product"])
    mended = replace(row, **told)
    faults: list[FieldError] = []
    fields = InfusionFields.model_validate({name: getattr(mended, name) for name in InfusionFields.model_fields})
    faults += await catalogue.faults(tx, fields.centre, fields.product, None)
    faults += day_faults(fields, tx.today)
    _check_done(before, mended, faults)
    if faults:
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)
    settled = await _moved(tx, "corrected", before, mended, before.patient)
    return await _changed(tx, before, settled, infusion, [])


async def _same_class(tx: Transaction, row: InfusionRow, code: str) -> JSON:
    product = await catalogue.product_of(tx, code)
    if product is None:
        raise Invalid("There is no such product; GET /api/v1/products lists them.", field="product", code="unknown_product")
    if product["class"] != row.plan_class or product["class"] == "none":
        raise OtherClass(field="product")
    return {name: product[name] for name in ("infusions_per_course", "course_days")} | {"default_protocol": product["protocol"]}


def _check_done(before: Chart, mended: InfusionRow, faults: list[FieldError]) -> None:
    done = [v.completed_on for p in plan_ids(before, mended.id) for v in p.visits if v.completed_on is not None]
    if done and min(done) < mended.infused_on:
        faults.append(FieldError("infused_on", "after_done_visit", f"A visit of this infusion was done on {min(done)}."))


async def _moved(tx: Transaction, act: str, before: Chart, mended: InfusionRow, patient: PatientRow) -> Chart:
    drawn = replace(before, patient=patient).with_infusion(mended)
    if not cards.is_whole(tx.actor, before):
        _judge_moved(cards.own_part(tx.actor, before), mended)  # what the caller knows itself is told
    with elsewhere.closed(tx, before):
        _judge_moved(before, mended)
    return await settle(tx, act, before, chart.decide(drawn, await catalogue.protocols(tx), tx.today))


def _judge_moved(before: Chart, mended: InfusionRow) -> None:
    """Raises what stands against a correction."""
    (facts, moved), was = _planned(before, mended), before.infusion(mended.id)
    if (mended.infused_on, mended.discharged_on) != (was.infused_on, was.discharged_on):
        refusals.refuse_after_death(life(facts), mended.infused_on, mended.discharged_on)
    if mended.infused_on != was.infused_on:
        refusals.refuse_before_first(chart.facts(before), facts)
    # What stands was said when it was entered: only what decides the course is asked about anew.
    if any(getattr(mended, name) != getattr(was, name) for name in ("infused_on", "product", "continues", "new_course")):
        if mended.continues != was.continues:
            courses.refuse_unknown(facts, moved)
        courses.refuse_unclear(facts, moved)


async def void(tx: Transaction, infusion: UUID, reason: Reason, version: int | None) -> JSON:
    """Marks an infusion as entered in error: its undecided visits are cancelled, what it had replaced comes back, nothing is deleted (rule 5).
    Raises NotFound, VersionRequired, StaleVersion."""
    tx.actor.must(Act.VOID_INFUSION)
    before, row = await _loaded(tx, infusion)
    if row.voided and row.void_reason == reason.reason:
        return await _changed(tx, before, before, infusion, [])
    versions.must_match(version, row.version)
    if row.voided:
        raise Conflict("The infusion is voided already.", code="voided")
    drawn = before.with_infusion(replace(row, voided=True, void_reason=reason.reason))
    settled = await settle(tx, "voided", before, chart.decide(drawn, await catalogue.protocols(tx), tx.today))
    return await _changed(tx, before, settled, infusion, [])


async def _loaded(tx: Transaction, infusion: UUID) -> tuple[Chart, InfusionRow]:
    """The chart of an infusion that the caller may see, and its row as it is under the patient's lock."""
    found = await db_infusions.get(tx, infusion)
    if found is None:
        raise await unseen.not_found(tx, "infusion", infusion)
    whole = await chart.load(tx, found.patient_id)
    return whole, whole.infusion(infusion)


# ---- questions ----


async def get(tx: Transaction, infusion: UUID) -> JSON:
    """One infusion with the plans that it anchors and their visits. Raises NotFound."""
    tx.actor.must(Act.READ_PATIENTS)
    whole, _ = await _loaded(tx, infusion)
    return await _told(tx, whole, infusion, [])


async def find(tx: Transaction, wanted: InfusionFilter, ask: Ask) -> Page:
    """Infusions that the caller may see, in the order of their ids, without plans and visits."""
    tx.actor.must(Act.READ_PATIENTS)
    if wanted.centre is not None:
        tx.actor.must_belong_to(wanted.centre)
    after = ask.after[0] if ask.after else None
    rows = await db_infusions.page(tx, wanted, after if isinstance(after, UUID) else None, ask.limit + 1)
    shown = rows[: ask.limit]
    tx.saw("infusions", {row.patient_id for row in shown})
    more = len(rows) > ask.limit
    total = await db_infusions.count(tx, wanted) if ask.count else None
    protected = await db_patients.protected_of(tx, {row.patient_id for row in shown if row.void_reason is not None})
    items = [cards.closed(row.patient_id in protected, views.infusion(row)) for row in shown]
    return Page(items, (shown[-1].id,) if more else None, total)


async def _told(tx: Transaction, whole: Chart, infusion: UUID, odd: list[str]) -> JSON:
    """The answer of contract 2: the infusion, the plans that it anchors, and their visits."""
    tx.saw("infusion", [whole.patient.id])
    mine = plan_ids(whole, infusion)
    protocols = await catalogue.versions(tx, {f"{plan.protocol_code}@{plan.protocol_version}" for plan in mine})
    row = whole.infusion(infusion)
    ends = [p.ends_on for p in mine if p.purpose == Purpose.CARE.value and p.ends_on is not None]
    visits = views.visits(protocols, mine, whole.patient.id, tx.today)
    return cards.closed(whole.patient.protected, views.infusion(row)) | {
        "as_of_date": tx.today,
        "warnings": odd,
        "plans": [views.plan(plan, whole.patient.id) for plan in mine],
        "follow_up_until": max(ends, default=None),
        "visits": [cards.closed(whole.patient.protected, visit) for visit in visits],
    }


async def _changed(tx: Transaction, before: Chart | None, settled: Chart, infusion: UUID, odd: list[str]) -> JSON:
    """The answer to a write: the infusion, which bookings were dropped, and which done visits lie outside their window now."""
    outside = cards.own_done_outside(tx.actor, before, settled)
    told = await _told(tx, settled, infusion, odd + (["done_outside_window"] if outside else []))
    return told | {"done_outside_window": outside, "dropped_bookings": cards.own_dropped(tx.actor, before, settled)}


async def extend(tx: Transaction) -> int:
    """Plans further visits of plans without end, for at most 100 patients; answers for how many. A worker calls it until it answers 0."""
    tx.actor.must(Act.SWEEP)
    patients = await db_infusions.to_extend(tx, tx.today, limit=100)
    protocols = await catalogue.protocols(tx)
    for patient in patients:
        before = await chart.load(tx, patient)
        await settle(tx, "extended", before, chart.decide(before, protocols, tx.today))
    return len(patients)
