"""The one clock: instants in UTC, days in Europe/Stockholm. Tests and the demo set the day; instants stay real."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Stockholm")


class Clock:
    """Tells the instant and the day. `fixed` (from --today) does not roll; `offset` days (the demo's) move the day and
    let it go on."""

    def __init__(self, fixed: date | None = None, offset: timedelta = timedelta()) -> None:
        self.fixed = fixed
        self.offset = offset

    def now(self) -> datetime:
        """This instant in UTC; never moved."""
        return datetime.now(UTC)

    def today(self) -> date:
        """The local date in Europe/Stockholm, moved by the offset, or the fixed day."""
        return self.fixed or self.real_day() + self.offset

    def real_day(self) -> date:
        """The local date in Europe/Stockholm; never moved."""
        return datetime.now(ZONE).date()


def midnight_after(day: date) -> datetime:
    """The instant (UTC) at which a local day ends."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), ZONE).astimezone(UTC)
