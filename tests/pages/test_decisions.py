"""Patients who need a decision beside any visit, on the pages: plain forms, no script."""

from tests.pages.conftest import Ward


async def _over(ward: Ward) -> str:
    return str((await ward.service.recorded(infused_on="2009-03-04", discharged_on=None))["patient_id"])


async def test_the_list_shows_them_and_the_decision_takes_them_off(nurse: Ward):
    patient = await _over(nurse)
    page = (await nurse.get("/")).text
    for told in (
        "Ta ställning: patienter (1)",
        "inget besök att vänta",
        "2009-03-04",
        "2024-03-04",
        f'href="/patients/{patient}/decide"',
    ):
        assert told in page
    form = (await nurse.get(f"/patients/{patient}/decide")).text
    # Those that serve the class.
    assert ('value="extend"' in form, "ltfu-15y-plus" in form, "aav-5y" in form) == (True, True, False)
    saved = await nurse.post(f"/patients/{patient}/decide", decision="extend", protocol="ltfu-15y-plus")
    assert (saved.status_code, saved.headers["location"]) == (303, "/")
    assert "inget besök att vänta" not in (await nurse.get("/")).text


async def test_a_refused_decision_keeps_what_was_chosen_and_names_the_field(nurse: Ward):
    patient = await _over(nurse)
    told = await nurse.post(f"/patients/{patient}/decide", decision="close")
    assert told.status_code == 422
    assert '<option value="close" selected>' in told.text
    assert 'href="#reason"' in told.text


async def test_a_contact_without_a_visit_is_logged_and_undone(nurse: Ward):
    patient = str((await nurse.service.recorded(infused_on="2012-03-04", discharged_on=None))["patient_id"])
    assert "ingen kontakt på fjorton månader" in (await nurse.get("/")).text
    path = f"/patients/{patient}/decide"
    assert (await nurse.post(f"/patients/{patient}/contacts", channel="phone", outcome="will-come")).headers[
        "location"
    ] == path
    assert "ingen kontakt på fjorton månader" not in (await nurse.get("/")).text
    (contact,) = (await nurse.service.get(f"/patients/{patient}/follow-up")).json()["contacts"]
    assert (await nurse.post(f"/patients/{patient}/contacts/{contact['id']}/undo")).status_code == 303
    assert "ingen kontakt på fjorton månader" in (await nurse.get("/")).text


async def test_a_protected_identity_is_named_nowhere_and_the_count_is_that_of_the_rows(nurse: Ward):
    patient = await _over(nurse)
    await nurse.service.patch(f"/patients/{patient}", {"protected": True}, headers={"If-Match": '"1"'})
    for path in ("/", f"/patients/{patient}/decide", "/?group=decision"):
        page = (await nurse.get(path)).text
        assert "Test Testsson" not in page
        assert "Skyddade personuppgifter" in page
    assert (await nurse.get("/")).text.count('<tr id="p-') == 1
