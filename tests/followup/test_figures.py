"""Completeness and counts on a day: facts dated up to it, as known today (domain.md 5)."""

from datetime import date

from app.followup import figures, visits
from app.followup.commands import Reason
from tests.followup.ward import Ward, code


async def summary(ward: Ward, as_of: str, centre: str = "lund") -> dict:
    return await ward.do(figures.centre, centre, date.fromisoformat(as_of), writing=False)


async def test_each_percentage_has_its_fraction_and_counts_only_closed_windows(ward):
    ward.today = date(2025, 4, 20)
    told = await ward.infuse("2025-03-04", discharged_on="2025-03-18")
    await ward.done(code(told, "W4"), "2025-04-15")
    ward.today = date(2028, 8, 1)
    await ward.done(code(told, "Y01"), "2026-06-10")  # late
    missed = await ward.visit(code(told, "Y02")["id"])
    await ward.do(visits.miss, missed["id"], Reason(reason="ville inte"), version=missed["version"])
    now = await summary(ward, "2028-08-01")
    assert now["completeness"] == {"done": 2, "closed": 4, "percent": 50.0}
    assert now["on_time"] == {"on_time": 1, "done": 2, "percent": 50.0}
    assert now["visits"] == {"planned": 12, "due": 0, "overdue": 1, "completed": 2, "missed": 1, "not_required": 0}
    before = await summary(ward, "2026-05-10")
    assert before["completeness"] == {"done": 1, "closed": 2, "percent": 50.0}
    assert before["visits"] == {"planned": 14, "due": 0, "overdue": 1, "completed": 1, "missed": 0, "not_required": 0}


async def test_what_was_missed_before_registration_is_in_no_completeness(ward):
    await ward.infuse("2019-11-20", discharged_on="2019-12-06")
    now = await summary(ward, "2026-11-24")
    assert (now["completeness"]["closed"], now["visits"]["missed"], now["visits"]["due"]) == (0, 7, 1)
    assert (await summary(ward, "2019-12-24"))["visits"]["missed"] == 0


async def test_a_visit_counts_for_the_centre_responsible_when_its_window_ended(ward):
    ward.today = date(2024, 4, 20)
    told = await ward.infuse("2024-03-04", discharged_on="2024-03-18")
    await ward.done(code(told, "W4"), "2024-04-15")
    ward.today = date(2026, 11, 24)
    await ward.done(code(told, "Y01"), "2025-03-04")
    await ward.happens(told["patient_id"], "transferred", "2026-06-15", centre="goteborg")
    here = (await summary(ward, "2026-11-24"))["completeness"]
    ward.actor = ward.member("goteborg")
    there = (await summary(ward, "2026-11-24", "goteborg"))["completeness"]
    assert (here["done"], here["closed"], there["closed"]) == (2, 3, 0)


async def test_patients_followed_elsewhere_stand_on_a_line_of_their_own(ward):
    ward.today = date(2024, 3, 4)
    told = await ward.infuse("2024-03-04", discharged_on="2024-03-04")
    ward.today = date(2026, 11, 24)
    await ward.happens(told["patient_id"], "followed-elsewhere", "2024-03-05", where="Oslo")
    now = await summary(ward, "2026-11-24")
    assert (now["followed_elsewhere"], now["completeness"]["closed"]) == (1, 0)
