"""Backups: the whole database in one file, verified before it has its name; and restored from it, with a new epoch of
the feed.

SQLite by its online backup, while the service runs; PostgreSQL by its own tools (`app/db/dump.py`). The key file is in
none of them.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from app.clock import Clock
from app.db import dump, service_tables
from app.db.engine import normalise_url
from app.db.tables import metadata
from app.errors import FollowUpError, Unavailable

assert service_tables.tokens.metadata is metadata, "with these, every table stands in it"
TABLES: Final = (*sorted(metadata.tables), "alembic_version")
# A database in which one of these has a row is somebody's; one that was only migrated is not.
OF_PEOPLE: Final = ("patients", "history", "access_log", "accounts", "tokens")
MAGIC: Final = {b"SQLite format 3\0": "sqlite", b"PGDMP": "postgresql"}


class BackupExists(FollowUpError):
    """The file is there already, and a backup is never written over without --force."""

    code = "backup_exists"


class NotABackup(FollowUpError):
    """The file is no backup of this service, or not a whole one."""

    code = "not_a_backup"


class DatabaseInUse(FollowUpError):
    """The database is open elsewhere: stop service and worker first."""

    code = "database_in_use"


class DatabaseNotEmpty(FollowUpError):
    """The database holds data, and is never restored over without --force."""

    code = "database_not_empty"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a file holds: the schema's revision, and the rows of each table."""

    schema: str
    rows: Mapping[str, int]


def write(url: str, file: Path, *, force: bool) -> Backup:
    """Writes the database into a file that only its owner reads. It has its name when it is whole and verified, so that
    a death in the middle leaves what was there. Raises BackupExists, NotABackup (the copy is not what was read),
    Unavailable, dump.NoTools."""
    if file.exists() and not force:
        raise BackupExists(f"{file} is there already; choose another name, or write over it with --force.")
    with _named_when_whole(file) as new:
        if _kind(url) == "sqlite":
            return _copy_sqlite(_file(url), new, read_only=False)
        schema, rows = dump.write(url, new, TABLES)
        return Backup(schema, rows)


def restore(url: str, file: Path, *, force: bool) -> tuple[Backup, int]:
    """Puts a backup in the place of the database; answers what it holds and the feed's new epoch, so that every cursor
    given out before is refused. A death in the middle leaves the old database. Raises NotABackup, DatabaseInUse,
    DatabaseNotEmpty, Unavailable, dump.NoTools."""
    kind = _kind(url)
    if _kind_of(file) != kind:
        raise NotABackup(
            f"{file} is no backup of a {'SQLite' if kind == 'sqlite' else 'PostgreSQL'} database of this service."
        )
    if kind == "sqlite":
        return _restore_sqlite(_file(url), file, force=force)
    standing = dump.standing(url, OF_PEOPLE)
    if standing.others:
        raise DatabaseInUse(f"{standing.others} connections of the service are open; stop service and worker first.")
    _refuse_over(standing.is_empty, force=force)
    epoch = _epoch(standing.epoch)
    schema, rows = dump.restore(url, file, TABLES, epoch)
    return Backup(schema, rows), max(epoch, dump.standing(url, OF_PEOPLE).epoch)


def _kind(url: str) -> str:
    return make_url(normalise_url(url)).get_backend_name()


def _file(url: str) -> Path:
    return Path(str(make_url(normalise_url(url)).database))


def _kind_of(file: Path) -> str | None:
    with file.open("rb") as opened:
        start = opened.read(16)
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)


def _refuse_over(is_empty: bool, *, force: bool) -> None:
    if not is_empty and not force:
        raise DatabaseNotEmpty(
            "The database holds data. Name an empty one, or restore over it with --force: what it holds is lost."
        )


def _epoch(*known: int) -> int:
    """The epoch after a restore: above every one that is known. It also counts minutes, so as to be above those that
    nobody knows any more: one backup may be restored twice, each time into an empty database."""
    return max(*(epoch + 1 for epoch in known), int(Clock().now().timestamp()) // 60)


@contextmanager
def _named_when_whole(file: Path) -> Iterator[Path]:
    """A new file beside, for its owner only; it takes the name at the end of the block, forced to disk, and is gone
    after an exception."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield new
        for path in (new, file.parent):
            force_to_disk(path)
        new.replace(file)
        force_to_disk(file.parent)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            new.with_name(new.name + suffix).unlink(missing_ok=True)


def force_to_disk(path: Path) -> None:
    """Whatever was written to a file or a directory survives the machine."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- SQLite ----------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(file: Path, *, read_only: bool) -> Iterator[sqlite3.Connection]:
    try:
        mode = "ro" if read_only else "rw"
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5)
        ) as connection:
            yield connection
    except sqlite3.OperationalError as fault:
        raise Unavailable(f"{file} cannot be read or written ({fault}).") from None
    except sqlite3.DatabaseError:
        raise NotABackup(f"{file} is damaged.") from None


def _copy_sqlite(source: Path, target: Path, *, read_only: bool) -> Backup:
    """Copies by the online backup: one snapshot, whoever writes meanwhile; the copy is counted and checked against that
    snapshot."""
    if not source.exists():
        raise Unavailable(f"{source} does not exist.")
    with _opened(source, read_only=read_only) as read, _opened(target, read_only=False) as written:
        read.execute("BEGIN")
        wanted = _counted(read, source)
        read.backup(written)
        read.execute("ROLLBACK")
        written.execute("PRAGMA journal_mode=DELETE")  # one file, without a -wal beside
        if _checked(written, target) != wanted:
            raise NotABackup("The copy does not hold what was read; nothing was kept of it.")
    return wanted


def _checked(connection: sqlite3.Connection, file: Path) -> Backup:
    findings = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if findings != ["ok"] or connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise NotABackup(f"{file} is damaged.")
    return _counted(connection, file)


def _counted(connection: sqlite3.Connection, file: Path) -> Backup:
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"alembic_version", "feed_head"} <= there:
        raise NotABackup(f"{file} is no database of this service.")
    counts = {name: f'SELECT count(*) FROM "{name}"' for name in TABLES if name in there}  # noqa: S608 - our names
    rows = {name: connection.execute(statement).fetchone()[0] for name, statement in counts.items()}
    return Backup(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0], rows)


def _restore_sqlite(target: Path, file: Path, *, force: bool) -> tuple[Backup, int]:
    known = 0
    if target.exists() and target.stat().st_size:
        try:
            with _opened(target, read_only=False) as connection:
                known = _must_be_ours_alone(connection, force=force)
        except NotABackup:  # a damaged database is what a restore is for
            _refuse_over(False, force=force)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _named_when_whole(target) as new:
        held = _copy_sqlite(file, new, read_only=True)
        with _opened(new, read_only=False) as connection:
            epoch = _epoch(known, connection.execute("SELECT epoch FROM feed_head").fetchone()[0])
            connection.execute("UPDATE feed_head SET epoch = ?", [epoch])
        for suffix in ("-wal", "-shm"):  # of a damaged one; it must not be laid over the new file
            target.with_name(target.name + suffix).unlink(missing_ok=True)
    return held, epoch


def _must_be_ours_alone(connection: sqlite3.Connection, *, force: bool) -> int:
    """Refuses a database that somebody has open or that holds data; answers its epoch. What its -wal holds goes into
    the file."""
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    asked = [f'SELECT 1 FROM "{name}" LIMIT 1' for name in OF_PEOPLE if name in there]  # noqa: S608 - our names
    used = any(connection.execute(statement).fetchone() for statement in asked)
    _refuse_over(not used and there <= {*TABLES, "sqlite_sequence"}, force=force)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError:
        raise DatabaseInUse from None
    row = connection.execute("SELECT epoch FROM feed_head").fetchone() if "feed_head" in there else None
    return int(row[0]) if row else 0
