"""Who must not be on a list is on none: screen, paper, file, each for whatever takes somebody off it, alone and all in
one ward."""

from random import Random

import pytest

from tests.api.conftest import infusion
from tests.pages.conftest import Ward

OUTPUTS = ("/", "/due/print", "/due.csv", "/?visit=yearly")
OFF = {
    "deceased": {"type": "deceased", "on": "2026-11-20"},
    "withdrawn": {"type": "withdrawn", "on": "2026-11-20"},
    "elsewhere": {"type": "followed-elsewhere", "on": "2026-11-20", "where": "Norge"},
    "transferred": {"type": "transferred", "on": "2026-11-20", "centre": "uppsala"},
}


@pytest.fixture
async def coordinator(nurse: Ward) -> Ward:
    return await Ward(nurse.service).log_in("demo-coordinator-lund")


async def _due(ward: Ward) -> dict:
    return await ward.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")


@pytest.mark.parametrize("output", OUTPUTS)
async def test_somebody_due_is_on_each(coordinator: Ward, output: str):
    await _due(coordinator)
    assert "Testsson" in (await coordinator.get(output)).text


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("why", OFF)
async def test_who_is_dead_withdrawn_or_followed_elsewhere_is_on_none(coordinator: Ward, why: str, output: str):
    stored = await _due(coordinator)
    await coordinator.post(f"/patients/{stored['patient_id']}/events", **OFF[why])
    assert "Testsson" not in (await coordinator.get(output)).text


@pytest.mark.parametrize("output", OUTPUTS)
async def test_a_voided_infusion_leaves_nothing_on_them(coordinator: Ward, output: str):
    stored = await _due(coordinator)
    told = await coordinator.service.post(
        f"/infusions/{stored['id']}/void",
        {"reason": "entered twice"},
        token="demo-coordinator-lund",
        headers={"If-Match": '"1"'},
    )
    assert told.status_code == 200, told.text
    assert "Testsson" not in (await coordinator.get(output)).text


@pytest.mark.parametrize("output", OUTPUTS)
async def test_a_superseded_visit_is_on_none(coordinator: Ward, output: str):
    first = await _due(coordinator)
    number = {"patient": None, "patient_id": first["patient_id"]}
    await coordinator.service.recorded(
        **{**number, "patient": ...}, infused_on="2026-11-20", discharged_on=None, new_course=True
    )
    assert "Årskontroll 1" not in (await coordinator.get(output)).text


@pytest.mark.parametrize("output", OUTPUTS)
async def test_a_protected_identity_has_no_name_number_or_phone_on_any(coordinator: Ward, output: str):
    stored = await _due(coordinator)
    path = f"/patients/{stored['patient_id']}"
    masked = (await coordinator.service.get(path)).json()["masked_number"]
    await coordinator.service.patch(path, {"protected": True}, headers={"If-Match": '"1"'})
    page = (await coordinator.get(output)).text
    assert "Testsson" not in page
    assert masked not in page


NAMES = ("Alma", "Bertil", "Cilla", "David", "Ebba", "Folke", "Greta", "Hilding", "Inez", "Josef")


async def _with_a_fate(coordinator: Ward, name: str, fate: str) -> None:
    """Somebody due, and what became of them."""
    body = infusion(infused_on="2025-10-20", discharged_on="2025-11-03")
    body["patient"]["name"] = f"{name} Testsson"
    stored = (await coordinator.service.post("/infusions", body)).json()
    path, first = f"/patients/{stored['patient_id']}", {"If-Match": '"1"'}
    if fate in OFF:
        told = await coordinator.post(f"{path}/events", **OFF[fate])
        assert told.status_code == 303
    elif fate == "protected":
        assert (await coordinator.service.patch(path, {"protected": True}, headers=first)).status_code == 200
    elif fate == "voided":
        told = await coordinator.service.post(
            f"/infusions/{stored['id']}/void", {"reason": "twice"}, token="demo-coordinator-lund", headers=first
        )
        assert told.status_code == 200


@pytest.mark.parametrize("seed", range(6))
async def test_in_any_ward_who_stays_is_on_each_and_nobody_else_on_any(coordinator: Ward, seed: int):
    fates = dict(zip(NAMES, Random(seed).choices(["stays", "protected", "voided", *OFF], k=len(NAMES)), strict=True))
    for name, fate in fates.items():
        await _with_a_fate(coordinator, name, fate)
    for output in OUTPUTS:
        text = (await coordinator.get(output)).text
        assert {name for name in NAMES if name in text} == {name for name, fate in fates.items() if fate == "stays"}, (
            output
        )
    rows = (await coordinator.get("/")).text.count('<tbody role="rowgroup" id="v-')
    assert rows == sum(fate in ("stays", "protected") for fate in fates.values())
