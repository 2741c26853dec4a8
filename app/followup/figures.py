"""How a centre's and the network's follow-up stands, in numbers. Every percentage stands beside its fraction."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from app.actor import Act
from app.db import figures as db_figures
from app.db.figures import Scope
from app.db.transaction import Transaction
from app.errors import NotFound
from app.followup import catalogue
from app.planning import refusals

JSON = dict[str, Any]
STATES = ("planned", "due", "overdue", "completed", "missed", "not_required")


async def centre(tx: Transaction, code: str, as_of: date | None) -> JSON:
    """One centre's summary on a local day (default: today), from facts dated up to it, as known now.
    Raises NotFound, NotYourCentre, DateInFuture."""
    tx.actor.must(Act.READ_CENTRE_FIGURES)
    if await catalogue.centre_of(tx, code) is None:
        raise NotFound("There is no such centre.")
    tx.actor.must_belong_to(code)
    scope = await _scope(tx, code, as_of)
    rows = await _Rows.read(tx, scope)
    return {"as_of_date": scope.as_of, "centre": code} | rows.of(code)


async def network(tx: Transaction, as_of: date | None) -> JSON:
    """The network's summary with each centre's, on a local day. Raises DateInFuture."""
    tx.actor.must(Act.READ_NETWORK_FIGURES)
    scope = await _scope(tx, None, as_of)
    rows = await _Rows.read(tx, scope)
    each = [{"centre": c["code"]} | rows.of(c["code"]) for c in await catalogue.all_centres(tx)]
    return {"as_of_date": scope.as_of, "network": "sweden"} | rows.whole() | {"centres": each}


async def _scope(tx: Transaction, code: str | None, as_of: date | None) -> Scope:
    refusals.refuse_future(as_of, tx.today, "as_of")
    return Scope(code, as_of or tx.today)


class _Rows:
    """What the database counted, by centre."""

    def __init__(self, contexts: Any, persons: Any, whole: Any, states: Any, complete: Any, statuses: Any, published: Any) -> None:
        self.contexts = contexts
        self.persons = {row[0]: tuple(row[1:]) for row in persons}
        self.everybody = tuple(whole[0][1:]) if whole else (0, 0, 0)
        self.states = {row[0]: tuple(row[1:]) for row in states}
        self.complete = {row[0]: tuple(row[1:]) for row in complete}
        self.statuses = {row[0]: tuple(row[1:]) for row in statuses}
        self.published = {(row[0], row[1]): tuple(row[2:]) for row in published}

    @classmethod
    async def read(cls, tx: Transaction, scope: Scope) -> "_Rows":
        return cls(
            await db_figures.by_context(tx, scope),
            await db_figures.persons(tx, scope, whole=False),
            await db_figures.persons(tx, scope, whole=True),
            await db_figures.visit_states(tx, scope),
            await db_figures.completeness(tx, scope),
            await db_figures.statuses(tx, scope),
            await db_figures.published(tx, scope),
        )

    def of(self, code: str) -> JSON:
        """One centre's figures."""
        return self._figures([code], self.persons.get(code, (0, 0, 0)))

    def whole(self) -> JSON:
        """All centres together; a person treated at two of them counts once."""
        return self._figures(None, self.everybody)

    def _figures(self, codes: Sequence[str] | None, persons: tuple[int, ...]) -> JSON:
        contexts = sorted((row for row in self.contexts if codes is None or row[0] in codes), key=lambda row: (row[1], row[0]))
        patients, children, courses = persons
        states, complete, statuses = (_sums(table, codes, n) for table, n in ((self.states, 6), (self.complete, 4), (self.statuses, 2)))
        closed, done, on_time, ever_done = complete
        return {
            "infusions": sum(row[2] for row in contexts),
            "patients": patients,
            "children": children,
            "courses": courses,
            "reinfusions": sum(row[4] for row in contexts),
            "by_context": _by_context(contexts),
            "visits": dict(zip(STATES, states, strict=True)),
            "lost": statuses[0],
            "followed_elsewhere": statuses[1],
            "completeness": {"done": done, "closed": closed, "percent": _percent(done, closed)},
            "on_time": {"on_time": on_time, "done": ever_done, "percent": _percent(on_time, ever_done)},
            "unexplained": self._unexplained(contexts),
        }

    def _unexplained(self, contexts: Sequence[Any]) -> str | None:
        """Where a centre's infusions are not its published patients and reinfusions: said, not smoothed over."""
        told = []
        for code, context, infusions, patients, _, _ in contexts:
            if (code, context) not in self.published:
                continue
            listed, reinfusions, counted_on = self.published[code, context]
            if patients == listed and infusions != listed + reinfusions:
                more = infusions - listed - reinfusions
                told.append(
                    f"{code} {context}: {infusions} infusions of {patients} patients; the list of {counted_on} counts {reinfusions} reinfusions, "
                    f"which leaves {more} infusion{'' if abs(more) == 1 else 's'} unexplained"
                )
        return "; ".join(told) or None


def _sums(table: dict[str, tuple[int, ...]], codes: Sequence[str] | None, width: int) -> list[int]:
    rows = [row for code, row in table.items() if codes is None or code in codes]
    return [sum(row[n] for row in rows) for n in range(width)]


def _by_context(rows: Sequence[Any]) -> list[JSON]:
    found: dict[str, JSON] = {}
    for _, context, infusions, patients, reinfusions, first in rows:
        was = found.setdefault(context, {"context": context, "infusions": 0, "patients": 0, "reinfusions": 0, "first_infused_on": first})
        was["infusions"] += infusions
        was["patients"] += patients
        was["reinfusions"] += reinfusions
        was["first_infused_on"] = min(was["first_infused_on"], first)
    return list(found.values())


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
