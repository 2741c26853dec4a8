"""When a row of the due list sleeps: somebody is to be called again on a later day (own decision; pages.md 2)."""

from datetime import date, timedelta

LATEST_WAKING = timedelta(days=14)  # a row comes back so many days after its window's end at the latest
_AGAIN_IN = {"no-answer": 7, "busy": 7, "will-come": 30}


def sleeps(remind_on: date | None, window_end: date, today: date) -> bool:
    """Whether a row waits on a local day: the day to be reminded lies ahead, and the window ended at most two weeks
    ago."""
    return remind_on is not None and today < remind_on and today <= window_end + LATEST_WAKING


def proposed(outcome: str, today: date) -> date | None:
    """The local day that the form proposes for trying again after a contact, or None."""
    after = _AGAIN_IN.get(outcome)
    return None if after is None else today + timedelta(days=after)
