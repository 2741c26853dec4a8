"""Makes the pictures of `docs/pictures/` from the real demo: `python -m tests.browser.pictures` (needs Chromium; half a
minute to fill the demo)."""

import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests import processes
from tests.processes import ROOT, started

OUT = ROOT / "docs" / "pictures"
DAY = "2026-11-23"


def main() -> None:
    """Starts a demo of its own, logs in as a nurse of Uppsala, and takes each picture."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        words = ("demo", "--today", DAY, "--port", 0, "--data", data)
        with started(*words, env=processes.environment(), cwd=Path(data)) as demo, sync_playwright() as playwright:
            address = demo.said("Follow-up, the demo: ").split()[-1]
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = _nurse(browser, address, 1366, 900)
            page.screenshot(path=OUT / "due-list.png")
            page.locator("tbody.visit th a").first.click()
            page.screenshot(path=OUT / "patient.png")
            page.goto("/alerts")
            page.screenshot(path=OUT / "alerts.png")
            _nurse(browser, address, 390, 800).screenshot(path=OUT / "due-list-phone.png")
            browser.close()
            demo.stop()


def _nurse(browser: Browser, address: str, width: int, height: int) -> Page:
    page = browser.new_context(base_url=address, viewport={"width": width, "height": height}, locale="sv-SE").new_page()
    page.goto("/login/demo?token=demo-nurse-uppsala")
    return page


if __name__ == "__main__":
    main()
