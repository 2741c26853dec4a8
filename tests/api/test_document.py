"""The OpenAPI document: what a client is made from says all that it needs, and nothing that misleads it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.actor import SCOPE
from app.http import problems
from tests.api.conftest import Service
from tests.house.printing import every_error, tracked

ROOT = Path(__file__).parents[2]
# What commands say is no answer.
OF_COMMANDS = ("app.cli", "app.demo", "app.db.backup", "app.db.dump", "app.db.diagnosis", "app.http.server")
AT = {"FieldError": 1, "PydanticCustomError": 0}  # where a call names its code


@pytest.fixture
async def document(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = (await service.get("/openapi.json", api="", token=None)).json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method.upper(), operation


async def test_it_says_where_the_service_is_and_whose_it_is(document: dict[str, Any]):
    assert document["servers"][0]["url"] == "/"
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert document["info"]["contact"]["name"]
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    assert described.keys() == used
    assert all(text.endswith(".") for text in described.values())


async def test_every_field_is_described_and_none_is_described_twice_by_its_name(document: dict[str, Any]):
    fields = [
        (f"{name}.{field}", shape)
        for name, schema in document["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
    ]
    assert len(fields) > 300
    assert [
        name for name, shape in fields if not shape.get("description") or "title" in shape or "default" in shape
    ] == []


async def test_every_operation_says_which_scope_a_system_needs(service: Service, document: dict[str, Any]):
    for path, method, operation in operations(document):
        act = service.app.state.acts[path, method]
        assert operation["security"] == [{"bearer": []}]
        assert operation.get("x-required-scope") == SCOPE.get(act)
        assert (f"`{SCOPE.get(act)}`" in operation["description"]) == (act in SCOPE)


async def test_what_a_patch_refuses_to_empty_is_not_nullable(document: dict[str, Any]):
    schemas = document["components"]["schemas"]
    assert "anyOf" not in schemas["PatientChange"]["properties"]["name"]
    assert {"type": "null"} in schemas["PatientChange"]["properties"]["phone"]["anyOf"]
    assert "required" not in schemas["Correction"]
    assert schemas["PatientChange"]["properties"]["identifiers"]["maxItems"] == 5


async def test_patterns_are_patterns_of_javascript_too(document: dict[str, Any]):
    patterns = set(re.findall(r"'pattern': '([^']+)'", str(document)))
    assert any(r"visit\\.overdue" in pattern for pattern in patterns)
    assert not any(r"\\-" in pattern.replace(r"\\x7f-", "") for pattern in patterns), (
        "no dash is escaped: /u refuses it"
    )


async def test_every_code_is_in_the_list_and_every_type_has_its_page(service: Service, document: dict[str, Any]):
    schemas = document["components"]["schemas"]
    assert schemas["ErrorCode"]["anyOf"][0]["enum"] == sorted(set(_codes()))
    for address in schemas["Problem"]["properties"]["type"]["enum"]:
        assert (await service.get(address, api="", token=None)).status_code == 200


def _codes() -> Iterator[str]:
    yield from (cls.code for cls in every_error() if not cls.__module__.startswith(OF_COMMANDS))
    yield from (code for code, _ in problems.CODES.values())
    for name in tracked("app/*.py"):
        if name.removesuffix(".py").replace("/", ".").startswith(OF_COMMANDS):
            continue
        for call in [node for node in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(node, ast.Call)]:
            given = [word.value for word in call.keywords if word.arg == "code"]
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            given += call.args[AT[called] : AT[called] + 1] if called in AT else []
            yield from (
                value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)
            )
