"""Who needs a decision although no visit asks for one, and how that ends (contract 3, rule 17)."""

from app.db import decisions as db_decisions
from app.followup import contacts, decisions
from app.followup.commands import Ask
from app.followup.contacts import NewContact
from app.followup.decisions import NewDecision, UndecidedFilter
from app.planning.decisions import Undecided
from tests.followup.ward import Ward, code

WITHOUT_FOLLOW_UP = "spherox"


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
