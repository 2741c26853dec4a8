"""A person whom another centre follows: an infusion joins them, or is refused without a word of why (contract 3, rule
11), on both databases."""

from datetime import date

import pytest
from sqlalchemy import event, func, select

from app.db import tables
from app.db.transaction import Transaction
from app.errors import Conflict, Invalid
from app.followup import decisions, infusions, patients, previews, recording
from app.followup.commands import Ask
from app.followup.decisions import UndecidedFilter
from app.followup.infusion_fields import Correction, NewInfusion
from app.followup.patients import PatientChange
from app.planning.decisions import Undecided
from tests.followup.ward import Ward, code, reserve_number

UMEA = Ward.member("umea")


def person(number, **told):
    return {"identifiers": [number], "name": "Test Testsson"} | told


def message(number, infused_on, **told):
    body = {
        "centre": "umea",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": infused_on,
        "patient": person(number),
    }
    return NewInfusion.model_validate(body | told)


async def dead(ward, patient):
    await ward.happens(patient, "deceased", "2026-09-01")


async def withdrawn(ward, patient):
    await ward.happens(patient, "withdrawn", "2026-09-01")


async def nothing(ward, patient):
    pass


DONE_LATE = [{"protocol": "ltfu-15y", "code": "W4", "completed_on": "2026-11-01"}]
COLLISIONS = {
    "after the death": (dead, "2026-10-01", {}),
    "done after the death": (dead, "2026-08-30", {"completed": DONE_LATE}),
    "while withdrawn": (withdrawn, "2026-10-01", {}),
    "on the same day": (nothing, "2026-03-04", {}),
    "within 30 days": (nothing, "2026-03-20", {}),
}


async def logged(ward, patient):
    """Who was refused an infusion of the patient."""

    async def read(tx: Transaction):
        log, of = tables.access_log.c, tables.access_log_patients.c
        query = (
            select(log.actor, log.what)
            .join(tables.access_log_patients, of.log_id == log.id)
            .where(of.patient_id == patient)
        )
        rows = await tx.all(query.where(log.what.contains("refused")))
        return {tuple(row) for row in rows}

    return await ward.do(read, writing=False)


async def to_decide(ward, by=None):
    """The patients whose refused infusions are to be decided on, as the caller sees them."""
    found = await ward.do(
        decisions.undecided, UndecidedFilter((Undecided.INFUSION_REFUSED,)), Ask(50, ward.today), by=by, writing=False
    )
    return [(item["id"], item["needs_decision"], item["since"]) for item in found.items]


@pytest.mark.parametrize("collision", COLLISIONS)
async def test_what_does_not_fit_is_refused_without_why_and_left_to_the_responsible_centre(ward, collision):
    happened, infused_on, told = COLLISIONS[collision]
    number = reserve_number()
    patient = (await ward.infuse("2026-03-04", patient=person(number)))["patient_id"]
    await happened(ward, patient)
    for act, writing in ((previews.preview, False), (recording.record, True)):
        with pytest.raises(Conflict) as refused:
            await ward.do(act, message(number, infused_on, **told), by=UMEA, writing=writing)
        assert (refused.value.code, refused.value.field, refused.value.errors, refused.value.facts) == (
            "known_elsewhere",
            "",
            (),
            {},
        )
        assert refused.value.detail == refused.value.title()
    assert await to_decide(ward) == [(patient, "infusion-refused", ward.today)]
    assert await to_decide(ward, by=UMEA) == []
    assert {(UMEA.name, "infusion: refused, known_elsewhere")} <= await logged(ward, patient)


async def test_a_preview_alone_leaves_the_row_too(ward):
    number = reserve_number()
    patient = (await ward.infuse("2026-03-04", patient=person(number)))["patient_id"]
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.do(previews.preview, message(number, "2026-03-04"), by=UMEA, writing=False)
    assert [row[0] for row in await to_decide(ward)] == [patient]


async def test_reinstating_ends_the_row_and_the_same_message_is_then_taken(ward):
    number = reserve_number()
    patient = (await ward.infuse("2026-03-04", patient=person(number)))["patient_id"]
    await withdrawn(ward, patient)
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.do(recording.record, message(number, "2026-10-01"), by=UMEA)
    await ward.happens(patient, "reinstated", "2026-09-15")
    assert await to_decide(ward) == []
    taken = await ward.do(recording.record, message(number, "2026-10-01"), by=UMEA)
    assert (taken.created, taken.infusion["patient_id"]) == (True, patient)


async def test_a_correction_ends_the_row_too(ward):
    number = reserve_number()
    mine = await ward.infuse("2026-10-01", patient=person(number))
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.do(recording.record, message(number, "2026-10-01"), by=UMEA)
    await ward.do(infusions.correct, mine["id"], Correction.model_validate({"infused_on": "2025-10-01"}), 1)
    assert await to_decide(ward) == []
    assert (await ward.do(recording.record, message(number, "2026-10-01"), by=UMEA)).created


async def test_a_corrected_number_ends_the_row_and_a_phone_does_not(ward):
    one, other, right = reserve_number(), reserve_number(), reserve_number()
    known = [(await ward.infuse("2026-03-04", patient=person(number)))["patient_id"] for number in (one, other)]
    both = message(one, "2026-10-01", patient=person(one) | {"identifiers": [one, other]})
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.do(recording.record, both, by=UMEA)
    assert {row[0] for row in await to_decide(ward)} == set(known)
    await ward.do(patients.change, known[0], PatientChange.model_validate({"phone": "+46701740605"}), 1)
    assert {row[0] for row in await to_decide(ward)} == set(known)
    await ward.do(patients.change, known[0], PatientChange.model_validate({"identifiers": [right]}), 2)
    assert [row[0] for row in await to_decide(ward)] == known[1:]


async def test_a_new_course_joins_and_both_sides_logs_tell_it(ward):
    number = reserve_number()
    patient = (await ward.infuse("2026-03-04", patient=person(number)))["patient_id"]
    preview = await ward.do(previews.preview, message(number, "2026-03-20", new_course=True), by=UMEA, writing=False)
    assert (preview["known_elsewhere"], preview["changes"], preview["dropped_bookings"], preview["warnings"]) == (
        True,
        [],
        [],
        [],
    )
    taken = await ward.do(recording.record, message(number, "2026-03-20", new_course=True), by=UMEA)
    assert (taken.infusion["patient_id"], await to_decide(ward, by=UMEA)) == (patient, [])


async def test_what_a_centre_knows_itself_is_told_with_its_reason_and_the_rest_is_not(ward):
    number = reserve_number()
    ward.today = date(2024, 5, 4)
    mine = await ward.do(recording.record, message(number, "2024-03-04"), by=UMEA)
    ward.today = date(2026, 11, 24)
    patient = (await ward.infuse("2026-03-04", patient=person(number)))["patient_id"]
    await dead(ward, patient)
    with pytest.raises(Conflict, match="same_day"):
        await ward.do(recording.record, message(number, "2024-03-04"), by=UMEA)
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.do(recording.record, message(number, "2026-03-04"), by=UMEA)
    for moved in ("2026-10-01", "2026-03-04", "2026-03-20"):
        with pytest.raises(Conflict) as refused:
            await ward.do(
                infusions.correct, mine.infusion["id"], Correction.model_validate({"infused_on": moved}), 1, by=UMEA
            )
        assert (refused.value.code, refused.value.facts) == ("known_elsewhere", {})


# ---- numbers ----


async def test_numbers_of_two_persons_and_a_taken_number_tell_nothing_of_another_centres_patient(ward):
    theirs, own, third = reserve_number(), reserve_number(), reserve_number()
    foreign = (await ward.infuse("2026-03-04", patient=person(theirs)))["patient_id"]
    mine = await ward.do(recording.record, message(own, "2026-03-04"), by=UMEA)
    both = person(theirs) | {"identifiers": [own, theirs]}
    with pytest.raises(Conflict) as refused:
        await ward.do(recording.record, message(own, "2026-10-01", patient=both), by=UMEA)
    assert (refused.value.code, refused.value.errors) == ("known_elsewhere", ())
    assert [row[0] for row in await to_decide(ward)] == [foreign]
    change = patients.PatientChange.model_validate({"identifiers": [own, theirs]})
    with pytest.raises(Conflict, match="known_elsewhere"):
        await ward.do(patients.change, mine.infusion["patient_id"], change, 1, by=UMEA)
    assert {(UMEA.name, f"{kind}: refused, known_elsewhere") for kind in ("infusion", "patient")} <= await logged(
        ward, foreign
    )
    # Of one's own patients all is told.
    await ward.do(recording.record, message(third, "2026-03-04"), by=UMEA)
    change = patients.PatientChange.model_validate({"identifiers": [own, third]})
    with pytest.raises(Conflict, match="number_taken"):
        await ward.do(patients.change, mine.infusion["patient_id"], change, 1, by=UMEA)
    with pytest.raises(Conflict, match="identifiers_disagree"):
        await ward.do(
            recording.record, message(own, "2026-10-01", patient=person(own) | {"identifiers": [own, third]}), by=UMEA
        )


async def test_a_coordination_number_that_somebody_else_has_tells_nothing_of_them(ward):
    number = {"system": "samordningsnummer", "value": "19701063-2391"}
    await ward.infuse("2026-03-04", patient=person(number, birth_date="1970-10-03"))
    other = person(number, name="Annat Namn", birth_date="1971-01-01")
    with pytest.raises(Conflict) as refused:
        await ward.do(recording.record, message(number, "2026-10-01", patient=other), by=UMEA)
    assert (refused.value.code, refused.value.errors) == ("known_elsewhere", ())


async def test_the_search_of_a_foreign_number_asks_what_that_of_an_unknown_one_asks(ward):
    foreign = reserve_number()
    await ward.infuse("2026-03-04", patient=person(foreign))
    asked = []

    def heard(conn, cursor, statement, parameters, context, executemany):
        asked.append(statement)

    statements = []
    event.listen(ward.db.read.sync_engine, "before_cursor_execute", heard)
    event.listen(ward.db.write.sync_engine, "before_cursor_execute", heard)
    for number in (foreign, reserve_number()):
        asked.clear()
        found = await ward.do(
            patients.search, patients.Search.model_validate({"identifier": number}), by=UMEA, writing=False
        )
        assert found["items"] == []
        statements.append(tuple(asked))
    assert statements[0] == statements[1] != ()


async def test_nothing_of_a_refused_infusion_is_stored_but_the_row_and_the_log(ward):
    number = reserve_number()
    told = await ward.infuse("2026-03-04", patient=person(number))

    async def count(tx: Transaction):
        return [
            await tx.scalar(select(func.count()).select_from(table))
            for table in (tables.infusions, tables.visits, tables.history)
        ]

    before = await ward.do(count, writing=False)
    with pytest.raises(Conflict):
        await ward.do(
            recording.record, message(number, "2026-03-20", patient=person(number, phone="+46701740605")), by=UMEA
        )
    assert await ward.do(count, writing=False) == before
    assert code(await ward.follow_up(told["patient_id"]), "Y01")["centre"] == "lund"


@pytest.mark.parametrize("has_own", [False, True])
async def test_an_infusion_that_the_centre_does_not_see_is_named_as_little_as_one_that_is_not_there(ward, has_own):
    number, told = reserve_number(), []
    if has_own:
        await ward.do(recording.record, message(number, "2022-03-04"), by=UMEA)
    theirs = await ward.infuse("2026-03-04", patient=person(number))
    for unseen in (theirs["id"], "01890000-0000-7000-8000-000000000000"):
        for act in (recording.record, previews.preview):
            with pytest.raises(Invalid) as refused:
                await ward.do(act, message(number, "2026-03-20", continues=str(unseen)), by=UMEA)
            told.append([(fault.field, fault.code) for fault in refused.value.errors])
    assert told == [[("continues", "unknown_infusion")]] * 4
