"""What is done in a random life: operations by weight, and what exactly each does, by its own dice and what the model shows then.

An operation is (day, name, u, v): not before that day since the start. So operations may be removed from a life and the rest still makes
sense.
"""

import random
from datetime import date
from typing import Any, NamedTuple

from tests.model import Model
from tests.years.facts import Key, death
from tests.years.schedule import PRODUCTS, plus_days, plus_months

CENTRES = ("lund", "goteborg", "uppsala")
START = date(2012, 2, 20)
YEARS = 17  # nobody walks further


class Op(NamedTuple):
    day: int
    name: str
    u: float
    v: float


class Command(NamedTuple):
    name: str
    given: dict[str, Any]


WEIGHTS = {
    "infuse": 9,
    "repeat": 7,
    "late": 4,
    "course": 4,
    "correct": 9,
    "discharge": 6,
    "void": 4,
    "book": 7,
    "complete": 16,
    "miss": 5,
    "cancel": 4,
    "reopen": 8,
    "contact": 4,
    "lose": 6,
    "die": 5,
    "mend": 14,
    "reinstate": 7,
    "withdraw": 4,
    "elsewhere": 4,
    "tidings": 3,
    "transfer": 8,
    "acknowledge": 6,
    "birth": 2,
    "walk": 22,
    "sleep": 3,
    "back": 1,
    "again": 5,
}


def a_life(seed: int, length: int = 90) -> list[Op]:
    dice = random.Random(seed)
    day, ops = 0, [Op(0, "infuse", dice.random(), dice.random()) for _ in range(3)]
    for _ in range(length):
        day += dice.choices([0, dice.randint(1, 30), dice.randint(30, 200), dice.randint(330, 400)], [40, 35, 20, 5])[0]
        ops.append(Op(day, dice.choices([*WEIGHTS], [*WEIGHTS.values()])[0], dice.random(), dice.random()))
    return ops


# ---- What exactly is done -----------------------------------------------------------------------------------------------


class Chooser:
    """Turns an operation into commands, by what the model shows and the operation's own dice."""

    def __init__(self, model: Model, op: Op) -> None:
        self.model, self.today, self.dice = model, model.today, random.Random(f"{op.u} {op.v}")
        self.person = self.dice.choice([*model.people]) if model.people else ""
        self.name = op.name

    def commands(self) -> list[Command]:
        if self.name == "infuse":
            return self.infuse()
        made: list[Command] = getattr(self, f"_{self.name}")() if self.person else []
        return made

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def ago(self) -> date:
        """A day up to today, with a liking for days on which something turns."""
        p = self.model.people[self.person]
        turns = [day for v in self.model.visits(self.person).values() for day in (v.window.start, v.window.end) if day <= self.today]
        turns += [i.infused_on for i in p.live()] + [e.on for e in p.events]
        near = [day for turn in sorted(turns)[-8:] for day in (plus_days(turn, -1), turn, plus_days(turn, 1)) if day <= self.today]
        told = [i.infused_on for i in p.live()] + [e.on for e in p.events]
        told += [plus_days(d.completed_on, n) for d in p.decisions.values() if d.completed_on for n in (-1, 0)]
        kinds = [[self.today], near or [self.today], told or [self.today], [plus_days(self.today, -self.dice.randint(0, 900))]]
        return self.dice.choice(self.dice.choices(kinds, [4, 4, 3, 1])[0])

    def visit(self, *, decided: bool = False) -> Key | None:
        now = self.model.visits(self.person)
        keys = [key for key, v in now.items() if v.given and not (key[2][0] == "Y" and int(key[2][1:]) > 15)]
        near = [key for key in keys if not now[key].outcome and now[key].window.start <= plus_days(self.today, 40)]
        told = [key for key in keys if now[key].decided]
        first = told if decided else near
        return self.dice.choice(first if first and self.chance(0.8) else keys) if keys else None

    def command(self, name: str, **given: Any) -> list[Command]:
        return [Command(name, {"person": self.person} | given)]

    def on_visit(self, name: str, *, decided: bool = False, **given: Any) -> list[Command]:
        key = self.visit(decided=decided)
        return self.command(name, key=key, **given) if key else []

    # -- infusions

    def infuse(self) -> list[Command]:
        """A new person, on the day or some days or years later."""
        known = len(self.model.people)
        if known >= 5:
            return self._repeat()
        self.person = f"p{known}"
        infused_on = plus_days(self.today, -self.dice.choice([0, 0, 0, 1, 12, 20, 90, 100, 800, 2500]))
        if self.chance(0.1):
            infused_on = self.whose_window_ends()
        if self.chance(0.03):
            infused_on = plus_days(self.today, 1)
        age = self.dice.choice([3, 16, 17, 40, 60, 70])
        born = plus_days(plus_months(infused_on, -12 * age), -self.dice.randint(0, 364))
        if self.chance(0.1):
            born = plus_months(infused_on, -216)  # on the eighteenth birthday
        return self.infusion(infused_on, born)

    def _repeat(self) -> list[Command]:
        """A further infusion of a known person: near the last one, or years later."""
        p = self.model.people[self.person]
        row = p.live() or p.infusions
        near = plus_days(self.dice.choice(row).infused_on, self.dice.choice([-31, -30, -9, 0, 1, 9, 10, 20, 21, 22, 29, 30, 31, 60]))
        infused_on = self.dice.choice([near, self.today, self.today, plus_days(self.today, -self.dice.randint(1, 40))])
        return self.infusion(min(infused_on, plus_days(self.today, self.chance(0.1))), p.birth_date)

    def _late(self) -> list[Command]:
        p = self.model.people[self.person]
        days = [self.ago(), self.ago(), plus_days(self.today, -self.dice.randint(60, 2000)), self.whose_window_ends()]
        if died := death(p):
            days += [plus_days(died, n) for n in (-40, 0, 0, 1)]
        return self.infusion(min(self.dice.choice(days), self.today), p.birth_date)

    def whose_window_ends(self) -> date:
        """The day of an infusion of which some year's window ends today or yesterday."""
        end = plus_days(self.today, -self.dice.choice([0, 1]))
        return plus_months(plus_days(end, -self.dice.choice([30, 60])), -12 * self.dice.randint(1, 3))

    def _course(self) -> list[Command]:
        """Two or three infusions near each other, in any order, and a date of one of them corrected."""
        self.one_with("in-follow-up")
        p = self.model.people[self.person]
        first = plus_days(self.today, -self.dice.randint(45, 120))
        gaps = self.dice.choice([[0, 9], [0, 21], [0, 22], [0, 30], [0, 31], [0, 9, 20], [0, 10, 21], [0, 20, 31]])
        kinds = ["obecabtagene-autoleucel", "voretigene-neparvovec", "tisagenlecleucel", "obecabtagene-autoleucel"]
        product, centre = self.dice.choice(kinds), self.dice.choice(CENTRES)
        refs = [f"{self.next_ref()}-{n}" for n in range(len(gaps))]
        made: list[Command] = []
        for n, gap in enumerate(self.dice.sample(gaps, len(gaps))):
            is_other = product[0] == "o" and self.chance(0.15)
            given: dict[str, Any] = {"ref": refs[n], "birth_date": p.birth_date, "centre": centre, "infused_on": plus_days(first, gap)}
            given |= self.dice.choice([{}, {}, {"new_course": True}, {"continues": refs[n - 1]} if n else {}])
            made += self.command("record", product="axicabtagene-ciloleucel" if is_other else product, **given)
        turned = self.dice.choice(made).given
        moved = plus_days(turned["infused_on"], self.dice.choice([-1, 1, 2]))
        days = self.dice.choice([{"discharged_on": self.today}, {"infused_on": moved}])
        return [*made, *self.command("correct", ref=turned["ref"], **days)]

    def next_ref(self) -> str:
        return f"i{sum(len(p.infusions) for p in self.model.people.values())}"

    def infusion(self, infused_on: date, born: date) -> list[Command]:
        p = self.model.people.get(self.person)
        ref = self.next_ref()
        common = {"tisagenlecleucel": 5, "axicabtagene-ciloleucel": 5, "obecabtagene-autoleucel": 5}
        last = [p.infusions[-1].product] if p and self.chance(0.5) else []
        product = (last or self.dice.choices([*PRODUCTS], [common.get(product, 1) for product in PRODUCTS]))[0]
        centre = self.dice.choice(CENTRES)
        given: dict[str, Any] = {"ref": ref, "birth_date": born, "product": product, "infused_on": infused_on, "centre": centre}
        if self.chance(0.5):
            discharged_on = plus_days(infused_on, self.dice.choice([0, 7, 14, 20, 60]))
            given["discharged_on"] = discharged_on if discharged_on <= self.today or self.chance(0.1) else None
        if PRODUCTS[product].plan_class == "gene-modified-cells" and self.chance(0.25):
            given["protocols"] = self.dice.choice([("ltfu-15y-d28",), ("ltfu-15y-plus",), ("ltfu-15y", "cibmtr-15y"), ("ltfu-15y",)])
        earlier = [i.ref for i in p.live() if i.plan_class == PRODUCTS[product].plan_class or self.chance(0.05)] if p else []
        if earlier and self.chance(0.6):
            given |= self.dice.choice([{"continues": self.dice.choice(earlier)}, {"new_course": True}])
        years = [n for n in (1, 2, 3, 4) if plus_months(infused_on, 12 * n) <= self.today and self.chance(0.6)]
        if years and PRODUCTS[product].protocol and self.chance(0.5):
            days = [plus_days(plus_months(infused_on, 12 * n), self.dice.choice([-40, -30, 0, 5, 60, 80])) for n in years]
            told = [(f"Y{n:02}", day) for n, day in zip(years, days, strict=True)]
            given["completed"] = tuple(visit for visit in told if visit[1] <= self.today or self.chance(0.1))
        return self.command("record", **given)

    def _correct(self) -> list[Command]:
        infusion = self.dice.choice(self.model.people[self.person].infusions)
        by = self.dice.choice([-30, -10, -5, -1, 1, 2, 5, 9, 21, 30])
        days: dict[str, Any] = {"infused_on": plus_days(infusion.infused_on, by)}
        if infusion.discharged_on and self.chance(0.5):
            days["discharged_on"] = plus_days(infusion.discharged_on, by)
        return self.command("correct", ref=infusion.ref, **days)

    def _discharge(self) -> list[Command]:
        infusion = self.dice.choice(self.model.people[self.person].infusions[-2:])
        day = plus_days(infusion.infused_on, self.dice.choice([-1, 0, 7, 14, 15, 30, 100]))
        return self.command("correct", ref=infusion.ref, discharged_on=None if self.chance(0.15) else day)

    def _void(self) -> list[Command]:
        return self.command("void", ref=self.dice.choice(self.model.people[self.person].infusions).ref)

    def _birth(self) -> list[Command]:
        born = self.model.people[self.person].birth_date
        return self.command("correct_birth_date", birth_date=plus_days(born, self.dice.choice([-400, -30, -1, 1, 30, 400])))

    # -- visits

    def _book(self) -> list[Command]:
        on = None if self.chance(0.1) else plus_days(self.today, self.dice.choice([-1, 0, 1, 10, 30, 60, 90, 200]))
        return self.on_visit("book", on=on)

    def _complete(self) -> list[Command]:
        if self.chance(0.15):
            self.one_with("deceased")
        now, died = self.model.visits(self.person), death(self.model.people[self.person])
        at_death = [key for key, v in now.items() if died and v.window.start <= died <= v.window.end]
        key = self.dice.choice(at_death) if at_death and self.chance(0.7) else self.visit()
        if not key:
            return []
        visit = now[key]
        target, start, end, _ = visit.window
        inside = [day for day in (start, target, end) if day <= self.today]
        if not visit.outcome or self.chance(0.2):
            inside += [self.today, self.today, plus_days(start, -1), plus_days(end, 1), self.ago()]
        inside += [died, died, plus_days(died, 1)] if died else []
        on = plus_days(self.today, 1) if self.chance(0.04) else self.dice.choice(inside or [self.today])
        confirm = self.dice.choice([(), (), ("window_not_open", "nearer_to_next"), ("window_not_open",)])
        return self.command("complete", key=key, on=on, confirm=confirm)

    def _miss(self) -> list[Command]:
        return self.on_visit("miss", reason="did not come")

    def _cancel(self) -> list[Command]:
        return self.on_visit("cancel")

    def _reopen(self) -> list[Command]:
        return self.on_visit("reopen", decided=True)

    def _acknowledge(self) -> list[Command]:
        alerts = [*self.model.people[self.person].alerts]
        return self.command("acknowledge", key=self.dice.choice(alerts)) if alerts else []

    # -- people

    def _contact(self) -> list[Command]:
        outcomes = ["no-answer", "busy", "wrong-number", "will-come", "other-day", "declined", "elsewhere", "deceased-reported", None]
        channel = self.dice.choice(["phone", "letter", "1177", "relative", "home-hospital"])
        on = plus_days(self.today, self.dice.choice([0, 0, 0, -1, -20, 1]))
        return self.on_visit("contact", channel=channel, outcome=self.dice.choice(outcomes), on=on)

    def _lose(self) -> list[Command]:
        """Attempts, mostly enough of them, and the loss."""
        self.one_with("in-follow-up")
        made: list[Command] = []
        if self.chance(0.4):
            made += self.command("report", kind="survival", on=plus_days(self.today, -self.dice.choice([0, 1])))
        elif self.chance(0.25):
            row = self.model.people[self.person].live()
            made += self.command("correct", ref=row[-1].ref, discharged_on=self.today) if row else []
        elif self.chance(0.3):
            made += self.on_visit("complete", on=self.today, confirm=("window_not_open", "nearer_to_next"))
        for _ in range(self.dice.choice([2, 3, 3, 4])):
            channel, outcome = self.dice.choice(["phone", "letter", "relative"]), self.dice.choice(["no-answer", "busy", "wrong-number"])
            on = plus_days(self.today, self.dice.choice([0, 0, 0, -1]))
            made += self.on_visit("contact", channel=channel, outcome=outcome, on=on)
        return [*made, *self.command("report", kind="lost-to-follow-up", on=self.today)]

    def _die(self) -> list[Command]:
        self.one_with(*(("deceased",) if self.chance(0.3) else ("in-follow-up", "lost")))
        p = self.model.people[self.person]
        seen = max((d.completed_on for d in p.decisions.values() if d.completed_on), default=None)
        days = [self.ago(), self.ago(), self.ago(), *([seen, plus_days(seen, -1)] if seen else [])]
        return self.command("report", kind="deceased", on=plus_days(self.today, 1) if self.chance(0.04) else self.dice.choice(days))

    def one_with(self, *statuses: str) -> bool:
        """Turns to a person of that status; mostly nothing is done when there is none."""
        found = [person for person in self.model.people if self.model.status(person) in statuses]
        self.person = self.dice.choice(found or [self.person])
        return bool(found) or self.chance(0.1)

    def _mend(self) -> list[Command]:
        statuses = ("deceased",) if self.chance(0.5) else ("deceased", "withdrawn", "lost", "followed-elsewhere")
        if not self.one_with(*statuses):
            return []
        return self.command("report", kind="reinstated", on=self.today, entered_in_error=self.chance(0.8))

    def _reinstate(self) -> list[Command]:
        if not self.one_with("withdrawn", "lost", "followed-elsewhere"):
            return []
        since = max((e.on for e in self.model.people[self.person].events), default=self.today)
        ends = [v.window.end for v in self.model.visits(self.person).values() if since <= v.window.end <= self.today]
        on = self.dice.choice([self.today, self.ago(), self.dice.choice(ends or [self.today])])
        return self.command("report", kind="reinstated", on=on, entered_in_error=False)

    def _withdraw(self) -> list[Command]:
        return self.command("report", kind="withdrawn", on=self.ago())

    def _elsewhere(self) -> list[Command]:
        return self.command("report", kind="followed-elsewhere", on=self.dice.choice([self.today, self.ago()]))

    def _tidings(self) -> list[Command]:
        kind = self.dice.choice(["survival", "survival", "relapse", "new-therapy", "transplant", "second-malignancy"])
        return self.command("report", kind=kind, on=self.ago())

    def _transfer(self) -> list[Command]:
        on = self.dice.choice([self.today, self.ago()])
        return self.command("report", kind="transferred", on=on, centre=self.dice.choice(CENTRES))


def boundary(model: Model, op: Op) -> date | None:
    """A day soon on which the state of a visit turns."""
    turns: set[date] = set()
    for person in model.people:
        for visit in model.visits(person).values():
            if not visit.outcome:
                turns |= {visit.window.start, visit.window.end, plus_days(visit.window.end, 1)}
    ahead = sorted(day for day in turns if model.today < day <= plus_months(START, 12 * YEARS))
    return ahead[int(op.u**2 * min(len(ahead), 10))] if ahead else None
