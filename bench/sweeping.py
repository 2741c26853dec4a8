"""The sweep: visits that have just become overdue are flagged in sets; with nothing new it costs next to nothing,
however many are flagged."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from datetime import date, timedelta

import psycopg

from app.clock import Clock
from app.db.engine import Database
from app.followup import batches
from bench.databases import Makes, Place
from bench.measure import Figure, Round, in_turn
from bench.people import TODAY

# The bare statement: a thousand visits, their alerts, numbered events, and the head row. One statement a batch, and
# each batch a commit.
BATCH = """
WITH fresh AS (SELECT id FROM visits WHERE alert_after < %s ORDER BY alert_after, id LIMIT 1000 FOR UPDATE SKIP LOCKED),
flagged AS (UPDATE visits v SET alert_after = NULL FROM fresh WHERE v.id = fresh.id
    RETURNING v.id, v.patient_id, v.centre, v.code, v.purpose, v.window_end),
raised AS (
    INSERT INTO alerts (id, version, visit_id, patient_id, centre, code, purpose, window_end, state, raised_at)
    SELECT gen_random_uuid(), 1, f.id, f.patient_id, f.centre, f.code, f.purpose, f.window_end,
        CASE WHEN p.status = 'lost' THEN 'acknowledged' ELSE 'open' END, now()
    FROM flagged f JOIN patients p ON p.id = f.patient_id
    ON CONFLICT (visit_id) WHERE state <> 'resolved' DO NOTHING
    RETURNING id, visit_id, patient_id, centre, code, window_end, state),
head AS (UPDATE feed_head SET last_seq = last_seq + (SELECT count(*) FROM raised), last_at = now() RETURNING last_seq,
    last_at)
INSERT INTO events (seq, id, type, at, alert_id, visit_id, patient_id, centre, code, window_end, state)
SELECT head.last_seq - count(*) OVER () + row_number() OVER (ORDER BY window_end, visit_id), gen_random_uuid(),
    'visit.overdue', head.last_at,
    id, visit_id, patient_id, centre, code, window_end, state
FROM raised CROSS JOIN head
"""

# SQLite writes in no WITH: the same as three statements and the head row, each batch a commit.
NOW, NEW_ID = "strftime('%Y-%m-%dT%H:%M:%fZ')", "lower(hex(randomblob(16)))"
STEPS = (
    "CREATE TEMP TABLE fresh AS SELECT id FROM visits WHERE alert_after < ? ORDER BY alert_after, id LIMIT 1000",
    f"""INSERT INTO alerts (id, version, visit_id, patient_id, centre, code, purpose, window_end, state, raised_at)
    SELECT {NEW_ID}, 1, v.id, v.patient_id, v.centre, v.code, v.purpose, v.window_end,
        CASE WHEN p.status = 'lost' THEN 'acknowledged' ELSE 'open' END, {NOW}
    FROM fresh JOIN visits v ON v.id = fresh.id JOIN patients p ON p.id = v.patient_id""",
    f"""INSERT INTO events (seq, id, type, at, alert_id, visit_id, patient_id, centre, code, window_end, state)
    SELECT (SELECT last_seq FROM feed_head) + row_number() OVER (ORDER BY a.window_end, a.visit_id), {NEW_ID},
        'visit.overdue', {NOW},
        a.id, a.visit_id, a.patient_id, a.centre, a.code, a.window_end, a.state
    FROM alerts a WHERE a.visit_id IN (SELECT id FROM fresh) AND a.state <> 'resolved'""",
    "UPDATE visits SET alert_after = NULL WHERE id IN (SELECT id FROM fresh)",
    f"UPDATE feed_head SET last_seq = last_seq + (SELECT count(*) FROM fresh), last_at = {NOW}",
)


async def newly_overdue(makes: Makes, dialect: str, patients: int, *, visits: int, turns: int) -> Figure:
    """The day moves on until so many more visits are overdue, in turn for the service and for the bare statements. A
    take answers the seconds for all of them, by the rate at which those of its days were flagged."""
    place = await makes.place(dialect, patients)
    db = place.open()
    measured = await in_turn([(_swept(place, db, visits), _bare(place, visits))], rounds=turns)
    await db.close()
    return measured[0].figure(f"sweep of {visits:,} newly overdue, {place.kind}", place.size, least_ratio=0.5)


async def nothing_new(makes: Makes, dialect: str, nations: Sequence[int], *, times: int) -> list[Figure]:
    """Everything overdue is flagged and open."""
    places, pairs = [await makes.place(dialect, patients) for patients in nations], []
    async with AsyncExitStack() as opened:
        for place in places:
            db = place.open()
            opened.push_async_callback(db.close)
            clock = Clock(fixed=max(_scalar(place, "SELECT last_swept_on FROM service_state"), TODAY))
            assert await batches.sweep(db, clock) == 0, "everything is flagged"
            pairs.append((_swept_again(db, clock), None))
        measured = await in_turn(pairs, rounds=times)
    flagged = [_scalar(place, "SELECT count(*) FROM alerts WHERE state <> 'resolved'") for place in places]
    names = [
        f"sweep, nothing new beside {count:,} flagged, {place.kind}"
        for count, place in zip(flagged, places, strict=True)
    ]
    return [one.figure(name, place.size, most=10) for name, place, one in zip(names, places, measured, strict=True)]


def _swept_again(db: Database, clock: Clock) -> Round:
    async def take() -> float:
        began = time.perf_counter()
        await batches.sweep(db, clock)
        return time.perf_counter() - began

    return take


def _swept(place: Place, db: Database, visits: int) -> Round:
    async def take() -> float:
        day = _day(place, visits)
        began = time.perf_counter()
        flagged = await batches.sweep(db, Clock(fixed=day))
        return (time.perf_counter() - began) / flagged * visits

    return take


def _bare(place: Place, visits: int) -> Round:
    async def take() -> float:
        day = _day(place, visits)
        began = time.perf_counter()
        flagged = (_bare_sqlite if place.dialect == "sqlite" else _bare_postgresql)(place, day)
        return (time.perf_counter() - began) / flagged * visits

    return take


def _bare_postgresql(place: Place, day: date) -> int:
    total = 0
    with psycopg.connect(place.url, autocommit=True) as connection:
        while count := connection.execute(BATCH, [day]).rowcount:
            total += count
    return total


def _bare_sqlite(place: Place, day: date) -> int:
    total = 0
    with closing(sqlite3.connect(place.file, isolation_level=None, timeout=30)) as connection:
        for pragma in (
            "synchronous=FULL",
            "secure_delete=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        while True:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(STEPS[0], [day.isoformat()])
            count = connection.execute("SELECT count(*) FROM fresh").fetchone()[0]
            for step in STEPS[1:]:
                connection.execute(step)
            connection.execute("COMMIT")
            connection.execute("DROP TABLE fresh")
            if not count:
                return total
            total += count


def _day(place: Place, visits: int) -> date:
    """The first day on which so many visits more are overdue than are flagged."""
    last = _scalar(
        place,
        "SELECT alert_after FROM visits WHERE alert_after IS NOT NULL ORDER BY alert_after LIMIT 1 OFFSET "
        f"{visits - 1}",
    )
    return last + timedelta(days=1)


def _scalar(place: Place, statement: str) -> "date | int":
    if place.dialect == "postgresql":
        with psycopg.connect(place.url) as connection:
            return connection.execute(statement.encode()).fetchone()[0]
    with closing(sqlite3.connect(place.file)) as connection:
        found = connection.execute(statement).fetchone()[0]
    return date.fromisoformat(found) if isinstance(found, str) else found
