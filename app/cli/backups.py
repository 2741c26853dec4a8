"""Commands about copies of the whole database: backup, restore."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import desk
from app.cli.desk import Json, ReadableFile, Today

commands = typer.Typer()

Force = Annotated[bool, typer.Option("--force", help="Write over what is there.")]
WITHOUT_KEYS = "The key file is not in it, and without it no person is read: keep a copy of it elsewhere."


@commands.command(epilog="Example: follow-up backup /backups/follow-up-2026-11-23.backup")
def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The file to write.")],
    force: Force = False,
    today: Today = None,
    as_json: Json = False,
) -> None:
    """Writes the whole database into one file, verified, for its owner only; the service may run meanwhile. The key
    file is not in it."""
    from app.db import backup as db_backup

    held = db_backup.write(desk.read_settings().database_url, file, force=force)
    facts = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "schema": held.schema,
        "rows": dict(held.rows),
        "key_file": False,
    }
    lines = [
        f"{file}: schema {held.schema}, {held.rows.get('patients', 0)} patients, {sum(held.rows.values())} rows, "
        "verified."
    ]
    desk.tell(facts, lines, as_json)
    desk.words(WITHOUT_KEYS)


@commands.command(epilog="Example: follow-up restore /backups/follow-up-2026-11-23.backup")
def restore(file: ReadableFile, force: Force = False, today: Today = None, as_json: Json = False) -> None:
    """Puts a backup in the place of the database and begins a new epoch of the feed; service and worker are stopped.
    Needs the same key file."""
    from app.db import backup as db_backup
    from app.db import state

    held, epoch = db_backup.restore(desk.read_settings().database_url, file, force=force)
    facts = {"schema": held.schema, "rows": dict(held.rows), "epoch": epoch}
    lines = [
        f"Restored: schema {held.schema}, {held.rows.get('patients', 0)} patients, {sum(held.rows.values())} rows; the "
        f"feed's epoch is {epoch}."
    ]
    desk.tell(facts, lines, as_json)
    before = "follow-up migrate, then " if held.schema != state.NEWEST_SCHEMA else ""
    desk.words(f"Now: {before}follow-up doctor, which tries the key file too.")
