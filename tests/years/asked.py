"""What a person has to decide about a patient or a visit (contract.md 3 rules 4, 8, 11 and 17). Part of tests/model.py.

Each answer is True, False, or ANY where the rules leave it open.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from tests.years.facts import ANSWERS, Key, Person, Visit, death, endings, is_care, last_heard, plans, status
from tests.years.schedule import plus_days, plus_months

ANY = "?"  # the rules leave it open: not compared
SILENCE = 14  # calendar months
ENDINGS = ("extend", "hand-over", "close")


def decided_before_window(p: Person, key: Key, visit: Visit, is_now: str) -> Any:
    """Whether a later fact has moved the window of a closed visit behind the day on which people closed it, and nobody
    confirmed that."""
    d = p.decisions.get(key)
    if d is None or d.outcome == "cancelled" or not visit.given or is_now in ("deceased", "withdrawn"):
        return False
    if d.day >= visit.window.start or any(plan.replaced_on for plan in plans(p) if (plan.kind, plan.name) == key[:2]):
        return False
    if is_now not in ("in-follow-up", "plan-ended"):
        return ANY
    if d.window.start != visit.window.start:
        return True
    is_as_it_was = d.window == visit.window and not d.was_moved
    return False if is_as_it_was else ANY  # moved there and back, or another end alone


def death_reported(p: Person) -> Any:
    """Whether somebody was told of a death that is neither recorded nor refuted by a sign of life of a later day."""
    reports = [c.on for c in p.contacts if c.outcome == "deceased-reported"]
    if not reports or death(p):
        return False
    alive = [d.completed_on for d in p.decisions.values() if d.completed_on]
    alive += [e.on for e in p.events if e.type == "survival"] + [c.on for c in p.contacts if c.outcome in ANSWERS]
    alive += [e.on for e in endings(p) if e.word == "not-deceased"]
    last = max(alive, default=date.min)
    return ANY if last == max(reports) else last < max(reports)


def of_patient(p: Person, visits: Mapping[Key, Visit], today: date) -> dict[str, Any]:
    """Whether each word holds for a patient; of several the rules do not say under which one the patient is listed.
    `over` is whether plan-ended or no-plan holds."""
    asked: dict[str, Any] = dict.fromkeys(("plan-ended", "no-plan", "over", "no-contact"), False)
    asked["infusion-refused"] = False if not p.refused else "asked" in p.refused.values() or ANY
    asked["deceased-reported"] = death_reported(p)
    if status(p, visits) not in ("in-follow-up", "plan-ended"):
        return asked | {"deceased-reported": asked["deceased-reported"] and ANY}
    is_near = any(
        not v.outcome and (v.window.start <= plus_days(today, 30) or key in p.bookings) for key, v in visits.items()
    )
    asked["no-contact"] = not is_near and plus_months(last_heard(p), SILENCE) < today
    care = [visit for key, visit in visits.items() if is_care(key) and visit.given]
    if any(not visit.outcome for visit in care):
        return asked
    is_over = over(p)
    if is_over is not True or death_reported(p) is not False:
        asked["no-contact"] = asked["no-contact"] and ANY
    asked["over"] = is_over
    was_late = all(visit.reason == "before-registration" for visit in care)
    asked["no-plan"] = is_over and (is_over if was_late else ANY)
    asked["plan-ended"] = is_over and (is_over if p.was_open and not was_late else ANY)
    return asked


def over(p: Person) -> Any:
    """Of a patient without an open care visit: whether nobody has decided what now; an infusion asks anew."""
    decided = [e for e in endings(p) if e.word in ENDINGS]
    if not decided:
        return True
    last = decided[-1]
    newer = [i for i in p.infusions if i.order > last.order]
    if any(not i.voided for i in newer):
        return True
    return ANY if newer or last.was_open else False
