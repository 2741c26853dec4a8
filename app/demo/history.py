"""The demo's history: the sample's infusions, each entered on its own day, and what came of them, by the real acts in
the order of days.

All chance comes from one fixed seed and the sample's own rows: the same day gives the same history, and a later day
only goes on with it. The last acts are those of the day before the demo's: what is done on the demo's own day, its
users do.
"""

import csv
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from importlib import resources
from itertools import count
from random import Random
from typing import Any, Final
from uuid import UUID

from app.actor import Actor, Role
from app.clock import ZONE, Clock
from app.db import feed, transaction
from app.db.engine import Database
from app.db.transaction import Transaction
from app.db.visits import DueFilter
from app.errors import StaleVersion
from app.followup import alerts, batches, contacts, due_list, patients, recording, visits
from app.followup.commands import Ask, Reason, Response
from app.followup.infusion_fields import NewInfusion
from app.planning.visits import VisitState
from app.planning.workdays import is_working_day

SEED: Final = 20250908
SAMPLE: Final = "infusions-2025-09-08.csv"
CENTRES: Final = ("goteborg", "linkoping", "lund", "stockholm", "umea", "uppsala")

# Rare things, each for one drawn patient; deaths are drawn for all the others.
FATES: Final = (
    "transferred",
    "elsewhere",
    "withdrawn",
    "lost",
    "lost",
    "lost",
    "lost",
    "lost-and-found",
    "protected",
    "second-malignancy",
)
DEATHS: Final = 0.14
IN_TIME, LATE, MISSED = 0.82, 0.91, 0.95  # of a hundred visits; the rest stays open long, and is missed in the end
RESPONSES: Final = ("CR",) * 52 + ("PR",) * 22 + ("SD",) * 8 + ("PD",) * 15 + ("NE",) * 3
REASONS: Final = ("no answer to two letters", "declined this visit", "too ill to travel", "abroad for the whole window")

# Acts of one day follow each other from eight o'clock on (local time); the sweep comes before them.
OPENS, SWEPT, BETWEEN = time(8), time(0), timedelta(seconds=90)

Row = dict[str, str]
Act = Callable[[Transaction], Awaitable[object]]


@dataclass(slots=True)
class Life:
    """One patient as the history tells it. Nobody sees the patient from `away_from` to the day before `back_on`.
    `course` counts the infusions entered so far; what was meant to follow an earlier one does not happen."""

    number: str
    fate: str
    centre: str
    infusions: int
    id: UUID | None = None
    course: int = 0
    away_from: date = date.max
    back_on: date = date.max

    def chance(self, of: str) -> Random:
        """The patient's own dice for one thing, whatever else is thrown before."""
        return Random(f"{SEED}:{self.number}:{self.course}:{of}")


@dataclass(order=True, slots=True)
class Step:
    """One act on one local day, in the order in which it was thought of. `course` 0: it happens however the patient
    is."""

    on: date
    place: int
    life: Life = field(compare=False)
    course: int = field(compare=False)
    role: Role = field(compare=False)
    act: Act = field(compare=False)

    @property
    def happens(self) -> bool:
        """False for what a later infusion, a death or a loss has overtaken."""
        life = self.life
        return self.course == 0 or (self.course == life.course and not life.away_from <= self.on < life.back_on)


class ActClock(Clock):
    """The clock of one act of the past: its local day, and its own instant (UTC)."""

    def __init__(self, on: date, at: datetime) -> None:
        super().__init__(fixed=on)
        self.at = at

    def now(self) -> datetime:
        """The act's own instant."""
        return self.at


class ActClocks:
    """The clocks of acts in the order of their days: each has an instant on its day, later than the one before.

    In a demo that begins on a day ahead of the real one the instants lie as many days back: what its users enter is
    stored with real instants, and what is stored later must have the later instant.
    """

    def __init__(self, today: date, real: date) -> None:
        self._ahead = max(today - real, timedelta())
        self._last = datetime.min.replace(tzinfo=UTC)

    def next(self, on: date, earliest: time = OPENS) -> ActClock:
        """The clock of the next act, on a local day and not before the time of day."""
        self._last = max(self._last + BETWEEN, datetime.combine(on - self._ahead, earliest, ZONE).astimezone(UTC))
        return ActClock(on, self._last)


def sample() -> list[Row]:
    """The sample's infusions by date."""
    text = (resources.files("app.data") / SAMPLE).read_text(encoding="utf-8-sig")
    return sorted(csv.DictReader(text.splitlines()), key=lambda row: row["infused_on"])


def lives(rows: list[Row]) -> dict[str, Life]:
    """By number: every patient with what is going to happen. Rare fates are drawn among adults with one infusion, from
    2019 to spring 2024."""
    infused = Counter(row["personnummer"] for row in rows)
    first = {row["personnummer"]: row for row in reversed(rows)}
    fit = sorted(
        number
        for number, row in first.items()
        if infused[number] == 1
        and "2019" <= row["infused_on"] < "2024-06"
        and int(row["infused_on"][:4]) - int(number[:4]) > 18
    )
    drawn = dict(zip(Random(SEED).sample(fit, len(FATES)), FATES, strict=True))
    found = {
        number: Life(number, drawn.get(number, ""), row["centre"], infused[number]) for number, row in first.items()
    }
    for life in found.values():
        if not life.fate and life.chance("death").random() < DEATHS:
            life.fate = "deceased"
    return found


class History:
    """Writes the history into an empty database: a transaction an act, each on its own day and at its own instant of
    that day."""

    def __init__(self, db: Database, today: date, progress: Callable[[float], None]) -> None:
        self.db = db
        self.today = today
        self.clocks = ActClocks(today, Clock().today())
        self.progress = progress
        self.infusions = 0
        self._agenda: list[Step] = []
        self._places = count()
        self._day = date.min

    async def write(self) -> None:
        """All of it, up to the day before the demo's. A sweep a month lets the feed tell of alerts that came and
        went."""
        rows = sample()
        people = lives(rows)
        for row in rows:
            life = people[row["personnummer"]]
            self._plan(
                date.fromisoformat(row["infused_on"]), life, self._infused(life, row), role=Role.CLINICIAN, course=0
            )
        first, swept = date.fromisoformat(rows[0]["infused_on"]), date.min
        async with transaction.begin(self.db, staff(Role.CLINICIAN, CENTRES[0]), self.clocks.next(first, SWEPT)) as tx:
            await feed.set_back(tx)
        while self._agenda:
            step = heapq.heappop(self._agenda)
            self._day = step.on
            if (step.on.year, step.on.month) > (swept.year, swept.month):
                swept = step.on
                self.progress((swept - first) / max(self.today - first, timedelta(days=1)))
                await batches.sweep(self.db, self.clocks.next(swept, SWEPT))
            if step.happens:
                async with transaction.begin(
                    self.db, staff(step.role, step.life.centre), self.clocks.next(step.on)
                ) as tx:
                    await step.act(tx)
        yesterday = self.today - timedelta(days=1)
        await batches.sweep(self.db, self.clocks.next(yesterday))
        for centre in CENTRES:
            await self._last_day(centre, self.clocks.next(yesterday))
        await batches.sweep(self.db, self.clocks.next(self.today, SWEPT))

    def _plan(self, on: date, life: Life, act: Act, *, role: Role = Role.NURSE, course: int | None = None) -> None:
        on = max(on, self._day)  # a visit is booked when it is known, at the earliest
        if on < self.today:
            heapq.heappush(
                self._agenda, Step(on, next(self._places), life, life.course if course is None else course, role, act)
            )

    def _infused(self, life: Life, row: Row) -> Act:
        """The infusion on its day; the discharge is sent on its own day, by the same source, and only then its response
        check is planned."""
        left = date.fromisoformat(row["discharged_on"]) if row["discharged_on"] else None

        async def infused(tx: Transaction) -> None:
            infusion = (await recording.record(tx, command(row, left if left == tx.today else None))).infusion
            self.infusions += 1
            life.id = infusion["patient_id"]
            life.course += 1
            if life.course == life.infusions:
                self._befalls(life, tx.today)
            waits = left is not None and left > tx.today
            self._visits(life, [visit for visit in infusion["visits"] if not (waits and visit["provisional"])])
            if waits:
                assert left is not None
                self._plan(left, life, discharged, role=Role.CLINICIAN, course=0)

        async def discharged(tx: Transaction) -> None:
            infusion = (await recording.record(tx, command(row, left))).infusion
            self._visits(life, [visit for visit in infusion["visits"] if visit["anchor"] == "discharge"])

        return infused

    # ---- visits ----

    def _visits(self, life: Life, visits: Iterable[Mapping[str, Any]]) -> None:
        for visit in visits:
            if visit["window_start"] <= self.today + timedelta(days=120):
                self._visit(life, visit)

    def _visit(self, life: Life, visit: Mapping[str, Any]) -> None:
        """What becomes of one visit: most are done about their day, some late, some not at all."""
        start, end = visit["window_start"], visit["window_end"]
        chance = life.chance(visit["code"])
        luck = chance.random()
        if life.fate.startswith("lost") and visit["code"] == "Y02":
            self._vanishes(life, visit["id"], end)
        elif luck < IN_TIME or (life.fate == "lost-and-found" and visit["code"] == "Y03"):
            near = (visit["suggested_on"] or visit["target_on"]) + timedelta(days=round(chance.gauss(8, 18)))
            self._done(life, visit, chance, working(min(max(near, start), end), start))
        elif luck < LATE:
            seen = working(end + timedelta(days=chance.randint(8, 70)), end)
            self._attempts(life, visit["id"], end, ("phone", "letter")[: chance.randint(0, 2)], "will-come")
            self._done(life, visit, chance, seen)
        elif luck < MISSED:
            self._missed(
                life, visit["id"], working(end + timedelta(days=chance.randint(20, 80)), end), chance.choice(REASONS)
            )
        else:
            self._attempts(life, visit["id"], end, ("phone", "letter", "phone"), "no-answer")
            self._missed(life, visit["id"], working(end + timedelta(days=chance.randint(200, 320)), end), REASONS[0])

    def _done(self, life: Life, visit: Mapping[str, Any], chance: Random, seen: date) -> None:
        near_home = chance.random() < 0.2
        done = visits.Completion(
            completed_on=seen,
            response=Response(chance.choice(RESPONSES)) if visit["code"] == "W4" else None,
            mode="phone" if near_home and "phone" in visit["mode"] else visit["mode"][0],
            performed_by="home-hospital" if near_home else "own-centre",
        )
        booked = seen - timedelta(days=chance.randint(10, 60))
        if seen > self.today - timedelta(days=30) and chance.random() < 0.7:
            self._plan(booked, life, on_visit(visits.book, visit["id"], visits.Booking(booked_on=seen)))
        self._plan(seen, life, on_visit(visits.complete, visit["id"], done))

    def _missed(self, life: Life, visit: UUID, on: date, reason: str) -> None:
        self._plan(on, life, on_visit(visits.miss, visit, Reason(reason=reason)))

    def _attempts(self, life: Life, visit: UUID, end: date, channels: tuple[str, ...], last: str) -> date:
        """Contacts from the end of the window on, the last one with the given outcome; answers the day of the last."""
        day = end
        for place, channel in enumerate(channels, start=1):
            day = working(end + timedelta(days=12 * place), end)
            outcome = last if place == len(channels) else "no-answer"
            contact = contacts.NewContact(
                channel=contacts.Channel(channel), outcome=contacts.ContactOutcome(outcome), contacted_on=day
            )
            self._plan(day, life, partial(contacts.log_about_visit, visit=visit, new=contact))
        return day

    # ---- what befalls ----

    def _vanishes(self, life: Life, visit: UUID, end: date) -> None:
        """Three letters and calls without an answer, then lost; one of them comes to a visit again two years later."""
        asked = self._attempts(life, visit, end, ("phone", "letter", "phone"), "no-answer")
        life.away_from = asked + timedelta(days=30)
        if life.fate == "lost-and-found":
            life.back_on = life.away_from + timedelta(days=150)
        self._event(life, life.away_from, "lost-to-follow-up", Role.NURSE)

    def _befalls(self, life: Life, infused_on: date) -> None:
        """What a patient's fate brings after the last infusion."""
        chance = life.chance("fate")
        on = infused_on + timedelta(
            days=chance.randint(70, 1500) if life.fate == "deceased" else chance.randint(430, 520)
        )
        match life.fate:
            case "deceased":
                life.away_from = on
                self._event(life, on + timedelta(days=chance.randint(1, 25)), "deceased", Role.NURSE, on=on)
            case "withdrawn":
                life.away_from = on
                self._event(life, on, "withdrawn", Role.NURSE)
            case "elsewhere":
                life.away_from = on
                self._event(life, on, "followed-elsewhere", Role.NURSE, where="Helsinki")
            case "second-malignancy":
                self._event(life, on, "second-malignancy", Role.CLINICIAN)
            case "transferred":
                target = CENTRES[CENTRES.index(life.centre) - 1]
                self._event(life, on, "transferred", Role.COORDINATOR, centre=target)
            case "protected":
                self._plan(on, life, partial(self._protect, life))

    def _event(self, life: Life, day: date, kind: str, role: Role, **details: object) -> None:
        async def act(tx: Transaction) -> None:
            assert life.id is not None, "events follow the infusion"
            await patients.report(tx, life.id, patients.NewEvent.model_validate({"type": kind, "on": day} | details))
            life.centre = str(details.get("centre", life.centre))

        self._plan(day, life, act, role=role, course=0)

    async def _protect(self, life: Life, tx: Transaction) -> None:
        assert life.id is not None, "it follows the infusion"
        stored = await patients.get(tx, life.id)
        await patients.change(tx, life.id, patients.PatientChange(protected=True), stored["version"])

    async def _last_day(self, centre: str, clock: Clock) -> None:
        """The last day at a centre: every third open alert has been seen to; and where nothing is due, the last visit
        done was a mistake, so that the list has something to show."""
        async with transaction.begin(self.db, staff(Role.NURSE, centre), clock) as tx:
            found = await alerts.snapshot(tx, frozenset({"open"}), centre, Ask(500, tx.today))
            for alert in found.page.items[::3]:
                await alerts.acknowledge(tx, alert["id"], Reason(reason="called, will be booked"))
            if (await due_list.due(tx, DueFilter(centre=centre), Ask(1, tx.today))).items:
                return
            done = DueFilter(state=(VisitState.COMPLETED,), centre=centre, due_from=self.today)
            for visit in (await due_list.due(tx, done, Ask(1, tx.today))).items:
                await visits.reopen(
                    tx, visit["id"], Reason(reason="entered for another patient"), version=visit["version"]
                )


def staff(role: Role, centre: str) -> Actor:
    """Who acted in the demo's history: the centre's own people, under the names of the demo's tokens. They see every
    centre: nobody asks for what they may not see, and a database without walls answers a quarter faster."""
    token = f"demo-{role.value}-{centre}"
    return Actor(token, role, None, unit=centre, id=token)


def on_visit(act: Callable[..., Awaitable[object]], visit: UUID, body: object) -> Act:
    """The act on the visit as it then stands: most are as they were planned, and only of the others is the version
    asked for."""

    async def done(tx: Transaction) -> None:
        try:
            await act(tx, visit, body, version=1)
        except StaleVersion:
            stands = await visits.get(tx, visit)
            await act(tx, visit, body, version=stands["version"])

    return done


def command(row: Row, discharged_on: date | None) -> NewInfusion:
    """A row of the sample as a sender tells it, with what is known of the discharge."""
    fields: dict[str, object] = {
        name: row[name] or None for name in ("centre", "product", "context", "infused_on", "indication", "batch")
    }
    fields["discharged_on"] = discharged_on
    # Numbers that the Swedish authority for post and telecom keeps free for invented people: 070-174 06 05 to 99.
    phone = f"070-174 06 {5 + int(row['source_id'][-3:]) % 95:02}"
    person = {
        "identifiers": [{"system": "personnummer", "value": row["personnummer"]}],
        "name": row["name"],
        "phone": phone,
    }
    return NewInfusion.model_validate(
        fields | {"patient": person, "source": {"system": row["source_system"], "id": row["source_id"]}}
    )


def working(day: date, not_before: date) -> date:
    """The day itself or the nearest working day before it, but not before the given day (then the next one); local
    days."""
    found = day
    while not is_working_day(found) and found > not_before:
        found -= timedelta(days=1)
    while not is_working_day(found):
        found += timedelta(days=1)
    return found
