"""One row of an import: the same act as POST /infusions, with faults named by the row's own columns."""

from pydantic import ValidationError

from app.db import infusions as db_infusions
from app.db.imports import Item
from app.db.transaction import Transaction
from app.errors import FollowUpError, Invalid, Unavailable
from app.followup import recording, spreadsheet
from app.followup.infusion_fields import NewInfusion
from app.followup.spreadsheet import Row


def new_infusion(row: Row) -> NewInfusion:
    """The command that a row stands for; `continues` is not in it, since the row names another row. Raises Invalid,
    naming the command's field."""
    try:
        return NewInfusion.model_validate(spreadsheet.command(row))
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        listed = fault["type"] in ("enum", "literal_error")
        message = f"Write one of {fault['ctx']['expected']}." if listed else fault["msg"]
        raise Invalid(
            message, field=".".join(map(str, fault["loc"])), code="unknown_value" if listed else fault["type"]
        ) from None


async def record(tx: Transaction, row: Row) -> Item:
    """Stores the infusion of a row; answers what became of it. Raises what `recording.record` raises."""
    new = new_infusion(row)
    if (earlier := spreadsheet.continued(row)) is not None:
        found = await db_infusions.request_of(tx, *earlier)
        if found is None or await db_infusions.get(tx, found[0]) is None:
            raise Invalid(
                "No infusion of this source has this id; put the earlier row first.",
                field="continues",
                code="unknown_infusion",
            )
        new = new.model_copy(update={"continues": found[0]})
    recorded = await recording.record(tx, new)
    infusion = recorded.infusion
    return Item(
        row.number,
        "accepted" if recorded.created else "unchanged",
        infusion_id=infusion["id"],
        warnings=tuple(infusion["warnings"]),
    )


def rejected(row: Row, error: FollowUpError) -> Item:
    """What a row was rejected for, by its column. Raises the error itself when it is not the row's: the database cannot
    serve."""
    if isinstance(error, Unavailable):
        raise error
    first = error.errors[0] if error.errors else None
    if first is None:
        return Item(row.number, "rejected", error.code, None, error.detail)
    return Item(row.number, "rejected", first.code, spreadsheet.column(first.field), first.message)
