"""Commands that do a piece of work: migrate, import, sweep, alerts, feed."""

from datetime import date
from typing import Annotated, NoReturn

import typer

from app.cli import desk
from app.cli.desk import CommandContext, Json, ReadableFile, Today

commands = typer.Typer()
alerts = typer.Typer(name="alerts", no_args_is_help=True, help="Overdue alerts.")
feed = typer.Typer(name="feed", no_args_is_help=True, help="The alert feed.")

REJECTED = 3  # the exit code of an import that left rows out


@commands.command(epilog="Example: follow-up migrate")
def migrate(today: Today = None, as_json: Json = False) -> None:
    """Brings the database to this version's schema, and adds centres, products and protocols that are missing."""
    from app.db import state
    from app.db.migrate import migrate as to_newest
    from app.http import log, server

    settings = desk.read_settings()
    log.configure("error")

    async def migrated() -> int:
        async with desk.explained(settings, changes_schema=True):
            await to_newest(settings.database_url)
        return 0

    server.run(migrated())
    desk.tell({"schema": state.NEWEST_SCHEMA}, [f"The database stands on schema {state.NEWEST_SCHEMA}."], as_json)


@commands.command("import", epilog="Example: follow-up import infusions.csv --dry-run")
def import_(
    file: ReadableFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge every row, store nothing.")] = False,
    today: Today = None,
    as_json: Json = False,
) -> None:
    """Takes a CSV file of infusions, row by row; repeating it changes nothing. Ends with 3 when rows were rejected."""
    from app.db import transaction
    from app.followup import imports

    async def imported(at: CommandContext) -> int:
        with file.open("rb") as opened:
            rows = await imports.read(opened)
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            job = await imports.accept(tx, rows, dry_run)
        with desk.bar(f"Importing {file.name}", len(job.rows)) as advance:
            async for _ in imports.work(at.db, at.actor, at.clock, job):
                advance()
        async with transaction.begin(at.db, at.actor, at.clock, writing=False) as tx:
            report = await imports.get(tx, job.id)
        rejected = [
            (f"row {i['row']}", i["code"], i["field"], i["message"])
            for i in report["items"]
            if i["verdict"] == "rejected"
        ]
        counts = ", ".join(f"{report[verdict]} {verdict}" for verdict in ("accepted", "unchanged", "rejected"))
        desk.tell(report, [*desk.columns(rejected), f"{report['rows']} rows: {counts}"], as_json)
        if dry_run:
            desk.words(f"Nothing was stored. To store what is accepted: follow-up import {file}")
        return REJECTED if rejected else 0

    desk.run(imported, today)


@commands.command(epilog="Example: follow-up sweep --today 2026-11-23 --json")
def sweep(today: Today = None, as_json: Json = False) -> None:
    """Flags what is overdue on its day, as the worker does, whatever day was swept before."""
    from app.followup import batches

    async def swept(at: CommandContext) -> int:
        day = at.clock.today()
        raised = await batches.sweep(at.db, at.clock, at.actor)
        desk.tell({"today": day, "raised": raised}, [f"{raised} raised for {day}."], as_json)
        if jump := await batches.jump(at.db, at.clock):
            desk.words(
                f"The day of the sweeps has jumped from {jump.before} to {jump.after}. If a clock was wrong: follow-up "
                "alerts recall"
            )
        return 0

    desk.run(swept, today)


@alerts.command(epilog="Example: follow-up alerts recall --json")
def recall(today: Today = None, as_json: Json = False) -> None:
    """Takes back the alerts that were raised ahead of their day, under a clock that was wrong; they are raised again on
    their day."""
    from app.followup import batches

    async def recalled(at: CommandContext) -> int:
        day = at.clock.today()
        count = await batches.recall(at.db, at.clock, at.actor)
        desk.tell(
            {"today": day, "recalled": count}, [f"{count} recalled: on {day} their windows have not ended."], as_json
        )
        return 0

    desk.run(recalled, today)


@feed.command("head", epilog="Example: follow-up feed head --json")
def head(today: Today = None, as_json: Json = False) -> None:
    """The feed's newest cursor."""
    _feed(today, as_json, bump=False)


@feed.command("bump-epoch", epilog="Example: follow-up feed bump-epoch")
def bump_epoch(today: Today = None, as_json: Json = False) -> None:
    """Begins a new epoch, after a restore that lost events: every client is sent to the snapshot."""
    _feed(today, as_json, bump=True)


def _feed(today: date | None, as_json: bool, *, bump: bool) -> NoReturn:
    from app.db import feed as db_feed
    from app.db import transaction

    async def show(at: CommandContext) -> int:
        async with transaction.begin(at.db, at.actor, at.clock) as tx:
            found = await (db_feed.bump_epoch(tx) if bump else db_feed.head(tx))
            if bump:
                tx.changed("feed", found.epoch, "bump-epoch", {"epoch": found.epoch - 1}, {"epoch": found.epoch})
        cursor = f"{found.epoch}.{found.last_seq}"
        desk.tell(
            {"cursor": cursor, "epoch": found.epoch, "last_seq": found.last_seq, "last_at": found.last_at},
            [cursor],
            as_json,
        )
        return 0

    desk.run(show, today)
