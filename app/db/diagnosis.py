"""What is wrong with a database that cannot be used, in words, and what to type next: for commands, which people read.

It looks by itself, with a connection of its own, and changes nothing. The password is never part of what it says.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy.engine import URL, make_url

from app.db.engine import normalise_url

LEAST_FREE: Final = 10_000_000  # bytes; with less SQLite cannot be sure of its next commit
_CONNECT_SECONDS: Final = 5
_URL = "FOLLOW_UP_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A code for machines, what is wrong, and what to do or type next."""

    code: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found} {self.remedy}"


async def diagnose(url: str, *, changes_schema: bool = False) -> Diagnosis | None:
    """What keeps the database at an address from being used, None where nothing does; with `changes_schema` also what
    keeps a migration from it. Raises Invalid for an address of another kind of database."""
    parsed = make_url(normalise_url(url))
    if parsed.get_backend_name() == "sqlite":
        return _of_sqlite(Path(parsed.database or ""))
    return await _of_postgresql(parsed, changes_schema)


# ---- PostgreSQL ----


async def _of_postgresql(url: URL, changes_schema: bool) -> Diagnosis | None:
    _, words = url.get_dialect()().create_connect_args(url)
    try:
        async with await psycopg.AsyncConnection.connect(
            **words, connect_timeout=_CONNECT_SECONDS, autocommit=True
        ) as connection:
            return await _of_rights(connection, changes_schema)
    except psycopg.Error as error:
        return _of_error(error, url)


async def _of_rights(connection: psycopg.AsyncConnection[TupleRow], changes_schema: bool) -> Diagnosis | None:
    cursor = await connection.execute(
        "SELECT current_user, current_schema(), has_schema_privilege(current_schema(), 'CREATE'),"
        " to_regclass('service_state') IS NOT NULL"
    )
    row = await cursor.fetchone()
    assert row is not None, "a select without a table has a row"
    user, schema, may_create, is_migrated = row
    if schema is None:
        found = f"The role {user} has no schema that it may use."
        return Diagnosis("no_schema", found, f"Type, as the database's owner: GRANT USAGE ON SCHEMA public TO {user};")
    if changes_schema and not may_create:
        found = f"The role {user} may not make tables in the schema {schema}."
        remedy = f"Migrate as its owner, or type: GRANT CREATE ON SCHEMA {schema} TO {user};"
        return Diagnosis("may_not_create", found, remedy)
    if is_migrated and not changes_schema:
        await connection.execute("SELECT FROM service_state LIMIT 1")
    return None


def _of_error(error: psycopg.Error, url: URL) -> Diagnosis:
    """By SQLSTATE; an error of the connection itself has none (libpq gives its words alone), so its words are looked
    at, and quoted where they are not known, in whatever language the server speaks."""
    said = " ".join(str(error).split()).replace(url.password or "\0", "***")
    where, user, database = f"{url.host or 'this machine'}:{url.port or 5432}", url.username or "?", url.database or "?"
    for holds, code, found, remedy in _POSTGRESQL:
        if holds(error.sqlstate or "", said):
            facts = {"where": where, "user": user, "database": database}
            return Diagnosis(code, found.format(**facts), remedy.format(**facts))
    return Diagnosis("cannot_connect", f"PostgreSQL at {where} says: {said[-300:]}", f"Mend that, or set {_URL}.")


def _says(*words: str, state: str = "-") -> Callable[[str, str], bool]:
    return lambda sqlstate, said: sqlstate == state or any(word in said for word in words)


# The first that holds counts.
_POSTGRESQL: Final = (
    (
        _says("password authentication failed", "no password supplied", state="28P01"),
        "wrong_password",
        "PostgreSQL at {where} does not take the password of the role {user}, or there is no such role.",
        f"Put the right one into {_URL}, or type there: ALTER ROLE {{user}} LOGIN PASSWORD '...';",
    ),
    (
        _says("too many connections", "too many clients", "remaining connection slots", state="53300"),
        "too_many_connections",
        "PostgreSQL at {where} has no connection free for the role {user}.",
        "End what holds them, or raise max_connections (or the role's CONNECTION LIMIT).",
    ),
    (
        _says("Peer authentication failed", "Ident authentication failed", 'role "', state="28000"),
        "no_such_role",
        "PostgreSQL at {where} does not let the role {user} in.",
        f"Make it (CREATE ROLE {{user}} LOGIN PASSWORD '...';), or name another in {_URL}.",
    ),
    (
        _says("does not exist", state="3D000"),
        "no_such_database",
        "PostgreSQL at {where} has no database {database}.",
        f"Make it: createdb -O {{user}} {{database}}; or name another in {_URL}.",
    ),
    (
        _says("SSL off", "no encryption", "requires SSL"),
        "tls_required",
        "PostgreSQL at {where} takes the role {user} over TLS only, or not from this machine.",
        f"Add ?sslmode=verify-full (or require) to {_URL}, or a line to its pg_hba.conf.",
    ),
    (
        _says("no pg_hba.conf entry"),
        "not_from_here",
        "PostgreSQL at {where} does not take the role {user} from this machine.",
        "Add a line for it to the server's pg_hba.conf.",
    ),
    (
        _says("does not support SSL", "SSL error", "certificate"),
        "tls_refused",
        "PostgreSQL at {where} and this machine do not agree on TLS.",
        f"Look at ssl and ssl_cert_file of the server, and at sslmode and sslrootcert in {_URL}.",
    ),
    (
        _says("resolve host", "translate host name", "Name or service not known"),
        "unknown_host",
        "There is no host of the name in {where}.",
        f"Put the right name into {_URL}.",
    ),
    (
        _says("Connection refused", "No such file or directory"),
        "closed_port",
        "Nothing listens at {where}.",
        f"Start PostgreSQL there, or put the right host and port into {_URL}.",
    ),
    (
        _says("timeout", "No route to host", "Network is unreachable"),
        "no_answer",
        "PostgreSQL at {where} does not answer.",
        f"Look at the network and its firewalls, or put the right host into {_URL}.",
    ),
    (
        _says("starting up", "shutting down", "recovery mode", state="57P03"),
        "not_ready",
        "PostgreSQL at {where} is just starting or stopping.",
        "Try again in a moment.",
    ),
    (
        _says(state="42501"),
        "no_rights",
        "The role {user} may not read the tables of the database {database}.",
        "Type, as their owner: GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {user};",
    ),
)


# ---- SQLite ----


def _of_sqlite(file: Path) -> Diagnosis | None:
    shown = file.absolute()
    if not file.exists():
        return None if file.parent.exists() else _folder_missing(shown)
    if not file.is_file():
        return Diagnosis("not_a_file", f"{shown} is no file.", f"Name a file in {_URL}: sqlite:///data/follow-up.db.")
    if not (os.access(file, os.R_OK | os.W_OK) and os.access(file.parent, os.W_OK)):
        found = f"This user may not write {shown} and its folder, where SQLite keeps its journal."
        return Diagnosis("not_writable", found, f"Type: chown -R USER {shown.parent}, or run as its owner.")
    if shutil.disk_usage(file.parent).free < LEAST_FREE:
        return Diagnosis("disk_full", f"The disk of {shown.parent} is full.", "Make room.")
    return _of_content(file)


def _folder_missing(shown: Path) -> Diagnosis:
    found = f"There is no folder {shown.parent}."
    return Diagnosis("no_folder", found, "Make it and the tables: follow-up migrate.")


def _of_content(file: Path) -> Diagnosis | None:
    shown = file.absolute()
    try:
        with closing(sqlite3.connect(f"file:{shown}?mode=ro", uri=True, timeout=_CONNECT_SECONDS)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return Diagnosis("locked", f"Another program holds {shown}.", "End it, and try again.")
        found = f"{shown} is no SQLite database, or it is damaged."
        return Diagnosis("not_a_database", found, f"Restore a backup, or name another file in {_URL}.")
    if tables and "alembic_version" not in tables:
        found = f"{shown} is another program's database."
        return Diagnosis("other_program", found, f"Name a file of its own in {_URL}.")
    return None
