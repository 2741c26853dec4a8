"""Which rows of the due list need a person's decision (domain.md 4)."""

import pytest

from app.planning.needs_decision import needs_decision
from app.planning.refusals import Attempt
from app.planning.visits import Outcome, Window
from tests.planning.life import day

WINDOW = Window(day("2026-02-02"), day("2026-05-03"))


def tried(*told: str) -> list[Attempt]:
    """Attempts from `2026-05-01 phone no-answer`."""
    return [Attempt(day(on), channel, outcome) for on, channel, outcome in (text.split() for text in told)]


@pytest.mark.parametrize(
    ("today", "before", "attempts", "why"),
    [
        ("2026-05-04", None, (), None),
        ("2027-05-03", None, (), None),
        ("2027-05-04", None, (), "overdue-twelve-months"),
        ("2026-05-04", Outcome.MISSED, (), "two-windows-missed"),
        ("2026-05-03", Outcome.MISSED, (), None),
        ("2026-03-04", None, ("2026-02-02 phone no-answer", "2026-02-03 phone busy", "2026-02-04 letter wrong-number"), "three-attempts"),
        ("2026-03-04", None, ("2026-02-02 phone no-answer", "2026-02-03 phone busy", "2026-02-04 phone no-answer"), None),
        ("2026-03-04", None, ("2026-02-01 phone no-answer", "2026-02-03 phone busy", "2026-02-04 letter no-answer"), None),
        ("2026-03-04", None, ("2026-02-01 relative deceased-reported",), "deceased-reported"),
        ("2026-03-04", None, ("2026-02-01 relative deceased-reported", "2026-02-02 phone will-come"), None),
        ("2026-03-04", None, ("2026-02-01 relative deceased-reported", "2026-02-02 phone no-answer"), "deceased-reported"),
    ],
)
def test_a_row_needs_a_decision(today, before, attempts, why):
    assert needs_decision(WINDOW, before, tried(*attempts), day(today)) == why
