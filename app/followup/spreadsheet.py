"""Files of infusions as spreadsheets write them, made into bodies of POST /infusions (contract 3, rule 15). Pure: no
database, no clock."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from io import TextIOWrapper
from itertools import chain
from typing import Any, BinaryIO

from app.errors import FieldError, Invalid
from app.identifiers import PERSONNUMMER

REQUIRED = ("personnummer", "name", "centre", "product", "context", "infused_on", "source_system", "source_id")
COLUMNS = (*REQUIRED, "indication", "discharged_on", "batch")
OPTIONAL = ("birth_date", "phone", "continues", "protocol")
SEPARATORS = ",;\t"

# More than any centre has, and as much of them as may be held in memory; a row is a few hundred characters.
MOST_ROWS, ROW_CHARACTERS = 20_000, 20_000

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
    """One row of the file. `number` counts from 1 for the first row under the header, blank rows too, so that it is
    found again in a spreadsheet (there it stands one lower, under the header). `faults` tell of values that have no
    column."""

    number: int
    values: dict[str, str]
    faults: tuple[FieldError, ...] = ()


def read(file: BinaryIO) -> list[Row]:
    """The rows of a file, decoded as it is read: UTF-8 with or without a mark, separated by comma, semicolon or tab,
    the columns in any order; blank rows are left out. Raises FileUnreadable: `not_utf8`, `empty_file`, `no_header`,
    `unknown_column`, `missing_column`, `duplicate_column`, `malformed`, `row_too_long` or `too_many_rows`."""
    if file.read(4) == b"PK\x03\x04":
        raise FileUnreadable("This is a workbook; save the sheet as CSV UTF-8.", code="not_utf8")
    file.seek(0)
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    lines = _Lines(text)
    try:
        return list(_rows(lines))
    except csv.Error as fault:
        message = (
            f"The quotes of row {lines.number} do not close, or close too early; "
            "from there on nobody knows where a row ends."
        )
        raise FileUnreadable(message, code="malformed", row=lines.number) from fault
    except UnicodeDecodeError as fault:
        raise FileUnreadable(
            f"The file is not UTF-8 (first seen in line {_undecodable(file)}); save it as CSV UTF-8.", code="not_utf8"
        ) from fault
    finally:
        text.detach()


def command(row: Row) -> dict[str, Any]:
    """The body of a POST /infusions (contract 2) that a row stands for; `continues` is left out, since it names a row,
    not yet an infusion (see `continued`). Days stay text, ISO and real. Raises RowInvalid with every fault: `required`,
    `bad_date`, `spreadsheet_day`, `wrong_number_of_values`."""
    values = row.values
    faults = list(row.faults)
    if not faults:
        faults += [
            FieldError(name, "required", "This column must not be empty.") for name in REQUIRED if not values[name]
        ]
        days = [name for name in ("infused_on", "discharged_on", "birth_date") if values.get(name)]
        faults += [fault for name in days if (fault := _fault_of_day(name, values[name])) is not None]
    if faults:
        raise RowInvalid(faults[0].message, field=faults[0].field, code=faults[0].code, errors=faults)
    patient: dict[str, Any] = {
        "identifiers": [{"system": PERSONNUMMER, "value": values["personnummer"]}],
        "name": values["name"],
    }
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
    """The source, system and id, of the earlier infusion whose course this one continues; None when the row names
    none."""
    earlier = row.values.get("continues")
    return (row.values["source_system"], earlier) if earlier else None


def column(field: str) -> str:
    """The column of a command's field, for faults that are found later: `patient.identifiers.0.value` stands in
    `personnummer`."""
    for path, name in _COLUMN_OF.items():
        if field == path or field.startswith(f"{path}."):
            return name
    return field


# ---- the file ----


class _Lines:
    """The lines of a file as they are asked for. A row that goes on for too long is refused before it has ended: it
    would be held in memory whole."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text
        self._characters = 0
        self.number = 0  # of the row that is being read; the header is 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(ROW_CHARACTERS + 1)
        self._characters += len(line)
        if not line:
            raise StopIteration
        if "\0" in line:
            raise FileUnreadable("The file is not UTF-8; save it as CSV UTF-8.", code="not_utf8")
        if self._characters > ROW_CHARACTERS:
            message = f"Row {self.number} has more than {ROW_CHARACTERS:,} characters; a quote may not close."
            raise FileUnreadable(message, code="row_too_long", row=self.number)
        return line

    def row_ends(self) -> None:
        """Says that the lines so far made a row, and that the next one begins."""
        self._characters = 0
        self.number += 1


def _rows(lines: _Lines) -> Iterator[Row]:
    first = next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=_separator(first), strict=True)
    header = [name.strip() for name in next(reader, [])]
    _check(header)
    lines.row_ends()
    for cells in reader:
        if lines.number > MOST_ROWS:
            raise FileUnreadable(
                f"A file may have {MOST_ROWS:,} rows, blank ones too; divide it.", code="too_many_rows"
            )
        values = [cell.strip() for cell in cells]
        if any(values):
            yield _row(lines.number, header, values)
        lines.row_ends()


def _undecodable(file: BinaryIO) -> int:
    """The number of the first line, from 1, that is not UTF-8; a line's end is never part of a longer character."""
    file.seek(0)
    for number, line in enumerate(file, 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    raise AssertionError("it could not be decoded a moment ago")


def _separator(header: str) -> str:
    """The separator under which the header has the most known columns."""
    line = header.replace('"', "")
    return max(
        SEPARATORS, key=lambda separator: len({*COLUMNS, *OPTIONAL} & {name.strip() for name in line.split(separator)})
    )


def _check(header: Sequence[str]) -> None:
    if not any(header):
        raise FileUnreadable("The file is empty.", code="empty_file")
    known = (*COLUMNS, *OPTIONAL)
    if not set(known) & set(header):
        # What stands there instead may be a person, so it is not repeated.
        raise FileUnreadable("The first row names none of the columns; the file needs its header.", code="no_header")
    faults = [
        *(
            FieldError(name, "unknown_column", f"There is no column {name[:40]!r}.")
            for name in header
            if name not in known
        ),
        *(
            FieldError(name, "missing_column", f"The column {name!r} is missing.")
            for name in COLUMNS
            if name not in header
        ),
        *(
            FieldError(name, "duplicate_column", f"The column {name!r} stands twice.")
            for name in known
            if header.count(name) > 1
        ),
    ]
    if faults:
        raise FileUnreadable(
            " ".join(fault.message for fault in faults), field=faults[0].field, code=faults[0].code, errors=faults
        )


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
    """Only ISO days are taken: 03/04/2014 is March to one reader and April to another, and a day number may have been
    counted from 1904."""
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
