"""Plans and their visits: storing what a change made of them."""

from dataclasses import replace
from uuid import UUID

from app.db import plans as db_plans
from app.db.transaction import Transaction
from app.followup.changed import difference
from app.followup.chart import Chart
from app.planning.visits import Plan, Visit

_Pairs = list[tuple[Plan, Visit]]


async def store(tx: Transaction, act: str, before: Chart, chart: Chart) -> Chart:
    """Stores new and changed plans and visits, and tells the history; returns the chart with their new versions. Every
    plan and visit of `chart` has its id: what `before` lacks is new."""
    patient = chart.patient.id
    stored = {plan.id: _alone(plan) for plan in before.plans}
    changed = [plan for plan in chart.plans if plan.id in stored and _alone(plan) != stored[plan.id]]
    await db_plans.add(tx, patient, [plan for plan in chart.plans if plan.id not in stored])
    await db_plans.change(tx, changed)
    # Visits carry a copy of what lists ask of their plan.
    moved = {plan.id for plan in changed if _copied(plan) != _copied(stored[plan.id])}
    changed_visits = await _store_visits(tx, act, before, chart, moved)
    for plan in changed:
        tx.changed("plan", plan.id, act, *difference(stored[plan.id], _alone(plan)), patient=patient)
    return replace(chart, plans=tuple(_renumbered(plan, plan in changed, changed_visits) for plan in chart.plans))


async def _store_visits(
    tx: Transaction, act: str, before: Chart, chart: Chart, moved_plans: set[UUID | None]
) -> set[UUID | None]:
    """The ids of the visits that were changed."""
    stored = {visit.id: visit for visit in before.visits}
    pairs: _Pairs = [(plan, visit) for plan in chart.plans for visit in plan.visits]
    known = [(plan, visit) for plan, visit in pairs if visit.id in stored]
    changed = [(p, v) for p, v in known if p.id in moved_plans or _said(v) != _said(stored[v.id])]
    ids = {visit.id for _, visit in changed}
    await db_plans.add_visits(tx, chart.patient.id, [(plan, visit) for plan, visit in pairs if visit.id not in stored])
    await db_plans.change_visits(tx, changed)
    flagged = [v for _, v in known if v.id not in ids and v.alert_after != stored[v.id].alert_after]
    await db_plans.flag_visits(tx, flagged)
    for plan, visit in changed:
        was, now = difference(stored[visit.id], visit)
        facts = was | {"code": visit.code}, now | {"protocol": plan.protocol_code}
        tx.changed("visit", visit.id, act, *facts, patient=chart.patient.id)
    return ids


def _alone(plan: Plan) -> Plan:
    return replace(plan, visits=())


def _copied(plan: Plan) -> tuple[object, ...]:
    return plan.protocol_code, plan.protocol_version, plan.infusion_id, plan.treating_centre


def _said(visit: Visit) -> Visit:
    """A visit without the sweep's mark, which is no change of it."""
    return replace(visit, alert_after=None)


def _renumbered(plan: Plan, changed: bool, changed_visits: set[UUID | None]) -> Plan:
    visits = tuple(replace(v, version=v.version + 1) if v.id in changed_visits else v for v in plan.visits)
    return replace(plan, version=plan.version + changed, visits=visits)
