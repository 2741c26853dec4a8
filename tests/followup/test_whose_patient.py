"""What belongs to the centre that is responsible, and what a voided infusion opens: nothing (contract 3, rule 11), on
both databases."""

from datetime import date

import pytest
from sqlalchemy import func, select

from app.actor import Role
from app.db import tables
from app.db.infusions import InfusionFilter
from app.db.transaction import Transaction
from app.db.visits import DueFilter
from app.errors import Forbidden, Invalid, NotFound
from app.followup import alerts, audit, contacts, decisions, due_list, infusions, patients, status, visits
from app.followup.commands import Ask, Reason
from app.followup.infusion_fields import Correction
from app.followup.patients import NewEvent, PatientChange
from app.planning.visits import VisitState
from tests.followup.ward import Ward, code, reserve_number

UMEA = Ward.member("umea")


@pytest.fixture
async def former(ward):
    """A patient whom Umeå has infused, and Lund later; the infusion of Umeå."""
    person = {"identifiers": [reserve_number()], "name": "Test Testsson"}
    ward.today = date(2024, 5, 4)
    first = await ward.infuse("2024-03-04", centre="umea", patient=person, by=UMEA)
    ward.today = date(2026, 11, 24)
    await ward.infuse("2026-03-04", patient=person)
    return first


async def stored(ward):
    """How much is stored of patients and what happened to them."""

    async def count(tx: Transaction):
        kept = (tables.history, tables.patient_events, tables.contacts, tables.visits, tables.alerts)
        return [await tx.scalar(select(func.count()).select_from(table)) for table in kept]

    return await ward.do(count, writing=False)


def event(**told):
    return NewEvent.model_validate({"type": "relapse", "on": "2026-11-01"} | told)


def change(**told):
    return PatientChange.model_validate(told)


async def test_a_centre_that_is_not_responsible_changes_its_own_infusion_and_nothing_else(ward, former):
    patient, visit = former["patient_id"], code(former, "Y02")
    refused = [
        (patients.change, patient, change(name="Annat Namn"), 1),
        (patients.change, patient, change(protected=True), 1),
        (patients.report, patient, event()),
        (patients.report, patient, event(type="deceased")),
        (patients.report, patient, event(type="transferred", centre="umea")),
        (contacts.log, patient, contacts.NewContact.model_validate({"channel": "phone", "outcome": "busy"})),
        (
            contacts.log_about_visit,
            visit["id"],
            contacts.NewContact.model_validate({"channel": "phone", "outcome": "busy"}),
        ),
        (decisions.decide, patient, decisions.NewDecision.model_validate({"decision": "close", "reason": "moved"})),
    ]
    worked = [
        (visits.book, visits.Booking.model_validate({"booked_on": "2026-12-01"})),
        (visits.complete, visits.Completion.model_validate({"completed_on": "2026-03-01"})),
        (visits.miss, Reason(reason="moved")),
        (visits.cancel, visits.NotRequired.model_validate({"reason": "not-required"})),
        (visits.reopen, Reason(reason="a slip")),
    ]
    before = await stored(ward)
    for act, *told in refused:
        with pytest.raises(Forbidden) as error:
            await ward.do(act, *told, by=UMEA)
        assert error.value.code == "not_responsible", act
    for act, told in worked:
        with pytest.raises(Forbidden, match="not_responsible"):
            await ward.do(act, visit["id"], told, by=UMEA, version=1)
    assert await stored(ward) == before
    now = await ward.do(infusions.get, former["id"], by=UMEA, writing=False)
    mended = await ward.do(
        infusions.correct, former["id"], Correction.model_validate({"batch": "SE-1"}), now["version"], by=UMEA
    )
    assert mended["batch"] == "SE-1"
    # The responsible centre corrects it too (rule 10).
    assert (
        await ward.do(infusions.correct, former["id"], Correction.model_validate({"batch": "SE-2"}), mended["version"])
    )["batch"] == "SE-2"


async def test_what_was_told_before_tells_a_former_centre_neither_note_nor_author(ward, former):
    await ward.happens(former["patient_id"], "relapse", "2026-11-01", note="a secret")
    with pytest.raises(Forbidden, match="not_responsible"):
        await ward.do(patients.report, former["patient_id"], event(), by=UMEA)
    seen = await ward.do(status.follow_up, former["patient_id"], by=UMEA, writing=False)
    assert (seen["events"], seen["contacts"]) == ([], [])


async def test_a_visit_closed_while_responsible_is_told_to_that_centre_no_more_once_the_patient_has_moved_on(ward):
    ward.today = date(2025, 3, 4)
    told = await ward.infuse("2024-03-04", centre="umea", by=UMEA)
    patient, visit = told["patient_id"], code(told, "Y01")
    await ward.happens(patient, "transferred", "2025-03-04", centre="lund", by=UMEA)
    ward.today = date(2025, 4, 4)
    await ward.tried(visit, "2025-03-10", "phone", "will-come")
    await ward.done(visit, "2025-03-20")
    closed = DueFilter(state=(VisitState.COMPLETED,))
    of_patient = DueFilter(state=(VisitState.COMPLETED,), patient=patient)

    async def listed(by, *filters):
        return [
            (await ward.do(due_list.due, wanted, Ask(20, ward.today), by=by, writing=False)).items for wanted in filters
        ]

    lund = ward.member("lund")
    assert [[v["id"] for v in items] for items in await listed(lund, closed, of_patient)] == [[visit["id"]]] * 2
    await ward.happens(patient, "transferred", "2025-04-04", centre="linkoping")
    assert await listed(lund, closed, of_patient, DueFilter(state=(VisitState.COMPLETED,), centre="lund")) == [
        [],
        [],
        [],
    ]
    with pytest.raises(NotFound):
        await ward.do(visits.get, visit["id"], by=lund, writing=False)
    # The responsible centre sees all; the centre that gave the infusion its plan, without the contacts of others.
    ((theirs,),) = await listed(ward.member("linkoping"), of_patient)
    ((own,),) = await listed(UMEA, of_patient)
    assert (theirs["last_contact"]["outcome"], own["last_contact"]) == ("will-come", None)


async def test_a_transfer_told_again_after_a_lost_answer_is_answered_to_who_told_it(ward):
    patient = (await ward.infuse("2026-03-04"))["patient_id"]
    told = NewEvent.model_validate({"type": "transferred", "on": "2026-11-01", "centre": "umea"})
    first, created = await ward.do(patients.report, patient, told)
    assert created
    assert await ward.do(patients.report, patient, told) == (first, False)
    with pytest.raises(Forbidden, match="not_responsible"):
        await ward.do(patients.report, patient, told, by=ward.member("lund", role=Role.CLINICIAN))


async def test_protection_is_lifted_by_a_clinician_or_coordinator_with_a_reason(ward):
    patient = (await ward.infuse("2026-03-04"))["patient_id"]
    nurse = ward.member("lund", role=Role.NURSE)
    await ward.do(patients.change, patient, change(protected=True), 1, by=nurse)
    with pytest.raises(Forbidden):
        await ward.do(patients.change, patient, change(protected=False, reason="asked to"), 2, by=nurse)
    with pytest.raises(Invalid) as unexplained:
        await ward.do(patients.change, patient, change(protected=False), 2)
    assert [(fault.field, fault.code) for fault in unexplained.value.errors] == [("reason", "required")]
    lifted = await ward.do(patients.change, patient, change(protected=False, reason="the authority has ended it"), 2)
    assert lifted["protected"] is False
    told = (await ward.do(audit.changes, patient, Ask(20, ward.today), writing=False)).items
    assert [row["after"] for row in told if row["act"] == "protection lifted"] == [
        {"reason": "the authority has ended it"}
    ]


async def test_a_voided_infusion_opens_nothing_to_its_centre(ward, former):
    patient, visit = former["patient_id"], code(former, "Y01")
    now = await ward.do(infusions.get, former["id"], writing=False)
    await ward.do(infusions.void, former["id"], Reason(reason="another person"), now["version"], by=UMEA)
    ask = Ask(50, ward.today)
    for question, *told in (
        (infusions.get, former["id"]),
        (visits.get, visit["id"]),
        (patients.get, patient),
        (patients.plans, patient),
        (status.follow_up, patient),
        (audit.changes, patient, ask),
    ):
        with pytest.raises(NotFound):
            await ward.do(question, *told, by=UMEA, writing=False)
    everything = DueFilter(state=tuple(VisitState))
    for page in (
        await ward.do(due_list.due, everything, ask, by=UMEA, writing=False),
        await ward.do(due_list.due, DueFilter(state=tuple(VisitState), patient=patient), ask, by=UMEA, writing=False),
        await ward.do(infusions.find, InfusionFilter(), ask, by=UMEA, writing=False),
        (await ward.do(alerts.snapshot, frozenset({"open", "acknowledged"}), None, ask, by=UMEA, writing=False)).page,
    ):
        assert page.items == []
    assert (
        await ward.do(audit.visit_changes, (await ward.do(_now)).replace(year=2020), 50, by=UMEA, writing=False) == []
    )
    assert (await ward.do(patients.search, patients.Search(name="Test"), by=UMEA, writing=False))["items"] == []
    # To the responsible centre it is still there.
    assert (await ward.do(infusions.get, former["id"], writing=False))["voided"] is True


async def _now(tx: Transaction):
    return tx.now
