"""Random lives of fifteen years: the same operations on the plain model and on another side, compared after each one.

A failing life is shrunk: operations are taken away as long as it still fails.
"""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

from tests.model import ANY, Answer, Model
from tests.years.choices import CENTRES, START, Chooser, Command, Op, boundary
from tests.years.facts import care_protocol
from tests.years.schedule import PRODUCTS, plus_days, plus_months
from tests.years.shown import is_endless

CODES = ("same_day", "needs_continues", "patient_deceased", "window_not_open", "nearer_to_next", "date_in_future")
CODES += ("known_elsewhere", "source_conflict", "other_class", "nothing_to_take_back")


class Side(Protocol):
    """What is compared with the model: the service, or another model."""

    async def move(self, day: date) -> None: ...

    async def sweep(self) -> object: ...

    async def recall(self) -> object: ...

    async def act(self, name: str, given: dict[str, Any], /) -> Answer: ...

    async def again(self) -> None: ...

    async def look(self, person: str) -> dict[str, Any]: ...

    async def asked(self) -> dict[str, Any]: ...

    async def seen_by(self, person: str, centre: str) -> Any: ...

    async def told(self) -> Sequence[tuple[Any, ...]]: ...


class Disagreement(AssertionError):
    """Model and service say different things."""


# ---- The same to both, and compared ----------------------------------------------------------------------------------


def difference(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """What the other side says otherwise; it may say more than the model inside a visit."""
    if ours == ANY:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found: list[str] = []
        for name, value in ours.items():
            found += difference(value, theirs.get(name, "absent"), f"{where}.{name}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            said for n, pair in enumerate(zip(ours, theirs, strict=True)) for said in difference(*pair, f"{where}.{n}")
        ]
    return [] if ours == theirs else [f"{where[1:]}: model {ours!r}, other side {theirs!r}"]


def differently_asked(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """A patient is listed under one word that holds; of none that holds surely he need not be."""
    words, word = ours["words"], theirs.get("word")
    is_wrong = words[word] is False if word else True in words.values()
    early = dict.fromkeys(ours["decided-before-window"], False) | theirs.get("decided-before-window", {})
    found = difference(ours["decided-before-window"], early, ".decided-before-window")
    found += difference(ours["last_heard_on"], theirs["last_heard_on"], ".last_heard_on") if word else []
    return [*found, f"needs_decision: model {words}, other side {word}"] if is_wrong else found


class Life:
    """One run of a life: the model, the other side, and what was done."""

    def __init__(self, side: Side, model: Model | None = None) -> None:
        self.side, self.model = side, model or Model(START)
        self.done: list[str] = []
        self.turn = 0
        self.counts: dict[str, int] = defaultdict(int)

    async def run(self, ops: Sequence[Op]) -> None:
        await self.side.move(START)
        await self.side.sweep()
        for nth, op in enumerate(ops):
            await self.go_to(max(self.model.today, plus_days(START, op.day)))
            await self.do(op)
            if nth % 12 == 11:
                await self.compare_all()
        await self.compare_all()
        await self.compare_feeds()

    async def do(self, op: Op) -> None:
        if op.name == "walk":
            await self.go_to(boundary(self.model, op) or self.model.today)
            await self.compare_all()
        elif op.name == "sleep":
            await self.go_to(plus_days(self.model.today, int(60 * op.u)), sweep=False)
            self.note("comes without a sweep")
            await self.compare_all()
            await self.sweep()
        elif op.name == "back":
            today = self.model.today
            self.note("200 days back, and on again")
            await self.go_to(max(START, plus_days(today, -200)))
            await self.compare_all()
            for person, infusion in [(person, p.infusions[-1]) for person, p in self.model.people.items()]:
                await self.act(Command("resend", {"person": person, "ref": infusion.ref}))
            await self.go_to(today)
        elif op.name == "ahead":
            # A plan without end that was planned further under the wrong clock stays so.
            if not any(is_endless(p) for p in self.model.people.values()):
                await self.ahead(int(1 + 8 * op.u), is_recalled=op.v < 0.7)
        elif op.name == "again":
            self.note("the last request again")
            await self.side.again()
            await self.compare_all()
        else:
            for command in Chooser(self.model, op).commands():
                await self.act(command)

    async def ahead(self, years: int, is_recalled: bool) -> None:
        """A clock that is years ahead for one sweep, and right again."""
        today = self.model.today
        self.note(f"{years} years ahead, and back{', the alerts recalled' if is_recalled else ''}")
        await self.go_to(plus_months(today, 12 * years))
        await self.compare_all()
        await self.go_to(today)
        if is_recalled:
            self.model.recall()
            await self.side.recall()
        await self.compare_all()

    def note(self, what: str) -> None:
        self.done.append(f"{self.model.today} {what}")

    async def go_to(self, day: date, *, sweep: bool = True) -> None:
        if day != self.model.today:
            self.model.today = day
            await self.side.move(day)
            if sweep:
                await self.sweep()

    async def sweep(self) -> None:
        self.model.sweep()
        await self.side.sweep()

    async def act(self, command: Command) -> None:
        name, given = command
        named = {given.get("continues"), None if name in ("record", "contact") else given.get("ref")} - {None}
        if named - {told.ref for p in self.model.people.values() for told in (*p.infusions, *p.contacts)}:
            return  # an infusion or a contact that was refused
        ours: Answer = getattr(self.model, name)(**given)
        said = ", ".join(f"{what}={value if isinstance(value, str) else str(value)}" for what, value in given.items())
        self.note(f"{name}({said}) -> {' '.join(map(str, ours))}")
        self.counts[f"{name} {ours[0]}"] += 1
        if ours[0] == "unspecified":
            return
        theirs = await self.side.act(name, given | self.care(name, given))
        is_same = ours[0] == theirs[0]
        if is_same and ours[0] == "refused" and set(ours[1:]) <= set(CODES):
            is_same = bool(set(ours[1:]) & set(theirs[1:]))
        if is_same and ours[0] == "ok" and len(ours) > 1:
            is_same = not difference(ours[1], theirs[1])
        if not is_same:
            raise Disagreement(f"model {ours}, other side {theirs}")
        if given["person"] in self.model.people:
            await self.compare(given["person"])

    def care(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """The care protocol's code, which the JSON of an infusion's done visits names."""
        if name != "record":
            return {}
        p = self.model.people.get(given["person"])
        infusion = next((i for i in p.infusions if i.ref == given["ref"]), None) if p else None
        return {"care": care_protocol(p, infusion) if p and infusion else PRODUCTS[given["product"]].protocol}

    async def compare(self, person: str) -> None:
        ours, theirs = self.model.look(person), await self.side.look(person)
        found = difference(ours, theirs, f".{person}")
        late = [
            key
            for key in theirs["visits"].keys() - ours["visits"].keys()
            if theirs["visits"][key]["state"] != "cancelled"
        ]
        found += [f"{person}.visits.{key}: only the other side has it" for key in late if not is_later_year(key)]
        for what in ("alerts", "infusions"):
            found += [
                f"{person}.{what}: only the other side has {key}" for key in theirs[what].keys() - ours[what].keys()
            ]
        if found:
            raise Disagreement("\n".join(found[:12]))

    async def compare_all(self) -> None:
        self.turn += 1
        asked = await self.side.asked()
        for nth, person in enumerate(self.model.people):
            await self.compare(person)
            centre = CENTRES[(self.turn + nth) % len(CENTRES)]
            found = differently_asked(self.model.asked(person), asked.get(person, {}))
            found += difference(
                self.model.seen_by(person, centre), await self.side.seen_by(person, centre), f"seen by {centre}"
            )
            if found:
                raise Disagreement("\n".join(f"{person}: {said}" for said in found))

    async def compare_feeds(self) -> None:
        """Visit by visit: the same events in the same order."""
        ours: dict[tuple[str, str], list[Any]] = defaultdict(list)
        theirs: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for person, key, *rest in self.model.told:
            ours[person, "/".join(key)].append(tuple(rest))
        for person, name, *rest in await self.side.told():
            theirs[person, name].append(tuple(rest))
        for visit in sorted(ours.keys() | theirs.keys()):
            if ours[visit] != theirs[visit]:
                raise Disagreement(f"feed of {visit}: model {ours[visit]}, other side {theirs[visit]}")


def is_later_year(key: str) -> bool:
    code = key.rpartition("/")[2]
    return code[0] == "Y" and int(code[1:]) > 15


# ---- Failing lives ---------------------------------------------------------------------------------------------------


class Failure(NamedTuple):
    error: BaseException
    done: list[str]


Try = Callable[[Sequence[Op]], Awaitable[Failure | None]]


async def attempt(side: Side, ops: Sequence[Op]) -> Failure | None:
    """None when model and side agree all their lives; else what was found, with what was done until then."""
    life = Life(side)
    try:
        await life.run(ops)
    except Exception as error:  # noqa: BLE001 - a fault may break the other side in any way
        return Failure(error, life.done)
    return None


def kind(failure: Failure | None) -> str:
    """What failed, without whom, when and how much: a shrunk life must still show the same fault."""
    words = f"{type(failure.error).__name__}: {failure.error}" if failure else ""
    return re.sub(r"\b[pi]\d+(-\d)?|[a-z0-9-]+/|[0-9]+", "", words.partition("\n")[0])[:70]


async def shrink(ops: Sequence[Op], fails: Try, budget: int = 100) -> list[Op]:
    """Removes operations, first many at once, as long as the life still fails alike; at most `budget` tries."""
    sought = kind(await fails(ops))
    kept, size = list(ops), max(1, len(ops) // 2)
    while size and budget:
        at, is_smaller = 0, False
        while at < len(kept) and budget:
            fewer, budget = kept[:at] + kept[at + size :], budget - 1
            if kind(await fails(fewer)) == sought:
                kept, is_smaller = fewer, True
            else:
                at += size
        size = size if is_smaller and size == 1 else size // 2
    return kept


async def report(seed: int, ops: Sequence[Op], fails: Try) -> str | None:
    """None when the life agrees; else the failing seed, the shrunk operations and what they did."""
    first = await fails(ops)
    if first is None:
        return None
    small = await shrink(ops, fails)
    last = await fails(small) or first
    return "\n".join([f"seed {seed}: {type(last.error).__name__}: {last.error}", "", *last.done, "", *map(repr, small)])
