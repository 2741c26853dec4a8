"""The service in a process of its own, on loopback as in production, with bare routes beside it in the same process and
on the same pool."""

import asyncio
import multiprocessing
import sys
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from sqlalchemy import text

from app.clock import Clock
from app.db.engine import Database
from app.db.visits import LONGEST_WINDOW
from app.http import log, server
from app.main import AppContext, create_app
from app.settings import Settings
from bench.databases import Place
from bench.people import TODAY

NO_LIMIT = 1_000_000
HORIZON = TODAY + timedelta(days=LONGEST_WINDOW)

# The due list of a centre as the database alone can make it: the same 50 rows, the same columns, JSON ready to send.
DUE = text("""
SELECT CAST(coalesce(json_agg(due), '[]') AS text) FROM (
    SELECT v.id, v.version, v.code, v.anchor, v.provisional, v.target_on, v.window_start, v.window_end,
        v.suggested_on, v.report_due_on,
        v.centre, v.end_centre, v.outcome, v.reason, v.decided_by, v.decided_at, v.decided_on, v.confirmed_for,
            v.booked_on, v.completed_on,
        v.completed_mode, v.performed_by, v.response, v.response_text, v.alert_after, v.plan_id, v.infusion_id,
            v.protocol_code, v.protocol_version,
        p.id AS patient, p.version AS patient_version, p.sealed, p.protected, p.status, p.responsible_centre,
            p.registered_at
    FROM visits v JOIN patients p ON p.id = v.patient_id
    WHERE v.outcome IS NULL AND v.centre = :centre AND v.window_start <= :today AND v.window_end <= :horizon AND
        p.status = 'in-follow-up'
    ORDER BY v.window_end, v.id LIMIT 50
) AS due
""")


# A page of the feed as the database alone can make it: the same 100 events, the same columns, and the head row.
EVENTS = text("""
SELECT CAST(json_build_object('head', (SELECT row_to_json(h) FROM feed_head h), 'items', coalesce(json_agg(e),
    '[]')) AS text) FROM (
    SELECT seq, id, type, at, alert_id, visit_id, patient_id, centre, code, window_end, state, resolved_by
    FROM events WHERE seq > 0 AND centre = :centre ORDER BY seq LIMIT 100
) AS e
""")


def bare(db: Database) -> FastAPI:
    """What the framework and the database can do at best: no authentication, no log, nothing made of the rows."""
    app = FastAPI(openapi_url=None)

    @app.get("/bare/due")
    async def due(centre: str) -> Response:
        async with db.read.connect() as connection:
            found = await connection.scalar(DUE, {"centre": centre, "today": TODAY, "horizon": HORIZON})
        return Response(found, media_type="application/json")

    @app.get("/bare/events")
    async def events(centre: str) -> Response:
        async with db.read.connect() as connection:
            found = await connection.scalar(EVENTS, {"centre": centre})
        return Response(found, media_type="application/json")

    @app.get("/bare/not-modified")
    async def not_modified() -> Response:
        return Response(status_code=304)

    return app


def _serve(place: Place, lines: Path, told: Connection) -> None:
    sys.stderr = lines.open("w")
    log.configure("info")

    async def work() -> int:
        db = place.open()
        service = create_app(AppContext(db, Clock(fixed=TODAY), Settings(rate_per_second=NO_LIMIT)))
        floor = bare(db)

        async def both(scope: Any, receive: Any, send: Any) -> None:
            await (floor if scope.get("path", "").startswith("/bare/") else service)(scope, receive, send)

        bound = server.bind("127.0.0.1", 0)
        ended = asyncio.Event()
        # The parent's end is closed: it has gone, or wants no more.
        asyncio.get_running_loop().add_reader(told.fileno(), ended.set)
        await server.serve(both, bound, ready=lambda: told.send(bound.getsockname()[1]), ended=ended)
        await db.close()
        return 0

    server.run(work())


class Servers:
    """Servers in processes of their own, one for each database, until the end."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[str, tuple[int, Connection, BaseProcess]] = {}

    def port(self, place: Place) -> int:
        """The port of a server on the database, started when first asked for; its log lines go to a file beside the
        keys."""
        if place.url not in self._running:
            ours, theirs = self._context.Pipe()
            lines = place.key_file.with_name(f"server-{len(self._running)}.log")
            process = self._context.Process(target=_serve, args=(place, lines, theirs), daemon=True)
            process.start()
            theirs.close()
            self._running[place.url] = ours.recv(), ours, process
        return self._running[place.url][0]

    def end(self) -> None:
        """Stops them all."""
        for _, ours, process in self._running.values():
            ours.close()
            process.join(20)
            if process.is_alive():
                process.kill()
