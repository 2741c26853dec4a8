"""The service over ASGI, on a migrated SQLite file of the test's own; the day is 2026-11-23, the caller sits on this
machine."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.http import log
from app.main import AppContext, create_app
from app.settings import Settings
from tests.logs import tell_plainly

TODAY = date(2026, 11, 23)
NURSE = "demo-nurse-lund"
AT = "http://localhost"  # where the service is reached; the demo's tokens are honoured at a name of this machine only
_serial = count(0)


def luhn(digits: str) -> str:
    """The check digit of a personnummer's nine digits."""
    doubled = [int(d) * (2 - n % 2) for n, d in enumerate(digits)]
    return str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def number_of(born: date, serial: int) -> str:
    """A personnummer with a serial of 980 to 999, which are given to nobody."""
    nine = f"{born:%y%m%d}{980 + serial % 20}"
    return f"{born:%Y%m%d}{nine[6:]}{luhn(nine)}"


def infusion(**changed: Any) -> dict[str, Any]:
    """A body of POST /infusions for a person of its own; only what matters to a test is told."""
    n = next(_serial)
    person = {
        "identifiers": [
            {"system": "personnummer", "value": number_of(date(1950 + n // 20 % 50, 1 + n // 1000 % 12, 4), n)}
        ],
        "name": "Test Testsson",
    }
    body = {
        "patient": person,
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2025-03-04",
        "discharged_on": "2025-03-18",
        "source": {"system": "cosmic-lund", "id": f"proc-{n}"},
    }
    return {name: value for name, value in {**body, **changed}.items() if value is not ...}


class Service:
    """The service as a client sees it, and its database as nobody else may."""

    def __init__(self, house: AppContext, *, peer: str = "127.0.0.1") -> None:
        self.house = house
        self.app = create_app(house)
        transport = httpx.ASGITransport(self.app, client=(peer, 50000), raise_app_exceptions=True)
        self.client = httpx.AsyncClient(transport=transport, base_url=AT)

    async def call(
        self, method: str, path: str, *, token: str | None = NURSE, api: str = "/api/v1", **options: Any
    ) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        return await self.client.request(method, api + path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.call("POST", path, json=body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.call("PATCH", path, json=body, **options)

    async def recorded(self, **changed: Any) -> dict[str, Any]:
        """An infusion that was taken."""
        told = await self.post("/infusions", infusion(**changed))
        assert told.status_code == 201, told.text
        body: dict[str, Any] = told.json()
        return body

    async def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        async with self.house.db.read.connect() as connection:
            names = (
                (await connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))).scalars().all()
            )
            return {
                name: (await connection.execute(text(f'SELECT count(*) FROM "{name}"'))).scalar_one() for name in names
            }


@pytest.fixture
async def make_service(sqlite_url: str) -> AsyncIterator[Callable[..., Service]]:
    """A service on the test's database; `rate`, `demo`, `peer`, `today` as told."""
    database = Database(sqlite_url, Keys.fresh())
    made: list[Service] = []

    def make(*, rate: int = 100_000, demo: bool = True, peer: str = "127.0.0.1", today: date = TODAY) -> Service:
        settings = Settings(database_url=sqlite_url, demo_tokens=demo, rate_per_second=rate)
        made.append(Service(AppContext(database, Clock(fixed=today), settings), peer=peer))
        return made[-1]

    yield make
    for service in made:
        await service.client.aclose()
    await database.close()


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    return make_service()


@pytest.fixture
def logged() -> Iterator[None]:
    """Log lines as the service writes them, to standard error; put back at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.configure("info")
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    tell_plainly()
