"""The machine's clock goes back 200 days and on again: no alert is lost, none is raised twice, none is resolved
(contract 3, rule 13)."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.actor import Actor, Role
from app.clock import Clock
from app.db import tables, transaction
from app.db.engine import Database
from app.db.transaction import Transaction
from app.followup import alerts, batches, contacts, infusions, patients, recording, status, visits
from app.followup.commands import Reason
from app.followup.contacts import NewContact
from app.followup.infusion_fields import Correction, NewInfusion
from app.followup.patients import PatientChange
from app.followup.visits import Booking, Completion
from tests.faults.given import infusion
from tests.faults.tasks import COORDINATOR, KEYS
from tests.invariants import check_invariants

DAY = date(2027, 6, 1)
BACK = DAY - timedelta(days=200)
OPERATOR = Actor("operator:test", Role.OPERATOR, None, id="operator:test")
Told = dict[str, Any]


class House:
    """A database, and a clock that a test sets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock(fixed=DAY)
        self.db = Database(url, KEYS)

    async def do(self, act: Callable[[Transaction], Awaitable[Any]]) -> Any:
        async with transaction.begin(self.db, COORDINATOR, self.clock) as tx:
            return await act(tx)

    async def recorded(self, on: date, nth: int, infused_on: str, discharged_on: str) -> Told:
        self.clock.fixed = on
        new = NewInfusion.model_validate_json(
            json.dumps(infusion(nth, infused_on, source=str(nth), discharged_on=discharged_on))
        )
        told: Told = (await self.do(lambda tx: recording.record(tx, new))).infusion
        return told

    async def do_on(self, on: date, act: Callable[[Transaction], Awaitable[Any]]) -> Any:
        self.clock.fixed = on
        return await self.do(act)

    async def recalled(self, on: date) -> int:
        """What `follow-up alerts recall` does on a day."""
        return await batches.recall(self.db, Clock(fixed=on), OPERATOR)

    async def ended_by(self) -> Counter[str]:
        """How many alerts were resolved, by why."""
        alert = tables.alerts.c
        async with self.db.read.connect() as connection:
            return Counter(
                (await connection.execute(select(alert.resolved_by).where(alert.state == "resolved"))).scalars()
            )

    async def rounds(self, on: date) -> int:
        """What the worker does on a day."""
        self.clock.fixed = on
        await batches.extend(self.db, self.clock)
        return await batches.sweep(self.db, self.clock)

    async def unresolved(self) -> dict[UUID, tuple[UUID, str]]:
        """By visit, the unresolved alert and its state."""
        alert = tables.alerts.c
        async with self.db.read.connect() as connection:
            rows = await connection.execute(
                select(alert.visit_id, alert.id, alert.state).where(alert.state != "resolved")
            )
            return {row.visit_id: (row.id, row.state) for row in rows}

    async def told(self, kind: str) -> dict[UUID, int]:
        """How many events of a kind the feed has of each visit."""
        event = tables.events.c
        async with self.db.read.connect() as connection:
            rows = await connection.execute(
                select(event.visit_id, func.count()).where(event.type == kind).group_by(event.visit_id)
            )
            return {row[0]: row[1] for row in rows}


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    made = House(database_url)
    yield made
    await made.db.close()


def _visit(told: Told, code: str) -> Told:
    return next(visit for visit in told["visits"] if visit["code"] == code)


async def test_a_clock_that_goes_back_200_days_and_on_again_loses_no_alert_and_raises_none_twice(house: House) -> None:
    told = [await house.recorded(date(2025, 3, 20 + n), n, f"2025-03-0{n}", "2025-03-20") for n in range(1, 6)]
    await house.rounds(DAY)
    flagged = await house.unresolved()
    assert len(flagged) == 15, "W4, Y01 and Y02 of five patients"
    called, done = flagged[_visit(told[0], "Y01")["id"]][0], _visit(told[4], "Y02")["id"]
    await house.do(lambda tx: alerts.acknowledge(tx, called, Reason(reason="the family was told")))
    await house.do(lambda tx: visits.complete(tx, done, Completion(completed_on=date(2027, 3, 1)), version=1))
    before, resolved = await house.unresolved(), await house.told("alert.resolved")

    assert await house.rounds(BACK) == 0
    await _touch(house, told)
    late = await house.recorded(BACK, 9, "2025-12-01", "2025-12-10")  # its Y01 ends between the two days
    # Its window ended between them too.
    await house.do(lambda tx: visits.reopen(tx, done, Reason(reason="another patient's"), version=2))
    assert await house.rounds(BACK + timedelta(days=1)) == 0
    assert await house.unresolved() == before, "an alert went with the clock, or came before its day"

    assert await house.rounds(DAY) == 2
    assert await house.rounds(DAY + timedelta(days=1)) == 0
    after = await house.unresolved()
    assert after.items() >= before.items()
    assert after.keys() - before.keys() == {done, _visit(late, "Y01")["id"]}
    assert await house.told("alert.resolved") == resolved
    raised = await house.told("visit.overdue")
    assert raised.pop(done) == 2, "flagged, done, taken back: flagged again"
    assert raised == dict.fromkeys(after.keys() - {done}, 1)
    check_invariants(house.url, DAY + timedelta(days=1))


AHEAD = date(2031, 6, 1)


async def test_one_sweep_under_a_clock_years_ahead_silences_nothing_and_what_it_raised_is_taken_back(
    house: House,
) -> None:
    told = [await house.recorded(date(2025, 3, 20 + n), n, f"2025-03-0{n}", "2025-03-20") for n in range(1, 4)]
    await house.rounds(DAY)
    right = await house.unresolved()
    assert await house.rounds(AHEAD) == 12, "Y03 to Y06 of three patients"
    early, done = _visit(told[0], "Y03"), Completion(completed_on=DAY, confirm=frozenset({"window_not_open"}))
    await house.do_on(DAY, lambda tx: visits.complete(tx, early["id"], done, version=1))
    late = await house.recorded(DAY, 9, "2026-05-01", "2026-05-10")  # its Y01 ends two days later
    window_end = date.fromisoformat(str(_visit(late, "Y01")["window_end"]))
    assert await house.rounds(window_end + timedelta(days=1)) == 1, "sweeps go on for today"
    assert (await house.unresolved()).keys() >= right.keys() | {_visit(late, "Y01")["id"]}

    assert await house.recalled(window_end + timedelta(days=1)) == 11
    assert await house.recalled(window_end + timedelta(days=1)) == 0
    now = await house.unresolved()
    assert now.keys() == right.keys() | {_visit(late, "Y01")["id"]}
    assert right.items() <= now.items(), "what had come on its day stays as it was"
    assert sorted((await house.ended_by()).items()) == [("completed", 1), ("raised-in-error", 11)]
    check_invariants(house.url, window_end + timedelta(days=1))

    assert await house.rounds(AHEAD) == 11 + 3, "each again on its day, and Y02 to Y04 of the later patient"
    check_invariants(house.url, AHEAD)


async def test_two_clocks_at_once_lose_nothing_and_raise_nothing_twice(house: House) -> None:
    for n in range(1, 4):
        await house.recorded(date(2025, 3, 20 + n), n, f"2025-03-0{n}", "2025-03-20")
    ahead, right = Clock(fixed=AHEAD), Clock(fixed=DAY)
    flagged = await asyncio.gather(*(batches.sweep(house.db, clock) for clock in (ahead, right, ahead, right)))
    assert sum(flagged) == 21
    assert set((await house.told("visit.overdue")).values()) == {1}
    check_invariants(house.url, AHEAD)


async def _touch(house: House, told: list[Told]) -> None:
    """Acts of that earlier day on patients with alerts, each of which looks at all of the patient's visits anew."""
    planned, overdue, infused = _visit(told[0], "Y03"), _visit(told[1], "Y02"), told[2]
    booking, batch = Booking(booked_on=date(2028, 3, 1)), Correction.model_validate_json('{"batch": "B-1"}')
    tried = NewContact.model_validate_json('{"channel": "phone", "outcome": "no-answer"}')
    phone, patient = PatientChange.model_validate_json('{"phone": "070-1740605"}'), told[3]["patient_id"]
    known = await house.do(lambda tx: status.follow_up(tx, patient))
    await house.do(lambda tx: visits.book(tx, planned["id"], booking, version=planned["version"]))
    await house.do(lambda tx: contacts.log_about_visit(tx, overdue["id"], tried))
    await house.do(lambda tx: infusions.correct(tx, infused["id"], batch, infused["version"]))
    await house.do(lambda tx: patients.change(tx, patient, phone, known["patient"]["version"]))
