"""Which rows of the due list need a person's decision (domain.md 4)."""

from datetime import UTC, datetime

import pytest

from app.planning.facts import Contact
from app.planning.needs_decision import needs_decision
from app.planning.visits import Outcome, Window
from tests.planning.life import day

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window(day("2026-02-02"), day("2026-05-03"))


HEARD = day("2026-01-31")


def tried(*told: str) -> list[Contact]:
    """Contacts from `2026-05-01 phone no-answer`."""
    return [Contact(day(on), NOON, channel, outcome) for on, channel, outcome in (text.split() for text in told)]


@pytest.mark.parametrize(
    ("today", "before", "contacts", "why"),
    [
        ("2026-05-04", None, (), None),
        ("2027-05-03", None, (), None),
        ("2027-05-04", None, (), "overdue-twelve-months"),
        ("2026-05-04", Outcome.MISSED, (), "two-windows-missed"),
        ("2026-05-03", Outcome.MISSED, (), None),
        (
            "2026-03-04",
            None,
            ("2026-02-02 phone no-answer", "2026-02-03 phone busy", "2026-02-04 letter wrong-number"),
            "three-attempts",
        ),
        (
            "2026-03-04",
            None,
            ("2026-02-02 phone no-answer", "2026-02-03 phone busy", "2026-02-04 letter letter-sent"),
            "three-attempts",
        ),
        (
            "2026-03-04",
            None,
            ("2026-02-02 phone no-answer", "2026-02-03 phone busy", "2026-02-04 phone no-answer"),
            None,
        ),
        # Counted once a day and channel.
        (
            "2026-03-04",
            None,
            ("2026-02-02 phone no-answer", "2026-02-02 phone busy", "2026-02-04 letter letter-sent"),
            None,
        ),
        # What was tried until the patient was last heard of no longer counts.
        (
            "2026-03-04",
            None,
            ("2026-01-31 phone no-answer", "2026-02-03 phone busy", "2026-02-04 letter letter-sent"),
            None,
        ),
        (
            "2026-03-04",
            None,
            ("2026-02-02 phone given-to-booking", "2026-02-03 phone busy", "2026-02-04 letter letter-sent"),
            None,
        ),
    ],
)
def test_a_row_needs_a_decision(today, before, contacts, why):
    assert needs_decision(WINDOW, before, tried(*contacts), HEARD, day(today)) == why
