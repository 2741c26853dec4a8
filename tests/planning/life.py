"""Builders for the rules' tests: infusions and events told by what matters."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

from app.planning.changes import replan
from app.planning.facts import Done, Event, EventType, Facts, Infusion
from app.planning.protocol import Protocol, parse, published
from app.planning.visits import Outcome, Plan, Visit

SHIPPED: dict[str, Protocol] = {}
for _text in published():
    _protocol = parse(_text)
    SHIPPED |= {_protocol.code: _protocol, f"{_protocol.code}@{_protocol.version}": _protocol}

_ids = count(1)
START = datetime(2026, 11, 24, 8, tzinfo=UTC)


def day(text: str) -> date:
    """A local date from ISO text."""
    return date.fromisoformat(text)


def infusion(infused_on: str, discharged_on: str | None = None, **told: object) -> Infusion:
    """A CAR T infusion in Lund on `ltfu-15y`, entered on its own day; whatever else matters is told."""
    number = next(_ids)
    plain = Infusion(
        id=UUID(int=number),
        centre="lund",
        product="axicabtagene-ciloleucel",
        plan_class="gene-modified-cells",
        infusions_per_course=1,
        course_days=None,
        infused_on=day(infused_on),
        discharged_on=day(discharged_on) if discharged_on else None,
        continues=None,
        new_course=False,
        named=None,
        default_protocol="ltfu-15y",
        registered_on=day(infused_on),
        registered_at=START + timedelta(seconds=number),
    )
    return replace(plain, **told)


def event(kind: str, on: str, **told: object) -> Event:
    """An event recorded after all that was told before."""
    return replace(Event(EventType(kind), day(on), START + timedelta(seconds=next(_ids))), **told)


class Person:
    """A person's facts and plans as they stand; every change replans."""

    def __init__(self, *infusions: Infusion, born: str | None = None, today: str = "2026-11-24") -> None:
        self.facts = Facts(day(born) if born else None, ())
        self.plans: list[Plan] = []
        self.today = day(today)
        for one in infusions:
            self.add(one)

    def add(self, *more: Infusion | Event) -> "Person":
        """Enters facts one after the other, replanning after each."""
        for one in more:
            if isinstance(one, Infusion):
                others = tuple(i for i in self.facts.infusions if i.id != one.id)
                self.facts = replace(self.facts, infusions=(*others, one))
            else:
                self.facts = replace(self.facts, events=(*self.facts.events, one))
            self.replan()
        return self

    def replan(self) -> None:
        """Plans anew and stores: ids are given as settle does."""
        plans = replan(self.facts, self.plans, SHIPPED, self.today)
        self.plans = [
            replace(
                p,
                id=p.id or UUID(int=next(_ids)),
                visits=tuple(replace(v, id=v.id or UUID(int=next(_ids))) for v in p.visits),
            )
            for p in plans
        ]

    def done(
        self, code: str, on: str, infused_on: str | None = None, protocol: str = "ltfu-15y", by: str = "own-centre"
    ) -> "Person":
        """Completes a visit on a day."""
        return self._completed(self.visit(code, infused_on, protocol), on, by)

    def done_of(self, infusion: UUID, code: str, on: date) -> "Person":
        """Completes a visit of an infusion's `ltfu-15y`."""
        plan = next(p for p in self.plans if (p.infusion_id, p.protocol_code) == (infusion, "ltfu-15y"))
        return self._completed(next(v for v in plan.visits if v.code == code), on.isoformat(), "own-centre")

    def _completed(self, was: Visit, on: str, by: str) -> "Person":
        now = replace(
            was,
            outcome=Outcome.COMPLETED,
            reason=None,
            decided_by="nurse",
            decided_at=START,
            completed_on=day(on),
            performed_by=by,
        )
        self.plans = [replace(p, visits=tuple(now if v.id == was.id else v for v in p.visits)) for p in self.plans]
        self.facts = replace(
            self.facts, done=(*self.facts.done, Done(day(on), START + timedelta(seconds=next(_ids)), by))
        )
        self.replan()
        return self

    def plan(self, infused_on: str | None = None, protocol: str = "ltfu-15y") -> Plan:
        """The plan of a protocol, of the infusion on that day when there are several."""
        of = {i.id: i.infused_on.isoformat() for i in self.facts.infusions}
        found = [p for p in self.plans if p.protocol_code == protocol and infused_on in (None, of[p.infusion_id])]
        assert len(found) == 1, f"{len(found)} plans of {protocol}"
        return found[0]

    def visit(self, code: str, infused_on: str | None = None, protocol: str = "ltfu-15y") -> Visit:
        """One visit."""
        return next(v for v in self.plan(infused_on, protocol).visits if v.code == code)

    def codes(self, outcome: Outcome | None, reason: str | None = None, infused_on: str | None = None) -> list[str]:
        """The codes of visits with this outcome (None: open) and reason, in order."""
        return [v.code for v in self.plan(infused_on).visits if v.outcome is outcome and v.reason == reason]


def told(plans: Sequence[Plan], facts: Facts) -> set[tuple[object, ...]]:
    """Plans and visits without ids, so that two ways to the same facts can be compared."""
    of = {i.id: i.infused_on for i in facts.infusions}
    return {
        (
            p.protocol_code,
            of[p.infusion_id],
            p.state,
            p.ends_on,
            v.code,
            v.window_start,
            v.target_on,
            v.window_end,
            v.outcome,
            v.reason,
            v.centre,
        )
        for p in plans
        for v in p.visits
    }
