"""The service and the plain model (tests/model.py) agree over random lives of fifteen years, on both databases in turn;
a life on which they differ is shrunk and told."""

from collections.abc import Sequence

import pytest

from tests.databases import KINDS
from tests.invariants import check_invariants
from tests.years.choices import Op, a_life
from tests.years.conftest import Opener
from tests.years.lives import Failure, Life, report


async def test_service_and_model_agree_on_a_life(open_service: Opener, seed: int) -> None:
    async def attempt(ops: Sequence[Op]) -> Failure | None:
        async with open_service(KINDS[seed % len(KINDS)]) as service:
            life = Life(service)
            try:
                await life.run(ops)
                check_invariants(service.url, life.model.today)
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the life is shrunk and told
                return Failure(error, life.done)
            return None

    if told := await report(seed, a_life(seed), attempt):
        pytest.fail(told, pytrace=False)


SEEDS, PROOF, ALWAYS = 200, 14, 4


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", [pytest.param(seed, marks=_run_by(seed)) for seed in range(SEEDS)])


def _run_by(seed: int) -> Sequence[pytest.MarkDecorator]:
    """Which command lives a seed: `make test`, `make proof`, or by hand `make reach`."""
    return [] if seed < ALWAYS else [pytest.mark.proof] if seed < PROOF else [pytest.mark.reach]
