"""Files of infusions as spreadsheets write them, made into bodies of POST /infusions (contract 3, rule 15). Pure: no database, no clock."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.errors import FieldError, Invalid
from app.identifiers import PERSONNUMMER

REQUIRED = ("personnummer", "name", "centre", "product", "context", "infused_on", "source_system", "source_id")
COLUMNS = (*REQUIRED, "indication", "discharged_on", "batch")
OPTIONAL = ("birth_date", "phone", "continues", "protocol")
SEPARATORS = ",;\t"

_ISO = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY_NUMBER = re.compile(r"(?P<days>\d{5})([.,]\d+)?", re.ASCII)
DAY_ZERO = date(1899, 12, 30)  # of the day numbers that spreadsheets keep for dates

# Where the command's fields stand in the file; the others have the column's own name.
_COLUMN_OF = {
    "patient_id": "personnummer",
    "patient.identifiers": "personnummer",
    "patient.name": "name",
    "patient.birth_date": "birth_date",
    "patient.phone": "phone",
    "protocols": "protocol",
    "source.system": "source_system",
    "source.id": "source_id",
}


class FileUnreadable(Invalid):
    """The file cannot be read as rows of infusions; nothing of it was taken."""

    code = "unreadable_file"


class RowInvalid(Invalid):
    """The row cannot be read as an infusion; each fault names its column."""

    code = "invalid_row"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file. `number` counts from 1 for the first row under the header, blank rows too, so that it is found again in a
    spreadsheet (there it stands one lower, under the header). `faults` tell of values that have no column."""

    number: int
    values: dict[str, str]
    faults: tuple[FieldError, ...] = ()


def read(data: bytes) -> list[Row]:
    """The rows of a file: UTF-8 with or without a mark, separated by comma, semicolon or tab, the columns in any order; blank rows are left
    out. Raises FileUnreadable: `not_utf8`, `empty_file`, `no_header`, `unknown_column`, `missing_column`, `duplicate_column` or
    `malformed`."""
    text = _decoded(data)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    rows: list[Row] = []
    number = 0
    try:
        header = [name.strip() for name in next(reader, [])]
        _check(header)
        for number, cells in enumerate(reader, 1):
            values = [cell.strip() for cell in cells]
            if any(values):
                rows.append(_row(number, header, values))
    except csv.Error as fault:
        message = f"The quotes of row {number + 1} do not close, or close too early; from there on rows cannot be told apart."
        raise FileUnreadable(message, code="malformed", row=number + 1) from fault
    return rows


def command(row: Row) -> dict[str, Any]:
    """The body of a POST /infusions (contract 2) that a row stands for; `continues` is left out, since it names a row, not yet an infusion
    (see `continued`). Days stay text, ISO and real. Raises RowInvalid with every fault: `required`, `bad_date`, `spreadsheet_day`,
    `wrong_number_of_values`."""
    values = row.values
    faults = list(row.faults)
    if not faults:
        faults += [FieldError(name, "required", "This column must not be empty.") for name in REQUIRED if not values[name]]
        days = [name for name in ("infused_on", "discharged_on", "birth_date") if values.get(name)]
        faults += [fault for name in days if (fault := _fault_of_day(name, values[name])) is not None]
    if faults:
        raise RowInvalid(faults[0].message, field=faults[0].field, code=faults[0].code, errors=faults)
    patient: dict[str, Any] = {"identifiers": [{"system": PERSONNUMMER, "value": values["personnummer"]}], "name": values["name"]}
    patient |= {name: values[name] for name in ("birth_date", "phone") if values.get(name)}
    body: dict[str, Any] = {
        "patient": patient,
        "centre": values["centre"].lower(),
        "product": values["product"].lower(),
        "context": values["context"].upper(),
        "infused_on": values["infused_on"],
        "discharged_on": values["discharged_on"] or None,
        "indication": values["indication"] or None,
        "batch": values["batch"] or None,
        "source": {"system": values["source_system"], "id": values["source_id"]},
    }
    if values.get("protocol"):
        body["protocols"] = [values["protocol"].lower()]
    return body


def continued(row: Row) -> tuple[str, str] | None:
    """The source, system and id, of the earlier infusion whose course this one continues; None when the row names none."""
    earlier = row.values.get("continues")
    return (row.values["source_system"], earlier) if earlier else None


def column(field: str) -> str:
    """The column of a command's field, for faults that are found later: `patient.identifiers.0.value` stands in `personnummer`."""
    for path, name in _COLUMN_OF.items():
        if field == path or field.startswith(f"{path}."):
            return name
    return field


# ---- the file ----


def _decoded(data: bytes) -> str:
    if data.startswith(b"PK\x03\x04"):
        raise FileUnreadable("This is a workbook; save the sheet as CSV UTF-8.", code="not_utf8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise FileUnreadable(f"The file is not UTF-8 (first seen in line {line}); save it as CSV UTF-8.", code="not_utf8") from fault
    if "\0" in text:
        raise FileUnreadable("The file is not UTF-8; save it as CSV UTF-8.", code="not_utf8")
    return text


def _separator(text: str) -> str:
    """The separator under which the header has the most known columns."""
    line = next(iter(text.splitlines()), "").replace('"', "")
    return max(SEPARATORS, key=lambda separator: len({*COLUMNS, *OPTIONAL} & {name.strip() for name in line.split(separator)}))


def _check(header: Sequence[str]) -> None:
    if not any(header):
        raise FileUnreadable("The file is empty.", code="empty_file")
    known = (*COLUMNS, *OPTIONAL)
    if not set(known) & set(header):
        # What stands there instead may be a person, so it is not repeated.
        raise FileUnreadable("The first row names none of the columns; the file needs its header.", code="no_header")
    faults = [
        *(FieldError(name, "unknown_column", f"There is no column {name[:40]!r}.") for name in header if name not in known),
        *(FieldError(name, "missing_column", f"The column {name!r} is missing.") for name in COLUMNS if name not in header),
        *(FieldError(name, "duplicate_column", f"The column {name!r} stands twice.") for name in known if header.count(name) > 1),
    ]
    if faults:
        raise FileUnreadable(" ".join(fault.message for fault in faults), field=faults[0].field, code=faults[0].code, errors=faults)


def _row(number: int, header: Sequence[str], values: list[str]) -> Row:
    while len(values) > len(header) and not values[-1]:
        values.pop()  # separators that a spreadsheet leaves behind a row
    faults: tuple[FieldError, ...] = ()
    if len(values) != len(header):
        message = f"The row has {len(values)} values under {len(header)} columns."
        faults = (FieldError(header[min(len(values), len(header) - 1)], "wrong_number_of_values", message),)
    return Row(number, dict(zip(header, values, strict=False)), faults)


# ---- days ----


def _fault_of_day(name: str, value: str) -> FieldError | None:
    """Only ISO days are taken: 03/04/2014 is March to one reader and April to another, and a day number may have been counted from 1904."""
    if found := _DAY_NUMBER.fullmatch(value):
        meant = f" It would mean {DAY_ZERO + timedelta(int(found['days']))}." if name != "birth_date" else ""
        return FieldError(name, "spreadsheet_day", f"A spreadsheet's day number, not a day; write YYYY-MM-DD.{meant}")
    if not _ISO.fullmatch(value):
        return FieldError(name, "bad_date", "A day is written YYYY-MM-DD.")
    try:
        date.fromisoformat(value)
    except ValueError:
        return FieldError(name, "bad_date", "The calendar has no such day.")
    return None
