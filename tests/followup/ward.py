"""A ward at work: acts and questions on a real database, each a transaction of its own, on the day that the test
says."""

from collections.abc import Awaitable, Callable
from datetime import date
from itertools import count
from typing import Any

from sqlalchemy import select

from app.actor import SCOPES, Actor, Role
from app.clock import Clock
from app.db import tables, transaction
from app.db.engine import Database
from app.db.transaction import Transaction
from app.followup import batches, contacts, due_list, patients, recording, status, visits
from app.followup.commands import Ask, Reason
from app.followup.infusion_fields import NewInfusion
from app.followup.patients import NewEvent

_serial = count(1)


def reserve_number() -> dict[str, str]:
    """A number of nobody: a national reserve number, which has no check digit."""
    return {"system": "reservnummer", "value": f"TESTNR{next(_serial):06}"}


class Ward:
    """One database and one day, which a test moves; the caller is a coordinator of Lund unless told otherwise."""

    def __init__(self, db: Database, today: str = "2026-11-24") -> None:
        self.db = db
        self.today = date.fromisoformat(today)
        self.actor = self.member("lund")

    @staticmethod
    def member(*centres: str, role: Role = Role.COORDINATOR) -> Actor:
        """Somebody who works at these centres (none: at no centre)."""
        who = f"{role}:{'+'.join(centres)}"
        return Actor(who, role, frozenset(centres), SCOPES, "-".join(centres), id=f"id of {who}")

    async def do(
        self,
        act: Callable[..., Awaitable[Any]],
        *told: Any,
        by: Actor | None = None,
        writing: bool = True,
        **named: Any,
    ) -> Any:
        """One act or question as a transaction."""
        async with transaction.begin(self.db, by or self.actor, Clock(self.today), writing=writing) as tx:
            return await act(tx, *told, **named)

    async def infuse(self, infused_on: str, *, by: Actor | None = None, **told: Any) -> dict[str, Any]:
        """Records an infusion in Lund, of a new person unless `patient_id` is told."""
        body: dict[str, Any] = {
            "centre": "lund",
            "product": "axicabtagene-ciloleucel",
            "context": "SOC",
            "infused_on": infused_on,
        }
        if "patient_id" not in told and "patient" not in told:
            body["patient"] = {"identifiers": [reserve_number()], "name": "Test Testsson"}
        recorded = await self.do(recording.record, NewInfusion.model_validate(body | told), by=by)
        return recorded.infusion

    async def happens(
        self, patient: Any, kind: str, on: str, *, by: Actor | None = None, **told: Any
    ) -> dict[str, Any]:
        """Something happens to a patient."""
        event, _ = await self.do(
            patients.report, patient, NewEvent.model_validate({"type": kind, "on": on} | told), by=by
        )
        return event

    async def done(self, visit: dict[str, Any], on: str, **told: Any) -> dict[str, Any]:
        """Completes a visit as last read."""
        now = await self.visit(visit["id"])
        return await self.do(
            visits.complete,
            visit["id"],
            visits.Completion.model_validate({"completed_on": on} | told),
            version=now["version"],
        )

    async def reopened(self, visit: dict[str, Any]) -> dict[str, Any]:
        """Takes a person's decision on a visit back."""
        now = await self.visit(visit["id"])
        return await self.do(visits.reopen, visit["id"], Reason(reason="a slip"), version=now["version"])

    async def tried(self, visit: dict[str, Any], on: str, channel: str, outcome: str = "no-answer") -> None:
        """Logs an attempt to reach the patient."""
        told = {"channel": channel, "outcome": outcome, "contacted_on": on}
        await self.do(contacts.log_about_visit, visit["id"], contacts.NewContact.model_validate(told))

    async def visit(self, visit: Any) -> dict[str, Any]:
        """A visit as it now stands."""
        return await self.do(visits.get, visit, writing=False)

    async def follow_up(self, patient: Any) -> dict[str, Any]:
        """How the patient's follow-up stands."""
        return await self.do(status.follow_up, patient, writing=False)

    async def listed(self) -> list[dict[str, Any]]:
        """What is due or overdue, as the list tells it."""
        return (await self.do(due_list.due, due_list.DueFilter(), Ask(50, self.today), writing=False)).items

    async def sweep(self, day: str) -> int:
        """Moves the day and sweeps."""
        self.today = date.fromisoformat(day)
        return await batches.sweep(self.db, Clock(self.today))

    async def events(self) -> list[tuple[str, str, str, str | None]]:
        """The feed: type, code, state, resolved by; numbered from 1 without a gap."""

        async def read(tx: Transaction) -> list[tuple[str, str, str, str | None]]:
            columns = tables.events.c
            rows = await tx.all(
                select(columns.seq, columns.type, columns.code, columns.state, columns.resolved_by).order_by(
                    columns.seq
                )
            )
            assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
            return [tuple(row[1:]) for row in rows]

        return await self.do(read, writing=False)


def code(told: dict[str, Any], name: str) -> dict[str, Any]:
    """The visit with this code in an infusion's or a patient's answer."""
    return next(visit for visit in told["visits"] if visit["code"] == name)
