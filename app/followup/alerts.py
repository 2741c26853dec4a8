"""Overdue alerts: acknowledged by people, listed as a snapshot, and polled as a feed that loses nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import alerts as db_alerts
from app.db import feed
from app.db import patients as db_patients
from app.db.alerts import AlertRow
from app.db.transaction import AlertEventType as AlertEventType
from app.db.transaction import Transaction
from app.errors import BadCursor, Conflict, CursorExpired
from app.followup import catalogue, unseen, visibility
from app.followup.commands import Ask, Page, Reason

JSON = dict[str, Any]
LAST_SEQ = 2**63 - 1  # no event has a higher number than its column holds


class AlertResolved(Conflict):
    """The alert is resolved already."""

    code = "alert_resolved"


def serialized(alert: AlertRow) -> JSON:
    """One alert with the contract's field names; no name, no number."""
    return {
        "id": alert.id,
        "version": alert.version,
        "visit_id": alert.visit_id,
        "patient_id": alert.patient_id,
        "centre": alert.centre,
        "code": alert.code,
        "window_end": alert.window_end,
        "purpose": alert.purpose,
        "state": alert.state,
        "raised_at": alert.raised_at,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by,
        "reason": alert.reason,
        "resolved_at": alert.resolved_at,
        "resolved_by": alert.resolved_by,
    }


async def acknowledge(tx: Transaction, alert: UUID, reason: Reason) -> JSON:
    """Notes that somebody has taken an alert up; the same again is the same. Raises NotFound, AlertResolved."""
    tx.actor.must(Act.ACKNOWLEDGE_ALERT)
    found = await db_alerts.lock(tx, alert)
    if found is None:
        raise await unseen.not_found(tx, "alert", alert)
    tx.concerns("alert", [found.patient_id])
    if found.state == "resolved":
        raise AlertResolved(resolved_by=found.resolved_by)
    if found.state == "open":
        await db_alerts.acknowledge(tx, [found], by=tx.actor.name, reason=reason.reason)
        tx.changed(
            "alert", alert, "acknowledged", {"state": found.state}, {"reason": reason.reason}, patient=found.patient_id
        )
        found = await db_alerts.lock(tx, alert)
        assert found is not None, "it was there a moment ago, and is locked"
    tx.saw("alert", [found.patient_id])
    return (await _closed(tx, [found]))[0]


async def _closed(tx: Transaction, rows: Sequence[AlertRow]) -> list[JSON]:
    protected = await db_patients.protected_of(tx, {row.patient_id for row in rows if row.reason is not None})
    return [visibility.closed(row.patient_id in protected, serialized(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Unresolved alerts, and the cursor of the feed from which nothing is missed."""

    page: Page
    feed_cursor: str


async def snapshot(tx: Transaction, states: frozenset[str], centre: str | None, ask: Ask) -> Snapshot:
    """The alerts of the caller's centres in the order of their ids. The cursor is read before the first page, and each
    page of the walk carries that one: what comes in between, or between two pages, is answered twice, never missed.
    Raises NotYourCentre."""
    tx.actor.must(Act.READ_ALERTS)
    if centre is not None:
        tx.actor.must_belong_to(centre)
    if ask.after is None:
        head = await feed.head(tx)
        after, begun = None, f"{head.epoch}.{head.last_seq}"
    else:
        after, begun = ask.after[0], str(ask.after[1])
    rows = await db_alerts.page(tx, states, centre, after if isinstance(after, UUID) else None, ask.limit + 1)
    shown = rows[: ask.limit]
    tx.saw("alerts", {row.patient_id for row in shown})
    place = (shown[-1].id, begun) if len(rows) > ask.limit else None
    total = await db_alerts.count(tx, states, centre) if ask.count else None
    return Snapshot(Page(await _closed(tx, shown), place, total), begun)


async def overview(tx: Transaction, state: str, centre: str | None, limit: int) -> JSON:
    """At most `limit` alerts in one state, oldest first, each with its patient and the visit's label, and how many
    there are in each state. Raises NotYourCentre."""
    tx.actor.must(Act.READ_ALERTS)
    if centre is not None:
        tx.actor.must_belong_to(centre)
    rows = await db_alerts.page(tx, {state}, centre, None, limit)
    counts = {name: await db_alerts.count(tx, {name}, centre) for name in ("open", "acknowledged")}
    return {"items": await _with_patients(tx, rows), "counts": counts}


async def get(tx: Transaction, alert: UUID) -> JSON:
    """One alert with its patient and the visit's label. Raises NotFound."""
    tx.actor.must(Act.READ_ALERTS)
    row = await db_alerts.lock(tx, alert)
    found = await _with_patients(tx, [row]) if row is not None else []
    if not found:
        raise await unseen.not_found(tx, "alert", alert)
    return found[0]


async def _with_patients(tx: Transaction, rows: list[AlertRow]) -> list[JSON]:
    """Without those whose patient has moved away: such an alert stays in its centre, resolved, but shows nobody
    there."""
    people = await db_patients.many(tx, list({row.patient_id for row in rows}))
    follows = await db_alerts.protocols_of(tx, [row.visit_id for row in rows])
    protocols = await catalogue.versions(tx, frozenset(follows.values()))
    tx.saw("alerts", people)
    items = []
    for row in rows:
        if row.patient_id not in people or row.visit_id not in follows:
            continue
        rule = protocols[follows[row.visit_id]].rule(row.code)
        label = rule.label if rule else {"sv": row.code, "en": row.code}
        items.append(
            visibility.closed(people[row.patient_id].protected, serialized(row))
            | {"patient": visibility.patient(people[row.patient_id]), "label": label}
        )
    return items


@dataclass(frozen=True, slots=True)
class Polled:
    """One page of the feed; `last_seq` is the number of its last event, or where it was asked from."""

    items: list[JSON]
    next_cursor: str
    has_more: bool


def read_cursor(after: str) -> tuple[int | None, int]:
    """Epoch and number of a cursor `<epoch>.<seq>`; `0` is the beginning of any epoch. Raises BadCursor."""
    if after == "0":
        return None, 0
    epoch, dot, seq = after.partition(".")
    if not (dot and epoch.isascii() and seq.isascii() and epoch.isdigit() and seq.isdigit() and len(after) <= 40):
        raise BadCursor("A cursor is what the feed gave out, or 0 to begin.", field="after")
    return int(epoch), int(seq)


async def poll(tx: Transaction, after: str, limit: int, types: frozenset[str] | None, centre: str | None) -> Polled:
    """The events after a cursor in the order of their commits, at most `limit`; the same cursor gives the same events
    for ever. Raises BadCursor, CursorExpired (another epoch, or ahead of the head), NotYourCentre."""
    tx.actor.must(Act.READ_ALERTS)
    if centre is not None:
        tx.actor.must_belong_to(centre)
    epoch, seq = read_cursor(after)
    if seq > LAST_SEQ:
        raise CursorExpired(snapshot="/api/v1/alerts")
    head, events = await feed.page(tx, seq, limit + 1, types, centre)
    if (epoch is not None and epoch != head.epoch) or seq > head.last_seq:
        raise CursorExpired(snapshot="/api/v1/alerts")
    shown = events[:limit]
    more = len(events) > limit
    tx.saw("alert feed", {event.patient_id for event in shown})
    # At the end the cursor moves to the head, so that what the caller may not see is not looked through again.
    reached = shown[-1].seq if more else head.last_seq
    return Polled([_event(event) for event in shown], f"{head.epoch}.{reached}", more)


def _event(event: feed.FeedEvent) -> JSON:
    """CloudEvents names; no name, no number of a person."""
    data: JSON = {
        "alert_id": event.alert_id,
        "visit_id": event.visit_id,
        "patient_id": event.patient_id,
        "centre": event.centre,
        "code": event.code,
        "window_end": event.window_end,
        "state": event.state,
    }
    if event.resolved_by is not None:
        data["resolved_by"] = event.resolved_by
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": "/follow-up",
        "type": event.type,
        "subject": f"visits/{event.visit_id}",
        "time": event.at,
        "seq": event.seq,
        "data": data,
    }
