"""When a row of the due list needs a person's decision: declare lost, mark missed, or keep calling (domain.md 4, own decisions but for the study's
two windows)."""

from collections.abc import Sequence
from datetime import date

from app.planning.plan import months_later
from app.planning.refusals import ANSWERED, ATTEMPTS, CHANNELS, NO_ANSWER, Attempt
from app.planning.visits import Outcome, Window

DECEASED_REPORTED = "deceased-reported"
DECIDED_BEFORE_WINDOW = "decided-before-window"


def needs_decision(window: Window[date], before: Outcome | None, attempts: Sequence[Attempt], today: date) -> str | None:
    """Why an open visit needs a decision on a local day, or None: a death was reported and is neither recorded nor taken back; overdue for more
    than twelve calendar months; two windows of the plan in a row missed (`before` is how the plan's visit before it ended; one that is overdue
    itself counts as MISSED); three attempts without an answer through two channels since the window opened. `attempts` are all contacts with the
    patient, oldest first."""
    answers = [attempt.outcome for attempt in attempts if attempt.outcome in ANSWERED]
    if answers and answers[-1] == DECEASED_REPORTED:
        return DECEASED_REPORTED
    if today <= window.end:
        return _attempts(window, attempts)
    if today > months_later(window.end, 12):
        return "overdue-twelve-months"
    if before is Outcome.MISSED:
        return "two-windows-missed"
    return _attempts(window, attempts)


def _attempts(window: Window[date], attempts: Sequence[Attempt]) -> str | None:
    tried = [a for a in attempts if a.outcome in NO_ANSWER and a.on >= window.start]
    return "three-attempts" if len(tried) >= ATTEMPTS and len({a.channel for a in tried}) >= CHANNELS else None
