"""What of a person is shown to a caller: masked numbers, nothing of protected identities, and of a shared patient only
one's own part."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.actor import Actor
from app.db.patients import PatientRow
from app.errors import Forbidden
from app.followup.chart import Chart
from app.followup.effects import done_outside_window, dropped_bookings
from app.followup.settle import BECAUSE_LOST
from app.identifiers import Identifier, masked
from app.planning import refusals
from app.planning.visits import Plan


def patient(row: PatientRow) -> dict[str, Any]:
    """The patient block of lists: of a protected identity only the id, the year of birth stays away too."""
    if row.protected:
        return {"id": row.id, "name": None, "birth_date": None, "masked_number": None, "phone": None, "protected": True}
    number = next(iter(row.person["identifiers"]), None)
    return {
        "id": row.id,
        "name": row.person["name"],
        "birth_date": row.person["birth_date"],
        "masked_number": masked(Identifier(number["system"], number["value"])) if number else None,
        "phone": row.person["phone"],
        "protected": False,
    }


def full_patient(row: PatientRow) -> dict[str, Any]:
    """The patient with all that a ward may change; of a protected identity what is secret is null."""
    person = row.person
    shown = [
        {"system": i["system"], "masked": masked(Identifier(i["system"], i["value"])), "since": i["since"]}
        for i in person["identifiers"]
    ]
    return patient(row) | {
        "version": row.version,
        "identifiers": [] if row.protected else shown,
        "contact_persons": [] if row.protected else person["contact_persons"],
        "preferred_channel": person["preferred_channel"],
        "responsible_centre": row.responsible_centre,
        "registered_at": row.registered_at,
        "merged_ids": [],
    }


# What people write in their own words may tell who somebody is, or where: of a protected identity it is closed.
FREE_WORDS = ("note", "where", "missed_reason", "response_text", "void_reason", "reason")


def closed(protected: bool, serialized: dict[str, Any]) -> dict[str, Any]:
    """A visit, event, contact, infusion or alert as it is shown of somebody: of a protected identity without people's
    own words; `closed` names those that there are. The marks of planning are no such words."""
    if not protected:
        return serialized
    words = [name for name in FREE_WORDS if isinstance(serialized.get(name), str) and not _is_a_mark(serialized[name])]
    return serialized | dict.fromkeys(words) | {"closed": words}


def _is_a_mark(word: str) -> bool:
    return word == BECAUSE_LOST or refusals.is_reserved(word)


def history(row: PatientRow, kind: str, values: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What stood before or after a change: numbers masked as everywhere; of a protected identity that a person's data
    were changed, not to what, and no words of people's own."""
    if values is None:
        return None
    if row.protected and kind == "patient":
        return dict.fromkeys(values)
    return closed(row.protected, {name: _masked(value) for name, value in values.items()})


def _masked(value: Any) -> Any:
    """A person's data, or a list of numbers in it, with the numbers masked."""
    if isinstance(value, Mapping):
        return {name: _masked(one) for name, one in value.items()}
    if not isinstance(value, list):
        return value
    return [
        {**one, "value": masked(Identifier(one["system"], one["value"]))}
        if isinstance(one, Mapping) and {"system", "value"} <= one.keys()
        else one
        for one in value
    ]


class NotResponsible(Forbidden):
    """Only the centre that is responsible for the patient may do this; a centre that gave an infusion corrects that
    infusion."""

    code = "not_responsible"


def must_be_responsible(actor: Actor, chart: Chart) -> None:
    """Raises NotResponsible for a caller who does not see all of the patient (rule 11)."""
    if not is_whole(actor, chart):
        raise NotResponsible


def is_whole(actor: Actor, chart: Chart) -> bool:
    """Whether the caller sees all of the patient: the responsible centre does (rule 11)."""
    return sees_whole(actor, chart.patient)


def sees_whole(actor: Actor, row: PatientRow) -> bool:
    """As `is_whole`, of a patient whose chart was not read."""
    return actor.centres is None or row.responsible_centre in actor.centres


def own_infusions(actor: Actor, chart: Chart) -> set[UUID]:
    """The infusions that the caller sees: all of a patient one is responsible for, else those that one's own centres
    gave, and that are not voided."""
    whole = is_whole(actor, chart)
    return {i.id for i in chart.infusions if whole or (i.centre in (actor.centres or ()) and not i.voided)}


def own_plans(actor: Actor, chart: Chart) -> list[Plan]:
    """The plans that the caller sees: those anchored by an infusion that one sees."""
    own = own_infusions(actor, chart)
    return [plan for plan in chart.plans if plan.infusion_id in own]


def own_part(actor: Actor, chart: Chart) -> Chart:
    """The chart as the caller may know it: of a patient whom one is not responsible for neither events nor contacts."""
    if is_whole(actor, chart):
        return chart
    own = own_infusions(actor, chart)
    return replace(
        chart,
        infusions=tuple(i for i in chart.infusions if i.id in own),
        plans=tuple(own_plans(actor, chart)),
        events=(),
        contacts=(),
    )


def own_objects(actor: Actor, chart: Chart) -> set[str]:
    """The ids of the infusions, plans and visits that the caller sees."""
    plans = own_plans(actor, chart)
    ids = [
        *own_infusions(actor, chart),
        *[plan.id for plan in plans],
        *[visit.id for plan in plans for visit in plan.visits],
    ]
    return {str(one) for one in ids}


def own_done_outside(actor: Actor, before: Chart | None, settled: Chart) -> list[dict[str, Any]]:
    """The done visits that an act has moved the window away from, of those that the caller sees after it."""
    return done_outside_window(before, replace(settled, plans=tuple(own_plans(actor, settled))))


def own_dropped(actor: Actor, before: Chart | None, settled: Chart) -> list[dict[str, Any]]:
    """The bookings that an act has dropped, of the visits that the caller sees after it; every write tells them."""
    own = own_objects(actor, settled)
    return [dropped for dropped in dropped_bookings(before, settled) if str(dropped["visit_id"]) in own]
