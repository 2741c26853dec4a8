"""What the due list tells beside the visit: the latest contact, and whether a person must decide."""

from datetime import date
from uuid import UUID

from app.db.visits import DueFilter, _page
from app.followup import due_list
from app.followup.commands import Ask
from tests.followup.ward import Ward, code


async def listed(ward: Ward, **wanted: object) -> list[dict]:
    page = await ward.do(due_list.due, DueFilter(**wanted), Ask(50, ward.today), writing=False)
    return list(page.items)


async def test_a_reported_death_asks_for_a_decision_until_somebody_answers_otherwise(ward):
    ward.today = date(2026, 5, 1)
    told = await ward.infuse("2025-05-04", discharged_on="2025-05-18")
    y01 = code(told, "Y01")
    await ward.tried(y01, "2026-05-01", "relative", "deceased-reported")
    (row,) = await listed(ward)
    assert (row["needs_decision"], row["last_contact"]["outcome"], row["patient"]["name"]) == (
        "deceased-reported",
        "deceased-reported",
        "Test Testsson",
    )
    await ward.happens(told["patient_id"], "deceased", "2026-04-30")
    assert await listed(ward) == []


async def test_two_windows_in_a_row_ask_for_a_decision(ward):
    ward.today = date(2021, 6, 20)
    told = await ward.infuse("2021-05-04", discharged_on="2021-05-18")
    ward.today = date(2023, 8, 1)
    rows = {row["code"]: row["needs_decision"] for row in await listed(ward)}
    assert rows == {"W4": "overdue-twelve-months", "Y01": "overdue-twelve-months", "Y02": "two-windows-missed"}
    await ward.done(code(told, "Y01"), "2022-05-04")
    rows = {row["code"]: row["needs_decision"] for row in await listed(ward)}
    assert rows == {"W4": "overdue-twelve-months", "Y02": None}


async def test_the_list_is_narrowed_as_asked(ward):
    ward.today = date(2026, 5, 1)
    told = await ward.infuse("2025-05-04", discharged_on="2025-05-18")
    await ward.infuse("2025-05-04", product="onasemnogene-abeparvovec")
    assert len(await listed(ward)) == 2
    assert [row["infusion_id"] for row in await listed(ward, product="axicabtagene-ciloleucel")] == [told["id"]]
    assert await listed(ward, booked=True) == []
    assert await listed(ward, due_to=date(2026, 5, 2)) == []
    assert len(await listed(ward, patient=told["patient_id"], code="Y01")) == 1
    assert await listed(ward, status=("lost",)) == []


async def test_no_day_no_cursor_and_no_patient_makes_a_statement_anew(ward):
    told = await ward.infuse("2025-03-04")

    async def asked(day: date, patient: UUID, after: UUID) -> None:
        for wanted in (DueFilter(due_to=day), DueFilter(patient=patient), DueFilter(opens_to=day, code="Y01")):
            for place in (None, (day, after)):
                await ward.do(due_list.due, wanted, Ask(50, day, place), writing=False)

    await asked(date(2026, 5, 1), told["patient_id"], told["id"])
    made = _page.cache_info().misses
    await asked(date(2027, 6, 2), told["id"], told["patient_id"])
    assert _page.cache_info().misses == made
