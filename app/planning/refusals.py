"""What may not be: pure checks that raise the field's errors, with the days in question and never a name."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from app.errors import Conflict, Invalid
from app.planning.facts import Contact, EventType, Facts, FollowUpStatus, Life, dated_events, last_heard_of
from app.planning.visits import BEFORE_REGISTRATION, ENTERED_IN_ERROR, Outcome, Visit


class DateInFuture(Invalid):
    """The day lies in the future."""

    code = "date_in_future"


class DateInPast(Invalid):
    """The day lies in the past."""

    code = "date_in_past"


class BeforeInfusion(Invalid):
    """The day lies before the infusion."""

    code = "before_infusion"


class EventBeforeInfusion(Invalid):
    """A withdrawal, a loss or a transfer is recorded before this day; the first infusion cannot lie after it."""

    code = "after_event"


class AfterDeath(Conflict):
    """The day lies after the patient's death."""

    code = "after_death"


class DeathBeforeFact(Conflict):
    """Something recorded happened after this day of death."""

    code = "death_before_done"


class PatientWithdrawn(Conflict):
    """The patient has declined care; record that care is taken up again (reinstated) first."""

    code = "patient_withdrawn"


class PatientDeceased(Conflict):
    """The patient is recorded as deceased; take the death back first if that is an error."""

    code = "patient_deceased"


class NothingToTakeBack(Conflict):
    """There is no event to take back or to end."""

    code = "nothing_to_take_back"


class NotItsDay(Conflict):
    """This was recorded on an earlier day, so it stays; record what holds now."""

    code = "not_its_day"


class NewerStands(Conflict):
    """A later act on the patient rests on this; take that back first."""

    code = "newer_stands"


class AlreadySo(Conflict):
    """This already holds for the patient, since another day."""

    code = "already_so"


class NotLost(Conflict):
    """Lost to follow-up needs three contacts without an answer through two channels since the patient was last heard
    of."""

    code = "too_few_attempts"


class WindowNotOpen(Conflict):
    """The day lies before the visit's window; confirm to count the visit all the same."""

    code = "window_not_open"


class NearerToNext(Conflict):
    """The day is nearer to the next visit of the plan; confirm to count it for this one."""

    code = "nearer_to_next"


class ClosedByEvent(Conflict):
    """An event closed this visit; take the event back instead."""

    code = "closed_by_event"


class NothingToConfirm(Conflict):
    """The visit was not closed before its window: there is nothing to confirm."""

    code = "nothing_to_confirm"


class ReservedReason(Invalid):
    """This word is planning's own mark; say in your own words why the visit was missed."""

    code = "reserved_reason"


class VisitClosed(Conflict):
    """The visit is closed; reopen it first."""

    code = "visit_closed"


CLOSING = {
    EventType.DECEASED: FollowUpStatus.DECEASED,
    EventType.WITHDRAWN: FollowUpStatus.WITHDRAWN,
    EventType.LOST: FollowUpStatus.LOST,
    EventType.ELSEWHERE: FollowUpStatus.ELSEWHERE,
}
NO_ANSWER = frozenset({"no-answer", "busy", "wrong-number", "letter-sent"})
_NOT_BEFORE_FIRST = (EventType.WITHDRAWN, EventType.LOST, EventType.TRANSFERRED)
ATTEMPTS, CHANNELS = 3, 2  # domain.md 4, own decision


class Attempt(NamedTuple):
    """An attempt to reach the patient that had no answer: a local day and a channel."""

    on: date
    channel: str | None


def attempts(contacts: Sequence[Contact], heard_on: date | None) -> set[Attempt]:
    """The attempts without an answer since the day on which the patient was last heard of, counted once a day and
    channel (rule 8)."""
    later = [c for c in contacts if heard_on is None or c.on > heard_on]
    return {Attempt(c.on, c.channel) for c in later if c.outcome in NO_ANSWER}


def refuse_future(day: date | None, today: date, field: str) -> None:
    """Raises DateInFuture when a local day lies after today."""
    if day is not None and day > today:
        raise DateInFuture(f"{day} lies after today, {today}.", field=field)


def refuse_after_death(known: Life, infused_on: date, discharged_on: date | None) -> None:
    """Raises AfterDeath when an infusion or its discharge cannot have been on that local day (rules 6 and 7)."""
    for field, day in (("infused_on", infused_on), ("discharged_on", discharged_on)):
        if known.died_on is not None and day is not None and day > known.died_on:
            days: dict[str, Any] = {field: day.isoformat(), "died_on": known.died_on.isoformat()}
            raise AfterDeath(f"{day} lies after the death on {known.died_on}.", field=field, **days)


def refuse_infusion(known: Life, infused_on: date, discharged_on: date | None) -> None:
    """Raises AfterDeath or PatientWithdrawn when the patient cannot have been infused, and discharged, on these local
    days (rules 6 and 7)."""
    refuse_after_death(known, infused_on, discharged_on)
    if any(withdrawal.until is None for withdrawal in known.withdrawals):
        raise PatientWithdrawn(field="patient_id")


def refuse_completion(
    visit: Visit,
    visits: Sequence[Visit],
    infused_on: date,
    known: Life,
    on: date,
    confirmed: frozenset[str],
    field: str = "completed_on",
) -> None:
    """Raises when a visit cannot have been done on a local day (BeforeInfusion, AfterDeath, ClosedByEvent), or when a
    person must confirm it first (WindowNotOpen before the window, NearerToNext when the plan's next target is nearer
    than its own; contract 3). `visits` are the plan's."""
    if on < infused_on:
        raise BeforeInfusion(f"{on} lies before the infusion on {infused_on}.", field=field)
    if known.died_on is not None and on > known.died_on:
        raise AfterDeath(
            f"{on} lies after the death on {known.died_on}.",
            field=field,
            completed_on=on.isoformat(),
            died_on=known.died_on.isoformat(),
        )
    if visit.is_decided and not visit.is_open:
        raise VisitClosed(field=field, state=str(visit.outcome))
    if visit.reason == ENTERED_IN_ERROR:
        raise ClosedByEvent(field=field)
    assert visit.window_start is not None, "only what people decided can be without a window"
    assert visit.target_on is not None, "and without a target"
    if on < visit.window_start and "window_not_open" not in confirmed:
        raise WindowNotOpen(
            f"{on} lies before the window, which opens on {visit.window_start}.",
            field=field,
            window_start=visit.window_start.isoformat(),
        )
    if "nearer_to_next" not in confirmed:
        _refuse_nearer_to_next(visit, visit.target_on, visits, on, field)


def _refuse_nearer_to_next(visit: Visit, aimed_at: date, visits: Sequence[Visit], on: date, field: str) -> None:
    own = abs(on - aimed_at)
    later = [
        (v.target_on, v) for v in visits if v.target_on is not None and v.target_on > aimed_at and v.code != visit.code
    ]
    target, following = min(later, key=lambda both: both[0], default=(None, None))
    if target and following and abs(on - target) < own:
        raise NearerToNext(
            f"{on} is {own.days} days from {visit.code} and {abs(on - target).days} from {following.code}.",
            field=field,
            next_visit_id=str(following.id),
            next_code=following.code,
        )


def refuse_reopening(visit: Visit) -> None:
    """Raises ClosedByEvent for what planning closed: that comes back when the event is taken back (rule 9)."""
    if not visit.is_decided:
        raise ClosedByEvent(reason=visit.reason)


def refuse_event(facts: Facts, known: Life, kind: EventType, on: date, in_error: bool) -> None:
    """Raises when an event cannot be so: after a death, before a done visit, lost without enough attempts, nothing to
    take back (rules 6 to 8)."""
    if kind is EventType.REINSTATED:
        _refuse_reinstating(known, in_error)
        return
    if kind is EventType.DECEASED:
        _refuse_death(facts, on)
        return
    if known.died_on is not None and (on > known.died_on or kind in CLOSING or kind is EventType.TRANSFERRED):
        raise PatientDeceased(
            f"The patient died on {known.died_on}.", field="on", on=on.isoformat(), died_on=known.died_on.isoformat()
        )
    first = min((i.infused_on for i in facts.counted), default=None)
    if kind in _NOT_BEFORE_FIRST and first is not None and on < first:
        raise BeforeInfusion(f"{on} lies before the first infusion on {first}.", field="on")
    if kind in CLOSING and (known.status is CLOSING[kind] or known.status is FollowUpStatus.WITHDRAWN):
        raise AlreadySo(f"The patient is already {known.status.value}.", field="type", status=known.status.value)
    if kind is EventType.LOST:
        tried = [a for a in attempts(facts.contacts, last_heard_of(facts)) if a.on <= on]
        if len(tried) < ATTEMPTS or len({a.channel for a in tried}) < CHANNELS:
            raise NotLost(field="type", attempts=len(tried), channels=len({a.channel for a in tried}))


def refuse_before_first(before: Facts, corrected: Facts) -> None:
    """Raises EventBeforeInfusion when the first infusion was not after a withdrawal, a loss or a transfer, and would be
    as corrected (rule 7). What lies before it already, since the infusion that it followed was voided, is no fault of
    the correction."""
    was, first = (min((i.infused_on for i in facts.counted), default=date.min) for facts in (before, corrected))
    earlier = [event.on for event in dated_events(corrected) if was <= event.on < first]
    if earlier:
        raise EventBeforeInfusion(
            f"The first infusion on {first} would lie after an event on {min(earlier)}.", field="infused_on"
        )


def _refuse_death(facts: Facts, on: date) -> None:
    known = (
        [d.on for d in facts.done]
        + [i.infused_on for i in facts.counted]
        + [i.discharged_on for i in facts.counted if i.discharged_on]
    )
    later = [day for day in known if day > on]
    if later:
        raise DeathBeforeFact(
            f"A death on {on} would lie before what was done on {max(later)}.",
            field="on",
            on=on.isoformat(),
            done_on=max(later).isoformat(),
        )


def _refuse_reinstating(known: Life, in_error: bool) -> None:
    if known.died_on is not None and not in_error:
        raise PatientDeceased("A death can only be taken back as entered in error.", field="entered_in_error")
    if in_error:
        if known.last is None:
            raise NothingToTakeBack(field="type")
    elif known.status is FollowUpStatus.IN_FOLLOW_UP:
        raise NothingToTakeBack(field="type")


def refuse_reserved(reason: str) -> None:
    """Raises ReservedReason for the words with which planning marks a missed visit: they would take it out of the
    completeness."""
    if is_reserved(reason):
        raise ReservedReason(field="reason")


def refuse_confirming(visit: Visit) -> None:
    """Raises NothingToConfirm for a visit that people did not close before its window."""
    if not visit.is_decided or visit.closed_before is None:
        raise NothingToConfirm(field="codes")


def is_reserved(reason: str) -> bool:
    """Whether a reason is planning's own mark of a missed visit."""
    return reason == BEFORE_REGISTRATION or reason.startswith("closed-before-")


def refuse_missing(visit: Visit, today: date) -> None:
    """Raises WindowNotOpen when a visit is declared missed before its window opened, VisitClosed when it is closed
    already."""
    refuse_closed(visit)
    if visit.window_start is not None and today < visit.window_start:
        raise WindowNotOpen(f"The window opens on {visit.window_start}.", window_start=visit.window_start.isoformat())


def refuse_closed(visit: Visit) -> None:
    """Raises VisitClosed (a person's decision) or ClosedByEvent (planning's mark) for a visit that is not open."""
    if visit.outcome is not None:
        raise (
            VisitClosed(state=Outcome(visit.outcome).value) if visit.is_decided else ClosedByEvent(reason=visit.reason)
        )
