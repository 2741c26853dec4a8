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
from functools import partial
from pathlib import Path
from typing import Any

from bench import locked, planning, reading, recording, sweeping
from bench.databases import Makes
from bench.measure import Figure, table
from bench.serving import Servers

NAMES = ("plan", "due", "page", "undecided", "poll", "feed", "infusion", "nothing-new", "sweep", "locked")
KINDS = ("postgresql", "sqlite")
RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done. `nations` in patients, the smallest first; the last one is where newly overdue visits are
    swept."""

    nations: tuple[int, ...] = (300, 20_000, 200_000)
    requests: int = 800
    times: int = 40
    turns: int = 7
    overdue: int = 10_000
    sweeps: int = 3
    plans: int = 2000


QUICK = Sizes(nations=(60,), requests=24, times=2, turns=2, overdue=100, sweeps=2, plans=200)
Work = Callable[[], Awaitable[list[Figure]]]


def works(makes: Makes, servers: Servers, s: Sizes) -> list[tuple[str, Work]]:
    """What is measured, in order, each under the name that `--only` takes."""

    async def plan() -> list[Figure]:
        return [planning.plan(times=s.plans, turns=s.turns)]

    async def sweep() -> list[Figure]:
        return [
            await sweeping.newly_overdue(makes, kind, s.nations[-1], visits=s.overdue, turns=s.sweeps) for kind in KINDS
        ]

    async def no_lock() -> list[Figure]:
        return [await locked.locked(makes, servers, patients, requests=s.requests) for patients in s.nations]

    found: list[tuple[str, Work]] = [("plan", plan)]
    read: list[tuple[str, Any, int]] = [
        ("due", reading.due_list, s.requests // 2),
        ("page", reading.first_page, s.requests // 10),
        ("undecided", reading.undecided, s.requests // 2),
        ("poll", reading.poll, s.requests * 2),
        ("feed", reading.feed, s.requests // 2),
    ]
    found += [
        (name, partial(take, makes, servers, s.nations, requests=requests, rounds=s.turns))
        for name, take, requests in read
    ]
    found += [
        ("infusion", partial(recording.infusion, makes, kind, s.nations, times=s.times, turns=s.turns))
        for kind in KINDS
    ]
    found += [
        ("nothing-new", partial(sweeping.nothing_new, makes, kind, s.nations, times=10 * s.turns)) for kind in KINDS
    ]
    return [*found, ("sweep", sweep), ("locked", no_lock)]


async def run(folder: Path, sizes: Sizes, only: Sequence[str]) -> list[Figure]:
    """Takes the figures one after the other; databases and servers are in the folder, and gone at the end."""
    makes, servers = Makes(folder), Servers()
    try:
        figures: list[Figure] = []
        for name, work in works(makes, servers, sizes):
            if not only or name in only:
                for figure in await work():
                    figures.append(figure)
                    print(f"  {figure.name}, {figure.size}: {figure.value:.3g} {figure.unit}", file=sys.stderr)
        return figures
    finally:
        servers.end()
        makes.end()


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table and writes the results. A goal that is missed is told, and is no error."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: shows that everything can be measured, not how fast it is"
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        metavar="PATIENTS",
        help="the nations, the smallest first; growth is beside the first",
    )
    parser.add_argument(
        "--only", action="append", choices=NAMES, default=[], help="only this; may be given several times"
    )
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
