"""One forking interpreter and one set of prepared databases for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Kind, copy_database, drop_database, fresh_database
from tests.faults.forks import Forks
from tests.faults.given import DAY, MANY, a_file, infusion


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Starts processes; it has no thread and no event loop of its own, so that a fork is safe."""
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


class Given:
    """Databases to begin from, by name and kind, each made once by the service itself; a test works on copies."""

    def __init__(self, forks: Forks, folder: Path) -> None:
        self.forks = forks
        self.folder = folder
        self.made: dict[tuple[str, Kind], str] = {}
        self.copies: list[str] = []

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def copy(self, name: str, kind: Kind) -> str:
        """The URL of a copy of `empty`, `seeded`, `one-patient` or `many`."""
        if name in ("empty", "seeded"):
            self.copies.append(fresh_database(kind, empty=name == "empty"))
            return self.copies[-1]
        if (name, kind) not in self.made:
            self.made[name, kind] = self._make(name, kind)
        self.copies.append(copy_database(self.made[name, kind]))
        return self.copies[-1]

    def drop(self, url: str) -> None:
        self.copies.remove(url)
        drop_database(url)

    def _make(self, name: str, kind: Kind) -> str:
        url = fresh_database(kind)
        if name == "one-patient":
            self.forks.run("record", url=url, day="2025-03-20", bodies=[infusion(1, "2025-03-04", source="first")])
            self.forks.run("sweep", url=url, day=DAY)
        else:
            self.forks.run("enter", url=url, day="2025-09-08", file=self.file("many.csv", a_file(sample=MANY)))
            plus = infusion(2, "2025-02-03", source="plus", protocols=["ltfu-15y-plus"])
            self.forks.run("record", url=url, day="2025-09-08", bodies=[plus])
            self.forks.run("sweep", url=url, day="2025-09-08")
        return url

    def close(self) -> None:
        for url in [*self.copies, *self.made.values()]:
            drop_database(url)


@pytest.fixture(scope="session")
def all_given(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    made = Given(forks, tmp_path_factory.mktemp("given"))
    yield made
    made.close()


@pytest.fixture
def given(all_given: Given) -> Iterator[Given]:
    """The prepared databases; a test's copies go with it."""
    yield all_given
    for url in list(all_given.copies):
        all_given.drop(url)
