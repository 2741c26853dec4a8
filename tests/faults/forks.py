"""Real processes in milliseconds: one interpreter has everything imported and forks a child for each task of
`tests.faults.tasks`.

The children run the service's own code, each on an event loop of its own, and can be killed as any process. A child
tells what it was told (answers, verdicts, an address) as lines of a file, so that what was promised before a death is
known after it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

# Exit codes of a child: to its end; refused by `Unavailable`; to its end without meeting its fault; another error left
# the task.
DONE, REFUSED, MISSED, FAILED = 0, 3, 4, 5
ROOT = Path(__file__).parents[2]


class Dead(AssertionError):
    """A child did not end as it should."""


@dataclass(frozen=True)
class Child:
    """A process; `told` is its file of lines, `log` what it logged."""

    pid: int
    told: Path
    log: Path

    def lines(self) -> list[Any]:
        """What it has told; a line that is not whole was never told."""
        if not self.told.exists():
            return []
        return [json.loads(line) for line in self.told.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def kill(self) -> None:
        os.kill(self.pid, SIGKILL)

    def ask_to_stop(self) -> None:
        os.kill(self.pid, SIGTERM)


class Forks:
    """The interpreter that forks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = 0
        with (folder / "forks.log").open("w") as log:
            command = [sys.executable, "-m", "tests.faults.forks"]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
            )

    def _ask(self, **request: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Dead((self.folder / "forks.log").read_text())
        return json.loads(line)

    def start(self, task: str, **given: Any) -> Child:
        """Begins a task in a new process."""
        self.started += 1
        told, log = self.folder / f"{self.started}.told", self.folder / f"{self.started}.log"
        pid = self._ask(task=task, given=given, told=str(told), log=str(log))
        return Child(pid, told, log)

    def ended(self, child: Child) -> int:
        """Waits for the end: an exit code, or the negative signal that killed it."""
        return int(self._ask(wait=child.pid))

    def run(self, task: str, **given: Any) -> tuple[int, list[Any]]:
        """A task from beginning to end: how it ended, what it told. Raises Dead for an error that nobody planted."""
        child = self.start(task, **given)
        status = self.ended(child)
        if status not in ((DONE, REFUSED, MISSED, -SIGKILL) if "fault" in given else (DONE,)):
            raise Dead(f"{task} {given} ended with {status}:\n{child.log.read_text()[-4000:]}")
        lines = child.lines()
        child.told.unlink(missing_ok=True)
        child.log.unlink()
        return status, lines

    @contextmanager
    def running(self, task: str, **given: Any) -> Iterator[Child]:
        """A process for as long as the block lasts; then it is killed."""
        child = self.start(task, **given)
        try:
            yield child
        finally:
            child.kill()
            self.ended(child)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def wait_for(what: Any, seconds: float = 30.0) -> Any:
    """Asks until the answer is true, and answers it; the processor is given away in between. Raises Dead when the time
    is over."""
    until = time.monotonic() + seconds
    while not (answer := what()):
        if time.monotonic() > until:
            raise Dead(f"{seconds} s are over: {what}")
        os.sched_yield()
    return answer


# ---- The side of the interpreter -------------------------------------------------------------------------------------


def _child(request: dict[str, Any]) -> int:
    """The task in the forked process; answers its exit code."""
    import asyncio
    import traceback

    from app.errors import Unavailable
    from tests.faults import tasks

    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    given = dict(request["given"])
    fault = tasks.arm(*given.pop("fault")) if "fault" in given else None
    told = tasks.Told(request["told"])
    try:
        code = asyncio.run(tasks.TASKS[request["task"]](told, **given))
    except Exception as error:  # noqa: BLE001 - the parent judges it by the code, and reads it in the log
        traceback.print_exc()
        return REFUSED if isinstance(error, Unavailable) else FAILED
    return code or (DONE if fault is None or fault.met else MISSED)


def _serve() -> None:
    from tests.faults import tasks

    assert tasks.TASKS
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                code = FAILED
                try:
                    code = _child(request)
                finally:
                    sys.stdout.flush()
                    os._exit(code)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
