"""The catalogue as files: rows of centres.csv and products.csv, as they stand in `app/data` or as an operator loads
them. Pure."""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date
from importlib import resources
from typing import Any, Literal

from app.errors import FieldError, Invalid

PUBLISHED_ON = date(2025, 9, 8)  # the day of the network's list in `app/data/centres.csv`

CENTRE_COLUMNS = (
    *("code", "name", "city", "region", "lat", "lon", "status"),
    *("infusions", "context", "first", "patients", "reinfusions", "manufactures"),
)
PRODUCT_COLUMNS = (
    *("code", "inn", "brand", "name_sv", "name_en", "target", "vector", "atmp_class", "plan_class"),
    *("infusions_per_course", "course_days", "follow_up_years", "status_eu", "protocol", "verified"),
)
CONTEXTS = ("SOC", "ACT", "ICT", "CUP", "HE")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_MONTH = re.compile(r"(19|20)\d\d(-(0[1-9]|1[0-2]))?", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_DEGREES = re.compile(r"-?\d{1,3}(\.\d{1,8})?", re.ASCII)


class CatalogueInvalid(Invalid):
    """A file of the catalogue cannot be taken; every fault is listed with its line and field."""

    code = "invalid_catalogue"


def shipped(name: str) -> str:
    """The text of a file in `app/data`."""
    return (resources.files("app.data") / name).read_text(encoding="utf-8")


def kind(text: str) -> Literal["centres", "products"]:
    """Which of the two a file is, by its header. Raises CatalogueInvalid when it is neither."""
    header = set(next(csv.reader(text.removeprefix("\ufeff").splitlines()), []))
    if "infusions_per_course" in header:
        return "products"
    if "region" in header:
        return "centres"
    raise _invalid(
        [FieldError("1", "unknown_file", "line 1: the header is neither that of centres nor that of products")]
    )


def centre_rows(text: str | None = None) -> list[dict[str, Any]]:
    """The centres of a file (None: the project's own), ready for the table `centres`. Lines that repeat a code add only
    counts. Raises CatalogueInvalid."""
    return _centres(text)[0]


def count_rows(text: str | None = None) -> list[dict[str, Any]]:
    """What the network's published list of 8 September 2025 counted for each centre and context, ready for the table
    `published_counts`. Raises CatalogueInvalid."""
    return _centres(text)[1]


def product_rows(text: str | None = None) -> list[dict[str, Any]]:
    """The products of a file (None: the project's own), ready for the table `products`. Whether a protocol is loaded is
    not asked. Raises CatalogueInvalid."""
    faults: list[FieldError] = []
    rows: list[dict[str, Any]] = []
    for line in _lines(shipped("products.csv") if text is None else text, PRODUCT_COLUMNS, (), faults):
        row: dict[str, Any] = {
            "code": line.slug("code"),
            **{name: line.words(name) for name in ("inn", "brand", "target", "vector", "atmp_class", "status_eu")},
            **{name: line.words(name, needed=True) for name in ("name_sv", "name_en")},
            "plan_class": line.slug("plan_class"),
            "infusions_per_course": line.number("infusions_per_course", least=1),
            "course_days": line.number("course_days", least=1, needed=False),
            "protocol": line.slug("protocol", needed=False),
            "verified": line.one_of("verified", ("yes", "no")) == "yes",
        }
        years = line.number("follow_up_years")
        if years is not None and (years > 0) != (row["protocol"] is not None):
            line.fault(
                "protocol", "contradiction", "a product with years of follow-up has a protocol, one without has none"
            )
        if ((row["infusions_per_course"] or 1) > 1) != (row["course_days"] is not None):
            line.fault(
                "course_days",
                "contradiction",
                "a course of several infusions has its longest span in days, a single infusion has none",
            )
        if any(row["code"] == other["code"] for other in rows):
            line.fault("code", "duplicate", "an earlier line has the same code")
        rows.append(row)
    if faults:
        raise _invalid(faults)
    return rows


def _centres(text: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    faults: list[FieldError] = []
    centres: dict[str, dict[str, Any]] = {}
    counts: dict[tuple[str, str], dict[str, Any]] = {}
    for line in _lines(shipped("centres.csv") if text is None else text, CENTRE_COLUMNS, ("hsa_id",), faults):
        code = line.slug("code") or ""
        if code not in centres:
            centres[code] = _centre(code, line)
        else:
            _refuse_described_twice(line)
        context = line.one_of("context", CONTEXTS, needed=False)
        if context is None:
            _refuse_uncounted(line)
        elif (code, context) in counts:
            line.fault("context", "duplicate", "an earlier line has the same centre and context")
        else:
            counts[code, context] = _count(code, context, line)
    if faults:
        raise _invalid(faults)
    return list(centres.values()), list(counts.values())


def _centre(code: str, line: "_Line") -> dict[str, Any]:
    line.number("infusions", needed=False)  # the source's total; what it does not explain is found from its parts
    return {
        "code": code,
        **{name: line.words(name, needed=True) for name in ("name", "city", "region")},
        "hsa_id": line.words("hsa_id"),
        "status": line.one_of("status", ("active", "upcoming")),
        "lat": line.degrees("lat", 90),
        "lon": line.degrees("lon", 180),
        "manufactures": line.words("manufactures"),
    }


def _count(code: str, context: str, line: "_Line") -> dict[str, Any]:
    return {
        "centre": code,
        "context": context,
        "patients": line.number("patients"),
        "reinfusions": line.number("reinfusions"),
        "first": line.checked("first", _MONTH, "bad_date", "must be a year or a month, as 2020 or 2020-11"),
        "counted_on": PUBLISHED_ON,
    }


def _refuse_described_twice(line: "_Line") -> None:
    for name in ("name", "city", "region", "lat", "lon", "status", "infusions", "manufactures", "hsa_id"):
        if line.values.get(name):
            line.fault(name, "duplicate", "stands in the centre's first line; a further line has only counts")


def _refuse_uncounted(line: "_Line") -> None:
    for name in ("patients", "reinfusions"):
        if line.number(name, needed=False):
            line.fault(name, "contradiction", "a count needs its context")


# ---- lines and values ----


class _Line:
    """One line of a file: its values, and the faults found in them."""

    def __init__(self, number: int, values: dict[str, str], faults: list[FieldError]) -> None:
        self.number_of_line, self.values, self.faults = number, values, faults

    def fault(self, name: str, code: str, why: str) -> None:
        self.faults.append(
            FieldError(f"{self.number_of_line}.{name}", code, f"line {self.number_of_line}, {name}: {why}")
        )

    def words(self, name: str, *, needed: bool = False) -> str | None:
        value = self.values.get(name, "").strip()
        if not value and needed:
            self.fault(name, "required", "is empty")
        return value or None

    def checked(self, name: str, form: re.Pattern[str], code: str, why: str, *, needed: bool = True) -> str | None:
        value = self.words(name, needed=needed)
        if value is None or form.fullmatch(value):
            return value
        self.fault(name, code, why)
        return None

    def slug(self, name: str, *, needed: bool = True) -> str | None:
        return self.checked(
            name, _SLUG, "bad_format", "must be lower-case letters, digits and single hyphens", needed=needed
        )

    def one_of(self, name: str, known: Sequence[str], *, needed: bool = True) -> str | None:
        return self.checked(
            name, re.compile("|".join(known)), "unknown_value", f"must be one of {', '.join(known)}", needed=needed
        )

    def number(self, name: str, *, least: int = 0, needed: bool = True) -> int | None:
        why = f"must be a whole number from {least}"
        value = self.checked(name, _COUNT, "bad_number", why, needed=needed)
        if value is None or int(value) >= least:
            return None if value is None else int(value)
        self.fault(name, "bad_number", why)
        return None

    def degrees(self, name: str, most: int) -> float | None:
        why = f"must be degrees from -{most} to {most}"
        value = self.checked(name, _DEGREES, "bad_number", why, needed=False)
        if value is None or abs(float(value)) <= most:
            return None if value is None else float(value)
        self.fault(name, "bad_number", why)
        return None


def _lines(text: str, columns: Sequence[str], optional: Sequence[str], faults: list[FieldError]) -> Iterator[_Line]:
    """The lines under the header, counted as an editor counts them. Raises CatalogueInvalid when header or form make no
    sense."""
    reader = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    try:
        header = next(reader, [])
        wrong = [f"{name!r} is unknown" for name in header if name not in columns and name not in optional]
        wrong += [f"{name!r} is missing" for name in columns if name not in header]
        wrong += [f"{name!r} stands twice" for name in dict.fromkeys(header) if header.count(name) > 1]
        if wrong:
            raise _invalid([FieldError("1", "bad_header", f"line 1: {why}") for why in wrong])
        for values in reader:
            if not any(values):
                continue
            if len(values) != len(header):
                why = f"line {reader.line_num}: {len(values)} values under {len(header)} columns"
                faults.append(FieldError(str(reader.line_num), "bad_format", why))
                continue
            yield _Line(reader.line_num, dict(zip(header, values, strict=True)), faults)
    except csv.Error as fault:
        raise _invalid([FieldError(str(reader.line_num), "malformed", f"line {reader.line_num}: {fault}")]) from fault


def _invalid(faults: Sequence[FieldError]) -> CatalogueInvalid:
    return CatalogueInvalid("; ".join(fault.message for fault in faults), errors=faults)
