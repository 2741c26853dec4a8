"""Courses: infusions given as one treatment by plan, or as a top-up; any other of the same class is a reinfusion
(domain.md 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from app.errors import Conflict, Invalid
from app.planning.facts import Facts, Infusion

NEIGHBOURS = timedelta(days=30)


class NeedsContinues(Conflict):
    """Another infusion of the same class lies within 30 days; say whether this one continues its course or begins a new
    one."""

    code = "needs_continues"


class SameDay(Conflict):
    """There is already an infusion of this class on this day."""

    code = "same_day"


class ContinuesUnknown(Invalid):
    """`continues` must name another infusion of the same patient and class."""

    code = "unknown_infusion"


@dataclass(frozen=True, slots=True)
class Numbering:
    """`infusion_number` counts the patient's infusions by date, `course_number` the courses of the class."""

    infusion_number: int
    course_number: int
    reinfusion: bool
    begins_course: bool


def of_class(facts: Facts) -> dict[str, list[list[Infusion]]]:
    """For each class its courses in order of their first infusion, each a list of infusions by date; voided ones count
    nowhere."""
    classes: dict[str, list[Infusion]] = {}
    for infusion in facts.counted:
        classes.setdefault(infusion.plan_class, []).append(infusion)
    return {name: _courses(infusions) for name, infusions in classes.items()}


def _courses(infusions: Sequence[Infusion]) -> list[list[Infusion]]:
    if len(infusions) == 1:
        return [list(infusions)]
    course_of: dict[UUID, list[Infusion]] = {i.id: [i] for i in infusions}

    def join(one: Infusion, other: Infusion) -> None:
        merged = sorted([*course_of[one.id], *course_of[other.id]], key=lambda i: (i.infused_on, i.id))
        for member in merged:
            course_of[member.id] = merged

    for infusion in infusions:
        if infusion.continues in course_of and course_of[infusion.continues] is not course_of[infusion.id]:
            join(infusion, next(i for i in infusions if i.id == infusion.continues))
    for before, infusion in pairwise(infusions):
        if (
            infusion.continues is None
            and not infusion.new_course
            and _continue_by_themselves(course_of[before.id], course_of[infusion.id])
        ):
            join(before, infusion)
    courses: list[list[Infusion]] = []
    for infusion in infusions:
        if not any(course is course_of[infusion.id] for course in courses):
            courses.append(course_of[infusion.id])
    return courses


def _continue_by_themselves(course: Sequence[Infusion], other: Sequence[Infusion]) -> bool:
    """Whether two neighbouring courses are one by plan (a split dose, the second eye): of one product, within the days
    that the product gives a course, and together not more infusions than its course holds (rules 3, 16)."""
    both = sorted({*course, *other}, key=lambda i: i.infused_on)
    return (
        len(both) > max(len(course), len(other))
        and len({i.product for i in both}) == 1
        and len(both) <= both[0].infusions_per_course
        and both[-1].infused_on - both[0].infused_on <= timedelta(days=both[0].course_days or 0)
    )


def numbers(facts: Facts) -> dict[UUID, Numbering]:
    """The numbering of every infusion that is not voided."""
    number = {infusion.id: n for n, infusion in enumerate(facts.counted, 1)}
    return {
        infusion.id: Numbering(number[infusion.id], n, n > 1 and place == 0, place == 0)
        for courses in of_class(facts).values()
        for n, course in enumerate(courses, 1)
        for place, infusion in enumerate(course)
    }


def refuse_unknown(facts: Facts, infusion: Infusion) -> None:
    """Raises ContinuesUnknown when the infusion is said to continue one that the patient has not had, of another class,
    or voided (rule 3)."""
    known = {i.id for i in facts.counted if i.plan_class == infusion.plan_class and i.id != infusion.id}
    if infusion.continues is not None and infusion.continues not in known:
        raise ContinuesUnknown(field="continues")


def refuse_unclear(facts: Facts, infusion: Infusion) -> None:
    """Raises SameDay or NeedsContinues when the infusion, entered or moved, leaves its course open to doubt (rule 3: a
    typing error must not supersede fifteen years). The 30 plain days hold between neighbours by date."""
    others = [i for i in facts.counted if i.plan_class == infusion.plan_class and i.id != infusion.id]
    for other in others:
        if other.infused_on == infusion.infused_on:
            raise SameDay(field="infused_on", infusion_id=str(other.id), infused_on=other.infused_on.isoformat())
    if infusion.continues is not None or infusion.new_course:
        return
    course = {i.id: n for courses in of_class(facts).values() for n, group in enumerate(courses) for i in group}
    before = [i for i in others if i.infused_on < infusion.infused_on][-1:]
    after = [i for i in others if i.infused_on > infusion.infused_on][:1]
    for earlier, later in [(i, infusion) for i in before] + [(infusion, i) for i in after]:
        settled = later.continues is not None or later.new_course or (course[earlier.id] == course[later.id])
        if later.infused_on - earlier.infused_on <= NEIGHBOURS and not settled:
            near = earlier if later is infusion else later
            raise NeedsContinues(field="continues", infusion_id=str(near.id), infused_on=near.infused_on.isoformat())
