"""The worked examples of the field (docs/clinical.md), as people were told them: days, windows, and what events do to
open visits."""

import pytest

from app.planning.changes import comes_of_age, is_child
from app.planning.facts import FollowUpStatus, life, responsible_centre
from app.planning.plan import months_later
from app.planning.state import days_overdue, state
from app.planning.visits import Outcome, VisitState
from tests.planning.life import SHIPPED, Person, day, event, infusion

CANCELLED, MISSED, COMPLETED = Outcome.CANCELLED, Outcome.MISSED, Outcome.COMPLETED


@pytest.mark.parametrize(
    ("infused_on", "discharged_on", "protocol", "code", "target", "start", "end", "suggested"),
    [
        ("2025-03-04", "2025-03-18", "ltfu-15y", "W4", "2025-04-15", "2025-04-08", "2025-04-29", "2025-04-15"),
        ("2025-03-04", None, "ltfu-15y", "W4", "2025-04-15", "2025-04-08", "2025-06-02", "2025-04-15"),
        ("2025-03-04", "2025-03-25", "ltfu-15y", "W4", "2025-04-22", "2025-04-15", "2025-05-06", "2025-04-22"),
        ("2025-03-04", None, "ltfu-15y", "Y01", "2026-03-04", "2026-02-02", "2026-05-03", "2026-03-04"),
        ("2025-03-04", None, "ltfu-15y", "Y03", "2028-03-04", "2028-02-03", "2028-05-03", "2028-03-03"),
        ("2025-03-04", None, "ltfu-15y", "Y15", "2040-03-04", "2040-02-03", "2040-05-03", "2040-03-05"),
        ("2024-02-29", None, "ltfu-15y", "Y01", "2025-02-28", "2025-01-29", "2025-04-29", "2025-02-28"),
        ("2024-02-29", None, "ltfu-15y", "Y02", "2026-02-28", "2026-01-29", "2026-04-29", "2026-02-27"),
        ("2024-02-29", None, "ltfu-15y", "Y03", "2027-02-28", "2027-01-29", "2027-04-29", "2027-03-01"),
        ("2024-02-29", None, "ltfu-15y", "Y04", "2028-02-29", "2028-01-30", "2028-04-29", "2028-02-29"),
        ("2025-03-04", None, "ltfu-15y-d28", "D28", "2025-04-01", "2025-03-25", "2025-04-15", "2025-04-01"),
        ("2025-03-04", None, "aav-5y", "Y05", "2030-03-04", "2030-02-02", "2030-04-03", "2030-03-04"),
        ("2025-03-04", None, "aav-15y", "Y15", "2040-03-04", "2040-02-03", "2040-04-03", "2040-03-05"),
        ("2025-03-04", None, "genome-editing-15y", "Y01", "2026-03-04", "2026-02-02", "2026-04-03", "2026-03-04"),
    ],
)
def test_a_visit_has_the_days_that_the_protocol_says(
    infused_on, discharged_on, protocol, code, target, start, end, suggested
):
    person = Person(infusion(infused_on, discharged_on, named=(protocol,)))
    visit = person.visit(code, protocol=protocol)
    days = (visit.target_on, visit.window_start, visit.window_end, visit.suggested_on)
    assert days == (day(target), day(start), day(end), day(suggested))


@pytest.mark.parametrize(
    ("infused_on", "code", "target", "start", "end"),
    [  # CIBMTR's manuals: day 85-115, 150-210, 366-425; six calendar months and the anniversary itself would be wrong
        ("2025-03-04", "D100", "2025-06-12", "2025-05-28", "2025-06-27"),
        ("2025-03-04", "M06", "2025-08-31", "2025-08-01", "2025-09-30"),
        ("2025-03-04", "Y01", "2026-03-05", "2026-03-05", "2026-05-03"),
        ("2025-03-04", "Y02", "2027-03-04", "2027-02-02", "2027-04-03"),
        ("2024-02-29", "D100", "2024-06-08", "2024-05-24", "2024-06-23"),
        ("2024-02-29", "M06", "2024-08-27", "2024-07-28", "2024-09-26"),
        ("2024-02-29", "Y01", "2025-03-01", "2025-03-01", "2025-04-29"),
        ("2024-02-29", "Y04", "2028-02-29", "2028-01-30", "2028-03-30"),
    ],
)
def test_the_registry_counts_days_where_it_says_days(infused_on, code, target, start, end):
    person = Person(infusion(infused_on, named=("ltfu-15y", "cibmtr-15y")))
    plan = person.plan(protocol="cibmtr-15y")
    assert (plan.consent, plan.visits) == ("asked", ())
    person.add(event("consent", infused_on, protocol="cibmtr-15y", answer="yes"))
    visit = person.visit(code, protocol="cibmtr-15y")
    assert (visit.target_on, visit.window_start, visit.window_end) == (day(target), day(start), day(end))


def test_months_are_calendar_months_from_the_anchor_itself():
    days = [months_later(day("2025-08-31"), months) for months in (3, 6, 12, 18)]
    assert days == [day("2025-11-30"), day("2026-02-28"), day("2026-08-31"), day("2027-02-28")]


def test_sixteen_visits_until_fifteen_years_after_the_infusion():
    plan = Person(infusion("2025-03-04")).plan()
    assert [v.code for v in plan.visits] == ["W4", *[f"Y{n:02}" for n in range(1, 16)]]
    assert plan.ends_on == day("2040-03-04")


def test_an_unknown_discharge_waits_until_day_90_and_entering_it_moves_the_visit():
    told = infusion("2025-03-04")
    person = Person(told)
    before = person.visit("W4")
    assert before.provisional
    assert before.window_end == day("2025-06-02")
    assert state(None, before.window, day("2025-06-03")) is VisitState.OVERDUE
    person.add(infusion("2025-03-04", "2025-03-25", id=told.id))
    after = person.visit("W4")
    assert (after.id, after.provisional, after.target_on) == (before.id, False, day("2025-04-22"))


def test_a_plan_without_end_has_always_five_years_ahead():
    person = Person(infusion("2025-03-04", named=("ltfu-15y-plus",)), today="2026-11-24")
    assert person.plan(protocol="ltfu-15y-plus").visits[-1].code == "Y15"
    person.today = day("2041-03-04")
    person.replan()
    assert person.plan(protocol="ltfu-15y-plus").visits[-1].code == "Y21"
    person.today = day("2040-01-01")  # a clock that went back takes nothing away
    person.replan()
    assert person.plan(protocol="ltfu-15y-plus").visits[-1].code == "Y21"


# ---- what happens to patients ----


def treated_in_2021(*done: str) -> Person:
    person = Person(infusion("2021-05-04", "2021-05-18"))
    for code in done:
        person.done(code, str(person.visit(code).target_on))
    return person


def test_a_reinfusion_begins_fifteen_years_anew_and_supersedes_the_open_visits():
    person = treated_in_2021("W4", "Y01", "Y02", "Y03", "Y04")
    person.add(infusion("2025-09-10", "2025-09-24"))
    assert person.codes(CANCELLED, "superseded", "2021-05-04") == [f"Y{n:02}" for n in range(5, 16)]
    assert person.plan("2021-05-04").state == "replaced"
    targets = {code: person.visit(code, "2025-09-10").target_on for code in ("W4", "Y01", "Y15")}
    assert targets == {"W4": day("2025-10-22"), "Y01": day("2026-09-10"), "Y15": day("2040-09-10")}


def test_a_reinfusion_never_erases_a_visit_already_missed():
    person = treated_in_2021("W4", "Y01", "Y02", "Y03")
    person.add(infusion("2025-09-10", "2025-09-24"))
    assert person.codes(MISSED, "closed-before-reinfusion", "2021-05-04") == ["Y04"]
    assert len(person.codes(CANCELLED, "superseded", "2021-05-04")) == 11


def aucatzyl(infused_on: str, discharged_on: str | None = None, **told: object):
    return infusion(
        infused_on, discharged_on, product="obecabtagene-autoleucel", infusions_per_course=2, course_days=21, **told
    )


def test_a_split_dose_is_one_course_and_counts_from_the_last_infusion_but_for_the_registry():
    registry = ("ltfu-15y", "cibmtr-15y")
    person = Person(aucatzyl("2026-01-12", named=registry), aucatzyl("2026-01-21", "2026-02-04"))
    person.add(event("consent", "2026-01-12", protocol="cibmtr-15y", answer="yes"))
    assert person.visit("W4", "2026-01-21").target_on == day("2026-03-04")
    assert person.visit("Y01", "2026-01-21").target_on == day("2027-01-21")
    assert person.visit("Y15", "2026-01-21").target_on == day("2041-01-21")
    d100 = person.visit("D100", protocol="cibmtr-15y")
    assert (d100.target_on, d100.window_start, d100.window_end) == (
        day("2026-04-22"),
        day("2026-04-07"),
        day("2026-05-07"),
    )


def test_a_product_of_another_class_replaces_nothing():
    aav = infusion(
        "2026-01-14", product="etranacogene-dezaparvovec", plan_class="aav-factor-ix", default_protocol="aav-15y"
    )
    person = treated_in_2021().add(aav)
    assert {p.state for p in person.plans} == {"active"}
    assert not [v for p in person.plans for v in p.visits if v.outcome is CANCELLED]


def test_death_misses_what_had_passed_and_cancels_the_rest():
    person = Person(infusion("2023-03-04", "2023-03-18"))
    person.done("W4", "2023-04-15").done("Y01", "2024-03-04").add(event("deceased", "2026-04-10"))
    assert person.codes(MISSED, "closed-before-death") == ["Y02"]
    assert person.codes(CANCELLED, "deceased") == [f"Y{n:02}" for n in range(3, 16)]
    assert person.codes(COMPLETED) == ["W4", "Y01"]
    assert {p.state for p in person.plans} == {"ended"}


def test_a_late_entry_misses_what_had_passed_before_registration():
    person = Person(infusion("2019-11-20", "2019-12-06", registered_on=day("2026-11-24")))
    assert person.codes(MISSED, "before-registration") == ["W4", *[f"Y{n:02}" for n in range(1, 7)]]
    y07 = person.visit("Y07")
    assert (y07.window_start, y07.window_end) == (day("2026-10-21"), day("2027-01-19"))
    assert state(y07.outcome, y07.window, day("2026-11-24")) is VisitState.DUE


def test_a_transfer_moves_the_list_and_leaves_the_completeness():
    person = Person(infusion("2024-03-04", "2024-03-18"))
    person.done("W4", "2024-04-15").done("Y01", "2025-03-04").add(event("transferred", "2026-06-15", centre="goteborg"))
    y02 = person.visit("Y02")
    assert (y02.window_end, y02.centre, y02.end_centre, y02.is_open) == (day("2026-05-03"), "goteborg", "lund", True)
    assert responsible_centre(person.facts, day("2026-06-14")) == "lund"
    assert responsible_centre(person.facts) == "goteborg"


def test_a_child_has_a_transition_plan_by_birth_and_one_only():
    person = Person(infusion("2024-02-10"), born="2010-08-31")
    childhood = person.plan(protocol="se-childhood-transition")
    assert [(v.code, v.target_on) for v in childhood.visits] == [("T18", day("2028-08-31")), ("T25", day("2035-08-31"))]
    assert comes_of_age(day("2010-08-31")) == (day("2028-02-29"), day("2028-08-31"))
    person.add(infusion("2025-02-10"))
    assert person.plan(protocol="se-childhood-transition").id == childhood.id
    person.add(infusion("2015-02-10"))  # an older one, entered late: the plan hangs on the first
    moved = person.plan(protocol="se-childhood-transition")
    assert (moved.id, [v.id for v in moved.visits]) == (childhood.id, [v.id for v in childhood.visits])
    assert moved.infusion_id != childhood.infusion_id


@pytest.mark.parametrize(
    ("product", "plan_class", "protocol"),
    [
        ("onasemnogene-abeparvovec", "aav-smn1", "aav-15y"),
        ("keratinocytes-autologous", "keratinocytes-autologous", None),
    ],
)
def test_a_child_treated_for_something_else_than_cancer_has_no_hand_over_of_the_childhood_cancer_programme(
    product, plan_class, protocol
):
    person = Person(
        infusion("2024-02-10", product=product, plan_class=plan_class, default_protocol=protocol), born="2024-01-31"
    )
    assert [plan.protocol_code for plan in person.plans] == ([protocol] if protocol else [])


def test_somebody_is_a_child_until_the_eighteenth_birthday():
    born = day("2008-02-29")
    assert is_child(born, day("2026-02-27"))
    assert not is_child(born, day("2026-02-28"))
    assert not is_child(None, day("2026-02-28"))


# ---- taking back ----


def test_a_death_entered_in_error_is_taken_back_as_if_it_had_never_been():
    person = treated_in_2021("W4", "Y01")
    before = person.plans
    person.add(
        event("deceased", "2026-04-10"),
        event("deceased", "2026-05-10"),
        event("reinstated", "2026-11-24", entered_in_error=True),
    )
    assert person.plans == before
    assert life(person.facts).status is FollowUpStatus.IN_FOLLOW_UP


def test_care_taken_up_again_leaves_what_ended_between_as_it_was():
    person = treated_in_2021("W4", "Y01", "Y02")
    person.add(event("withdrawn", "2025-01-10"), event("reinstated", "2026-10-01"))
    assert person.codes(MISSED, "closed-before-withdrawal") == ["Y03"]
    assert person.codes(CANCELLED, "withdrawn") == ["Y04", "Y05"]
    assert person.codes(None) == [f"Y{n:02}" for n in range(6, 16)]


def test_voiding_a_reinfusion_brings_back_what_it_had_replaced():
    person = treated_in_2021("W4", "Y01", "Y02", "Y03")
    before = person.plan("2021-05-04")
    second = infusion("2025-09-10", "2025-09-24")
    person.add(second, infusion("2025-09-10", "2025-09-24", id=second.id, voided=True))
    assert person.plan("2021-05-04") == before
    assert len(person.codes(CANCELLED, "entered-in-error", "2025-09-10")) == 16
    assert person.plan("2025-09-10").state == "ended"


def test_on_one_day_death_comes_before_withdrawal_before_the_newer_infusion():
    person = treated_in_2021().add(
        event("withdrawn", "2025-09-10"), event("deceased", "2025-09-10"), infusion("2025-09-10")
    )
    assert {v.reason for v in person.plan("2021-05-04").visits if v.outcome is CANCELLED} == {"deceased"}


def test_an_overdue_visit_counts_its_days_from_the_end_of_its_window():
    visit = Person(infusion("2025-03-04")).visit("Y01")
    assert days_overdue(visit.outcome, visit.window, day("2026-05-03")) == 0
    assert days_overdue(visit.outcome, visit.window, day("2026-05-04")) == 1


def test_every_shipped_protocol_has_a_source_and_says_whether_it_was_verified():
    assert {code for code in SHIPPED if "@" not in code} == {
        "ltfu-15y", "ltfu-15y-d28", "ltfu-15y-plus", "cibmtr-15y", "aav-5y", "aav-15y", "genome-editing-15y",
         "se-childhood-transition",
    }  # fmt: skip
    assert all(protocol.source for protocol in SHIPPED.values())
