"""settle: the only writer of a chart. It stores what an act decided, closes the alerts that no longer hold, raises those that now do, and tells the
history; the sweep's `alert_after` is set here at every change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any
from uuid import UUID

from app.db import alerts as db_alerts
from app.db import decisions as db_decisions
from app.db import infusions as db_infusions
from app.db import patients as db_patients
from app.db import plans as db_plans
from app.db.alerts import AlertRow, NewAlert
from app.db.columns import new_id
from app.db.transaction import Transaction
from app.followup import chart as charts
from app.followup.chart import Chart
from app.planning.facts import Status
from app.planning.state import state
from app.planning.visits import Plan, Visit

ALERTED = (Status.IN_FOLLOW_UP.value, Status.LOST.value)
LOST = Status.LOST.value
BECAUSE_LOST = "lost-to-follow-up"
_NUMBERS = {"child", "infusion_number", "course_number", "reinfusion"}  # what another infusion or a birth date changes of an infusion
_UNSEEN = {"version", "alert_after", "decided_at", "standing"}  # what a history of a visit or a patient need not repeat
_MENDS = {"reinstated", "corrected", "voided", "deceased"}  # acts after which another centre's refused infusion may fit; so may a corrected number


async def settle(tx: Transaction, act: str, before: Chart | None, decided: Chart, request: dict[str, Any] | None = None) -> Chart:
    """Stores the difference between two charts of one patient in the caller's transaction and returns the chart as it now stands, with ids and
    versions. `act` is the word in the history; `request` is the normalised request of an infusion that is new."""
    if before is None:
        await db_patients.add(tx, decided.patient, charts.standing(decided))
        tx.changed("patient", decided.patient.id, "registered", None, decided.patient.person, patient=decided.patient.id)
        before = Chart(decided.patient)
    chart = await _infusions(tx, act, before, decided, request)
    chart = await _events(tx, before, chart)
    chart, work = await _watched_chart(tx, before, chart)
    await db_alerts.resolve(tx, work.resolve)
    await db_alerts.acknowledge(tx, work.acknowledge, by=None, reason=BECAUSE_LOST)
    await db_alerts.reopen(tx, work.reopen)
    chart = await _plans(tx, act, before, await _patient(tx, act, before, chart))
    await db_alerts.add(tx, work.raise_)
    if before.infusions:
        await _refused_infusions(tx, act, before, chart)
        await keep_standing(tx, before, chart)
    return chart


async def _refused_infusions(tx: Transaction, act: str, before: Chart, chart: Chart) -> None:
    """What another centre's infusion had collided with was mended, or the infusion was recorded after all."""
    was, now = before.patient.person, chart.patient.person
    if act in _MENDS or (act == "changed" and was["identifiers"] != now["identifiers"]):
        await db_decisions.end_refused(tx, chart.patient.id)
    known = {infusion.id for infusion in before.infusions}
    for centre in {infusion.centre for infusion in chart.infusions if infusion.id not in known}:
        await db_decisions.end_refused(tx, chart.patient.id, centre)


async def keep_standing(tx: Transaction, before: Chart, chart: Chart) -> None:
    """Stores what the chart says of silence, where that is no longer what was stored."""
    standing = charts.standing(chart)
    if standing != before.patient.standing:
        await db_patients.set_standing(tx, chart.patient.id, standing)


async def _patient(tx: Transaction, act: str, before: Chart, chart: Chart) -> Chart:
    if chart.patient == before.patient:
        return chart
    known = {(i["system"], i["value"]) for i in before.patient.person["identifiers"]}
    new = [(i["system"], i["value"]) for i in chart.patient.person["identifiers"] if (i["system"], i["value"]) not in known]
    await db_patients.add_numbers(tx, chart.patient.id, new)
    await db_patients.change(tx, chart.patient)
    tx.changed("patient", chart.patient.id, act, _shown(before.patient), _shown(chart.patient), patient=chart.patient.id)
    return replace(chart, patient=replace(chart.patient, version=chart.patient.version + 1))


async def _infusions(tx: Transaction, act: str, before: Chart, chart: Chart, request: dict[str, Any] | None) -> Chart:
    stored = {infusion.id: infusion for infusion in before.infusions}
    settled = []
    for infusion in chart.infusions:
        if infusion.id not in stored:
            await db_infusions.add(tx, infusion, request)
            tx.changed("infusion", infusion.id, act, None, _shown(infusion), patient=infusion.patient_id)
        elif infusion != stored[infusion.id]:
            await db_infusions.change(tx, [infusion])
            was, now = _difference(stored[infusion.id], infusion)
            own = "renumbered" if now.keys() <= _NUMBERS else act
            tx.changed("infusion", infusion.id, own, was, now, patient=infusion.patient_id)
            infusion = replace(infusion, version=infusion.version + 1)
        settled.append(infusion)
    return replace(chart, infusions=tuple(settled))


async def _events(tx: Transaction, before: Chart, chart: Chart) -> Chart:
    for event in chart.events[len(before.events) :]:
        await db_patients.add_event(tx, event)
        tx.changed("event", event.id, event.type, None, {"on": event.on, "note": event.note, **event.details}, patient=event.patient_id)
    return chart


async def _plans(tx: Transaction, act: str, before: Chart, chart: Chart) -> Chart:
    """Writes new and changed plans and visits. Ids of new ones were given just before, so what `before` lacks is new."""
    stored_plans = {plan.id: replace(plan, visits=()) for plan in before.plans}
    stored = {visit.id: visit for visit in before.visits}
    patient = chart.patient.id
    changed_plans = [p for p in chart.plans if p.id in stored_plans and replace(p, visits=()) != stored_plans[p.id]]
    await db_plans.add(tx, patient, [plan for plan in chart.plans if plan.id not in stored_plans])
    await db_plans.change(tx, changed_plans)
    pairs = [(plan, visit) for plan in chart.plans for visit in plan.visits]
    moved_plans = {p.id for p in changed_plans if _denormal(p) != _denormal(stored_plans[p.id])}
    changed = [
        (plan, visit)
        for plan, visit in pairs
        if visit.id in stored and (plan.id in moved_plans or replace(visit, alert_after=None) != replace(stored[visit.id], alert_after=None))
    ]
    await db_plans.add_visits(tx, patient, [(plan, visit) for plan, visit in pairs if visit.id not in stored])
    await db_plans.change_visits(tx, changed)
    touched = {visit.id for _, visit in changed}
    flags = [v for _, v in pairs if v.id in stored and v.id not in touched and v.alert_after != stored[v.id].alert_after]
    await db_plans.flag_visits(tx, flags)
    for plan, visit in changed:
        was, now = _difference(stored[visit.id], visit)
        tx.changed("visit", visit.id, act, was | {"code": visit.code}, now | {"protocol": plan.protocol_code}, patient=patient)
    for plan in changed_plans:
        tx.changed("plan", plan.id, act, *_difference(stored_plans[plan.id], replace(plan, visits=())), patient=patient)
    return replace(
        chart,
        plans=tuple(
            replace(
                plan,
                version=plan.version + 1 if plan in changed_plans else plan.version,
                visits=tuple(replace(v, version=v.version + 1) if v.id in touched else v for v in plan.visits),
            )
            for plan in chart.plans
        ),
    )


def _denormal(plan: Plan) -> tuple[object, ...]:
    return plan.protocol_code, plan.protocol_version, plan.infusion_id, plan.treating_centre


@dataclass(slots=True)
class _AlertWork:
    """What has to happen with a patient's alerts, collected visit by visit."""

    raise_: list[NewAlert]
    resolve: list[tuple[AlertRow, str]]
    acknowledge: list[AlertRow]
    reopen: list[AlertRow]


async def _watched_chart(tx: Transaction, before: Chart, chart: Chart) -> tuple[Chart, _AlertWork]:
    """Gives new plans and visits their ids, sets `alert_after` of every visit, and tells what brings the alerts in line in the transaction that
    closes or moves it (rules 8 to 10)."""
    unresolved = {a.visit_id: a for a in await db_alerts.unresolved_of(tx, chart.patient.id)} if before.plans else {}
    work = _AlertWork([], [], [], [])
    plans = tuple(
        replace(plan, id=plan.id or new_id(), visits=tuple(_watched(work, chart, plan, visit, unresolved, tx.today) for visit in plan.visits))
        for plan in chart.plans
    )
    return replace(chart, plans=plans), work


def _watched(work: _AlertWork, chart: Chart, plan: Plan, visit: Visit, unresolved: Mapping[UUID, AlertRow], today: date) -> Visit:
    stored = visit.id or new_id()
    alert_after = _alert_after(work, chart, plan, visit, stored, unresolved.get(stored), today)
    return replace(visit, id=stored, alert_after=alert_after) if (visit.id, visit.alert_after) != (stored, alert_after) else visit


def _alert_after(work: _AlertWork, chart: Chart, plan: Plan, visit: Visit, stored: UUID, alert: AlertRow | None, today: date) -> date | None:
    status = chart.patient.status
    if alert is not None and (ended := _ended(alert, visit, status)):
        work.resolve.append((alert, ended))
        alert = None
    if not visit.is_open or status not in ALERTED:
        return None
    if alert is not None:
        if status == LOST and alert.state == "open":
            work.acknowledge.append(alert)
        elif status != LOST and alert.state == "acknowledged" and alert.acknowledged_by is None:
            work.reopen.append(alert)
        return None
    assert visit.window_end is not None, "an open visit has a window"
    if visit.window_end >= today:
        return visit.window_end
    work.raise_.append(NewAlert(stored, chart.patient.id, visit.centre, visit.code, plan.purpose, visit.window_end, acknowledged=status == LOST))
    return None


def _ended(alert: AlertRow, visit: Visit, status: str) -> str | None:
    """Why an alert no longer holds, or None. A clock that went back ends none: only a visit that was closed or moved does (rule 13)."""
    if visit.outcome is not None:
        return visit.outcome.value
    if status not in ALERTED:
        return "followed-elsewhere"
    if alert.window_end != visit.window_end:
        return "replanned"
    return "transferred" if alert.centre != visit.centre else None


def _shown(row: Any) -> dict[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(row) if f.name not in _UNSEEN}


def _difference(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    was, now = _shown(before), _shown(after)
    differs = [name for name in now if was[name] != now[name]]
    return {name: was[name] for name in differs}, {name: now[name] for name in differs}


def effects(before: Chart | None, after: Chart, today: date) -> list[dict[str, Any]]:
    """What would change of the visits that stand: from, to and why (contract 3, preview)."""
    becomes = {visit.id: visit for visit in after.visits}
    found = []
    for visit in before.visits if before else []:
        now = becomes.get(visit.id, visit)
        was, then = _seen_in_preview(visit, today), _seen_in_preview(now, today)
        if was != then:
            found.append({"visit_id": visit.id, "code": visit.code, "from": was, "to": then, "why": now.reason or "replanned"})
    return found


def _seen_in_preview(visit: Visit, today: date) -> dict[str, Any]:
    shown = {"target_on": visit.target_on, "window_start": visit.window_start, "window_end": visit.window_end, "centre": visit.centre}
    return {"state": state(visit.outcome, visit.window, today).value} | shown


def dropped_bookings(before: Chart | None, after: Chart) -> list[dict[str, Any]]:
    """The bookings of open visits that stood before and stand no more: moved outside their window, or closed (contract 3, rule 4)."""
    shown = {visit.id: visit.shown_booking for visit in after.visits}
    stood: Sequence[Visit] = before.visits if before else ()
    return [
        {"visit_id": visit.id, "code": visit.code, "booked_on": visit.shown_booking}
        for visit in stood
        if visit.is_open and visit.booked_on is not None and shown.get(visit.id) is None
    ]


def done_outside_window(before: Chart | None, after: Chart) -> list[dict[str, Any]]:
    """The done visits whose window has moved away from their day, each with the visit of its plan whose window holds that day, if there is one
    (contract 3, rule 4)."""
    stood = {visit.id: visit.window for visit in before.visits} if before else {}
    return [
        {
            "visit_id": visit.id,
            "code": visit.code,
            "completed_on": done,
            "window_start": visit.window_start,
            "window_end": visit.window_end,
            "fits": next(({"visit_id": v.id, "code": v.code} for v in plan.visits if v.holds(done)), None),
        }
        for plan in after.plans
        for visit in plan.visits
        if (done := visit.completed_on) and not visit.on_time and stood.get(visit.id, visit.window) != visit.window
    ]


def plan_ids(chart: Chart, infusion: UUID) -> list[Plan]:
    """The plans that an infusion anchors."""
    return [plan for plan in chart.plans if plan.infusion_id == infusion]
