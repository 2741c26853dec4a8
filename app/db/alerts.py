"""Overdue alerts: raised by the sweep in sets, by settle one by one; each change tells the feed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Date, Select, Update, and_, bindparam, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db import tables
from app.db.columns import Instant, new_id
from app.db.scope import cut
from app.db.transaction import AlertEvent, AlertEventType, Numbered, Transaction

alerts = tables.alerts.c
UNRESOLVED: Final = text("state <> 'resolved'")  # as it stands in the partial indexes, so that they serve


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert to be raised; `acknowledged` at once when the patient is lost (rule 8)."""

    visit_id: UUID
    patient_id: UUID
    centre: str
    code: str
    purpose: str
    window_end: date
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert as it stands; instants in UTC, `window_end` a local day. Acknowledged by None: because the patient is
    lost."""

    id: UUID
    version: int
    visit_id: UUID
    patient_id: UUID
    centre: str
    code: str
    purpose: str
    window_end: date
    state: str
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    reason: str | None
    resolved_at: datetime | None
    resolved_by: str | None


BECAUSE_LOST: Final = "lost-to-follow-up"
_ALERT = [alerts[name] for name in AlertRow.__slots__]


# ---- Questions -------------------------------------------------------------------------------------------------------


async def lock(tx: Transaction, alert: UUID) -> AlertRow | None:
    """The alert, if it is one of the caller's centres; locked until the end of a writing transaction."""
    query = cut(select(*_ALERT), tx, tables.alerts).where(alerts.id == alert)
    row = await tx.first(query.with_for_update(of=tables.alerts) if tx.writing else query)
    return None if row is None else AlertRow(*row)


async def unresolved_of(tx: Transaction, patient: UUID) -> list[AlertRow]:
    """A patient's unresolved alerts. Not cut: settle closes those of another centre too (rule 10); who shows them cuts
    them."""
    query = select(*_ALERT).where(alerts.patient_id == patient, UNRESOLVED).order_by(alerts.window_end, alerts.id)
    return [AlertRow(*row) for row in await tx.all(query)]


async def page(
    tx: Transaction, states: Collection[str], centre: str | None, after: UUID | None, limit: int
) -> list[AlertRow]:
    """At most `limit` alerts of the caller's centres in the order of their ids, from behind the alert `after` on."""
    query = _wanted(select(*_ALERT), tx, states, centre)
    if after is not None:
        query = query.where(alerts.id > after)
    return [AlertRow(*row) for row in await tx.all(query.order_by(alerts.id).limit(limit))]


async def count(tx: Transaction, states: Collection[str], centre: str | None) -> int:
    """How many alerts `page` would tell in all."""
    return int(await tx.scalar(_wanted(select(func.count()).select_from(tables.alerts), tx, states, centre)))


async def protocols_of(tx: Transaction, visits: Collection[UUID]) -> dict[UUID, str]:
    """Which protocol these visits follow, as `code@version`, of those that the caller may see."""
    if not visits:
        return {}
    own = tables.visits.c
    rows = await tx.all(
        cut(select(own.id, own.protocol_code, own.protocol_version), tx, tables.visits).where(own.id.in_(visits))
    )
    return {visit: f"{code}@{version}" for visit, code, version in rows}


def _ahead(day: date) -> ColumnElement[bool]:
    """Unresolved although the window has not ended on a local day: raised under a clock that was ahead."""
    return and_(UNRESOLVED, alerts.window_end >= day)


async def count_ahead(tx: Transaction, day: date) -> int:
    """How many alerts of the caller's centres were raised ahead of their day, seen from a local day."""
    return int(
        await tx.scalar(cut(select(func.count()).select_from(tables.alerts), tx, tables.alerts).where(_ahead(day)))
    )


async def take_ahead(tx: Transaction, day: date) -> list[AlertRow]:
    """At most 1,000 of them, in the order of their windows; their patients are locked, and whoever is being
    worked on is left out."""
    theirs = tables.alerts.join(tables.patients, tables.patients.c.id == alerts.patient_id)
    found = (
        cut(select(*_ALERT).select_from(theirs), tx, tables.alerts)
        .where(_ahead(day))
        .order_by(alerts.window_end, alerts.id)
        .limit(1000)
    )
    return [AlertRow(*row) for row in await tx.all(found.with_for_update(of=tables.patients, skip_locked=True))]


async def wait_again(tx: Transaction, visits: Sequence[UUID]) -> None:
    """Visits whose alert was raised ahead of its day wait for that day again."""
    own = tables.visits.c
    await tx.run(
        update(tables.visits).where(own.id.in_(visits), own.outcome.is_(None)).values(alert_after=own.window_end)
    )


def _wanted(
    query: Select[*tuple[Any, ...]], tx: Transaction, states: Collection[str], centre: str | None
) -> Select[*tuple[Any, ...]]:
    query = cut(query, tx, tables.alerts).where(alerts.state.in_(sorted(states)))
    if "resolved" not in states:
        query = query.where(UNRESOLVED)
    return query if centre is None else query.where(alerts.centre == centre)


# ---- Changes, one by one ---------------------------------------------------------------------------------------------


async def add(tx: Transaction, new: Sequence[NewAlert]) -> list[AlertRow]:
    """Raises alerts; a visit that has an unresolved one keeps that. Tells the feed of those that are new, and answers
    them."""
    if not new:
        return []
    statement = (postgresql if tx.db.dialect == "postgresql" else sqlite).insert(tables.alerts)
    only_new = statement.on_conflict_do_nothing(index_elements=["visit_id"], index_where=UNRESOLVED).returning(*_ALERT)
    raised = {row.visit_id: AlertRow(*row) for row in await tx.all(only_new, [_row(tx, alert) for alert in new])}
    rows = [raised[alert.visit_id] for alert in new if alert.visit_id in raised]
    for row in rows:
        tx.emit(_event(AlertEventType.OVERDUE, row))
    return rows


async def resolve(tx: Transaction, resolved: Sequence[tuple[AlertRow, str]]) -> None:
    """Ends alerts, each for its reason: completed, missed, cancelled, replanned, transferred, followed-elsewhere or
    raised-in-error."""
    for reason in dict.fromkeys(reason for _, reason in resolved):
        ended = [alert for alert, its in resolved if its == reason]
        values = {"state": "resolved", "resolved_at": tx.now, "resolved_by": reason}
        await _change(tx, AlertEventType.RESOLVED, ended, update(tables.alerts).where(UNRESOLVED).values(**values))


async def acknowledge(tx: Transaction, acknowledged: Sequence[AlertRow], *, by: str | None, reason: str) -> None:
    """Notes that somebody has taken alerts up, or (by None) that the patient is lost; a person's word is never
    replaced."""
    if not acknowledged:
        return
    open_to = alerts.state == "open" if by is None else (alerts.state != "resolved") & alerts.acknowledged_by.is_(None)
    values = {"state": "acknowledged", "acknowledged_at": tx.now, "acknowledged_by": by, "reason": reason}
    await _change(tx, AlertEventType.ACKNOWLEDGED, acknowledged, update(tables.alerts).where(open_to).values(**values))


async def reopen(tx: Transaction, reopened: Sequence[AlertRow]) -> None:
    """Opens again what was acknowledged because the patient was lost (rule 8)."""
    if not reopened:
        return
    because_lost = (alerts.state == "acknowledged") & alerts.acknowledged_by.is_(None)
    values = {"state": "open", "acknowledged_at": None, "reason": None}
    await _change(tx, AlertEventType.REOPENED, reopened, update(tables.alerts).where(because_lost).values(**values))


async def _change(tx: Transaction, event_type: AlertEventType, rows: Sequence[AlertRow], statement: Update) -> None:
    """Tells the feed of the rows that really changed, in the order given."""
    ids = [row.id for row in rows]
    changed = statement.where(alerts.id.in_(ids)).values(version=alerts.version + 1).returning(*_ALERT)
    now = {row.id: AlertRow(*row) for row in await tx.all(changed)}
    for alert in ids:
        if alert in now:
            tx.emit(_event(event_type, now[alert]))


def _row(tx: Transaction, new: NewAlert) -> dict[str, Any]:
    return {
        "id": new_id(),
        "version": 1,
        "visit_id": new.visit_id,
        "patient_id": new.patient_id,
        "centre": new.centre,
        "code": new.code,
        "purpose": new.purpose,
        "window_end": new.window_end,
        "state": "acknowledged" if new.acknowledged else "open",
        "raised_at": tx.now,
        "acknowledged_at": tx.now if new.acknowledged else None,
        "acknowledged_by": None,
        "reason": BECAUSE_LOST if new.acknowledged else None,
        "resolved_at": None,
        "resolved_by": None,
    }


def _event(event_type: AlertEventType, row: AlertRow) -> AlertEvent:
    return AlertEvent(
        event_type,
        row.id,
        row.visit_id,
        row.patient_id,
        row.centre,
        row.code,
        row.window_end,
        row.state,
        row.resolved_by,
    )


# ---- The sweep, in sets ----------------------------------------------------------------------------------------------


async def raise_overdue(tx: Transaction, day: date) -> int:
    """Raises the alerts of at most 1,000 visits whose window ended before a local day; answers how many visits it
    worked off.

    Cost follows the newly overdue, however many are flagged: the index of `alert_after` holds nothing else. A visit
    that another transaction is at work on, or whose patient is, is left to the next sweep.
    """
    return await (_raise_on_postgresql if tx.db.dialect == "postgresql" else _raise_on_sqlite)(tx, day)


# A UUID of version 7 made by PostgreSQL 15 and on: the milliseconds of now before random bits, and the version's bits.
_UUID7: Final = """CAST(encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send(CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')
    AS uuid)"""

# The size of a batch is a literal: under a generic plan a parameter there had the whole table read. The patient is
# locked too, so that a status which is just being changed is not read as it was.
_TAKE_AND_RAISE: Final = text(f"""
WITH fresh AS (
    SELECT v.id, p.status FROM visits v JOIN patients p ON p.id = v.patient_id
    WHERE v.alert_after < :day ORDER BY v.alert_after, v.id LIMIT 1000
    FOR NO KEY UPDATE OF v SKIP LOCKED FOR SHARE OF p SKIP LOCKED
), flagged AS (
    UPDATE visits v SET alert_after = NULL FROM fresh WHERE v.id = fresh.id
    RETURNING v.id, v.patient_id, v.centre, v.code, v.purpose, v.window_end, fresh.status = 'lost' AS lost
), raised AS (
    INSERT INTO alerts (id, version, visit_id, patient_id, centre, code, purpose, window_end, state, raised_at,
        acknowledged_at, reason)
    SELECT {_UUID7}, 1, id, patient_id, centre, code, purpose, window_end,
        CASE WHEN lost THEN 'acknowledged' ELSE 'open' END, :now,
        CASE WHEN lost THEN CAST(:now AS timestamptz) END, CASE WHEN lost THEN '{BECAUSE_LOST}' END
    FROM flagged
    ON CONFLICT (visit_id) WHERE state <> 'resolved' DO NOTHING
    RETURNING id
)
SELECT count(*), (SELECT count(*) FROM raised),
    (SELECT CAST(array_agg(id) AS text) FROM raised) FROM flagged HAVING count(*) > 0
""").bindparams(bindparam("day", type_=Date()), bindparam("now", type_=Instant()))  # noqa: S608 - constants only

_TELL: Final = text(f"""
INSERT INTO events (seq, id, type, at, alert_id, visit_id, patient_id, centre, code, window_end, state)
SELECT :first_seq - 1 + row_number() OVER (ORDER BY window_end, visit_id), {_UUID7}, 'visit.overdue', :at, id,
    visit_id, patient_id, centre,
    code, window_end, state
FROM unnest(CAST(CAST(:ids AS text) AS uuid[])) AS raised (id) JOIN alerts USING (id)
""").bindparams(bindparam("at", type_=Instant()))  # noqa: S608 - constants only


async def _raise_on_postgresql(tx: Transaction, day: date) -> int:
    row = await tx.first(_TAKE_AND_RAISE, {"day": day, "now": tx.now})
    if row is None:
        return 0
    worked, raised, ids = row
    tx.emit_numbered(Numbered(raised, _TELL, {"ids": ids}))
    return int(worked)


# SQLite writes in no WITH, so it takes the same steps one after the other; nobody writes in between (BEGIN IMMEDIATE).
# An id is a UUID of version 7 as it is stored: 32 hex digits.
_FIRST: Final = "SELECT id FROM visits WHERE alert_after < :day ORDER BY alert_after, id LIMIT 1000"
_HEX7: Final = """:stamp || '7' || substr(lower(hex(randomblob(2))), 2)
    || substr('89ab', abs(random() % 4) + 1, 1) || substr(lower(hex(randomblob(8))), 2)"""
_RAISE_ON_SQLITE: Final = text(f"""
INSERT INTO alerts (id, version, visit_id, patient_id, centre, code, purpose, window_end, state, raised_at,
    acknowledged_at, reason)
SELECT {_HEX7}, 1, v.id, v.patient_id, v.centre, v.code, v.purpose, v.window_end,
    CASE WHEN p.status = 'lost' THEN 'acknowledged' ELSE 'open' END,
    :now, CASE WHEN p.status = 'lost' THEN :now END, CASE WHEN p.status = 'lost' THEN '{BECAUSE_LOST}' END
FROM visits v JOIN patients p ON p.id = v.patient_id WHERE v.id IN ({_FIRST})
ON CONFLICT (visit_id) WHERE state <> 'resolved' DO NOTHING
RETURNING id
""").bindparams(bindparam("day", type_=Date()), bindparam("now", type_=Instant()))  # noqa: S608 - constants only
_TAKE = f"UPDATE visits SET alert_after = NULL WHERE id IN ({_FIRST})"  # noqa: S608 - constants only
_TAKE_ON_SQLITE: Final = text(_TAKE).bindparams(bindparam("day", type_=Date()))
_TELL_ON_SQLITE: Final = text(f"""
INSERT INTO events (seq, id, type, at, alert_id, visit_id, patient_id, centre, code, window_end, state)
SELECT :first_seq - 1 + row_number() OVER (ORDER BY window_end, visit_id), {_HEX7}, 'visit.overdue', :at, id,
    visit_id, patient_id, centre,
    code, window_end, state
FROM alerts WHERE id IN (SELECT value FROM json_each(:ids))
""").bindparams(bindparam("at", type_=Instant()))  # noqa: S608 - constants only


async def _raise_on_sqlite(tx: Transaction, day: date) -> int:
    stamp = f"{int(tx.now.timestamp() * 1000):012x}"
    raised = [row[0] for row in await tx.all(_RAISE_ON_SQLITE, {"day": day, "now": tx.now, "stamp": stamp})]
    worked = await tx.run(_TAKE_ON_SQLITE, {"day": day})
    tx.emit_numbered(Numbered(len(raised), _TELL_ON_SQLITE, {"ids": orjson.dumps(raised).decode(), "stamp": stamp}))
    return worked
