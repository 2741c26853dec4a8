"""Infusions that are stored: correct, void, extend; and what is asked about them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import infusions as db_infusions
from app.db import patients as db_patients
from app.db.infusions import InfusionFilter as InfusionFilter
from app.db.infusions import InfusionRow
from app.db.patients import PatientRow
from app.db.transaction import Transaction
from app.errors import Conflict, FieldError, Invalid
from app.followup import catalogue, chart, elsewhere, unseen, versions, views, visibility
from app.followup.chart import Chart
from app.followup.commands import Ask, Page, Reason
from app.followup.infusion_fields import Correction, InfusionFields, day_faults
from app.followup.settle import settle
from app.planning import courses, refusals
from app.planning.facts import Facts, Infusion, life
from app.planning.protocol import Purpose

JSON = dict[str, Any]


class OtherClass(Conflict):
    """The product is of another class, and so of another plan; void the infusion and record it anew."""

    code = "other_class"


def planned(before: Chart, infusion: InfusionRow) -> tuple[Facts, Infusion]:
    """The facts with an infusion that is new or moved, and that infusion among them."""
    facts = chart.facts(before.with_infusion(infusion))
    return facts, next(i for i in facts.infusions if i.id == infusion.id)


# ---- correct and void ----


async def correct(tx: Transaction, infusion: UUID, correction: Correction, version: int | None) -> JSON:
    """Corrects an infusion; open visits move, what people decided stays. What already holds is answered before the
    version is looked at. Raises NotFound, VersionRequired, StaleVersion, Invalid, Conflict."""
    tx.actor.must(Act.CORRECT_INFUSION)
    before, row = await _loaded(tx, infusion)
    changes = {name: getattr(correction, name) for name in correction.model_fields_set}
    changes |= {"context": correction.context.value} if correction.context else {}
    changes = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changes:
        return await changed(tx, before, before, infusion, [])
    versions.must_match(version, row.version)
    if row.voided:
        raise Conflict("A voided infusion is not corrected; record it anew.", code="voided")
    if "centre" in changes:
        tx.actor.must_belong_to(changes["centre"])
    if "product" in changes:
        changes |= await _same_class(tx, row, changes["product"])
    corrected = replace(row, **changes)
    faults: list[FieldError] = []
    fields = InfusionFields.model_validate({name: getattr(corrected, name) for name in InfusionFields.model_fields})
    faults += await catalogue.faults(tx, fields.centre, fields.product, None)
    faults += day_faults(fields, tx.today)
    _check_done(before, corrected, faults)
    if faults:
        raise Invalid("Some values break a rule; each is named in errors.", errors=faults)
    settled = await store_moved(tx, "corrected", before, corrected, before.patient)
    return await changed(tx, before, settled, infusion, [])


async def _same_class(tx: Transaction, row: InfusionRow, code: str) -> JSON:
    product = await catalogue.product_of(tx, code)
    if product is None:
        raise Invalid(
            "There is no such product; GET /api/v1/products lists them.", field="product", code="unknown_product"
        )
    if product["class"] != row.plan_class or product["class"] == "none":
        raise OtherClass(field="product")
    return {name: product[name] for name in ("infusions_per_course", "course_days")} | {
        "default_protocol": product["protocol"]
    }


def _check_done(before: Chart, corrected: InfusionRow, faults: list[FieldError]) -> None:
    done = [v.completed_on for p in before.plans_of(corrected.id) for v in p.visits if v.completed_on is not None]
    if done and min(done) < corrected.infused_on:
        faults.append(
            FieldError("infused_on", "after_done_visit", f"A visit of this infusion was done on {min(done)}.")
        )


async def store_moved(tx: Transaction, act: str, before: Chart, corrected: InfusionRow, patient: PatientRow) -> Chart:
    """Stores an infusion with other values, and the plans that follow from them; the chart as it then stands. Raises
    what planning refuses."""
    proposed = replace(before, patient=patient).with_infusion(corrected)
    if not visibility.is_whole(tx.actor, before):
        _judge_moved(visibility.own_part(tx.actor, before), corrected)  # what the caller knows itself is named
    with elsewhere.closed(tx, before):
        _judge_moved(before, corrected)
    return await settle(tx, act, before, chart.decide(proposed, await catalogue.protocols(tx), tx.today))


def _judge_moved(before: Chart, corrected: InfusionRow) -> None:
    """Raises what stands against a correction."""
    (facts, moved), was = planned(before, corrected), before.infusion(corrected.id)
    if (corrected.infused_on, corrected.discharged_on) != (was.infused_on, was.discharged_on):
        refusals.refuse_after_death(life(facts), corrected.infused_on, corrected.discharged_on)
    if corrected.infused_on != was.infused_on:
        refusals.refuse_before_first(chart.facts(before), facts)
    # What stands was said when it was entered: only what decides the course is asked about anew.
    if any(
        getattr(corrected, name) != getattr(was, name) for name in ("infused_on", "product", "continues", "new_course")
    ):
        if corrected.continues != was.continues:
            courses.refuse_unknown(facts, moved)
        courses.refuse_unclear(facts, moved)


async def void(tx: Transaction, infusion: UUID, reason: Reason, version: int | None) -> JSON:
    """Marks an infusion as entered in error: its undecided visits are cancelled, what it had replaced comes back,
    nothing is deleted (rule 5). Raises NotFound, VersionRequired, StaleVersion."""
    tx.actor.must(Act.VOID_INFUSION)
    before, row = await _loaded(tx, infusion)
    if row.voided and row.void_reason == reason.reason:
        return await changed(tx, before, before, infusion, [])
    versions.must_match(version, row.version)
    if row.voided:
        raise Conflict("The infusion is voided already.", code="voided")
    proposed = before.with_infusion(replace(row, voided=True, void_reason=reason.reason))
    settled = await settle(tx, "voided", before, chart.decide(proposed, await catalogue.protocols(tx), tx.today))
    return await changed(tx, before, settled, infusion, [])


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
    return await _serialized(tx, whole, infusion, [])


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
    items = [visibility.closed(row.patient_id in protected, views.infusion(row)) for row in shown]
    return Page(items, (shown[-1].id,) if more else None, total)


async def _serialized(tx: Transaction, whole: Chart, infusion: UUID, warnings: list[str]) -> JSON:
    """The answer of contract 2: the infusion, the plans that it anchors, and their visits."""
    tx.saw("infusion", [whole.patient.id])
    mine = whole.plans_of(infusion)
    protocols = await catalogue.versions(tx, {f"{plan.protocol_code}@{plan.protocol_version}" for plan in mine})
    row = whole.infusion(infusion)
    ends = [p.ends_on for p in mine if p.purpose == Purpose.CARE.value and p.ends_on is not None]
    visits = views.visits(protocols, mine, whole.patient.id, tx.today)
    return visibility.closed(whole.patient.protected, views.infusion(row)) | {
        "as_of_date": tx.today,
        "warnings": warnings,
        "plans": [views.plan(plan, whole.patient.id) for plan in mine],
        "follow_up_until": max(ends, default=None),
        "visits": [visibility.closed(whole.patient.protected, visit) for visit in visits],
    }


async def changed(tx: Transaction, before: Chart | None, settled: Chart, infusion: UUID, warnings: list[str]) -> JSON:
    """The answer to a write: the infusion, which bookings were dropped, and which done visits lie outside their window
    now."""
    outside = visibility.own_done_outside(tx.actor, before, settled)
    answer = await _serialized(tx, settled, infusion, warnings + (["done_outside_window"] if outside else []))
    return answer | {
        "done_outside_window": outside,
        "dropped_bookings": visibility.own_dropped(tx.actor, before, settled),
    }


async def extend(tx: Transaction) -> int:
    """Plans further visits of plans without end, for at most 100 patients; answers for how many. A worker calls it
    until it answers 0."""
    tx.actor.must(Act.SWEEP)
    patients = await db_infusions.to_extend(tx, tx.today, limit=100)
    protocols = await catalogue.protocols(tx)
    for patient in patients:
        before = await chart.load(tx, patient)
        await settle(tx, "extended", before, chart.decide(before, protocols, tx.today))
    return len(patients)
