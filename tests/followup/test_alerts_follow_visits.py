"""An alert is raised, resolved and opened again in the transaction that changes its visit (contract 3, rules 8 to 10
and 13)."""

import pytest

from app.errors import Conflict
from app.followup import alerts, visits
from app.followup.commands import Reason
from tests.followup.ward import Ward, code


async def overdue(ward: Ward) -> dict:
    """A patient whose Y01 (window to 2026-05-03) is overdue and flagged; W4 is done."""
    ward.today = ward.today.replace(year=2025, month=4, day=20)
    told = await ward.infuse("2025-03-04", discharged_on="2025-03-18")
    await ward.done(code(told, "W4"), "2025-04-15", response="CR")
    assert await ward.sweep("2026-05-03") == 0
    assert await ward.sweep("2026-05-04") == 1
    return told


async def test_a_sweep_raises_once_and_completing_closes_it(ward):
    told = await overdue(ward)
    assert await ward.sweep("2026-05-04") == 0
    done = await ward.done(code(told, "Y01"), "2026-05-01")
    assert (done["state"], done["on_time"]) == ("completed", True)
    assert await ward.events() == [
        ("visit.overdue", "Y01", "open", None),
        ("alert.resolved", "Y01", "resolved", "completed"),
    ]


async def test_undoing_raises_it_again_at_once(ward):
    told = await overdue(ward)
    await ward.done(code(told, "Y01"), "2026-05-01")
    again = await ward.reopened(code(told, "Y01"))
    assert again["state"] == "overdue"
    assert [kind for kind, *_ in await ward.events()] == ["visit.overdue", "alert.resolved", "visit.overdue"]


async def test_a_death_closes_every_alert_and_none_is_raised_again(ward):
    told = await overdue(ward)
    await ward.happens(told["patient_id"], "deceased", "2026-05-04")
    whole = await ward.follow_up(told["patient_id"])
    assert (whole["status"], whole["alerts"]) == ("deceased", [])
    assert code(whole, "Y01")["missed_reason"] == "closed-before-death"
    assert await ward.sweep("2030-01-01") == 0
    await ward.happens(told["patient_id"], "reinstated", "2030-01-01", entered_in_error=True)
    assert {a["code"] for a in (await ward.follow_up(told["patient_id"]))["alerts"]} == {"Y01", "Y02", "Y03", "Y04"}


async def test_a_transfer_closes_the_alert_here_and_raises_it_there(ward):
    told = await overdue(ward)
    await ward.happens(told["patient_id"], "transferred", "2026-05-04", centre="goteborg")
    kinds = [(kind, by) for kind, _, _, by in await ward.events()]
    assert kinds == [("visit.overdue", None), ("alert.resolved", "transferred"), ("visit.overdue", None)]
    whole = await ward.follow_up(told["patient_id"])  # Lund gave the infusion and still sees its plan
    assert (whole["responsible_centre"], code(whole, "Y01")["centre"], whole["alerts"][0]["centre"]) == (
        "goteborg",
        "goteborg",
        "goteborg",
    )


async def lost(ward: Ward) -> dict:
    told = await overdue(ward)
    y01 = code(told, "Y01")
    for on, channel in (("2026-05-01", "phone"), ("2026-05-02", "letter"), ("2026-05-03", "phone")):
        await ward.tried(y01, on, channel)
    await ward.happens(told["patient_id"], "lost-to-follow-up", "2026-05-04")
    return told


async def test_a_lost_patients_alerts_wait_acknowledged_and_open_when_found(ward):
    told = await lost(ward)
    await ward.sweep("2027-05-04")
    whole = await ward.follow_up(told["patient_id"])
    assert (whole["status"], [(a["code"], a["state"], a["acknowledged_by"]) for a in whole["alerts"]]) == (
        "lost", [("Y01", "acknowledged", None), ("Y02", "acknowledged", None)],
    )  # fmt: skip
    await ward.done(code(told, "Y02"), "2027-05-04")
    whole = await ward.follow_up(told["patient_id"])
    assert (whole["status"], [(a["code"], a["state"]) for a in whole["alerts"]]) == ("in-follow-up", [("Y01", "open")])
    assert [kind for kind, *_ in await ward.events()] == [
        "visit.overdue", "alert.acknowledged", "visit.overdue", "alert.resolved", "alert.reopened",
    ]  # fmt: skip


async def test_what_a_person_acknowledged_stays_so_when_the_patient_is_found(ward):
    told = await overdue(ward)
    alert = (await ward.follow_up(told["patient_id"]))["alerts"][0]
    for _ in range(2):
        acknowledged = await ward.do(alerts.acknowledge, alert["id"], Reason(reason="ringer i morgon"))
    assert (acknowledged["state"], acknowledged["acknowledged_by"]) == ("acknowledged", ward.actor.name)
    for on, channel in (("2026-05-01", "phone"), ("2026-05-02", "letter"), ("2026-05-03", "phone")):
        await ward.tried(code(told, "Y01"), on, channel)
    await ward.happens(told["patient_id"], "lost-to-follow-up", "2026-05-04")
    await ward.happens(told["patient_id"], "reinstated", "2026-05-04")
    assert [kind for kind, *_ in await ward.events()] == ["visit.overdue", "alert.acknowledged"]


async def test_lost_needs_three_attempts_through_two_channels_since_last_heard_of(ward):
    told = await overdue(ward)
    for on, channel, outcome in (
        ("2026-05-01", "phone", "no-answer"), ("2026-05-02", "letter", "no-answer"), ("2026-05-02", "phone",
         "will-come"),
        ("2026-05-03", "phone", "busy"), ("2026-05-03", "phone", "no-answer"), ("2026-05-04", "phone", "wrong-number"),
    ):  # fmt: skip
        await ward.tried(code(told, "Y01"), on, channel, outcome)
    with pytest.raises(Conflict, match="too_few_attempts"):
        await ward.happens(told["patient_id"], "lost-to-follow-up", "2026-05-04")
    await ward.tried(code(told, "Y01"), "2026-05-04", "letter")
    await ward.happens(told["patient_id"], "lost-to-follow-up", "2026-05-04")


async def test_followed_elsewhere_has_open_visits_and_no_alerts(ward):
    told = await overdue(ward)
    await ward.happens(told["patient_id"], "followed-elsewhere", "2026-05-04", where="Oslo")
    whole = await ward.follow_up(told["patient_id"])
    assert (code(whole, "Y01")["state"], whole["alerts"]) == ("overdue", [])
    assert await ward.sweep("2028-01-01") == 0
    await ward.happens(told["patient_id"], "reinstated", "2028-01-01")
    assert len((await ward.follow_up(told["patient_id"]))["alerts"]) == 2


async def test_a_corrected_date_moves_open_visits_and_their_alerts(ward):
    from app.followup import infusions

    told = await overdue(ward)
    fix = infusions.Correction.model_validate({"infused_on": "2025-03-10"})
    moved = await ward.do(infusions.correct, told["id"], fix, told["version"])
    assert (code(moved, "Y01")["window_end"].isoformat(), code(moved, "Y01")["state"]) == ("2026-05-09", "due")
    assert code(moved, "W4")["target_on"].isoformat() == "2025-04-15"
    assert [(kind, by) for kind, _, _, by in await ward.events()] == [
        ("visit.overdue", None),
        ("alert.resolved", "replanned"),
    ]
    assert await ward.sweep("2026-05-10") == 1


async def test_a_clock_that_goes_back_and_on_again_loses_no_alert(ward):
    told = await overdue(ward)
    assert await ward.sweep("2025-10-16") == 0
    await ward.do(
        visits.book, code(told, "Y02")["id"], visits.Booking.model_validate({"booked_on": "2027-03-04"}), version=1
    )
    assert len((await ward.follow_up(told["patient_id"]))["alerts"]) == 1
    assert await ward.sweep("2026-05-04") == 0
    assert await ward.sweep("2027-06-01") == 1
    assert [kind for kind, *_ in await ward.events()] == ["visit.overdue", "visit.overdue"]


async def test_two_sweeps_at_once_raise_nothing_twice(ward):
    import asyncio

    from app.clock import Clock
    from app.followup import batches

    ward.today = ward.today.replace(year=2025, month=4, day=20)
    for _ in range(5):
        await ward.infuse("2025-03-04")
    ward.today = ward.today.replace(year=2028)
    await asyncio.gather(*[batches.sweep(ward.db, Clock(ward.today)) for _ in range(4)])
    assert len(await ward.events()) == 5 * 3


async def test_a_resolved_alert_is_not_acknowledged(ward):
    told = await overdue(ward)
    alert = (await ward.follow_up(told["patient_id"]))["alerts"][0]
    await ward.done(code(told, "Y01"), "2026-05-01")
    with pytest.raises(Conflict, match="alert_resolved"):
        await ward.do(alerts.acknowledge, alert["id"], Reason(reason="för sent"))
