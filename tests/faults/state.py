"""What a database says, comparable between two runs: every row of every table in words, without ids, instants and
ciphers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, create_engine, inspect, select, text
from sqlalchemy.engine import make_url

from app.db.service_tables import metadata  # with these, every table stands in it
from tests.faults.tasks import KEYS

# The log of reads and the reports of imports tell of each attempt.
LEFT_OUT = {"access_log", "access_log_patients", "imports", "import_items"}
INSTANT = re.compile(r".*_at|at|seq|last_sweep_(raised|ms)|key_id")
SEALED = {("patients", "sealed"): "patient", ("infusions", "request"): "infusion", ("history", "sealed"): "history",
          ("contacts", "note"): "contact", ("patient_events", "note"): "event"}  # fmt: skip
A_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

State = Mapping[str, Counter[str]]


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def _names(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Each id in words: a patient by its numbers, an infusion by its source or day, a visit by its plan and code."""
    names: dict[str, str] = {}
    for row in found["patient_identifiers"]:
        names[str(row["patient_id"])] = f"patient {row['blind'].hex()[:16]}"
    for row in found["infusions"]:
        names[str(row["id"])] = (
            f"infusion {row['source_system']}/{row['source_id']} of {names.get(str(row['patient_id']))} "
            f"{row['infused_on']}"
        )
    for row in found["plans"]:
        names[str(row["id"])] = f"plan {row['protocol_code']} of {names.get(str(row['infusion_id']))}"
    for row in found["visits"]:
        names[str(row["id"])] = f"visit {row['code']} of {names.get(str(row['plan_id']))}"
    for row in found["alerts"]:
        names[str(row["id"])] = f"alert of {names.get(str(row['visit_id']))}"
    return names


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    driver = "sqlite+pysqlite" if url.startswith("sqlite") else "postgresql+psycopg"
    engine = create_engine(make_url(url).set(drivername=driver))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def state(url: str) -> State:
    """The rows of each table, in words, with how often each stands there. An id that nothing names stays an id, and so
    differs."""
    with _connected(url) as connection:
        found = {table.name: _rows(connection, table) for table in metadata.sorted_tables}
    names = _names(found)
    return {
        name: Counter(_told(name, row, names) for row in rows) for name, rows in found.items() if name not in LEFT_OUT
    }


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    with _connected(url) as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def tables(url: str) -> list[str]:
    """The tables that are there."""
    with _connected(url) as connection:
        return inspect(connection).get_table_names()


def infusions(url: str) -> dict[str, int]:
    """The version of each infusion by its id."""
    with _connected(url) as connection:
        columns = metadata.tables["infusions"].c
        return {str(row.id): row.version for row in connection.execute(select(columns.id, columns.version))}


def _told(table: str, row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if about := SEALED.get((table, name)):
            value = None if value is None else KEYS.open(value, f"{about}:{row['id']}")
        if INSTANT.fullmatch(name) or (name == "id" and isinstance(value, UUID) and str(value) not in names):
            continue  # ids of events, facts and contacts are named by nobody
        shown[name] = value
    words = A_UUID.sub(lambda found: names.get(found.group(), found.group()), str(shown))
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^'\"]*", "an instant", words)


def difference(one: State, other: State) -> str:
    """The first rows that only one of both has; empty when they say the same."""
    told = []
    for table in one:
        less, more = one[table] - other[table], other[table] - one[table]
        told += [f"{table}: only expected: {row} x{n}" for row, n in list(less.items())[:3]]
        told += [f"{table}: only found: {row} x{n}" for row, n in list(more.items())[:3]]
    return "\n".join(told)
