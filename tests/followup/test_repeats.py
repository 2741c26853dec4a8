"""What a sender tells again under its own id (contract 3, rules 1 and 5), on both databases."""

from datetime import date

import pytest
from sqlalchemy import func, select

from app.db import tables
from app.db.transaction import Transaction
from app.errors import Conflict, Invalid
from app.followup import infusions, patients, recording
from app.followup.commands import Reason
from app.followup.infusion_fields import NewInfusion
from app.followup.patients import NewEvent
from tests.followup.ward import reserve_number

SOURCE = {"system": "cosmic-lund", "id": "proc-8841"}


def person(number=None, **told):
    return {"identifiers": [number or reserve_number()], "name": "Test Testsson"} | told


def message(**told):
    body = {
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2025-03-04",
        "source": SOURCE,
    }
    return NewInfusion.model_validate(body | told)


async def rows(ward):
    """Everything that is stored of persons."""

    async def count(tx: Transaction):
        stored = (
            tables.patients,
            tables.patient_identifiers,
            tables.infusions,
            tables.visits,
            tables.history,
            tables.patient_events,
        )
        return [await tx.scalar(select(func.count()).select_from(table)) for table in stored]

    return await ward.do(count, writing=False)


# ---- who it is ----


@pytest.mark.parametrize("recorded_by", ["id", "numbers"])
async def test_a_repeat_that_tells_another_person_changes_nothing_whatever_it_names(ward, recorded_by):
    mine, unknown, known = reserve_number(), reserve_number(), reserve_number()
    a = await ward.infuse("2024-03-04", patient=person(mine))
    b = await ward.infuse("2024-05-04", patient=person(known))
    first = await ward.do(
        recording.record,
        message(**({"patient_id": a["patient_id"]} if recorded_by == "id" else {"patient": person(mine)})),
    )
    before = await rows(ward)
    for other in (
        {"patient": person(unknown)},
        {"patient": person(known)},
        {"patient": person(mine) | {"identifiers": [mine, unknown]}},
        {"patient": person(mine) | {"identifiers": [known, mine]}},
        {"patient_id": b["patient_id"]},
        {"patient_id": a["patient_id"], "patient": person(known)},
        {"patient_id": b["patient_id"], "patient": person(mine)},
    ):
        with pytest.raises(Conflict) as refused:
            await ward.do(recording.record, message(**other))
        assert (refused.value.code, refused.value.field) == ("source_conflict", "patient")
        assert refused.value.facts == {"infusion_id": str(first.infusion["id"]), "version": 1, "changed": ["patient"]}
    assert await rows(ward) == before
    # The unknown person's own infusion makes a patient of its own.
    c = await ward.infuse("2025-03-04", patient=person(unknown, name="Annat Namn"))
    assert c["patient_id"] not in (a["patient_id"], b["patient_id"])
    assert "name_differs" not in c["warnings"]


async def test_a_repeat_may_tell_the_same_person_by_id_or_by_another_number_of_theirs(ward):
    old, new = reserve_number(), reserve_number()
    first = await ward.do(recording.record, message(patient=person(old)))
    patient = first.infusion["patient_id"]
    await ward.do(patients.change, patient, patients.PatientChange.model_validate({"identifiers": [new]}), 1)
    for same in ({"patient": person(new)}, {"patient": person(old)}, {"patient_id": patient}):
        assert not (await ward.do(recording.record, message(**same))).created


async def test_a_name_that_was_never_told_is_no_conflict_and_differing_is_told(ward):
    number = reserve_number()
    known = await ward.infuse("2024-03-04", patient=person(number))
    await ward.do(recording.record, message(patient_id=known["patient_id"]))
    again = await ward.do(recording.record, message(patient=person(number, name="Annat Namn")))
    assert (again.created, again.infusion["warnings"]) == (False, ["name_differs"])


# ---- which day it is ----


async def test_what_is_stored_is_answered_by_a_process_whose_day_is_behind(ward):
    ward.today = date(2026, 11, 25)
    born_today = {"system": "personnummer", "value": "20261125-9819"}
    told = message(infused_on="2026-11-25", discharged_on="2026-11-25", patient=person(born_today))
    first = await ward.do(recording.record, told)
    event = NewEvent.model_validate(
        {"type": "relapse", "on": "2026-11-25", "source": {"system": "cosmic-lund", "id": "event-1"}}
    )
    known, _ = await ward.do(patients.report, first.infusion["patient_id"], event)
    ward.today = date(2026, 11, 24)
    again = await ward.do(recording.record, told)
    assert (again.created, again.infusion["id"]) == (False, first.infusion["id"])
    assert await ward.do(patients.report, first.infusion["patient_id"], event) == (known, False)
    with pytest.raises(Invalid) as refused:
        await ward.infuse("2026-11-25")
    assert [fault.code for fault in refused.value.errors] == ["date_in_future"]


async def test_what_a_repeat_fills_in_is_judged_against_today(ward):
    await ward.do(recording.record, message(patient=person(number := reserve_number())))
    for field, value, code in (
        ("discharged_on", "2026-11-25", "date_in_future"),
        ("protocols", ["nope"], "unknown_protocol"),
    ):
        with pytest.raises(Invalid) as refused:
            await ward.do(recording.record, message(patient=person(number), **{field: value}))
        assert [fault.code for fault in refused.value.errors] == [code]


# ---- what it fills in ----


async def test_protocols_that_a_repeat_fills_in_are_kept(ward):
    told = {"patient": person()}
    first = await ward.do(recording.record, message(**told))
    filled = await ward.do(recording.record, message(**told, protocols=["ltfu-15y-d28"]))
    assert [p["protocol"]["code"] for p in filled.infusion["plans"]] == ["ltfu-15y-d28"]
    assert [p["id"] for p in filled.infusion["plans"]] == [p["id"] for p in first.infusion["plans"]]
    again = await ward.do(recording.record, message(**told))
    assert (again.infusion["plans"], again.infusion["version"]) == (filled.infusion["plans"], 2)
    with pytest.raises(Conflict, match="source_conflict"):
        await ward.do(recording.record, message(**told, protocols=["ltfu-15y"]))


# ---- whose id it is ----


async def test_a_voided_infusion_gives_its_source_free_for_the_system_that_sent_it(ward):
    number = reserve_number()
    wrong = await ward.do(recording.record, message(patient=person(number), product="onasemnogene-abeparvovec"))
    await ward.do(infusions.void, wrong.infusion["id"], Reason(reason="wrong product"), 1)
    anew = await ward.do(recording.record, message(patient=person(number)))
    again = await ward.do(recording.record, message(patient=person(number)))
    assert (anew.created, again.created, again.infusion["id"]) == (True, False, anew.infusion["id"])
    await ward.do(infusions.void, anew.infusion["id"], Reason(reason="twice"), 1)
    assert (await ward.do(recording.record, message(patient=person(number)))).created


async def test_the_source_of_another_patients_event_is_a_conflict_that_tells_nothing(ward):
    source = {"source": {"system": "cosmic", "id": "event-1"}}
    told = await ward.infuse("2026-03-04")
    await ward.happens(told["patient_id"], "relapse", "2026-05-01", **source)
    umea = ward.member("umea")
    theirs = await ward.infuse("2026-03-04", centre="umea", by=umea)
    with pytest.raises(Conflict) as refused:
        await ward.do(
            patients.report,
            theirs["patient_id"],
            NewEvent.model_validate({"type": "relapse", "on": "2026-05-01"} | source),
            by=umea,
        )
    assert (refused.value.code, refused.value.field, refused.value.facts) == ("source_conflict", "source", {})
