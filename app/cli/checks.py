"""Commands that look and change nothing: doctor, config, openapi."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from app.cli import desk
from app.cli.desk import Json, NotMigrated, Today
from app.clock import ZONE, Clock
from app.errors import FollowUpError

if TYPE_CHECKING:
    from app.db.engine import Database
    from app.followup.health import Health
    from app.settings import Settings

commands = typer.Typer()

LEAST_FREE: Final = 1_000_000_000  # bytes
CLOCK_SLACK: Final = timedelta(minutes=1)
ENDS_SOON: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor: what was looked at, whether it is well, what was found, and what mends it; `warns`: well,
    and yet to be known; `waits`: not begun yet; `code`: what is wrong, for machines."""

    name: str
    well: bool
    found: str
    remedy: str = ""
    warns: bool = False
    waits: bool = False
    code: str | None = None

    @property
    def word(self) -> str:
        """How the line begins."""
        if not self.well:
            return "WRONG"
        return "WARN" if self.warns else "not yet" if self.waits else "ok"


@commands.command(epilog="Example: follow-up doctor --json")
def doctor(today: Today = None, as_json: Json = False) -> None:
    """Looks at settings, keys, database, migrations, clock, tokens, last sweep and free disk; ends with 1 when
    something is wrong."""
    from pydantic import ValidationError

    from app.http import log, server

    log.configure("error")
    checks: list[Check] = []

    async def looked() -> int:
        try:
            settings = desk.read_settings()
        except ValidationError as wrong:
            names = ", ".join(
                f"FOLLOW_UP_{'_'.join(map(str, e['loc'])).upper()}" for e in wrong.errors(include_input=False)
            )
            checks.append(
                Check(
                    "settings",
                    False,
                    f"cannot be used: {names}",
                    "see follow-up config --help, and the documentation of settings",
                )
            )
            return 1
        checks.append(Check("settings", True, "can be used"))
        checks.extend([check async for check in _checks(settings, today)])
        return 0 if all(check.well for check in checks) else 1

    code = server.run(looked())
    rows = [(c.word, c.name, c.found + (f"; {c.remedy}" if c.remedy else "")) for c in checks]
    desk.tell([asdict(check) for check in checks], desk.columns(rows), as_json)
    raise typer.Exit(code)


async def _checks(settings: "Settings", today: date | None) -> AsyncIterator[Check]:
    from app.db.columns import Keys
    from app.db.engine import Database
    from app.settings import DEMO_TOKENS

    keys: Keys | None = None
    try:
        keys = desk.read_keys(settings)
        yield Check("keys", True, f"{settings.key_file} is read by its owner only")
    except FollowUpError as refused:
        yield Check("keys", False, refused.detail)
    if settings.demo_tokens:
        yield Check("demo tokens", True, DEMO_TOKENS, "unset FOLLOW_UP_DEMO_TOKENS", warns=True)
    yield _disk(settings)
    yield _zone(today)
    try:
        db = Database(settings.database_url, keys or Keys.fresh())
    except FollowUpError as refused:
        yield Check("database", False, refused.detail, "set FOLLOW_UP_DATABASE_URL")
        return
    try:
        async for check in _of_database(db, settings, today, keys is not None):
            yield check
    finally:
        await db.close()


async def _of_database(
    db: "Database", settings: "Settings", today: date | None, has_keys: bool
) -> AsyncIterator[Check]:
    from app.db import alerts, diagnosis, feed, inspection, patients, state, tokens, transaction
    from app.db.columns import Unreadable
    from app.followup import health

    shown = _hidden(settings.database_url)
    try:
        if (ill := await diagnosis.diagnose(settings.database_url)) is not None:
            yield Check("database", False, ill.found, ill.remedy, code=ill.code)
            return
        if db.dialect == "sqlite" and not _file(settings.database_url).exists():
            yield Check("database", False, f"{shown} does not exist", "make it: follow-up migrate")
            return
        await inspection.tables(db)
        yield Check("database", True, f"{shown} answers")
        try:
            clock = await desk.clock_of(db, today)
        except NotMigrated:
            yield Check("migrations", False, "not of this version", "type: follow-up migrate", code="not_migrated")
            return
        yield Check("migrations", True, f"schema {state.NEWEST_SCHEMA}")
        async with transaction.begin(db, desk.operator(), clock, writing=False) as tx:
            head, swept = await feed.head(tx), await health.health(tx, settings.sweep_minutes)
            ahead = await alerts.count_ahead(tx, tx.today)
            standing = [token for token in await tokens.every(tx) if token.revoked_at is None]
            ending = [token.name for token in standing if tx.now <= token.expires_at < tx.now + ENDS_SOON]
            if has_keys:
                await patients.first_opens(tx)
    except Unreadable as refused:
        remedy = "set FOLLOW_UP_KEY_FILE to the file that this database was made with"
        yield Check("keys", False, refused.detail, remedy)
        return
    except FollowUpError as refused:
        yield Check("database", False, f"{shown}: {refused.detail}", "start it, or set FOLLOW_UP_DATABASE_URL")
        return
    for check in [_clock(head.last_at - clock.now(), clock), _tokens(ending), *_of_sweeps(swept, ahead)]:
        yield check


def _clock(behind: timedelta, clock: Clock) -> Check:
    """`behind`: by how much this machine's clock lies behind the last stored change."""
    well = behind <= CLOCK_SLACK
    late = "not behind the last stored change" if well else "the last stored change lies in the future"
    return Check(
        "clock", well, f"{clock.now():%Y-%m-%d %H:%M:%S} UTC, {late}", "" if well else "set the machine's clock"
    )


def _tokens(ending: list[str]) -> Check:
    found = f"end within {ENDS_SOON.days} days: {', '.join(ending)}"
    if not ending:
        return Check("tokens", True, f"none ends within {ENDS_SOON.days} days")
    return Check("tokens", False, found, "renew them: follow-up token renew")


def _of_sweeps(swept: "Health", ahead: int) -> Iterator[Check]:
    if swept.last_sweep_at is None:
        yield Check("last sweep", True, "no worker has swept", "start it: follow-up worker", waits=True)
    else:
        last = f"for {swept.last_swept_on} at {swept.last_sweep_at:%Y-%m-%d %H:%M} UTC"
        yield Check("last sweep", not swept.late, last, "start follow-up worker" * swept.late)
    jump = swept.jump
    went = f"jumped from {jump.before} to {jump.after}" if jump else "goes on as days do"
    yield Check(
        "day of the sweeps",
        jump is None,
        went,
        "set the clocks right, then: follow-up alerts recall" * (jump is not None),
    )
    yield Check(
        "alerts ahead of their day",
        ahead == 0,
        str(ahead),
        "when the clocks are right: follow-up alerts recall" * (ahead > 0),
    )


def _zone(today: date | None) -> Check:
    from zoneinfo import ZoneInfoNotFoundError

    try:
        return Check("zone", True, f"today is {Clock(fixed=today).today()} in {ZONE.key}")
    except ZoneInfoNotFoundError:
        return Check("zone", False, "the machine knows no time zones", "install tzdata")


def _disk(settings: "Settings") -> Check:
    place = _file(settings.database_url).parent if settings.database_url.startswith("sqlite") else Path.cwd()
    while not os.access(place, os.F_OK):  # not made yet, or not this user's to look at: its parent is on the same disk
        place = place.parent
    free = shutil.disk_usage(place).free
    return Check("disk", free >= LEAST_FREE, f"{free / 1e9:.1f} GB free at {place}", "make room" * (free < LEAST_FREE))


def _file(url: str) -> Path:
    from sqlalchemy import make_url

    return Path(make_url(url).database or "").absolute()


def _hidden(url: str) -> str:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "***"


@commands.command(epilog="Example: follow-up config --json")
def config(today: Today = None, as_json: Json = False) -> None:
    """The settings as this process sees them: each may be set by its name in the environment. Passwords are hidden."""
    settings = desk.read_settings()
    values = settings.model_dump(mode="json") | {"database_url": _hidden(settings.database_url)}
    rows = [
        (f"FOLLOW_UP_{name.upper()}", values[name], field.description or "")
        for name, field in type(settings).model_fields.items()
    ]
    desk.tell(values, desk.columns(rows), as_json)


@commands.command(epilog="Example: follow-up openapi > openapi.json")
def openapi(today: Today = None) -> None:
    """The interface as an OpenAPI document."""
    import orjson

    from app.api import document
    from app.db.columns import Keys
    from app.db.engine import Database
    from app.main import AppContext, create_app

    app = create_app(
        AppContext(Database("sqlite:///unused.db", Keys.fresh()), Clock(fixed=today), desk.read_settings())
    )
    sys.stdout.buffer.write(orjson.dumps(document.build(app), option=orjson.OPT_APPEND_NEWLINE))
