"""Each example of the OpenAPI document is what the service answers to it."""

from typing import Any

import orjson

from tests.api.conftest import Service
from tests.api.examples import FILE, asked

WITHOUT = {"confirm_visit", "cancel_visit", "decide", "get_demo_day", "move_demo_day"}


async def test_the_examples_answer_as_printed(service: Service):
    assert await asked(service) == orjson.loads(FILE.read_bytes())


async def test_every_operation_has_an_example_of_its_request_and_its_answer(service: Service):
    document = (await service.get("/openapi.json", api="", token=None)).json()
    shown: set[str] = set()
    for item in document["paths"].values():
        for operation in item.values():
            if _has_all(operation):
                shown.add(operation["operationId"])
    everything = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}
    assert everything - shown <= WITHOUT


def _has_all(operation: dict[str, Any]) -> bool:
    body = operation.get("requestBody", {}).get("content", {})
    good = [answer for code, answer in operation["responses"].items() if code < "300"]
    parts = [*([body["application/json"]] if "application/json" in body else [])]
    parts += [answer["content"]["application/json"] for answer in good[:1] if "content" in answer]
    return all("example" in part for part in parts)
