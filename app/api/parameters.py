"""Query parameters and parts of addresses, each checked and documented once."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.followup.alerts import AlertEventType
from app.followup.commands import LocalDate, Slug, Text
from app.planning import decisions
from app.planning.facts import FollowUpStatus
from app.planning.needs_decision import DECIDED_BEFORE_WINDOW
from app.planning.visits import VisitState

Code = Annotated[Slug | None, Query(description="a code, as the catalogue lists it")]
Day = Annotated[LocalDate | None, Query(description="a local day, YYYY-MM-DD")]
Word = Annotated[Text | None, Query()]
YesNo = Annotated[Literal["true", "false"] | None, Query()]
CodeInPath = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$"), Path(description="a code, as the catalogue lists it")
]


def _words_of(allowed: type[StrEnum] | frozenset[str]) -> tuple[Callable[[str], str], dict[str, Any]]:
    """The check of a comma list, and its schema."""
    known = sorted(str(word) for word in allowed)

    def check(value: str) -> str:
        words = value.split(",")
        if not set(words) <= set(known) or len(set(words)) < len(words):
            raise PydanticCustomError("unknown_value", "A comma list of the words allowed here, each once.")
        return value

    either = "|".join(word.replace(".", r"\.") for word in known)
    return check, {"type": "string", "pattern": f"^({either})(,({either})){{0,{len(known) - 1}}}$"}


_state, _state_schema = _words_of(VisitState)
_status, _status_schema = _words_of(FollowUpStatus)
_undecided, _undecided_schema = _words_of(decisions.Undecided)
_alert, _alert_schema = _words_of(frozenset({"open", "acknowledged", "resolved"}))
_visit_decision, _visit_decision_schema = _words_of(frozenset({DECIDED_BEFORE_WINDOW}))
_type, _type_schema = _words_of(AlertEventType)

States = Annotated[
    str | None,
    AfterValidator(lambda value: value if value is None else _state(value)),
    WithJsonSchema(_state_schema),
    Query(description="states of visits, a comma list; default `due,overdue`, with `needs_decision` every state"),
]
Statuses = Annotated[
    str | None,
    AfterValidator(lambda value: value if value is None else _status(value)),
    WithJsonSchema(_status_schema),
    Query(
        description="how follow-up stands, a comma list; default `in-follow-up`, "
        "with `needs_decision` everybody but the dead and the withdrawn"
    ),
]
VisitDecisions = Annotated[
    str | None,
    AfterValidator(lambda value: value if value is None else _visit_decision(value)),
    WithJsonSchema(_visit_decision_schema),
    Query(description="why visits need a decision, a comma list"),
]
EVERY_REASON = ",".join(decisions.Undecided)
Undecided = Annotated[
    str,
    AfterValidator(_undecided),
    WithJsonSchema(_undecided_schema),
    Query(description="why a patient needs a decision, a comma list"),
]
AlertStates = Annotated[
    str, AfterValidator(_alert), WithJsonSchema(_alert_schema), Query(description="states of alerts, a comma list")
]
EventTypes = Annotated[
    str | None,
    AfterValidator(lambda value: value if value is None else _type(value)),
    WithJsonSchema(_type_schema),
    Query(description="types of events, a comma list"),
]
