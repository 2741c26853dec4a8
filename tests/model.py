"""A plain second opinion on the rules of the field: facts in, everything derived anew, days by `calendar` and `datetime` alone.

It shares no code with `app` and is slow on purpose. Random lives (tests/years) put the same operations to it and to the service. An
operation answers ("ok", ...), ("refused", *reasons), or ("unspecified", why) where the rules say nothing; then nothing has happened.
Days are local dates (Europe/Stockholm). tests/years/schedule.py holds days and tables, tests/years/facts.py what follows from the facts.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from tests.years.facts import (
    ONLY,
    Alert,
    Decision,
    Event,
    Infusion,
    Key,
    Person,
    Visit,
    anchor,
    courses,
    death,
    endings,
    follow_up_until,
    in_force,
    last_heard,
    plans,
    refuse_unsaid,
    responsible_on,
    state_on,
    status,
    visits_of,
)
from tests.years.schedule import PROTOCOLS, UPCOMING_CENTRES, plus_months, suggested

Answer = tuple[Any, ...]
ANY = "?"  # the rules leave it open: not compared


class Refused(Exception):
    """Every reason for which the operation may be refused."""


class Unspecified(Exception):
    """The rules leave it open; lives leave it out."""


# ---- The service --------------------------------------------------------------------------------------------------------


class Model:
    """Patients and what was told of them. `told` is the alert feed: (visit key, type, centre, state, resolved by)."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.last_swept = today
        self.people: dict[str, Person] = {}
        self.told: list[tuple[str, Key, str, str, str, str | None]] = []
        self._order = 0

    def visits(self, person: str) -> dict[Key, Visit]:
        return visits_of(self.people[person], self.today)

    def status(self, person: str) -> str:
        return status(self.people[person], self.visits(person), self.today)

    def look(self, person: str) -> dict[str, Any]:
        """What the follow-up of a patient shows today, in the words of contract.md 2; ANY where the rules leave it open."""
        p, now = self.people[person], self.visits(person)
        now = {key: visit for key, visit in now.items() if is_compared(p, key, visit, self.today)}
        ends = sorted((visit.window.end, "/".join(key)) for key, visit in now.items() if not visit.outcome)
        is_tie = len(ends) > 1 and ends[0][0] == ends[1][0]
        return {
            "status": self.status(person),
            "responsible_centre": p.responsible if p.live() else ANY,
            "visits": {"/".join(key): shown_visit(p, key, visit, self.today) for key, visit in now.items()},
            "alerts": {"/".join(key): alert.state for key, alert in p.alerts.items()},
            "follow_up_until": iso(follow_up_until(p, self.today)) if self.status(person) in ("in-follow-up", "lost") and not is_endless(p) else ANY,
            "next_visit": ANY if is_tie else ends[0][1] if ends else None,
            "infusions": numbers(p),
        }

    # -- settling

    def _act(self, person: str, change: Callable[[Person], object]) -> Answer:
        p = self.people[person].copy()
        self._order += 1
        try:
            change(p)
            told = settle(p, self.today)
        except Refused as refusal:
            return ("refused", *refusal.args)
        except Unspecified as gap:
            return ("unspecified", *gap.args)
        self.people[person] = p
        self.told += [(person, *event) for event in told]
        return ("ok",)

    def sweep(self) -> Answer:
        """Raises what is overdue; for a day before the last swept one it does nothing."""
        if self.today < self.last_swept:
            return ("ok", 0)
        self.last_swept = self.today
        before = len(self.told)
        for person in self.people:
            self._act(person, lambda p: None)
        return ("ok", len(self.told) - before)

    # -- infusions

    def record(
        self,
        person: str,
        ref: str,
        *,
        birth_date: date,
        centre: str,
        product: str,
        infused_on: date,
        discharged_on: date | None = None,
        continues: str | None = None,
        new_course: bool = False,
        protocols: tuple[str, ...] = (),
        completed: tuple[tuple[str, date], ...] = (),
        consented: tuple[str, ...] = (),
    ) -> Answer:
        """An infusion of a new or known person, with visits of its care plan that were already done: (code, day)."""
        is_new = person not in self.people
        if is_new:
            self.people[person] = Person(birth_date, consented)

        def change(p: Person) -> None:
            new = Infusion(ref, centre, product, infused_on, discharged_on, continues, new_course, protocols, self.today, self._order)
            linked = [i for i in p.live(new.plan_class) if i.ref == continues]
            p.infusions.append(new)
            reasons = [*self._date_reasons(p, new), *refuse_unsaid(p, new)]
            reasons += ["upcoming"] * (centre in UPCOMING_CENTRES) + ["continues"] * (continues is not None and not linked)
            reasons += ["withdrawn"] * any(e.type == "withdrawn" for e in in_force(p))
            now = visits_of(p, self.today)
            for visit_code, on in completed:
                reasons += ["completed"] * (not infused_on <= on <= self.today) + ["after_death"] * (on > (death(p) or self.today))
                visit = now["care", ref, visit_code]
                p.decisions["care", ref, visit_code] = Decision("completed", None, on, visit.window, visit.centre or "", self._order)
            if reasons:
                raise Refused(*reasons)

        answer = self._act(person, change)
        if is_new and answer[0] != "ok":
            del self.people[person]
        return answer

    def correct(self, person: str, ref: str, **days: date | None) -> Answer:
        """Another `infused_on` or `discharged_on`; the plan is as if it had been so from the start."""

        def change(p: Person) -> None:
            infusion = p.infusion(ref)
            if infusion.voided:
                raise Unspecified("a voided infusion is corrected")
            is_moved = days.get("infused_on", infusion.infused_on) != infusion.infused_on
            vars(infusion).update(days)
            done = [d.completed_on for key, d in p.decisions.items() if d.completed_on and anchor(p, key) is infusion]
            if any(on < infusion.infused_on for on in done):
                raise Unspecified("a visit was done before the corrected infusion")
            reasons = [*self._date_reasons(p, infusion), *(refuse_unsaid(p, infusion) if is_moved else ())]
            if reasons:
                raise Refused(*reasons)

        return self._act(person, change)

    def _date_reasons(self, p: Person, infusion: Infusion) -> Iterator[str]:
        if infusion.infused_on > self.today:
            yield "date_in_future"
        if infusion.discharged_on and infusion.discharged_on > self.today:
            yield "date_in_future"
        if infusion.discharged_on and infusion.discharged_on < infusion.infused_on:
            yield "discharge_before_infusion"
        died = death(p)
        if died and infusion.infused_on > died:
            yield "after_death"
        elif died and infusion.discharged_on and infusion.discharged_on > died:
            raise Unspecified("discharged after the death")
        same_day = [i for i in p.live() if i.infused_on == infusion.infused_on and i.plan_class != infusion.plan_class]
        if any(i.centre != infusion.centre for i in same_day):
            raise Unspecified("two centres infused on one day")

    def void(self, person: str, ref: str) -> Answer:
        def change(p: Person) -> None:
            hangs = any(plan.name == ONLY and plan.anchor.ref == ref for plan in plans(p))
            p.infusion(ref).voided = True
            if hangs and any(plan.name == ONLY for plan in plans(p)):
                raise Unspecified("a hand-over plan begins anew after its infusion was voided")

        return self._act(person, change)

    def correct_birth_date(self, person: str, birth_date: date) -> Answer:
        return self._act(person, lambda p: setattr(p, "birth_date", birth_date))

    # -- visits

    def book(self, person: str, key: Key, on: date | None) -> Answer:
        def change(p: Person) -> None:
            if on and on < self.today:
                raise Refused("booked_in_past")
            if visits_of(p, self.today)[key].outcome:
                raise Refused("closed")
            p.bookings.pop(key, None)
            if on:
                p.bookings[key] = on

        return self._act(person, change)

    def complete(self, person: str, key: Key, on: date, confirm: tuple[str, ...] = ()) -> Answer:
        def change(p: Person) -> None:
            now = visits_of(p, self.today)
            visit, infused_on, died = now[key], anchor(p, key).infused_on, death(p)
            if self._told_before(p, key, "completed", None, on):
                return
            if visit.decided or visit.reason == "entered-in-error":
                raise Refused("closed")
            reasons = ["date_in_future"] * (on > self.today) + ["before_infusion"] * (on < infused_on)
            reasons += ["after_death"] * (died is not None and on > died)
            if visit.outcome and not reasons:  # closed by planning: when it was really done in time
                was_in_time = visit.window.start <= on <= visit.window.end
                if not was_in_time or visit.reason not in ("before-registration", "closed-before-death", "deceased"):
                    raise Unspecified("a visit that planning closed is done otherwise than in time")
            own = abs((on - visit.window.target).days)
            later = [v.window.target for k, v in now.items() if k[:2] == key[:2] and v.window.target > visit.window.target]
            asked = ["window_not_open"] * (on < visit.window.start) + ["nearer_to_next"] * any(abs((on - t).days) < own for t in later)
            reasons += [code for code in asked if code not in confirm]
            if reasons:
                raise Refused(*reasons)
            centre = visit.centre or ""
            p.decisions[key] = Decision("completed", None, on, visit.window, centre, self._order)

        return self._act(person, change)

    def miss(self, person: str, key: Key, reason: str) -> Answer:
        def change(p: Person) -> None:
            visit = visits_of(p, self.today)[key]
            if self._told_before(p, key, "missed", reason, None):
                return
            if visit.outcome or self.today < visit.window.start:
                raise Refused("closed" if visit.outcome else "window_not_open_yet")
            p.decisions[key] = Decision("missed", reason, None, visit.window, visit.centre or "", self._order)

        return self._act(person, change)

    def cancel(self, person: str, key: Key) -> Answer:
        def change(p: Person) -> None:
            visit = visits_of(p, self.today)[key]
            if self._told_before(p, key, "cancelled", "not-required", None):
                return
            if visit.outcome:
                raise Refused("closed")
            p.decisions[key] = Decision("cancelled", "not-required", None, visit.window, visit.centre or "", self._order)

        return self._act(person, change)

    @staticmethod
    def _told_before(p: Person, key: Key, outcome: str, reason: str | None, on: date | None) -> bool:
        """The same action with the same data once more changes nothing."""
        d = p.decisions.get(key)
        return d is not None and (d.outcome, d.reason, d.completed_on) == (outcome, reason, on)

    def reopen(self, person: str, key: Key) -> Answer:
        """Takes a person's decision back; what planning closed stays closed."""

        def change(p: Person) -> None:
            visit = visits_of(p, self.today)[key]
            if not visit.outcome:
                raise Unspecified("reopening an open visit")
            if p.decisions.pop(key, None) is None:
                raise Refused("closed_by_planning")

        return self._act(person, change)

    # -- people

    def contact(self, person: str, key: Key, channel: str, outcome: str | None, on: date) -> Answer:
        def change(p: Person) -> None:
            if on > self.today:
                raise Refused("date_in_future")
            if death(p):
                raise Unspecified("a contact about a dead patient")
            if key not in visits_of(p, self.today):
                raise Refused("no_such_visit")
            p.contacts.append((on, channel, outcome))

        return self._act(person, change)

    def report(self, person: str, kind: str, on: date, *, centre: str | None = None, entered_in_error: bool = False) -> Answer:
        """A patient event of contract.md 3."""

        def change(p: Person) -> None:
            if on > self.today:
                raise Refused("date_in_future")
            refuse_event(p, kind, on, centre, entered_in_error)
            p.events.append(Event(kind, on, self._order, centre, entered_in_error))

        return self._act(person, change)

    def acknowledge(self, person: str, key: Key) -> Answer:
        def change(p: Person) -> None:
            if key not in p.alerts:
                raise Refused("resolved")

        answer = self._act(person, change)
        alert = self.people[person].alerts.get(key)
        if alert and alert.state == "open":  # of one that the loss acknowledged, nothing changes
            alert.state, alert.by_person = "acknowledged", True
            self.told.append((person, key, "alert.acknowledged", alert.centre, alert.state, None))
        return answer


def is_compared(p: Person, key: Key, visit: Visit, today: date) -> bool:
    """Not what planning gives no longer (but for a voided infusion's), and of an endless plan's later years the open ones of four years."""
    is_later = key[2][0] == "Y" and int(key[2][1:]) > 15
    is_kept = visit.given or visit.decided or (p.is_void(key) and key[1] != ONLY)
    return is_kept and not (is_later and (visit.outcome or visit.window.target > plus_months(today, 48)))


def is_endless(p: Person) -> bool:
    return any(PROTOCOLS[plan.protocol].endless for plan in plans(p))


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def shown_visit(p: Person, key: Key, visit: Visit, today: date) -> dict[str, Any]:
    target, start, end, provisional = visit.window
    booked = p.bookings.get(key) if not visit.outcome else ANY if visit.decided else None
    return {
        "state": state_on(visit, today),
        "reason": visit.reason,
        "target_on": target.isoformat(),
        "window_start": start.isoformat(),
        "window_end": end.isoformat(),
        "suggested_on": iso(suggested(target, start, end)),
        "provisional": provisional,
        "days_overdue": (today - end).days if state_on(visit, today) == "overdue" else 0,
        "booked_on": booked if isinstance(booked, str) else iso(booked),
        "completed_on": iso(visit.completed_on),
        "on_time": start <= visit.completed_on <= end if visit.completed_on else None,
        "centre": visit.centre or ANY,
    }


def numbers(p: Person) -> dict[str, Any]:
    """(infusion_number, course_number, reinfusion) of each infusion that counts."""
    row = p.live()
    told: dict[str, Any] = {}
    for plan_class in {i.plan_class for i in row}:
        for course, members in enumerate(courses(p, plan_class), 1):
            for infusion in members:
                same_day = [i for i in row if i.infused_on == infusion.infused_on]
                number = ANY if len(same_day) > 1 else row.index(infusion) + 1
                told[infusion.ref] = [number, course, course > 1 and infusion is members[0]]
    return told


def refuse_event(p: Person, kind: str, on: date, centre: str | None, entered_in_error: bool) -> None:
    died, holding, standing = death(p), in_force(p), endings(p)
    took_back = kind == "reinstated" and entered_in_error
    is_soft = kind in ("lost-to-follow-up", "followed-elsewhere")
    tidings = ("survival", "relapse", "new-therapy", "transplant", "second-malignancy")
    if died and not (kind == "deceased" or took_back or (kind in tidings and on <= died)):
        raise Refused("patient_deceased")
    if kind == "deceased":
        later = [d.completed_on for d in p.decisions.values() if d.completed_on and d.completed_on > on]
        if later or any(i.infused_on > on for i in p.live()):
            raise Refused("before_death")
        if any(i.discharged_on and i.discharged_on > on for i in p.live()):
            raise Unspecified("died before the discharge")
    if took_back and standing and standing[-1] not in holding:
        raise Unspecified("taking back what has ended")
    if kind == "reinstated" and not holding:
        raise Refused("nothing_to_end")
    if kind == "reinstated" and not entered_in_error and any(on < e.on for e in holding):
        raise Unspecified("reinstated before the event")
    if (is_soft or kind in ("withdrawn", "transferred")) and on < min(i.infused_on for i in p.infusions):
        raise Unspecified("before the first infusion")
    if holding and (is_soft or (kind == "withdrawn" and any(e.type == kind for e in holding))):
        raise Unspecified("told on top of what holds")
    if kind == "transferred" and centre == responsible_on(p, date.max):
        raise Unspecified("transferred to where the patient is")
    if kind == "lost-to-follow-up":
        since = last_heard(p)
        vain = ("no-answer", "busy", "wrong-number", "letter-sent")
        tries = [channel for _, channel in {(day, channel) for day, channel, outcome in p.contacts if outcome in vain and since < day <= on}]
        if len(tries) < 3 or len(set(tries)) < 2:
            raise Refused("contacts")


def settle(p: Person, today: date) -> list[tuple[Key, str, str, str, str | None]]:
    """Brings bookings and alerts to what the facts say now; answers the events of the feed."""
    now = visits_of(p, today)
    told: list[tuple[Key, str, str, str, str | None]] = []
    stranded = [key for key in p.decisions if not now[key].given and not p.is_void(key)]
    if stranded:
        raise Unspecified("a decided visit that planning no longer gives")
    revived = [key for key, before in p.stood.items() if key[1] == ONLY and now[key].given and not before.given]
    if revived and len(p.live()) < len(p.infusions):
        raise Unspecified("a hand-over plan begins anew after its infusion was voided")
    p.responsible = responsible_on(p, date.max)
    is_now = status(p, now, today)
    for key, visit in now.items():
        alert, before, booked = p.alerts.get(key), p.stood.get(key), p.bookings.get(key)
        if booked and before and before.window != visit.window and not visit.window.start <= booked <= visit.window.end:
            del p.bookings[key]
        is_wanted = not visit.outcome and visit.window.end < today and is_now in ("in-follow-up", "plan-ended", "lost")
        if alert:
            moved = "replanned" if alert.window != visit.window else "transferred" if alert.centre != visit.centre else None
            why = visit.outcome or ("followed-elsewhere" if is_now == "followed-elsewhere" else moved)
            if why:
                told.append((key, "alert.resolved", alert.centre, "resolved", why))
                del p.alerts[key]
        if is_wanted and key not in p.alerts:
            p.alerts[key] = alert = Alert("acknowledged" if is_now == "lost" else "open", visit.centre or "", visit.window)
            told.append((key, "visit.overdue", alert.centre, alert.state, None))
        elif is_wanted and alert and is_now == "lost" and alert.state == "open":
            alert.state = "acknowledged"
            told.append((key, "alert.acknowledged", alert.centre, alert.state, None))
        elif is_wanted and alert and is_now != "lost" and alert.state == "acknowledged" and not alert.by_person:
            alert.state = "open"
            told.append((key, "alert.reopened", alert.centre, alert.state, None))
    p.stood = now
    return told
