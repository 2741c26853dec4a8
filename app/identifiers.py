"""Numbers that tell who a person is: personnummer, samordningsnummer, national reserve number; their systems, check,
mask (contract 6)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from personnummer import personnummer as swedish

from app.errors import FieldError, Invalid

PERSONNUMMER = "personnummer"
SAMORDNINGSNUMMER = "samordningsnummer"
RESERVNUMMER = "reservnummer"

# The slug stands in JSON and database; the others are what FHIR and HL7 v2 senders write. The first address of each is
# the one given out.
SYSTEMS: Mapping[str, tuple[str, ...]] = {
    PERSONNUMMER: (
        "http://electronichealth.se/identifier/personnummer",
        "https://terminology.hl7.se/sid/se-personnummer",
        "urn:oid:1.2.752.129.2.1.3.1",
    ),
    SAMORDNINGSNUMMER: ("http://electronichealth.se/identifier/samordningsnummer", "urn:oid:1.2.752.129.2.1.3.3"),
    RESERVNUMMER: ("http://electronichealth.se/identifier/nationelltReservnummer",),
}

_SLUGS = {name: slug for slug, addresses in SYSTEMS.items() for name in (slug, *addresses)}
_NUMBER = re.compile(
    r"(?P<century>1[89]|2[01])?(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<sign>[-+])?(?P<last>(?!000)\d{4})",
    re.ASCII,
)
_RESERVE = re.compile(r"[0-9A-Z][0-9A-Z-]{6,18}[0-9A-Z]", re.ASCII)
# A personnummer or samordningsnummer inside a text, found wherever it begins: no digit before or behind, parts apart by
# a space or a hyphen.
_IN_TEXT = re.compile(r"(?<!\d)(?=((?:18|19|20)?\d\d[ -]?\d\d[ -]?\d\d ?[-+]? ?\d{4})(?!\d))", re.ASCII)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
COORDINATION = 60  # added to the day of a samordningsnummer


class InvalidIdentifier(Invalid):
    """The number cannot be one of its system; see the code."""

    code = "invalid_identifier"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number in its one form: twelve digits, or the reserve number in upper case. `system` is the slug."""

    system: str
    value: str


def normalise(system: str, value: str, today: date) -> Identifier:
    """The number in its one form, from any form that people and systems write: `811228-9874`, `19811228-9874`, with or
    without hyphen, with spaces. `today` (Europe/Stockholm) gives the century where two digits of the year stand alone:
    a hyphen for those who turn less than 100 this year, a plus for the older ones (folkbokföringslagen 1991:481, 18 §),
    neither: the latest possible. A personnummer with 60 added to the day is a samordningsnummer. Raises
    InvalidIdentifier `unknown_system`, `bad_format`, `bad_date` or `bad_check_digit`."""
    slug = _SLUGS.get(system.strip())
    if slug is None:
        raise _invalid(
            "system", "unknown_system", f"The system must be one of {', '.join(SYSTEMS)}, or an address of one of them."
        )
    written = "".join(value.split())
    if slug == RESERVNUMMER:
        return _reserve(written.upper())
    found = _NUMBER.fullmatch(written)
    if found is None or (found["century"] and found["sign"] == "+"):
        raise _invalid("value", "bad_format", "A number is written YYYYMMDD-NNNN, or YYMMDD-NNNN.")
    day = int(found["day"])
    added = COORDINATION if day > COORDINATION else 0
    if slug == SAMORDNINGSNUMMER and not added:
        raise _invalid("value", "bad_date", "The day of a samordningsnummer is 61 to 91.")
    born = _born(found, day - added, today)
    digits = f"{born.year:04}{found['month']}{found['day']}{found['last']}"
    if not swedish.valid(digits):
        raise _invalid(
            "value", "bad_check_digit", "The check digit does not fit the other digits: one of them is mistyped."
        )
    return Identifier(SAMORDNINGSNUMMER if added else PERSONNUMMER, digits)


def stands_in(text: str) -> bool:
    """Whether a personnummer or samordningsnummer stands in a text: 12 or 10 digits in a usual spelling, with a day of
    the calendar and a check digit that fits. Of ten ids that are made of a day and four more digits one looks so
    too."""
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES)
    return any(_is_personal("".join(filter(str.isdigit, found[1]))) for found in _IN_TEXT.finditer(plain))


def _is_personal(digits: str) -> bool:
    if digits[-4:-1] == "000":
        return False  # no such number is given
    years = (digits,) if len(digits) == 12 else (f"19{digits}", f"20{digits}")
    return any(_day_of(full_year) is not None and swedish.valid(full_year) for full_year in years)


def _day_of(digits: str) -> date | None:
    day = int(digits[6:8])
    return _day(int(digits[:4]), int(digits[4:6]), day - COORDINATION if day > COORDINATION else day)


def system_of(written: str) -> str:
    """The system that a number belongs to by the look of it: a reserve number has letters. A samordningsnummer is known
    from a personnummer by `normalise`."""
    return RESERVNUMMER if any(character.isalpha() for character in written) else PERSONNUMMER


def birth_date(identifier: Identifier) -> date | None:
    """The local day of birth that stands in the number; None for a reserve number. The person's own may differ
    (domain.md 6)."""
    if identifier.system == RESERVNUMMER:
        return None
    year, month, day = int(identifier.value[:4]), int(identifier.value[4:6]), int(identifier.value[6:8])
    return date(year, month, day - COORDINATION if day > COORDINATION else day)


def masked(identifier: Identifier) -> str:
    """As lists show it: `19811228-****`; of a reserve number the first four characters."""
    return f"{identifier.value[:4]}****" if identifier.system == RESERVNUMMER else f"{identifier.value[:8]}-****"


def full(identifier: Identifier) -> str:
    """As people read it: `19811228-9874`."""
    return identifier.value if identifier.system == RESERVNUMMER else f"{identifier.value[:8]}-{identifier.value[8:]}"


def _reserve(written: str) -> Identifier:
    if not _RESERVE.fullmatch(written):
        raise _invalid("value", "bad_format", "A reserve number has 8 to 20 letters, digits and hyphens.")
    return Identifier(RESERVNUMMER, written)


def _born(found: re.Match[str], day: int, today: date) -> date:
    """The day of birth. Raises InvalidIdentifier when there is no such day, or when it lies in the future."""
    two = found["year"]
    years = (int(found["century"] + two),) if found["century"] else _years(int(two), found["sign"], today.year)
    days = [born for year in years if (born := _day(year, int(found["month"]), day)) is not None]
    for born in days:
        if born <= today:
            return born
    raise _invalid(
        "value", "bad_date", "The day of birth lies in the future." if days else "There is no such day of birth."
    )


def _years(two_digits: int, sign: str | None, now: int) -> tuple[int, ...]:
    """The full years that two digits may mean, the likelier first."""
    year = now - (now - two_digits) % 100
    if sign == "-":
        return (year,)
    return (year - 100,) if sign == "+" else (year, year - 100)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _invalid(field: str, code: str, message: str) -> InvalidIdentifier:
    return InvalidIdentifier(message, field=field, code=code, errors=[FieldError(field, code, message)])
