"""What holds for every patient: any order of the same facts gives the same visits, and nothing that people decided is
undone."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.planning.changes import mark, replan
from app.planning.courses import numbers
from app.planning.facts import Infusion
from app.planning.plan import months_later, schedule
from app.planning.state import ON_DAY, days_overdue, state
from app.planning.visits import Outcome, Window
from app.planning.workdays import is_working_day
from tests.planning.life import SHIPPED, Person, event, infusion, told

settings.register_profile("steady", deadline=None)  # how fast a rule is stands in bench/, not here
settings.load_profile("steady")
dates = st.dates(date(2012, 1, 1), date(2044, 12, 31))
codes = st.sampled_from(sorted(code for code in SHIPPED if "@" not in code))


@st.composite
def windows(draw):
    start = draw(dates)
    return Window(start, start + timedelta(days=draw(st.integers(0, 120))))


@given(windows(), dates)
def test_an_open_visit_is_planned_due_or_overdue_and_only_one(window, today):
    assert [holds(window, today) for holds in ON_DAY.values()].count(True) == 1
    assert (days_overdue(None, window, today) > 0) == (state(None, window, today) == "overdue")


@given(dates, st.integers(-600, 600))
def test_months_later_is_the_same_day_or_the_months_last(day, months):
    later = months_later(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + timedelta(days=1)).day == 1


@given(codes, dates, st.one_of(st.none(), st.integers(0, 60)), st.one_of(st.none(), dates))
def test_every_target_lies_in_its_window_and_every_suggestion_is_a_working_day_in_it(code, infused_on, stay, born):
    discharged_on = None if stay is None else infused_on + timedelta(days=stay)
    for visit in schedule(SHIPPED[code], infused_on, discharged_on, born, infused_on):
        assert visit.window_start <= visit.target_on <= visit.window_end
        if visit.suggested_on is not None:
            assert visit.window_start <= visit.suggested_on <= visit.window_end
            assert is_working_day(visit.suggested_on)


# Lives without courses: infusions more than 30 days apart, in every order of entering.
days_apart = st.lists(st.integers(31, 1500), min_size=1, max_size=4)


@given(days_apart, st.randoms(use_true_random=False), st.integers(0, 3), st.dates(date(2000, 1, 1), date(2014, 1, 1)))
def test_any_order_of_the_same_facts_gives_the_same_visits(gaps, random, transfers, born):
    first = date(2015, 1, 10)
    days = [first + timedelta(days=sum(gaps[: n + 1])) for n in range(len(gaps))]
    infusions = [
        infusion(day.isoformat(), registered_on=date(2026, 11, 24), centre=("lund", "umea")[day.day % 2])
        for day in days
    ]
    moves = [
        event("transferred", (days[-1] - timedelta(days=100 * n)).isoformat(), centre="uppsala")
        for n in range(transfers)
    ]
    shuffled = [*infusions, *moves]
    random.shuffle(shuffled)
    once, again = Person(born=born.isoformat()).add(*infusions, *moves), Person(born=born.isoformat()).add(*shuffled)
    assert told(once.plans, once.facts) == told(again.plans, again.facts)


def judged(person: Person) -> set[tuple[object, ...]]:
    """Plans and visits of the infusions that count; a decided visit keeps the centre of the day on which it was
    decided, so that is left out."""
    counted = {one.id for one in person.facts.counted}
    return {
        (
            p.infusion_id,
            p.state,
            p.ends_on,
            replace(v, id=None, version=1, alert_after=None, centre="" if v.is_decided else v.centre),
        )
        for p in person.plans
        if p.infusion_id in counted
        for v in p.visits
    }


days_of = st.integers(0, 2200).map(lambda days: timedelta(days=days))
# What is entered of an infusion beside itself: by how much its day was mistyped, the stay, what was done when, and
# whether it was an error.
entered = st.tuples(
    st.integers(31, 1500).map(lambda days: timedelta(days=days)),
    st.integers(-400, 400).map(lambda days: timedelta(days=days)),
    st.none() | st.integers(0, 80).map(lambda days: timedelta(days=days)),
    st.dictionaries(st.sampled_from(["W4", "Y01", "Y02", "Y05"]), days_of, max_size=3),
    st.booleans(),
)


def lived(typed: list[Infusion], acts: list[tuple[int, str, object]]) -> Person:
    """Does the acts in their order: what mends an infusion, or is done of its plan, each after the infusion itself was
    entered."""
    person = Person()
    for place, kind, fact in acts:
        stands = next((one for one in person.facts.infusions if one.id == typed[place].id), None)
        if stands is None:
            person.add(stands := typed[place])
        if kind == "done":
            person.done_of(stands.id, *fact)
        else:
            person.add(replace(stands, **{kind: fact}))
    return person


@settings(max_examples=50)
@given(st.lists(entered, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_any_order_of_corrections_voids_and_late_dates_judges_what_was_done_alike(told_of, random):
    day, typed, acts = date(2015, 1, 10), list[Infusion](), []
    for place, (gap, wrong_by, stay, done, in_error) in enumerate(told_of):
        day += gap
        typed.append(
            infusion(
                (day + wrong_by).isoformat(), registered_on=date(2012, 1, 1), centre=("lund", "umea", "uppsala")[place]
            )
        )
        acts += [(place, "infused_on", day), *[(place, "done", (code, day + after)) for code, after in done.items()]]
        acts += [(place, "discharged_on", day + stay)] if stay is not None else []
        acts += [(place, "voided", True)] if in_error and place else []
    assert judged(lived(typed, acts)) == judged(lived(typed, random.sample(acts, len(acts))))


@given(days_apart)
def test_replanning_what_stands_changes_nothing(gaps):
    days = [date(2015, 1, 10) + timedelta(days=sum(gaps[: n + 1])) for n in range(len(gaps))]
    person = Person(*[infusion(day.isoformat()) for day in days], born="2005-02-01")
    assert replan(person.facts, person.plans, SHIPPED, person.today) == person.plans


@given(days_apart, st.integers(0, 15), st.integers(0, 400))
def test_what_people_decided_is_never_undone(gaps, place, late):
    person = Person(infusion("2015-01-10"))
    visit = person.plan().visits[place]
    person.done(visit.code, (visit.window_start + timedelta(days=late)).isoformat())
    stood = person.visit(visit.code)
    person.add(
        event("withdrawn", "2020-01-01"),
        event("reinstated", "2021-01-01"),
        infusion("2022-03-01"),
        event("deceased", "2040-01-01"),
    )
    assert replace(person.visit(visit.code, "2015-01-10"), end_centre=stood.end_centre) == stood
    assert stood.outcome is Outcome.COMPLETED


@given(dates, dates)
def test_without_an_event_only_the_day_of_registration_closes_a_window(window_end, registered_on):
    outcome, reason, _ = mark(window_end, registered_on, [])
    assert (outcome, reason) == (
        (Outcome.MISSED, "before-registration") if window_end < registered_on else (None, None)
    )


@given(days_apart)
def test_infusions_are_numbered_by_date_and_each_beyond_the_first_course_begins_with_a_reinfusion(gaps):
    days = [date(2015, 1, 10) + timedelta(days=sum(gaps[: n + 1])) for n in range(len(gaps))]
    person = Person(*[infusion(day.isoformat()) for day in reversed(days)])
    found = sorted((n.infusion_number, n.course_number, n.reinfusion) for n in numbers(person.facts).values())
    assert found == [(n, n, n > 1) for n in range(1, len(days) + 1)]
