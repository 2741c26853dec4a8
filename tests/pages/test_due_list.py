"""The due list as a nurse works it off: with plain forms and with parts of the page, the same acts and the same rows
after them."""

import re

import pytest

from tests.pages.conftest import Ward, row_of

DAY = "2026-11-23"


@pytest.fixture
async def due(nurse: Ward) -> dict:
    """A yearly visit whose window has ended, of somebody infused in 2024 and registered then."""
    await nurse.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")
    return await nurse.visit("Y01")


async def test_the_list_names_the_day_its_week_and_the_centre(nurse: Ward):
    page = (await nurse.get("/")).text
    assert "Att göra i Lund, måndag 23 november 2026 (v. 48)" in page
    assert "Inget att göra i dag." in page


async def test_a_row_tells_patient_visit_window_and_state_and_masks_the_number(nurse: Ward, due: dict):
    row = row_of((await nurse.get("/")).text, due["id"])
    assert "Test Testsson" in row
    assert due["patient"]["masked_number"] in row
    assert "Årskontroll 1" in row
    assert f"t.o.m. {due['window_end']}" in row


@pytest.mark.parametrize("script", [False, True])
async def test_booked_and_undone(nurse: Ward, scripted: Ward, due: dict, script: bool):
    ward = scripted if script else nurse
    told = await ward.post(
        f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-03", back="group=now"
    )
    if script:
        assert "2026-12-03" in row_of(told.text, due["id"])
        assert "<html" not in told.text
    else:
        assert (told.status_code, told.headers["location"]) == (303, f"/?group=now#v-{due['id']}")
    assert (await nurse.visit("Y01"))["booked_on"] == "2026-12-03"
    assert "bokningen ändrad" in (await nurse.get("/")).text
    await ward.post(f"/visits/{due['id']}/book", version=due["version"] + 1)
    assert (await nurse.visit("Y01"))["booked_on"] is None


@pytest.mark.parametrize("script", [False, True])
async def test_done_and_undone(nurse: Ward, scripted: Ward, due: dict, script: bool):
    ward = scripted if script else nurse
    path = f"/visits/{due['id']}/complete"
    for _ in range(2):  # a double click does one thing
        await ward.post(path, version=due["version"], completed_on=DAY, response="CR")
    done = await nurse.visit("Y01")
    assert (done["state"], done["completed_on"], done["response"], done["version"]) == (
        "completed",
        DAY,
        "CR",
        due["version"] + 1,
    )
    await ward.post(f"/visits/{due['id']}/reopen", version=done["version"])
    assert (await nurse.visit("Y01"))["state"] == due["state"]


@pytest.mark.parametrize("script", [False, True])
async def test_a_refusal_keeps_the_form_open_with_what_was_written(
    nurse: Ward, scripted: Ward, due: dict, script: bool
):
    ward = scripted if script else nurse
    told = await ward.post(f"/visits/{due['id']}/complete", version=due["version"], completed_on="2027-01-01")
    assert told.status_code == 422
    row = row_of(told.text, due["id"])
    assert 'value="2027-01-01"' in row
    assert "Dagen ligger i framtiden" in row
    assert 'aria-invalid="true"' in row
    assert (await nurse.visit("Y01"))["state"] == due["state"]


async def test_what_must_be_confirmed_is_asked_and_then_taken(nurse: Ward, due: dict):
    path = f"/visits/{due['id']}/complete"
    asked = await nurse.post(path, version=due["version"], completed_on="2025-12-01")
    assert 'name="window_not_open"' in row_of(asked.text, due["id"])
    await nurse.post(path, version=due["version"], completed_on="2025-12-01", window_not_open="yes")
    assert (await nurse.visit("Y01"))["state"] == "completed"


async def test_a_form_that_comes_too_late_is_told_who_was_faster(nurse: Ward, scripted: Ward, due: dict):
    other = await Ward(nurse.service).log_in("demo-coordinator-lund")
    await other.post(f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-03")
    told = await scripted.post(f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-04")
    row = row_of(told.text, due["id"])
    assert "demo-coordinator-lund ändrade detta" in row
    assert "Din ändring sparades inte" in row
    assert (await nurse.visit("Y01"))["booked_on"] == "2026-12-03"


async def test_a_row_that_is_to_be_called_again_sleeps_and_still_counts(nurse: Ward, due: dict):
    await nurse.post(f"/visits/{due['id']}/contacts", channel="phone", outcome="no-answer", remind_on="2026-11-30")
    page = (await nurse.get("/")).text
    assert "Väntar till senare dag (1)" in page
    assert "1 nu" in page


async def test_a_contact_without_an_outcome_names_the_field(nurse: Ward, due: dict):
    told = await nurse.post(f"/visits/{due['id']}/contacts", channel="phone")
    assert told.status_code == 422
    assert "Detta måste fyllas i." in row_of(told.text, due["id"])


async def test_filters_stand_in_the_address_and_narrow_the_list(nurse: Ward, due: dict):
    assert f"v-{due['id']}" not in (await nurse.get("/", booked="yes")).text
    assert f"v-{due['id']}" not in (await nurse.get("/", visit="response")).text
    assert f"v-{due['id']}" in (await nurse.get("/", booked="no", visit="yearly")).text


async def test_no_name_stands_in_an_address(nurse: Ward, due: dict):
    assert (await nurse.get("/", name="test")).status_code == 422
    addresses = re.findall(r'(?:href|action|hx-get|hx-post)="([^"]*)"', (await nurse.get("/")).text)
    assert len(addresses) > 10
    assert [address for address in addresses if "test" in address.lower() or "name=" in address] == []


async def test_a_visit_is_postponed_without_an_attempt(nurse: Ward, due: dict):
    await nurse.post(f"/visits/{due['id']}/contacts", channel="phone", outcome="postponed", remind_on="2026-12-01")
    (contact,) = (await nurse.service.get(f"/patients/{due['patient']['id']}/follow-up")).json()["contacts"]
    assert (contact["channel"], contact["outcome"], contact["remind_on"]) == (None, None, "2026-12-01")
    assert "igen 2026-12-01" in row_of((await nurse.get("/")).text, due["id"])


async def test_a_refusal_of_a_row_that_is_not_on_the_list_any_more_is_told_above_it(nurse: Ward, due: dict):
    other = await Ward(nurse.service).log_in("demo-coordinator-lund")
    await other.post(f"/visits/{due['id']}/complete", version=due["version"], completed_on=DAY, response="CR")
    told = await nurse.post(f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-04")
    assert told.status_code == 422
    assert "Besöket finns inte längre i listan." in told.text


async def test_others_changes_are_counted_and_ones_own_are_not(nurse: Ward, due: dict):
    since = 1_700_000_000
    await nurse.post(f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-03")
    assert "har ändrats" not in (await nurse.get("/due/changes", since=since)).text
    other = await Ward(nurse.service).log_in("demo-clinician-lund")
    assert "1 rad har ändrats" in (await other.get("/due/changes", since=since)).text


async def test_after_midnight_the_list_says_that_the_day_has_changed(nurse: Ward):
    assert "Dagen har ändrats." in (await nurse.get("/due/changes", since=0, day="2026-11-22")).text
    assert "Dagen har ändrats." not in (await nurse.get("/due/changes", since=0, day="2026-11-23")).text


async def test_a_foreign_centres_list_is_refused_in_words(nurse: Ward):
    told = await nurse.get("/", centre="uppsala")
    assert told.status_code == 403
    assert "Detta centrum är inte ditt." in told.text


async def test_names_can_be_hidden_from_a_screen_that_others_see(nurse: Ward, due: dict):
    await nurse.post("/profile/names", back="/")
    row = row_of((await nurse.get("/")).text, due["id"])
    assert "Testsson" not in row
    assert due["patient"]["masked_number"] not in row


async def test_hidden_names_are_hidden_in_what_was_done_today_too(nurse: Ward, due: dict):
    await nurse.post(f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-03")
    assert re.search(r"<li>\d\d\.\d\d\s+<a [^>]*>Test Testsson</a>", (await nurse.get("/")).text)
    await nurse.post("/profile/names", back="/")
    page = (await nurse.get("/")).text
    assert "Testsson" not in page
    assert re.search(r"<li>\d\d\.\d\d\s+<a [^>]*>TT \d{4}</a>", page)


async def test_a_row_that_needs_a_decision_asks_for_one(nurse: Ward, scripted: Ward, due: dict):
    for day, channel in (("2026-11-20", "phone"), ("2026-11-21", "phone"), ("2026-11-22", "letter")):
        told = {"channel": channel, "outcome": "no-answer", "contacted_on": day}
        assert (await nurse.service.post(f"/visits/{due['id']}/contacts", told)).status_code == 201
    page = (await nurse.get("/")).text
    assert "Ta ställning (1)" in page
    assert "Besluta…" in row_of(page, due["id"])
    choices = row_of((await scripted.get("/", row=due["id"], form="decide")).text, due["id"])
    assert f'href="/patients/{due["patient"]["id"]}?tell=lost-to-follow-up#type"' in choices
    assert [text in choices for text in ("Tappad ur uppföljningen…", "Missat…", "Fortsätt söka…", "Avbryt")] == [
        True
    ] * 4
    assert (
        'value="lost-to-follow-up" selected'
        in (await nurse.get(f"/patients/{due['patient']['id']}", tell="lost-to-follow-up")).text
    )


async def test_a_death_that_was_reported_by_a_call_leads_to_its_record(nurse: Ward, due: dict):
    await nurse.post(f"/visits/{due['id']}/contacts", channel="relative", outcome="deceased-reported")
    choices = row_of((await nurse.get("/", row=due["id"], form="decide")).text, due["id"])
    assert "?tell=deceased#type" in choices
    assert "Tappad ur uppföljningen…" not in choices


async def test_a_row_is_made_for_its_reader_its_filters_and_its_facts_only(nurse: Ward, due: dict):
    other = await Ward(nurse.service).log_in("demo-coordinator-lund")
    await other.post("/profile", language="en")
    await other.post("/profile/names", back="/")
    for _ in range(2):  # what was made for one stands when the other asks again
        mine, theirs = row_of((await nurse.get("/")).text, due["id"]), row_of((await other.get("/")).text, due["id"])
        assert ("Testsson" in mine, "Testsson" in theirs) == (True, False)
        assert ("Årskontroll 1" in mine, "Year 1 visit" in theirs) == (True, True)
        assert f'"/?booked=no&amp;row={due["id"]}&amp;form=book#v-{due["id"]}"' in row_of(
            (await nurse.get("/", booked="no")).text, due["id"]
        )
    await nurse.post(f"/visits/{due['id']}/book", version=due["version"], booked_on="2026-12-03")
    assert ["2026-12-03" in row_of((await ward.get("/")).text, due["id"]) for ward in (nurse, other)] == [True, True]


async def test_a_day_that_has_passed_is_not_suggested(nurse: Ward, due: dict):
    assert due["suggested_on"] < DAY
    form = row_of((await nurse.get("/", row=due["id"], form="book")).text, due["id"])
    assert f"Fönstret: {due['window_start']} till {due['window_end']}." in form
    assert due["suggested_on"] not in form


@pytest.fixture
async def early(nurse: Ward) -> dict:
    """A response check that was done before its window, as a discharge that came later has moved it."""
    told = await nurse.service.recorded(infused_on="2026-09-20", discharged_on=...)
    w4 = next(visit for visit in told["visits"] if visit["code"] == "W4")
    path = f"/visits/{w4['id']}/complete"
    await nurse.service.post(path, {"completed_on": "2026-11-02"}, headers={"If-Match": f'"{w4["version"]}"'})
    await nurse.service.patch(
        f"/infusions/{told['id']}", {"discharged_on": "2026-10-20"}, headers={"If-Match": f'"{told["version"]}"'}
    )
    return await nurse.visit("W4")


@pytest.mark.parametrize("act", ["confirm", "reopen"])
async def test_a_visit_closed_before_its_window_is_confirmed_or_opened_again_without_script(
    nurse: Ward, early: dict, act: str
):
    page = (await nurse.get("/")).text
    (section,) = re.findall(r'<section class="moved">.*?</section>', page, re.DOTALL)
    assert "Ta ställning: stängt före sitt fönster (1)" in section
    assert f"gjort 2026-11-02, och fönstret är {early['window_start']} till {early['window_end']}" in section
    assert f'action="/visits/{early["id"]}/{act}"' in section
    assert "1 behöver beslut" in page
    told = await nurse.post(f"/visits/{early['id']}/{act}", version=early["version"])
    assert told.status_code == 303
    assert 'class="moved"' not in (await nurse.get("/")).text
    assert (await nurse.visit("W4"))["state"] == ("completed" if act == "confirm" else "due")


async def test_a_confirmation_that_comes_too_late_changes_nothing(nurse: Ward, early: dict):
    told = await nurse.post(f"/visits/{early['id']}/confirm", version=early["version"] - 1)
    assert told.status_code == 422
    assert 'class="moved"' in told.text
