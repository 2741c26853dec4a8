"""Clients that others generate from the OpenAPI document can be generated, and compile. Each generator is used where it
is at hand: none of them is needed to build or test the service."""

import compileall
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import Service

GENERATORS = {
    "openapi-python-client": ("generate", "--path", "openapi.json", "--output-path", "client", "--meta", "none"),
    "openapi-typescript": ("openapi.json", "-o", "api.d.ts"),
    "openapi-generator-cli": ("generate", "-i", "openapi.json", "-g", "java", "-o", "java"),
    "spectral": ("lint", "openapi.json"),
    "redocly": ("lint", "openapi.json"),
}


@pytest.mark.proof
@pytest.mark.parametrize("generator", GENERATORS)
async def test_a_client_can_be_made_of_the_document(service: Service, tmp_path: Path, generator: str):
    if (command := shutil.which(generator)) is None:
        pytest.skip(f"{generator} is not installed")
    document = (await service.get("/openapi.json", api="", token=None)).json()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')
    _run(command, *GENERATORS[generator], cwd=tmp_path)
    if generator == "openapi-python-client":
        assert compileall.compile_dir(tmp_path / "client", quiet=1)
    if generator == "openapi-typescript" and (tsc := shutil.which("tsc")):
        _run(tsc, "--noEmit", "--strict", "api.d.ts", cwd=tmp_path)


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert " warning " not in done.stdout
