"""Every operation of the OpenAPI document under random requests, good and bad: no server error, no undocumented answer
(schemathesis)."""

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from socket import socket
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api import document
from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.http import server
from app.main import AppContext, create_app
from app.settings import Settings
from tests.api.conftest import TODAY, infusion
from tests.api.test_declared import CONTRACT
from tests.databases import drop_database, fresh_database

pytestmark = pytest.mark.proof
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 60
SENSIBLE = {
    "centre": "lund",
    "product": "axicabtagene-ciloleucel",
    "protocols": None,
    "completed": [],
    "continues": None,
    "patient_id": None,
}


@dataclass
class Running:
    """A service on a port of this machine, and ids of what it knows."""

    address: str
    schema: dict[str, Any]
    known: dict[str, list[str]]


class Ready(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _serve(url: str, ready: threading.Event, box: list[Any]) -> None:
    async def work() -> None:
        database = Database(url, Keys.fresh())
        house = AppContext(
            database, Clock(fixed=TODAY), Settings(database_url=url, rate_per_second=1_000_000), demo=True
        )
        app, bound = create_app(house), server.bind("127.0.0.1", 0)
        running = Ready(uvicorn.Config(app, access_log=False, log_config=None, lifespan="on"), ready)
        box.extend([running, server.address(bound), document.build(app)])
        running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        for name, told in box[2]["components"]["schemas"].items():
            if name != "Problem":  # whose further members are the error's facts
                told["additionalProperties"] = False  # a field that is sent and not documented is found too
        await running.serve([bound])
        await database.close()

    asyncio.run(work())


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    url, ready, box = fresh_database("sqlite"), threading.Event(), list[Any]()
    thread = threading.Thread(target=_serve, args=(url, ready, box))
    thread.start()
    assert ready.wait(120)
    process, address, schema = box
    known: dict[str, list[str]] = {"infusion_id": [], "patient_id": [], "visit_id": [], "alert_id": []}
    with httpx.Client(
        base_url=f"{address}/api/v1", headers={"Authorization": "Bearer demo-coordinator-lund"}
    ) as client:
        for month in range(1, 9):
            stored = (
                client.post("/infusions", json=infusion(infused_on=f"2025-{month:02d}-15", discharged_on=None))
                .raise_for_status()
                .json()
            )
            known["infusion_id"].append(stored["id"])
            known["patient_id"].append(stored["patient_id"])
            known["visit_id"] += [visit["id"] for visit in stored["visits"][:3]]
        client.post("/demo/clock", json={"today": "2027-09-01"}).raise_for_status()
        known["alert_id"] = [alert["id"] for alert in client.get("/alerts").json()["items"]]
    yield Running(address, schema, known)
    process.should_exit = True
    thread.join()
    drop_database(url)


def _aim(case: Any, known: dict[str, list[str]]) -> None:
    """Two of three requests go to things that exist, with a version and values that make sense: else nearly every
    answer would be 404 or 422."""
    number = sum(map(ord, repr(case.path_parameters) + repr(case.body)))
    if number % 3 == 0:
        return
    for name, ids in known.items():
        if name in (case.path_parameters or {}) and ids:
            case.path_parameters[name] = ids[number % len(ids)]
            case.headers["If-Match"] = f'"{1 + number % 2}"'
    if isinstance(case.body, dict):
        for name in case.body:
            if name.endswith("_on") or name == "on":
                case.body[name] = f"202{4 + number % 4}-0{1 + number % 9}-1{number % 10}"
        sensible = {**SENSIBLE, "patient": infusion()["patient"]}
        case.body.update(
            {
                name: value
                for name, value in sensible.items()
                if name in case.body and (name != "centre" or "product" in case.body)
            }
        )


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", [line.strip() for line in CONTRACT.split(";")])
def test_no_request_is_answered_in_a_way_that_is_not_documented(running: Running, operation: str, mode: GenerationMode):
    method, path = operation.split()
    schema = schemathesis.openapi.from_dict(running.schema)
    schema.config.update(base_url=running.address)
    template = next(told for told in running.schema["paths"] if re.sub(r"{[^}]*}", "{}", told) == f"/api/v1{path}")
    token = "demo-auditor" if path.endswith("accesses") else "demo-coordinator-lund"

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(case=schema[template][method].as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        _aim(case, running.known)
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    each()
