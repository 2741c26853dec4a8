"""Acts on one person at once do not wait for each other in a circle (PostgreSQL), and what does is tried again once."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from app.clock import Clock
from app.db import transaction
from app.db.columns import Keys
from app.db.engine import Database
from app.db.transaction import Transaction
from app.errors import Deadlock, FollowUpError, Unavailable, once_more
from app.followup import patients
from app.followup.patients import PatientChange
from tests.followup.ward import Ward, reserve_number

PAIRS = 8


@pytest.fixture
async def on_postgres(postgres_url: str) -> AsyncIterator[Ward]:
    db = Database(postgres_url, Keys.fresh(), pool_size=2 * PAIRS, patience=60)
    yield Ward(db)
    await db.close()


async def outcomes(*acts: Any) -> list[BaseException]:
    """What acts at once were refused with, but for refusals of the field."""
    told = await asyncio.gather(*acts, return_exceptions=True)
    return [
        one
        for one in told
        if isinstance(one, BaseException) and (isinstance(one, Unavailable) or not isinstance(one, FollowUpError))
    ]


async def test_a_change_of_numbers_beside_an_infusion_of_the_same_person_never_deadlocks(on_postgres: Ward) -> None:
    ward, first = on_postgres, reserve_number()
    known = await ward.infuse("2015-03-04", patient={"identifiers": [first], "name": "Test Testsson"})
    patient = known["patient_id"]

    async def patched(n: int) -> None:
        stands = await ward.do(patients.get, patient, writing=False)
        change = PatientChange.model_validate({"identifiers": [first, reserve_number()]})
        await ward.do(patients.change, patient, change, stands["version"])

    def infused(n: int) -> Any:
        return ward.infuse(
            f"{2016 + n % 10}-0{1 + n // 10}-04",
            patient={"identifiers": [first], "name": "Test Testsson"},
            new_course=True,
        )

    assert await outcomes(*(act(n) for n in range(PAIRS) for act in (patched, infused))) == []


async def _crossing(ward: Ward, times: int) -> tuple[list[Any], int]:
    """Two transactions that take two locks in opposite order, the second one waiting until the first has its own:
    PostgreSQL ends one of them."""
    tries, met = count(), asyncio.Barrier(2)

    async def crossing(names: tuple[str, str]) -> str:
        async def work() -> str:
            nth = next(tries)
            async with transaction.begin(ward.db, ward.actor, Clock(ward.today)) as tx:
                await _lock(tx, names[0])
                if nth < times:
                    await met.wait()
                await _lock(tx, names[1])
                return names[0]

        return await once_more(work)

    return await asyncio.gather(crossing(("a", "b")), crossing(("b", "a")), return_exceptions=True), next(tries)


async def _lock(tx: Transaction, name: str) -> None:
    await tx.first(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def test_what_still_deadlocks_is_tried_again_once(on_postgres: Ward) -> None:
    done, tries = await _crossing(on_postgres, times=2)
    assert (done, tries) == (["a", "b"], 3)


async def test_a_second_deadlock_is_told_as_unavailable() -> None:
    tries = count()

    async def work() -> None:
        next(tries)
        raise Deadlock

    with pytest.raises(Unavailable):
        await once_more(work)
    assert next(tries) == 2
