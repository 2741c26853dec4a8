"""Who the patient of a command is: numbers made canonical, an existing person found, or a new one described."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pydantic import Field

from app import identifiers
from app.db import patients as db_patients
from app.db.columns import new_id
from app.db.patients import PatientRow
from app.db.transaction import Transaction
from app.errors import Conflict, FieldError, Invalid
from app.followup import elsewhere
from app.followup.commands import Command, LocalDate, Text
from app.identifiers import Identifier
from app.planning.facts import FollowUpStatus


class IdentifiersDisagree(Conflict):
    """The numbers belong to different patients of the service."""

    code = "identifiers_disagree"


class IdentityUnclear(Conflict):
    """A coordination number alone does not tell who somebody is; neither name nor birth date agrees with the person who
    has it."""

    code = "identity_unclear"


class NewIdentifier(Command):
    """A number and its system, as the sender writes them."""

    system: Text
    value: Text


class NewPerson(Command):
    """A person as the sender knows them. The birth date defaults from the number."""

    identifiers: list[NewIdentifier] = Field(min_length=1, max_length=5)
    name: Text
    birth_date: LocalDate | None = None
    phone: Text | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """A person with canonical numbers and a birth date."""

    numbers: tuple[Identifier, ...]
    name: str
    birth_date: date | None
    phone: str | None

    def normalised(self) -> dict[str, Any]:
        """What a repeated request is compared by."""
        return {
            "identifiers": sorted([n.system, n.value] for n in self.numbers),
            "name": self.name,
            "birth_date": self.birth_date.isoformat() if self.birth_date else None,
            "phone": self.phone,
        }


def canonical(numbers: list[NewIdentifier], today: date, field: str) -> tuple[tuple[Identifier, ...], list[FieldError]]:
    """The numbers in their canonical form, and what is wrong with the others."""
    good, faults = dict[Identifier, None](), list[FieldError]()
    for n, number in enumerate(numbers):
        try:
            good[identifiers.normalise(number.system, number.value, today)] = None
        except Invalid as error:
            place = "system" if error.code == "unknown_system" else "value"
            faults.append(FieldError(f"{field}.{n}.{place}", error.code, error.detail))
    return tuple(good), faults


def described(person: NewPerson, today: date, faults: list[FieldError]) -> Described:
    """The person in canonical form; what is wrong is added to `faults`."""
    numbers, wrong = canonical(person.identifiers, today, "patient.identifiers")
    faults += wrong
    if person.birth_date is not None and person.birth_date > today:
        faults.append(FieldError("patient.birth_date", "date_in_future", "The birth date lies in the future."))
    born = person.birth_date or next((b for n in numbers if (b := identifiers.birth_date(n)) is not None), None)
    return Described(numbers, person.name, born, person.phone)


def lock_names(person: Described) -> list[str]:
    """The names of the locks under which a person is found or made: one for each number."""
    return [f"{number.system}:{number.value}" for number in person.numbers]


async def find(tx: Transaction, person: Described, centre: str) -> PatientRow | None:
    """The patient who carries one of the numbers, locked, or None; the caller holds the locks of the numbers when it
    writes. Raises IdentifiersDisagree, IdentityUnclear; KnownElsewhere where an infusion of `centre` meets a person
    whom the caller does not see."""
    found = await db_patients.by_number(tx, [(n.system, n.value) for n in person.numbers])
    if not found:
        return None
    if len(found) > 1:
        raise await elsewhere.refused(tx, found, centre, IdentifiersDisagree(field="patient.identifiers"))
    patient = await db_patients.lock_known(tx, found[0])
    only_coordination = all(n.system == identifiers.SAMORDNINGSNUMMER for n in person.numbers)
    if only_coordination and {"name_differs", "birth_date_differs"} <= set(warnings(patient, person)):
        raise await elsewhere.refused(tx, found, centre, IdentityUnclear(field="patient.identifiers"))
    return patient


def warnings(patient: PatientRow, person: Described) -> list[str]:
    """What was taken but looks odd beside the person already known."""
    known = patient.person
    found = []
    if known["name"].casefold().split() != person.name.casefold().split():
        found.append("name_differs")
    if person.birth_date and known["birth_date"] and known["birth_date"] != person.birth_date.isoformat():
        found.append("birth_date_differs")
    return found


def new_patient(tx: Transaction, person: Described, centre: str) -> PatientRow:
    """A patient who is not stored yet."""
    return PatientRow(
        id=new_id(),
        version=1,
        person={
            "name": person.name,
            "birth_date": person.birth_date.isoformat() if person.birth_date else None,
            "phone": person.phone,
            "identifiers": [
                {"system": n.system, "value": n.value, "since": tx.today.isoformat()} for n in person.numbers
            ],
            "contact_persons": [],
            "preferred_channel": None,
        },
        protected=False,
        status=FollowUpStatus.IN_FOLLOW_UP.value,
        responsible_centre=centre,
        registered_at=tx.now,
    )


def adopt(patient: PatientRow, person: Described, today: date) -> PatientRow:
    """The known patient with numbers that were not known before; a birth date and a phone that were missing are filled
    in, but no phone of a protected identity."""
    known = {(i["system"], i["value"]) for i in patient.person["identifiers"]}
    new = [
        {"system": n.system, "value": n.value, "since": today.isoformat()}
        for n in person.numbers
        if (n.system, n.value) not in known
    ]
    was = patient.person
    filled = was | {
        "identifiers": was["identifiers"] + new,
        "birth_date": was["birth_date"] or (person.birth_date.isoformat() if person.birth_date else None),
        "phone": None if patient.protected else was["phone"] or person.phone,
    }
    return replace(patient, person=filled)
