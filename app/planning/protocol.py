"""A protocol is data: one TOML file that says when a patient is to be seen and why. Parsed strictly: a typing error is
refused at load, not found in a plan years later. `published/` has one file for each published schedule, with its
source."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.errors import FieldError, Invalid

LONGEST_WINDOW = (
    400  # plain days that a window may reach to each side of its target (domain.md 2); lists are bounded by it
)


class ProtocolInvalid(Invalid):
    """The protocol file breaks a rule; every fault is listed with its rule and field."""

    code = "invalid_protocol"


class Anchor(StrEnum):
    """The day that a rule counts from."""

    INFUSION = "infusion"
    DISCHARGE = "discharge"
    BIRTH = "birth"


class Purpose(StrEnum):
    """What a plan serves; care replaces care of its class, registries and studies run beside it."""

    CARE = "care"
    REGISTRY = "registry"
    STUDY = "study"


class Restart(StrEnum):
    """What begins the plan again: every further infusion of the class, only a new course, or nothing."""

    LAST_INFUSION = "last-infusion"
    NEW_COURSE = "new-course"
    NEVER = "never"


class Mode(StrEnum):
    """How a visit may be made."""

    VISIT = "visit"
    PHONE = "phone"
    LETTER = "letter"
    SAMPLE = "sample"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Offset:
    """The distance from the anchor, in exactly one unit. Days and weeks are plain days, months and years calendar ones
    (domain.md 2)."""

    days: int | None = None
    weeks: int | None = None
    months: int | None = None
    years: int | None = None

    @property
    def nominal_days(self) -> float:
        """About how many days; good for ordering, never for planning."""
        return (self.days or 0) + 7 * (self.weeks or 0) + 30.436875 * (self.months or 0) + 365.2425 * (self.years or 0)


@dataclass(frozen=True, slots=True)
class VisitRule:
    """One visit of a protocol. `before` and `after` bound the window in plain days around the target, `report_due`
    counts plain days from the anchor infusion; the label has the languages sv and en."""

    code: str
    label: Mapping[str, str] = field(hash=False)
    anchor: Anchor
    offset: Offset
    before: int
    after: int
    modes: tuple[str, ...]
    assessments: tuple[str, ...]
    report_due: int | None


@dataclass(frozen=True, slots=True)
class Protocol:
    """One version of a protocol; it never changes once used. `classes` are the classes of products that it serves
    (`aav-*`: all that begin so; none: every class). `endless`: the last rule, a yearly one, goes on without end."""

    code: str
    version: int
    title: str
    purpose: Purpose
    restart: Restart
    needs_consent: bool
    classes: tuple[str, ...]
    applies_if: str | None
    source: str
    verified: bool
    endless: bool
    rules: tuple[VisitRule, ...]

    def serves(self, plan_class: str) -> bool:
        """Whether a product of this class may be followed by this protocol (contract 3, rule 18)."""
        return not self.classes or any(fnmatchcase(plan_class, served) for served in self.classes)

    def rule(self, code: str) -> VisitRule | None:
        """The rule of a visit code; of a protocol without end, also of a year behind the written ones. None for a code
        of another protocol."""
        for rule in self.rules:
            if rule.code == code:
                return rule
        if not self.endless:
            return None
        was = self.rules[-1].offset.years or 0
        stem = self.rules[-1].code.removesuffix(_two_digits(was))
        year = code.removeprefix(stem)
        return self.further(len(self.rules) + int(year) - was - 1) if stem + year == code and year.isdecimal() else None

    def further(self, place: int) -> VisitRule:
        """The rule at a place, counted from 0, behind the written ones: the last rule, years later, its code and labels
        numbered on."""
        last = self.rules[-1]
        was = last.offset.years or 0
        year = was + place - len(self.rules) + 1
        label = {language: text.replace(str(was), str(year)) for language, text in last.label.items()}
        return replace(
            last,
            code=last.code.removesuffix(_two_digits(was)) + _two_digits(year),
            label=label,
            offset=Offset(years=year),
        )


def parse(text: str) -> Protocol:
    """Reads one protocol file. Raises ProtocolInvalid with every fault found: `rules.3.before` counts the file's
    [[rules]] from 0, and the message names the rule by its code."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ProtocolInvalid(f"The file is not TOML: {fault}", field="toml", code="malformed") from fault
    try:
        read = _File.model_validate(raw)
    except ValidationError as fault:
        raise _invalid(
            [_explained(error["loc"], error["type"], error["msg"], raw) for error in fault.errors()]
        ) from fault
    faults = [fault for place, rule in enumerate(read.rules) for fault in _faults_of_rule(place, rule)]
    if faults:
        raise _invalid(faults)
    expanded = [(place, visit) for place, rule in enumerate(read.rules) for visit in _expanded(rule)]
    faults = [*_faults_of_order(expanded), *_faults_without_end(read, expanded[-1][1])]
    if faults:
        raise _invalid(faults)
    return Protocol(
        code=read.code,
        version=read.version,
        title=read.title,
        purpose=Purpose(read.purpose),
        restart=Restart(read.restart),
        needs_consent=read.needs_consent,
        classes=tuple(read.classes),
        applies_if=read.applies_if,
        source=read.source,
        verified=read.verified,
        endless=read.then_every is not None,
        rules=tuple(visit for _, visit in expanded),
    )


def published() -> list[str]:
    """The texts of the published schedules that the project ships (domain.md 3), by file name."""
    files = [file for file in (resources.files("app.planning") / "published").iterdir() if file.name.endswith(".toml")]
    return [file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)]


# ---- the form of the file ----

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Words = Annotated[str, StringConstraints(pattern=r"\S", max_length=2000)]
ServedClass = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*(-\*)?$", max_length=60)]
RuleCode = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,9}(\{n:02\}|\{n\})?$")]
Days = Annotated[int, Field(ge=-4000, le=4000)]  # the sign is judged with the window, where both can be named
Distance = Annotated[int, Field(ge=0, le=36525)]
Years = Annotated[int, Field(ge=1, le=99)]


class _Table(BaseModel):
    """A closed table: no key that is not named here, no type but the one written."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Label(_Table):
    sv: Words
    en: Words


class _Offset(_Table):
    days: Distance | None = None
    weeks: Annotated[int, Field(ge=0, le=5217)] | None = None
    months: Annotated[int, Field(ge=0, le=1200)] | None = None
    years: Annotated[int, Field(ge=0, le=100)] | None = None


class _Rule(_Table):
    """One visit, or with `years = [first, last]` one for each of these years: `{n}` and `{n:02}` in code and label are
    the year."""

    code: RuleCode
    label: _Label
    anchor: Literal["infusion", "discharge", "birth"]
    offset: _Offset | None = None
    years: Annotated[list[Years], Field(min_length=2, max_length=2)] | None = None
    before: Days
    after: Days
    modes: Annotated[list[Literal["visit", "phone", "letter", "sample", "form"]], Field(min_length=1)]
    assessments: list[Slug]
    report_due: Distance | None = None


class _Yearly(_Table):
    years: Literal[1]


class _File(_Table):
    code: Slug
    version: Annotated[int, Field(ge=1)]
    title: Words
    purpose: Literal["care", "registry", "study"]
    restart: Literal["last-infusion", "new-course", "never"]
    needs_consent: bool
    classes: list[ServedClass] = []
    applies_if: Literal["under-18-at-infusion"] | None = None
    source: Words
    verified: bool
    then_every: _Yearly | None = None
    rules: Annotated[list[_Rule], Field(min_length=1)]


# ---- what the form alone does not tell ----

_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "literal_error": "unknown_value",
    "string_pattern_mismatch": "bad_format",
}


def _invalid(faults: Sequence[FieldError]) -> ProtocolInvalid:
    return ProtocolInvalid("; ".join(f"{fault.field}: {fault.message}" for fault in faults), errors=faults)


def _explained(path: tuple[int | str, ...], kind: str, message: str, raw: Mapping[str, object]) -> FieldError:
    """One of pydantic's errors in our words."""
    code = _CODES.get(kind, "invalid")
    if code == "bad_format" and path[-1] in ("sv", "en", "title", "source"):
        code, message = "empty", "must not be empty"
    rules = raw.get("rules")
    if path[0] == "rules" and len(path) > 1 and isinstance(rules, list) and isinstance(place := path[1], int):
        rule = rules[place]
        name = rule.get("code", f"number {place + 1}") if isinstance(rule, dict) else f"number {place + 1}"
        message = f"rule {name}, {'.'.join(map(str, path[2:])) or 'as a whole'}: {message}"
    return FieldError(".".join(map(str, path)), code, message)


def _faults_of_rule(place: int, rule: _Rule) -> list[FieldError]:
    """The faults of one entry of the file that need more than one of its fields."""
    faults: list[FieldError] = []

    def fault(name: str, code: str, message: str) -> None:
        faults.append(FieldError(f"rules.{place}.{name}", code, f"rule {rule.code}, {name}: {message}"))

    units = [] if rule.offset is None else [unit for unit, count in rule.offset if count is not None]
    if rule.years is not None:
        units.append("years")
    if not units:
        fault("offset", "no_offset", "say one of days, weeks, months or years")
    if len(units) > 1:
        fault("offset", "two_offsets", "say only one of days, weeks, months or years")
    if rule.years is not None and rule.years[0] > rule.years[1]:
        fault("years", "out_of_order", "the first year comes first")
    if (rule.years is not None) != ("{n" in rule.code):
        fault("code", "bad_format", "{n} or {n:02} belongs in the code when `years` names several, and only then")
    for language, text in rule.label:
        rest = text.replace("{n}", "").replace("{n:02}", "")
        if "{" in rest or "}" in rest or (rule.years is None and rest != text):
            fault(f"label.{language}", "bad_format", "only {n} and {n:02} may stand in braces, and only with `years`")
    if rule.before + rule.after < 0:
        fault("before" if rule.before < rule.after else "after", "empty_window", "the window ends before it begins")
    elif rule.before < 0 or rule.after < 0:
        fault(
            "before" if rule.before < 0 else "after",
            "target_outside_window",
            "the window does not hold the target; 0 is the least",
        )
    for name, days in (("before", rule.before), ("after", rule.after)):
        if days > LONGEST_WINDOW:
            fault(name, "window_too_long", f"a window reaches at most {LONGEST_WINDOW} days to each side of its target")
    for name, values in (("modes", rule.modes), ("assessments", rule.assessments)):
        if len(set(values)) < len(values):
            fault(name, "duplicate", "the same word stands twice")
    if rule.report_due is not None and rule.years is not None:
        fault("report_due", "not_allowed", "counts from the infusion, so it cannot be the same for several years")
    return faults


def _expanded(rule: _Rule) -> list[VisitRule]:
    """The visits of one entry: one, or one for each year of `years`."""
    years = [None] if rule.years is None else range(rule.years[0], rule.years[1] + 1)
    offset = Offset() if rule.offset is None else Offset(**rule.offset.model_dump())
    return [
        VisitRule(
            code=_numbered(rule.code, year),
            label={language: _numbered(text, year) for language, text in rule.label},
            anchor=Anchor(rule.anchor),
            offset=offset if year is None else Offset(years=year),
            before=rule.before,
            after=rule.after,
            modes=tuple(rule.modes),
            assessments=tuple(rule.assessments),
            report_due=rule.report_due,
        )
        for year in years
    ]


def _numbered(text: str, year: int | None) -> str:
    return text if year is None else text.replace("{n:02}", _two_digits(year)).replace("{n}", str(year))


def _two_digits(year: int) -> str:
    return f"{year:02}"


def _faults_of_order(expanded: Sequence[tuple[int, VisitRule]]) -> list[FieldError]:
    """Codes twice, and targets that do not follow each other by at least a day. Only targets of one anchor can be
    compared: how discharge and birth lie to the infusion is the patient's."""
    faults: list[FieldError] = []
    codes: set[str] = set()
    latest: dict[Anchor, VisitRule] = {}
    for place, rule in expanded:
        if rule.code in codes:
            faults.append(
                FieldError(
                    f"rules.{place}.code", "duplicate", f"rule {rule.code}, code: an earlier rule has the same code"
                )
            )
        codes.add(rule.code)
        before = latest.get(rule.anchor)
        if before is not None and rule.offset.nominal_days < before.offset.nominal_days + 1:
            message = f"rule {rule.code}, offset: the target is not after that of {before.code}"
            faults.append(FieldError(f"rules.{place}.offset", "out_of_order", message))
        latest[rule.anchor] = rule
        if rule.report_due is not None and rule.report_due < rule.offset.nominal_days:
            faults.append(
                FieldError(
                    f"rules.{place}.report_due", "out_of_order", f"rule {rule.code}, report_due: before the target"
                )
            )
    return faults


def _faults_without_end(read: _File, last: VisitRule) -> list[FieldError]:
    """`then_every` counts on from the last rule, so its year must stand in code and labels."""
    if read.then_every is None:
        return []
    year = last.offset.years
    numbered = (
        year is not None
        and last.code.endswith(_two_digits(year))
        and all(str(year) in text for text in last.label.values())
    )
    if numbered and last.report_due is None:
        return []
    return [
        FieldError(
            "then_every",
            "not_allowed",
            f"rule {last.code} is the last and must be yearly, with its year in code and labels",
        )
    ]
