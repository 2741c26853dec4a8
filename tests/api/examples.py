"""The examples of the OpenAPI document are real: `python -m tests.api.examples` asks a service each of these calls, in
this order, and writes requests and answers down; test_examples.py asks them again and compares.

Ids, instants and cursors differ from service to service, so each is written as its number in the order of appearance,
and of long lists two rows are kept.
"""

import asyncio
import re
import tempfile
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.db.migrate import migrate
from app.followup import batches
from app.main import AppContext
from app.settings import Settings
from tests.api.conftest import TODAY, Service
from tests.house.printing import ROOT

FILE = ROOT / "app/api/examples.json"
PERSON = {"identifiers": [{"system": "personnummer", "value": "19811228-9874"}], "name": "Test Testsson"}
NEW = {
    "patient": PERSON | {"phone": "070-174 06 05"},
    "centre": "lund",
    "product": "axicabtagene-ciloleucel",
    "context": "SOC",
    "infused_on": "2025-10-02",
    "discharged_on": "2025-10-16",
    "indication": "DLBCL",
    "source": {"system": "ehr-lund", "id": "proc-8841"},
}
HEADING = "personnummer,name,centre,product,context,indication,infused_on,discharged_on,batch,source_system,source_id\n"
ROWS = HEADING + "19800522-9821,Test Testsson,lund,tisagenlecleucel,SOC,DLBCL,2026-10-10,2026-10-24,B1,paper,1\n"
KEPT_ROWS = 2


class Call(NamedTuple):
    """One call: the operation, the address, the body, and as whom. `{name.field}` is a field of the answer to the
    operation `name`; `version`: which answer's version is sent as If-Match."""

    operation: str
    method: str
    path: str
    body: Any = None
    version: str | None = None
    who: str = "coordinator-lund"


REASON = {"reason": "seen at the home hospital"}
VISIT, PATIENT = "/visits/{list_visits.items.0.id}", "/patients/{record_infusion.patient_id}"
CALLS = (
    Call("preview_infusion", "POST", "/infusions/preview", NEW),
    Call("record_infusion", "POST", "/infusions", NEW, who="integration-lund"),
    Call("list_visits", "GET", "/visits?limit=1"),
    Call("get_visit", "GET", VISIT),
    Call("log_contact", "POST", f"{VISIT}/contacts", {"channel": "phone", "outcome": "no-answer"}),
    Call("take_back_contact", "DELETE", "/contacts/{log_contact.id}"),
    Call("log_patient_contact", "POST", f"{PATIENT}/contacts", {"channel": "letter", "outcome": "letter-sent"}),
    Call("book_visit", "POST", f"{VISIT}/book", {"booked_on": "2026-12-01"}, "get_visit"),
    Call("complete_visit", "POST", f"{VISIT}/complete", {"completed_on": "2026-11-20"}, "book_visit"),
    Call("reopen_visit", "POST", f"{VISIT}/reopen", {"reason": "wrong patient"}, "complete_visit"),
    Call("miss_visit", "POST", f"{VISIT}/miss", REASON, "reopen_visit"),
    Call("list_alerts", "GET", "/alerts?limit=1"),
    Call("poll_alerts", "GET", "/alerts/events?after=0&limit=2", who="integration-lund"),
    Call("acknowledge_alert", "POST", "/alerts/{list_alerts.items.0.id}/acknowledge", REASON),
    Call("find_infusions", "GET", "/infusions?limit=1"),
    Call("get_infusion", "GET", "/infusions/{record_infusion.id}"),
    Call("correct_infusion", "PATCH", "/infusions/{record_infusion.id}", {"batch": "B7"}, "get_infusion"),
    Call("search_patients", "POST", "/patients/search", {"name": "testsson"}),
    Call("get_patient", "GET", PATIENT),
    Call("change_patient", "PATCH", PATIENT, {"phone": "070-174 06 06"}, "get_patient"),
    Call("list_patients", "GET", "/patients?limit=1"),
    Call("report_event", "POST", f"{PATIENT}/events", {"type": "survival", "on": "2026-11-20"}),
    Call("get_plans", "GET", f"{PATIENT}/plans"),
    Call("get_follow_up", "GET", f"{PATIENT}/follow-up"),
    Call("get_history", "GET", f"{PATIENT}/history?limit=2"),
    Call("get_accesses", "GET", f"{PATIENT}/accesses?limit=2", who="auditor"),
    Call(
        "void_infusion", "POST", "/infusions/{record_infusion.id}/void", {"reason": "other patient"}, "correct_infusion"
    ),
    Call("centre_summary", "GET", "/centres/lund/summary"),
    Call("network_summary", "GET", "/network/summary", who="network"),
    Call("list_centres", "GET", "/centres"),
    Call("list_products", "GET", "/products"),
    Call("list_protocols", "GET", "/protocols"),
    Call("get_protocol", "GET", "/protocols/ltfu-15y/versions/1"),
    Call("start_import", "POST", "/imports?dry_run=true", ROWS),
    Call("get_import", "GET", "/imports/{start_import.id}"),
)
# What needs years of its own, or the demo, has no example: confirm_visit, cancel_visit, decide.


async def asked(service: Service) -> dict[str, Any]:
    """The examples by operation: `request` (where there is a body) and `answer`, as they stand in the document."""
    said: dict[str, Any] = {}
    plain = _Plain()
    found: dict[str, Any] = {}
    for call in CALLS:
        if call.operation == "list_alerts":
            await batches.sweep(service.house.db, Clock(fixed=date(2028, 6, 1)))
        path = re.sub(r"\{([a-z_.0-9]+)\}", lambda match: str(_picked(said, match[1])), call.path)
        headers = {"If-Match": f'"{said[call.version]["version"]}"'} if call.version else {}
        options: dict[str, Any] = {"json": call.body} if isinstance(call.body, dict) else {}
        if isinstance(call.body, str):
            options, headers = {"content": call.body}, {"Content-Type": "text/csv"}
        answer = await service.call(call.method, path, token=f"demo-{call.who}", headers=headers, **options)
        assert answer.status_code < 300, f"{call.operation}: {answer.status_code} {answer.text}"
        await asyncio.gather(*service.app.state.jobs)
        said[call.operation] = answer.json() if answer.content else None
        shown = {"request": call.body} if isinstance(call.body, dict) else {}
        if answer.content:
            shown["answer"] = plain.of(said[call.operation])
        found[call.operation] = shown
    return found


def _picked(said: Any, where: str) -> Any:
    for step in where.split("."):
        said = said[int(step)] if step.isdigit() else said[step]
    return said


class _Plain:
    """Values that differ from service to service, each as its number in the order of appearance."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def of(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self.of(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.of(inner, name) for inner in value[:KEPT_ROWS]]
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"[0-9a-f-]{36}", value):
            return self.ids.setdefault(value, str(UUID(int=0x019AC000_0000_7000_8000_000000000001 + len(self.ids))))
        if re.fullmatch(r"visits/[0-9a-f-]{36}", value):
            return f"visits/{self.of(value[7:])}"
        if re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]*(Z|\+00:00)", value):
            return f"{TODAY}T08:00:00.000Z"
        return "eyJ..." if name == "next_cursor" and len(value) > 20 else value


async def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'examples.db'}"
        await migrate(url)
        database = Database(url, Keys.fresh())
        settings = Settings(database_url=url, demo_tokens=True, rate_per_second=100_000)
        service = Service(AppContext(database, Clock(fixed=TODAY), settings))
        found = await asked(service)
        FILE.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        await service.client.aclose()
        await database.close()


if __name__ == "__main__":
    asyncio.run(_write())
