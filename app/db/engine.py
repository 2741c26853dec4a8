"""Engines and pools, and all that differs between SQLite and PostgreSQL in opening them and in what their errors
mean."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Literal, cast

import orjson
import structlog
from sqlalchemy import Table, TextClause, event, exc, func, insert, select, text
from sqlalchemy.engine import URL, Connection, ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.db import tables
from app.db.columns import Keys
from app.db.together import Together
from app.db.waiting import ANSWER_SECONDS, CLOSE_SECONDS, NETWORK, PATIENCE, STATEMENT_SECONDS, bounded, try_the_rested
from app.errors import Deadlock, Invalid, Unavailable
from app.planning.protocol import Protocol

log = structlog.get_logger("db")

Dialect = Literal["sqlite", "postgresql"]

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
MIGRATION_SECONDS: Final = 3600.0  # a step of a migration may rewrite a large table
OTHERS_SECONDS: Final = 60.0  # that a migration waits for another one
_MIGRATION_LOCK: Final = 4_620_175_913  # ours among the advisory locks of a server
_PRAGMAS: Final = ("synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY", "cache_size=-32000")
_SETTINGS: Final = {
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": "60s",
    "default_transaction_isolation": "read\\ committed",
    "jit": "off",
}
_DEADLOCKS: Final = frozenset({"40P01", "40001"})
# Read-only (a standby that was a primary), idle too long in a transaction, a table that is not there (not migrated):
# psycopg has no class of their own for what only time or an operator mends.
_PASSING_STATES: Final = frozenset({"25006", "25P03", "42P01"})

_LOG: Final = {table: insert(table) for table in (tables.access_log, tables.access_log_patients)}
_HEAD: Final = select(tables.feed_head.c.epoch, tables.feed_head.c.last_seq, tables.feed_head.c.last_at)


class Database:
    """One database, two engines: `write` for transactions, `read` for single statements, each its own snapshot
    (AUTOCOMMIT, read-only)."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        *,
        pool_size: int = 8,
        patience: float = PATIENCE,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Opens no connection yet. `patience`: seconds that are waited for a lock or a free connection;
        `answer_seconds`: for any answer of PostgreSQL. Raises Invalid for what is neither SQLite in a file nor
        PostgreSQL."""
        self.url = normalise_url(url)
        self.keys = keys
        self.patience = patience
        self.dialect: Dialect = "sqlite" if self.url.startswith("sqlite") else "postgresql"
        # SQLite has one writer at a time: waiting for the one connection is in turn, waiting for its lock is by luck.
        writers = 1 if self.dialect == "sqlite" else pool_size
        self.write = _engine(self.url, pool_size=writers, patience=patience, answer_seconds=answer_seconds)
        self.read = _engine(
            self.url, pool_size=pool_size, patience=patience, answer_seconds=answer_seconds, reading=True
        )
        # A round waits for a connection and for a lock, and hardly works.
        self.log_access = Together(self._log_access, seconds=2 * patience)
        self.look_at_head = Together(self._look_at_head, seconds=2 * patience)
        self.protocols: dict[
            tuple[str, int, datetime], Protocol
        ] = {}  # parsed, by code, version and when it was loaded
        self.versions: dict[str, Protocol] = {}  # those last read, by `code@version`
        self.catalogue: dict[
            str, tuple[float, dict[str, dict[str, Any]]]
        ] = {}  # rows by table and code, and until when they serve

    async def close(self) -> None:
        """Waits for the access log's last rows, but not for a database that does not answer, and closes every
        connection."""
        for ended in (self.log_access.finished, self.look_at_head.finished, self.write.dispose, self.read.dispose):
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await ended()
            except TimeoutError:
                log.warning("database.not_closed")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection inside a transaction that is committed at the end of the block, or rolled back by an
        exception."""
        asked = time.monotonic()
        async with self.write.connect() as connection:
            # One limit for both: who has waited for the connection waits that much less for its lock.
            connection.info["lock_seconds"] = max(self.patience - (time.monotonic() - asked), 0.0)
            async with connection.begin():
                yield connection

    async def _log_access(self, waiting: Sequence[Mapping[Table, Sequence[Mapping[str, Any]]]]) -> None:
        """Rows of the access log of requests in flight, and those by which a patient's reads are found: one commit."""
        rows = {table: [dict(row) for new in waiting for row in new[table]] for table in _LOG}
        async with self.writing() as connection:
            if self.dialect == "sqlite":
                for table, statement in _LOG.items():
                    await connection.execute(statement, rows[table])
            else:
                await connection.execute(insert_as_one(*rows), as_one(rows))

    async def _look_at_head(self, waiting: Sequence[None]) -> tuple[int, int, datetime]:
        """Epoch, last number and last instant of the feed, for everybody who asked before the look."""
        async with self.read.connect() as connection:
            row = (await connection.execute(_HEAD)).one()
        return row.epoch, row.last_seq, row.last_at


@cache
def insert_as_one(*into: Table) -> TextClause:
    """PostgreSQL takes many rows fastest as one value a table, and the rows of all tables as one statement: foreign
    keys are looked at when it is over. The driver would send a list of parameters as so many statements."""
    *others, last = [
        f"INSERT INTO {t} SELECT * FROM json_populate_recordset(NULL::{t}, CAST(:{t} AS json))"  # noqa: S608
        for t in into
    ]
    beside = ", ".join(f"beside_{n} AS ({one})" for n, one in enumerate(others))
    return text(f"WITH {beside} {last}" if beside else last)


def as_one(new: Mapping[Table, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """The parameters of `insert_as_one`: the rows of each table, by column key."""
    return {
        table.name: orjson.dumps([_by_name(table, row) for row in rows], default=_hex).decode()
        for table, rows in new.items()
    }


def _by_name(table: Table, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {f"{table.c[key].name}": value for key, value in row.items()} if table in _RENAMED else row


_RENAMED: Final = frozenset(t for t in tables.metadata.tables.values() if any(c.key != c.name for c in t.columns))


def _hex(value: bytes) -> str:
    return f"\\x{value.hex()}"


def normalise_url(url: str) -> str:
    """The database's address with our driver's name, whichever it had. Raises Invalid for another kind of database."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise Invalid("The database's address cannot be read.", field="database_url", code="bad_database_url") from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise Invalid("The database is SQLite or PostgreSQL.", field="database_url", code="unknown_database")
    if driver.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
        raise Invalid(
            "SQLite needs a file: sqlite:///data/follow-up.db.", field="database_url", code="unknown_database"
        )
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


@asynccontextmanager
async def opened_for_migration(url: str) -> AsyncIterator[AsyncConnection]:
    """One transaction in which the schema may be changed, in one process at a time; a missing SQLite file is made, for
    its owner only.

    SQLite checks foreign keys at the end instead of in between (a changed table is a new one under the old name).
    Raises Unavailable.
    """
    sqlite = normalise_url(url).startswith("sqlite")
    engine = _engine(
        normalise_url(url),
        pool_size=1,
        answer_seconds=MIGRATION_SECONDS,
        patience=OTHERS_SECONDS if sqlite else PATIENCE,
        foreign_keys=False,
    )
    if sqlite:
        file = Path(str(engine.url.database))
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        with unavailable():
            async with engine.begin() as connection:
                if not sqlite:
                    await connection.execute(text("SET LOCAL statement_timeout = 0"))
                    await connection.execute(text(f"SET LOCAL lock_timeout = '{OTHERS_SECONDS:.0f}s'"))
                    await connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                    await connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE:.0f}s'"))
                yield connection
                if sqlite and (await connection.execute(text("PRAGMA foreign_key_check"))).first() is not None:
                    raise RuntimeError("a row names one that is not there")
    finally:
        await engine.dispose()


def _engine(
    url: str,
    *,
    pool_size: int,
    answer_seconds: float,
    patience: float = PATIENCE,
    reading: bool = False,
    foreign_keys: bool = True,
) -> AsyncEngine:
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True} if reading else {}
    # How many rows a statement wrote is asked for after its cursor has gone.
    options["execution_options"] = {"preserve_rowcount": True}
    engine = create_async_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=patience,
        hide_parameters=True,
        connect_args={"isolation_level": None, "timeout": patience}
        if sqlite
        else {**_postgres_args(parsed, patience, reading=reading), "async_creator_fn": bounded(answer_seconds)},
        **options,
    )
    if sqlite:
        _prepare_sqlite(engine, {"query_only": reading, "foreign_keys": foreign_keys})
        if not reading:
            # A writing transaction takes the write lock at its start; a read takes none.
            event.listen(engine.sync_engine, "begin", partial(_take_the_lock, patience))
            event.listen(engine.sync_engine, "commit", _must_stand)
    else:
        event.listen(engine.sync_engine, "handle_error", _forget_data)
        try_the_rested(engine.sync_engine)
    return engine


def _postgres_args(url: URL, patience: float, *, reading: bool) -> dict[str, object]:
    settings = (
        _SETTINGS
        | {"lock_timeout": f"{patience * 1000:.0f}"}
        | ({"default_transaction_read_only": "on"} if reading else {})
    )
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given = url.query.get("options", "")
    network = {name: value for name, value in NETWORK.items() if name not in url.query}
    return {**network, "options": f"{ours} {given if isinstance(given, str) else ' '.join(given)}".strip()}


def _prepare_sqlite(engine: AsyncEngine, switches: Mapping[str, bool]) -> None:
    """Sets up each new connection. Python's own BEGIN is off (isolation_level None)."""

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone()[0] != "wal":  # setting it takes a lock, even to what it is
            cursor.execute("PRAGMA journal_mode=WAL")
        for pragma in (*_PRAGMAS, *(f"{name}={'ON' if on else 'OFF'}" for name, on in switches.items())):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _take_the_lock(patience: float, connection: Connection) -> None:
    wanted = round(connection.info.pop("lock_seconds", patience), 1)
    if connection.info.get("waits_seconds") != wanted:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={wanted * 1000:.0f}")
        connection.info["waits_seconds"] = wanted
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _must_stand(connection: Connection) -> None:
    """The driver's COMMIT is silent when there is nothing to commit, because its connection was closed or SQLite has
    rolled back by itself: an act would be answered as done that is not stored."""
    driver = connection.connection.driver_connection
    try:
        stands = driver is not None and bool(driver.in_transaction)
    except ValueError:  # aiosqlite's word for a closed connection
        stands = False
    if not stands:
        raise exc.OperationalError("COMMIT", None, sqlite3.OperationalError("the transaction is over already"))


def _forget_data(context: ExceptionContext) -> None:
    """PostgreSQL's messages quote values (`Key (...)=(...) already exists`): only what names the fault stays in the
    error."""
    error = context.original_exception
    diagnosis = getattr(error, "diag", None)
    state = getattr(error, "sqlstate", None)
    if diagnosis is None or state is None:
        return
    named = [name for name in (diagnosis.table_name, diagnosis.column_name, diagnosis.constraint_name) if name]
    message = " ".join([state, *named]) if state[:2] in ("22", "23") else f"{state} {diagnosis.message_primary}"
    error.args = (message,)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(error).__name__}) {message}",)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turns what only time or an operator mends (away, full, locked past its time, no connection free) into
    Unavailable. Raises Deadlock."""
    try:
        yield
    except exc.TimeoutError:
        log.warning("database.unavailable", kind="PoolTimeout")
        raise Unavailable("The database has no connection free; try again.") from None
    except TimeoutError:  # of a shared round
        log.warning("database.unavailable", kind="RoundTimeout")
        raise Unavailable("The database does not answer; try again.") from None
    except exc.DBAPIError as error:
        state = cast(str | None, getattr(error.orig, "sqlstate", None))
        if state in _DEADLOCKS:
            log.warning("database.deadlock", sqlstate=state)
            raise Deadlock from None
        passing = (
            isinstance(error, exc.OperationalError | exc.InterfaceError)
            or error.connection_invalidated
            or state in _PASSING_STATES
        )
        if not passing:
            raise
        log.warning("database.unavailable", kind=type(error.orig).__name__, sqlstate=state)
        raise Unavailable("The database cannot store or read just now; try again.") from None
