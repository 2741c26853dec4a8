"""A transaction: one actor, one day, one instant. Nobody else commits.

The end of a writing one, in this order: history; access log; head row (the last lock); under it the events get their
numbers; COMMIT. History and access log go with whatever new rows still wait; on PostgreSQL they are all one statement.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Interval, Row, Table, bindparam, func, insert, literal, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from app.actor import Actor
from app.clock import Clock
from app.db import tables
from app.db.columns import Instant, new_id, whole_ms
from app.db.engine import Database, as_one, insert_as_one, unavailable
from app.errors import FollowUpError, Unavailable

AnyRow = Row[*tuple[Any, ...]]
Params = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class AlertEventType(StrEnum):
    """What the feed tells of an alert (contract 4)."""

    OVERDUE = "visit.overdue"
    ACKNOWLEDGED = "alert.acknowledged"
    RESOLVED = "alert.resolved"
    REOPENED = "alert.reopened"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """What the feed tells of an alert; number, id and instant are given at the end of the transaction. No name, no
    number of a person."""

    type: AlertEventType
    alert_id: UUID
    visit_id: UUID
    patient_id: UUID
    centre: str
    code: str
    window_end: date
    state: str
    resolved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The feed's head row: epoch, number of the last event, instant of the last writing commit (UTC, whole ms)."""

    epoch: int
    last_seq: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Numbered:
    """Events that a statement makes in the database: `count` of them, from its parameters `first_seq` (their first
    number) and `at`."""

    count: int
    statement: Executable
    params: Mapping[str, Any]


class Transaction:
    """What an act or a question works with. Made by `begin` only."""

    def __init__(
        self,
        db: Database,
        actor: Actor,
        clock: Clock,
        request_id: str,
        stack: AsyncExitStack,
        writing_on: AsyncConnection | None = None,
    ) -> None:
        self.db = db
        self.keys = db.keys
        self.actor = actor
        self.today: date = clock.today()
        self.now: datetime = whole_ms(clock.now())
        self.request_id = request_id
        self.writing = writing_on is not None
        self.dirty = False
        self.head: Head | None = None  # after the end of a transaction that wrote
        self._stack = stack
        self._conn = writing_on
        self._new: dict[Table, list[Mapping[str, Any]]] = {}
        self._history: list[dict[str, Any]] = []
        self._events: list[AlertEvent] = []
        self._numbered: list[Numbered] = []
        self._seen: dict[tuple[str, str | None], dict[UUID, None]] = {}
        self._concerned: dict[str, dict[UUID, None]] = {}
        self.refusals: list[tuple[str, Iterable[UUID]]] = []
        self.kept: list[Callable[[Transaction], Awaitable[None]]] = []

    # ---- statements ----

    async def all(self, statement: Executable, params: Params | None = None) -> Sequence[AnyRow]:
        """Every row; of a write with RETURNING too."""
        rows = (await self._execute(statement, params)).all()
        self.dirty |= bool(rows) and not statement.is_select
        return rows

    async def first(self, statement: Executable, params: Mapping[str, Any] | None = None) -> AnyRow | None:
        """The first row, or None."""
        row = (await self._execute(statement, params)).first()
        self.dirty |= row is not None and not statement.is_select
        return row

    async def scalar(self, statement: Executable, params: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        row = await self.first(statement, params)
        return None if row is None else row[0]

    async def run(self, statement: Executable, params: Params | None = None) -> int:
        """Writes; answers how many rows. A list of parameters is one execution for all (the fast way to insert); an
        empty one is none."""
        if isinstance(params, Sequence) and not params:
            return 0
        count = (await self._execute(statement, params)).rowcount
        self.dirty |= count != 0
        return count

    async def note(self, statement: Executable) -> None:
        """Writes what no answer tells, as when somebody was last seen: the head row stays where it is, so that no ETag
        changes."""
        await self._execute(statement, None)

    def add(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """New rows of a table, by column key. They are stored before the next statement or at the end: many tables then
        cost one statement."""
        if not self.writing:
            raise RuntimeError("a reading transaction does not write")
        self._new.setdefault(table, []).extend(rows)

    async def _store_new(self) -> None:
        new = {table: rows for table in _PARENTS_FIRST if (rows := self._new.get(table))}
        self._new = {}
        assert self._conn is not None, "a writing transaction has its connection from its beginning"
        if new and self.db.dialect == "postgresql":
            await self._conn.execute(insert_as_one(*new), as_one(new))
        else:
            for table, rows in new.items():
                await self._conn.execute(_ADD[table], rows[0] if len(rows) == 1 else rows)
        self.dirty |= not new.keys() <= {tables.access_log, tables.access_log_patients}

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of a writing transaction that an exception undoes alone."""
        await self._store_new()
        assert self._conn is not None, "a writing transaction has its connection from its beginning"
        around, self._concerned = self._concerned, {}
        try:
            async with self._conn.begin_nested():
                yield
                await self._store_new()
        except FollowUpError as refusal:
            self.refused(refusal)
            raise
        finally:
            self._new, self._concerned = {}, around

    async def _execute(self, statement: Executable, params: Params | None) -> CursorResult[*tuple[Any, ...]]:
        if statement.is_dml and not self.writing:
            raise RuntimeError("a reading transaction does not write")
        if self._new:
            await self._store_new()
        if self._conn is None:  # a read that is answered from what is shared (the head row) needs no connection
            self._conn = await self._stack.enter_async_context(self.db.read.connect())
        if isinstance(params, Sequence) and len(params) == 1:
            params = params[0]  # PostgreSQL's driver sends a list, even of one, in a pipeline of its own
        return await self._conn.execute(statement, params)

    # ---- what is stored at the end ----

    def saw(self, what: str, patients: Iterable[UUID], why: str | None = None) -> None:
        """Says whose data the answer shows; becomes one row of the access log for each `what` and `why`. Nobody: no
        row."""
        shown = dict.fromkeys(patients)
        if shown:
            self._seen.setdefault((what, why), {}).update(shown)

    def concerns(self, what: str, patients: Iterable[UUID]) -> None:
        """Says whom the act or question is about, shown or not: if it is refused, the log of reads tells so."""
        self._concerned.setdefault(what, {}).update(dict.fromkeys(patients))

    def refused(self, refusal: FollowUpError) -> None:
        """Keeps for the log that what was asked about somebody was refused, and by which code."""
        self.refusals += [(f"{what}: refused, {refusal.code}", patients) for what, patients in self._concerned.items()]

    def keep(self, work: "Callable[[Transaction], Awaitable[None]]") -> None:
        """Work that stands though what is done here is refused or undone: it is given a writing transaction of its own
        behind this one."""
        self.kept.append(work)

    def changed(
        self,
        kind: str,
        object_id: object,
        act: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        patient: UUID | None = None,
    ) -> None:
        """Says what became of an object; becomes a row of the history, sealed. Raises TypeError at once for what is not
        JSON."""
        row_id = new_id()
        self._history.append(
            {
                "id": row_id,
                "at": self.now,
                **self._who(),
                "patient_id": patient,
                "kind": kind,
                "object_id": str(object_id),
                "act": act,
                "sealed": self.keys.seal({"before": before, "after": after}, f"history:{row_id}"),
            }
        )

    def emit(self, event: AlertEvent) -> None:
        """Tells the feed; events are numbered in the order of emission."""
        self._events.append(event)

    def emit_numbered(self, numbered: Numbered) -> None:
        """Tells the feed of many events made by one statement; they are numbered after those of `emit`."""
        if numbered.count:
            self._numbered.append(numbered)

    def _who(self) -> dict[str, str]:
        return {
            "actor": self.actor.name,
            "actor_id": self.actor.id,
            "role": self.actor.role.value,
            "unit": self.actor.unit,
        }

    def access_rows(self) -> dict[Table, list[dict[str, Any]]]:
        """The rows of the access log for what was shown, and those by which a patient's reads are found; none where
        nobody was shown."""
        new: dict[Table, list[dict[str, Any]]] = (
            {tables.access_log: [], tables.access_log_patients: []} if self._seen else {}
        )
        for (what, why), patients in self._seen.items():
            details = {
                "what": what,
                "why": why,
                "request_id": self.request_id,
                "patients": " ".join(map(str, patients)),
            }
            row = {"id": new_id(), "at": self.now, **self._who(), **details}
            new[tables.access_log].append(row)
            new[tables.access_log_patients] += [{"patient_id": patient, "log_id": row["id"]} for patient in patients]
        return new

    async def finish(self) -> None:
        """All but COMMIT of a writing transaction's end. An act that wrote nothing leaves the head row where it is."""
        self.add(tables.history, self._history)
        for table, rows in self.access_rows().items():
            self.add(table, rows)
        await self._store_new()
        events = len(self._events) + sum(n.count for n in self._numbered)
        if not (self.dirty or events):
            return
        # The head row is taken last: whoever holds it blocks every other writer until commit.
        row = (await self._execute(_RAISE_HEAD[self.db.dialect], {"n": events, "now": self.now})).one()
        self.head = Head(*row)
        seq = self.head.last_seq - events + 1
        if self._events:
            rows = [_event_row(event, seq + n, self.head.last_at) for n, event in enumerate(self._events)]
            await self._execute(_ADD[tables.events], rows)
            seq += len(rows)
        for numbered in self._numbered:
            made = await self._execute(
                numbered.statement, {**numbered.params, "first_seq": seq, "at": self.head.last_at}
            )
            if made.rowcount != numbered.count:
                raise RuntimeError("the feed would have a gap")
            seq += numbered.count


def _event_row(event: AlertEvent, seq: int, at: datetime) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": new_id(),
        "type": str(event.type),
        "at": at,
        "alert_id": event.alert_id,
        "visit_id": event.visit_id,
        "patient_id": event.patient_id,
        "centre": event.centre,
        "code": event.code,
        "window_end": event.window_end,
        "state": event.state,
        "resolved_by": event.resolved_by,
    }


def _raise_head(next_at: Any) -> Executable:
    head = tables.feed_head.c
    moved = update(tables.feed_head).values(last_seq=head.last_seq + bindparam("n"), last_at=next_at)
    return moved.returning(head.epoch, head.last_seq, head.last_at)


_LOGS = (tables.history, tables.access_log, tables.access_log_patients)
_PARENTS_FIRST = (*(t for t in tables.metadata.sorted_tables if t not in _LOGS), *_LOGS)
_ADD: Mapping[Table, Executable] = {table: insert(table) for table in _PARENTS_FIRST}
_NOW = bindparam("now", type_=Instant())
_LAST = tables.feed_head.c.last_at
_RAISE_HEAD: Mapping[str, Executable] = {
    "postgresql": _raise_head(func.greatest(_NOW, _LAST + literal(timedelta(milliseconds=1), Interval()))),
    "sqlite": _raise_head(func.max(_NOW, func.strftime("%Y-%m-%dT%H:%M:%fZ", _LAST, "+0.001 seconds"))),
}


@asynccontextmanager
async def begin(
    db: Database, actor: Actor, clock: Clock, request_id: str = "", writing: bool = True
) -> AsyncIterator[Transaction]:
    """A transaction for one act (writing) or one question. It is over, and what it says is true, when the context has
    been left.

    Writing: committed at its end, rolled back by any exception. Reading: each statement is its own snapshot, nothing
    can be written, and the rows of the access log are committed before the context is left. What was refused about a
    patient stands in the access log too, and what was to be kept is stored, both in a transaction of their own behind
    this one. Raises Unavailable when the database cannot serve, Deadlock when it has ended the transaction for another
    one's sake.
    """
    tx: Transaction | None = None
    try:
        async with _begun(db, actor, clock, request_id, writing) as tx:
            yield tx
    except Unavailable:
        raise
    except Exception as error:
        if tx is not None and isinstance(error, FollowUpError):
            tx.refused(error)
        await _stand(tx, clock)
        raise
    await _stand(tx, clock)


@asynccontextmanager
async def _begun(
    db: Database, actor: Actor, clock: Clock, request_id: str, writing: bool
) -> AsyncIterator[Transaction]:
    with unavailable():
        async with AsyncExitStack() as stack:
            conn = await stack.enter_async_context(db.writing()) if writing else None
            tx = Transaction(db, actor, clock, request_id, stack, conn)
            yield tx
            if writing:
                await tx.finish()
        if not writing and (seen := tx.access_rows()):
            await db.log_access(seen)


async def _stand(tx: Transaction | None, clock: Clock) -> None:
    """Stores what stands whatever became of a transaction: the refusals for the log, and what was to be kept."""
    if tx is None or not (tx.kept or tx.refusals):
        return
    async with _begun(tx.db, tx.actor, clock, tx.request_id, bool(tx.kept)) as own:
        for work in tx.kept:
            await work(own)
        for what, patients in tx.refusals:
            own.saw(what, patients)
