"""The five calls of README.md work as they are printed, in their order, against a demo that is really started."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests import processes
from tests.processes import ROOT

README = (ROOT / "README.md").read_text()
PRINTED = "http://127.0.0.1:8000"
CALLS = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "curl" in block]


def test_the_readme_shows_five_calls_and_the_two_commands() -> None:
    assert len(CALLS) == 5
    assert sum(call.count("curl") for call in CALLS) == 5
    assert re.search(r"^make demo .*\nmake test", README, re.MULTILINE)


def test_the_calls_of_the_readme_work_as_printed(filled: Path, tmp_path: Path) -> None:
    with processes.started("demo", "--port", 0, "--data", filled, env=processes.environment(), cwd=tmp_path) as demo:
        address = demo.said("the demo: http").split()[-1]
        infusion, due, done, feed, network = (_told(call.replace(PRINTED, address), tmp_path) for call in CALLS)
        again = _told(CALLS[0].replace(PRINTED, address), tmp_path)
        assert demo.stop() == 0
    assert (infusion["centre"], len(infusion["visits"])) == ("lund", 16)
    assert again["id"] == infusion["id"]
    assert {visit["state"] for visit in due["items"]} == {"due"}
    assert (done["id"], done["state"], done["completed_on"], done["on_time"]) == (
        due["items"][0]["id"],
        "completed",
        "2026-11-23",
        True,
    )
    assert feed["items"][0]["type"] == "visit.overdue"
    assert feed["has_more"]
    assert (network["infusions"], network["patients"], network["children"]) == (305, 298, 13)
    assert "<5" in {centre["patients"] for centre in network["centres"]}


def _told(call: str, folder: Path) -> Any:
    """What a call prints, run by a shell as a reader would run it."""
    done = subprocess.run(["sh", "-eu"], input=call, text=True, capture_output=True, cwd=folder, check=True, timeout=60)
    return json.loads(done.stdout)
