"""Imports: a dry run says what the real run will do and holds nobody up, and an import that dies says so."""

import asyncio
from contextlib import aclosing
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import Clock
from app.db import transaction
from app.db.imports import Item
from app.followup import imports
from app.followup.dry_run import TOGETHER, grouped
from app.followup.spreadsheet import COLUMNS, Row
from tests.api.conftest import number_of
from tests.followup.ward import Ward


def number(nth: int) -> str:
    """The personnummer of the nth person, who is nobody."""
    return number_of(date(1950 + nth // 20, 6, 4), nth)


def row(nth: int, person: int, infused_on: str, **changed: str) -> dict[str, str]:
    told = {
        "personnummer": number(person),
        "name": f"Test {person}",
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
    }
    return told | {"infused_on": infused_on, "source_system": "list", "source_id": f"r-{nth}"} | changed


def file(*rows: dict[str, str]) -> BytesIO:
    names = [*COLUMNS, "continues"]
    return BytesIO(
        "\n".join([",".join(names), *(",".join(told.get(name, "") for name in names) for told in rows)]).encode()
    )


# Rows that build on rows before them, each with what the real run says of it.
CHAIN = [
    (row(1, 1, "2024-03-04"), "accepted", None),
    (row(2, 1, "2024-03-20"), "rejected", "needs_continues"),  # within 30 days of row 1
    (row(3, 1, "2024-03-20", continues="r-1"), "accepted", None),
    (row(4, 2, "2024-05-02", continues="r-6"), "rejected", "unknown_infusion"),  # names a row that comes later
    (row(1, 1, "2024-03-04"), "unchanged", None),
    (row(6, 2, "2024-04-25"), "accepted", None),
    (row(1, 3, "2024-03-04"), "rejected", "source_conflict"),  # another person under the id of row 1
    (row(8, 3, "2024-06-03"), "accepted", None),
    (row(9, 4, "2024-07-01"), "accepted", None),
    (row(10, 5, "2024-07-09"), "rejected", "needs_continues"),  # person 5 is person 4, who has two numbers
    (row(11, 6, "03/04/2024"), "rejected", "bad_date"),
]


async def run(ward: Ward, data: BytesIO, *, dry_run: bool) -> list[Item]:
    job = await ward.do(imports.accept, await imports.read(data), dry_run)
    return [item async for item in imports.work(ward.db, ward.actor, Clock(ward.today), job)]


async def test_a_dry_run_says_of_rows_that_build_on_each_other_what_the_real_run_says(ward: Ward) -> None:
    numbers = [{"system": "personnummer", "value": number(nth)} for nth in (4, 5)]
    await ward.infuse("2015-03-04", patient={"identifiers": numbers, "name": "Test 4"})
    told = file(*(row for row, _, _ in CHAIN))
    dry = {item.row: (item.verdict, item.code) for item in await run(ward, BytesIO(told.getvalue()), dry_run=True)}
    real = {item.row: (item.verdict, item.code) for item in await run(ward, told, dry_run=False)}
    assert real == {number: (verdict, code) for number, (_, verdict, code) in enumerate(CHAIN, 1)}
    assert dry == real


async def test_whoever_waits_for_the_database_has_it_between_the_rows_of_a_dry_run(ward: Ward) -> None:
    job = await ward.do(imports.accept, await imports.read(file(*(row(n, n, "2024-03-04") for n in range(3)))), True)
    recorded = 0
    async with aclosing(imports.work(ward.db, ward.actor, Clock(ward.today), job)) as verdicts:
        async for item in verdicts:
            assert item.verdict == "accepted"
            await ward.infuse("2024-03-04")
            recorded += 1
    assert recorded == 3


async def test_more_rows_than_one_transaction_should_hold_are_not_judged_and_say_so(ward: Ward) -> None:
    rows = [row(1, n, "2024-03-04") for n in range(TOGETHER + 2)]
    items = sorted(await run(ward, file(*rows), dry_run=True), key=lambda item: item.row)
    assert [item.code for item in items] == [None, *["source_conflict"] * (TOGETHER - 1), *["not_judged"] * 2]


KEYS = st.sets(st.integers(0, 12).map(lambda n: ("key", n)), min_size=1, max_size=3)


@given(st.lists(KEYS, max_size=30))
def test_rows_that_share_anything_directly_or_by_others_are_judged_together(
    keys: list[set[tuple[object, ...]]],
) -> None:
    rows = [Row(n, {}) for n in range(len(keys))]
    together = [{row.number for row in group.rows} for group in grouped(rows, lambda row: keys[row.number])]
    assert sorted(number for group in together for number in group) == list(range(len(keys)))
    for group in together:
        reached, last = {min(group)}, set[int]()
        while reached != last:
            last = reached
            reached = reached | {n for n in group for m in reached if keys[n] & keys[m]}
        assert reached == group
        assert not any(keys[n] & keys[m] for n in group for m in range(len(keys)) if m not in group)


# ---- An import that dies ----


class Later(Clock):
    """The same day, some time on."""

    def now(self) -> datetime:
        return super().now() + imports.SILENT + timedelta(seconds=1)


async def report(ward: Ward, job: imports.Import, clock: Clock | None = None) -> dict[str, Any]:
    async with transaction.begin(ward.db, ward.actor, clock or Clock(ward.today), writing=False) as tx:
        return await imports.get(tx, job.id)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_import_that_is_stopped_says_so_at_once(ward: Ward, dry_run: bool) -> None:
    job = await ward.do(imports.accept, await imports.read(file(*(row(n, n, "2024-03-04") for n in range(3)))), dry_run)
    assert (await report(ward, job))["state"] == "running"
    async with aclosing(imports.work(ward.db, ward.actor, Clock(ward.today), job)) as verdicts:
        await anext(verdicts)
    told = await report(ward, job)
    assert (told["state"], told["total"], told["rows"]) == ("interrupted", 3, 0 if dry_run else 1)


async def test_an_import_that_is_not_heard_of_any_more_is_interrupted(ward: Ward) -> None:
    job = await ward.do(imports.accept, await imports.read(file(row(1, 1, "2024-03-04"))), False)
    assert (await report(ward, job))["state"] == "running"
    assert (await report(ward, job, Later(ward.today)))["state"] == "interrupted"
    assert [item.verdict async for item in imports.work(ward.db, ward.actor, Clock(ward.today), job)] == ["accepted"]
    assert (await report(ward, job, Later(ward.today)))["state"] == "finished"


async def test_a_large_file_is_read_while_others_are_served() -> None:
    rows = [row(n, n, "2024-03-04") for n in range(5)] * 2000
    reading, served = asyncio.ensure_future(imports.read(file(*rows))), 0
    while not reading.done():
        await asyncio.sleep(0)
        served += 1
    assert (len(await reading), served > 10) == (10_000, True)
