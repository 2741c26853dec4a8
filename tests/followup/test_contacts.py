"""Contacts: told twice they are one, and on their day they can be taken back (contract 3, rule 8)."""

import pytest

from app.actor import Role
from app.errors import Conflict, FollowUpError
from app.followup import audit, contacts
from app.followup.commands import Ask
from app.followup.contacts import NewContact
from tests.followup.ward import Ward, code


async def log(ward: Ward, visit: dict, by=None, **told: object) -> tuple[dict, bool]:
    """Logs a contact about a visit: a call without an answer, unless told otherwise."""
    contact = NewContact.model_validate({"channel": "phone", "outcome": "no-answer"} | told)
    return await ward.do(contacts.log_about_visit, visit["id"], contact, by=by)


@pytest.fixture
async def visit(ward: Ward) -> dict:
    return code(await ward.infuse("2025-11-01"), "Y01")


async def test_the_same_contact_again_is_the_stored_one(ward, visit):
    first, created = await log(ward, visit)
    assert created
    again, created = await log(ward, visit, note="a retry")
    assert (again["id"], created) == (first["id"], False)
    other = ward.member("lund", role=Role.NURSE)
    for differs in (
        {"outcome": "busy"},
        {"channel": "letter", "outcome": "letter-sent"},
        {"contacted_on": "2026-11-23"},
        {"by": other},
    ):
        told, created = await log(ward, visit, **differs)
        assert created
        assert told["id"] != first["id"]
    assert len((await ward.follow_up(visit["patient_id"]))["contacts"]) == 5


async def test_a_contact_with_the_same_source_is_the_stored_one_and_with_other_values_a_conflict(ward, visit):
    source = {"system": "ward-app", "id": "call-1"}
    first, _ = await log(ward, visit, source=source)
    ward.today = ward.today.replace(day=25)
    again, created = await log(ward, visit, source=source, contacted_on="2026-11-24")
    assert (again["id"], again["source"], created) == (first["id"], source, False)
    with pytest.raises(Conflict, match="source_conflict"):
        await log(ward, visit, source=source, outcome="busy")


async def test_a_postponement_to_another_day_is_no_repeat(ward, visit):
    told = [
        await log(ward, visit, channel=None, outcome=None, remind_on=day)
        for day in ("2026-12-01", "2026-12-08", "2026-12-08")
    ]
    assert [created for _, created in told] == [True, True, False]


async def test_a_contact_is_taken_back_on_its_day_by_who_logged_it_and_stays_in_the_history(ward, visit):
    told, _ = await log(ward, visit, channel="relative", outcome="deceased-reported", remind_on="2026-12-01")
    assert (await ward.listed())[0]["needs_decision"] == "deceased-reported"
    with pytest.raises(FollowUpError, match="not_your_own"):
        await ward.do(contacts.take_back, told["id"], by=ward.member("lund", role=Role.NURSE))
    for _ in range(2):
        await ward.do(contacts.take_back, told["id"])
    assert (await ward.listed())[0]["last_contact"] is None
    assert (await ward.listed())[0]["needs_decision"] != "deceased-reported"
    assert (await ward.follow_up(visit["patient_id"]))["contacts"] == []
    changes = (await ward.do(audit.changes, visit["patient_id"], Ask(50, ward.today), writing=False)).items
    assert [(row["act"], row["object_id"]) for row in changes if row["kind"] == "contact"] == [
        ("taken back", str(told["id"])),
        ("logged", str(told["id"])),
    ]
    again, created = await log(ward, visit, channel="relative", outcome="deceased-reported")
    assert created
    assert again["id"] != told["id"]


async def test_a_contact_of_another_day_stays(ward, visit):
    told, _ = await log(ward, visit)
    ward.today = ward.today.replace(day=25)
    with pytest.raises(Conflict, match="not_its_day"):
        await ward.do(contacts.take_back, told["id"])


async def test_an_attempt_under_a_loss_stays_until_the_loss_is_taken_back(ward, visit):
    for day, channel in (("2026-11-20", "phone"), ("2026-11-21", "letter")):
        await ward.tried(visit, day, channel)
    told, _ = await log(ward, visit)
    lost = await ward.happens(visit["patient_id"], "lost-to-follow-up", "2026-11-24")
    with pytest.raises(Conflict, match="newer_stands") as refused:
        await ward.do(contacts.take_back, told["id"])
    assert refused.value.facts == {"kind": "event", "id": str(lost["id"])}
    await ward.happens(visit["patient_id"], "reinstated", "2026-11-24", entered_in_error=True)
    await ward.do(contacts.take_back, told["id"])


async def test_a_contact_without_a_visit_stands_on_every_row_of_the_patient(ward, visit):
    contact = NewContact.model_validate({"channel": "letter", "outcome": "letter-sent"})
    told, created = await ward.do(contacts.log, visit["patient_id"], contact)
    assert (created, told["visit_id"]) == (True, None)
    assert {row["last_contact"]["id"] for row in await ward.listed()} == {told["id"]}


async def test_a_nurse_takes_back_her_own_event_on_its_day_unless_something_rests_on_it(ward, visit):
    patient, nurse, other = (
        visit["patient_id"],
        ward.member("lund", role=Role.NURSE),
        ward.member("lund", "umea", role=Role.NURSE),
    )
    back = {"type": "reinstated", "on": "2026-11-24", "entered_in_error": True}

    async def happens(by, **told):
        return await ward.happens(patient, told.pop("type"), told.pop("on"), by=by, **told)

    await happens(other, type="withdrawn", on="2026-11-20")
    with pytest.raises(FollowUpError, match="not_your_own"):
        await happens(nurse, **back)
    await happens(None, **back)
    await happens(nurse, type="followed-elsewhere", on="2026-11-20", where="Oslo")
    later = await happens(nurse, type="relapse", on="2026-11-21")
    with pytest.raises(Conflict, match="newer_stands") as refused:
        await happens(nurse, **back)
    assert refused.value.facts == {"kind": "event", "id": str(later["id"])}
    await happens(None, **back | {"source": {"system": "a", "id": "1"}})
    await happens(nurse, type="withdrawn", on="2026-11-22")
    await happens(nurse, **back | {"source": {"system": "a", "id": "2"}})
    assert (await ward.follow_up(patient))["status"] == "in-follow-up"
    await happens(nurse, type="withdrawn", on="2026-11-23")
    ward.today = ward.today.replace(day=25)
    with pytest.raises(Conflict, match="not_its_day"):
        await happens(nurse, **back | {"on": "2026-11-25"})
