"""What is done in a random life: operations by weight, and what exactly each does, by its own dice and what the model
shows then.

An operation is (day, name, u, v): not before that day since the start. So operations may be removed from a life and the
rest still makes sense.
"""

import random
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from tests.model import Model
from tests.years.asked import death_reported
from tests.years.facts import Key, death, in_force
from tests.years.schedule import PRODUCTS, plus_days, plus_months

CENTRES = ("lund", "goteborg", "uppsala")
CHANNELS = ("phone", "letter", "1177", "relative", "home-hospital")
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
    "resend": 5,
    "anew": 3,
    "retry": 4,
    "late": 4,
    "course": 4,
    "correct": 9,
    "discharge": 6,
    "unfit": 6,
    "confirm": 3,
    "void": 4,
    "book": 7,
    "complete": 16,
    "miss": 5,
    "cancel": 4,
    "reopen": 8,
    "contact": 4,
    "uncall": 4,
    "decide": 4,
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
    "ahead": 1,
    "again": 5,
}


def a_life(seed: int, length: int = 90) -> list[Op]:
    dice = random.Random(seed)
    day, ops = 0, [Op(0, "infuse", dice.random(), dice.random()) for _ in range(3)]
    for _ in range(length):
        day += dice.choices([0, dice.randint(1, 30), dice.randint(30, 200), dice.randint(330, 400)], [40, 35, 20, 5])[0]
        ops.append(Op(day, dice.choices([*WEIGHTS], [*WEIGHTS.values()])[0], dice.random(), dice.random()))
    return ops


# ---- What exactly is done --------------------------------------------------------------------------------------------


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
        turns = [
            day
            for v in self.model.visits(self.person).values()
            for day in (v.window.start, v.window.end)
            if day <= self.today
        ]
        turns += [i.infused_on for i in p.live()] + [e.on for e in p.events]
        near = [
            day
            for turn in sorted(turns)[-8:]
            for day in (plus_days(turn, -1), turn, plus_days(turn, 1))
            if day <= self.today
        ]
        told = [i.infused_on for i in p.live()] + [e.on for e in p.events]
        told += [plus_days(d.completed_on, n) for d in p.decisions.values() if d.completed_on for n in (-1, 0)]
        kinds = [
            [self.today],
            near or [self.today],
            told or [self.today],
            [plus_days(self.today, -self.dice.randint(0, 900))],
        ]
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
        infused_on = plus_days(self.today, -self.dice.choice([0, 0, 0, 1, 12, 20, 90, 100, 800, 2500, 5500]))
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
        near = plus_days(
            self.dice.choice(row).infused_on, self.dice.choice([-31, -30, -9, 0, 1, 9, 10, 20, 21, 22, 29, 30, 31, 60])
        )
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
            given: dict[str, Any] = {
                "ref": refs[n],
                "birth_date": p.birth_date,
                "centre": centre,
                "infused_on": plus_days(first, gap),
            }
            given |= self.dice.choice([{}, {}, {"new_course": True}, {"continues": refs[n - 1]} if n else {}])
            made += self.command("record", product="axicabtagene-ciloleucel" if is_other else product, **given)
        turned = self.dice.choice(made).given
        moved = plus_days(turned["infused_on"], self.dice.choice([-1, 1, 2]))
        days = self.dice.choice([{"discharged_on": self.today}, {"infused_on": moved}])
        return [*made, *self.command("correct", ref=turned["ref"], **days)]

    def next_ref(self) -> str:
        return f"i{self.model.order}"

    def infusion(self, infused_on: date, born: date) -> list[Command]:
        p = self.model.people.get(self.person)
        ref = self.next_ref()
        common = {"tisagenlecleucel": 5, "axicabtagene-ciloleucel": 5, "obecabtagene-autoleucel": 5}
        last = [p.infusions[-1].product] if p and self.chance(0.5) else []
        product = (last or self.dice.choices([*PRODUCTS], [common.get(product, 1) for product in PRODUCTS]))[0]
        centre = self.dice.choice(CENTRES)
        given: dict[str, Any] = {
            "ref": ref,
            "birth_date": born,
            "product": product,
            "infused_on": infused_on,
            "centre": centre,
        }
        if self.chance(0.5):
            discharged_on = plus_days(infused_on, self.dice.choice([0, 7, 14, 20, 60]))
            given["discharged_on"] = discharged_on if discharged_on <= self.today or self.chance(0.1) else None
        if self.chance(0.03):
            given["protocols"] = ("aav-5y",)
        elif PRODUCTS[product].plan_class == "gene-modified-cells" and self.chance(0.25):
            given["protocols"] = self.dice.choice(
                [("ltfu-15y-d28",), ("ltfu-15y-plus",), ("ltfu-15y", "cibmtr-15y"), ("ltfu-15y",)]
            )
        earlier = (
            [i.ref for i in p.live() if i.plan_class == PRODUCTS[product].plan_class or self.chance(0.05)] if p else []
        )
        if earlier and self.chance(0.6):
            given |= self.dice.choice([{"continues": self.dice.choice(earlier)}, {"new_course": True}])
        years = [n for n in (1, 2, 3, 4) if plus_months(infused_on, 12 * n) <= self.today and self.chance(0.6)]
        if years and PRODUCTS[product].protocol and self.chance(0.5):
            days = [
                plus_days(plus_months(infused_on, 12 * n), self.dice.choice([-40, -30, 0, 5, 60, 80])) for n in years
            ]
            told = [(f"Y{n:02}", day) for n, day in zip(years, days, strict=True)]
            given["completed"] = tuple(visit for visit in told if visit[1] <= self.today or self.chance(0.1))
        return self.command("record", **given)

    def _resend(self) -> list[Command]:
        """The message of a stored infusion again: as it was, of another person, or with another value."""
        infusion = self.dice.choice(self.model.people[self.person].infusions)
        given: dict[str, Any] = {"ref": infusion.ref}
        if self.chance(0.5):
            seen = [
                person
                for person, p in self.model.people.items()
                if person != self.person and p.responsible == infusion.centre and p.live()
            ]
            given["by"] = self.dice.choice(["number", "id", "both"]) if seen else "number"
            given["tells"] = self.dice.choice(seen if given["by"] == "id" else [*seen, "stranger"])
        elif self.chance(0.2):
            given["changed"] = True
        return self.command("resend", **given)

    def _anew(self) -> list[Command]:
        """Void, and recorded anew under its own key, on another day."""
        p = self.model.people[self.person]
        old = self.dice.choice(p.live() or p.infusions)
        on = min(plus_days(old.infused_on, self.dice.choice([-400, -30, -1, 0, 1, 30, 366])), self.today)
        given: dict[str, Any] = {
            "ref": self.next_ref(),
            "birth_date": p.birth_date,
            "centre": old.centre,
            "product": old.product,
        }
        made = self.command("void", ref=old.ref) if not old.voided else []
        return [*made, *self.command("record", **given, infused_on=on, source=old.source, new_course=self.chance(0.3))]

    def _retry(self) -> list[Command]:
        """What was refused because of another centre's words, sent again: as it is, or after these were taken back."""
        people = [person for person, p in self.model.people.items() if p.refused]
        if not people:
            return []
        self.person = self.dice.choice(people)
        p = self.model.people[self.person]
        ref = self.dice.choice([*p.refused])
        made = (
            self.command("report", kind="reinstated", on=self.today, entered_in_error=self.chance(0.5))
            if in_force(p) and self.chance(0.6)
            else []
        )
        return [*made, Command("record", self.model.kept[ref])]

    def _unfit(self) -> list[Command]:
        """A decided visit, and the date corrected from which its window counts; perhaps confirmed then."""
        p = self.model.people[self.person]
        keys = [key for key in p.decisions if key[0] == "care"]
        if not keys:
            return []
        key = self.dice.choice(keys)
        infusion, by = p.infusion(key[1]), self.dice.choice([-365, -60, -9, 1, 5, 12, 40, 365])
        if key[2] == "W4" and self.chance(0.7):
            days = {"discharged_on": plus_days(infusion.discharged_on or plus_days(infusion.infused_on, 14), by % 50)}
        else:
            days = {"infused_on": plus_days(infusion.infused_on, by)}
        made = self.command("correct", ref=infusion.ref, **days)
        return [*made, *self.command("confirm", key=key)] if self.chance(0.3) else made

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
        return self.command(
            "correct_birth_date", birth_date=plus_days(born, self.dice.choice([-400, -30, -1, 1, 30, 400]))
        )

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
        by = self.dice.choice(["own-centre", "own-centre", "phone", "home-hospital", "records", "elsewhere"])
        return self.command("complete", key=key, on=on, confirm=confirm, performed_by=by)

    def _confirm(self) -> list[Command]:
        asked = [(person, key) for person in self.model.people for key, is_early in self.early(person) if is_early]
        if not asked:
            return []
        self.person, key = self.dice.choice(asked)
        return self.command("confirm", key=key)

    def early(self, person: str) -> list[tuple[Key, bool]]:
        found = self.model.asked(person)["decided-before-window"]
        return [(key, found["/".join(key)] is True) for key in self.model.people[person].decisions]

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
        outcomes = [
            "no-answer",
            "busy",
            "wrong-number",
            "letter-sent",
            "will-come",
            "other-day",
            "declined",
            "elsewhere",
        ]
        outcomes += ["deceased-reported", "deceased-reported", "given-to-booking", None]
        made = self.call(self.dice.choice(outcomes), plus_days(self.today, self.dice.choice([0, 0, 0, -1, -20, 1])))
        return (
            [*made, Command("contact", made[0].given | {"ref": f"{made[0].given['ref']}-again"})]
            if made and self.chance(0.3)
            else made
        )

    def call(self, outcome: str | None, on: date, channels: Sequence[str] = CHANNELS, nth: int = 0) -> list[Command]:
        """One contact, about a visit or none."""
        key = self.visit() if self.chance(0.7) else None
        ref = f"c{sum(len(p.contacts) for p in self.model.people.values()) + nth}-{self.today}"
        return self.command(
            "contact", key=key, ref=ref, channel=self.dice.choice(channels) if outcome else None, outcome=outcome, on=on
        )

    def _uncall(self) -> list[Command]:
        """A contact of today taken back, mostly."""
        people = [
            person
            for person, p in self.model.people.items()
            if any(c.logged_on == c.on == self.today for c in p.contacts)
        ]
        if people and self.chance(0.8):
            self.person = self.dice.choice(people)
        contacts = self.model.people[self.person].contacts[-2:]
        return self.command("take_back_contact", ref=self.dice.choice(contacts).ref) if contacts else self._contact()

    def _decide(self) -> list[Command]:
        people = [person for person in self.model.people if self.model.asked(person)["words"]["over"] is True]
        reported = [person for person, p in self.model.people.items() if death_reported(p) is True]
        if reported and self.chance(0.5):
            self.person = self.dice.choice(reported)
            return self.command("decide", word="not-deceased")
        if not people:
            return []
        self.person = self.dice.choice(people)
        return self.command("decide", word=self.dice.choice(["hand-over", "close"]))

    def _lose(self) -> list[Command]:
        """Attempts, mostly enough of them, and the loss."""
        self.one_with("in-follow-up")
        made: list[Command] = []
        if self.chance(0.4):
            made += self.command("report", kind="survival", on=plus_days(self.today, -self.dice.choice([1, 2, 3])))
        elif self.chance(0.25):
            row = self.model.people[self.person].live()
            made += self.command("correct", ref=row[-1].ref, discharged_on=plus_days(self.today, -2)) if row else []
        elif self.chance(0.3):
            confirm = ("window_not_open", "nearer_to_next")
            made += self.on_visit("complete", on=plus_days(self.today, -2), confirm=confirm, performed_by="own-centre")
        for n in range(self.dice.choice([2, 3, 4, 4, 5])):
            outcome = self.dice.choice(["no-answer", "busy", "wrong-number", "letter-sent"])
            made += self.call(
                outcome,
                plus_days(self.today, -self.dice.choice([0, 0, 1, 1, 2, 3])),
                ("phone", "letter", "relative"),
                n,
            )
        made += self.command("report", kind="lost-to-follow-up", on=self.today)
        if made[-2].name == "contact" and self.chance(0.3):
            made += self.command("take_back_contact", ref=made[-2].given["ref"])
        return made

    def _die(self) -> list[Command]:
        self.one_with(*(("deceased",) if self.chance(0.3) else ("in-follow-up", "lost")))
        p = self.model.people[self.person]
        seen = max((d.completed_on for d in p.decisions.values() if d.completed_on), default=None)
        days = [self.ago(), self.ago(), self.ago(), *([seen, plus_days(seen, -1)] if seen else [])]
        return self.command(
            "report", kind="deceased", on=plus_days(self.today, 1) if self.chance(0.04) else self.dice.choice(days)
        )

    def one_with(self, *statuses: str) -> bool:
        """Turns to a person of that status; mostly nothing is done when there is none."""
        found = [person for person in self.model.people if self.model.status(person) in statuses]
        self.person = self.dice.choice(found or [self.person])
        return bool(found) or self.chance(0.1)

    def _mend(self) -> list[Command]:
        statuses = ("deceased",) if self.chance(0.5) else ("deceased", "withdrawn", "lost", "followed-elsewhere")
        if not self.one_with(*statuses):
            return []
        by = "nurse" if self.chance(0.15) else "coordinator"
        made = self.command("report", kind="reinstated", on=self.today, entered_in_error=self.chance(0.8), by=by)
        return [*made, *made] if self.chance(0.2) else made

    def _reinstate(self) -> list[Command]:
        if not self.one_with("withdrawn", "lost", "followed-elsewhere"):
            return []
        since = max((e.on for e in self.model.people[self.person].events), default=self.today)
        ends = [v.window.end for v in self.model.visits(self.person).values() if since <= v.window.end <= self.today]
        on = self.dice.choice([self.today, self.ago(), self.dice.choice(ends or [self.today])])
        return self.command("report", kind="reinstated", on=on, entered_in_error=False)

    def _withdraw(self) -> list[Command]:
        made = self.command("report", kind="withdrawn", on=self.ago(), by=self.dice.choice(["nurse", "coordinator"]))
        return (
            [*made, *self.command("report", kind="reinstated", on=self.today, entered_in_error=True, by="nurse")]
            if self.chance(0.2)
            else made
        )

    def _elsewhere(self) -> list[Command]:
        return self.command("report", kind="followed-elsewhere", on=self.dice.choice([self.today, self.ago()]))

    def _tidings(self) -> list[Command]:
        kind = self.dice.choice(["survival", "survival", "relapse", "new-therapy", "transplant", "second-malignancy"])
        return self.command("report", kind=kind, on=self.ago())

    def _transfer(self) -> list[Command]:
        on = self.dice.choice([self.today, self.ago()])
        other = [
            centre for centre in CENTRES if centre != self.model.people[self.person].responsible or self.chance(0.1)
        ]
        return self.command("report", kind="transferred", on=on, centre=self.dice.choice(other))


def boundary(model: Model, op: Op) -> date | None:
    """A day soon on which the state of a visit turns."""
    turns: set[date] = set()
    for person in model.people:
        for visit in model.visits(person).values():
            if not visit.outcome:
                turns |= {visit.window.start, visit.window.end, plus_days(visit.window.end, 1)}
    ahead = sorted(day for day in turns if model.today < day <= plus_months(START, 12 * YEARS))
    return ahead[int(op.u**2 * min(len(ahead), 10))] if ahead else None
