"""The plain model as the other side, with one rule of its own text replaced: shows that lives would find such a
fault."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.model import Answer
from tests.years.choices import START

TEXTS = (
    "tests.years.schedule",
    "tests.years.facts",
    "tests.years.refusals",
    "tests.years.asked",
    "tests.years.shown",
    "tests.years.settling",
    "tests.model",
)


@contextmanager
def model_with(old: str, new: str) -> Iterator[ModuleType]:
    """A second copy of the model's modules in which the text `old`, which stands there once, reads `new`."""
    specs = {name: find_spec(name) or sys.modules[name].__spec__ for name in TEXTS}
    texts = {name: Path(str(spec.origin)).read_text() for name, spec in specs.items()}  # type: ignore[union-attr]
    assert sum(text.count(old) for text in texts.values()) == 1, f"stands there not once: {old}"
    names = {name: f"twin.{name}" for name in TEXTS}
    try:
        for name in TEXTS:
            text = texts[name].replace(old, new)
            for real, copy in names.items():
                text = text.replace(f"from {real} import", f"from {copy} import")
            module = sys.modules[names[name]] = ModuleType(names[name])
            exec(compile(text, names[name], "exec"), vars(module))
        yield sys.modules[names["tests.model"]]
    finally:
        for copy in names.values():
            sys.modules.pop(copy, None)


class Twin:
    """Another model behind the interface of a life's other side."""

    def __init__(self, module: ModuleType) -> None:
        self.model = module.Model(START)

    async def move(self, day: date) -> None:
        self.model.today = day

    async def sweep(self) -> object:
        return self.model.sweep()

    async def recall(self) -> object:
        return self.model.recall()

    async def asked(self) -> dict[str, Any]:
        """Under the first word that holds, as the service does."""
        asked = {person: self.model.asked(person) for person in self.model.people}
        return {
            person: told | {"word": next((w for w, holds in told["words"].items() if holds is True), None)}
            for person, told in asked.items()
        }

    async def seen_by(self, person: str, centre: str) -> Any:
        return self.model.seen_by(person, centre)

    async def act(self, name: str, given: dict[str, Any], /) -> Answer:
        answer: Answer = getattr(self.model, name)(**{key: value for key, value in given.items() if key != "care"})
        return answer

    async def again(self) -> None:
        """A model loses no answers."""

    async def look(self, person: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.model.look(person)
        return shown

    async def told(self) -> Sequence[tuple[Any, ...]]:
        return [(person, "/".join(key), *rest) for person, key, *rest in self.model.told]
