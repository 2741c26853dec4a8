"""A nurse of Lund at her pages: the real application, a real session, plain forms as a browser sends them."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.api.conftest import AT, Service, make_service, service

__all__ = ["make_service", "service"]
FORM = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


class Ward:
    """Somebody who has logged in. `script`: asks for parts of pages, as htmx does."""

    def __init__(self, service: Service, *, script: bool = False) -> None:
        self.service = service
        self.client = httpx.AsyncClient(transport=service.client._transport, base_url=AT)
        self.script = {"HX-Request": "true"} if script else {}

    async def log_in(self, token: str = "demo-nurse-lund") -> "Ward":
        answer = await self.post("/login/demo", token=token)
        assert answer.status_code == 303, answer.text
        return self

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query or None, headers=self.script)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        return await self.client.post(path, content=urlencode(fields), headers=FORM | self.script)

    async def visit(self, code: str) -> dict[str, Any]:
        """The visit of that code on the list of Lund, as the API tells it."""
        page = (await self.service.get("/visits?state=planned,due,overdue,completed,missed,cancelled&limit=200")).json()
        found: dict[str, Any] = next(v for v in page["items"] if v["code"] == code)
        return found


def row_of(page: str, visit: str) -> str:
    """The part of a page that shows one visit."""
    found = re.search(rf'<tbody[^>]*id="v-{visit}".*?</tbody>', page, re.DOTALL)
    assert found, "the visit is not on the page"
    return found[0]


@pytest.fixture
async def nurse(service: Service) -> AsyncIterator[Ward]:
    ward = await Ward(service).log_in()
    yield ward
    await ward.client.aclose()


@pytest.fixture
async def scripted(service: Service) -> AsyncIterator[Ward]:
    ward = await Ward(service, script=True).log_in()
    yield ward
    await ward.client.aclose()


Make = Callable[..., Service]
