"""Courses: what continues, what begins anew, and what must be said (contract 3, rules 3 and 16)."""

import pytest

from app.planning.courses import ContinuesUnknown, NeedsContinues, SameDay, numbers, refuse_unclear, refuse_unknown
from tests.planning.life import Person, infusion


def entered(*infusions):
    """The person with these infusions, the last one being checked."""
    person = Person(*infusions)
    refuse_unknown(person.facts, infusions[-1])
    refuse_unclear(person.facts, infusions[-1])
    return [
        (n.infusion_number, n.course_number, n.reinfusion)
        for n in sorted(numbers(person.facts).values(), key=lambda n: n.infusion_number)
    ]


def aucatzyl(infused_on, **told):
    return infusion(infused_on, product="obecabtagene-autoleucel", infusions_per_course=2, course_days=21, **told)


def luxturna(infused_on, **told):
    return infusion(
        infused_on,
        product="voretigene-neparvovec",
        plan_class="aav-rpe65",
        infusions_per_course=2,
        course_days=90,
        **told,
    )


def test_the_second_eye_continues_the_course_for_90_days_and_is_no_reinfusion():
    assert entered(luxturna("2026-01-12"), luxturna("2026-02-20")) == [(1, 1, False), (2, 1, False)]
    assert entered(luxturna("2026-01-12"), luxturna("2026-04-12")) == [(1, 1, False), (2, 1, False)]
    assert entered(luxturna("2026-01-12"), luxturna("2026-04-13")) == [(1, 1, False), (2, 2, True)]


def test_two_infusions_of_one_course_are_no_reinfusion():
    assert entered(aucatzyl("2026-01-12"), aucatzyl("2026-01-21")) == [(1, 1, False), (2, 1, False)]


def test_a_split_dose_entered_backwards_is_the_same_course():
    assert entered(aucatzyl("2026-01-21"), aucatzyl("2026-01-12")) == [(1, 1, False), (2, 1, False)]


def test_a_course_that_is_full_continues_no_further_by_itself():
    with pytest.raises(NeedsContinues):
        entered(aucatzyl("2026-01-02"), aucatzyl("2026-01-12"), aucatzyl("2026-01-21"))


def test_the_second_dose_comes_at_the_latest_on_day_21():
    assert entered(aucatzyl("2026-01-01"), aucatzyl("2026-01-22")) == [(1, 1, False), (2, 1, False)]
    with pytest.raises(NeedsContinues):
        entered(aucatzyl("2026-01-01"), aucatzyl("2026-01-23"))


@pytest.mark.parametrize("second", ["2026-02-11", "2025-12-13"])
def test_within_30_days_it_must_be_said_whether_the_course_goes_on(second):
    first = infusion("2026-01-12")
    with pytest.raises(NeedsContinues) as refused:
        entered(first, infusion(second))
    assert refused.value.facts["infusion_id"] == str(first.id)


def test_after_31_days_a_new_course_is_understood():
    assert entered(infusion("2026-01-12"), infusion("2026-02-12")) == [(1, 1, False), (2, 2, True)]


def test_saying_it_settles_the_doubt():
    first = infusion("2026-01-12")
    assert entered(first, infusion("2026-02-01", continues=first.id)) == [(1, 1, False), (2, 1, False)]
    assert entered(infusion("2026-01-12"), infusion("2026-02-01", new_course=True)) == [(1, 1, False), (2, 2, True)]


def test_a_top_up_long_after_belongs_to_its_course_when_it_says_so():
    first = infusion("2024-01-12")
    assert entered(first, infusion("2026-02-01", continues=first.id)) == [(1, 1, False), (2, 1, False)]


def test_one_class_has_one_infusion_a_day():
    with pytest.raises(SameDay):
        entered(infusion("2026-01-12"), infusion("2026-01-12", new_course=True))


def test_continues_names_an_infusion_of_the_same_class():
    other = infusion("2026-01-12", plan_class="aav-smn1")
    with pytest.raises(ContinuesUnknown):
        entered(other, infusion("2026-02-01", continues=other.id))


def test_a_voided_infusion_is_no_neighbour():
    assert entered(infusion("2026-01-12", voided=True), infusion("2026-01-12")) == [(1, 1, False)]


def test_two_doses_linked_by_hand_take_no_third_between_them():
    last = aucatzyl("2026-01-27")
    with pytest.raises(NeedsContinues):
        entered(last, aucatzyl("2026-01-07", continues=last.id), aucatzyl("2026-01-16"))
