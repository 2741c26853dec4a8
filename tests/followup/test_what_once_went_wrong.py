"""Lives that the service once told wrongly, each from its first day on, and what must hold in the end; on both databases. A new one is a function
below with the mark `life`, named as the sentence that was not true."""

from collections.abc import Awaitable, Callable

import pytest

from app.errors import Conflict
from app.followup import contacts, decisions
from app.followup.commands import Ask
from app.followup.contacts import NewContact
from app.followup.decisions import NewDecision, UndecidedFilter
from tests.followup.ward import Ward, code

Life = Callable[[Ward], Awaitable[None]]
LIVES: list[Life] = []


def life(told: Life) -> Life:
    """The mark of a life."""
    LIVES.append(told)
    return told


@pytest.mark.parametrize("told", LIVES, ids=lambda told: told.__name__)
async def test_a_life_is_told_rightly(ward: Ward, told: Life) -> None:
    await told(ward)


# ---- Nothing ends in silence (rule 17) ----------------------------------------------------------------------------------


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
    await ward.do(decisions.decide, given["patient_id"], NewDecision.model_validate({"decision": "extend", "protocol": "ltfu-15y-plus"}))
    told = await ward.follow_up(given["patient_id"])
    assert (await _undecided(ward), told["status"], told["next_visit"]["code"]) == ({}, "in-follow-up", "Y16")


# ---- Attempts and reports (rule 8) --------------------------------------------------------------------------------------


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
