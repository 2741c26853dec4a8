"""Plans with their visits: read as planning's own values, written by settle alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update

from app.db.tables import plans, visits
from app.db.transaction import Transaction
from app.planning.visits import Outcome, Plan, Visit

PLAN_FIELDS = [f.name for f in fields(Plan)][:-1]
VISIT_FIELDS = [f.name for f in fields(Visit)]
_OUTCOME = VISIT_FIELDS.index("outcome")
_PLANS = select(*[plans.c[name] for name in PLAN_FIELDS])
_VISITS = select(visits.c.plan_id, *[visits.c[name] for name in VISIT_FIELDS])
_CHANGE_PLAN = (
    update(plans)
    .where(plans.c.id == bindparam("b_id"), plans.c.version == bindparam("b_version"))
    .values({name: bindparam(name) for name in [*PLAN_FIELDS[1:], "changed_at"]})
)
_DENORMAL = ["protocol_code", "protocol_version", "infusion_id", "treating_centre"]
_OF_VISIT, _OF_PLAN = attrgetter(*VISIT_FIELDS), attrgetter(*_DENORMAL)
_CHANGE_VISIT = (
    update(visits)
    .where(visits.c.id == bindparam("b_id"), visits.c.version == bindparam("b_version"))
    .values({name: bindparam(name) for name in [*VISIT_FIELDS[1:], *_DENORMAL, "changed_at"]})
)
_FLAG = update(visits).where(visits.c.id == bindparam("b_id")).values(alert_after=bindparam("alert_after"))


def to_visit(row: Sequence[Any]) -> Visit:
    """A visit from the columns VISIT_FIELDS."""
    values = list(row)
    if values[_OUTCOME] is not None:
        values[_OUTCOME] = Outcome(values[_OUTCOME])
    return Visit(*values)


async def of_patient(tx: Transaction, patient: UUID) -> list[Plan]:
    """All plans of a patient with all their visits, oldest first. Not cut: planning needs them all; what is shown is
    cut by those who ask."""
    by_plan: dict[UUID, list[Visit]] = defaultdict(list)
    for row in await tx.all(
        _VISITS.where(visits.c.patient_id == patient).order_by(visits.c.target_on.nulls_last(), visits.c.code)
    ):
        by_plan[row[0]].append(to_visit(row[1:]))
    rows = await tx.all(_PLANS.where(plans.c.patient_id == patient).order_by(plans.c.id))
    return [Plan(**dict(zip(PLAN_FIELDS, row, strict=True)), visits=tuple(by_plan[row[0]])) for row in rows]


def _plan_values(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in PLAN_FIELDS}


def _visit_values(plan: Plan, visit: Visit) -> dict[str, Any]:
    values = dict(zip(VISIT_FIELDS + _DENORMAL, _OF_VISIT(visit) + _OF_PLAN(plan), strict=True))
    values["outcome"] = None if visit.outcome is None else visit.outcome.value
    return values


async def add(tx: Transaction, patient: UUID, new: Sequence[Plan]) -> None:
    """Stores new plans, without their visits."""
    tx.add(plans, [_plan_values(plan) | {"patient_id": patient, "changed_at": tx.now} for plan in new])


async def add_visits(tx: Transaction, patient: UUID, new: Sequence[tuple[Plan, Visit]]) -> None:
    """Stores new visits of stored plans."""
    common = {"patient_id": patient, "changed_at": tx.now}
    tx.add(
        visits,
        [_visit_values(plan, visit) | common | {"plan_id": plan.id, "purpose": plan.purpose} for plan, visit in new],
    )


async def change(tx: Transaction, changed: Sequence[Plan]) -> None:
    """Writes plans as given, each with its version raised by one."""
    if changed:
        rows = [
            _plan_values(plan)
            | {"b_id": plan.id, "b_version": plan.version, "version": plan.version + 1, "changed_at": tx.now}
            for plan in changed
        ]
        await tx.run(_CHANGE_PLAN, rows)


async def change_visits(tx: Transaction, changed: Sequence[tuple[Plan, Visit]]) -> None:
    """Writes visits as given, each with its version raised by one. The caller holds the patient's lock."""
    if changed:
        rows = [
            _visit_values(plan, visit)
            | {"b_id": visit.id, "b_version": visit.version, "version": visit.version + 1, "changed_at": tx.now}
            for plan, visit in changed
        ]
        await tx.run(_CHANGE_VISIT, rows)


async def flag_visits(tx: Transaction, flags: Sequence[Visit]) -> None:
    """Writes `alert_after` alone: a mark for the sweep, no change of the visit, so its version stays."""
    if flags:
        await tx.run(_FLAG, [{"b_id": visit.id, "alert_after": visit.alert_after} for visit in flags])
