"""Recording, repeating, correcting and voiding infusions (contract 3, rules 1 to 7, 10 and 11), on both databases."""

from datetime import date

import pytest

from app.actor import Role
from app.errors import Conflict, Invalid, NotFound, NotYourCentre, StaleVersion, VersionRequired
from app.followup import infusions, previews, recording
from app.followup.commands import Reason
from app.followup.infusion_fields import Correction, NewInfusion
from tests.followup.ward import code, reserve_number

SOURCE = {"system": "cosmic-lund", "id": "proc-8841"}


async def test_an_infusion_has_its_plan_and_sixteen_visits(ward):
    told = await ward.infuse("2025-03-04")
    assert [v["code"] for v in told["visits"]] == ["W4", *[f"Y{n:02}" for n in range(1, 16)]]
    assert (told["follow_up_until"], told["infusion_number"], told["course_number"], told["reinfusion"]) == (
        date(2040, 3, 4),
        1,
        1,
        False,
    )
    assert [(p["protocol"], p["class"], p["state"]) for p in told["plans"]] == [
        ({"code": "ltfu-15y", "version": 1}, "gene-modified-cells", "active")
    ]
    assert code(told, "W4")["missed_reason"] == "before-registration"


async def test_a_product_without_a_protocol_is_stored_without_a_plan(ward):
    told = await ward.infuse("2025-03-04", product="keratinocytes-autologous")
    assert (told["plans"], told["visits"], told["follow_up_until"]) == ([], [], None)


def message(**told):
    """A system's message about one infusion."""
    body = {
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2025-03-04",
        "source": SOURCE,
    }
    return NewInfusion.model_validate(body | {"patient": {"identifiers": [PERSON], "name": "Test Testsson"}} | told)


PERSON = reserve_number()


async def test_the_same_message_again_changes_nothing_and_a_null_filled_in_is_a_correction(ward):
    first = await ward.do(recording.record, message())
    again = await ward.do(recording.record, message())
    assert (first.created, again.created, again.infusion["version"]) == (True, False, 1)
    filled = await ward.do(recording.record, message(discharged_on="2025-03-25"))
    assert (filled.created, filled.infusion["version"], code(filled.infusion, "W4")["target_on"]) == (
        False,
        2,
        date(2025, 4, 22),
    )
    late = await ward.do(recording.record, message())  # the first message, delivered once more
    assert (late.infusion["version"], late.infusion["discharged_on"]) == (2, date(2025, 3, 25))


async def test_a_changed_value_is_refused_with_id_and_version(ward):
    first = await ward.do(recording.record, message())
    with pytest.raises(Conflict) as refused:
        await ward.do(recording.record, message(infused_on="2025-03-05"))
    assert refused.value.facts == {"infusion_id": str(first.infusion["id"]), "version": 1, "changed": ["infused_on"]}


async def test_many_at_once_make_one(ward):
    import asyncio

    told = await asyncio.gather(*[ward.do(recording.record, message()) for _ in range(6)])
    assert [t.created for t in told].count(True) == 1
    assert len({t.infusion["id"] for t in told}) == 1


async def test_a_reinfusion_supersedes_and_its_void_brings_back(ward):
    ward.today = date(2021, 6, 10)
    first = await ward.infuse("2021-05-04", discharged_on="2021-05-18")
    ward.today = date(2025, 10, 1)
    second = await ward.infuse("2025-09-10", discharged_on="2025-09-24", patient_id=first["patient_id"])
    whole = await ward.follow_up(first["patient_id"])
    reasons = [v["cancel_reason"] or v["missed_reason"] for v in whole["visits"] if v["infusion_id"] == first["id"]]
    assert (second["reinfusion"], reasons.count("superseded"), reasons.count("closed-before-reinfusion")) == (
        True,
        11,
        5,
    )
    voided = await ward.do(infusions.void, second["id"], Reason(reason="fel patient"), second["version"])
    assert (voided["voided"], {v["cancel_reason"] for v in voided["visits"]}) == (True, {"entered-in-error"})
    whole = await ward.follow_up(first["patient_id"])
    states = [v["state"] for v in whole["visits"] if v["infusion_id"] == first["id"]]
    assert states == ["overdue"] * 5 + ["planned"] * 11
    assert len(whole["alerts"]) == 5


async def test_a_booking_in_the_new_window_stays_and_one_outside_is_dropped_and_told(ward):
    from app.followup import visits

    told = await ward.infuse("2026-03-04", discharged_on="2026-03-18")
    for name, day in (("Y01", "2027-03-01"), ("Y02", "2028-05-02")):
        booking = visits.Booking.model_validate({"booked_on": day})
        await ward.do(visits.book, code(told, name)["id"], booking, version=1)
    moved = await ward.do(infusions.correct, told["id"], Correction.model_validate({"infused_on": "2026-02-20"}), 1)
    assert code(moved, "Y01")["booked_on"] == date(2027, 3, 1)
    assert [(d["code"], d["booked_on"]) for d in moved["dropped_bookings"]] == [("Y02", date(2028, 5, 2))]


async def test_a_correction_needs_the_version_that_was_read_and_a_repeated_one_does_not(ward):
    told = await ward.infuse("2026-03-04")
    fix = Correction.model_validate({"batch": "SE-1"})
    with pytest.raises(VersionRequired):
        await ward.do(infusions.correct, told["id"], fix, None)
    with pytest.raises(StaleVersion):
        await ward.do(infusions.correct, told["id"], fix, 7)
    assert (await ward.do(infusions.correct, told["id"], fix, 1))["version"] == 2
    assert (await ward.do(infusions.correct, told["id"], fix, 1))["version"] == 2


async def test_another_class_is_voided_and_recorded_anew(ward):
    told = await ward.infuse("2026-03-04")
    with pytest.raises(Conflict, match="other_class"):
        await ward.do(
            infusions.correct, told["id"], Correction.model_validate({"product": "onasemnogene-abeparvovec"}), 1
        )


async def test_after_a_death_no_infusion_and_for_the_withdrawn_none_until_reinstated(ward):
    told = await ward.infuse("2026-03-04")
    await ward.happens(told["patient_id"], "withdrawn", "2026-05-01")
    with pytest.raises(Conflict, match="patient_withdrawn"):
        await ward.infuse("2026-09-01", patient_id=told["patient_id"])
    await ward.happens(told["patient_id"], "reinstated", "2026-06-01")
    await ward.infuse("2026-09-01", patient_id=told["patient_id"])
    with pytest.raises(Conflict, match="death_before_done"):
        await ward.happens(told["patient_id"], "deceased", "2026-08-01")
    await ward.happens(told["patient_id"], "deceased", "2026-10-01")
    with pytest.raises(Conflict, match="after_death"):
        await ward.infuse("2026-11-01", patient_id=told["patient_id"])


async def test_visits_done_before_are_taken_with_a_late_entry(ward):
    done = [{"protocol": "ltfu-15y", "code": "Y01", "completed_on": "2026-03-02"}]
    told = await ward.infuse("2025-03-04", completed=done)
    assert (code(told, "Y01")["state"], code(told, "Y01")["on_time"]) == ("completed", True)
    with pytest.raises(Invalid) as refused:
        await ward.infuse("2025-03-04", completed=[done[0] | {"code": "Y99"}])
    assert refused.value.errors[0].field == "completed.0.code"


async def test_every_fault_is_told_at_once_and_nothing_is_stored(ward):
    with pytest.raises(Invalid) as refused:
        await ward.infuse(
            "2027-03-04", centre="malmo", product="yescarta2", discharged_on="2025-01-01", protocols=["nope"]
        )
    assert {(e.field, e.code) for e in refused.value.errors} == {
        ("centre", "unknown_centre"), ("product", "unknown_product"), ("protocols.0", "unknown_protocol"),
        ("infused_on", "date_in_future"), ("discharged_on", "before_infusion"),
    }  # fmt: skip
    assert await ward.events() == []


@pytest.mark.parametrize(
    ("product", "named", "field"),
    [
        ("axicabtagene-ciloleucel", ["aav-5y"], "protocols.0"),
        ("axicabtagene-ciloleucel", ["cibmtr-15y", "genome-editing-15y"], "protocols.1"),
        ("onasemnogene-abeparvovec", ["se-childhood-transition"], "protocols.0"),
        ("keratinocytes-autologous", ["aav-15y"], "protocols.0"),
    ],
)
async def test_a_protocol_is_not_followed_for_a_product_of_a_class_that_it_does_not_serve(ward, product, named, field):
    with pytest.raises(Invalid) as refused:
        await ward.infuse("2025-03-04", product=product, protocols=named)
    assert [(e.field, e.code) for e in refused.value.errors] == [(field, "other_class")]


async def test_the_second_eye_within_90_days_continues_the_course(ward):
    first = await ward.infuse("2026-01-12", product="voretigene-neparvovec")
    second = await ward.infuse("2026-04-12", product="voretigene-neparvovec", patient_id=first["patient_id"])
    assert (second["course_number"], second["reinfusion"]) == (1, False)


# ---- whose patient it is ----


async def test_a_known_person_is_joined_and_the_infusing_centre_becomes_responsible(ward):
    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    first = await ward.infuse("2024-03-04", patient=person)
    umea = ward.member("umea")
    preview = await ward.do(
        previews.preview,
        NewInfusion.model_validate(
            {
                "centre": "umea",
                "product": "axicabtagene-ciloleucel",
                "context": "SOC",
                "infused_on": "2026-10-01",
                "patient": person,
            }
        ),
        by=umea,
        writing=False,
    )
    assert (preview["known_elsewhere"], preview["changes"], preview["dropped_bookings"]) == (True, [], [])
    second = await ward.infuse("2026-10-01", centre="umea", patient=person | {"name": "Test Annan"}, by=umea)
    assert (second["patient_id"], second["warnings"]) == (first["patient_id"], ["name_differs"])
    seen_in_lund = await ward.follow_up(first["patient_id"])
    assert seen_in_lund["responsible_centre"] == "umea"
    assert {v["infusion_id"] for v in seen_in_lund["visits"]} == {first["id"]}


async def test_a_foreign_patient_is_not_there_and_a_foreign_centre_is_not_ones_own(ward):
    told = await ward.infuse("2026-03-04")
    umea = ward.member("umea")
    with pytest.raises(NotFound):
        await ward.do(infusions.get, told["id"], by=umea, writing=False)
    with pytest.raises(NotFound):
        await ward.infuse("2026-10-01", centre="umea", patient_id=told["patient_id"], by=umea)
    with pytest.raises(NotYourCentre):
        await ward.infuse("2026-03-04", by=umea)


async def test_a_preview_stores_nothing_and_says_what_recording_does(ward):
    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    first = await ward.infuse("2021-05-04", patient=person)
    body = {
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2026-09-10",
        "patient": person,
    }
    preview = await ward.do(previews.preview, NewInfusion.model_validate(body), writing=False)
    assert {change["why"] for change in preview["changes"]} == {"superseded"}
    assert len((await ward.follow_up(first["patient_id"]))["visits"]) == 16
    second = await ward.infuse("2026-09-10", patient=person)
    assert [(v["code"], v["target_on"]) for v in second["visits"]] == [
        (v["code"], v["target_on"]) for v in preview["visits"]
    ]


async def test_a_system_tells_its_own_id(ward):
    system = ward.member("lund", role=Role.INTEGRATION)
    with pytest.raises(Invalid) as refused:
        await ward.infuse("2026-03-04", by=system)
    assert [(e.field, e.code) for e in refused.value.errors] == [("source", "source_required")]


async def test_a_split_dose_continues_by_itself(ward):
    first = await ward.infuse("2026-01-12", product="obecabtagene-autoleucel")
    second = await ward.infuse(
        "2026-01-21", product="obecabtagene-autoleucel", patient_id=first["patient_id"], discharged_on="2026-02-04"
    )
    assert (second["infusion_number"], second["course_number"], second["reinfusion"]) == (2, 1, False)
    assert code(second, "W4")["target_on"] == date(2026, 3, 4)


async def test_an_older_infusion_entered_late_takes_its_place(ward):
    late = await ward.infuse("2025-09-10", protocols=["ltfu-15y-d28"])
    older = await ward.infuse("2021-05-04", patient_id=late["patient_id"])
    now = await ward.do(infusions.get, late["id"], writing=False)
    assert (older["infusion_number"], now["infusion_number"], now["reinfusion"]) == (1, 2, True)
    assert {p["state"] for p in older["plans"]} == {"replaced"}


@pytest.mark.parametrize(("older", "left"), [("ltfu-15y-plus", []), ("ltfu-15y-d28", [("W4", "entered-in-error")])])
async def test_a_visit_of_the_protocol_followed_before_stays_and_has_its_code_as_label(ward, older, left):
    later = await ward.infuse("2025-09-10", discharged_on="2025-10-01")
    await ward.infuse("2021-05-04", patient_id=later["patient_id"], protocols=[older])
    told = [v for v in (await ward.follow_up(later["patient_id"]))["visits"] if v["infusion_id"] == later["id"]]
    assert {v["protocol"]["code"] for v in told} == {older}
    assert [(v["code"], v["cancel_reason"]) for v in told if v["label"]["sv"] == v["code"]] == left


async def test_the_history_tells_a_former_centre_of_its_own_and_nothing_of_a_protected_person(ward):
    from app.followup import audit, patients
    from app.followup.commands import Ask

    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    told = await ward.infuse("2026-03-04", patient=person)
    await ward.do(patients.change, told["patient_id"], patients.PatientChange.model_validate({"protected": True}), 1)
    ask = Ask(100, ward.today)
    whole = (await ward.do(audit.changes, told["patient_id"], ask, writing=False)).items
    assert {row["kind"] for row in whole} >= {"patient", "infusion"}
    assert all(value is None for row in whole if row["kind"] == "patient" for value in (row["after"] or {}).values())
    await ward.happens(told["patient_id"], "transferred", "2026-10-01", centre="umea")
    own = (await ward.do(audit.changes, told["patient_id"], ask, writing=False)).items
    assert {row["kind"] for row in own} <= {"infusion", "visit", "plan"}


async def test_what_another_centre_recorded_decides_here_too(ward):
    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    told = await ward.infuse("2024-03-04", patient=person)
    await ward.happens(told["patient_id"], "deceased", "2026-01-01")
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.infuse("2026-03-04", centre="umea", patient=person, by=ward.member("umea"))
    assert (await ward.follow_up(told["patient_id"]))["status"] == "deceased"


async def test_a_preview_tells_a_former_centre_of_its_own_visits_only(ward):
    umea = ward.member("umea")
    ward.today = date(2024, 5, 4)
    known = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    mine = await ward.infuse("2022-05-04", centre="umea", by=umea, patient=known)
    await ward.infuse("2024-05-04", patient=known)
    ward.today = date(2026, 11, 24)
    asked = {
        "centre": "umea",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2026-11-20",
        "patient_id": mine["patient_id"],
    }
    told = await ward.do(previews.preview, NewInfusion.model_validate(asked), by=umea, writing=False)
    own = {visit["id"] for visit in mine["visits"]}
    assert {change["visit_id"] for change in told["changes"]} <= own
    everything = await ward.do(previews.preview, NewInfusion.model_validate(asked | {"centre": "lund"}), writing=False)
    assert {change["visit_id"] for change in everything["changes"]} - own


async def test_a_phone_that_the_same_source_fills_in_is_a_correction_and_another_name_is_not(ward):
    from app.followup import patients

    first = await ward.do(recording.record, message())
    again = await ward.do(
        recording.record, message(patient={"identifiers": [PERSON], "name": "Test Testsson", "phone": "+46701740605"})
    )
    assert not again.created
    assert (await ward.do(patients.get, first.infusion["patient_id"], writing=False))["phone"] == "+46701740605"
    with pytest.raises(Conflict, match="source_conflict") as refused:
        await ward.do(recording.record, message(patient={"identifiers": [PERSON], "name": "Annat Namn"}))
    assert refused.value.facts["changed"] == ["patient.name"]


async def test_a_visit_done_after_the_death_is_refused_with_both_dates(ward):
    told = await ward.infuse("2024-03-04")
    await ward.happens(told["patient_id"], "deceased", "2026-01-01")
    done = [{"protocol": "ltfu-15y", "code": "Y01", "completed_on": "2026-02-01"}]
    with pytest.raises(Conflict, match="after_death") as refused:
        await ward.infuse("2025-03-04", patient_id=told["patient_id"], completed=done)
    assert refused.value.facts == {"completed_on": "2026-02-01", "died_on": "2026-01-01"}


async def test_what_was_corrected_here_and_is_told_so_by_the_sender_is_no_conflict(ward):
    first = await ward.do(recording.record, message())
    await ward.do(infusions.correct, first.infusion["id"], Correction.model_validate({"infused_on": "2025-03-05"}), 1)
    again = await ward.do(recording.record, message(infused_on="2025-03-05"))
    assert (again.created, again.infusion["version"]) == (False, 2)


async def test_planning_s_own_words_are_not_a_persons_reason(ward):
    from app.followup import visits

    told = await ward.infuse("2025-11-04")
    w4 = code(told, "W4")
    for word in ("before-registration", "closed-before-death"):
        with pytest.raises(Invalid, match="reserved_reason"):
            await ward.do(visits.miss, w4["id"], Reason(reason=word), version=1)


async def test_care_taken_up_again_long_ago_does_not_stand_in_the_way_of_a_visit_done_before_death(ward):
    ward.today = date(2012, 3, 1)
    told = await ward.infuse("2012-02-20", discharged_on="2012-02-20")
    ward.today = date(2019, 12, 1)
    await ward.happens(told["patient_id"], "withdrawn", "2016-04-19")
    await ward.happens(told["patient_id"], "reinstated", "2017-05-15")
    await ward.happens(told["patient_id"], "deceased", "2019-03-01")
    assert (await ward.done(code(told, "Y07"), "2019-03-01"))["state"] == "completed"
    with pytest.raises(Conflict, match="closed_by_event"):
        await ward.done(code(told, "Y05"), "2017-03-01")
    assert (await ward.done(code(told, "Y04"), "2016-04-18"))["state"] == "completed"


async def test_a_visit_done_after_a_loss_and_told_with_an_infusion_ends_the_loss(ward):
    ward.today = date(2025, 3, 4)
    first = await ward.infuse("2024-03-04")
    for on, channel in ("2025-02-20", "phone"), ("2025-02-21", "letter"), ("2025-02-22", "phone"):
        await ward.tried(code(first, "Y01"), on, channel)
    await ward.happens(first["patient_id"], "lost-to-follow-up", "2025-03-04")
    ward.today = date(2026, 11, 24)
    told = [{"protocol": "ltfu-15y", "code": "Y01", "completed_on": "2026-10-04"}]
    await ward.infuse("2024-01-04", patient_id=first["patient_id"], new_course=True, completed=told)
    assert (await ward.follow_up(first["patient_id"]))["status"] == "in-follow-up"
