"""Demo mode: a database of its own with the sample and a history, fixed tokens, a day that can be moved; service and
worker in one process."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from socket import socket
from typing import Final

import typer

from app.actor import Actor, Role
from app.clock import Clock
from app.db import inspection, new_file, state, transaction
from app.db.columns import Keys
from app.db.engine import Database
from app.db.migrate import migrate
from app.demo.history import CENTRES, History
from app.errors import FollowUpError
from app.followup import demo_clock
from app.http import server
from app.main import AppContext, create_app
from app.settings import Settings
from app.worker import Worker

DEMO: Final = Actor("demo", Role.OPERATOR, None, unit="demo", id="demo")
FILE, NEW_FILE, KEYS, NEW_KEYS, LOCK = (
    "follow-up.db",
    "follow-up-new.db",
    "follow-up.keys",
    "follow-up-new.keys",
    "follow-up.lock",
)


class NotADemo(FollowUpError):
    """The database is not a demo's, and is left alone."""

    code = "not_a_demo"


class AlreadyRunning(FollowUpError):
    """Another demo runs on this directory."""

    code = "already_running"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; `today` None: the demo's own day, at first the real one."""

    host: str
    port: int
    data: Path
    today: date | None = None
    fresh: bool = False
    empty: bool = False


async def run(settings: Settings, wanted: Wanted) -> int:
    """Serves the demo until it is stopped; fills its database first when it is new. The address is bound before that,
    so that a port in use is reported at once. Answers the exit code; raises FollowUpError."""
    bound = server.bind(wanted.host, wanted.port)
    with alone(wanted.data):
        db = await opened(settings, wanted)
        try:
            return await _serve(settings, db, await _clock(db, wanted.today), bound)
        finally:
            await db.close()


async def _serve(settings: Settings, db: Database, clock: Clock, bound: socket) -> int:
    app = create_app(AppContext(db, clock, settings, demo=True))
    worker = Worker(db, clock, timedelta(minutes=settings.sweep_minutes))
    worker.start()
    ended = asyncio.Event()
    watch = asyncio.create_task(worker.wait())
    watch.add_done_callback(lambda _: ended.set())
    try:
        await server.serve(app, bound, ready=lambda: _greet(server.address(bound), clock.today()), ended=ended)
    finally:
        worker.ask_to_stop()
        await watch
    return watch.result()


# ---- The database ----------------------------------------------------------------------------------------------------


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """The directory, made where it is missing, for this process only. Raises AlreadyRunning."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                f"A demo runs on {data} already; stop it, or choose another directory with --data."
            ) from None
        yield


async def opened(settings: Settings, wanted: Wanted) -> Database:
    """The demo's database, migrated: DIR/follow-up.db or the one that the settings name, filled first when it is new.
    Raises NotADemo."""
    given = "database_url" in settings.model_fields_set
    file = wanted.data / FILE
    if given and wanted.fresh:
        raise NotADemo(f"--fresh empties {file} only; empty the database of FOLLOW_UP_DATABASE_URL by its own tools.")
    url = settings.database_url if given else f"sqlite:///{file}"
    if wanted.fresh and file.exists():
        await _refuse_others(url)
        _remove(file)
    new = (await _is_new(url)) if given else not file.exists()
    keys = _keys(wanted.data, new=new)
    if new and given:
        await _fill(url, keys, wanted, unseen=False)
    elif new:
        await _fill_file(file, keys, wanted)
    await _refuse_others(url)
    await migrate(url)
    return Database(url, keys)


async def _is_new(url: str) -> bool:
    db = Database(url, Keys.fresh())
    try:
        return not await inspection.tables(db)
    finally:
        await db.close()


async def _refuse_others(url: str) -> None:
    db = Database(url, Keys.fresh())
    try:
        if "service_state" in await inspection.tables(db):
            async with transaction.begin(db, DEMO, Clock(), writing=False) as tx:
                if (await state.get(tx)).demo:
                    return
    finally:
        await db.close()
    raise NotADemo(
        "The database has no demo's mark, so the demo does not touch it; name a new one, or another directory with "
        "--data."
    )


def _keys(data: Path, *, new: bool) -> Keys:
    """The demo's own keys. They are made for a new database only: another pair would not open what is sealed."""
    if new and not (data / KEYS).exists():
        (data / NEW_KEYS).unlink(missing_ok=True)
        Keys.make(data / NEW_KEYS)
        (data / NEW_KEYS).rename(data / KEYS)
    return Keys.read(data / KEYS)


async def _fill_file(file: Path, keys: Keys, wanted: Wanted) -> None:
    """Makes the file under another name and renames it when it is whole: killed in the middle, nothing half is left. So
    nothing needs to be forced to disk in between."""
    new = file.with_name(NEW_FILE)
    _remove(new)
    _remove(file)
    await _fill(f"sqlite:///{new}", keys, wanted, unseen=True)
    _force(new)
    new.rename(file)
    _force(file.parent)


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def _force(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _fill(url: str, keys: Keys, wanted: Wanted, *, unseen: bool) -> None:
    """The mark comes last: a database that was cut off in the middle is nobody's demo. `unseen`: a file that has not
    its name yet."""
    real = Clock().today()
    today = wanted.today or real
    await migrate(url)
    db = Database(url, keys)
    if unseen:
        new_file.hasten(db)
    try:
        if not wanted.empty:
            with _progress() as progress:
                await History(db, today, progress).write()
        async with transaction.begin(db, DEMO, Clock()) as tx:
            await state.mark_demo(tx)
            await state.move_demo(tx, (today - real).days)
    finally:
        await db.close()


async def _clock(db: Database, today: date | None) -> Clock:
    """The demo's clock: the real day moved by the offset that the database keeps. Raises Conflict for a day before
    it."""
    async with transaction.begin(db, DEMO, Clock(), writing=False) as tx:
        clock = Clock(offset=timedelta(days=(await state.get(tx)).demo_offset_days))
    if today is not None:
        await demo_clock.move(db, clock, DEMO, today)
    return clock


# ---- What is printed -------------------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, else a line before and a line after; on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    title = "Filling the demo: the sample's infusions and what came of them"
    if not console.is_terminal:
        typer.echo(f"{title} ...", err=True)
        yield lambda part: None
        typer.echo("The demo is filled.", err=True)
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda part: bar.update(task, completed=part)


def _greet(address: str, today: date) -> None:
    reached = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    token = "Authorization: Bearer demo-"
    typer.echo(
        f"""
Follow-up, the demo: {reached}
Today is {today}. All patients are invented.

The ward's pages, logged in by one click (on this machine only):
  nurse        {reached}/login/demo?token=demo-nurse-lund
  clinician    {reached}/login/demo?token=demo-clinician-lund
  coordinator  {reached}/login/demo?token=demo-coordinator-lund

Tokens (on this machine only, as "Authorization: Bearer TOKEN"):
  demo-nurse-CENTRE  demo-clinician-CENTRE  demo-coordinator-CENTRE  demo-integration-CENTRE
  demo-integration-all  demo-network  demo-auditor  demo-admin
  CENTRE is one of {", ".join(CENTRES)}.

The due list of Lund, the alert feed as a hospital system polls it, and the network's figures:
curl -s -H "{token}nurse-lund" "{reached}/api/v1/visits?limit=5"
curl -s -H "{token}integration-all" "{reached}/api/v1/alerts/events?after=0&limit=5"
curl -s -H "{token}network" "{reached}/api/v1/network/summary"

Ctrl+C stops it; what was entered stays."""
    )
