"""The command as real processes: run to the end, or started, read line by line until it says a word, and stopped.
Nothing sleeps.

What goes on is `python -m app.cli`. What ends by itself is forked from one interpreter that has everything imported: a
process of its own with its own environment, in milliseconds instead of seconds.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "app.cli"]
PATIENCE = 300.0  # seconds until a process that says nothing is taken for hung


def environment(**settings: object) -> dict[str, str]:
    """This process's environment without settings of ours, and with those given: `key_file=...` is
    FOLLOW_UP_KEY_FILE."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOW_UP_")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        **{f"FOLLOW_UP_{name.upper()}": str(value) for name, value in settings.items()},
    }


class Started:
    """A command that goes on. What it says is kept; `said` waits for a word."""

    def __init__(self, words: Sequence[object], env: Mapping[str, str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            env=env,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.lines: list[str] = []
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=[pipe]) for pipe in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[str] | None) -> None:
        assert pipe is not None
        for line in pipe:
            self._heard.put(line.rstrip("\n"))
        self._heard.put(None)

    def said(self, word: str) -> str:
        """The first line, from those not looked at yet, that holds the word. Fails when the process ends or is silent
        for too long."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._heard.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                raise AssertionError(f"{word!r} was not said:\n{self.text}") from None
            if line is None:
                assert self.process.poll() is None, f"it ended before it said {word!r}:\n{self.text}"
                continue
            self.lines.append(line)
            if word in line:
                return line

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to stop and answers its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self._close()
        return code

    def ended(self) -> int:
        """Waits for its end and answers its exit code."""
        code = self.process.wait(PATIENCE)
        self._close()
        return code

    @property
    def text(self) -> str:
        """All that it has said so far."""
        while not self._heard.empty():
            if (line := self._heard.get()) is not None:
                self.lines.append(line)
        return "\n".join(self.lines)

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@contextmanager
def started(*words: object, env: Mapping[str, str], cwd: Path) -> Iterator[Started]:
    """A command that goes on; killed at the end if the test has not stopped it."""
    one = Started(words, env, cwd)
    try:
        yield one
    finally:
        if one.process.returncode is None:
            one.stop(signal.SIGKILL)


# ---- Commands that end by themselves ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


class Forks:
    """The interpreter that forks a process for each command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "tests.processes"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def run(self, *words: object, env: Mapping[str, str], cwd: Path) -> Ended:
        """A command from its start to its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        out, err = self.folder / "out", self.folder / "err"
        request = {
            "words": [str(word) for word in words],
            "env": dict(env),
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Ended(int(self.process.stdout.readline()), out.read_text(), err.read_text())

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def _forked(request: dict[str, Any]) -> int:
    """The command in the forked process; answers its exit code."""
    from app.cli import main

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    kinds = (
        (os.devnull, os.O_RDONLY),
        (request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (request["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    )
    for number, (path, how) in enumerate(kinds):
        os.dup2(os.open(path, how, 0o600), number)
    sys.argv = ["follow-up", *request["words"]]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _serve() -> None:
    for room in ("app.cli", "app.demo", "app.followup.imports", "app.main", "app.worker"):
        import_module(room)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _forked(json.loads(line))
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
