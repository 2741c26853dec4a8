"""No name and no number of a person stands in clear in the database file or in a log line: canaries go everywhere, then
all is searched."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.http import log
from tests.api.conftest import Service, infusion, number_of
from tests.logs import tell_plainly

BORN = date(1957, 11, 9)
NUMBER, NEW_NUMBER, IMPORTED = number_of(BORN, 7), number_of(BORN, 9), number_of(BORN, 11)
WRONG = NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10)
WORDS = ("Kanariefågel", "Gulnäbb", "Domherre", "Bofink", "Steglits", "grannen i Vråkbo")
PHONES = ("+46701740605", "+46701740606", "+46701740607")
CSV = "personnummer,name,centre,product,context,indication,infused_on,discharged_on,batch,source_system,source_id\n"


def _forms(number: str) -> set[str]:
    """All ways in which a personnummer is written: twelve or ten digits, with and without the sign before the last
    four."""
    return {
        n
        for digits in (number, number[2:])
        for n in (digits, f"{digits[:-4]}-{digits[-4:]}", f"{digits[:-4]}+{digits[-4:]}")
    }


def _canaries() -> set[bytes]:
    told = {
        *WORDS,
        *(form for n in (NUMBER, NEW_NUMBER, IMPORTED, WRONG) for form in _forms(n)),
        *PHONES,
        BORN.isoformat(),
    }
    ways = {
        word
        for text in told
        for word in (text, text.lower(), text.upper(), json.dumps(text).strip('"'), text.lstrip("+"))
    }
    return {way.encode(code) for way in ways for code in ("utf-8", "latin-1", "utf-16-le")}


@pytest.fixture
def logging_all() -> Iterator[None]:
    """The service's own way to log, at its most talkative."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.configure("debug")
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(False)
    tell_plainly()


async def test_no_name_and_no_number_stands_in_the_database_or_in_a_log_line(
    service: Service, sqlite_url: str, logging_all: None, capfd: pytest.CaptureFixture[str]
) -> None:
    answered = await _a_life(service)
    await _refusals(service)
    await _an_import(service)
    file = Path(sqlite_url.partition(":///")[2])
    kept = {path.name: path.read_bytes() for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")) if path.exists()}
    out, err = capfd.readouterr()
    assert "Domherre" in answered, "the canaries were there"
    assert err.count("request.done") > 25, "log lines were written"
    assert len(kept[file.name]) > 100_000
    for name, data in {**kept, "log": (out + err).encode()}.items():
        assert [canary for canary in sorted(_canaries()) if canary in data] == [], name


def test_the_search_finds_what_it_looks_for() -> None:
    for told in (
        NUMBER,
        f"{NUMBER[2:8]}-{NUMBER[8:]}",
        "GULNÄBB",
        json.dumps("Kanariefågel"),
        "1957-11-09",
        "46701740605",
    ):
        assert any(canary in f"...{told}...".encode() for canary in _canaries())


def _person(number: str) -> dict[str, Any]:
    numbers = [{"system": "personnummer", "value": number}]
    return {"identifiers": numbers, "name": "Kanariefågel Gulnäbb", "birth_date": str(BORN), "phone": PHONES[0]}


async def _a_life(service: Service) -> str:
    """Every address of a patient, each with the person in it where it takes one."""
    body = infusion(patient=_person(f"{NUMBER[2:8]}-{NUMBER[8:]}"))
    told = await service.post("/infusions", body)
    assert told.status_code == 201
    recorded = told.json()
    patient, visit = recorded["patient_id"], recorded["visits"][1]["id"]
    assert (await service.post("/infusions", body)).status_code == 200
    assert (
        await service.post("/infusions", body | {"patient": _person(NUMBER) | {"name": "Steglits"}})
    ).status_code == 409
    assert (
        await service.post(
            "/infusions/preview", infusion(patient=_person(NUMBER), infused_on="2026-06-01", discharged_on=None)
        )
    ).status_code == 200
    for wanted in ({"identifier": {"system": "personnummer", "value": NUMBER}}, {"name": "gulnäbb"}):
        assert len((await service.post("/patients/search", wanted)).json()["items"]) == 1
    change = {
        "name": "Kanariefågel Domherre",
        "phone": PHONES[1],
        "identifiers": [{"system": "personnummer", "value": NEW_NUMBER}],
        "contact_persons": [{"name": "Bofink", "relation": "granne", "phone": PHONES[2]}],
    }
    assert (await service.patch(f"/patients/{patient}", change, headers={"If-Match": '"1"'})).status_code == 200
    event = {"type": "relapse", "on": "2026-01-01", "note": "Steglits, grannen i Vråkbo"}
    assert (await service.post(f"/patients/{patient}/events", event)).status_code == 201
    contact = {"channel": "relative", "outcome": "busy", "note": f"Bofink {PHONES[2]}"}
    assert (await service.post(f"/visits/{visit}/contacts", contact)).status_code == 201
    done = {"completed_on": "2026-03-04", "response": "CR"}
    assert (await service.post(f"/visits/{visit}/complete", done, headers={"If-Match": '"1"'})).status_code == 200
    reads = [
        "/visits",
        "/infusions",
        "/alerts",
        "/alerts/events",
        f"/visits/{visit}",
        f"/infusions/{recorded['id']}",
        f"/patients/{patient}",
    ]
    reads += [f"/patients/{patient}/{what}" for what in ("follow-up", "history", "plans")]
    answers = [await service.get(path) for path in reads]
    assert {answer.status_code for answer in answers} == {200}
    assert (await service.get(f"/patients/{patient}/accesses", token="demo-auditor")).status_code == 200
    voided = await service.post(
        f"/infusions/{recorded['id']}/void",
        {"reason": "twice"},
        token="demo-clinician-lund",
        headers={"If-Match": '"1"'},
    )
    assert voided.status_code == 200
    return " ".join(answer.text for answer in answers)


async def _refusals(service: Service) -> None:
    """Persons where none belong: in addresses, parameters, broken bodies, numbers that cannot be, tokens."""
    for path in (
        f"/patients/{NUMBER}",
        f"/patients/{NUMBER[2:8]}-{NUMBER[8:]}/follow-up",
        f"/visits?name=Gulnäbb&nr={NUMBER}",
        f"/{NUMBER}",
    ):
        assert (await service.get(path)).status_code in (404, 422)
    assert (await service.post("/infusions", infusion(patient=_person(WRONG)))).status_code == 422
    assert (await service.post("/infusions", infusion(patient=_person(NUMBER), Gulnäbb=NUMBER))).status_code == 422
    assert (
        await service.call("POST", "/infusions", content=f'{{"name": "Gulnäbb {NUMBER}",'.encode(), headers=_JSON)
    ).status_code == 400
    assert (await service.get("/visits", token=NUMBER)).status_code == 401
    assert (await service.get("/visits", headers={"X-Request-Id": NUMBER})).headers["x-request-id"] != NUMBER


async def _an_import(service: Service) -> None:
    rows = [
        f"{IMPORTED},Domherre Steglits,lund,axicabtagene-ciloleucel,SOC,DLBCL,2025-05-05,2025-05-19,B-1,list,1",
        f"{WRONG},Domherre Bofink,lund,axicabtagene-ciloleucel,SOC,DLBCL,2025-05-05,2025-05-19,B-1,list,2",
    ]
    file = (CSV + "\n".join(rows)).encode()
    told = await service.call(
        "POST", "/imports", token="demo-coordinator-lund", content=file, headers={"Content-Type": "text/csv"}
    )
    assert told.status_code == 202
    await asyncio.gather(*service.app.state.jobs)
    report = (await service.get(f"/imports/{told.json()['id']}", token="demo-coordinator-lund")).json()
    assert (report["accepted"], report["rejected"]) == (1, 1)


_JSON = {"Content-Type": "application/json"}
