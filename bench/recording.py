"""One infusion with its visits, on disk when it is answered; beside the same rows, one INSERT for each table in one
transaction."""

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import psycopg

from app.actor import Actor, Role
from app.clock import Clock
from app.db.columns import new_id
from app.db.engine import Database
from app.db.transaction import begin
from app.followup import recording
from app.followup.infusion_fields import NewInfusion
from bench import people
from bench.databases import Makes, Place
from bench.measure import Figure, Round, in_turn
from bench.people import CENTRES, TODAY

WARD = Actor("bench", Role.NURSE, frozenset(CENTRES[:1]), unit=CENTRES[0], id="bench")
NEXT = count(1_000_000)
Copies = Sequence[tuple[str, Sequence[Sequence[Any]]]]


def body() -> dict[str, Any]:
    """One infusion of a person who is not known yet, as a hospital system tells it."""
    nth = next(NEXT) % 700_000
    return {
        "patient": {"identifiers": [{"system": "personnummer", "value": people.number(nth)}], "name": f"Test {nth}"},
        "centre": CENTRES[0],
        "product": people.PRODUCT,
        "context": "SOC",
        "infused_on": (TODAY - timedelta(days=15)).isoformat(),
        "discharged_on": (TODAY - timedelta(days=1)).isoformat(),
        "indication": "DLBCL",
        "batch": f"B{nth}",
        "source": {"system": "bench", "id": f"recorded-{nth}"},
    }


async def infusion(makes: Makes, dialect: str, nations: Sequence[int], *, times: int, turns: int) -> list[Figure]:
    """Recorded by the service: found to be new, planned, stored, told to history and access log, committed."""
    places = [await makes.place(dialect, patients) for patients in nations]
    async with AsyncExitStack() as opened:
        pairs: list[tuple[Round, Round]] = []
        for place in places:
            db, connection = place.open(), opened.enter_context(closing(_Connection(place)))
            opened.push_async_callback(db.close)
            pairs.append((_recorded(db, times), _copied(connection, await _record(db), times)))
        measured = await in_turn(pairs, rounds=turns)
    # On SQLite each statement goes to a thread and back, which costs more than a small statement does.
    least, name = 0.4 if dialect == "sqlite" else 0.5, f"one infusion with its visits, {places[0].kind}"
    return [one.figure(name, place.size, least_ratio=least) for place, one in zip(places, measured, strict=True)]


async def _record(db: Database) -> UUID:
    new = NewInfusion.model_validate(body())
    async with begin(db, WARD, Clock(fixed=TODAY), "bench") as tx:
        recorded = await recording.record(tx, new)
    assert recorded.created, "nobody has this number yet"
    patient: UUID = recorded.infusion["patient_id"]
    return patient


def _recorded(db: Database, times: int) -> Round:
    async def take() -> float:
        began = time.perf_counter()
        for _ in range(times):
            await _record(db)
        return (time.perf_counter() - began) / times

    return take


# ---- The floor: the same rows ----------------------------------------------------------------------------------------

ROWS: Mapping[str, str] = {
    "patients": "id",
    "patient_identifiers": "patient_id",
    "infusions": "patient_id",
    "plans": "patient_id",
    "visits": "patient_id",
    "history": "patient_id",
    "access_log": "patients",
    "access_log_patients": "patient_id",
}


class _Connection:
    """A driver's own connection, with no layer above it: PostgreSQL by psycopg, SQLite by sqlite3."""

    def __init__(self, place: Place) -> None:
        self.sqlite = place.dialect == "sqlite"
        self.mark = "?" if self.sqlite else "%s"
        if self.sqlite:
            self.driver: Any = sqlite3.connect(place.file, isolation_level=None, timeout=30)
            for pragma in ("synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
                self.driver.execute(f"PRAGMA {pragma}")
        else:
            self.driver = psycopg.connect(place.url, autocommit=True)

    def close(self) -> None:
        self.driver.close()

    def rows_of(self, patient: UUID) -> Copies:
        """What stands in each table for a patient, in the order in which it can be inserted."""
        stored = patient.hex if self.sqlite else patient
        found = []
        for table, column in ROWS.items():
            wanted = str(patient) if column == "patients" else stored
            found.append(
                (table, self.driver.execute(f"SELECT * FROM {table} WHERE {column} = {self.mark}", [wanted]).fetchall())
            )
        return found

    def insert(self, copies: Copies) -> None:
        """One transaction, one INSERT for each table."""
        self.driver.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")
        for table, rows in copies:
            one = f"({', '.join([self.mark] * len(rows[0]))})"
            self.driver.execute(
                f"INSERT INTO {table} VALUES {', '.join([one] * len(rows))}", [value for row in rows for value in row]
            )
        self.driver.execute("COMMIT")


def _copied(connection: _Connection, patient: UUID, times: int) -> Round:
    told = connection.rows_of(patient)
    assert all(rows for _, rows in told), "every table has its rows"
    assert sum(len(rows) for _, rows in told) >= 16 + len(ROWS)

    async def take() -> float:
        copies = [_anew(told, sqlite=connection.sqlite) for _ in range(times)]
        began = time.perf_counter()
        for copy in copies:
            connection.insert(copy)
        return (time.perf_counter() - began) / times

    return take


def _anew(told: Copies, *, sqlite: bool) -> Copies:
    """The same rows under new ids, number and natural key."""
    fresh = {
        row[0]: new_id().hex if sqlite else new_id()
        for table, rows in told
        if table != "patient_identifiers"
        for row in rows
    }
    sender = {row[0] for table, rows in told if table == "patient_identifiers" for row in rows}
    source = f"copied-{next(NEXT)}"

    def value(old: Any) -> Any:
        if isinstance(old, bytes) and old in sender:
            return os.urandom(len(old))
        if isinstance(old, str) and old.startswith("recorded-"):
            return source
        return fresh.get(old, old) if isinstance(old, str | UUID) else old

    return [(table, [[value(old) for old in row] for row in rows]) for table, rows in told]
