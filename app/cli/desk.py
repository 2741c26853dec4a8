"""What every command stands on: the options that all take, an open database for the operator, and how results are
printed.

Data goes to standard output, words and bars to standard error.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from app.actor import Actor, Role
from app.clock import Clock
from app.errors import FollowUpError, Unavailable

if TYPE_CHECKING:
    from app.db.columns import Keys
    from app.db.engine import Database
    from app.settings import Settings


def a_day(text: str) -> date:
    """A local day of the command line. Raises BadParameter."""
    from app.followup.commands import local_date

    try:
        return local_date(text)
    except ValueError:
        raise typer.BadParameter("a day is written YYYY-MM-DD") from None


Today = Annotated[
    date | None,
    typer.Option("--today", metavar="DATE", parser=a_day, help="The day of this process; it does not roll."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for machines.")]
ReadableFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]


class Refused(FollowUpError):
    """The command cannot do this here."""


class NotMigrated(FollowUpError):
    """The database is not of this version; run: follow-up migrate."""

    code = "not_migrated"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command works with: the operator acts, for all centres, and stands in the history."""

    db: "Database"
    clock: Clock
    actor: Actor
    settings: "Settings"


def read_settings() -> "Settings":
    """From the environment. Raises pydantic's ValidationError."""
    from app.settings import Settings

    return Settings()


def read_keys(settings: "Settings") -> "Keys":
    """The keys of the settings' file. Raises Refused where none is set, BadKeyFile."""
    from app.db.columns import Keys

    if settings.key_file is None:
        raise Refused("No key file is set. Make one: follow-up keys new FILE, and tell it: FOLLOW_UP_KEY_FILE=FILE.")
    return Keys.read(settings.key_file)


def operator() -> Actor:
    """Who acts: the system's user, who may do everything on this machine (contract 7)."""
    import getpass

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = "unknown"
    return Actor(f"operator:{name}", Role.OPERATOR, None, unit="operator", id=f"operator:{name}")


def run(work: Callable[[CommandContext], Awaitable[int]], today: date | None, *, level: str = "error") -> NoReturn:
    """Runs a command's work on an open, migrated database and ends the command with its exit code."""
    from app.http import log, server

    settings = read_settings()
    log.configure(level)

    async def worked() -> int:
        async with explained(settings), _opened(settings, today) as desk:
            return await work(desk)

    raise typer.Exit(server.run(worked()))


@asynccontextmanager
async def explained(settings: "Settings", *, changes_schema: bool = False) -> AsyncIterator[None]:
    """Work on the database; where that cannot be used, says what is wrong with it and what to type next. Raises Refused
    instead of Unavailable and of the driver's errors."""
    from sqlalchemy.exc import DBAPIError

    from app.db import diagnosis

    try:
        yield
    except (Unavailable, DBAPIError):
        ill = await diagnosis.diagnose(settings.database_url, changes_schema=changes_schema)
        if ill is None:
            raise
        raise Refused(str(ill), code=ill.code) from None


@asynccontextmanager
async def _opened(settings: "Settings", today: date | None) -> AsyncIterator[CommandContext]:
    from app.db.engine import Database

    db = Database(settings.database_url, read_keys(settings))
    try:
        yield CommandContext(db, await clock_of(db, today), operator(), settings)
    finally:
        await db.close()


async def clock_of(db: "Database", today: date | None) -> Clock:
    """The day of --today, or the database's own: a demo's is ahead of the real one. Raises NotMigrated."""
    from app.db import inspection, state, transaction

    if not {"alembic_version", "service_state"} <= await inspection.tables(db):
        raise NotMigrated
    async with transaction.begin(db, operator(), Clock(), writing=False) as tx:
        if await state.schema(tx) != state.NEWEST_SCHEMA:
            raise NotMigrated
        ahead = (await state.get(tx)).demo_offset_days
    return Clock(fixed=today, offset=timedelta(days=ahead))


def tell(facts: Mapping[str, Any] | Sequence[Any], lines: Sequence[str], as_json: bool) -> None:
    """Prints data: as one JSON document, or as lines."""
    import orjson

    if as_json:
        typer.echo(orjson.dumps(facts, default=str, option=orjson.OPT_UTC_Z).decode())
    else:
        for line in lines:
            typer.echo(line)


def words(text: str) -> None:
    """Says something to a person, beside the data."""
    typer.echo(text, err=True)


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows as lines, each column as wide as its longest word."""
    if not rows:
        return []
    cells = [["-" if value is None or value == "" else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip() for row in cells]


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=total)
        yield lambda: shown.advance(task)
