"""What every command is made of: a closed model, and types that check and document a value once, whatever language it
came in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, StringConstraints, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from app.identifiers import stands_in

_DAY = re.compile(r"(?:19|20|21)\d\d-\d\d-\d\d", re.ASCII)
_VISIBLE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"


class Command(BaseModel):
    """What somebody asks for. Unknown fields are refused, so that a typing error never passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def local_date(value: object) -> date:
    """A day of Europe/Stockholm, written `YYYY-MM-DD`, from 1900 to 2199: no instant, no number, no other form
    (contract 1).

    Raises PydanticCustomError `bad_date`.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("bad_date", "A day of the calendar is written YYYY-MM-DD.")


LocalDate = Annotated[
    date, BeforeValidator(local_date), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-23"]})
]
# The code of a centre, product or protocol.
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
# One line: no control characters, not empty, at most 200 characters.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=rf"^{_VISIBLE}*$")]


def _nobodys(value: str) -> str:
    if stands_in(value):
        raise PydanticCustomError(
            "looks_like_a_number",
            "A personal number stands here, in clear; write it nowhere but among the identifiers.",
        )
    return value


# A text that is stored, and may be logged, as it is written: an id of the sender's, a batch, a reason. No place for a
# personal number.
ClearText = Annotated[Text, AfterValidator(_nobodys)]
# Several lines, at most 4,000 characters.
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=rf"^(?:{_VISIBLE}|[\t\n\r])*$")
]
# True or false, and no word or number that could be read as one.
Flag = Annotated[bool, Strict()]


def _not_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("required", "This can be changed, but not emptied.")
    return value


# A field of a merge patch that may be left out (None: it stays), but not emptied by null.
Value = TypeVar("Value")
Kept = Annotated[Value | SkipJsonSchema[None], BeforeValidator(_not_null)]


class Response(StrEnum):
    """Response at the response check: complete, partial, stable, progressive, not evaluated."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NE = "NE"


class Source(Command):
    """The sender's own id of what it tells: the natural key."""

    system: ClearText
    id: ClearText


class Reason(Command):
    """Why something is undone or refused."""

    reason: ClearText


Place = tuple[date | UUID | int | str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Which part of a list: at most `limit` rows after the place `after` (None: from the start), all as of one day of
    one walk."""

    limit: int
    as_of_date: date
    after: Place | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: rows as plain dicts, the place of the last one if more follow, the whole number where it was
    asked for, and further members of the answer."""

    items: Sequence[Mapping[str, Any]]
    next: Place | None = None
    total: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
