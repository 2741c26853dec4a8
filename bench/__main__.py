"""`python -m bench`: the table on the terminal, and results.json beside this file."""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import locked, planning, reading, recording, sweeping
from bench.databases import Makes
from bench.measure import Figure, table
from bench.serving import Servers

NAMES = ("plan", "due", "page", "undecided", "poll", "infusion", "nothing-new", "sweep", "locked")
RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done. `nations` in patients, the smallest first; the last one is where newly overdue visits are swept."""

    nations: tuple[int, ...] = (300, 20_000, 200_000)
    requests: int = 800
    times: int = 40
    turns: int = 7
    overdue: int = 10_000
    sweeps: int = 3
    plans: int = 2000


QUICK = Sizes(nations=(60,), requests=24, times=2, turns=2, overdue=100, sweeps=2, plans=200)
Work = Callable[[], Awaitable[Figure]]


def works(makes: Makes, servers: Servers, s: Sizes) -> list[tuple[str, Work]]:
    """What is measured, in order, each under the name that `--only` takes."""
    kinds, most = ("postgresql", "sqlite"), s.nations[-1]

    async def plan() -> Figure:
        return planning.plan(times=s.plans, turns=s.turns)

    found: list[tuple[str, Work]] = [("plan", plan)]
    found += [("due", lambda n=n: reading.due_list(makes, servers, n, requests=s.requests // 2, rounds=s.turns)) for n in s.nations]
    found += [("page", lambda n=n: reading.first_page(makes, servers, n, requests=s.requests // 10, rounds=s.turns)) for n in s.nations]
    found += [("undecided", lambda n=n: reading.undecided(makes, servers, n, requests=s.requests // 2)) for n in s.nations]
    found += [("poll", lambda n=n: reading.poll(makes, servers, n, requests=s.requests * 2, rounds=s.turns)) for n in s.nations]
    found += [("infusion", lambda k=k, n=n: recording.infusion(makes, k, n, times=s.times, turns=s.turns)) for k in kinds for n in s.nations]
    found += [("nothing-new", lambda k=k, n=n: sweeping.nothing_new(makes, k, n, times=10 * s.turns)) for k in kinds for n in s.nations]
    found += [("sweep", lambda k=k: sweeping.newly_overdue(makes, k, most, visits=s.overdue, turns=s.sweeps)) for k in kinds]
    found += [("locked", lambda n=n: locked.locked(makes, servers, n, requests=s.requests)) for n in s.nations]
    return found


async def run(folder: Path, sizes: Sizes, only: Sequence[str]) -> list[Figure]:
    """Takes the figures one after the other; databases and servers are in the folder, and gone at the end."""
    makes, servers = Makes(folder), Servers()
    try:
        figures = []
        for name, work in works(makes, servers, sizes):
            if not only or name in only:
                figures.append(await work())
                print(f"  {figures[-1].name}: {figures[-1].value:.3g} {figures[-1].unit}", file=sys.stderr)
        return figures
    finally:
        servers.end()
        makes.end()


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table and writes the results. A goal that is missed is told, and is no error."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that everything can be measured, not how fast it is")
    parser.add_argument(
        "--sizes", type=int, nargs="+", metavar="PATIENTS", help="the nations, the smallest first; growth is from the first to the last"
    )
    parser.add_argument("--only", action="append", choices=NAMES, default=[], help="only this; may be given several times")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures are written as JSON")
    given = parser.parse_args(arguments)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="follow-up-bench-") as folder:
        Path(folder).chmod(0o711)  # the server's own user walks through it
        sizes = QUICK if given.quick else Sizes()
        if given.sizes:
            sizes = replace(sizes, nations=tuple(sorted(given.sizes)))
        figures = asyncio.run(run(Path(folder), sizes, given.only))
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "quick": given.quick,
        "took_seconds": round(time.perf_counter() - began, 1),
        "figures": [figure.told() for figure in figures],
    }
    given.results.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
