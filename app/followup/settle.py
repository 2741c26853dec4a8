"""settle: the only writer of a chart. It stores what an act decided, with the alerts that follow, and tells the
history."""

from dataclasses import replace
from typing import Any

from app.db import alerts as db_alerts
from app.db import decisions as db_decisions
from app.db import infusions as db_infusions
from app.db import patients as db_patients
from app.db.transaction import Transaction
from app.followup import chart as charts
from app.followup import plans
from app.followup.alert_changes import alert_changes
from app.followup.changed import difference, shown
from app.followup.chart import Chart

BECAUSE_LOST = "lost-to-follow-up"
# What another infusion or a birth date changes of an infusion.
_NUMBERS = {"child", "infusion_number", "course_number", "reinfusion"}
# Acts after which another centre's refused infusion may fit; so may a corrected number.
_CORRECTIONS = {"reinstated", "corrected", "voided", "deceased"}


async def settle(
    tx: Transaction, act: str, before: Chart | None, decided: Chart, request: dict[str, Any] | None = None
) -> Chart:
    """Stores the difference between two charts of one patient in the caller's transaction and returns the chart as it
    now stands, with ids and versions. `act` is the word in the history; `request` is the normalised request of an
    infusion that is new."""
    if before is None:
        await db_patients.add(tx, decided.patient, charts.standing(decided))
        tx.changed(
            "patient", decided.patient.id, "registered", None, decided.patient.person, patient=decided.patient.id
        )
        before = Chart(decided.patient)
    chart = await _infusions(tx, act, before, decided, request)
    await _add_events(tx, before, chart)
    unresolved = {a.visit_id: a for a in await db_alerts.unresolved_of(tx, chart.patient.id)} if before.plans else {}
    chart, alerts = alert_changes(chart, unresolved, tx.today)
    # Alerts are closed before their visits change and raised after: events tell of them in this order.
    await db_alerts.resolve(tx, alerts.resolve)
    await db_alerts.acknowledge(tx, alerts.acknowledge, by=None, reason=BECAUSE_LOST)
    await db_alerts.reopen(tx, alerts.reopen)
    chart = await plans.store(tx, act, before, await _patient(tx, act, before, chart))
    await db_alerts.add(tx, alerts.add)
    if before.infusions:
        await _refused_infusions(tx, act, before, chart)
        await keep_standing(tx, before, chart)
    return chart


async def _refused_infusions(tx: Transaction, act: str, before: Chart, chart: Chart) -> None:
    """What another centre's infusion had collided with was corrected, or the infusion was recorded after all."""
    was, now = before.patient.person, chart.patient.person
    if act in _CORRECTIONS or (act == "changed" and was["identifiers"] != now["identifiers"]):
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
    new = [
        (i["system"], i["value"]) for i in chart.patient.person["identifiers"] if (i["system"], i["value"]) not in known
    ]
    await db_patients.add_numbers(tx, chart.patient.id, new)
    await db_patients.change(tx, chart.patient)
    tx.changed("patient", chart.patient.id, act, shown(before.patient), shown(chart.patient), patient=chart.patient.id)
    return replace(chart, patient=replace(chart.patient, version=chart.patient.version + 1))


async def _infusions(tx: Transaction, act: str, before: Chart, chart: Chart, request: dict[str, Any] | None) -> Chart:
    stored = {infusion.id: infusion for infusion in before.infusions}
    settled = []
    for infusion in chart.infusions:
        if infusion.id not in stored:
            await db_infusions.add(tx, infusion, request)
            tx.changed("infusion", infusion.id, act, None, shown(infusion), patient=infusion.patient_id)
        elif infusion != stored[infusion.id]:
            await db_infusions.change(tx, [infusion])
            was, now = difference(stored[infusion.id], infusion)
            own = "renumbered" if now.keys() <= _NUMBERS else act
            tx.changed("infusion", infusion.id, own, was, now, patient=infusion.patient_id)
            infusion = replace(infusion, version=infusion.version + 1)
        settled.append(infusion)
    return replace(chart, infusions=tuple(settled))


async def _add_events(tx: Transaction, before: Chart, chart: Chart) -> None:
    for event in chart.events[len(before.events) :]:
        await db_patients.add_event(tx, event)
        facts = {"on": event.on, "note": event.note, **event.details}
        tx.changed("event", event.id, event.type, None, facts, patient=event.patient_id)
