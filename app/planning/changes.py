"""Every decision: what stands and what is known in, what must change out. Open visits are what planning gives for the
facts as they stand now; what people decided stays (contract 3). So there is one decision, `replan`, and any order of
the same facts gives the same visits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import zip_longest
from uuid import UUID

from app.planning import courses
from app.planning.facts import Decision, Event, EventType, Facts, Infusion, Life, life, responsible_centre
from app.planning.plan import PLANNED_AHEAD, Planned, months_later, schedule
from app.planning.protocol import Protocol, Purpose, Restart
from app.planning.visits import BEFORE_REGISTRATION, ENTERED_IN_ERROR, Outcome, Plan, Visit


@dataclass(frozen=True, slots=True)
class Closing:
    """Something that closes open visits from a local day on (until another: care taken up again)."""

    since: date
    rank: int  # on one day: death before withdrawal before the newer infusion (rule 16)
    until: date | None
    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plan that the facts call for."""

    infusion: Infusion
    protocol: Protocol
    plan_class: str
    followed_by: Infusion | None  # the anchor of the plan that replaces it
    extension: "Extension | None" = None


@dataclass(frozen=True, slots=True)
class Extension:
    """What a person had a patient follow after the plan: from a local day on; `codes` are the visits that the plan had
    without it."""

    on: date
    codes: frozenset[str]

    def plans(self, visit: Planned) -> bool:
        """Whether a visit is planned: nothing further of what lay before the decision (as rule 19 has it for an
        entry)."""
        return visit.code in self.codes or visit.window_end >= self.on


AGE_OF_MAJORITY = 18


def is_child(birth_date: date | None, infused_on: date) -> bool:
    """Under 18 years on the local day of the infusion; an unknown birth date counts as grown up."""
    return birth_date is not None and infused_on < months_later(birth_date, 12 * AGE_OF_MAJORITY)


def comes_of_age(birth_date: date) -> tuple[date, date]:
    """The local days from which a child's hand-over is to be prepared (six calendar months before), and of the 18th
    birthday (domain.md 4)."""
    birthday = months_later(birth_date, 12 * AGE_OF_MAJORITY)
    return months_later(birthday, -6), birthday


def _applies(protocol: Protocol, facts: Facts, infusion: Infusion) -> bool:
    child = protocol.applies_if == "under-18-at-infusion" and is_child(facts.birth_date, infusion.infused_on)
    return child and protocol.serves(infusion.plan_class)


def wanted(facts: Facts, protocols: Mapping[str, Protocol]) -> list[Wanted]:
    """The plans that the infusions call for: one care plan an infusion (or a course), named registry and study plans,
    and one for each protocol that never restarts (rules 2, 3, 5, 16). `protocols` are the newest versions by code."""
    plans: list[Wanted] = []
    extended = {e.infusion: e for e in life(facts).decisions if e.decision is Decision.EXTEND}
    for plan_class, groups in courses.of_class(facts).items():
        infusions = sorted((i for group in groups for i in group), key=lambda i: (i.infused_on, i.id))
        first = {group[0].id for group in groups}
        plans += _chain(plan_class, _care(infusions, protocols, extended), first)
        for code in sorted({c for i in infusions for c in i.named or () if protocols[c].purpose is not Purpose.CARE}):
            since = next(n for n, i in enumerate(infusions) if code in (i.named or ()))
            if protocols[code].restart is not Restart.NEVER:
                begins = (
                    since
                    if protocols[code].restart is Restart.LAST_INFUSION
                    else _course_start(infusions, groups, since)
                )
                plans += _chain(plan_class, [(i, protocols[code], None) for i in infusions[begins:]], first)
    for code, protocol in protocols.items():
        if protocol.restart is Restart.NEVER and code == protocol.code:
            hosts = [i for i in facts.counted if protocol.code in (i.named or ()) or _applies(protocol, facts, i)]
            plans += [Wanted(host, protocol, "none", None) for host in hosts[:1]]
    return plans


Step = tuple[Infusion, Protocol, Extension | None]


def _care(
    infusions: Sequence[Infusion], protocols: Mapping[str, Protocol], extended: Mapping[UUID | None, Event]
) -> list[Step]:
    """Which care protocol each infusion of a class follows: what a person extended it by, else the one it names, else
    that of the infusion before it, else the product's."""
    chosen: list[Step] = []
    code: str | None = None
    for infusion in infusions:
        named = [
            c
            for c in infusion.named or ()
            if protocols[c].purpose is Purpose.CARE and protocols[c].restart is not Restart.NEVER
        ]
        code = named[0] if named else code or infusion.default_protocol
        extension = None
        if (decided := extended.get(infusion.id)) is not None and decided.protocol is not None:
            extension = Extension(
                decided.on, frozenset(rule.code for rule in protocols[code].rules) if code else frozenset()
            )
            code = decided.protocol
        if code is not None:
            chosen.append((infusion, protocols[code], extension))
    return chosen


def _course_start(infusions: Sequence[Infusion], groups: Sequence[Sequence[Infusion]], place: int) -> int:
    course = next(group for group in groups if infusions[place] in group)
    return infusions.index(course[0])


def _chain(plan_class: str, steps: Sequence[Step], first_of_course: set[UUID]) -> list[Wanted]:
    """Plans of which each replaces the one before it; a protocol that restarts with a new course skips further
    infusions of the course."""
    anchors = [
        step
        for n, step in enumerate(steps)
        if step[1].restart is Restart.LAST_INFUSION or step[0].id in first_of_course or n == 0
    ]
    following = [infusion for infusion, _, _ in anchors[1:]]
    return [
        Wanted(infusion, protocol, plan_class, after, extension)
        for (infusion, protocol, extension), after in zip_longest(anchors, following)
    ]


def _consent(facts: Facts, protocol: Protocol) -> tuple[str, list[Closing]]:
    """The answer that stands, and what its withdrawals close."""
    if not protocol.needs_consent:
        return "not-needed", []
    answer, closings = "asked", list[Closing]()
    for event in facts.events:
        if event.type is EventType.CONSENT and event.protocol == protocol.code:
            answer = event.answer or answer
            closings = [replace(c, until=c.until or event.on) for c in closings]
            if answer == "withdrawn":
                closings.append(Closing(event.on, 1, None, "consent-withdrawal", "consent-withdrawn"))
    return answer, closings


def closings(facts: Facts, life: Life, plan: Wanted) -> list[Closing]:
    """All that closes open visits of a plan, by day; on one day death before withdrawal before the newer infusion."""
    found = _consent(facts, plan.protocol)[1]
    if life.died_on is not None:
        found.append(Closing(life.died_on, 0, None, "death", "deceased"))
    if plan.protocol.purpose is Purpose.CARE:
        found += [Closing(w.since, 1, w.until, "withdrawal", "withdrawn") for w in life.withdrawals]
    if plan.followed_by is not None:
        found.append(Closing(plan.followed_by.infused_on, 2, None, "reinfusion", "superseded"))
    return sorted(found, key=lambda c: (c.since, c.rank))


def hitting(window_end: date, closings: Sequence[Closing]) -> Closing | None:
    """The first of the closings that reaches a window: it had not ended on the window's last day."""
    return next((c for c in closings if c.until is None or window_end < c.until), None)


def closed_by(facts: Facts, protocols: Mapping[str, Protocol], plan: Plan, window_end: date) -> Closing | None:
    """The event that closed, or would close, a window of a plan that stands."""
    same = (
        w
        for w in wanted(facts, protocols)
        if (w.protocol.code, w.infusion.id) == (plan.protocol_code, plan.infusion_id)
    )
    return next((hitting(window_end, closings(facts, life(facts), w)) for w in same), None)


def mark(
    window_end: date, registered_on: date, closings: Sequence[Closing]
) -> tuple[Outcome | None, str | None, date | None]:
    """What planning makes of a window that no person decided: outcome, reason, and the day of the closing event (rule
    2). An event never erases a visit already missed: a window that ended before its day is missed, the others are
    cancelled."""
    closing = hitting(window_end, closings)
    if closing is not None and window_end >= closing.since:
        return Outcome.CANCELLED, closing.reason, closing.since
    if window_end < registered_on:
        return Outcome.MISSED, BEFORE_REGISTRATION, None
    return (None, None, None) if closing is None else (Outcome.MISSED, f"closed-before-{closing.event}", None)


def replan(facts: Facts, standing: Sequence[Plan], protocols: Mapping[str, Protocol], today: date) -> list[Plan]:
    """The plans of one patient as the facts call for them, with all their visits: the wanted ones first, then those
    that are wanted no more. Plans and visits keep their ids (new ones have None); what people decided stays. `today`
    (local) bounds only plans without end. `protocols` holds the newest version of each code under the code, and every
    version under `code@version`, since a plan keeps its own."""
    known = life(facts)
    plans = wanted(facts, protocols)
    matches = _match(plans, standing, {i.id for i in facts.infusions if i.voided})
    kept = {id(plan) for plan in matches}
    return [
        _replanned(facts, known, plan, stands, protocols, today) for plan, stands in zip(plans, matches, strict=True)
    ] + [_dropped_plan(facts, plan, protocols, today) for plan in standing if id(plan) not in kept]


def _match(plans: Sequence[Wanted], standing: Sequence[Plan], voided: set[UUID]) -> list[Plan | None]:
    """Which standing plan each wanted one is: the same protocol and anchor; else the same anchor and purpose; else the
    same protocol, moved to another anchor by a corrected or late fact."""
    free = [plan for plan in standing if plan.infusion_id not in voided]
    matched: list[Plan | None] = [None] * len(plans)
    tests = (
        lambda w, p: (p.protocol_code, p.infusion_id) == (w.protocol.code, w.infusion.id),
        lambda w, p: (
            (p.infusion_id, p.plan_class, p.purpose) == (w.infusion.id, w.plan_class, w.protocol.purpose.value)
            and w.plan_class != "none"
        ),
        lambda w, p: (p.protocol_code, p.plan_class) == (w.protocol.code, w.plan_class),
    )
    for same in tests:
        for n, plan in enumerate(plans):
            if matched[n] is None:
                matched[n] = next((p for p in free if same(plan, p)), None)
                if (taken := matched[n]) is not None:
                    free.remove(taken)
    return matched


def _replanned(
    facts: Facts, known: Life, plan: Wanted, stands: Plan | None, protocols: Mapping[str, Protocol], today: date
) -> Plan:
    protocol = plan.protocol
    if stands is not None and stands.protocol_code == protocol.code:
        protocol = protocols.get(f"{protocol.code}@{stands.protocol_version}", protocol)
    infusion = plan.infusion
    consent = _consent(facts, protocol)[0]
    closed = closings(facts, known, plan)
    planned = _planned(protocol, infusion, facts, stands, today)
    if plan.extension is not None:
        planned = {code: visit for code, visit in planned.items() if plan.extension.plans(visit)}
    visible = planned if consent in ("not-needed", "yes", "withdrawn") else {}
    before = {visit.code: visit for visit in stands.visits} if stands else {}
    visits = [_visit(facts, infusion, visit, before.get(code), closed) for code, visit in visible.items()]
    gone = [_dropped(facts, visit, planned.get(code)) for code, visit in before.items() if code not in visible]
    now_closed = (
        known.died_on is not None or any(c.until is None and c.event != "reinfusion" for c in closed) or consent == "no"
    )
    return Plan(
        id=stands.id if stands else None,
        version=stands.version if stands else 1,
        infusion_id=infusion.id,
        protocol_code=protocol.code,
        protocol_version=protocol.version,
        purpose=protocol.purpose.value,
        plan_class=plan.plan_class,
        treating_centre=infusion.centre,
        consent=consent,
        state="replaced" if plan.followed_by is not None else "ended" if now_closed else "active",
        ends_on=max((visit.target_on for visit in planned.values()), default=None),
        endless=protocol.endless,
        visits=tuple(visits + gone),
    )


def _planned(
    protocol: Protocol, infusion: Infusion, facts: Facts, stands: Plan | None, today: date
) -> dict[str, Planned]:
    """What a protocol gives for its anchor infusion, by code. What a plan without end has planned ahead stays planned,
    whatever day a clock shows."""
    ahead = [visit.target_on for visit in stands.visits if visit.target_on] if protocol.endless and stands else []
    bound = max([today, *(months_later(day, -12 * PLANNED_AHEAD) for day in ahead)])
    return {
        visit.code: visit
        for visit in schedule(protocol, infusion.infused_on, infusion.discharged_on, facts.birth_date, bound)
    }


def _visit(
    facts: Facts, infusion: Infusion, planned: Planned, stands: Visit | None, closed: Sequence[Closing]
) -> Visit:
    if stands is not None and stands.is_decided:
        return _judged(facts, stands, planned)
    outcome, reason, closed_on = mark(planned.window_end, infusion.registered_on, closed)
    end_centre = responsible_centre(facts, planned.window_end)
    # A closed visit keeps the centre of the day that closed it; an open one goes with the patient.
    missed = outcome is not None and closed_on is None
    centre = end_centre if missed else responsible_centre(facts, closed_on)
    if stands is None:
        return Visit(None, 1, *planned, centre, end_centre, outcome, reason)
    # Only what planning decides is replaced: whatever else people have entered about an open visit stays.
    return replace(_moved(stands, planned), centre=centre, end_centre=end_centre, outcome=outcome, reason=reason)


def _moved(visit: Visit, planned: Planned) -> Visit:
    """The visit with its dates as planned now. A booking goes that lies outside a window which has moved, of a closed
    visit too: reopened, it stands as if it had been open all the time (rule 4)."""
    moved = (visit.window_start, visit.window_end) != (planned.window_start, planned.window_end)
    stays = visit.booked_on is None or not moved or planned.window_start <= visit.booked_on <= planned.window_end
    return replace(visit, **planned._asdict(), booked_on=visit.booked_on if stays else None)


def _judged(facts: Facts, visit: Visit, planned: Planned | None) -> Visit:
    """A visit that people decided, with the target and window that its plan gives now, as if its dates had been so from
    the start; without any when the plan has no such code (rule 4). Day, code and words stay."""
    if planned is not None:
        return replace(_moved(visit, planned), end_centre=responsible_centre(facts, planned.window_end))
    return replace(
        visit,
        provisional=False,
        target_on=None,
        window_start=None,
        window_end=None,
        suggested_on=None,
        report_due_on=None,
    )


def _dropped_plan(facts: Facts, plan: Plan, protocols: Mapping[str, Protocol], today: date) -> Plan:
    """A plan that the facts call for no more: its infusion was voided, or a correction put it on another footing."""
    anchor = next(infusion for infusion in facts.infusions if infusion.id == plan.infusion_id)
    planned = _planned(protocols[f"{plan.protocol_code}@{plan.protocol_version}"], anchor, facts, plan, today)
    return replace(
        plan,
        state="ended",
        ends_on=None,
        visits=tuple(_dropped(facts, visit, planned.get(visit.code)) for visit in plan.visits),
    )


def _dropped(facts: Facts, visit: Visit, planned: Planned | None) -> Visit:
    """A visit that its plan gives no more, or whose plan is called for no more; what people decided is judged all the
    same."""
    if visit.is_decided:
        return _judged(facts, visit, planned)
    moved = visit if planned is None else replace(visit, **planned._asdict())
    return replace(moved, outcome=Outcome.CANCELLED, reason=ENTERED_IN_ERROR)
