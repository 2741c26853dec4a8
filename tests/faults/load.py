"""Clients under load, over real HTTP: nurses who complete, reopen, book and acknowledge overdue visits, and systems
that poll the feed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.forks import Child, wait_for
from tests.faults.given import infusion

SWEPT, UNTIL = "2034-01-01", "2041-01-01"  # the services' day; the worker goes on from there
Visit = dict[str, Any]


def address(child: Child) -> str:
    """Where a service answers, once it does."""
    return str(wait_for(child.lines)[0])


@asynccontextmanager
async def connected(base: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{base}/api/v1", timeout=60) as client:
        yield client


async def overdue(client: httpx.AsyncClient) -> list[Visit]:
    """All overdue visits of every centre, as the due list tells them."""
    found: list[Visit] = []
    query: dict[str, Any] = {"state": "overdue", "limit": 500}
    while True:
        answer = await client.get("/visits", params=query, headers={"Authorization": "Bearer demo-integration-all"})
        page = answer.raise_for_status().json()
        found += page["items"]
        if not page["has_more"]:
            return found
        query["cursor"] = page["next_cursor"]


@dataclass
class Nurse:
    """Works on visits of her own, whose versions only she changes; counts the statuses of the answers."""

    client: httpx.AsyncClient
    visits: Sequence[Visit]
    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    async def work(self, acts: int, *, recording: bool = False) -> None:
        """`acts` acts, each of which tells the feed of one event, with a booking now and then, and a new patient when
        `recording`."""
        dice = random.Random(self.seed)
        for n in range(acts):
            place = dice.randrange(len(self.visits))
            visit = self.visits[place]
            if n % 5 == 0:
                await self._act(
                    visit, "book", {"booked_on": f"2034-02-{1 + n % 28:02}"} if visit["state"] == "overdue" else None
                )
            if visit["state"] == "overdue":
                await self._act(visit, "complete", {"completed_on": visit["target_on"]})
            else:
                await self._act(visit, "reopen", {"reason": f"another patient's, {n}"})
            if recording and n % 4 == 0:
                new = infusion(
                    20 * (self.seed + 1) + n // 4, "2033-10-03", source=f"{self.seed}-{n}", centre=visit["centre"]
                )
                await self._post("/infusions", visit["centre"], new)

    async def _act(self, visit: Visit, act: str, body: Any) -> None:
        if body is None:
            return
        told = await self._post(f"/visits/{visit['id']}/{act}", visit["centre"], body, visit["version"])
        if told is not None:
            visit |= {name: told[name] for name in ("version", "state", "centre")}

    async def _post(self, path: str, centre: str, body: Any, version: int | None = None) -> Any:
        headers = {"Authorization": f"Bearer demo-nurse-{centre}"} | (
            {} if version is None else {"If-Match": f'"{version}"'}
        )
        answer = await self.client.post(path, json=body, headers=headers)
        self.statuses[answer.status_code] += 1
        if answer.status_code in (200, 201):
            return answer.json()
        self.refused.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        return None


async def poll(client: httpx.AsyncClient, limit: int, over: asyncio.Event) -> tuple[list[Any], int]:
    """The feed as a client reads it, from its cursor on, with the tag of the page that it has; answers the events, and
    how often it was 304. It ends with the first 304 that was asked for when all was written."""
    events: list[Any] = []
    cursor, tag, unchanged = "0", "", 0
    while True:
        last = over.is_set()
        headers = {"Authorization": "Bearer demo-integration-all"} | ({"If-None-Match": tag} if tag else {})
        answer = await client.get("/alerts/events", params={"after": cursor, "limit": limit}, headers=headers)
        if answer.status_code == 304:
            assert not answer.content
            unchanged += 1
            found = []
        else:
            page = answer.raise_for_status().json()
            found, moved = page["items"], page["next_cursor"] != cursor
            cursor, tag = page["next_cursor"], "" if moved else answer.headers["ETag"]
        events += found
        if last and answer.status_code == 304:
            return events, unchanged
        if not found:  # nothing new: the next question comes a little later, or at the end
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.02)
