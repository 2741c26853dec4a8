"""Databases of a size: migrated by the service, filled in sets, swept by the service. PostgreSQL forces every commit to
disk, as in production."""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column, Table, create_engine
from sqlalchemy.engine import Dialect

from app.clock import Clock
from app.db import tables
from app.db.columns import Keys
from app.db.engine import Database
from app.db.migrate import migrate
from app.followup import batches
from bench import people
from tests.databases import PostgresServer

Row = dict[str, Any]
Batch = Sequence[tuple[str, Sequence[Row]]]  # rows by table, parents first
ORDER = ("patients", "patient_identifiers", "infusions", "plans", "visits")
AT_ONCE = 40_000  # rows that are held in memory, however large the nation


@dataclass(frozen=True, slots=True)
class Place:
    """One database: where it is, and its keys."""

    url: str
    key_file: Path
    size: str

    @property
    def dialect(self) -> str:
        """sqlite or postgresql."""
        return self.url.partition(":")[0]

    @property
    def kind(self) -> str:
        """The database's name as people write it."""
        return "SQLite" if self.dialect == "sqlite" else "PostgreSQL"

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return Path(self.url.partition("///")[2])

    def open(self) -> Database:
        """As the service opens it."""
        return Database(self.url, Keys.read(self.key_file))


class Makes:
    """Makes databases in one folder; one server for all of PostgreSQL's, started when first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key_file = folder / "bench.keys"
        self.keys = Keys.make(self.key_file)
        self.server: tuple[PostgresServer, str] | None = None
        self.made: dict[tuple[str, int], Place] = {}

    async def place(self, dialect: str, patients: int) -> Place:
        """A database with so many patients, what is overdue flagged; made once."""
        if (dialect, patients) not in self.made:
            began = time.perf_counter()
            url = self._empty(dialect, f"nation_{patients}")
            place = Place(url, self.key_file, f"{patients:,}")
            await migrate(url)
            filled_with = in_batches(people.nation(patients, self.keys))
            (_fill_sqlite if dialect == "sqlite" else _fill_postgresql)(place, filled_with)
            filled = time.perf_counter()
            db = place.open()
            flagged = await batches.sweep(db, Clock(fixed=people.TODAY))
            await db.close()
            if dialect == "postgresql":
                _tidy(url)
            took = (
                f"filled in {filled - began:.1f} s, {flagged:,} visits flagged in {time.perf_counter() - filled:.1f} s"
            )
            print(f"  {place.kind}: {patients:,} patients {took}", file=sys.stderr)
            self.made[dialect, patients] = place
        return self.made[dialect, patients]

    def _empty(self, dialect: str, name: str) -> str:
        if dialect == "sqlite":
            return f"sqlite:///{self.folder / name}.db"
        if self.server is None:
            server = PostgresServer(self.folder / "postgres")
            self.server = server, server.start(durable=True, owner=os.getpid())
        with psycopg.connect(self.server[1], autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"{self.server[1].rpartition('/')[0]}/{name}"

    def end(self) -> None:
        """Stops the server; the folder is the caller's."""
        if self.server is not None:
            self.server[0].stop()


def in_batches(rows: people.Rows) -> Iterator[Batch]:
    """The rows a batch at a time: a patient's rows come parents first, so a parent is in the same batch or in one
    before."""
    while some := list(islice(rows, AT_ONCE)):
        some.sort(key=lambda row: ORDER.index(row[0]))
        yield [(name, [row for _, row in group]) for name, group in groupby(some, key=lambda row: row[0])]


def _writers(table: Table, dialect: Dialect) -> list[tuple[Column[Any], Callable[[Any], Any] | None]]:
    return [(column, column.type.bind_processor(dialect)) for column in table.columns]


def _fill_sqlite(place: Place, rows: Iterator[Batch]) -> None:
    dialect = create_engine("sqlite://").dialect
    with closing(sqlite3.connect(place.file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        for name, group in (part for batch in rows for part in batch):
            table = tables.metadata.tables[name]
            writers = _writers(table, dialect)
            columns = ", ".join(f'"{column.name}"' for column, _ in writers)
            insert = f"INSERT INTO {name} ({columns}) VALUES ({', '.join('?' * len(writers))})"
            connection.executemany(
                insert,
                (
                    [write(row.get(column.key)) if write else row.get(column.key) for column, write in writers]
                    for row in group
                ),
            )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _fill_postgresql(place: Place, rows: Iterator[Batch]) -> None:
    with (
        psycopg.connect(place.url, autocommit=True) as connection,
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        for name, group in (part for batch in rows for part in batch):
            columns = list(tables.metadata.tables[name].columns)
            names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), names)) as copy:
                for row in group:
                    copy.write_row([row.get(column.key) for column in columns])
    _tidy(place.url)


def _tidy(url: str) -> None:
    """What PostgreSQL would do beside the measuring, done before it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
