"""The floors of the house hold: the import rules of pyproject.toml are kept by the code as it is."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.printing import ROOT, tracked


def test_the_import_rules_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_on_a_floor() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    named = {name.strip(" ()") for layer in layers for name in layer.split("|")}
    there = {name.split("/")[1].removesuffix(".py") for name in tracked("app/*") if name != "app/__init__.py"}
    assert there <= named
    assert {c["type"] for c in contracts} == {"layers", "forbidden", "protected", "acyclic_siblings"}
    assert len(contracts) == 7
