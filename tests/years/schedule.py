"""Days, schedules and products for the plain model, by `calendar` and `datetime` alone; no code of `app`. Days are
local dates."""

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

# ---- Days ------------------------------------------------------------------------------------------------------------


def plus_days(day: date, days: int) -> date:
    return day + timedelta(days=days)


@cache
def plus_months(day: date, months: int) -> date:
    """The same day of a later month; where the month has no such day, its last (lag 1930:173, 1 §)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + k - 7 * ((a + 11 * h + 22 * k) // 451) + 114, 31)
    return date(year, month, day + 1)


def is_working(day: date) -> bool:
    """No weekend, no red day (lag 1989:253; until 2004 Whit Monday, since then the National Day), no Midsummer,
    Christmas or New Year's Eve."""
    midsummer_eve = day.month == 6 and 19 <= day.day <= 25 and day.weekday() == 4
    fixed = {(1, 1), (1, 6), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}
    movable = (day - easter(day.year)).days in ((-2, 1, 39) if day.year >= 2005 else (-2, 1, 39, 50))
    fixed |= {(6, 6)} if day.year >= 2005 else set()
    return day.weekday() < 5 and (day.month, day.day) not in fixed and not movable and not midsummer_eve


@cache
def suggested(target: date, start: date, end: date) -> date | None:
    """The nearest working day inside the window, the later one on a tie."""
    for distance in range((end - start).days + 1):
        for day in (plus_days(target, distance), plus_days(target, -distance)):
            if start <= day <= end and is_working(day):
                return day
    return None


# ---- Schedules and products (domain.md 3, products.csv) --------------------------------------------------------------


class Rule(NamedTuple):
    code: str
    anchor: str  # infusion | discharge | birth
    days: int
    months: int
    before: int
    after: int


class Protocol(NamedTuple):
    restart: str  # last-infusion | new-course | never
    rules: tuple[Rule, ...]
    classes: tuple[str, ...] = ()  # that it serves, all when none is named; one that ends with "-" is a whole family
    consent: bool = False
    endless: bool = False

    def serves(self, plan_class: str) -> bool:
        return not self.classes or any(
            plan_class == named or (named[-1] == "-" and plan_class.startswith(named)) for named in self.classes
        )


class Product(NamedTuple):
    plan_class: str
    per_course: int
    protocol: str | None
    course_days: int = 0  # how long after the first infusion of a course another continues it by itself


class Window(NamedTuple):
    target: date
    start: date
    end: date
    provisional: bool = False


def yearly(first: int, last: int, before: int, after: int) -> tuple[Rule, ...]:
    return tuple(Rule(f"Y{n:02}", "infusion", 0, 12 * n, before, after) for n in range(first, last + 1))


_LTFU = (Rule("W4", "discharge", 28, 0, 7, 14), *yearly(1, 15, 30, 60))
_CIBMTR = (
    Rule("D100", "infusion", 100, 0, 15, 15),
    Rule("M06", "infusion", 180, 0, 30, 30),
    Rule("Y01", "infusion", 366, 0, 0, 59),
)
_HAND_OVER = (Rule("T18", "birth", 0, 216, 180, 180), Rule("T25", "birth", 0, 300, 365, 365))
_CELLS, _EDITED, _AAV = ("gene-modified-cells",), ("genome-edited",), ("aav-",)
PROTOCOLS: Mapping[str, Protocol] = {
    "ltfu-15y": Protocol("last-infusion", _LTFU),
    "ltfu-15y-d28": Protocol("last-infusion", (Rule("D28", "infusion", 28, 0, 7, 14), *yearly(1, 15, 30, 60))),
    "ltfu-15y-plus": Protocol("last-infusion", _LTFU, endless=True),
    "cibmtr-15y": Protocol("new-course", (*_CIBMTR, *yearly(2, 15, 30, 30)), consent=True),
    "aav-5y": Protocol("last-infusion", yearly(1, 5, 30, 30), _AAV),
    "aav-15y": Protocol("last-infusion", yearly(1, 15, 30, 30), _AAV),
    "genome-editing-15y": Protocol("last-infusion", yearly(1, 15, 30, 30), _EDITED),
    "se-childhood-transition": Protocol("never", _HAND_OVER, _CELLS),
}
PRODUCTS: Mapping[str, Product] = {
    "tisagenlecleucel": Product("gene-modified-cells", 1, "ltfu-15y"),
    "axicabtagene-ciloleucel": Product("gene-modified-cells", 1, "ltfu-15y"),
    "obecabtagene-autoleucel": Product("gene-modified-cells", 2, "ltfu-15y", 21),
    "exagamglogene-autotemcel": Product("genome-edited", 1, "genome-editing-15y"),
    "onasemnogene-abeparvovec": Product("aav-smn1", 1, "aav-15y"),
    "etranacogene-dezaparvovec": Product("aav-factor-ix", 1, "aav-15y"),
    "voretigene-neparvovec": Product("aav-rpe65", 2, "aav-5y", 90),
    "keratinocytes-autologous": Product("keratinocytes-autologous", 1, None),  # class "none": each product its own
    "virus-specific-t-cells": Product("virus-specific-t-cells", 1, None),
}
UPCOMING_CENTRES = ("orebro",)


@cache
def window(rule: Rule, infused_on: date, discharged_on: date | None, born: date | None = None) -> Window:
    """The days of one visit. Without a discharge date day 14 is assumed and the window runs to day 90 after the
    infusion."""
    discharge = discharged_on or plus_days(infused_on, 14)
    anchor = {"infusion": infused_on, "discharge": discharge, "birth": born or infused_on}[rule.anchor]
    target = plus_days(plus_months(anchor, rule.months), rule.days)
    provisional = rule.anchor == "discharge" and discharged_on is None
    end = plus_days(infused_on, 90) if provisional else plus_days(target, rule.after)
    return Window(target, plus_days(target, -rule.before), end, provisional)


def sixteen(infused_on: date, discharged_on: date | None) -> dict[str, Window]:
    """W4 and Y01 ... Y15 of `ltfu-15y`, for the comparison with the sample's infusions."""
    return {rule.code: window(rule, infused_on, discharged_on) for rule in _LTFU}
