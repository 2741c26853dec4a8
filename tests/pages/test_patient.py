"""The patient's page: masked until a reason is given, what happened told in a form, and nothing of another centre's
patient."""

import re
from datetime import date
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from app.db import tables
from tests.pages.conftest import Make, Ward, row_of


@pytest.fixture
async def anna(nurse: Ward) -> dict:
    return await nurse.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")


async def _reads(ward: Ward) -> list[tuple[str, str | None]]:
    async with ward.service.house.db.read.connect() as connection:
        rows = await connection.execute(select(tables.access_log.c.what, tables.access_log.c.why))
        return [tuple(row) for row in rows]


async def test_the_page_has_the_visits_in_a_picture_and_in_a_table(nurse: Ward, anna: dict):
    page = (await nurse.get(f"/patients/{anna['patient_id']}")).text
    assert "Test Testsson" in page
    assert page.count('class="bar ') == 16
    assert "Visa alla 16" in page
    whole = (await nurse.get(f"/patients/{anna['patient_id']}", all="1")).text
    assert [whole.count(f'id="v-{visit["id"]}"') for visit in anna["visits"]] == [1] * 16


async def _act(ward: Ward, visit: dict[str, Any], act: str, **told: Any) -> None:
    """One act of the nurse of Lund on a visit as it stands now."""
    path = f"/visits/{visit['id']}"
    version = (await ward.service.get(path)).json()["version"]
    answer = await ward.service.post(f"{path}/{act}", told, headers={"If-Match": f'"{version}"'})
    assert answer.status_code in (200, 201), answer.text


async def _voided(ward: Ward, infusion: dict[str, Any]) -> None:
    headers = {"If-Match": f'"{infusion["version"]}"'}
    told = await ward.service.post(
        f"/infusions/{infusion['id']}/void", {"reason": "twice"}, headers=headers, token="demo-clinician-lund"
    )
    assert told.status_code == 200, told.text


async def _again(ward: Ward, infusion: dict[str, Any], infused_on: str) -> dict[str, Any]:
    """A newer infusion of the same patient."""
    return await ward.service.recorded(
        patient=..., patient_id=infusion["patient_id"], infused_on=infused_on, discharged_on=..., new_course=True
    )


def _rows(page: str) -> list[list[str]]:
    """The cells of the table of visits, as they read."""
    rows = re.findall(r'<tr id="v-.*?</tr>', page, re.DOTALL)
    return [
        [
            " ".join(unescape(re.sub("<[^>]*>", "", cell)).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


async def test_each_visit_of_the_picture_stands_in_the_table_with_its_window_and_state(nurse: Ward):
    first = await nurse.service.recorded(infused_on="2021-03-04", discharged_on="2021-03-18")
    response, year_one, _, year_three, *_ = first["visits"]
    await _act(nurse, response, "complete", completed_on="2021-04-15", response="CR")
    await _act(nurse, year_one, "complete", completed_on="2022-07-04")
    await _act(nurse, year_three, "complete", completed_on="2024-03-04")
    again = await _again(nurse, first, "2025-10-20")
    await _act(nurse, again["visits"][1], "book", booked_on="2026-12-01")
    page = (await nurse.get(f"/patients/{first['patient_id']}", all="1")).text
    rows = _rows(page)
    drawn = [unescape(title) for title in re.findall(r'<g class="visit"><title>(.*?)</title>', page)]
    assert len(rows) == 32
    assert len(drawn) == 21  # the first plan breaks off after its fifth visit
    for title in drawn:
        label, state, window = re.fullmatch(r"(.*): (\w+), (.*)", title).groups()  # type: ignore[union-attr]
        assert [
            row for row in rows if row[0].startswith(label) and row[2].startswith(window) and state in row[3]
        ] != [], title
    assert re.findall(r'<g class="end">.*?<text[^>]*>(.*?)</text>', page) == ["ersatt av en nyare infusion"]


async def test_an_infusion_entered_in_error_is_neither_drawn_nor_counted(nurse: Ward):
    first = await nurse.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")
    again = await _again(nurse, first, "2026-06-01")
    both = (await nurse.get(f"/patients/{first['patient_id']}", all="1")).text
    assert (both.count('class="infusion"'), "Infusion 2" in both) == (2, True)
    await _voided(nurse, again)
    page = (await nurse.get(f"/patients/{first['patient_id']}", all="1")).text
    assert (page.count('class="infusion"'), "Infusion 2" in page) == (1, False)
    assert {row[1] for row in _rows(page)} == {"1", "–"}


async def test_the_short_table_keeps_what_was_done_and_leaves_out_what_was_replaced(nurse: Ward):
    first = await nurse.service.recorded(infused_on="2021-03-04", discharged_on="2021-03-18")
    await _act(nurse, first["visits"][1], "complete", completed_on="2022-03-04")
    await _again(nurse, first, "2025-10-20")
    states = [row[3] for row in _rows((await nurse.get(f"/patients/{first['patient_id']}")).text)]
    assert "✓ klar" in states
    assert [state for state in states if "ersatt" in state] == []


async def test_what_one_act_changed_is_told_in_one_line_in_the_readers_words(nurse: Ward, anna: dict):
    await _act(nurse, anna["visits"][0], "complete", completed_on="2025-12-01", response="CR")
    await nurse.service.post(f"/patients/{anna['patient_id']}/events", {"type": "deceased", "on": "2026-11-20"})
    page = (await nurse.get(f"/patients/{anna['patient_id']}")).text
    changes = [
        " ".join(line.split()) for line in re.findall("<li>(.*?)</li>", page[page.index("Ändringar") :], re.DOTALL)
    ]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d\.\d\d demo-nurse-lund: avliden \(planen, patienten, händelse, 15 besök\)", changes[0]
    )
    assert changes[1].endswith("klarmarkerat (4-veckorskontroll)")


# ---- The next step ---------------------------------------------------------------------------------------------------


async def _steps(ward: Ward, infusion: dict[str, Any]) -> list[str]:
    page = (await ward.get(f"/patients/{infusion['patient_id']}")).text
    return [unescape(address) for address in re.findall(r'class="button" href="(/\?centre=[^"]*)"', page)]


@pytest.mark.parametrize("sleeps", [False, True])
async def test_each_next_step_leads_to_its_form_on_the_list(nurse: Ward, anna: dict, sleeps: bool):
    await _act(nurse, anna["visits"][0], "complete", completed_on="2025-12-01")
    if sleeps:
        await _act(nurse, anna["visits"][1], "contacts", channel="phone", outcome="will-come", remind_on="2026-12-10")
    steps = await _steps(nurse, anna)
    assert [re.findall(r"form=(\w+)", step) for step in steps] == [["book"], ["complete"], ["contact"]]
    for step in steps:
        row = row_of((await nurse.get(step.partition("#")[0])).text, anna["visits"][1]["id"])
        assert 'class="form"' in row


@pytest.mark.parametrize(("day", "steps"), [("2025-08-20", 0), ("2025-08-21", 3)])
async def test_a_next_step_that_is_not_on_the_list_yet_says_from_when_it_is(make_service: Make, day: str, steps: int):
    nurse = await Ward(make_service(today=date.fromisoformat(day))).log_in()
    infusion = await nurse.service.recorded(infused_on="2024-10-20", discharged_on="2024-11-03")
    await _act(nurse, infusion["visits"][0], "complete", completed_on="2024-12-01")
    assert infusion["visits"][1]["window_start"] == "2025-09-20"
    assert len(await _steps(nurse, infusion)) == steps
    assert ("Kommer på listan 2025-08-21" in (await nurse.get(f"/patients/{infusion['patient_id']}")).text) == (
        not steps
    )


async def test_another_centres_patient_has_no_next_step_and_no_events_here(nurse: Ward, anna: dict):
    assert await _steps(nurse, anna) != []
    moved = {"type": "transferred", "on": "2026-11-20", "centre": "uppsala"}
    await nurse.service.post(f"/patients/{anna['patient_id']}/events", moved, token="demo-coordinator-lund")
    assert await _steps(nurse, anna) == []
    assert (
        "Vad som har hänt ser bara det ansvariga centrumet."
        in (await nurse.get(f"/patients/{anna['patient_id']}")).text
    )


# ---- Whose eyes ------------------------------------------------------------------------------------------------------


async def test_no_address_on_the_page_carries_anything_of_the_person(nurse: Ward, anna: dict):
    page = (await nurse.get(f"/patients/{anna['patient_id']}")).text
    addresses = re.findall(r'(?:href|action|hx-get|hx-post)="([^"]*)"', page)
    assert any(f"row={anna['visits'][1]['id']}" in address for address in addresses)  # the next step leads to its row
    assert [address for address in addresses if "test" in address.lower()] == []


async def test_the_number_is_masked_and_shown_for_a_reason_that_is_logged(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    masked = (await nurse.get(path)).text
    assert "-****" in masked
    refused = await nurse.post(f"{path}/number")
    assert (refused.status_code, "Detta måste fyllas i." in refused.text) == (422, True)
    assert ("patient's number", None) not in await _reads(nurse)
    shown = await nurse.post(f"{path}/number", reason="calls the registry")
    assert 'data-shown-for="60"' in shown.text
    assert "-****<" not in shown.text
    assert ("patient's number", "calls the registry") in await _reads(nurse)


async def test_a_protected_identity_has_no_name_until_a_reason_is_given(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    await nurse.service.patch(path, {"protected": True}, headers={"If-Match": '"1"'})
    hidden = (await nurse.get(path)).text
    assert "Testsson" not in hidden
    assert "▲ Skyddade personuppgifter" in hidden
    assert "Testsson" in (await nurse.post(f"{path}/number", reason="calls the patient")).text
    assert "Testsson" not in (await nurse.get(path)).text


async def test_free_words_about_a_protected_identity_are_shown_for_a_reason_only(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    await nurse.service.patch(path, {"protected": True}, headers={"If-Match": '"1"'})
    await _act(nurse, anna["visits"][1], "contacts", channel="phone", outcome="will-come", note="asks for Cecilia")
    await _act(nurse, anna["visits"][1], "miss", reason="with her sister Berta")
    await nurse.service.post(
        f"{path}/events", {"type": "followed-elsewhere", "on": "2026-11-20", "where": "Dalby", "note": "moved to Eslöv"}
    )
    free = ("Berta", "Cecilia", "Dalby", "Eslöv")
    closed = (await nurse.get(path, all="1")).text
    assert [word for word in free if word in closed] == []
    assert (closed.count("(anteckning finns)"), "(plats finns)" in closed, "(skäl finns)" in closed) == (2, True, True)
    opened = (await nurse.post(f"{path}/number", reason="calls the patient")).text
    assert [word for word in free if word in opened] == list(free)


async def test_hidden_names_are_hidden_on_the_patients_page_too(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    await nurse.post("/profile/names", back="/")
    page = (await nurse.get(path)).text
    assert "Testsson" not in page
    assert "-****" not in page
    assert re.search(r"<h1>TT \d{4}\s", page)
    assert re.search(r"<title>TT \d{4} ", page)
    shown = (await nurse.post(f"{path}/number", reason="calls the registry")).text
    assert "Testsson" not in shown
    assert re.search(r">\d{8}-\d{4}<", shown)
    assert "-****" not in shown  # what stands there when the minute is over


# ---- What happened ---------------------------------------------------------------------------------------------------


REFUSED = [
    ({"type": "lost-to-follow-up", "on": "2026-11-20"}, "Det behövs först tre försök"),
    ({"type": "reinstated", "on": "2026-11-20"}, "Det finns inget att återuppta"),
    (
        {"type": "deceased", "on": "2025-10-01"},
        "Det finns ett besök, en infusion eller en utskrivning efter den dagen.",
    ),
    ({"type": "relapse", "on": "2026-11-20", "where": "Oslo"}, "Detta hör till en annan sorts händelse"),
    ({"type": "followed-elsewhere", "on": "2026-11-20"}, "Detta måste fyllas i."),
    ({"on": "2026-11-20"}, "Detta måste fyllas i."),
    ({"type": "a new word", "on": "2026-11-20"}, "Detta är inte ett av de tillåtna värdena."),
]


@pytest.mark.parametrize(("told", "words"), REFUSED)
async def test_a_refusal_is_told_in_the_readers_language(nurse: Ward, anna: dict, told: dict[str, str], words: str):
    answer = await nurse.post(f"/patients/{anna['patient_id']}/events", **told)
    assert answer.status_code == 422
    alert = re.findall(r'<div class="refusal" role="alert".*?</div>', answer.text, re.DOTALL)
    assert len(alert) == 1
    assert words in alert[0]


async def test_what_is_told_twice_with_another_day_is_refused_in_words(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}/events"
    assert (await nurse.post(path, type="withdrawn", on="2026-11-19")).status_code == 303
    assert "Detta är redan registrerat." in (await nurse.post(path, type="withdrawn", on="2026-11-20")).text


@pytest.mark.parametrize("role", ["nurse", "coordinator"])
async def test_the_form_offers_what_the_readers_role_may_do(nurse: Ward, anna: dict, role: str):
    reader = await Ward(nurse.service).log_in(f"demo-{role}-lund")
    path, may = f"/patients/{anna['patient_id']}", role == "coordinator"
    alive = (await reader.get(path)).text
    assert [f'value="{kind}"' in alive for kind in ("transferred", "reinstated", "deceased")] == [may, True, True]
    assert [f'name="{name}"' in alive for name in ("centre", "entered_in_error", "where")] == [may, True, True]
    await nurse.service.post(f"{path}/events", {"type": "deceased", "on": "2026-11-20"})
    # A nurse takes back her own event of today.
    assert 'value="reinstated"' in (await reader.get(path)).text


async def test_nothing_is_chosen_before_somebody_chooses(nurse: Ward, anna: dict):
    form = (await nurse.get(f"/patients/{anna['patient_id']}")).text
    assert re.search(r'<select id="type" name="type"><option value=""></option>', form)
    assert (await nurse.post(f"/patients/{anna['patient_id']}/events", on="2026-11-20")).status_code == 422


async def test_a_death_is_told_in_the_form_and_closes_what_is_open(nurse: Ward, anna: dict):
    path = f"/patients/{anna['patient_id']}"
    told = await nurse.post(f"{path}/events", type="deceased", on="2026-11-20")
    assert (told.status_code, told.headers["location"]) == (303, path)
    page = (await nurse.get(path)).text
    assert "avliden" in page
    assert ">Avliden</text>" in page


async def test_a_refused_event_keeps_what_was_written_and_names_the_field(nurse: Ward, anna: dict):
    told = await nurse.post(
        f"/patients/{anna['patient_id']}/events", type="deceased", on="2027-01-01", note="by letter"
    )
    assert told.status_code == 422
    assert 'value="by letter"' in told.text
    assert "Dagen ligger i framtiden" in told.text


async def test_a_transfer_leads_back_to_the_list(nurse: Ward, anna: dict):
    coordinator = await Ward(nurse.service).log_in("demo-coordinator-lund")
    told = await coordinator.post(
        f"/patients/{anna['patient_id']}/events", type="transferred", on="2026-11-20", centre="uppsala"
    )
    assert (told.status_code, told.headers["location"]) == (303, "/")


@pytest.mark.parametrize("path", ["", "/number", "/events"])
async def test_another_centres_patient_is_not_there(nurse: Ward, anna: dict, path: str):
    other = await Ward(nurse.service).log_in("demo-nurse-umea")
    address = f"/patients/{anna['patient_id']}{path}"
    told = await (
        other.post(address, reason="curious", type="survival", on="2026-11-20") if path else other.get(address)
    )
    assert told.status_code == 404
    assert "Testsson" not in told.text
