"""Every error is a problem of RFC 9457, and tells nothing of a person or of the house's inside."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

import app
from app import errors
from app.errors import FieldError, FollowUpError
from app.http import problems
from tests.api.conftest import Service, infusion

STATUSES = {400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414, 415, 422, 428, 429, 431, 500, 503}


def _every(kind: type[FollowUpError]) -> Iterator[type[FollowUpError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _every(below)


def test_every_error_of_the_house_has_its_status_code_and_title():
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.startswith(("app.cli", "app.demo")):
            importlib.import_module(module.name)
    found = [kind for kind in _every(FollowUpError) if not kind.__module__.startswith(("app.cli", "app.demo", "tests"))]
    assert len(found) > 25
    for kind in found:
        error = kind()
        assert problems.kind_of(error).status in STATUSES, kind
        assert error.code == error.code.lower() != "refused", kind
        assert 10 < len(error.title()) < 160, kind


def test_the_types_are_those_of_the_contract():
    assert {kind.name: kind.status for kind in problems.KINDS.values()} == {
        "malformed": 400, "bad-cursor": 400, "unauthenticated": 401, "forbidden": 403, "not-found": 404,
         "conflict": 409, "cursor-expired": 410,
        "stale-version": 412, "too-large": 413, "validation": 422, "version-required": 428, "rate-limited": 429,
         "unavailable": 503,
        "request-timeout": 408, "address-too-long": 414, "headers-too-large": 431,
    }  # fmt: skip


async def test_a_problem_has_the_members_of_the_contract(service: Service):
    told = await service.post("/infusions?", infusion(infused_on="2026-12-24", discharged_on=None))
    assert told.headers["content-type"] == "application/problem+json"
    body = told.json()
    assert {**body, "request_id": "", "title": "", "detail": ""} == {
        "type": "/problems/validation", "title": "", "status": 422, "detail": "", "instance": "/api/v1/infusions",
         "request_id": "",
        "code": body["code"],
        "errors": [{"pointer": "/infused_on", "code": "date_in_future", "message": body["errors"][0]["message"]}],
    }  # fmt: skip
    assert body["request_id"] == told.headers["x-request-id"]
    assert body["title"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/infusions", "GET, HEAD, POST"),
        ("PUT", "/visits", "GET, HEAD"),
        ("DELETE", "/infusions/01a20ebe-a811-7024-85f1-4319ccf84324", "GET, HEAD, PATCH"),
        ("GET", "/visits/01a20ebe-a811-7024-85f1-4319ccf84324/book", "POST"),
        ("HEAD", "/visits/01a20ebe-a811-7024-85f1-4319ccf84324/book", "POST"),
        ("OPTIONS", "/centres", "GET, HEAD"),
        ("TRACE", "/alerts", "GET, HEAD"),
    ],
)
async def test_405_names_every_method_of_the_address(service: Service, method: str, path: str, allow: str):
    told = await service.call(method, path)
    assert (told.status_code, told.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert told.json()["type"] == "/problems/method-not-allowed"


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api/v1/visits/", "/api/v1/visits/1", "/api/v1/visits/zzz", "/api/v1/protocols/x/versions/0"],
)
async def test_404_is_a_problem(service: Service, path: str):
    told = await service.get(path, api="")
    assert (told.status_code, told.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.usefixtures("logged")
async def test_what_goes_wrong_inside_is_500_and_says_nothing(service: Service, capsys: pytest.CaptureFixture[str]):
    router = APIRouter()

    @router.get("/api/wrong")
    async def wrong() -> None:
        raise ValueError("19811228-9874 Test Testsson")

    service.app.include_router(router)
    told = await service.get("/wrong?name=Testsson", api="/api")
    assert (told.status_code, told.json()["type"]) == (500, "/problems/internal")
    said = capsys.readouterr()
    assert "ValueError at " in said.err
    assert "Testsson" not in told.text + said.err + said.out
    assert told.json()["request_id"] in said.err


@pytest.mark.usefixtures("logged")
async def test_a_number_in_a_mistyped_address_is_not_logged(service: Service, capsys: pytest.CaptureFixture[str]):
    await service.get("/patients/19811228-9874?name=Testsson")
    await service.get("/patient/19811228-9874")
    await service.get("/visits", headers={"X-Request-Id": "19811228-9874"})
    said = capsys.readouterr().err
    assert said.count("request.done") == 3
    assert "9874" not in said
    assert "Testsson" not in said


async def test_what_was_sent_is_not_repeated(service: Service):
    told = await service.post(
        "/infusions", {**infusion(), "19811228-9874": 1, "context": "Testsson", "infused_on": "Testsson"}
    )
    assert told.status_code == 422
    assert "9874" not in told.text
    assert "Testsson" not in told.text
    assert [(fault["pointer"], fault["code"]) for fault in told.json()["errors"]] == [
        ("/context", "unknown_value"),
        ("/infused_on", "bad_date"),
        ("", "unknown_field"),
    ]


async def test_a_commit_that_fails_has_not_said_201(service: Service):
    before = await service.counts()
    dialect, armed = service.house.db.write.sync_engine.dialect, True
    plain = dialect.do_commit

    def do_commit(connection: object) -> None:
        if armed:
            raise OperationalError("COMMIT", None, Exception("disk full"))
        plain(connection)  # type: ignore[arg-type]

    dialect.do_commit = do_commit  # type: ignore[method-assign]
    told = await service.post("/infusions", infusion())
    armed = False
    assert (told.status_code, told.json()["type"]) == (503, "/problems/unavailable")
    assert int(told.headers["retry-after"]) > 0
    assert await service.counts() == before
    assert (await service.post("/infusions", infusion())).status_code == 201


async def test_a_database_that_is_locked_is_503(service: Service):
    @event.listens_for(service.house.db.read.sync_engine, "before_cursor_execute")
    def _(*_: object) -> None:
        raise OperationalError("SELECT", None, Exception("database is locked"))

    told = await service.get("/visits")
    assert (told.status_code, told.json()["type"]) == (503, "/problems/unavailable")
    assert (await service.get("/readyz", api="")).status_code == 503
    assert (await service.get("/livez", api="")).status_code == 200


def test_a_pointer_is_a_json_pointer():
    assert problems.pointer("completed.0.code") == "/completed/0/code"
    assert problems.pointer("") == ""


def test_facts_of_an_error_are_members_and_never_replace_those_of_the_standard():
    error = errors.Conflict("No.", status="mine", id="1", field="x", errors=[FieldError("x", "y", "z")])
    body = problems.answer({"type": "http", "method": "POST", "path": "/p"}, error).body
    assert b'"status":409' in body
    assert b'"id":"1"' in body
