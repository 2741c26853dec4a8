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
HAND_OVER = "se-childhood-transition"
ANSWERS = ("will-come", "other-day", "declined", "elsewhere")
ATTEMPTS = ("no-answer", "busy", "wrong-number", "letter-sent")
SOFT = ("lost-to-follow-up", "followed-elsewhere")

# ---- Facts -----------------------------------------------------------------------------------------------------------


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
    source: str = ""  # the sender's own id; free again when the infusion is voided
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
    told_on: date = date.min
    told_by: str = ""
    word: str = ""  # of a decision (contract.md 3 rules 8 and 17)
    was_open: bool = False  # of a decision: a care visit has been open again since
    until: date | None = None  # set while reading the events: the day of the reinstatement


@dataclass
class Decision:
    outcome: str
    reason: str | None
    completed_on: date | None
    window: Window  # as it was when this was decided, or confirmed
    centre: str
    order: int
    day: date  # of the visit when it was done, else of the act
    performed_by: str | None = None
    was_moved: bool = False  # its window has begun on another day since


@dataclass
class Contact:
    ref: str
    key: Key | None
    channel: str | None
    outcome: str | None
    on: date
    logged_on: date
    caller: str


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
        """In its visits' keys: the anchor, but a patient's only plan of a `never` protocol stays the same when its
        anchor changes."""
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
    contacts: list[Contact] = field(default_factory=list)
    decisions: dict[Key, Decision] = field(default_factory=dict)
    bookings: dict[Key, date] = field(default_factory=dict)
    stood: dict[Key, Visit] = field(default_factory=dict)  # what the last settling showed, and on which day
    stood_on: date = date.min
    alerts: dict[Key, Alert] = field(default_factory=dict)
    responsible: str = ""
    status: str = ""
    was_open: bool = False  # a care visit has been open since the last infusion was told
    # Another centre's infusions: "asked", or "perhaps" once something was done since.
    refused: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Person":
        """For an operation that may yet be refused."""
        infusions, alerts = (
            [replace(i) for i in self.infusions],
            {key: replace(alert) for key, alert in self.alerts.items()},
        )
        lists = {"events": [replace(event) for event in self.events], "contacts": [*self.contacts]}
        kept = {
            "decisions": {key: replace(d) for key, d in self.decisions.items()},
            "bookings": dict(self.bookings),
            "refused": dict(self.refused),
        }
        return replace(self, infusions=infusions, alerts=alerts, **lists, **kept)  # type: ignore[arg-type]

    def live(self, plan_class: str | None = None) -> list[Infusion]:
        rows = [i for i in self.infusions if not i.voided and plan_class in (None, i.plan_class)]
        return sorted(rows, key=lambda i: (i.infused_on, i.order))

    def infusion(self, ref: str) -> Infusion:
        return next(i for i in self.infusions if i.ref == ref)

    def is_void(self, key: Key) -> bool:
        """No plan of that name counts any longer because its infusion is voided."""
        return not self.live() if key[1] == ONLY else self.infusion(key[1]).voided


# ---- What follows from the facts -------------------------------------------------------------------------------------


def courses(p: Person, plan_class: str) -> list[list[Infusion]]:
    """The courses of a class by date (domain.md 2, contract.md 3 rules 3 and 16): what is linked, whichever of the two
    names the other; and what nobody says anything of, when it continues the course before it by itself."""
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
    product, days = PRODUCTS[infusion.product], (infusion.infused_on - course[0].infused_on).days
    return infusion.product == course[0].product and len(course) < product.per_course and days <= product.course_days


def care_protocol(p: Person, infusion: Infusion) -> str | None:
    """The one it names, else that of the previous infusion of its class, else the product's."""
    for code in infusion.names:
        if PROTOCOLS[code].restart == "last-infusion":
            return code
    earlier = [
        i for i in p.live(infusion.plan_class) if (i.infused_on, i.order) < (infusion.infused_on, infusion.order)
    ]
    return care_protocol(p, earlier[-1]) if earlier else PRODUCTS[infusion.product].protocol


def is_child(p: Person, infusion: Infusion) -> bool:
    return infusion.infused_on < plus_months(p.birth_date, 216)


def is_handed_over(p: Person, infusion: Infusion) -> bool:
    """The childhood-cancer programme is for children who were given gene-modified cells (contract.md 3 rule 18)."""
    return PROTOCOLS[HAND_OVER].serves(infusion.plan_class) and (is_child(p, infusion) or HAND_OVER in infusion.names)


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
    anchor = next((i for i in p.live() if is_handed_over(p, i)), None)
    return [*made, Plan(HAND_OVER, anchor, None)] if anchor else made


def anchor(p: Person, key: Key) -> Infusion:
    """The infusion from which a visit's plan is counted, or was."""
    return next(
        (plan.anchor for plan in plans(p) if (plan.kind, plan.name) == key[:2]),
        p.infusions[0] if key[1] == ONLY else p.infusion(key[1]),
    )


def rules(plan: Plan, today: date) -> Iterator[Rule]:
    """The plan's visits; an endless one always has its next five years."""
    protocol = PROTOCOLS[plan.protocol]
    yield from protocol.rules
    year = 16
    while protocol.endless and plus_months(plan.anchor.infused_on, 12 * year) <= plus_months(today, 60):
        yield from yearly(year, year, 30, 60)
        year += 1


def endings(p: Person) -> list[Event]:
    """The deaths, withdrawals, losses, times elsewhere and decisions that were not taken back; `until` tells a
    reinstatement's day."""
    kept: list[Event] = []
    for event in map(replace, p.events):
        if event.type in ("deceased", "withdrawn", "lost-to-follow-up", "followed-elsewhere", "decided"):
            kept.append(event)
        elif event.type == "reinstated" and event.entered_in_error:
            last = kept.pop()
            if last.type == "deceased":  # a corrected death is taken back altogether
                kept = [e for e in kept if e.type != "deceased"]
        elif event.type == "reinstated":
            for e in kept:
                e.until = e.until or (event.on if e.type != "decided" else None)
    return kept


def death(p: Person) -> date | None:
    return next((e.on for e in reversed(endings(p)) if e.type == "deceased"), None)


def in_force(p: Person) -> list[Event]:
    """What still holds, in the order in which it was told. A loss and a time elsewhere end by what is dated on or after
    their day."""
    standing = [e for e in endings(p) if e.until is None and e.type != "decided"]
    return [e for e in standing if not (e.type in SOFT and any(on >= e.on for on, _ in signs(p, e)))]


def signs(p: Person, event: Event) -> Iterator[tuple[date, int]]:
    """Days on which the patient was in care, and when they were told: infusions and done visits, of one followed
    elsewhere only our own."""
    yield from ((i.infused_on, i.order) for i in p.live())
    for d in p.decisions.values():
        if d.completed_on and (event.type == "lost-to-follow-up" or d.performed_by in ("own-centre", "phone")):
            yield d.completed_on, d.order


def status(p: Person, visits: Mapping[Key, Visit]) -> str:
    holding = [e.type for e in in_force(p)]
    for event, word in (("deceased", "deceased"), ("withdrawn", "withdrawn")):
        if event in holding:
            return word
    if holding:
        return "lost" if holding[-1] == "lost-to-follow-up" else holding[-1]
    if not p.live():
        return "no-infusion"
    return "in-follow-up" if any(is_care(key) and not visit.outcome for key, visit in visits.items()) else "plan-ended"


def is_care(key: Key) -> bool:
    return key[0] == "care" or key[1] == ONLY


def follow_up_until(p: Person, today: date) -> date | None:
    """The last day planned by a care plan that counts; of an endless one as far as it is planned now."""
    care = [plan for plan in plans(p) if not PROTOCOLS[plan.protocol].consent]
    ends = [
        window([*rules(plan, today)][-1], plan.anchor.infused_on, plan.anchor.discharged_on, p.birth_date).target
        for plan in care
    ]
    return max(ends, default=None)


def responsible_on(p: Person, day: date) -> str:
    """The treating centre of the latest infusion or the target of the latest transfer up to that day; on one day the
    transfer."""
    moves = [(i.infused_on, 0, i.order, i.centre) for i in p.live()]
    moves += [(e.on, 1, e.order, e.centre or "") for e in p.events if e.type == "transferred"]
    if not moves:
        return p.responsible
    return max([move for move in moves if move[0] <= day] or [min(moves)])[3]


def last_heard(p: Person) -> date:
    """The latest of infusion, discharge, done visit, survival and contact with an answer (contract.md 3 rule 16)."""
    days = [i.infused_on for i in p.live()] + [i.discharged_on for i in p.live() if i.discharged_on]
    days += [d.completed_on for d in p.decisions.values() if d.completed_on]
    days += [e.on for e in p.events if e.type == "survival"] + [c.on for c in p.contacts if c.outcome in ANSWERS]
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
        is_given = now[key].given
        now[key] = Visit(now[key].window, d.outcome, d.reason, d.centre, d.completed_on, decided=True, given=is_given)
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
