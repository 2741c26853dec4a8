"""Random lives reach every rule: a second model in which one rule is wrong differs from the first within some seeds."""

import pytest

from tests import model as plain
from tests.years.choices import a_life
from tests.years.lives import Life, attempt, report
from tests.years.twin import Twin, model_with

SEEDS = range(600)

# rule: the text that states it, and a wrong one
WRONG = {
    "a month without such a day ends earlier": ("calendar.monthrange(year, month + 1)[1])", "28)"),
    "day 14 is assumed while no discharge is known": (
        "discharged_on or plus_days(infused_on, 14)",
        "discharged_on or plus_days(infused_on, 15)",
    ),
    "a provisional window runs to day 90": ("plus_days(infused_on, 90)", "plus_days(infused_on, 91)"),
    "on a tie the later working day is suggested": (
        "(plus_days(target, distance), plus_days(target, -distance))",
        "(plus_days(target, -distance), plus_days(target, distance))",
    ),
    "Midsummer Eve is no working day": (" and not midsummer_eve", ""),
    "two AAV products are two classes": ('Product("aav-smn1"', 'Product("aav-rpe65"'),
    "a voided infusion counts nowhere": ("if not i.voided and plan_class in (None", "if plan_class in (None"),
    "links of a course are links": ("if infusion.continues in of:", "if False:"),
    "a new course does not continue by itself": ("== 1 and not infusion.says", "== 1"),
    "what is linked does not continue by itself": ("len(of[infusion.ref]) == 1 and not", "not"),
    "only the same product continues by itself": ("infusion.product == course[0].product", "True"),
    "a full course does not continue by itself": (
        "len(course) < product.per_course",
        "len(course) <= product.per_course",
    ),
    "a course continues by itself within 21 days": ('"ltfu-15y", 21)', '"ltfu-15y", 20)'),
    "the second eye continues by itself within 90 days": ('"aav-5y", 90)', '"aav-5y", 21)'),
    "a protocol serves its classes": (
        "if any(not PROTOCOLS[code].serves",
        "if any(False and not PROTOCOLS[code].serves",
    ),
    "the hand-over serves gene-modified cells": ("PROTOCOLS[HAND_OVER].serves(infusion.plan_class) and (", "("),
    "one of a class a day": ("if other is not infusion)", "if False)"),
    "a neighbour within 30 days asks": (".days <= 30", ".days <= 29"),
    "the infusion itself may say what it is": ("(infusion.says or later.says or", "(later.says or"),
    "the later infusion may say what it is": ("(infusion.says or later.says or", "(infusion.says or"),
    "a reinfusion takes the protocol of the plan it replaces": ("care_protocol(p, earlier[-1]) if earlier else ", ""),
    "a child is under 18 at the infusion": (
        "infusion.infused_on < plus_months(p.birth_date, 216)",
        "infusion.infused_on <= plus_months(p.birth_date, 216)",
    ),
    "the transition plan hangs on the first infusion under 18": (
        "(i for i in p.live() if is_handed_over",
        "(i for i in reversed(p.live()) if is_handed_over",
    ),
    "a last-infusion plan ends with the newer infusion": (
        "newer.infused_on if newer else None))\n        firsts",
        "None))\n        firsts",
    ),
    "a window that ended on the day of the event is cancelled": ("if days.end < on:", "if days.end <= on:"),
    "a window that ended on the day of the reinstatement is open": ("days.end < until", "days.end <= until"),
    "registered on the last day is not late": ("was_late = days.end <", "was_late = days.end <="),
    "a late entry before another event stays a late entry": ('"before-registration" if was_late else f"', 'f"'),
    "a missed visit counts where the patient was at its end": (
        "why, responsible_on(p, days.end)",
        "why, responsible_on(p, date.max)",
    ),
    "a late entry counts where the patient was at its end": (
        '"before-registration", responsible_on(p, days.end)',
        '"before-registration", responsible_on(p, date.max)',
    ),
    "a cancelled visit stays where the patient was on that day": (
        "reason, responsible_on(p, on)",
        "reason, responsible_on(p, date.max)",
    ),
    "death comes before withdrawal": ("Closing(on, 0,", "Closing(on, 3,"),
    "withdrawal comes before the newer infusion": ("Closing(e.on, 1,", "Closing(e.on, 3,"),
    "on one day the transfer decides": ("moves += [(e.on, 1,", "moves += [(e.on, -1,"),
    "the latest infusion decides the centre": ("moves = [(i.infused_on, 0,", "moves = [(date.min, 0,"),
    "a second death is a correction": ("for e in reversed(endings(p))", "for e in endings(p)"),
    "a corrected death is taken back altogether": ('kept = [e for e in kept if e.type != "deceased"]', "pass"),
    "an error taken back has never been": ("last = kept.pop()", "last = kept[-1]\n            last.until = event.on"),
    "a done visit ends a loss": ('(event.type == "lost-to-follow-up" or d.performed_by in', "(d.performed_by in"),
    "an infusion ends a loss": ("yield from ((i.infused_on, i.order) for i in p.live())", "pass"),
    "the home hospital's visit does not end a time elsewhere": ('d.performed_by in ("own-centre", "phone")', "True"),
    "what is dated before a loss does not end it": ("any(on >= e.on for on, _ in signs", "any(True for on, _ in signs"),
    "what is dated on the day of a loss ends it": (
        "any(on >= e.on for on, _ in signs",
        "any(on > e.on for on, _ in signs",
    ),
    "a withdrawal is not ended by an infusion or a visit": (
        "e.type in SOFT and any(on >= e.on for on, _",
        "any(on >= e.on for on, _",
    ),
    "a plan has ended when nothing of care is open": (
        'any(is_care(key) and not visit.outcome for key, visit in visits.items()) else "plan-ended"',
        'visits else "plan-ended"',
    ),
    "a discharge is a sign of life": (" + [i.discharged_on for i in p.live() if i.discharged_on]", ""),
    "a done visit is a sign of life": (
        "days += [d.completed_on for d in p.decisions.values() if d.completed_on]\n",
        "pass\n",
    ),
    "tidings of life are a sign of life": (
        '[e.on for e in p.events if e.type == "survival"] '
        "+ [c.on for c in p.contacts if c.outcome in ANSWERS]\n    return",
        "[c.on for c in p.contacts if c.outcome in ANSWERS]\n    return",
    ),
    "a done visit takes the new window": ("Visit(now[key].window, d.outcome", "Visit(d.window, d.outcome"),
    "what a person decided stays": (
        "for key, d in p.decisions.items():\n        is_given",
        "for key, d in [x for x in p.decisions.items() if not now[x[0]].outcome]:\n        is_given",
    ),
    "an infusion in the future is refused": ("if infusion.infused_on > today:", "if False:"),
    "a discharge in the future is refused": (
        "if infusion.discharged_on and infusion.discharged_on > today:",
        "if False:",
    ),
    "a discharge before the infusion is refused": (
        "if infusion.discharged_on and infusion.discharged_on < infusion.infused_on:",
        "if False:",
    ),
    "an infusion after the death is refused": (
        "if died and max(infusion.infused_on, infusion.discharged_on or infusion.infused_on) > died:",
        "if died and max(infusion.infused_on, infusion.discharged_on or infusion.infused_on) >= died:",
    ),
    "a discharge after the death is refused": (
        "if died and max(infusion.infused_on, infusion.discharged_on or infusion.infused_on) > died:",
        "if died and infusion.infused_on > died:",
    ),
    "an infusion for a withdrawn patient is refused": ('["withdrawn"] * any(', '["withdrawn"] * 0 * any('),
    "only a moved infusion is asked what it is": ("if is_moved else ()", ""),
    "a moved infusion is asked what it is": ("(refuse_unsaid(p, infusion) if is_moved else ())", "()"),
    "no booking in the past": ("if on and on < self.today:", "if on and on <= self.today:"),
    "no booking of a closed visit": (
        "if visits_of(p, self.today)[key].outcome:\n                raise Refused",
        "if False:\n                raise Refused",
    ),
    "done before the window is asked": ("(on < visit.window.start)", "(on <= visit.window.start)"),
    "nearer to the next is asked": (
        "abs((on - t).days) < own for t in later",
        "abs((on - t).days) < own - 30 for t in later",
    ),
    "no visit before the infusion": ('["before_infusion"] * (on < infused_on)', '["before_infusion"] * 0'),
    "no visit after the death": ("died is not None and on > died)", "died is not None and on >= died)"),
    "no visit missed before its window": (
        "if visit.outcome or self.today < visit.window.start:",
        "if visit.outcome or self.today <= visit.window.start:",
    ),
    "planning's mark is not reopened by hand": (
        "if p.decisions.pop(key, None) is None:",
        "if p.decisions.pop(key, None) is None and False:",
    ),
    "acknowledged by a person stays so": ('"acknowledged", True', '"acknowledged", False'),
    "no event of a dead patient": ('if died and not (kind == "deceased"', 'if False and not (kind == "deceased"'),
    "no death before a done visit": ("d.completed_on > on]", "d.completed_on >= on]"),
    "no death before an infusion": ("if later or any(max(i.infused_on", "if later or any(not max(i.infused_on"),
    "a loss needs three attempts": ("len(tries) >= 3", "len(tries) >= 2"),
    "a loss needs two channels": (" and len({channel for _, channel in tries}) >= 2", ""),
    "attempts count once a day and channel": (
        "tries = {(c.on, c.channel) for c in p.contacts if",
        "tries = {(c.ref, c.channel) for c in p.contacts if",
    ),
    "a letter is an attempt": ('"wrong-number", "letter-sent")', '"wrong-number")'),
    "only attempts since the last sign of life count": ("since < c.on <= on}", "since <= c.on <= on}"),
    "a contact is taken back on its day": ("if told.logged_on != self.today:", "if False:"),
    "a contact is not taken back while a loss stands on it": ('raise Refused("loss_stands")', "pass"),
    "a contact taken back is no attempt": ("p.contacts.remove(told)", "pass"),
    "a repeat of another person is refused": ("            if tells:\n", "            if False:\n"),
    "a repeat with another value is refused": ("            if changed:\n", "            if False:\n"),
    "an error taken back needs one that stands": ('raise Refused("nothing_to_take_back")', "return"),
    "done visits outside a moved window are told": (
        'return ("ok", sorted("/".join(key) for key in moved))',
        'return ("ok", [])',
    ),
    "no withdrawal, transfer or loss before the first infusion": ('raise Refused("before_infusion")', "pass"),
    "a nurse takes back her own of today": ("!= (self.today, event.told_by):", "is None:"),
    "a visit done before its moved window is asked about": (
        "if d.window.start != visit.window.start:\n        return True",
        "if False:\n        return True",
    ),
    "of replaced plans nothing is asked": (
        "any(plan.replaced_on for plan in plans(p)",
        "any(False for plan in plans(p)",
    ),
    "what is confirmed is not asked about": ("d.window, d.was_moved = visit.window, False", "pass"),
    "another centre learns nothing": ('return ["known_elsewhere", *', "return [*"),
    "a voided infusion opens nothing": (
        "[i.ref for i in p.live() if centre in",
        "[i.ref for i in p.infusions if centre in",
    ),
    "a refused infusion of another centre is asked about": (
        '"asked" if set(told) == {"known_elsewhere"} else',
        '"perhaps" if told else',
    ),
    "an alert ahead of its day is recalled": ("if alert.window.end >= self.today:", "if False:"),
    "nothing heard for fourteen months is asked about": ("SILENCE = 14", "SILENCE = 15"),
    "what opens within 30 days is no silence": ("plus_days(today, 30) or key", "plus_days(today, 29) or key"),
    "a booked visit is no silence": (" or key in p.bookings)", ")"),
    "an ended plan is asked about": (
        "    if not decided:\n        return True",
        "    if not decided:\n        return False",
    ),
    "what somebody decided is not asked again": (
        "return ANY if newer or last.was_open else False",
        "return ANY if newer or last.was_open else True",
    ),
    "a booking outside the moved window is dropped": ("and before.window != visit.window and not", "and False and not"),
    "a booking outside a window that did not move stays": ("and before.window != visit.window and not", "and not"),
    "a lost patient's alert is acknowledged": ('"acknowledged" if is_now == "lost" else "open"', '"open"'),
    "a loss acknowledges": ('alert and is_now == "lost" and', "False and"),
    "found again reopens": ('is_wanted and alert and is_now != "lost"', "False and alert"),
    "found again leaves what a person acknowledged": (
        'alert.state == "acknowledged" and not alert.by_person',
        'alert.state == "acknowledged"',
    ),
    "an alert moves with its visit": ('"replanned" if alert.window != visit.window else ', ""),
    "an alert moves with the patient": ('"transferred" if alert.centre != visit.centre else None', "None"),
    "followed elsewhere ends alerts": ('"followed-elsewhere" if is_now == "followed-elsewhere" else moved', "moved"),
    "followed elsewhere raises none": (
        'is_now in ("in-follow-up", "plan-ended", "lost")\n        if alert',
        "True\n        if alert",
    ),
    "overdue from the day after the window": ("visit.window.end < today and", "visit.window.end <= today and"),
}


async def test_a_model_agrees_with_itself() -> None:
    for seed in range(3):
        with model_with("class Model:", "class Model(object):") as twin:
            failure = await attempt(Twin(twin), a_life(seed))
        assert failure is None, failure


@pytest.mark.reach
@pytest.mark.parametrize("rule", WRONG)
async def test_a_life_finds_a_wrong_rule(rule: str) -> None:
    with model_with(*WRONG[rule]) as twin:
        for seed in SEEDS:
            if await attempt(Twin(twin), a_life(seed)):
                return
    pytest.fail(f"{len(SEEDS)} lives saw nothing")


async def test_a_failing_life_is_shrunk() -> None:
    with model_with(*WRONG["a provisional window runs to day 90"]) as twin:
        told = await report(0, a_life(0), lambda ops: attempt(Twin(twin), ops))
    assert told
    assert told.count("Op(day=") <= 2, told


async def test_a_life_is_the_same_life_every_time() -> None:
    lives = [Life(Twin(plain)) for _ in range(2)]
    for life in lives:
        await life.run(a_life(1))
    assert lives[0].done == lives[1].done
    assert len(lives[0].done) > 40
