"""What ends a loss or a move abroad, and what can be taken back (contract 3, rules 7 and 16)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.planning import refusals
from app.planning.facts import EventType, FollowUpStatus, life
from tests.planning.life import Person, day, event, infusion

FIRST = "2023-03-04"


def status(person: Person) -> FollowUpStatus:
    return life(person.facts).status


@pytest.mark.parametrize(
    ("dated", "expected"), [("2024-03-01", "lost"), ("2026-05-03", "lost"), ("2026-05-04", "in-follow-up")]
)
def test_a_loss_ends_by_what_is_dated_since_whenever_it_was_entered(dated, expected):
    seen = Person(infusion(FIRST), event("lost-to-follow-up", "2026-05-04")).done("Y01", dated, by="home-hospital")
    seen_first = (
        Person(infusion(FIRST)).done("Y01", dated, by="home-hospital").add(event("lost-to-follow-up", "2026-05-04"))
    )
    infused = Person(infusion(FIRST), event("lost-to-follow-up", "2026-05-04"), infusion(dated))
    assert [status(person) for person in (seen, seen_first, infused)] == [expected] * 3


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("own-centre", "in-follow-up"),
        ("phone", "in-follow-up"),
        ("home-hospital", "followed-elsewhere"),
        ("records", "followed-elsewhere"),
        ("elsewhere", "followed-elsewhere"),
        (None, "followed-elsewhere"),
    ],
)
def test_followed_elsewhere_ends_by_a_visit_here_and_by_no_letter(by, expected):
    person = Person(infusion(FIRST), event("followed-elsewhere", "2025-05-04")).done("Y02", "2025-05-04", by=by)
    assert status(person) == expected
    assert (
        status(Person(infusion(FIRST), event("followed-elsewhere", "2025-05-05")).done("Y02", "2025-05-04", by=by))
        == "followed-elsewhere"
    )


def test_who_was_seen_here_in_the_morning_may_be_followed_elsewhere_from_the_afternoon():
    moves = event("followed-elsewhere", "2025-05-04")
    seen_first = Person(infusion(FIRST)).done("Y02", "2025-05-04")
    seen_first.add(replace(moves, recorded_at=seen_first.facts.done[-1].recorded_at + timedelta(seconds=1)))
    assert status(seen_first) == "followed-elsewhere"
    assert status(seen_first.done("Y03", "2025-05-04")) == "in-follow-up"


def test_a_voided_infusion_ends_no_loss():
    assert (
        status(Person(infusion(FIRST), event("lost-to-follow-up", "2026-05-04"), infusion("2026-06-01", voided=True)))
        == "lost"
    )


def test_a_corrected_death_is_taken_back_once_and_an_old_withdrawal_stays():
    person = Person(infusion(FIRST), event("withdrawn", "2024-01-10"), event("reinstated", "2024-06-10"))
    stood = person.plan()
    person.add(event("deceased", "2026-03-01"), event("deceased", "2026-03-02"))
    in_error = event("reinstated", "2026-04-01", entered_in_error=True)
    refusals.refuse_event(person.facts, life(person.facts), EventType.REINSTATED, in_error.on, in_error=True)
    person.add(in_error)
    assert status(person) == "in-follow-up"
    assert person.plan() == stood
    with pytest.raises(refusals.NothingToTakeBack):
        refusals.refuse_event(person.facts, life(person.facts), EventType.REINSTATED, day("2026-04-02"), in_error=True)
    # Where such a second one is stored already, it erases nothing any more.
    person.add(event("reinstated", "2026-04-02", entered_in_error=True))
    assert person.plan() == stood


@pytest.mark.parametrize("kind", ["withdrawn", "lost-to-follow-up", "transferred"])
def test_nothing_of_care_lies_before_the_first_infusion(kind):
    person = Person(infusion(FIRST), infusion("2025-03-04"))
    known = life(person.facts)
    with pytest.raises(refusals.BeforeInfusion):
        refusals.refuse_event(person.facts, known, EventType(kind), day("2023-03-03"), in_error=False)
    if kind != "lost-to-follow-up":
        refusals.refuse_event(person.facts, known, EventType(kind), day("2023-03-04"), in_error=False)


@pytest.mark.parametrize("kind", ["withdrawn", "lost-to-follow-up", "transferred"])
def test_no_correction_leaves_an_event_of_care_before_the_first_infusion(kind):
    told = {"centre": "umea"} if kind == "transferred" else {}
    before, corrected = (Person(infusion(on), event(kind, "2024-03-04", **told)) for on in ("2024-03-04", "2024-03-05"))
    with pytest.raises(refusals.EventBeforeInfusion):
        refusals.refuse_before_first(before.facts, corrected.facts)
    if kind != "transferred":
        corrected.add(event("reinstated", "2024-04-01", entered_in_error=True))
        refusals.refuse_before_first(before.facts, corrected.facts)


def test_an_event_that_lay_before_the_first_infusion_already_stops_no_correction():
    person, corrected = (
        Person(infusion(on), event("transferred", "2013-07-12", centre="umea")) for on in ("2025-09-05", "2025-09-06")
    )
    refusals.refuse_before_first(person.facts, corrected.facts)


def test_a_discharge_after_the_death_is_refused_from_both_sides():
    person = Person(infusion(FIRST, "2023-03-20"))
    with pytest.raises(refusals.DeathBeforeFact):
        refusals.refuse_event(person.facts, life(person.facts), EventType.DECEASED, day("2023-03-19"), in_error=False)
    person.add(event("deceased", "2023-03-20"))
    refusals.refuse_infusion(life(person.facts), day(FIRST), day("2023-03-20"))
    with pytest.raises(refusals.AfterDeath):
        refusals.refuse_infusion(life(person.facts), day(FIRST), day("2023-03-21"))
