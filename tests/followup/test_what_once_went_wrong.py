"""Lives that the service once told wrongly, each from its first day on, and what must hold in the end; on both
databases. A new one is a function below with the mark `life`, named as the sentence that was not true. The numbers are
those of the rules in contract 3."""

from collections.abc import Awaitable, Callable
from datetime import date

import pytest

from app.db.transaction import Transaction
from app.db.visits import LONGEST_OPEN, DueFilter
from app.errors import Conflict, Invalid
from app.followup import catalogue, contacts, decisions, due_list, health, infusions, visits
from app.followup.commands import Ask, Reason
from app.followup.contacts import NewContact
from app.followup.decisions import NewDecision, UndecidedFilter
from app.planning.protocol import Protocol
from app.planning.visits import VisitState
from tests.followup.ward import Ward, code, reserve_number

Life = Callable[[Ward], Awaitable[None]]
LIVES: list[Life] = []


def life(told: Life) -> Life:
    """The mark of a life."""
    LIVES.append(told)
    return told


@pytest.mark.parametrize("told", LIVES, ids=lambda told: told.__name__)
async def test_a_life_is_told_rightly(ward: Ward, told: Life) -> None:
    await told(ward)


# ---- Corrected and late dates (4) ------------------------------------------------------------------------------------


@life
async def what_was_done_is_judged_by_the_corrected_year(ward: Ward) -> None:
    ward.today = date(2021, 4, 16)
    given = await ward.infuse("2021-03-04")
    await ward.done(code(given, "W4"), "2021-04-16")
    ward.today = date(2026, 11, 24)
    await ward.do(infusions.correct, given["id"], infusions.Correction.model_validate({"infused_on": "2020-03-04"}), 1)
    now = await ward.follow_up(given["patient_id"])
    w4, y04, y05 = (code(now, name) for name in ("W4", "Y04", "Y05"))
    assert (w4["target_on"], w4["on_time"], w4["completed_on"]) == (date(2020, 4, 15), False, date(2021, 4, 16))
    assert (y04["target_on"], y05["target_on"]) == (date(2024, 3, 4), date(2025, 3, 4))


@life
async def a_check_done_before_a_discharge_that_came_later_is_asked_about(ward: Ward) -> None:
    ward.today = date(2025, 4, 15)
    given = await ward.infuse("2025-03-04")
    await ward.done(code(given, "W4"), "2025-04-15")
    ward.today = date(2025, 5, 20)
    await ward.do(
        infusions.correct, given["id"], infusions.Correction.model_validate({"discharged_on": "2025-05-02"}), 1
    )
    w4 = code(await ward.follow_up(given["patient_id"]), "W4")
    assert (w4["on_time"], w4["waits_for"]) == (False, None)
    asked = DueFilter(state=tuple(VisitState), needs_decision=("decided-before-window",))
    listed = await ward.do(due_list.due, asked, Ask(20, ward.today), writing=False)
    assert [(item["id"], item["needs_decision"]) for item in listed.items] == [(w4["id"], "decided-before-window")]


# ---- What ends, and what is taken back (7) ---------------------------------------------------------------------------


@life
async def a_second_taking_back_leaves_an_old_withdrawal_as_it_was(ward: Ward) -> None:
    patient = (await ward.infuse("2024-03-04"))["patient_id"]
    for kind, on in (
        ("withdrawn", "2024-06-01"),
        ("reinstated", "2025-06-01"),
        ("deceased", "2026-03-01"),
        ("deceased", "2026-03-02"),
    ):
        await ward.happens(patient, kind, on)
    await ward.happens(patient, "reinstated", "2026-04-01", entered_in_error=True)
    before = (await ward.follow_up(patient))["visits"]
    with pytest.raises(Conflict, match="nothing_to_take_back"):
        await ward.happens(patient, "reinstated", "2026-04-02", entered_in_error=True)
    assert (await ward.follow_up(patient))["visits"] == before


@life
async def an_old_visit_entered_late_does_not_find_somebody_who_is_lost(ward: Ward) -> None:
    given = await ward.infuse("2022-03-04")
    for on, channel in ("2026-11-01", "phone"), ("2026-11-02", "letter"), ("2026-11-03", "phone"):
        await ward.tried(code(given, "Y04"), on, channel)
    await ward.happens(given["patient_id"], "lost-to-follow-up", "2026-11-10")
    await ward.done(code(given, "Y01"), "2023-03-06", confirm=["nearer_to_next"])
    assert (await ward.follow_up(given["patient_id"]))["status"] == "lost"
    await ward.done(code(given, "Y04"), "2026-11-12", confirm=["nearer_to_next"])
    assert (await ward.follow_up(given["patient_id"]))["status"] == "in-follow-up"


# ---- Nothing ends in silence (17) ------------------------------------------------------------------------------------


async def _undecided(ward: Ward) -> dict[str, str]:
    page = await ward.do(decisions.undecided, UndecidedFilter(), Ask(50, ward.today), writing=False)
    return {item["id"]: item["needs_decision"] for item in page.items}


@life
async def an_infusion_whose_next_visit_lies_far_ahead_or_nowhere_puts_its_patient_on_the_list(ward: Ward) -> None:
    long_ago = await ward.infuse("2012-03-04")
    over = await ward.infuse("2009-03-04")
    mistyped = await ward.infuse("2006-11-20")
    without = await ward.infuse("2026-11-20", product="keratinocytes-autologous", context="HE")
    assert [told["warnings"] for told in (long_ago, over, mistyped, without)] == [
        ["late_entry"],
        ["late_entry", "follow_up_over"],
        ["late_entry", "follow_up_over"],
        [],
    ]
    assert await _undecided(ward) == {
        long_ago["patient_id"]: "no-contact",
        over["patient_id"]: "no-plan",
        mistyped["patient_id"]: "no-plan",
        without["patient_id"]: "no-plan",
    }


@life
async def after_year_fifteen_somebody_is_asked_and_the_visits_go_on(ward: Ward) -> None:
    given = await ward.infuse("2011-11-20")
    await ward.done(code(given, "Y15"), "2026-11-23")
    assert await _undecided(ward) == {given["patient_id"]: "plan-ended"}
    await ward.do(
        decisions.decide,
        given["patient_id"],
        NewDecision.model_validate({"decision": "extend", "protocol": "ltfu-15y-plus"}),
    )
    told = await ward.follow_up(given["patient_id"])
    assert (await _undecided(ward), told["status"], told["next_visit"]["code"]) == ({}, "in-follow-up", "Y16")


# ---- Classes of protocols (18) ---------------------------------------------------------------------------------------


@life
async def a_protocol_serves_its_classes_and_the_second_eye_goes_on_with_the_first(ward: Ward) -> None:
    for product, protocol in (
        ("axicabtagene-ciloleucel", "aav-5y"),
        ("onasemnogene-abeparvovec", "se-childhood-transition"),
    ):
        with pytest.raises(Invalid) as refused:
            await ward.infuse("2026-01-12", product=product, protocols=[protocol])
        assert [(fault.field, fault.code) for fault in refused.value.errors] == [("protocols.0", "other_class")]
    first = await ward.infuse("2026-01-12", product="voretigene-neparvovec")
    second = await ward.infuse("2026-02-12", product="voretigene-neparvovec", patient_id=first["patient_id"])
    assert (second["course_number"], second["reinfusion"]) == (1, False)


# ---- What cannot have been (6, 7) ------------------------------------------------------------------------------------


@life
async def nobody_is_discharged_after_death_nor_leaves_care_before_it_began(ward: Ward) -> None:
    patient = (given := await ward.infuse("2026-03-04"))["patient_id"]
    for kind, told in ("withdrawn", {}), ("lost-to-follow-up", {}), ("transferred", {"centre": "umea"}):
        with pytest.raises(Invalid, match="before_infusion"):
            await ward.happens(patient, kind, "2026-03-03", **told)
    await ward.happens(patient, "deceased", "2026-03-10")
    with pytest.raises(Conflict, match="after_death"):
        await ward.do(
            infusions.correct, given["id"], infusions.Correction.model_validate({"discharged_on": "2026-03-11"}), 1
        )


# ---- Attempts and reports (8) ----------------------------------------------------------------------------------------


@life
async def one_call_sent_twice_and_a_letter_are_two_attempts(ward: Ward) -> None:
    given = await ward.infuse("2025-03-04")
    visit = code(given, "Y01")
    for told in ("phone", "phone", "letter"):
        await ward.tried(visit, "2026-11-20", told)
    with pytest.raises(Conflict, match="too_few_attempts") as refused:
        await ward.happens(given["patient_id"], "lost-to-follow-up", "2026-11-24")
    assert refused.value.facts == {"attempts": 2, "channels": 2}
    await ward.tried(visit, "2026-11-21", "phone", "busy")
    await ward.happens(given["patient_id"], "lost-to-follow-up", "2026-11-24")


@life
async def a_death_reported_on_the_wrong_row_is_ended_on_a_later_day(ward: Ward) -> None:
    patient = (await ward.infuse("2025-11-01"))["patient_id"]
    report = NewContact.model_validate({"channel": "relative", "outcome": "deceased-reported"})
    await ward.do(contacts.log, patient, report)
    assert await _undecided(ward) == {patient: "deceased-reported"}
    await ward.sweep("2026-12-01")
    await ward.do(decisions.decide, patient, NewDecision.model_validate({"decision": "not-deceased"}))
    assert await _undecided(ward) == {}


# ---- What is told again (1) ------------------------------------------------------------------------------------------

SOURCE = {"system": "journal-lund", "id": "proc-1"}


@life
async def what_is_stored_is_known_to_a_process_before_midnight(ward: Ward) -> None:
    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    ward.today = date(2026, 11, 25)
    first = await ward.infuse("2026-11-25", patient=person, source=SOURCE)
    ward.today = date(2026, 11, 24)
    assert (await ward.infuse("2026-11-25", patient=person, source=SOURCE))["id"] == first["id"]


@life
async def a_repeat_that_tells_another_person_writes_nothing_to_the_first(ward: Ward) -> None:
    number = reserve_number()
    first = await ward.infuse("2025-03-04", source=SOURCE)
    other = {"identifiers": [number], "name": "Annat Namn"}
    for told in {"patient": other}, {"patient_id": first["patient_id"], "patient": other}:
        with pytest.raises(Conflict, match="source_conflict"):
            await ward.infuse("2025-03-04", source=SOURCE, **told)
    own = await ward.infuse("2025-03-04", patient=other)
    assert own["patient_id"] != first["patient_id"]
    assert "name_differs" not in own["warnings"]


@life
async def a_repeat_keeps_what_it_fills_in_and_a_voided_row_frees_its_id(ward: Ward) -> None:
    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    await ward.infuse("2025-03-04", patient=person, source=SOURCE)
    filled = await ward.infuse("2025-03-04", patient=person, source=SOURCE, protocols=["ltfu-15y-d28"])
    assert [plan["protocol"]["code"] for plan in filled["plans"]] == ["ltfu-15y-d28"]
    await ward.do(infusions.void, filled["id"], Reason(reason="wrong day"), filled["version"])
    assert (await ward.infuse("2025-03-05", patient=person, source=SOURCE))["id"] != filled["id"]


# ---- The list and the plan (4, 13) -----------------------------------------------------------------------------------


@life
async def no_window_is_longer_than_the_list_looks_ahead(ward: Ward) -> None:
    async def shipped(tx: Transaction) -> list[Protocol]:
        return list((await catalogue.protocols(tx)).values())

    rules = [rule for protocol in await ward.do(shipped, writing=False) for rule in protocol.rules]
    assert rules
    assert max(rule.before + rule.after for rule in rules) <= LONGEST_OPEN.days


@life
async def what_was_booked_and_said_about_an_open_visit_survives_a_correction(ward: Ward) -> None:
    given = await ward.infuse("2025-11-20")
    visit = code(given, "Y01")
    await ward.do(visits.book, visit["id"], visits.Booking.model_validate({"booked_on": "2026-12-01"}), version=1)
    await ward.tried(visit, "2026-11-23", "phone")
    await ward.do(infusions.correct, given["id"], infusions.Correction.model_validate({"infused_on": "2025-11-21"}), 1)
    (listed,) = [item for item in await ward.listed() if item["id"] == visit["id"]]
    assert (listed["booked_on"], listed["last_contact"]["channel"]) == (date(2026, 12, 1), "phone")


@life
async def the_last_sweep_tells_how_many_it_raised(ward: Ward) -> None:
    await ward.infuse("2025-12-01")
    raised = await ward.sweep("2027-06-01")
    assert raised > 0
    assert (await ward.do(health.health, 15, writing=False)).raised == raised
