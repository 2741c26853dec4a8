"""A real browser at the real demo: Debian's Chromium without a window, the service as a process of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import processes
from tests.api.conftest import number_of
from tests.processes import started

DAY = "2026-11-23"
PATIENTS = {
    "Anna Testsson": "2025-10-20",
    "Erik Provberg": "2025-09-10",
    "Per Åström": "2025-11-25",
    "Nils Hemlig": "2025-10-21",
    "Karin Lind": "2025-10-23",
}
COORDINATOR = {"Authorization": "Bearer demo-coordinator-lund"}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        missing = pytest.mark.skip(
            reason="Chromium is not installed here: apt-get install chromium, or set CHROMIUM to its path"
        )
        for item in items:
            if Path(item.path).is_relative_to(Path(__file__).parent):
                item.add_marker(missing)


@pytest.fixture(scope="module")  # its driver keeps an event loop running, which no test of another kind could bear
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@contextmanager
def ward(data: Path, **also: str) -> Iterator[str]:
    """The demo on its own day, with a handful of patients of Lund: one visit overdue, the others now, one of them of a
    protected identity. `also`: further patients by name, with the day of the infusion."""
    with started(
        "demo", "--empty", "--today", "2026-11-01", "--port", 0, "--data", data, env=processes.environment(), cwd=data
    ) as demo:
        found = demo.said("Follow-up, the demo: ").split()[-1]
        with httpx.Client(base_url=f"{found}/api/v1", headers=COORDINATOR, timeout=60) as client:
            for n, (name, infused_on) in enumerate((PATIENTS | also).items()):
                _record(client, name, infused_on, n)
            _protect(client)
            assert client.post("/demo/clock", json={"today": DAY}).status_code == 200
        yield found
        demo.stop()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared ward keeps its database."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def address(data: Path) -> Iterator[str]:
    """A ward for all tests that leave the list as they found it; a file whose tests do not has one of its own."""
    with ward(data) as found:
        yield found


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[str]:
    """A ward of the test's own, where nothing has been done yet."""
    with ward(tmp_path) as found:
        yield found


def _record(client: httpx.Client, name: str, infused_on: str, n: int) -> None:
    number = {"system": "personnummer", "value": number_of(date(1960, 1, 1 + n), n)}
    patient = {"identifiers": [number], "name": name, "phone": f"070-174068{n}"}
    body: dict[str, Any] = {
        "patient": patient,
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": infused_on,
    }
    assert client.post("/infusions", json=body).status_code == 201


def _protect(client: httpx.Client) -> None:
    hidden = client.post("/patients/search", json={"name": "Hemlig"}).json()["items"][0]
    told = client.patch(f"/patients/{hidden['id']}", json={"protected": True}, headers={"If-Match": '"1"'})
    assert told.status_code == 200, told.text


@pytest.fixture
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=address, viewport={"width": 1366, "height": 768}, locale="sv-SE")
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """The nurse's browser, logged in, with the due list before her."""
    opened = context.new_page()
    opened.goto("/login/demo?token=demo-nurse-lund")
    return opened


def tab_to(page: Page, selector: str) -> int:
    """Goes there by the Tab key, and answers how often it was pressed."""
    for n in range(1, 80):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return n
    raise AssertionError(f"{selector} is not reached by the Tab key")


def faults(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands: WCAG 2.2 AA, and its own good practice (headings in order,
    everything in a landmark)."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]
