"""Bad requests, each with the exact type, status, pointer and code of its problem; and nothing is stored by any of them
(issue 10)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.main import AppContext
from app.settings import Settings
from tests.api.conftest import NURSE, TODAY, Service, infusion
from tests.databases import drop_database, fresh_database

NUMBER = "looks_like_a_number"
NOBODY = "01a20ebe-a811-7024-85f1-4319ccf84324"


@dataclass(frozen=True)
class Bad:
    """One request that is refused. `{...}` in the path are ids of the patient that the test has; `fault` is pointer and
    code of the first error."""

    method: str
    path: str
    body: Any = None
    status: int = 422
    type: str = "validation"
    fault: tuple[str, str] | None = None
    token: str = NURSE
    headers: dict[str, str] = field(default_factory=lambda: {"If-Match": '"1"'})

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status} {self.fault or ''} {str(self.body)[:60]}"


def _new(
    status: int = 422,
    kind: str = "validation",
    fault: tuple[str, str] | None = None,
    token: str = NURSE,
    **changed: Any,
) -> Bad:
    return Bad("POST", "/infusions", infusion(**changed), status, kind, fault, token)


def _person(**changed: Any) -> dict[str, Any]:
    person = {**infusion()["patient"], **changed}
    return {name: value for name, value in person.items() if value is not ...}


def _numbered(value: Any, system: str = "personnummer") -> dict[str, Any]:
    return _person(identifiers=[{"system": system, "value": value}])


def _visit(act: str, body: Any, pointer: str, code: str, **more: Any) -> Bad:
    return Bad("POST", f"/visits/{{visit}}/{act}", body, fault=(pointer, code), **more)


def _event(pointer: str, code: str, **body: Any) -> Bad:
    return Bad(
        "POST", "/patients/{patient}/events", {"type": "relapse", "on": "2026-01-01", **body}, fault=(pointer, code)
    )


def _list(query: str, pointer: str, code: str, path: str = "/visits") -> Bad:
    return Bad("GET", f"{path}?{query}", fault=(pointer, code))


INFUSIONS = [
    _new(fault=("/centre", "required"), centre=...),
    _new(fault=("/product", "required"), product=...),
    _new(fault=("/context", "required"), context=...),
    _new(fault=("/infused_on", "required"), infused_on=...),
    _new(fault=("/infused_on", "bad_date"), infused_on=None),
    _new(fault=("/infused_on", "bad_date"), infused_on=0),
    _new(fault=("/infused_on", "bad_date"), infused_on=20250304),
    _new(fault=("/infused_on", "bad_date"), infused_on="2025-3-4"),
    _new(fault=("/infused_on", "bad_date"), infused_on="20250304"),
    _new(fault=("/infused_on", "bad_date"), infused_on="2025-02-30"),
    _new(fault=("/infused_on", "bad_date"), infused_on="2025-03-04T00:00:00Z"),
    _new(fault=("/infused_on", "bad_date"), infused_on="0001-01-01"),
    _new(fault=("/infused_on", "bad_date"), infused_on="9999-12-31"),
    _new(fault=("/infused_on", "bad_date"), infused_on="２０２５-03-04"),
    _new(fault=("/infused_on", "date_in_future"), infused_on="2026-11-24", discharged_on=None),
    _new(fault=("/discharged_on", "date_in_future"), discharged_on="2026-11-24"),
    _new(fault=("/discharged_on", "before_infusion"), discharged_on="2025-03-03"),
    _new(fault=("/centre", "unknown_centre"), centre="atlantis"),
    _new(fault=("/centre", "bad_format"), centre="Lund"),
    _new(fault=("/centre", "not_a_text"), centre=1),
    _new(403, "forbidden", ("/centre", "not_your_centre"), centre="umea"),
    _new(fault=("/centre", "centre_upcoming"), centre="orebro", token="demo-nurse-orebro"),
    _new(fault=("/product", "unknown_product"), product="aspirin"),
    _new(fault=("/context", "unknown_value"), context="soc"),
    _new(fault=("/protocols/0", "unknown_protocol"), protocols=["no-such"]),
    _new(fault=("/protocols", "not_a_list"), protocols="ltfu-15y"),
    _new(fault=("/in_specification", "not_a_flag"), in_specification="yes"),
    _new(fault=("/in_specification", "not_a_flag"), in_specification=1),
    _new(fault=("/new_course", "not_a_flag"), new_course="true"),
    _new(fault=("/continues", "bad_id"), continues="proc-1"),
    _new(fault=("/batch", "too_long"), batch="x" * 201),
    _new(fault=("/batch", "empty"), batch=" "),
    _new(fault=("/batch", "bad_format"), batch="a\u0000b"),
    _new(fault=("/nickname", "unknown_field"), nickname="x"),
    _new(fault=("/patient/nickname", "unknown_field"), patient=_person(nickname="x")),
    _new(fault=("/patient", "patient_required"), patient=...),
    _new(fault=("/patient", "not_an_object"), patient=[]),
    _new(fault=("/patient/name", "required"), patient=_person(name=...)),
    _new(fault=("/patient/name", "empty"), patient=_person(name="")),
    _new(fault=("/patient/identifiers", "too_few"), patient=_person(identifiers=[])),
    _new(fault=("/patient/identifiers/0/value", "bad_check_digit"), patient=_numbered("19811228-9873")),
    _new(fault=("/patient/identifiers/0/value", "bad_format"), patient=_numbered("hello")),
    _new(fault=("/patient/identifiers/0/value", "not_a_text"), patient=_numbered(198112289874)),
    _new(fault=("/patient/identifiers/0/value", "bad_date"), patient=_numbered("19811328-9874")),
    _new(fault=("/patient/identifiers/0/system", "unknown_system"), patient=_numbered("19811228-9874", "passport")),
    _new(fault=("/patient/birth_date", "bad_date"), patient=_person(birth_date="1981")),
    _new(fault=("/source", "source_required"), source=..., token="demo-integration-lund"),
    _new(fault=("/source/id", "required"), source={"system": "cosmic-lund"}),
    _new(fault=("/completed/0/code", "required"), completed=[{"protocol": "ltfu-15y", "completed_on": "2026-03-02"}]),
    _new(
        fault=("/completed/0/response", "unknown_value"),
        completed=[{"protocol": "ltfu-15y", "code": "W4", "completed_on": "2025-04-15", "response": "XX"}],
    ),
    _new(404, "not-found", None, patient=..., patient_id=NOBODY),
    _new(403, "forbidden", None, token="demo-network"),
    _new(403, "forbidden", None, token="demo-auditor"),
    *(
        _new(fault=(f"/source/{name}", NUMBER), source={"system": "cosmic-lund", "id": "x"} | {name: "811228-9874"})
        for name in ("system", "id")
    ),
    *(_new(fault=(f"/{name}", NUMBER), **{name: "Anna, 19811228-9874"}) for name in ("batch", "indication")),
    *(
        Bad("PATCH", "/infusions/{infusion}", {name: "8112289874"}, fault=(f"/{name}", NUMBER))
        for name in ("batch", "indication")
    ),
    Bad(
        "POST",
        "/infusions/{infusion}/void",
        {"reason": "fel: 811228+9874"},
        fault=("/reason", NUMBER),
        token="demo-clinician-lund",
    ),
    Bad("POST", f"/alerts/{NOBODY}/acknowledge", {"reason": "1981 12 28 9874"}, fault=("/reason", NUMBER)),
    _visit("miss", {"reason": "198112289874"}, "/reason", NUMBER),
    _visit("complete", {"completed_on": "2026-03-02", "response_text": "811228-9874"}, "/response_text", NUMBER),
    _event("/where", NUMBER, type="followed-elsewhere", where="Oslo, 811228-9874"),
    _event("/source/id", NUMBER, source={"system": "cosmic-lund", "id": "198112289874"}),
    Bad("POST", "/infusions", [], fault=("", "not_an_object")),
    Bad("POST", "/infusions", "x", fault=("", "not_an_object")),
    Bad("POST", "/infusions", None, fault=("", "required")),
    Bad(
        "POST",
        "/infusions/preview",
        infusion(infused_on="2027-01-01", discharged_on=None),
        fault=("/infused_on", "date_in_future"),
    ),
    Bad("PATCH", "/infusions/{infusion}", {"patient": {}}, fault=("/patient", "unknown_field")),
    Bad("PATCH", "/infusions/{infusion}", {"infused_on": None}, fault=("/infused_on", "required")),
    Bad("PATCH", "/infusions/{infusion}", {"infused_on": "2027-01-01"}, fault=("/infused_on", "date_in_future")),
    Bad("PATCH", "/infusions/{infusion}", {"batch": "B"}, 428, "version-required", headers={}),
    Bad("PATCH", "/infusions/{infusion}", {"batch": "B"}, 412, "stale-version", headers={"If-Match": '"7"'}),
    Bad("PATCH", "/infusions/{infusion}", {"batch": "B"}, 412, "stale-version", headers={"If-Match": 'W/"1"'}),
    Bad("PATCH", "/infusions/{infusion}", {"batch": "B"}, 428, "version-required", headers={"If-Match": "*"}),
    Bad(
        "PATCH",
        "/infusions/{infusion}",
        {"batch": "B"},
        400,
        "malformed",
        ("/If-Match", "bad_etag"),
        headers={"If-Match": "1"},
    ),
    Bad("PATCH", "/infusions/{infusion}", {"product": "aspirin"}, fault=("/product", "unknown_product")),
    Bad("PATCH", f"/infusions/{NOBODY}", {"batch": "B"}, 404, "not-found"),
    Bad("PATCH", "/infusions/{infusion}", {"batch": "B"}, 404, "not-found", token="demo-nurse-umea"),
    Bad("POST", "/infusions/{infusion}/void", {"reason": "typing error"}, 403, "forbidden"),
    Bad("POST", "/infusions/{infusion}/void", {}, fault=("/reason", "required"), token="demo-clinician-lund"),
    Bad(
        "POST",
        "/infusions/{infusion}/void",
        {"reason": "typing error"},
        428,
        "version-required",
        token="demo-clinician-lund",
        headers={},
    ),
]

PATIENTS = [
    Bad("POST", "/patients/search", {}, fault=("", "invalid")),
    Bad("POST", "/patients/search", {"name": "x", "identifier": {"system": "personnummer", "value": "19811228-9874"}},
     fault=("", "invalid")),
    Bad("POST", "/patients/search", {"identifier": {"system": "personnummer", "value": "1"}},
     fault=("/identifier/value", "bad_format")),
    Bad("PATCH", "/patients/{patient}", {"name": None}, fault=("/name", "required")),
    Bad("PATCH", "/patients/{patient}", {"birth_date": "2027-01-01"}, fault=("/birth_date", "date_in_future")),
    Bad("PATCH", "/patients/{patient}", {"preferred_channel": "fax"}, fault=("/preferred_channel", "unknown_value")),
    Bad("PATCH", "/patients/{patient}", {"name": "Other"}, 428, "version-required", headers={}),
    Bad("PATCH", "/patients/{patient}", {"name": "Other"}, 412, "stale-version", headers={"If-Match": '"99"'}),
    Bad("GET", "/patients/19811228-9874", status=404, type="not-found"),
    Bad("GET", f"/patients/{NOBODY}", status=404, type="not-found"),
    Bad("GET", "/patients/{patient}", status=404, type="not-found", token="demo-nurse-umea"),
    Bad("GET", "/patients/{patient}/accesses", status=403, type="forbidden"),
    _event("/type", "unknown_value", type="born"),
    _event("/type", "unknown_value", type="merged"),
    _event("/on", "bad_date", on="yesterday"),
    _event("/on", "date_in_future", on="2026-11-24"),
    _event("/where", "required", type="followed-elsewhere"),
    _event("/where", "not_of_this_type", where="Oslo"),
    _event("/note", "too_long", note="x" * 4001),
    Bad("POST", "/patients/{patient}/events", {"type": "transferred", "on": "2026-01-01", "centre": "umea"}, 403,
     "forbidden"),
    Bad("POST", "/patients/{patient}/events", {"type": "transferred", "on": "2026-01-01", "centre": "atlantis"},
        fault=("/centre", "unknown_centre"), token="demo-clinician-lund"),
    Bad("POST", "/patients/{patient}/events", {"type": "lost-to-follow-up", "on": "2026-01-01"}, 409, "conflict",
     ("/type", "too_few_attempts")),
    Bad("POST", "/patients/{patient}/events", {"type": "reinstated", "on": "2026-01-01"}, 409, "conflict", ("/type",
     "nothing_to_take_back")),
]  # fmt: skip

VISITS = [
    _visit("book", {}, "/booked_on", "required"),
    _visit("book", {"booked_on": "2026-11-22"}, "/booked_on", "date_in_past"),
    _visit("book", {"booked_on": "soon"}, "/booked_on", "bad_date"),
    _visit("complete", {}, "/completed_on", "required"),
    _visit("complete", {"completed_on": "2026-11-24"}, "/completed_on", "date_in_future"),
    _visit("complete", {"completed_on": "2025-03-03"}, "/completed_on", "before_infusion"),
    _visit("complete", {"completed_on": "2026-03-04", "response": "good"}, "/response", "unknown_value"),
    _visit("complete", {"completed_on": "2026-03-04", "confirm": ["everything"]}, "/confirm/0", "unknown_value"),
    _visit("complete", {"completed_on": "2026-03-04", "also": [NOBODY]}, "/also", "unknown_field"),
    _visit("miss", {"reason": ""}, "/reason", "empty"),
    _visit("cancel", {"reason": "tired"}, "/reason", "unknown_value", token="demo-clinician-lund"),
    _visit("contacts", {}, "/outcome", "required"),
    _visit("contacts", {"channel": "pigeon", "outcome": "no-answer"}, "/channel", "unknown_value"),
    _visit(
        "contacts",
        {"channel": "phone", "outcome": "no-answer", "contacted_on": "2027-01-01"},
        "/contacted_on",
        "date_in_future",
    ),
    _visit("contacts", {"remind_on": "2026-11-01"}, "/remind_on", "date_in_past"),
    Bad("POST", "/visits/{visit}/cancel", {"reason": "not-required"}, 403, "forbidden"),
    Bad("POST", "/visits/{visit}/complete", {"completed_on": "2026-03-04"}, 428, "version-required", headers={}),
    Bad(
        "POST",
        "/visits/{visit}/complete",
        {"completed_on": "2026-03-04"},
        412,
        "stale-version",
        headers={"If-Match": '"9.x"'},
    ),
    Bad("POST", "/visits/{visit}/complete", {"completed_on": "2026-03-04"}, 404, "not-found", token="demo-nurse-umea"),
    Bad("POST", f"/visits/{NOBODY}/complete", {"completed_on": "2026-03-04"}, 404, "not-found"),
    Bad("POST", "/visits/{later}/miss", {"reason": "moved"}, 409, "conflict", ("", "window_not_open")),
    Bad(
        "POST",
        "/visits/{later}/complete",
        {"completed_on": "2026-11-20"},
        409,
        "conflict",
        ("/completed_on", "window_not_open"),
    ),
    Bad(
        "POST",
        "/visits/{visit}/complete",
        {"completed_on": "2026-11-20"},
        409,
        "conflict",
        ("/completed_on", "nearer_to_next"),
    ),
    _list("limit=0", "/limit", "out_of_range"),
    _list("limit=501", "/limit", "out_of_range"),
    _list("limit=many", "/limit", "not_a_number"),
    _list("limits=5", "/limits", "unknown_parameter"),
    _list("limit=5&limit=6", "/limit", "given_twice"),
    _list("state=late", "/state", "unknown_value"),
    _list("state=due,due", "/state", "unknown_value"),
    _list("state=", "/state", "unknown_value"),
    _list("status=gone", "/status", "unknown_value"),
    _list("due_from=1.1.2026", "/due_from", "bad_date"),
    _list("booked=maybe", "/booked", "unknown_value"),
    _list("purpose=fun", "/purpose", "unknown_value"),
    _list("patient=me", "/patient", "bad_id"),
    _list("centre=LUND", "/centre", "bad_format"),
    _list("count=all", "/count", "unknown_value"),
    Bad("GET", "/visits?centre=umea", status=403, type="forbidden", fault=("/centre", "not_your_centre")),
    Bad("GET", "/visits?cursor=abc", status=400, type="bad-cursor", fault=("/cursor", "bad_cursor")),
    Bad("GET", "/visits?cursor=" + "A" * 1001, fault=("/cursor", "too_long")),
    Bad("GET", "/visits", status=403, type="forbidden", token="demo-network"),
]

OTHERS = [
    Bad("GET", "/alerts/events?after=x", status=400, type="bad-cursor", fault=("/after", "bad_cursor")),
    Bad("GET", "/alerts/events?after=1.-1", status=400, type="bad-cursor", fault=("/after", "bad_cursor")),
    Bad("GET", "/alerts/events?after=1.999999", status=410, type="cursor-expired"),
    Bad("GET", "/alerts/events?after=7.0", status=410, type="cursor-expired"),
    _list("type=visit.late", "/type", "unknown_value", "/alerts/events"),
    _list("state=late", "/state", "unknown_value", "/alerts"),
    Bad("POST", f"/alerts/{NOBODY}/acknowledge", {"reason": "called"}, 404, "not-found"),
    Bad(
        "POST",
        f"/alerts/{NOBODY}/acknowledge",
        {"reason": "called", "because": "x"},
        fault=("/because", "unknown_field"),
    ),
    Bad("GET", "/centres/umea/summary", status=403, type="forbidden", fault=("/centre", "not_your_centre")),
    Bad("GET", "/centres/atlantis/summary", status=404, type="not-found"),
    Bad("GET", "/centres/lund/summary?as_of=2027-01-01", fault=("/as_of", "date_in_future")),
    Bad("GET", "/network/summary", status=403, type="forbidden", token="demo-auditor"),
    Bad("GET", "/protocols/no-such/versions/1", status=404, type="not-found"),
    Bad("GET", "/protocols/ltfu-15y/versions/99", status=404, type="not-found"),
    Bad("GET", "/centres?x=1", fault=("/x", "unknown_parameter")),
    Bad("POST", "/imports", {}, 403, "forbidden"),
    Bad("POST", "/imports", {}, 415, "unsupported-media-type", token="demo-coordinator-lund"),
    Bad("GET", f"/imports/{NOBODY}", status=404, type="not-found", token="demo-coordinator-lund"),
]

BAD = [*INFUSIONS, *PATIENTS, *VISITS, *OTHERS]


def test_there_are_enough_of_them():
    assert len(BAD) >= 150
    assert {bad.status for bad in BAD} == {400, 403, 404, 409, 410, 412, 415, 422, 428}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[Service]:
    """One for all of them, since none changes anything."""
    url = fresh_database("sqlite")
    database = Database(url, Keys.fresh())
    service = Service(
        AppContext(database, Clock(fixed=TODAY), Settings(database_url=url, demo_tokens=True, rate_per_second=100_000))
    )
    yield service
    await service.client.aclose()
    await database.close()
    drop_database(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def known(service: Service) -> dict[str, str]:
    """A patient of Lund: the visit of year 1 was missed before the infusion was entered, year 2 and later ones are
    planned."""
    stored = await service.recorded()
    visits = {visit["code"]: visit["id"] for visit in stored["visits"]}
    return {"patient": stored["patient_id"], "infusion": stored["id"], "visit": visits["Y01"], "later": visits["Y03"]}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("bad", BAD, ids=str)
async def test_a_bad_request_is_told_exactly_and_stores_nothing(service: Service, known: dict[str, str], bad: Bad):
    before = await service.counts()
    content = {} if bad.method == "GET" else {"json": bad.body}
    told = await service.call(bad.method, bad.path.format_map(known), token=bad.token, headers=bad.headers, **content)
    problem = told.json()
    first = next(iter(problem.get("errors", [])), {})
    found = (told.status_code, problem["type"], (first.get("pointer"), first.get("code")) if bad.fault else None)
    assert found == (bad.status, f"/problems/{bad.type}", bad.fault), problem
    after = await service.counts()
    # That it was refused about a patient stands in the log of reads.
    assert {name: n for name, n in after.items() if not name.startswith("access_log")} == {
        name: n for name, n in before.items() if not name.startswith("access_log")
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_a_query_of_thousands_of_parameters_is_refused_with_fifty_of_them(service: Service):
    query = "&".join(f"p{n}=1&p{n}=2" for n in range(2_000))
    told = await service.get(f"/centres?{query}")
    assert (told.status_code, len(told.json()["errors"])) == (422, 50)
