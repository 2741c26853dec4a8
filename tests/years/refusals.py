"""What is refused of events, dates and infusions (contract.md 3 rules 3, 6, 7, 8 and 18). Part of tests/model.py."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from tests.years.facts import (
    ATTEMPTS,
    SOFT,
    Event,
    Infusion,
    Person,
    courses,
    death,
    endings,
    in_force,
    last_heard,
    responsible_on,
)
from tests.years.schedule import PROTOCOLS


class Refused(Exception):
    """Every reason for which the operation may be refused."""


class Unspecified(Exception):
    """The rules leave it open; lives leave it out."""


BOUND = ("withdrawn", "transferred", "lost-to-follow-up")  # not before the first infusion, not after the death
PRIVATE = ("same_day", "needs_continues", "after_death", "withdrawn")  # what another centre has told


def refuse_unsaid(p: Person, infusion: Infusion) -> Iterator[str]:
    """Two of a class on one day, or a neighbour within 30 days of which nobody says what it is."""
    row = p.live(infusion.plan_class)
    if any(other.infused_on == infusion.infused_on for other in row if other is not infusion):
        yield "same_day"
        return
    course = {i.ref: members[0].ref for members in courses(p, infusion.plan_class) for i in members}
    for earlier, later in pairwise(row):
        is_near = infusion in (earlier, later) and (later.infused_on - earlier.infused_on).days <= 30
        if is_near and not (infusion.says or later.says or course[earlier.ref] == course[later.ref]):
            yield "needs_continues"


def date_reasons(p: Person, infusion: Infusion, today: date) -> Iterator[str]:
    if infusion.infused_on > today:
        yield "date_in_future"
    if infusion.discharged_on and infusion.discharged_on > today:
        yield "date_in_future"
    if infusion.discharged_on and infusion.discharged_on < infusion.infused_on:
        yield "discharge_before_infusion"
    died = death(p)
    if died and max(infusion.infused_on, infusion.discharged_on or infusion.infused_on) > died:
        yield "after_death"
    same_day = [i for i in p.live() if i.infused_on == infusion.infused_on and i.plan_class != infusion.plan_class]
    if any(i.centre != infusion.centre for i in same_day):
        raise Unspecified("two centres infused on one day")


def class_reasons(infusion: Infusion) -> Iterator[str]:
    if any(not PROTOCOLS[code].serves(infusion.plan_class) for code in infusion.names):
        yield "other_class"


def told_outside(p: Person, infusion: Infusion, reasons: list[str]) -> list[str]:
    """The same to a centre that is not responsible for the patient: it learns nothing of what others told."""
    if not set(reasons) & set(PRIVATE):
        return reasons
    others = [
        i
        for i in p.live(infusion.plan_class)
        if i is not infusion and abs((i.infused_on - infusion.infused_on).days) <= 30
    ]
    is_own = any(i.centre == infusion.centre for i in others)
    return ["known_elsewhere", *(reason for reason in reasons if reason not in PRIVATE or is_own)]


def refuse_event(p: Person, event: Event, today: date) -> None:
    kind, on, died, holding = event.type, event.on, death(p), in_force(p)
    took_back = kind == "reinstated" and event.entered_in_error
    is_soft = kind in SOFT
    tidings = ("survival", "relapse", "new-therapy", "transplant", "second-malignancy")
    if on > today:
        raise Refused("date_in_future")
    if died and not (kind == "deceased" or took_back or (kind in tidings and on <= died)):
        raise Refused("patient_deceased")
    if kind == "deceased":
        later = [d.completed_on for d in p.decisions.values() if d.completed_on and d.completed_on > on]
        if later or any(max(i.infused_on, i.discharged_on or i.infused_on) > on for i in p.live()):
            raise Refused("before_death")
    if took_back:
        refuse_taking_back(p)
    elif kind == "reinstated" and not holding:
        raise Refused("nothing_to_end")
    if kind == "reinstated" and not took_back and any(on < e.on for e in holding):
        raise Unspecified("reinstated before the event")
    if (is_soft or kind in BOUND) and (not p.live() or on < min(i.infused_on for i in p.live())):
        if not p.live() or kind not in BOUND:
            raise Unspecified("before the first infusion")
        raise Refused("before_infusion")
    if holding and (is_soft or (kind == "withdrawn" and any(e.type == kind for e in holding))):
        raise Unspecified("told on top of what holds")
    if kind == "transferred" and event.centre == responsible_on(p, date.max):
        raise Unspecified("transferred to where the patient is")
    if kind == "lost-to-follow-up" and not has_attempts(p, on):
        raise Refused("contacts")


def refuse_taking_back(p: Person) -> None:
    """Nothing stands, or it is open whether what was told last still stands: an ended loss, a decision that an infusion
    has made old."""
    holding, standing = in_force(p), endings(p)
    if not holding and not any(e.type == "decided" for e in standing):
        raise Refused("nothing_to_take_back")
    last = standing[-1]
    newer = any(infusion.order > last.order for infusion in p.infusions)
    if (newer or last.was_open) if last.type == "decided" else last not in holding:
        raise Unspecified("taking back what has ended")


def has_attempts(p: Person, on: date) -> bool:
    """Three attempts without an answer through two channels since the patient was last heard of, counted once a day and
    channel."""
    since = last_heard(p)
    tries = {(c.on, c.channel) for c in p.contacts if c.outcome in ATTEMPTS and since < c.on <= on}
    return len(tries) >= 3 and len({channel for _, channel in tries}) >= 2
