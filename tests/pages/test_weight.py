"""What a browser has to load for the list: 25 kB at most with 46 rows, compressed, first visit of the day included."""

import re

import httpx

from app.pages import assets
from tests.pages.conftest import Ward

MOST = 25_000


async def _bytes(ward: Ward, address: str) -> int:
    """How many bytes come through the wire."""
    async with ward.client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status_code == 200
        return sum([len(part) async for part in answer.aiter_raw()])


async def test_a_list_of_46_rows_and_all_that_it_loads_weigh_25_kb_at_most(nurse: Ward):
    for _ in range(46):
        await nurse.service.recorded(infused_on="2025-10-20", discharged_on="2025-11-03")
    page: httpx.Response = await nurse.get("/")
    assert page.text.count('<tbody role="rowgroup" id="v-') == 46
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    assert len(loaded) == 4
    assert await _bytes(nurse, "/") + sum([await _bytes(nurse, address) for address in loaded]) <= MOST


def test_the_script_and_the_stylesheet_of_our_own_are_small():
    assert len(assets._content("app.js")) <= 3_072
    assert len(assets._content("style.css")) <= 10_240
