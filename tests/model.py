"""A plain second opinion on the rules of the field: facts in, everything derived anew, days by `calendar` and
`datetime` alone.

It shares no code with `app` and is slow on purpose. Random lives (tests/years) put the same operations to it and to the
service. An operation answers ("ok", ...), ("refused", *reasons), or ("unspecified", why) where the rules say nothing;
then nothing has happened. Days are local dates (Europe/Stockholm). tests/years/schedule.py holds days and tables,
tests/years/facts.py what follows from the facts.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.years.asked import ANY, death_reported, decided_before_window, of_patient
from tests.years.facts import (
    ONLY,
    Contact,
    Decision,
    Event,
    Infusion,
    Key,
    Person,
    Visit,
    anchor,
    death,
    endings,
    follow_up_until,
    in_force,
    last_heard,
    plans,
    status,
    visits_of,
)
from tests.years.refusals import (
    BOUND,
    Refused,
    Unspecified,
    class_reasons,
    date_reasons,
    has_attempts,
    refuse_event,
    refuse_unsaid,
    told_outside,
)
from tests.years.schedule import UPCOMING_CENTRES
from tests.years.settling import settle
from tests.years.shown import is_compared, is_endless, iso, numbers, shown_status, shown_visit

Answer = tuple[Any, ...]


# ---- The service -----------------------------------------------------------------------------------------------------


class Model:
    """Patients and what was told of them. `told` is the alert feed: (visit key, type, centre, state, resolved by)."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.people: dict[str, Person] = {}
        self.kept: dict[str, dict[str, Any]] = {}  # infusions refused as another centre's, as they were sent
        self.told: list[tuple[str, Key, str, str, str, str | None]] = []
        self.order = 0

    def visits(self, person: str) -> dict[Key, Visit]:
        p = self.people[person]
        return p.stood if p.stood_on == self.today else visits_of(p, self.today)

    def status(self, person: str) -> str:
        return status(self.people[person], self.visits(person))

    def look(self, person: str) -> dict[str, Any]:
        """What the follow-up of a patient shows today, in the words of contract.md 2; ANY where the rules leave it
        open."""
        p = self.people[person]
        now = {key: visit for key, visit in self.visits(person).items() if is_compared(p, key, visit, self.today)}
        is_now = self.status(person)
        ends = sorted((visit.window.end, "/".join(key)) for key, visit in now.items() if not visit.outcome)
        is_tie = len(ends) > 1 and ends[0][0] == ends[1][0]
        return {
            "status": shown_status(p, now, is_now),
            "responsible_centre": p.responsible if p.live() else ANY,
            "visits": {"/".join(key): shown_visit(p, key, visit, self.today) for key, visit in now.items()},
            "alerts": {"/".join(key): alert.state for key, alert in p.alerts.items()},
            "follow_up_until": iso(follow_up_until(p, self.today))
            if is_now in ("in-follow-up", "lost") and not is_endless(p)
            else ANY,
            "next_visit": ANY if is_tie else ends[0][1] if ends else None,
            "infusions": numbers(p),
        }

    # -- settling

    def _act(self, person: str, change: Callable[[Person], object], *, mends: bool = False) -> Answer:
        """`mends` is an act that may end the question about another centre's refused infusion; the rules do not say
        which do."""
        p = self.people[person].copy()
        p.refused = dict.fromkeys(p.refused, "perhaps") if mends else p.refused
        self.order += 1
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

    def asked(self, person: str) -> dict[str, Any]:
        """Under which words the patient is listed as in need of a decision, when he was last heard of, and which visits
        were closed before their window."""
        p, now = self.people[person], self.visits(person)
        is_now = status(p, now)
        early = {"/".join(key): decided_before_window(p, key, now[key], is_now) for key in p.decisions}
        heard = iso(last_heard(p)) if p.live() else ANY
        return {"words": of_patient(p, now, self.today), "last_heard_on": heard, "decided-before-window": early}

    def seen_by(self, person: str, centre: str) -> Any:
        """The infusions that a centre sees of a patient: all when it is responsible, else its own; None when it sees
        nothing."""
        p = self.people[person]
        if not p.live():
            return ANY
        seen = [i.ref for i in p.live() if centre in (i.centre, p.responsible)]
        return sorted(seen) or None

    def sweep(self) -> Answer:
        """Raises what is overdue today, whatever day was swept before, and resolves nothing."""
        before = len(self.told)
        for person in self.people:
            self._act(person, lambda p: None)
        return ("ok", len(self.told) - before)

    def recall(self) -> Answer:
        """Takes back the alerts that a clock ahead of its time raised before their window ended."""
        for person, p in self.people.items():
            for key, alert in list(p.alerts.items()):
                if alert.window.end >= self.today:
                    del p.alerts[key]
                    self.told.append((person, key, "alert.resolved", alert.centre, "resolved", "raised-in-error"))
        return ("ok",)

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
        source: str | None = None,
    ) -> Answer:
        """An infusion of a new or known person, with visits of its care plan that were already done: (code, day).
        `source` is the sender's id, by default `ref`; of a voided infusion it is free again."""
        sent, told, key = (
            {name: value for name, value in locals().items() if name != "self"},
            list[str](),
            source or ref,
        )
        if any(i.source == key for p in self.people.values() for i in p.live()):
            return ("unspecified", "the natural key is taken")
        is_new = person not in self.people
        if is_new:
            self.people[person] = Person(birth_date, consented)

        def change(p: Person) -> None:
            new = Infusion(
                ref,
                centre,
                product,
                infused_on,
                discharged_on,
                continues,
                new_course,
                protocols,
                self.today,
                self.order,
                key,
            )
            linked = [i for i in p.live(new.plan_class) if i.ref == continues]
            if any(centre not in (i.centre, p.responsible) for i in linked):
                raise Unspecified("an infusion that the centre does not see is continued")
            p.infusions.append(new)
            reasons = [*date_reasons(p, new, self.today), *refuse_unsaid(p, new), *class_reasons(new)]
            reasons += ["upcoming"] * (centre in UPCOMING_CENTRES) + ["continues"] * (
                continues is not None and not linked
            )
            reasons += ["withdrawn"] * any(e.type == "withdrawn" for e in in_force(p))
            reasons += self._done_before(p, new, completed) if "other_class" not in reasons else []
            if reasons:
                told.extend(reasons if is_new or centre == p.responsible else told_outside(p, new, reasons))
                raise Refused(*told)
            p.was_open = False
            p.refused.pop(key, None)
            # Another infusion of the same centre: the rules do not say whether what was refused is still asked.
            p.refused = {
                other: "perhaps" if self.kept[other]["centre"] == centre else how for other, how in p.refused.items()
            }

        answer = self._act(person, change)
        if is_new and answer[0] != "ok":
            del self.people[person]
        elif "known_elsewhere" in told:
            self.people[person].refused[key] = "asked" if set(told) == {"known_elsewhere"} else "perhaps"
            self.kept[key] = sent
        return answer

    def _done_before(self, p: Person, new: Infusion, completed: tuple[tuple[str, date], ...]) -> list[str]:
        reasons: list[str] = []
        now = visits_of(p, self.today)
        for code, on in completed:
            key = ("care", new.ref, code)
            reasons += ["completed"] * (not new.infused_on <= on <= self.today) + ["after_death"] * (
                on > (death(p) or self.today)
            )
            p.decisions[key] = Decision("completed", None, on, now[key].window, now[key].centre or "", self.order, on)
        if any(e.type == "followed-elsewhere" and on >= e.on for e in in_force(p) for _, on in completed):
            raise Unspecified("where a visit was done that is told with its infusion")
        return reasons

    def resend(
        self, person: str, ref: str, tells: str | None = None, by: str = "number", changed: bool = False
    ) -> Answer:
        """The message of a stored infusion once more, on whatever day: the same changes nothing; one that tells another
        person (`tells`, named by number, id or both; "stranger" is nobody known) or another value is refused."""

        def change(p: Person) -> None:
            if p.infusion(ref).voided:
                raise Unspecified("the natural key is free")
            if tells:
                raise Refused("source_conflict")
            if changed:
                raise Refused("changed")

        return self._act(person, change)

    def correct(self, person: str, ref: str, **days: date | None) -> Answer:
        """Another `infused_on` or `discharged_on`; the plan is as if it had been so from the start."""

        def change(p: Person) -> None:
            infusion = p.infusion(ref)
            if infusion.voided:
                raise Unspecified("a voided infusion is corrected")
            is_moved = days.get("infused_on", infusion.infused_on) != infusion.infused_on
            first = p.live()[0].infused_on
            vars(infusion).update(days)
            done = [d.completed_on for key, d in p.decisions.items() if d.completed_on and anchor(p, key) is infusion]
            if any(on < infusion.infused_on for on in done):
                raise Unspecified("a visit was done before the corrected infusion")
            if any(e.type in BOUND and first <= e.on < p.live()[0].infused_on for e in p.events):
                raise Unspecified("the corrected infusion was after an event")
            reasons = [*date_reasons(p, infusion, self.today), *(refuse_unsaid(p, infusion) if is_moved else ())]
            if reasons:
                raise Refused(*reasons)

        return self._moved(person, change)

    def void(self, person: str, ref: str) -> Answer:
        def change(p: Person) -> None:
            hangs = any(plan.name == ONLY and plan.anchor.ref == ref for plan in plans(p))
            p.infusion(ref).voided = True
            if hangs and any(plan.name == ONLY for plan in plans(p)):
                raise Unspecified("a hand-over plan begins anew after its infusion was voided")

        return self._act(person, change, mends=True)

    def correct_birth_date(self, person: str, birth_date: date) -> Answer:
        return self._moved(person, lambda p: setattr(p, "birth_date", birth_date))

    def _moved(self, person: str, change: Callable[[Person], object]) -> Answer:
        """With the done visits that lie outside their window now that it has moved; open where the act takes the
        patient to another centre."""
        before = self.people[person]
        answer = self._act(person, change, mends=True)
        after = self.people[person]
        if answer[0] != "ok" or before.responsible != after.responsible:
            return answer if answer[0] != "ok" else ("ok", ANY)
        done = {key: visit for key, visit in after.stood.items() if visit.completed_on and visit.given}
        outside = [
            key
            for key, visit in done.items()
            if not visit.window.start <= (visit.completed_on or date.min) <= visit.window.end
        ]
        moved = [key for key in outside if not before.stood[key].given or before.stood[key].window != done[key].window]
        return ("ok", sorted("/".join(key) for key in moved))

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

    def complete(
        self, person: str, key: Key, on: date, confirm: tuple[str, ...] = (), performed_by: str | None = None
    ) -> Answer:
        def change(p: Person) -> None:
            now = visits_of(p, self.today)
            visit, infused_on, died = now[key], anchor(p, key).infused_on, death(p)
            if self._told_before(p, key, "completed", None, on):
                if p.decisions[key].performed_by != performed_by:
                    raise Unspecified("done by somebody else")
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
            later = [
                v.window.target for k, v in now.items() if k[:2] == key[:2] and v.window.target > visit.window.target
            ]
            asked = ["window_not_open"] * (on < visit.window.start) + ["nearer_to_next"] * any(
                abs((on - t).days) < own for t in later
            )
            reasons += [code for code in asked if code not in confirm]
            if reasons:
                raise Refused(*reasons)
            centre = visit.centre or ""
            p.decisions[key] = Decision("completed", None, on, visit.window, centre, self.order, on, performed_by)

        return self._act(person, change)

    def miss(self, person: str, key: Key, reason: str) -> Answer:
        def change(p: Person) -> None:
            visit = visits_of(p, self.today)[key]
            if self._told_before(p, key, "missed", reason, None):
                return
            if visit.outcome or self.today < visit.window.start:
                raise Refused("closed" if visit.outcome else "window_not_open_yet")
            p.decisions[key] = Decision(
                "missed", reason, None, visit.window, visit.centre or "", self.order, self.today
            )

        return self._act(person, change)

    def cancel(self, person: str, key: Key) -> Answer:
        def change(p: Person) -> None:
            visit = visits_of(p, self.today)[key]
            if self._told_before(p, key, "cancelled", "not-required", None):
                return
            if visit.outcome:
                raise Refused("closed")
            p.decisions[key] = Decision(
                "cancelled", "not-required", None, visit.window, visit.centre or "", self.order, self.today
            )

        return self._act(person, change)

    def confirm(self, person: str, key: Key) -> Answer:
        """That a visit was closed before its window, as a later fact has moved it: what people decided stays as it
        is."""

        def change(p: Person) -> None:
            visit = visits_of(p, self.today)[key]
            if decided_before_window(p, key, visit, status(p, visits_of(p, self.today))) is not True:
                raise Unspecified("nothing is to be confirmed")
            d = p.decisions[key]
            d.window, d.was_moved = visit.window, False

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
            if visit.decided and not visit.given and not p.is_void(key):
                raise Unspecified("reopening what the plan no longer has")
            if p.decisions.pop(key, None) is None:
                raise Refused("closed_by_planning")

        return self._act(person, change)

    # -- people

    def contact(
        self, person: str, key: Key | None, ref: str, channel: str | None, outcome: str | None, on: date
    ) -> Answer:
        """A contact, about a visit or none; one without outcome is a postponement. The same again changes nothing."""

        def change(p: Person) -> None:
            if on > self.today:
                raise Refused("date_in_future")
            if death(p) or not p.live():
                raise Unspecified("a contact about a dead patient, or without an infusion")
            if key and key not in visits_of(p, self.today):
                raise Refused("no_such_visit")
            told = Contact(ref, key, channel, outcome, on, self.today, p.responsible)
            if not any(
                (c.key, c.channel, c.outcome, c.on, c.caller) == (key, channel, outcome, on, told.caller)
                for c in p.contacts
            ):
                p.contacts.append(told)

        return self._act(person, change)

    def take_back_contact(self, person: str, ref: str) -> Answer:
        """By who logged it, on its own day; not while a loss stands on it."""

        def change(p: Person) -> None:
            told = next(c for c in p.contacts if c.ref == ref)
            if told.caller != p.responsible or death(p) or not p.live():
                raise Unspecified("a contact of another centre, or about a dead patient")
            if told.logged_on != self.today:
                raise Refused("not_its_day")
            if told.on != self.today:
                raise Unspecified("its day: that of the contact, or that on which it was told")
            # An older one stands on others.
            losses = [e for e in in_force(p) if e.type == "lost-to-follow-up" and e.told_on >= told.logged_on]
            p.contacts.remove(told)
            if losses and not has_attempts(p, losses[-1].on):
                raise Refused("loss_stands")
            if losses:
                raise Unspecified("a loss would stand without it")

        return self._act(person, change)

    def report(
        self,
        person: str,
        kind: str,
        on: date,
        *,
        centre: str | None = None,
        entered_in_error: bool = False,
        by: str = "coordinator",
    ) -> Answer:
        """A patient event of contract.md 3; a nurse takes back only her own of the same day, on which nothing rests."""

        def change(p: Person) -> None:
            event = Event(kind, on, self.order, centre, entered_in_error, self.today, f"{by} {p.responsible}")
            refuse_event(p, event, self.today)
            if entered_in_error and by == "nurse":
                last = endings(p)[-1]
                if (last.told_on, last.told_by) != (self.today, event.told_by):
                    raise Refused("not_hers")
                if self.order != last.order + 1 or len([e for e in endings(p) if e.type == "deceased"]) > 1:
                    raise Unspecified("whether something rests on it")
            p.events.append(event)

        return self._act(person, change, mends=True)

    def decide(self, person: str, word: str) -> Answer:
        """What is to become of a patient of whom nothing more is planned; or that a reported death is none."""

        def change(p: Person) -> None:
            if word == "not-deceased":
                is_asked = death_reported(p) is True and all(
                    c.on < self.today for c in p.contacts if c.outcome == "deceased-reported"
                )
            else:
                is_asked = of_patient(p, visits_of(p, self.today), self.today)["over"] is True
            if not is_asked:
                raise Unspecified("nothing is to be decided")
            p.events.append(Event("decided", self.today, self.order, told_on=self.today, word=word))

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
