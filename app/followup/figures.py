"""How a centre's and the network's follow-up stands, in numbers, and which of them a caller is shown. Every percentage
stands beside its fraction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.actor import WARD, Act, Actor, Role
from app.db import figures as db_figures
from app.db.figures import Scope
from app.db.transaction import Transaction
from app.errors import NotFound
from app.followup import catalogue, small_cells
from app.followup.small_cells import SMALL, Cell
from app.planning import refusals

JSON = dict[str, Any]
STATES: Final = ("planned", "due", "overdue", "completed", "missed", "not_required")
COMPLETE: Final = ("closed", "done", "on time", "ever done")
STATUSES: Final = ("lost", "followed_elsewhere")
_COMPLETED: Final = "completed"
ALL: Final = ""  # the column of a centre's figures of all contexts together


async def centre(tx: Transaction, code: str, as_of: date | None) -> JSON:
    """One centre's summary on a local day (default: today), from facts dated up to it, as known now; of a centre that
    is not the caller's own, with the cells hidden that the network's summary hides. Raises NotFound, NotYourCentre,
    DateInFuture."""
    tx.actor.must(Act.READ_CENTRE_FIGURES)
    if await catalogue.centre_of(tx, code) is None:
        raise NotFound("There is no such centre.")
    tx.actor.must_belong_to(code)
    own = _knows(tx.actor, [code])
    # What is hidden at one centre depends on the others.
    scope = await _scope(tx, code if own else None, as_of)
    rows = await _Rows.read(tx, scope)
    hidden = rows.hidden([code] if own else [c["code"] for c in await catalogue.all_centres(tx)], own)
    return {"as_of_date": scope.as_of, "centre": code} | rows.of(code, hidden)


async def network(tx: Transaction, as_of: date | None) -> JSON:
    """The network's summary with each centre's, on a local day: its own totals whole, small cells of centres that are
    not the caller's hidden. Raises DateInFuture."""
    tx.actor.must(Act.READ_NETWORK_FIGURES)
    scope = await _scope(tx, None, as_of)
    rows = await _Rows.read(tx, scope)
    codes = [c["code"] for c in await catalogue.all_centres(tx)]
    hidden = rows.hidden(codes, _knows(tx.actor, codes))
    each = [{"centre": code} | rows.of(code, hidden) for code in codes]
    return {"as_of_date": scope.as_of, "network": "sweden"} | rows.whole(hidden) | {"centres": each}


async def _scope(tx: Transaction, code: str | None, as_of: date | None) -> Scope:
    refusals.refuse_future(as_of, tx.today, "as_of")
    return Scope(code, as_of or tx.today)


def _knows(actor: Actor, codes: Collection[str]) -> list[str]:
    """The centres whose small cells the caller may see: a ward's own ones; every one for the command line on the
    machine itself (contract 8)."""
    if actor.role is Role.OPERATOR:
        return list(codes)
    return [code for code in codes if actor.role in WARD and (actor.centres is None or code in actor.centres)]


@dataclass(frozen=True, slots=True)
class _Hidden:
    """What the caller is not shown: cells (centre and context) of infused patients and of those infused again, and
    (centre and name) of the rest."""

    infused: Collection[Cell]
    infused_again: Collection[Cell]
    others: Collection[Cell]

    def of_infusions(self, centre: str | None, context: str, figures: JSON) -> JSON:
        """Patients and those infused again add up to infusions and courses: these are kept back beside either."""
        patients, again = (centre, context) in self.infused, (centre, context) in self.infused_again
        kept = {
            "patients": patients,
            "first_infused_on": patients,
            "reinfusions": again,
            "infusions": patients or again,
            "courses": patients or again,
        }
        return {
            name: value if not kept.get(name) else None if name == "first_infused_on" else SMALL
            for name, value in figures.items()
        }

    def of_rest(self, centre: str | None, name: str, value: int) -> int | str:
        """Any other figure of a centre."""
        return SMALL if (centre, name) in self.others else value


_NOTHING: Final = _Hidden((), (), ())


class _Rows:
    """What the database counted, by centre."""

    def __init__(
        self, contexts: Any, persons: Any, whole: Any, states: Any, complete: Any, statuses: Any, published: Any
    ) -> None:
        self.contexts = contexts
        self.persons = {row[0]: tuple(row[1:]) for row in persons}
        self.everybody = tuple(whole[0][1:]) if whole else (0, 0, 0, 0)
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

    def hidden(self, codes: Sequence[str], known: Collection[str]) -> _Hidden:
        """What somebody who knows the figures of the centres `known` is not shown of those of `codes`. A centre's
        contexts add up to its own figure, its states to its visits, and the centres to the network."""
        if set(codes) <= set(known):
            return _NOTHING
        contexts = (ALL, *dict.fromkeys(row[1] for row in self.contexts))
        infused: dict[Cell, int] = {(code, context): 0 for code in codes for context in contexts}
        again = dict(infused)
        for code, context, _, patients, _, _, patients_again in self.contexts:
            infused[code, context], again[code, context] = patients, patients_again
        for code in codes:
            infused[code, ALL], _, _, again[code, ALL] = self.persons.get(code, (0, 0, 0, 0))
        states = {cell: number for name in STATES for cell, number in self._behind(name, codes).items()}
        for code in codes:  # what was completed stands in five figures, of which one would give the others away
            told_in = [states[code, _COMPLETED], *(self._behind(name, [code])[code, name] for name in COMPLETE)]
            states[code, _COMPLETED] = min((number for number in told_in if number), default=0)
        by_state = small_cells.hidden(states, open_rows=known, rows_add_up=True)
        others = {*by_state, *((code, name) for code, state in by_state if state == _COMPLETED for name in COMPLETE)}
        for name in (*STATUSES, "children"):
            others |= small_cells.hidden(self._behind(name, codes), open_rows=known)
        small, small_again = (
            small_cells.hidden(table, open_rows=known, rows_add_up=True) for table in (infused, again)
        )
        return _Hidden(small, small_again, frozenset(others))

    def _behind(self, name: str, codes: Sequence[str]) -> dict[Cell, int]:
        """How many persons stand behind each centre's figure of that name."""
        if name in STATES:
            table, place = self.states, len(STATES) + STATES.index(name)
        elif name in COMPLETE:
            table, place = self.complete, len(COMPLETE) + COMPLETE.index(name)
        else:
            table, place = (self.persons, 1) if name == "children" else (self.statuses, STATUSES.index(name))
        return {(code, name): table[code][place] if code in table else 0 for code in codes}

    def of(self, code: str, hidden: _Hidden) -> JSON:
        """One centre's figures."""
        return self._figures(code, self.persons.get(code, (0, 0, 0, 0)), hidden)

    def whole(self, hidden: _Hidden) -> JSON:
        """All centres together; a person treated at two of them counts once. Nothing of it is hidden but the words
        about one centre."""
        return self._figures(None, self.everybody, hidden)

    def _figures(self, code: str | None, persons: tuple[int, ...], hidden: _Hidden) -> JSON:
        contexts = sorted((row for row in self.contexts if code in (None, row[0])), key=lambda row: (row[1], row[0]))
        patients, children, courses, _ = persons
        states, complete, statuses = (
            _sums(t, code, n) for t, n in ((self.states, STATES), (self.complete, COMPLETE), (self.statuses, STATUSES))
        )
        shown = {name: hidden.of_rest(code, name, value) for name, value in (states | complete | statuses).items()}
        infused = {
            "infusions": sum(row[2] for row in contexts),
            "patients": patients,
            "children": hidden.of_rest(code, "children", children),
            "courses": courses,
            "reinfusions": sum(row[4] for row in contexts),
        }
        return {
            **hidden.of_infusions(code, ALL, infused),
            "by_context": _by_context(code, contexts, hidden),
            "visits": {name: shown[name] for name in STATES},
            **{name: shown[name] for name in STATUSES},
            "completeness": {
                "done": shown["done"],
                "closed": shown["closed"],
                "percent": _percent(shown["done"], shown["closed"]),
            },
            "on_time": {
                "on_time": shown["on time"],
                "done": shown["ever done"],
                "percent": _percent(shown["on time"], shown["ever done"]),
            },
            "unexplained": self._unexplained(contexts, hidden),
        }

    def _unexplained(self, contexts: Sequence[Any], hidden: _Hidden) -> str | None:
        """Where a centre's infusions are not its published patients and reinfusions: said, not smoothed over, but for
        cells that are hidden."""
        sentences = []
        for code, context, infusions, patients, *_ in contexts:
            if (code, context) not in self.published or (code, context) in {*hidden.infused, *hidden.infused_again}:
                continue
            listed, reinfusions, counted_on = self.published[code, context]
            if patients == listed and infusions != listed + reinfusions:
                more = infusions - listed - reinfusions
                sentences.append(
                    f"{code} {context}: {infusions} infusions of {patients} patients; the list of {counted_on} counts "
                    f"{reinfusions} reinfusions, "
                    f"which leaves {more} infusion{'' if abs(more) == 1 else 's'} unexplained"
                )
        return "; ".join(sentences) or None


def _sums(table: Mapping[str, tuple[int, ...]], code: str | None, names: Sequence[str]) -> dict[str, int]:
    rows = [row for centre, row in table.items() if code in (None, centre)]
    return {name: sum(row[n] for row in rows) for n, name in enumerate(names)}


def _by_context(code: str | None, rows: Sequence[Any], hidden: _Hidden) -> list[JSON]:
    """A row for each context. One without infusions is there where its zero is hidden, and where a person's day would
    be shown there is none."""
    without = {
        context for centre, context in (*hidden.infused, *hidden.infused_again) if centre == code and context != ALL
    }
    found: dict[str, JSON] = {}
    for _, context, infusions, patients, reinfusions, first, _ in [
        *rows,
        *((code, context, 0, 0, 0, None, 0) for context in without),
    ]:
        was = found.setdefault(
            context, {"context": context, "infusions": 0, "patients": 0, "reinfusions": 0, "first_infused_on": first}
        )
        was["infusions"] += infusions
        was["patients"] += patients
        was["reinfusions"] += reinfusions
        was["first_infused_on"] = min(
            (day for day in (was["first_infused_on"], first) if day is not None), default=None
        )
    return [hidden.of_infusions(code, context, found[context]) for context in sorted(found)]


def _percent(part: int | str, whole: int | str) -> float | None:
    """Of one decimal; None where there is nothing to divide by, or where a part of the fraction is hidden."""
    return round(100 * part / whole, 1) if isinstance(part, int) and isinstance(whole, int) and whole else None
