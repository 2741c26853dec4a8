"""What was told of a patient, and what follows from it: courses, plans, visits, status, centre. Part of tests/model.py.

Everything is derived anew from the facts, slowly and plainly. A visit's key is (its plan's kind and name, code).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from tests.years.schedule import PRODUCTS, PROTOCOLS, Rule, Window, plus_months, window, yearly

Key = tuple[str, str, str]
ONLY = "only"

# ---- Facts --------------------------------------------------------------------------------------------------------------


@dataclass
class Infusion:
    ref: str
    centre: str
    product: str
    infused_on: date
    discharged_on: date | None
    continues: str | None
    new_course: bool
    names: tuple[str, ...]
    registered_on: date
    order: int
    voided: bool = False

    @property
    def plan_class(self) -> str:
        return PRODUCTS[self.product].plan_class

    @property
    def says(self) -> bool:
        return self.new_course or self.continues is not None


@dataclass
class Event:
    type: str
    on: date
    order: int
    centre: str | None = None
    entered_in_error: bool = False
    until: date | None = None  # set while reading the events: the day of the reinstatement


@dataclass
class Decision:
    outcome: str
    reason: str | None
    completed_on: date | None
    window: Window
    centre: str
    order: int


@dataclass
class Visit:
    window: Window
    outcome: str | None = None
    reason: str | None = None
    centre: str | None = None
    completed_on: date | None = None
    decided: bool = False
    given: bool = True  # planning still gives it


@dataclass
class Alert:
    state: str
    centre: str
    window: Window
    by_person: bool = False


@dataclass
class Plan:
    protocol: str
    anchor: Infusion
    replaced_on: date | None

    @property
    def kind(self) -> str:
        return plan_kind(self.protocol)

    @property
    def name(self) -> str:
        """In its visits' keys: the anchor, but a patient's only plan of a `never` protocol stays the same when its anchor changes."""
        return ONLY if PROTOCOLS[self.protocol].restart == "never" else self.anchor.ref


def plan_kind(protocol: str) -> str:
    """Care's plan of an infusion stays one plan when an older infusion, told later, gives it another protocol."""
    return "care" if PROTOCOLS[protocol].restart == "last-infusion" else protocol


class Closing(NamedTuple):
    """What closes open visits from a day on, until another day or for good; rank orders those of one day."""

    on: date
    rank: int
    name: str
    reason: str
    until: date | None


@dataclass
class Person:
    birth_date: date
    consented: tuple[str, ...] = ()
    infusions: list[Infusion] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    contacts: list[tuple[date, str, str | None]] = field(default_factory=list)
    decisions: dict[Key, Decision] = field(default_factory=dict)
    bookings: dict[Key, date] = field(default_factory=dict)
    stood: dict[Key, Visit] = field(default_factory=dict)  # what the last settling showed
    alerts: dict[Key, Alert] = field(default_factory=dict)
    responsible: str = ""

    def copy(self) -> "Person":
        """For an operation that may yet be refused."""
        infusions, alerts = [replace(i) for i in self.infusions], {key: replace(alert) for key, alert in self.alerts.items()}
        kept = {"events": [*self.events], "contacts": [*self.contacts], "decisions": dict(self.decisions), "bookings": dict(self.bookings)}
        return replace(self, infusions=infusions, alerts=alerts, **kept)  # type: ignore[arg-type]

    def live(self, plan_class: str | None = None) -> list[Infusion]:
        rows = [i for i in self.infusions if not i.voided and plan_class in (None, i.plan_class)]
        return sorted(rows, key=lambda i: (i.infused_on, i.order))

    def infusion(self, ref: str) -> Infusion:
        return next(i for i in self.infusions if i.ref == ref)

    def is_void(self, key: Key) -> bool:
        """No plan of that name counts any longer because its infusion is voided."""
        return not self.live() if key[1] == ONLY else self.infusion(key[1]).voided


# ---- What follows from the facts ----------------------------------------------------------------------------------------


def courses(p: Person, plan_class: str) -> list[list[Infusion]]:
    """The courses of a class by date (domain.md 2, contract.md 3 rules 3 and 16): what is linked, whichever of the two names the other; and
    what nobody says anything of, when it continues the course before it by itself."""
    row = p.live(plan_class)
    of = {infusion.ref: [infusion] for infusion in row}

    def join(one: str, other: str) -> None:
        if of[one] is not of[other]:
            both = sorted([*of[one], *of[other]], key=lambda i: (i.infused_on, i.order))
            of.update({infusion.ref: both for infusion in both})

    for infusion in row:
        if infusion.continues in of:
            join(infusion.ref, infusion.continues)
    for last, infusion in pairwise(row):
        is_alone = len(of[infusion.ref]) == 1 and not infusion.says
        if is_alone and _continues_by_itself(infusion, of[last.ref]):
            join(infusion.ref, last.ref)
    return [of[infusion.ref] for infusion in row if of[infusion.ref][0] is infusion]


def _continues_by_itself(infusion: Infusion, course: list[Infusion]) -> bool:
    same, room = infusion.product == course[0].product, len(course) < PRODUCTS[infusion.product].per_course
    return same and room and (infusion.infused_on - course[0].infused_on).days <= 21


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


def care_protocol(p: Person, infusion: Infusion) -> str | None:
    """The one it names, else that of the previous infusion of its class, else the product's."""
    for code in infusion.names:
        if PROTOCOLS[code].restart == "last-infusion":
            return code
    earlier = [i for i in p.live(infusion.plan_class) if (i.infused_on, i.order) < (infusion.infused_on, infusion.order)]
    return care_protocol(p, earlier[-1]) if earlier else PRODUCTS[infusion.product].protocol


def is_child(p: Person, infusion: Infusion) -> bool:
    return infusion.infused_on < plus_months(p.birth_date, 216)


def plans(p: Person) -> list[Plan]:
    made: list[Plan] = []
    for plan_class in {i.plan_class: None for i in p.live()}:
        row = p.live(plan_class)
        for infusion, newer in zip(row, [*row[1:], None], strict=True):
            if code := care_protocol(p, infusion):
                made.append(Plan(code, infusion, newer.infused_on if newer else None))
        firsts = [course[0] for course in courses(p, plan_class)]
        for code in (c for c in p.consented if PROTOCOLS[c].restart == "new-course"):
            for first, newer in zip(firsts, [*firsts[1:], None], strict=True):
                made.append(Plan(code, first, newer.infused_on if newer else None))
    code = "se-childhood-transition"
    anchor = next((i for i in p.live() if is_child(p, i) or code in i.names), None)
    return [*made, Plan(code, anchor, None)] if anchor else made


def anchor(p: Person, key: Key) -> Infusion:
    """The infusion from which a visit's plan is counted, or was."""
    return next((plan.anchor for plan in plans(p) if (plan.kind, plan.name) == key[:2]), p.infusions[0] if key[1] == ONLY else p.infusion(key[1]))


def rules(plan: Plan, today: date) -> Iterator[Rule]:
    """The plan's visits; an endless one always has its next five years."""
    protocol = PROTOCOLS[plan.protocol]
    yield from protocol.rules
    year = 16
    while protocol.endless and plus_months(plan.anchor.infused_on, 12 * year) <= plus_months(today, 60):
        yield from yearly(year, year, 30, 60)
        year += 1


def endings(p: Person) -> list[Event]:
    """The deaths, withdrawals, losses and times elsewhere that were not taken back; `until` tells a reinstatement's day."""
    kept: list[Event] = []
    for event in map(replace, p.events):
        if event.type in ("deceased", "withdrawn", "lost-to-follow-up", "followed-elsewhere"):
            kept.append(event)
        elif event.type == "reinstated" and event.entered_in_error:
            last = kept.pop()
            if last.type == "deceased":  # a corrected death is taken back altogether
                kept = [e for e in kept if e.type != "deceased"]
        elif event.type == "reinstated":
            for e in kept:
                e.until = e.until or event.on
    return kept


def death(p: Person) -> date | None:
    return next((e.on for e in reversed(endings(p)) if e.type == "deceased"), None)


def in_force(p: Person) -> list[Event]:
    """What still holds, in the order in which it was told. A loss ends by an infusion or a done visit that was told after it."""
    told = [i.order for i in p.infusions if not i.voided] + [d.order for d in p.decisions.values() if d.outcome == "completed"]
    soft = ("lost-to-follow-up", "followed-elsewhere")
    return [e for e in endings(p) if e.until is None and not (e.type in soft and any(order > e.order for order in told))]


def status(p: Person, visits: Mapping[Key, Visit], today: date) -> str:
    if not p.live():
        return "no-infusion"
    holding = [e.type for e in in_force(p)]
    for event, word in (("deceased", "deceased"), ("withdrawn", "withdrawn")):
        if event in holding:
            return word
    if holding:
        return "lost" if holding[-1] == "lost-to-follow-up" else holding[-1]
    return "in-follow-up" if any(not v.outcome for key, v in visits.items() if key[0] == "care" or key[1] == ONLY) else "plan-ended"


def follow_up_until(p: Person, today: date) -> date | None:
    """The last day planned by a care plan that counts; of an endless one as far as it is planned now."""
    care = [plan for plan in plans(p) if not PROTOCOLS[plan.protocol].consent]
    ends = [window([*rules(plan, today)][-1], plan.anchor.infused_on, plan.anchor.discharged_on, p.birth_date).target for plan in care]
    return max(ends, default=None)


def responsible_on(p: Person, day: date) -> str:
    """The treating centre of the latest infusion or the target of the latest transfer up to that day; on one day the transfer."""
    moves = [(i.infused_on, 0, i.order, i.centre) for i in p.live()]
    moves += [(e.on, 1, e.order, e.centre or "") for e in p.events if e.type == "transferred"]
    if not moves:
        return p.responsible
    return max([move for move in moves if move[0] <= day] or [min(moves)])[3]


def last_heard(p: Person) -> date:
    answers = ("will-come", "other-day", "declined", "elsewhere")
    days = [i.infused_on for i in p.live()] + [i.discharged_on for i in p.live() if i.discharged_on]
    days += [d.completed_on for d in p.decisions.values() if d.completed_on]
    days += [e.on for e in p.events if e.type == "survival"] + [on for on, _, outcome in p.contacts if outcome in answers]
    return max(days, default=date.min)


def visits_of(p: Person, today: date) -> dict[Key, Visit]:
    """Open visits are what planning gives for the facts as they stand; what people decided stays."""
    now: dict[Key, Visit] = {}
    for plan in plans(p):
        closing = closing_events(p, plan)
        for rule in rules(plan, today):
            days = window(rule, plan.anchor.infused_on, plan.anchor.discharged_on, p.birth_date)
            now[plan.kind, plan.name, rule.code] = marked(p, plan, days, closing)
    for key in p.stood.keys() - now.keys():
        now[key] = Visit(p.stood[key].window, "cancelled", "entered-in-error", given=False)
    for key, d in p.decisions.items():
        now[key] = Visit(d.window, d.outcome, d.reason, d.centre, d.completed_on, decided=True, given=now[key].given)
    return now


def closing_events(p: Person, plan: Plan) -> list[Closing]:
    """By day; on one day death, withdrawal, newer infusion (contract.md 3 rules 2, 6 and 16)."""
    found = [Closing(on, 0, "death", "deceased", None) for on in [death(p)] if on]
    found += [Closing(e.on, 1, "withdrawal", "withdrawn", e.until) for e in endings(p) if e.type == "withdrawn"]
    found += [Closing(on, 2, "reinfusion", "superseded", None) for on in [plan.replaced_on] if on]
    return sorted(found, key=lambda closing: closing[:2])


def marked(p: Person, plan: Plan, days: Window, closing: list[Closing]) -> Visit:
    """Planning's mark on a visit that no person decided."""
    was_late = days.end < plan.anchor.registered_on
    for on, _, name, reason, until in closing:
        if days.end < on:
            why = "before-registration" if was_late else f"closed-before-{name}"
            return Visit(days, "missed", why, responsible_on(p, days.end))
        if until is None or days.end < until:
            return Visit(days, "cancelled", reason, responsible_on(p, on))
    if was_late:
        return Visit(days, "missed", "before-registration", responsible_on(p, days.end))
    return Visit(days, centre=responsible_on(p, date.max))


def state_on(visit: Visit, day: date) -> str:
    if visit.outcome:
        return visit.outcome
    return "planned" if day < visit.window.start else "due" if day <= visit.window.end else "overdue"
