"""One patient's follow-up in one answer."""

from datetime import date
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import alerts as db_alerts
from app.db.transaction import Transaction
from app.followup import alerts, catalogue, chart, views, visibility
from app.followup.chart import Chart
from app.planning.changes import comes_of_age
from app.planning.decisions import is_over
from app.planning.facts import FollowUpStatus
from app.planning.protocol import Purpose
from app.planning.visits import Outcome

JSON = dict[str, Any]


async def follow_up(tx: Transaction, patient: UUID, *, opened: bool = False) -> JSON:
    """How a patient's follow-up stands on the caller's day: status, plans, visits, alerts, contacts, events (contract
    2). A centre that gave an infusion but is not responsible sees its own infusions and the plans that they anchor.
    `opened`: with people's own words about a protected identity, for a reason that the log keeps. Raises NotFound."""
    tx.actor.must(Act.READ_PATIENTS)
    whole = await chart.load(tx, patient)
    protected = whole.patient.protected and not opened
    protocols = await catalogue.protocols(tx)
    own = visibility.own_infusions(tx.actor, whole)
    plans = visibility.own_plans(tx.actor, whole)
    serialized = views.visits(protocols, plans, patient, tx.today)
    visits = sorted(
        (visibility.closed(protected, visit) for visit in serialized),
        key=lambda v: (v["window_end"] or date.max, v["id"]),
    )
    shown = {visit["id"] for visit in visits}
    is_whole = visibility.is_whole(tx.actor, whole)
    contacts = whole.contacts if is_whole else ()
    unresolved = [a for a in await db_alerts.unresolved_of(tx, patient) if a.visit_id in shown]
    still_open = [v for v in visits if v["state"] in ("planned", "due", "overdue")]
    done = [v.completed_on for p in plans for v in p.visits if v.outcome is Outcome.COMPLETED and v.completed_on]
    ends = [p.ends_on for p in plans if p.purpose == Purpose.CARE.value and p.ends_on is not None]
    tx.saw("follow-up", [patient])
    return {
        "patient": visibility.full_patient(whole.patient),
        "as_of_date": tx.today,
        "responsible_centre": whole.patient.responsible_centre,
        "status": _status(whole),
        "plans": [views.plan(plan, patient) for plan in plans],
        "infusions": [visibility.closed(protected, views.infusion(i)) for i in whole.infusions if i.id in own],
        "visits": visits,
        "transition": _transition(tx, whole),
        "next_visit": still_open[0] if still_open else None,
        "last_seen_on": max(done, default=None),
        "last_contact_on": max((c.contacted_on for c in contacts if c.outcome is not None), default=None),
        "follow_up_until": max(ends, default=None),
        "alerts": [visibility.closed(protected, alerts.serialized(alert)) for alert in unresolved],
        "contacts": [visibility.closed(protected, views.contact(c)) for c in contacts],
        "events": [visibility.closed(protected, views.event(e)) for e in whole.events] if is_whole else [],
    }


def _transition(tx: Transaction, whole: Chart) -> JSON | None:
    """For somebody treated as a child: from when the hand-over to adult care is to be prepared, and the 18th
    birthday."""
    born = chart.facts(whole).birth_date
    if born is None or not any(i.child and not i.voided for i in whole.infusions):
        return None
    prepare_from, birthday = comes_of_age(born)
    return {"prepare_from": prepare_from, "turns_18_on": birthday, "due": prepare_from <= tx.today < birthday}


def _status(whole: Chart) -> str:
    return (
        "plan-ended"
        if whole.patient.status == FollowUpStatus.IN_FOLLOW_UP.value and is_over(whole.plans)
        else whole.patient.status
    )
