"""When a row of the due list needs a person's decision: declare lost, mark missed, or keep calling (domain.md 4, own
decisions but for the study's two windows)."""

from collections.abc import Sequence
from datetime import date

from app.planning.facts import Contact
from app.planning.plan import months_later
from app.planning.refusals import ATTEMPTS, CHANNELS, attempts
from app.planning.visits import Outcome, Window

DECIDED_BEFORE_WINDOW = "decided-before-window"


def needs_decision(
    window: Window[date], before: Outcome | None, contacts: Sequence[Contact], heard_on: date | None, today: date
) -> str | None:
    """Why an open visit needs a decision on a local day, or None: overdue for more than twelve calendar months; two
    windows of the plan in a row missed (`before` is how the plan's visit before it ended; one that is overdue itself
    counts as MISSED); three attempts without an answer through two channels since the patient was last heard of, on
    `heard_on`. `contacts` are all with the patient."""
    if today > window.end:
        if today > months_later(window.end, 12):
            return "overdue-twelve-months"
        if before is Outcome.MISSED:
            return "two-windows-missed"
    tried = attempts(contacts, heard_on)
    return "three-attempts" if len(tried) >= ATTEMPTS and len({a.channel for a in tried}) >= CHANNELS else None
