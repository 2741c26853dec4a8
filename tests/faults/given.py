"""Input for the tests of this folder: bodies of POST /infusions, files of rows, days."""

from functools import cache
from pathlib import Path
from typing import Any

import app
from tests.faults.forks import ROOT

DAY = "2026-11-23"
LATER = "2041-01-01"
MANY = 80  # infusions of sixteen visits each: more than one batch of the sweep becomes overdue until LATER

SAMPLE = Path(app.__file__).parent / "data" / "infusions-2025-09-08.csv"
DIRTY = ROOT / "tests" / "data" / "infusions-dirty.csv"


def number(nth: int) -> str:
    """A personnummer with a serial of 980 to 999, which are given to nobody."""
    digits = f"{50 + nth // 20:02}0604{980 + nth % 20}"
    doubled = [int(d) * (2 - n % 2) for n, d in enumerate(digits)]
    return f"19{digits[:6]}-{digits[6:]}{-sum(d - 9 * (d > 9) for d in doubled) % 10}"


def infusion(nth: int, infused_on: str, *, source: str, **changed: Any) -> dict[str, Any]:
    """A body for the nth person; only what matters is told."""
    return {
        "patient": {"identifiers": [{"system": "personnummer", "value": number(nth)}], "name": f"Test {nth}"},
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": infused_on,
        "source": {"system": "faults", "id": source},
        **changed,
    }


@cache
def a_file(*, sample: int, dirty: bool = False) -> bytes:
    """Rows of the sample from its middle on, behind the twenty of the dirty file."""
    header, *rows = SAMPLE.read_text().splitlines()
    taken = rows[150 : 150 + sample]
    if not dirty:
        return "\n".join([header, *taken, ""]).encode()
    lines = DIRTY.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].replace(";", ",") == header
    return "\n".join([*lines, *(row.replace(",", ";") for row in taken), ""]).encode()
