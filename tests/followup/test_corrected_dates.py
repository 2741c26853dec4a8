"""Dates that are mended or come late, through the acts: what people decided is judged by the dates as now known
(contract 3, rule 4)."""

from datetime import date

import pytest

from app.db.visits import DueFilter
from app.errors import Conflict, Invalid, StaleVersion
from app.followup import due_list, figures, infusions, patients, visits
from app.followup.commands import Ask, Reason
from app.planning.visits import VisitState
from tests.followup.ward import Ward, code

BOTH = ["window_not_open", "nearer_to_next"]
DECISIONS = DueFilter(
    state=tuple(VisitState), status=("in-follow-up", "lost", "plan-ended"), needs_decision=("decided-before-window",)
)


async def corrected(ward: Ward, infusion: dict, **told: object) -> dict:
    now = await ward.do(infusions.get, infusion["id"], writing=False)
    return await ward.do(infusions.correct, infusion["id"], infusions.Correction.model_validate(told), now["version"])


async def confirmed(ward: Ward, visit: dict) -> dict:
    now = await ward.visit(visit["id"])
    return await ward.do(
        visits.confirm, visit["id"], visits.Confirmed(codes=["window_not_open"]), version=now["version"]
    )


async def to_decide(ward: Ward) -> list[str]:
    page = await ward.do(due_list.due, DECISIONS, Ask(50, ward.today, count=True), writing=False)
    assert page.total == len(page.items)
    assert {item["needs_decision"] for item in page.items} <= {"decided-before-window"}
    return [item["code"] for item in page.items]


async def entered_in_2021(ward: Ward, centre: str, infused_on: str) -> dict:
    """An infusion entered in March 2021, W4 done in April 2021, Y04 in March 2025."""
    ward.today = date(2021, 3, 5)
    told = await ward.infuse(infused_on, centre=centre, by=ward.member("lund", "umea"))
    for name, on in (("W4", "2021-04-16"), ("Y04", "2025-03-04")):
        ward.today = date.fromisoformat(on)
        await ward.done(code(told, name), on, confirm=BOTH)
    return told


def told_apart(visit: dict) -> dict:
    own = {"id", "version", "plan_id", "infusion_id", "patient_id", "centre", "confirmed_for"}
    return {name: value for name, value in visit.items() if name not in own}


async def test_an_infusion_typed_a_year_late_and_corrected_is_as_entered_rightly(ward):
    ward.actor = ward.member("lund", "umea")
    typed = await entered_in_2021(ward, "lund", "2021-03-04")
    right = await entered_in_2021(ward, "umea", "2020-03-04")
    ward.today = date(2026, 11, 24)
    answer = await corrected(ward, typed, infused_on="2020-03-04")
    assert answer["warnings"] == ["done_outside_window"]
    assert [
        (v["code"], v["completed_on"].isoformat(), v["fits"] and v["fits"]["code"])
        for v in answer["done_outside_window"]
    ] == [
        ("W4", "2021-04-16", "Y01"),
        ("Y04", "2025-03-04", "Y05"),
    ]
    w4, y04, y05 = (code(answer, name) for name in ("W4", "Y04", "Y05"))
    assert (w4["target_on"].isoformat(), w4["on_time"], w4["completed_on"].isoformat()) == (
        "2020-04-15",
        False,
        "2021-04-16",
    )
    assert (y04["target_on"].isoformat(), y04["on_time"], y05["target_on"].isoformat()) == (
        "2024-03-04",
        False,
        "2025-03-04",
    )
    mended, plain = [await ward.follow_up(told["patient_id"]) for told in (typed, right)]
    assert [told_apart(v) for v in mended["visits"]] == [told_apart(v) for v in plain["visits"]]
    lund, umea = [await ward.do(figures.centre, name, None, writing=False) for name in ("lund", "umea")]
    assert (lund["completeness"], lund["on_time"], lund["visits"]) == (
        umea["completeness"],
        umea["on_time"],
        umea["visits"],
    )
    assert lund["on_time"] == {"on_time": 0, "done": 2, "percent": 0.0}
    assert await to_decide(ward) == []


async def done_before_its_window(ward: Ward) -> dict:
    """A response check done while no discharge was known, and a discharge that comes later and moves the window behind
    that day."""
    ward.today = date(2025, 4, 15)
    told = await ward.infuse("2025-03-04")
    await ward.done(code(told, "W4"), "2025-04-15")
    ward.today = date(2025, 5, 20)
    await corrected(ward, told, discharged_on="2025-05-02")
    return told


async def test_a_late_discharge_asks_about_a_check_that_was_done_before_it(ward):
    told = await done_before_its_window(ward)
    w4 = await ward.visit(code(told, "W4")["id"])
    assert (w4["provisional"], w4["waits_for"], w4["on_time"]) == (False, None, False)
    assert (w4["window_start"].isoformat(), w4["completed_on"].isoformat()) == ("2025-05-23", "2025-04-15")
    assert await to_decide(ward) == ["W4"]


async def test_a_confirmation_ends_the_question_until_the_window_moves_again(ward):
    told = await done_before_its_window(ward)
    first = await confirmed(ward, code(told, "W4"))
    assert await to_decide(ward) == []
    again = await ward.do(visits.confirm, first["id"], visits.Confirmed(codes=["window_not_open"]), version=None)
    assert (again["version"], again["state"]) == (first["version"], "completed")
    await corrected(ward, told, discharged_on="2025-05-09")
    assert await to_decide(ward) == ["W4"]
    with pytest.raises(StaleVersion):
        await ward.do(
            visits.confirm, first["id"], visits.Confirmed(codes=["window_not_open"]), version=first["version"]
        )
    await confirmed(ward, code(told, "W4"))
    assert await to_decide(ward) == []


async def test_a_confirmation_given_when_it_was_done_holds_for_that_window_only(ward):
    ward.today = date(2025, 4, 1)
    told = await ward.infuse("2025-03-04", discharged_on="2025-03-18")
    await ward.done(code(told, "W4"), "2025-04-01", confirm=["window_not_open"])
    assert await to_decide(ward) == []
    await corrected(ward, told, discharged_on="2025-03-20")
    assert await to_decide(ward) == ["W4"]
    await corrected(ward, told, discharged_on="2025-03-18")
    assert await to_decide(ward) == []


async def test_reopening_ends_the_question_too(ward):
    told = await done_before_its_window(ward)
    reopened = await ward.reopened(code(told, "W4"))
    assert (reopened["state"], await to_decide(ward)) == ("planned", [])


async def test_a_visit_declared_missed_before_its_window_as_it_stands_now_asks_too(ward):
    ward.today = date(2026, 2, 10)
    told = await ward.infuse("2025-03-04", discharged_on="2025-03-18")
    y01 = code(told, "Y01")
    await ward.do(visits.miss, y01["id"], Reason(reason="abroad"), version=y01["version"])
    ward.today = date(2026, 2, 20)
    await corrected(ward, told, infused_on="2025-03-10")
    assert await to_decide(ward) == []  # the window opens on 8 February now: it was open when the word was said
    await corrected(ward, told, infused_on="2025-03-15")
    assert await to_decide(ward) == ["Y01"]
    await confirmed(ward, y01)
    assert await to_decide(ward) == []
    assert code(await ward.follow_up(told["patient_id"]), "Y01")["missed_reason"] == "abroad"


@pytest.mark.parametrize("ended", ["deceased", "withdrawn", "reinfusion"])
async def test_nobody_is_asked_where_nothing_is_followed_any_more(ward, ended):
    told = await done_before_its_window(ward)
    if ended == "reinfusion":
        await ward.infuse("2025-05-19", patient_id=told["patient_id"], new_course=True)
    else:
        await ward.happens(told["patient_id"], ended, "2025-05-19")
    assert await to_decide(ward) == []


async def test_somebody_who_is_looked_for_is_asked_about(ward):
    told = await done_before_its_window(ward)
    for on, channel in (("2025-05-17", "phone"), ("2025-05-18", "letter"), ("2025-05-19", "phone")):
        await ward.tried(code(told, "W4"), on, channel)
    await ward.happens(told["patient_id"], "lost-to-follow-up", "2025-05-20")
    assert await to_decide(ward) == ["W4"]


async def test_what_was_not_closed_before_its_window_cannot_be_confirmed(ward):
    told = await ward.infuse("2025-03-04", discharged_on="2025-03-18")
    with pytest.raises(Conflict, match="nothing_to_confirm"):
        await confirmed(ward, code(told, "Y05"))
    await ward.done(code(told, "Y01"), "2026-03-04")
    with pytest.raises(Conflict, match="nothing_to_confirm"):
        await confirmed(ward, code(told, "Y01"))


async def without_a_window(ward: Ward) -> tuple[dict, dict]:
    """A second infusion takes the protocol of the first, its D28 is done, and then it turns out to be the earlier one,
    which has a W4 instead."""
    first = await ward.infuse("2020-03-04", protocols=["ltfu-15y-d28"])
    second = await ward.infuse("2024-03-04", patient_id=first["patient_id"])
    await ward.done(code(second, "D28"), "2024-04-01")
    await ward.done(code(second, "Y01"), "2025-03-04")
    return second, await corrected(ward, second, infused_on="2019-03-04")


async def test_a_visit_that_its_plan_no_longer_has_keeps_its_day_and_counts_in_no_figure(ward):
    second, answer = await without_a_window(ward)
    d28 = code(answer, "D28")
    nothing = ("target_on", "window_start", "window_end", "suggested_on", "on_time")
    assert {d28[name] for name in nothing} == {None}
    assert (d28["state"], d28["completed_on"].isoformat(), d28["days_overdue"]) == ("completed", "2024-04-01", 0)
    assert [(v["code"], v["window_end"] and v["window_end"].isoformat()) for v in answer["done_outside_window"]] == [
        ("Y01", "2020-05-03"),
        ("D28", None),
    ]
    summary = await ward.do(figures.centre, "lund", None, writing=False)
    assert summary["on_time"] == {"on_time": 0, "done": 1, "percent": 0.0}
    assert summary["visits"]["completed"] == 1
    whole = await ward.follow_up(second["patient_id"])
    assert whole["last_seen_on"].isoformat() == "2025-03-04"
    assert [(v["code"], v["window_end"]) for v in whole["visits"]][-1] == ("D28", None)
    assert await to_decide(ward) == []


async def test_a_list_shows_what_has_no_window_last_and_once_on_whatever_page(ward):
    await without_a_window(ward)
    other = await ward.infuse("2023-03-04")
    await ward.done(code(other, "Y01"), "2024-03-04")
    wanted = DueFilter(state=(VisitState.COMPLETED, VisitState.DUE), status=DECISIONS.status)
    shown, after = [], None
    while True:
        page = await ward.do(due_list.due, wanted, Ask(1, ward.today, after), writing=False)
        shown += [(item["code"], item["window_end"]) for item in page.items]
        if (after := page.next) is None:
            break
    windows = [end for _, end in shown]
    assert windows[:-1] == sorted(windows[:-1])
    assert shown[-1] == ("D28", None)
    assert [name for name, _ in shown].count("D28") == 1
    narrowed = DueFilter(state=(VisitState.COMPLETED,), status=DECISIONS.status, due_to=date(2030, 1, 1))
    page = await ward.do(due_list.due, narrowed, Ask(50, ward.today), writing=False)
    assert sorted(item["code"] for item in page.items) == ["Y01", "Y01"]


async def test_a_birth_date_that_is_mended_moves_a_hand_over_that_was_done(ward):
    ward.today = date(2026, 8, 31)
    number = {"system": "reservnummer", "value": "TESTNR999001"}
    child = {"identifiers": [number], "name": "Test Testsson", "birth_date": "2008-08-31"}
    told = await ward.infuse("2024-02-10", patient=child)
    await ward.done(code(told, "T18"), "2026-08-31")
    person = await ward.do(patients.get, told["patient_id"], writing=False)
    change = patients.PatientChange.model_validate({"birth_date": "2009-08-31"})
    answer = await ward.do(patients.change, told["patient_id"], change, person["version"])
    assert answer["warnings"] == ["done_outside_window"]
    assert [(v["code"], v["window_start"].isoformat()) for v in answer["done_outside_window"]] == [
        ("T18", "2027-03-04")
    ]
    assert await to_decide(ward) == ["T18"]


async def test_a_booking_outside_a_window_that_has_moved_is_gone_whether_the_visit_was_open_or_closed_then(ward):
    """The same facts in another order give the same visit (rule 4)."""
    told = []
    for closed_meanwhile in (False, True):
        ward.today = date(2026, 11, 24)
        infusion = await ward.infuse("2025-10-20")
        visit = code(infusion, "Y01")
        await ward.do(
            visits.book,
            visit["id"],
            visits.Booking.model_validate({"booked_on": "2027-03-01"}),
            version=visit["version"],
        )
        if closed_meanwhile:
            await ward.done(visit, "2026-11-20")
        dropped = (await corrected(ward, infusion, infused_on="2025-10-19"))["dropped_bookings"]
        if closed_meanwhile:
            await ward.reopened(visit)
        told.append([len(dropped), (await ward.visit(visit["id"]))["booked_on"]])
    assert told == [[1, None], [0, None]]


async def test_an_infusion_is_corrected_though_what_it_continues_has_been_voided_since(ward):
    first = await ward.infuse("2025-03-04")
    second = await ward.infuse("2025-04-04", patient_id=first["patient_id"], continues=first["id"])
    now = await ward.do(infusions.get, first["id"], writing=False)
    await ward.do(infusions.void, first["id"], Reason(reason="another person"), now["version"])
    assert (await corrected(ward, second, infused_on="2025-04-03"))["infused_on"] == date(2025, 4, 3)
    with pytest.raises(Invalid) as unknown:
        await ward.infuse("2025-06-04", patient_id=first["patient_id"], continues=first["id"])
    assert unknown.value.errors[0].code == "unknown_infusion"
