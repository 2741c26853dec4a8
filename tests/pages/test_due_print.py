"""The due list on paper and as a file: the rows of the screen, no protected identity, and no cell that runs."""

import csv
from datetime import date
from io import StringIO
from typing import Any

import pytest

from app.pages.due_print import COLUMNS, harmless, table
from tests.pages.conftest import Ward


@pytest.mark.parametrize("cell", ["=1+1", "+46701740605", "-1", "@sum", "\t=1", " =1", "\r=1"])
def test_a_cell_that_would_run_is_made_harmless(cell: str):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), ("Anna", "Anna"), (3, "3"), (date(2026, 11, 23), "2026-11-23"), ("070-1740605", "070-1740605")],
)
def test_any_other_cell_stays(cell: object, text: str):
    assert harmless(cell) == text


def item(**changed: Any) -> dict[str, Any]:
    patient = {"name": "Anna; Testsson", "masked_number": "19811228-****", "phone": "+46701740605"}
    row = {
        "label": {"sv": "Årskontroll 1", "en": "Year 1 visit"},
        "state": "due",
        "days_overdue": 0,
        "booked_on": None,
        "last_contact": None,
    }
    return row | {"patient": patient, "window_start": date(2026, 7, 5), "window_end": date(2026, 10, 10)} | changed


def test_a_table_has_a_cell_for_each_column_and_keeps_semicolons_inside():
    contact = {"outcome": "no-answer", "contacted_on": date(2026, 11, 20)}
    head, plain, tried = csv.reader(StringIO(table([item(), item(last_contact=contact)], "en")), delimiter=";")
    assert len(head) == len(COLUMNS) == len(plain) == len(tried)
    assert plain[:4] == ["Anna; Testsson", "19811228-****", "'+46701740605", "Year 1 visit"]
    assert tried[-2:] == ["no answer", "2026-11-20"]


@pytest.fixture
async def listed(nurse: Ward) -> list[dict[str, Any]]:
    """Two patients of Lund with a visit in its window; the second has a protected identity."""
    both = [await nurse.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03") for _ in range(2)]
    hidden = both[1]["patient_id"]
    now = await nurse.service.get(f"/patients/{hidden}")
    assert (
        await nurse.service.patch(f"/patients/{hidden}", {"protected": True}, headers={"If-Match": now.headers["etag"]})
    ).status_code == 200
    return both


async def test_paper_has_everybody_but_protected_identities_and_says_so(nurse: Ward, listed: list[dict[str, Any]]):
    page = (await nurse.get("/due/print")).text
    assert "data-print" in page
    assert page.count('class="pen"') == 1
    assert "Test Testsson" in page
    assert listed[1]["patient_id"] not in page
    assert "<button" not in page.partition("<main")[2]


async def test_a_file_is_an_attachment_with_a_mark_and_without_protected_identities(
    nurse: Ward, listed: list[dict[str, Any]]
):
    answer = await nurse.get("/due.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-disposition"] == 'attachment; filename="follow-up-lund-2026-11-23.csv"'
    rows = list(csv.reader(StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert [row[0] for row in rows[1:]] == ["Test Testsson"]


async def test_the_filters_of_the_list_hold_for_both(nurse: Ward, listed: list[dict[str, Any]]):
    assert "Testsson" not in (await nurse.get("/due/print", visit="response")).text
    assert "Testsson" not in (await nurse.get("/due.csv", visit="response")).text
    assert (await nurse.get("/due.csv", centre="uppsala")).status_code == 403


@pytest.mark.parametrize(("path", "what"), [("/due/print", "due list printed"), ("/due.csv", "due list exported")])
async def test_what_leaves_the_screen_is_logged_of_those_who_are_on_it(
    nurse: Ward, listed: list[dict[str, Any]], path: str, what: str
):
    await nurse.get(path)
    seen = []
    for infused in listed:
        log = await nurse.service.get(f"/patients/{infused['patient_id']}/accesses", token="demo-auditor")
        seen.append(what in [row["what"] for row in log.json()["items"]])
    assert seen == [True, False]
