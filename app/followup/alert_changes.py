"""Which alerts a changed chart raises, resolves, acknowledges and opens again (rules 8 to 10): decided here, stored by
settle."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from app.db.alerts import AlertRow, NewAlert
from app.db.columns import new_id
from app.followup.chart import Chart
from app.planning.facts import FollowUpStatus
from app.planning.visits import Plan, Visit

_ALERTED = (FollowUpStatus.IN_FOLLOW_UP.value, FollowUpStatus.LOST.value)
_LOST = FollowUpStatus.LOST.value


@dataclass(slots=True)
class AlertChanges:
    """What has to happen with a patient's alerts, collected visit by visit. `resolve` has each alert with why."""

    add: list[NewAlert] = field(default_factory=list)
    resolve: list[tuple[AlertRow, str]] = field(default_factory=list)
    acknowledge: list[AlertRow] = field(default_factory=list)
    reopen: list[AlertRow] = field(default_factory=list)


def alert_changes(chart: Chart, unresolved: Mapping[UUID, AlertRow], today: date) -> tuple[Chart, AlertChanges]:
    """The chart with an id for every new plan and visit and with `alert_after` of every visit as of a local day, and
    what brings its alerts in line. `unresolved` holds the patient's alerts by visit."""
    found = AlertChanges()
    plans = tuple(
        replace(
            plan,
            id=plan.id or new_id(),
            visits=tuple(_with_alert_after(found, chart, plan, visit, unresolved, today) for visit in plan.visits),
        )
        for plan in chart.plans
    )
    return replace(chart, plans=plans), found


def _with_alert_after(
    found: AlertChanges, chart: Chart, plan: Plan, visit: Visit, unresolved: Mapping[UUID, AlertRow], today: date
) -> Visit:
    visit_id = visit.id or new_id()
    alert = _kept(found, chart, visit, unresolved.get(visit_id))
    alert_after = None
    if alert is None and visit.is_open and chart.patient.status in _ALERTED:
        assert visit.window_end is not None, "an open visit has a window"
        if visit.window_end >= today:
            alert_after = visit.window_end
        else:
            is_lost = chart.patient.status == _LOST
            new = (visit_id, chart.patient.id, visit.centre, visit.code, plan.purpose, visit.window_end)
            found.add.append(NewAlert(*new, acknowledged=is_lost))
    if (visit.id, visit.alert_after) == (visit_id, alert_after):
        return visit
    return replace(visit, id=visit_id, alert_after=alert_after)


def _kept(found: AlertChanges, chart: Chart, visit: Visit, alert: AlertRow | None) -> AlertRow | None:
    """The alert where it still holds, acknowledged while the patient is lost."""
    status = chart.patient.status
    if alert is None:
        return None
    if ended := _ended(alert, visit, status):
        found.resolve.append((alert, ended))
        return None
    if status == _LOST and alert.state == "open":
        found.acknowledge.append(alert)
    elif status != _LOST and alert.state == "acknowledged" and alert.acknowledged_by is None:
        found.reopen.append(alert)
    return alert


def _ended(alert: AlertRow, visit: Visit, status: str) -> str | None:
    """Why an alert no longer holds, or None. A clock that went back ends none: only a visit that was closed or moved
    does (rule 13)."""
    if visit.outcome is not None:
        return visit.outcome.value
    if status not in _ALERTED:
        return "followed-elsewhere"
    if alert.window_end != visit.window_end:
        return "replanned"
    return "transferred" if alert.centre != visit.centre else None
