"""SQLite with service and worker writing at once: nobody is told that the database is locked."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection

import orjson

from app.actor import Role
from app.clock import Clock
from app.errors import Unavailable
from app.followup import batches
from bench import load, recording
from bench.databases import Makes, Place
from bench.measure import Figure
from bench.people import CENTRES, TODAY
from bench.reading import token
from bench.serving import Servers

CLIENTS = 8


def _work(place: Place, told: Connection) -> None:
    """The worker's process: it sweeps without a pause, each time for the next day, until the parent's end is closed;
    then tells how often."""

    async def work() -> None:
        db = place.open()
        days, refused = 0, 0
        told.send((0, 0))
        while not told.poll():
            days += 1
            try:
                await batches.sweep(db, Clock(fixed=TODAY + timedelta(days=days)))
            except Unavailable:
                refused += 1
        told.recv()
        await db.close()
        told.send((days, refused))

    asyncio.run(work())


@contextmanager
def _worker(place: Place) -> Iterator[list[int]]:
    """A worker beside the service. The list has, after the end, how many sweeps it made and how many were refused."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(place, theirs), daemon=True)
    process.start()
    ours.recv()
    counted: list[int] = []
    try:
        yield counted
    finally:
        ours.send(None)
        counted += ours.recv()
        process.join(20)


async def locked(makes: Makes, servers: Servers, patients: int, *, requests: int) -> Figure:
    """Every second request records an infusion, the others read; a refusal of the worker counts like one of a
    client."""
    place = await makes.place("sqlite", patients)
    nurse = await token(place, Role.NURSE, CENTRES[0])
    read = load.request("GET", "/api/v1/visits?limit=50", nurse)
    asked = [
        load.request("POST", "/api/v1/infusions", nurse, orjson.dumps(recording.body())) if n % 2 else read
        for n in range(requests)
    ]
    port = servers.port(place)
    with _worker(place) as counted:
        _, statuses = await load.many(port, asked, clients=CLIENTS)
    days, refused = counted
    assert days > 0, "the worker was at work"
    assert set(statuses) <= {200, 201, 503}, f"answered {dict(statuses)}"
    name = f"answers `locked` in {requests:,} requests of {CLIENTS} clients and {days:,} sweeps, SQLite"
    return Figure(name, place.size, statuses[503] + refused, "", most=0)
