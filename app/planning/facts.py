"""What is known of one patient: the infusions and what happened, and what follows from them before any plan is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class EventType(StrEnum):
    """What happens to patients (domain.md 4); the value is the word in JSON and database."""

    DECEASED = "deceased"
    WITHDRAWN = "withdrawn"
    CONSENT = "consent"
    LOST = "lost-to-follow-up"
    SURVIVAL = "survival"
    ELSEWHERE = "followed-elsewhere"
    RELAPSE = "relapse"
    NEW_THERAPY = "new-therapy"
    TRANSPLANT = "transplant"
    SECOND_MALIGNANCY = "second-malignancy"
    TRANSFERRED = "transferred"
    REINSTATED = "reinstated"
    DECIDED = "decided"


class Decision(StrEnum):
    """What a person decides of a patient whose follow-up would end in silence, or whose death was reported by mistake
    (contract 3, rules 8, 17)."""

    EXTEND = "extend"
    HAND_OVER = "hand-over"
    CLOSE = "close"
    NOT_DECEASED = "not-deceased"


class FollowUpStatus(StrEnum):
    """How a patient's follow-up stands (contract 2). All but PLAN_ENDED follow from the events alone and are stored;
    that one is derived when read: no care visit is open any more."""

    IN_FOLLOW_UP = "in-follow-up"
    LOST = "lost"
    ELSEWHERE = "followed-elsewhere"
    WITHDRAWN = "withdrawn"
    DECEASED = "deceased"
    NO_INFUSION = "no-infusion"  # all infusions are voided
    PLAN_ENDED = "plan-ended"


@dataclass(frozen=True, slots=True)
class Infusion:
    """One infusion as planning sees it. `named` are the protocols that the sender asked for; None: the default.
    `course_days` are plain days from a course's first infusion to its last at the latest; None: the product's course is
    one infusion."""

    id: UUID
    centre: str
    product: str
    plan_class: str
    infusions_per_course: int
    course_days: int | None
    infused_on: date
    discharged_on: date | None
    continues: UUID | None
    new_course: bool
    named: tuple[str, ...] | None
    default_protocol: str | None
    registered_on: date
    registered_at: datetime
    voided: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One patient event, in the order of recording. `centre` belongs to a transfer, `protocol` and `answer` to a
    consent; `decision` to one that people took, and of an extension `protocol` and `infusion`: what the patient is to
    follow, counted from which infusion."""

    type: EventType
    on: date
    recorded_at: datetime
    centre: str | None = None
    entered_in_error: bool = False
    protocol: str | None = None
    answer: str | None = None
    decision: Decision | None = None
    infusion: UUID | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact or attempt: a local day, a channel, what came of it; outcome None is a mere postponement."""

    on: date
    recorded_at: datetime
    channel: str | None
    outcome: str | None


ANSWERS = frozenset({"will-come", "other-day", "declined", "elsewhere"})
DECEASED_REPORTED = "deceased-reported"


@dataclass(frozen=True, slots=True)
class Done:
    """A completed visit, as far as it tells that the patient was seen: the local day, when that was recorded, and where
    or by whom."""

    on: date
    recorded_at: datetime
    performed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that planning may know: `events` and `contacts` in the order of recording, `done` the completed visits."""

    birth_date: date | None
    infusions: tuple[Infusion, ...]
    events: tuple[Event, ...] = ()
    done: tuple[Done, ...] = ()
    contacts: tuple[Contact, ...] = ()

    @property
    def counted(self) -> list[Infusion]:
        """The infusions that are not voided, by date, then by id (ids sort by creation)."""
        return sorted((i for i in self.infusions if not i.voided), key=lambda i: (i.infused_on, i.id))


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Care declined from a day on, until the day on which it was taken up again (None: still declined)."""

    since: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Life:
    """What the events come to, after corrections and what was taken back. `decisions` are those that stand, in the
    order of recording; `last` is the closing event or decision that taking back as entered in error would take back:
    the last that stands and was not ended since."""

    died_on: date | None
    withdrawals: tuple[Withdrawal, ...]
    status: FollowUpStatus
    decisions: tuple[Event, ...] = ()
    last: Event | None = None


_TAKEN_BACK = (EventType.DECEASED, EventType.WITHDRAWN, EventType.LOST, EventType.ELSEWHERE, EventType.DECIDED)
# `performed_by` of a visit that ends *followed elsewhere*: a letter of the home hospital ends nothing.
SEEN_HERE = frozenset({"own-centre", "phone"})


def life(facts: Facts) -> Life:
    """Reads the events in the order of recording. A second death corrects the first; `reinstated` as entered in error
    takes the last closing event or decision that stands back as if it had never been, a plain one ends it from its day
    on (contract 3, rules 7 and 16)."""
    standing = _standing(facts.events)
    died = next((e.on for e, _ in standing if e.type is EventType.DECEASED), None)
    withdrawals = tuple(Withdrawal(e.on, until) for e, until in standing if e.type is EventType.WITHDRAWN)
    decisions = tuple(e for e, _ in standing if e.type is EventType.DECIDED)
    place = _last(standing)
    last = None if place is None else standing[place][0]
    if last is not None and last.type in (EventType.LOST, EventType.ELSEWHERE) and _seen_since(facts, last):
        last = None
    return Life(died, withdrawals, _status(facts, died, withdrawals, standing), decisions, last)


def _last(standing: Sequence[tuple[Event, date | None]]) -> int | None:
    """The place of the last event that no later one has ended."""
    return next((place for place in reversed(range(len(standing))) if standing[place][1] is None), None)


def _status(
    facts: Facts, died: date | None, withdrawals: Sequence[Withdrawal], standing: Sequence[tuple[Event, date | None]]
) -> FollowUpStatus:
    if died is not None:
        return FollowUpStatus.DECEASED
    if any(w.until is None for w in withdrawals):
        return FollowUpStatus.WITHDRAWN
    for event, until in reversed(standing):
        if event.type in (EventType.LOST, EventType.ELSEWHERE):
            if until is not None or _seen_since(facts, event):
                return FollowUpStatus.IN_FOLLOW_UP
            return FollowUpStatus.LOST if event.type is EventType.LOST else FollowUpStatus.ELSEWHERE
    return FollowUpStatus.IN_FOLLOW_UP


def _seen_since(facts: Facts, event: Event) -> bool:
    """Whether an infusion or a done visit dated on or after its day ends a loss or a move; when it was entered does not
    count (rule 7). Only on the day of a move itself it does: somebody seen here in the morning may be followed
    elsewhere from the afternoon."""
    lost = event.type is EventType.LOST
    seen = [(i.infused_on, i.registered_at) for i in facts.counted]
    seen += [(d.on, d.recorded_at) for d in facts.done if lost or d.performed_by in SEEN_HERE]
    return any(day > event.on or (day == event.on and (lost or at >= event.recorded_at)) for day, at in seen)


def _standing(events: Sequence[Event]) -> list[tuple[Event, date | None]]:
    """The closing events and decisions that were not taken back, each with the day on which care was taken up again
    (None: it has not been)."""
    standing: list[tuple[Event, date | None]] = []
    for event in events:
        if event.type is EventType.REINSTATED:
            if not event.entered_in_error:
                standing = [(e, until if e.type is EventType.DECIDED else until or event.on) for e, until in standing]
            elif (place := _last(standing)) is not None:
                del standing[place]
        elif event.type in _TAKEN_BACK:
            if event.type is EventType.DECEASED:
                standing = [(e, until) for e, until in standing if e.type is not EventType.DECEASED]
            standing.append((event, None))
    return standing


def dated_events(facts: Facts) -> list[Event]:
    """What cannot lie before the first infusion: withdrawals and losses that were not taken back, and transfers (rule
    7)."""
    kept = [event for event, _ in _standing(facts.events) if event.type in (EventType.WITHDRAWN, EventType.LOST)]
    return kept + [event for event in facts.events if event.type is EventType.TRANSFERRED]


def responsible_centre(facts: Facts, on: date | None = None) -> str:
    """The centre responsible on a local day (None: now): that of the latest infusion, or the target of the latest
    transfer, whichever day is later; on one day the transfer decides (rules 10 and 16). Before the first of them, the
    first."""
    infusions = facts.counted or sorted(facts.infusions, key=lambda i: (i.infused_on, i.id))
    changes = [(i.infused_on, 0, i.centre) for i in infusions]
    changes += [(e.on, 1, e.centre) for e in facts.events if e.type is EventType.TRANSFERRED and e.centre]
    changes.sort(key=lambda change: change[:2])  # stable: of two transfers on one day the one recorded later decides
    before = [centre for day, _, centre in changes if on is None or day <= on]
    return before[-1] if before else changes[0][2]


def last_heard_of(facts: Facts) -> date | None:
    """The latest local day on which the patient is known to have been alive: infusion, discharge, done visit, survival,
    or a contact with an answer (rule 16)."""
    days = [i.infused_on for i in facts.counted] + [i.discharged_on for i in facts.counted if i.discharged_on]
    days += [d.on for d in facts.done] + [e.on for e in facts.events if e.type is EventType.SURVIVAL]
    return max(days + [c.on for c in facts.contacts if c.outcome in ANSWERS], default=None)


def reported_dead_on(facts: Facts) -> date | None:
    """The local day of a reported death that is neither recorded nor ended, or None. Sure signs of life end it: a
    survival, a done visit, a contact with an answer, or a person's word (`not-deceased`), dated later or recorded later
    on the same day (rule 8)."""
    known = life(facts)
    reports = [(c.on, c.recorded_at) for c in facts.contacts if c.outcome == DECEASED_REPORTED]
    if not reports or known.died_on is not None:
        return None
    alive = [(e.on, e.recorded_at) for e in facts.events if e.type is EventType.SURVIVAL]
    alive += [(e.on, e.recorded_at) for e in known.decisions if e.decision is Decision.NOT_DECEASED]
    alive += [(d.on, d.recorded_at) for d in facts.done] + [
        (c.on, c.recorded_at) for c in facts.contacts if c.outcome in ANSWERS
    ]
    return None if alive and max(alive) > max(reports) else max(reports)[0]
