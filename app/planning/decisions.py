"""Nothing ends in silence (contract 3, rule 17): why a patient, beside single visits, needs a person's decision. What
hangs on facts alone is found by `standing` and may be stored; what hangs on the day follows from it by two comparisons
that dates and columns share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from app.errors import Conflict
from app.planning.facts import Decision, EventType, Facts, FollowUpStatus, Life, last_heard_of, life, reported_dead_on
from app.planning.plan import months_later
from app.planning.protocol import Purpose
from app.planning.visits import BEFORE_REGISTRATION, ENTERED_IN_ERROR, Outcome, Plan, Visit

SILENCE = 14  # calendar months
OPENS_WITHIN = timedelta(days=30)
# Care visits with these reasons never lay ahead of anybody, or were replaced by others.
_NEVER_AHEAD = (BEFORE_REGISTRATION, ENTERED_IN_ERROR, "superseded", "protocol-change")


class NothingToDecide(Conflict):
    """The patient's follow-up goes on, or has ended otherwise; there is nothing to decide."""

    code = "nothing_to_decide"


class Undecided(StrEnum):
    """Why a patient needs a decision; the value is the word in JSON and database. A patient has one, the first that
    holds."""

    INFUSION_REFUSED = "infusion-refused"
    DECEASED_REPORTED = "deceased-reported"
    PLAN_ENDED = "plan-ended"
    NO_PLAN = "no-plan"
    NO_CONTACT = "no-contact"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a patient's facts say of silence, whatever day it is (local days): when the patient was last heard of; why a
    decision is needed, and since when; and the day on which a visit next asks for the patient (None: one is booked, it
    comes before the silence is long, or none of this concerns the patient)."""

    last_heard_on: date
    undecided: Undecided | None = None
    since: date | None = None
    quiet_until: date | None = None


def standing(facts: Facts, plans: Sequence[Plan]) -> Standing:
    """The standing of a patient with at least one infusion, voided or not. Without one that counts, the day of the
    first entry is the last that the patient was heard of."""
    known = life(facts)
    heard_on = last_heard_of(facts) or min(i.registered_on for i in facts.infusions)
    if not facts.counted:
        return Standing(heard_on)
    if (reported_on := reported_dead_on(facts)) is not None:
        return Standing(heard_on, Undecided.DECEASED_REPORTED, reported_on)
    if known.status is not FollowUpStatus.IN_FOLLOW_UP:
        return Standing(heard_on)
    care = _care(plans)
    if is_over(plans):
        if _is_decided(facts, known):
            return Standing(heard_on)
        return Standing(heard_on, _why_over(care), _over_since(facts, care))
    ahead = [visit for plan in plans for visit in plan.visits if visit.is_open]
    if any(visit.booked_on for visit in ahead):
        return Standing(heard_on)
    quiet_until = min(visit.window_start for visit in ahead if visit.window_start is not None) - OPENS_WITHIN
    return Standing(heard_on, quiet_until=quiet_until if quiet_until > silent_since(heard_on) else None)


def is_over(plans: Sequence[Plan]) -> bool:
    """Whether no care visit is open any more, whatever the plans' ends say."""
    return not any(visit.is_open for visit in _care(plans))


def _care(plans: Sequence[Plan]) -> list[Visit]:
    return [visit for plan in plans if plan.purpose == Purpose.CARE.value for visit in plan.visits]


def refuse_decision(facts: Facts, plans: Sequence[Plan], decision: Decision) -> None:
    """Raises NothingToDecide: `not-deceased` needs a reported death that stands, the others somebody in follow-up whose
    care visits are over."""
    if decision is Decision.NOT_DECEASED:
        if reported_dead_on(facts) is None:
            raise NothingToDecide("No report of a death stands.", field="decision")
    elif not facts.counted or life(facts).status is not FollowUpStatus.IN_FOLLOW_UP or not is_over(plans):
        raise NothingToDecide(field="decision")


def _is_decided(facts: Facts, known: Life) -> bool:
    """Whether somebody has handed the patient over, or closed the follow-up, and no infusion was entered since."""
    last = next((e for e in reversed(known.decisions) if e.decision is not Decision.NOT_DECEASED), None)
    if last is None or last.decision is Decision.EXTEND:
        return False
    return not any(infusion.registered_at > last.recorded_at for infusion in facts.counted)


def _why_over(care: Sequence[Visit]) -> Undecided:
    lay_ahead = any(visit.outcome is Outcome.COMPLETED or visit.reason not in _NEVER_AHEAD for visit in care)
    return Undecided.PLAN_ENDED if lay_ahead else Undecided.NO_PLAN


def _over_since(facts: Facts, care: Sequence[Visit]) -> date:
    """The latest local day of what left no visit open: an infusion entered, a visit done or closed by a person, care
    taken up again."""
    days = [infusion.registered_on for infusion in facts.counted]
    days += [day for visit in care if (day := visit.completed_on or visit.decided_on) is not None]
    return max(
        days + [event.on for event in facts.events if event.type is EventType.REINSTATED and not event.entered_in_error]
    )


def warnings(infused_on: date, plans: Sequence[Plan], today: date) -> list[str]:
    """What looks odd of an infusion entered on a local day: more than a year late, or with a follow-up that is over
    already. `plans` are those that it anchors."""
    found = ["late_entry"] if today > months_later(infused_on, 12) else []
    care = [plan for plan in plans if plan.purpose == Purpose.CARE.value and plan.state == "active"]
    if care and is_over(care):
        found.append("follow_up_over")
    return found


def heard_before(today: date) -> date:
    """The local day before which somebody must have been heard of last, to have been silent for more than fourteen
    calendar months."""
    day = months_later(today, -SILENCE)
    while months_later(day, SILENCE) < today:  # at a month's end several days lead to one
        day += timedelta(days=1)
    while months_later(day - timedelta(days=1), SILENCE) >= today:
        day -= timedelta(days=1)
    return day


def silent_since(last_heard_on: date) -> date:
    """The first local day on which the silence has lasted for more than fourteen calendar months."""
    return months_later(last_heard_on, SILENCE) + timedelta(days=1)
