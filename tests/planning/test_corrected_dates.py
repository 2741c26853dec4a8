"""A corrected or late date replans as if it had been so from the start: what people decided keeps its day and takes the
new window (contract 3, rule 4)."""

from dataclasses import fields, replace

from app.planning.visits import Outcome, Visit
from tests.planning.life import Person, day, event, infusion, told

TYPED = "2021-03-04"
RIGHT = "2020-03-04"


def mistyped() -> Person:
    """An infusion of 2020 typed as one of 2021, with two visits done since."""
    return Person(infusion(TYPED)).done("W4", "2021-04-16").done("Y04", "2025-03-04")


def moved(person: Person, infused_on: str | None = None, **told: object) -> Person:
    """The person with the dates of the one infusion mended."""
    (was,) = person.facts.infusions
    return person.add(replace(was, **({"infused_on": day(infused_on)} if infused_on else {}) | told))


def window(visit: Visit) -> tuple[str, str, str]:
    return str(visit.target_on), str(visit.window_start), str(visit.window_end)


def test_a_corrected_infusion_moves_what_was_done() -> None:
    person = mistyped()
    assert person.visit("W4").on_time is True
    moved(person, RIGHT)
    w4, y04, y05 = (person.visit(code) for code in ("W4", "Y04", "Y05"))
    assert window(w4) == ("2020-04-15", "2020-04-08", "2020-06-02")
    assert (w4.completed_on, w4.on_time) == (day("2021-04-16"), False)
    assert window(y04) == ("2024-03-04", "2024-02-03", "2024-05-03")
    assert (y04.completed_on, y04.on_time) == (day("2025-03-04"), False)
    assert (window(y05)[0], y05.outcome) == ("2025-03-04", None)


def test_corrected_is_as_typed_rightly_from_the_start() -> None:
    corrected = moved(mistyped(), RIGHT)
    right = Person(infusion(RIGHT, registered_on=day(TYPED))).done("W4", "2021-04-16").done("Y04", "2025-03-04")
    # Registered on the same day, whatever date was typed: what had passed by then was missed before it was registered.
    assert told(corrected.plans, corrected.facts) == told(right.plans, right.facts)


def test_there_and_back_is_where_one_was() -> None:
    person, stood = mistyped(), mistyped()
    moved(moved(person, RIGHT), TYPED)
    assert told(person.plans, person.facts) == told(stood.plans, stood.facts)


def test_a_discharge_that_comes_later_ends_the_waiting_of_a_visit_that_is_done() -> None:
    person = Person(infusion("2025-03-04")).done("W4", "2025-04-15")
    assert person.visit("W4").provisional
    assert person.visit("W4").on_time is True
    moved(person, discharged_on=day("2025-05-02"))
    w4 = person.visit("W4")
    assert not w4.provisional
    assert window(w4) == ("2025-05-30", "2025-05-23", "2025-06-13")
    assert w4.on_time is False
    assert w4.closed_before == w4.window_start


def test_a_visit_of_a_replaced_plan_is_judged_by_the_anchor_of_that_plan() -> None:
    first, second = infusion("2021-05-04"), infusion("2025-09-10")
    person = Person(first, second).done("Y01", "2022-05-04", "2021-05-04")
    person.add(replace(first, infused_on=day("2021-02-04")))
    y01 = person.visit("Y01", "2021-02-04")
    assert (window(y01)[0], y01.on_time) == ("2022-02-04", False)
    assert y01.outcome is Outcome.COMPLETED


def test_a_visit_whose_code_its_plan_no_longer_has_keeps_its_day_and_has_no_window() -> None:
    was = infusion("2025-03-04", named=("ltfu-15y-d28",))
    person = (
        Person(was)
        .done("D28", "2025-04-01", protocol="ltfu-15y-d28")
        .done("Y01", "2026-03-05", protocol="ltfu-15y-d28")
    )
    person.add(replace(was, named=("ltfu-15y",)))
    d28, y01 = person.visit("D28"), person.visit("Y01")
    assert (d28.target_on, d28.window, d28.suggested_on, d28.on_time) == (None, None, None, None)
    assert (d28.outcome, d28.completed_on, d28.closed_before) == (Outcome.COMPLETED, day("2025-04-01"), None)
    assert (y01.on_time, y01.window is None) == (True, False)
    person.add(replace(was, named=("ltfu-15y-d28",)))
    assert window(person.visit("D28", protocol="ltfu-15y-d28"))[0] == "2025-04-01"


def test_a_birth_date_that_is_taken_away_leaves_a_hand_over_that_was_done_without_a_window() -> None:
    person = Person(infusion("2024-02-10"), born="2008-08-31").done(
        "T18", "2026-08-31", protocol="se-childhood-transition"
    )
    person.facts = replace(person.facts, birth_date=day("2008-10-31"))
    person.replan()
    assert window(person.visit("T18", protocol="se-childhood-transition"))[0] == "2026-10-31"
    person.facts = replace(person.facts, birth_date=None)
    person.replan()
    t18 = person.visit("T18", protocol="se-childhood-transition")
    assert (t18.window, t18.completed_on) == (None, day("2026-08-31"))


def test_a_visit_missed_by_a_persons_word_moves_too_and_keeps_the_word() -> None:
    person = Person(infusion(TYPED))
    was = person.visit("Y01")
    word = replace(was, outcome=Outcome.MISSED, reason="abroad", decided_by="nurse", decided_on=day("2022-06-01"))
    person.plans = [replace(p, visits=tuple(word if v.id == was.id else v for v in p.visits)) for p in person.plans]
    moved(person, "2021-06-04")
    y01 = person.visit("Y01")
    assert window(y01)[0] == "2022-06-04"
    assert (y01.outcome, y01.reason, y01.closed_before) == (Outcome.MISSED, "abroad", None)
    moved(person, "2021-08-04")
    assert person.visit("Y01").closed_before == day("2022-07-05")


def test_whatever_planning_does_not_decide_of_an_open_visit_stays() -> None:
    """A field that is added later is kept without a line about it."""
    planned = {
        *(
            "id",
            "version",
            "code",
            "anchor",
            "provisional",
            "target_on",
            "window_start",
            "window_end",
            "suggested_on",
            "report_due_on",
        ),
        *("centre", "end_centre", "outcome", "reason", "decided_by", "booked_on"),
    }
    entered = {f.name: f"entered: {f.name}" for f in fields(Visit) if f.name not in planned}
    person = Person(infusion("2025-03-04"))
    was = person.visit("Y05")
    person.plans = [
        replace(p, visits=tuple(replace(v, **entered) if v.id == was.id else v for v in p.visits)) for p in person.plans
    ]
    person.add(event("transferred", "2026-01-01", centre="umea"))
    moved(person, "2025-03-11")
    now = person.visit("Y05")
    assert window(now)[0] == "2030-03-11"
    assert {name: getattr(now, name) for name in entered} == entered
