"""Who needs a decision although no visit asks for one, and how that ends (contract 3, rule 17)."""

from datetime import date

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import select

from app.actor import Role
from app.db import decisions as db_decisions
from app.db import tables
from app.db.engine import opened_for_migration
from app.db.migrate import step_to
from app.db.transaction import Transaction
from app.errors import Conflict, FollowUpError, Forbidden, Invalid
from app.followup import contacts, decisions, infusions, visits
from app.followup.commands import Ask, Reason
from app.followup.contacts import NewContact
from app.followup.decisions import NewDecision, UndecidedFilter
from app.planning.decisions import Undecided
from app.planning.facts import Decision
from tests.followup.ward import Ward, code

WITHOUT_FOLLOW_UP = {"product": "keratinocytes-autologous", "context": "HE"}


async def undecided(ward: Ward, *reasons: str) -> list[tuple[str, str, str]]:
    """Patient, reason and since when, the longest silence first."""
    wanted = UndecidedFilter(tuple(map(Undecided, reasons)) or tuple(Undecided))
    page = await ward.do(decisions.undecided, wanted, Ask(50, ward.today), writing=False)
    return [(item["id"], item["needs_decision"], str(item["since"])) for item in page.items]


async def decide(ward: Ward, patient: object, decision: str, **told: str) -> bool:
    """Decides, and answers whether that was new."""
    _, created = await ward.do(decisions.decide, patient, NewDecision.model_validate({"decision": decision} | told))
    return created


async def told(ward: Ward, patient: object, outcome: str, **more: str) -> dict:
    """Logs a call without a visit."""
    contact = NewContact.model_validate({"channel": "phone", "outcome": outcome} | more)
    return (await ward.do(contacts.log, patient, contact))[0]


async def test_an_infusion_of_2012_entered_today_is_called_once(ward):
    """Its next visit opens in 2027; until somebody answers, the patient stands on the list."""
    patient = (await ward.infuse("2012-03-04"))["patient_id"]
    assert await undecided(ward) == [(patient, "no-contact", "2013-05-05")]
    await told(ward, patient, "no-answer")
    assert len(await undecided(ward)) == 1
    await told(ward, patient, "will-come")
    assert await undecided(ward) == []


async def test_a_follow_up_that_was_over_before_it_was_entered_is_no_plan(ward):
    patient = (await ward.infuse("2006-11-20"))["patient_id"]
    assert await undecided(ward) == [(patient, "no-plan", "2026-11-24")]
    assert (await ward.follow_up(patient))["status"] == "plan-ended"


async def test_after_the_last_visit_the_plan_has_ended(ward):
    given = await ward.infuse("2011-11-20")
    await ward.done(code(given, "Y15"), "2026-11-23")
    assert await undecided(ward) == [(given["patient_id"], "plan-ended", "2026-11-24")]


async def test_an_infusion_of_another_centre_that_was_refused_stands_until_somebody_mends_what_it_collided_with(ward):
    given = await ward.infuse("2026-03-04")
    await ward.happens(given["patient_id"], "deceased", "2026-05-01")
    for _ in range(2):
        await ward.do(db_decisions.add_refused, given["patient_id"], "umea")
    assert await undecided(ward) == [(given["patient_id"], "infusion-refused", "2026-11-24")]
    assert await undecided(ward, "plan-ended", "no-plan", "no-contact") == []
    await ward.happens(given["patient_id"], "reinstated", "2026-11-24", entered_in_error=True)
    assert await undecided(ward) == []


async def test_who_is_not_in_follow_up_needs_no_decision(ward):
    dead, away, declined = [(await ward.infuse("2009-03-04"))["patient_id"] for _ in range(3)]
    await ward.happens(dead, "deceased", "2020-01-01")
    await ward.happens(away, "followed-elsewhere", "2020-01-01", where="Oslo")
    await ward.happens(declined, "withdrawn", "2020-01-01")
    assert await undecided(ward) == []
    with pytest.raises(Conflict, match="nothing_to_decide"):
        await decide(ward, dead, "close", reason="dead")


async def test_without_an_infusion_that_counts_nobody_is_followed(ward):
    given = await ward.infuse("2026-11-20", **WITHOUT_FOLLOW_UP)
    assert await undecided(ward) == [(given["patient_id"], "no-plan", "2026-11-24")]
    await ward.do(infusions.void, given["id"], Reason(reason="another person"), given["version"])
    assert ((await ward.follow_up(given["patient_id"]))["status"], await undecided(ward)) == ("no-infusion", [])


async def test_the_longest_silence_comes_first_page_by_page_on_one_day(ward):
    days = ["2011-05-04", "2009-03-04", "2012-03-04", "2006-03-04"]
    given = {day: (await ward.infuse(day))["patient_id"] for day in days}
    found, after = [], None
    while True:
        page = await ward.do(
            decisions.undecided, UndecidedFilter(), Ask(1, ward.today, after, count=True), writing=False
        )
        found += [item["id"] for item in page.items]
        assert page.total == 4
        if (after := page.next) is None:
            break
    assert found == [given[day] for day in sorted(days)]


async def test_only_the_responsible_centre_is_asked(ward):
    patient = (await ward.infuse("2009-03-04"))["patient_id"]
    await ward.happens(patient, "transferred", "2026-11-24", centre="umea")
    assert await undecided(ward) == []
    wanted = UndecidedFilter()
    there = await ward.do(decisions.undecided, wanted, Ask(50, ward.today), by=ward.member("umea"), writing=False)
    assert [item["id"] for item in there.items] == [patient]
    with pytest.raises(FollowUpError, match="not_responsible"):
        await decide(ward, patient, "close", reason="moved")


async def test_what_was_closed_stays_closed_until_an_infusion_comes(ward):
    patient = (await ward.infuse("2009-03-04"))["patient_id"]
    assert await decide(ward, patient, "close", reason="by agreement")
    assert not await decide(ward, patient, "close", reason="by agreement")
    ward.today = date(2030, 1, 1)
    assert await undecided(ward) == []
    await ward.infuse("2029-12-01", patient_id=patient, **WITHOUT_FOLLOW_UP)
    assert await undecided(ward) == [(patient, "no-plan", "2030-01-01")]


async def test_a_decision_is_taken_back_like_other_events(ward):
    patient = (await ward.infuse("2009-03-04"))["patient_id"]
    for decision in (
        {"decision": "hand-over", "reason": "to primary care"},
        {"decision": "extend", "protocol": "ltfu-15y-plus"},
    ):
        await decide(ward, patient, **decision)
        assert await undecided(ward, "no-plan") == []
        await ward.happens(patient, "reinstated", str(ward.today), entered_in_error=True)
        assert await undecided(ward) == [(patient, "no-plan", "2026-11-24")]
        ward.today = ward.today.replace(day=ward.today.day + 1)
    with pytest.raises(Conflict, match="nothing_to"):
        await ward.happens(patient, "reinstated", str(ward.today), entered_in_error=True)


async def test_an_extension_plans_what_lies_ahead_and_nothing_of_before(ward):
    given = await ward.infuse("2009-03-04")
    await decide(ward, given["patient_id"], "extend", protocol="ltfu-15y-plus")
    told = await ward.follow_up(given["patient_id"])
    assert [v["code"] for v in told["visits"] if v["state"] in ("planned", "due", "overdue")] == [
        "Y18",
        "Y19",
        "Y20",
        "Y21",
        "Y22",
    ]
    assert {v["code"] for v in told["visits"]}.isdisjoint({"Y16", "Y17"})
    # A later infusion of the class goes on by the same protocol.
    later = await ward.infuse("2026-11-20", patient_id=given["patient_id"])
    assert later["plans"][0]["protocol"]["code"] == "ltfu-15y-plus"


@pytest.mark.parametrize(
    ("told", "refused", "match"),
    [
        ({"decision": "close"}, Invalid, "reason"),
        ({"decision": "extend"}, Invalid, "protocol"),
        ({"decision": "close", "reason": "so", "protocol": "ltfu-15y-plus"}, Invalid, "protocol"),
        ({"decision": "extend", "protocol": "no-such"}, Invalid, "protocol"),
        ({"decision": "extend", "protocol": "cibmtr-15y"}, Invalid, "protocol"),
        ({"decision": "extend", "protocol": "aav-15y"}, Invalid, "protocol"),
        ({"decision": "extend", "protocol": "ltfu-15y"}, Conflict, "protocol"),
        ({"decision": "not-deceased"}, Conflict, "decision"),
    ],
)
async def test_what_cannot_be_decided_says_which_field(ward, told, refused, match):
    patient = (await ward.infuse("2009-03-04"))["patient_id"]
    with pytest.raises(refused) as error:
        await decide(ward, patient, **told)
    assert error.value.field == match
    assert len(await undecided(ward)) == 1


async def test_a_reported_death_needs_a_clinicians_word_or_a_sign_of_life(ward):
    given = await ward.infuse("2025-11-20", discharged_on="2025-12-04")
    patient = given["patient_id"]
    await told(ward, patient, "deceased-reported")
    with pytest.raises(Forbidden):
        await ward.do(
            decisions.decide,
            patient,
            NewDecision(decision=Decision.NOT_DECEASED),
            by=ward.member("lund", role=Role.NURSE),
        )
    assert (await undecided(ward))[0][1] == "deceased-reported"
    # What happened before the report says nothing; what came after it ends it.
    await ward.done(code(given, "W4"), "2026-01-02")
    assert (await undecided(ward))[0][1] == "deceased-reported"
    ward.today = date(2026, 11, 26)
    await ward.happens(patient, "survival", "2026-11-25")
    assert await undecided(ward) == []
    # Reported anew on another day, and recorded.
    await told(ward, patient, "deceased-reported")
    assert len(await undecided(ward)) == 1
    await ward.happens(patient, "deceased", "2026-11-25")
    assert await undecided(ward) == []


async def test_a_booked_visit_is_no_silence(ward):
    given = await ward.infuse("2012-03-04")
    assert (await undecided(ward))[0][1] == "no-contact"
    y15 = code(given, "Y15")
    await ward.do(visits.book, y15["id"], visits.Booking(booked_on=date(2027, 3, 4)), version=y15["version"])
    assert await undecided(ward) == []


async def standing(ward: Ward) -> list[tuple[object, ...]]:
    """What is stored of each patient."""
    p = tables.patients.c
    query = select(p.id, p.status, p.undecided, p.undecided_since, p.last_heard_on, p.quiet_until).order_by(p.id)

    async def read(tx: Transaction) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await tx.all(query)]

    return await ward.do(read, writing=False)


async def test_what_stood_before_the_columns_came_is_told_by_the_migration_as_by_the_acts(ward, database_url):
    given = await ward.infuse("2012-03-04")
    over, reported, dead, booked, voided = [
        await ward.infuse(day) for day in ("2009-03-04", "2025-11-01", "2026-03-04", "2012-04-04", "2026-04-04")
    ]
    await ward.infuse("2026-11-20", **WITHOUT_FOLLOW_UP)
    # About a visit: a contact without one is nothing that the older schema can keep.
    await ward.tried(over["visits"][0], "2026-11-24", "phone", "will-come")
    await ward.tried(reported["visits"][0], "2026-11-24", "relative", "deceased-reported")
    await ward.happens(dead["patient_id"], "deceased", "2026-05-01")
    await ward.happens(given["patient_id"], "survival", "2020-01-01")
    y15 = code(booked, "Y15")
    await ward.do(visits.book, y15["id"], visits.Booking(booked_on=date(2027, 4, 4)), version=y15["version"])
    await ward.do(infusions.void, voided["id"], Reason(reason="another person"), voided["version"])
    before = await standing(ward)
    (silence,) = [s for s in ScriptDirectory("migrations").walk_revisions() if s.path.endswith("nothing_in_silence.py")]
    for revision in (silence.down_revision, "head"):
        async with opened_for_migration(database_url) as connection:
            await connection.run_sync(step_to, revision)
    assert await standing(ward) == before
    assert {row[2] for row in before} == {None, "no-plan", "deceased-reported"}


async def test_the_day_until_which_a_patient_is_quiet_is_stored_only_where_the_silence_can_become_long(ward):
    soon, late = [(await ward.infuse(day))["patient_id"] for day in ("2025-11-01", "2012-03-04")]
    assert {row[0]: row[5] for row in await standing(ward)} == {soon: None, late: date(2027, 1, 3)}
