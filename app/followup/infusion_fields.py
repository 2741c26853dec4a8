"""The fields of an infusion: the commands that record and correct one."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from app.errors import FieldError
from app.followup.commands import ClearText, Command, Flag, Kept, LocalDate, Response, Slug, Source, Text
from app.followup.identity import NewPerson


class Context(StrEnum):
    """In which setting the product was given [S]."""

    SOC = "SOC"
    ACT = "ACT"
    ICT = "ICT"
    CUP = "CUP"
    HE = "HE"


class DoneBefore(Command):
    """A visit that was done before the infusion was entered here."""

    protocol: Slug
    code: Text
    completed_on: LocalDate
    response: Response | None = None


class InfusionFields(Command):
    """The fields of an infusion, whoever the patient is. Days are local."""

    centre: Slug
    product: Slug
    context: Context
    infused_on: LocalDate
    discharged_on: LocalDate | None = None
    indication: ClearText | None = None
    batch: ClearText | None = None
    batch_expires_on: LocalDate | None = None
    in_specification: Flag | None = None


class NewInfusion(InfusionFields):
    """One infusion event, for a patient known by id or described by numbers and name."""

    patient: NewPerson | None = None
    patient_id: UUID | None = None
    protocols: list[Slug] | None = Field(None, max_length=10)
    continues: UUID | None = None
    new_course: Flag = False
    completed: list[DoneBefore] = Field([], max_length=100)
    source: Source | None = None


class Correction(Command):
    """What may be corrected of an infusion; a field that is not named stays, null empties it (JSON merge patch)."""

    centre: Kept[Slug] = None
    product: Kept[Slug] = None
    context: Kept[Context] = None
    infused_on: Kept[LocalDate] = None
    discharged_on: LocalDate | None = None
    indication: ClearText | None = None
    batch: ClearText | None = None
    batch_expires_on: LocalDate | None = None
    in_specification: Flag | None = None
    continues: UUID | None = None
    new_course: Kept[Flag] = None


def day_faults(fields: InfusionFields, today: date) -> list[FieldError]:
    """What is wrong with the days of an infusion on a local day."""
    faults = []
    for name in ("infused_on", "discharged_on"):
        day = getattr(fields, name)
        if day is not None and day > today:
            faults.append(FieldError(name, "date_in_future", f"{day} lies after today, {today}."))
    if fields.discharged_on is not None and fields.discharged_on < fields.infused_on:
        faults.append(
            FieldError(
                "discharged_on", "before_infusion", f"The discharge lies before the infusion on {fields.infused_on}."
            )
        )
    if fields.batch_expires_on is not None and fields.batch_expires_on < fields.infused_on:
        faults.append(
            FieldError(
                "batch_expires_on", "before_infusion", f"The batch had expired at the infusion on {fields.infused_on}."
            )
        )
    return faults
