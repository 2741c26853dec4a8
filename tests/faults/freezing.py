"""A PostgreSQL of the test's own that can be frozen: every process of it stopped, as when its host has gone, with
connections that stay open and say nothing."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import PostgresServer


class Freezer:
    """The server; its database is empty at first."""

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder)
        self.url = self._server.start(durable=False, owner=os.getpid())

    def _processes(self) -> list[int]:
        """The postmaster first, so that it starts no backend behind our back, and its children."""
        postmaster = int((self._server.data / "postmaster.pid").read_text().split()[0])
        return [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]

    def freeze(self) -> None:
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        for process in reversed(self._processes()):
            os.kill(process, signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing of it moves inside the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def stop(self) -> None:
        self._server.stop()
