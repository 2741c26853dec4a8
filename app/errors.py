"""The field's errors: a code and a field for machines; the docstring is the English title. No HTTP number, no name or
number of a person."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of an input: the command's field (dotted inside objects and lists: `completed.0.code`), a code, and why
    in English."""

    field: str
    code: str
    message: str


class Deadlock(Exception):
    """The database ended the transaction because it and another one waited for each other. Nothing of it is stored, and
    whoever began it tries once more (`once_more`); so it is not yet a refusal."""


class FollowUpError(Exception):
    """Something was refused."""

    code = "refused"

    def __init__(
        self, detail: str = "", *, field: str = "", code: str = "", errors: Sequence[FieldError] = (), **facts: object
    ) -> None:
        """`detail` says why and what to do next; `facts` are members for machines (days, ids, versions), never a
        person's name or number."""
        self.code = code or type(self).code
        self.field = field
        self.detail = detail or self.title()
        self.errors = tuple(errors) or ((FieldError(field, self.code, self.detail),) if field else ())
        self.facts: Mapping[str, object] = facts
        super().__init__(self.code)

    @classmethod
    def title(cls) -> str:
        """The first paragraph of the docstring on one line, without its full stop."""
        return " ".join((cls.__doc__ or "").partition("\n\n")[0].split()).rstrip(".")


class Malformed(FollowUpError):
    """The body or a parameter cannot be read."""

    code = "malformed"


class Invalid(FollowUpError):
    """A value breaks a rule."""

    code = "invalid"


class Unauthenticated(FollowUpError):
    """A valid token is needed."""

    code = "unauthenticated"


class Forbidden(FollowUpError):
    """The caller's role or scope does not allow this."""

    code = "forbidden"


class NotYourCentre(Forbidden):
    """The centre is not one of the caller's."""

    code = "not_your_centre"


class NotYourOwn(Forbidden):
    """Somebody else has recorded this, so they take it back, or whoever may take back the acts of others."""

    code = "not_your_own"


class NotFound(FollowUpError):
    """There is no such object among those that the caller may see."""

    code = "not_found"


class Conflict(FollowUpError):
    """What stands does not allow this."""

    code = "conflict"


class SessionWasOver(FollowUpError):
    """The session had run out when the form was sent, so nothing was saved; read it through and save it again."""

    code = "session_was_over"


class StaleVersion(FollowUpError):
    """The object has changed since the caller read it; read it again."""

    code = "stale_version"


class VersionRequired(FollowUpError):
    """Changing an object needs If-Match with the version that was read."""

    code = "version_required"


class BadCursor(FollowUpError):
    """The cursor was not given out for this question."""

    code = "bad_cursor"


class CursorExpired(FollowUpError):
    """The cursor belongs to another epoch of the feed; take the snapshot and begin at its cursor."""

    code = "cursor_expired"


class TooLarge(FollowUpError):
    """The body is larger than allowed."""

    code = "too_large"


class AddressTooLong(FollowUpError):
    """The request's address, its query included, is longer than allowed."""

    code = "address_too_long"


class HeadersTooLarge(FollowUpError):
    """The request's address and headers are longer, or more, than allowed."""

    code = "headers_too_large"


class TooSlow(FollowUpError):
    """The request took too long to arrive."""

    code = "too_slow"


class RateLimited(FollowUpError):
    """Too many requests; wait as Retry-After says."""

    code = "rate_limited"


class Unavailable(FollowUpError):
    """The service cannot store or read just now; try again."""

    code = "unavailable"


async def once_more(work: Callable[[], Awaitable[T]]) -> T:
    """Does what begins and ends a transaction of its own, and does it again when that ended in a deadlock. Raises
    Unavailable the second time."""
    try:
        return await work()
    except Deadlock:
        try:
            return await work()
        except Deadlock:
            raise Unavailable("Others are at work on the same rows just now; try again.") from None
