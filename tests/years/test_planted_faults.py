"""Each rule of planning, made wrong, is found by the comparison of random lives with the model. A rule without a fault
here is untested."""

import pytest

from tests.years.choices import a_life
from tests.years.conftest import Opener
from tests.years.faults import Fault, plant
from tests.years.lives import attempt

OTHERS = range(40)  # lives tried when that of the fault itself sees nothing any more
CHANGES, PLAN, FACTS, COURSES, REFUSALS = (
    f"app.planning.{name}" for name in ("changes", "plan", "facts", "courses", "refusals")
)
REPEATS, INFUSIONS, RECORDING, CONTACTS, ELSEWHERE, OVERDUE, EFFECTS, ALERTS = (
    f"app.followup.{name}"
    for name in ("repeats", "infusions", "recording", "contacts", "elsewhere", "overdue", "effects", "alert_changes")
)
DECISIONS, PROTOCOL = "app.planning.decisions", "app.planning.protocol"
FAULTS: list[Fault] = [
    Fault(
        "an event never erases a missed visit",
        f"{CHANGES}:mark",
        "closing is not None and window_end >= closing.since",
        "closing is not None",
    ),
    Fault(
        "an event closes what ends on its day",
        f"{CHANGES}:mark",
        "window_end >= closing.since",
        "window_end > closing.since",
    ),
    Fault(
        "what passed before registration is told so",
        f"{CHANGES}:mark",
        "if window_end < registered_on:",
        "if window_end <= registered_on:",
        seed=4,
    ),
    Fault(
        "care taken up again opens what comes after",
        f"{CHANGES}:closings",
        "Closing(w.since, 1, w.until,",
        "Closing(w.since, 1, None,",
    ),
    Fault(
        "withdrawal is from care",
        f"{CHANGES}:closings",
        "found.append(Closing(life.died_on, 0",
        "found.append(Closing(life.died_on, 3",
        seed=30,
    ),
    Fault("a newer infusion supersedes", f"{CHANGES}:closings", "if plan.followed_by is not None:", "if False:"),
    Fault(
        "a plan takes the code of the one before",
        f"{CHANGES}:_care",
        "else code or infusion.default_protocol",
        "else infusion.default_protocol",
    ),
    Fault(
        "a child is under eighteen", f"{CHANGES}:is_child", "12 * AGE_OF_MAJORITY", "12 * (AGE_OF_MAJORITY + 3)", seed=4
    ),
    Fault("a booking outside a moved window is dropped", f"{CHANGES}:_moved", "if stays else None", "", seed=4),
    Fault(
        "a booking of a closed visit is dropped too",
        f"{CHANGES}:_judged",
        "_moved(visit, planned)",
        "visit, **planned._asdict()",
        seed=30,
    ),
    Fault(
        "what was done and told with an infusion ends a loss",
        f"{RECORDING}:_with_done_visits",
        "return chart.decide(decided, protocols, tx.today)",
        "return decided",
        seed=78,
    ),
    Fault(
        "only what a correction changes is asked about",
        f"{INFUSIONS}:_judge_moved",
        "if corrected.continues != was.continues:",
        "if True:",
        seed=27,
    ),
    Fault(
        "what lay before the first infusion stops no correction",
        f"{REFUSALS}:refuse_before_first",
        "was <= event.on < first",
        "event.on < first",
        seed=18,
    ),
    Fault(
        "what people decided stays",
        f"{CHANGES}:_visit",
        "stands.is_decided",
        "stands.is_decided and stands.outcome is not Outcome.MISSED",
        seed=4,
    ),
    Fault(
        "a missed visit counts where its window ended",
        f"{CHANGES}:_visit",
        "centre = end_centre if missed else",
        "centre = infusion.centre if missed else",
    ),
    Fault(
        "response counts from discharge",
        f"{PLAN}:_planned",
        "discharged_on or infused_on + ASSUMED_STAY",
        "infused_on + ASSUMED_STAY",
    ),
    Fault("a provisional window runs to day 90", f"{PLAN}:_planned", "max(end, infused_on + PROVISIONAL_UNTIL)", "end"),
    Fault(
        "a month without the day ends on its last",
        f"{PLAN}:months_later",
        "min(day.day, monthrange(year, month + 1)[1])",
        "28",
    ),
    Fault(
        "a transfer decides over an infusion of its day",
        f"{FACTS}:responsible_centre",
        "e.on, 1, e.centre",
        "e.on, -1, e.centre",
        seed=78,
    ),
    Fault(
        "a second death corrects the first", f"{FACTS}:_standing", "if e.type is not EventType.DECEASED]", "]", seed=27
    ),
    Fault("taking back is as if it had never been", f"{FACTS}:_standing", "del standing[place]", "pass"),
    Fault("only what is dated since finds the lost", f"{FACTS}:_seen_since", "any(day > event.on or", "any(True or"),
    Fault(
        "a letter of the home hospital ends no time elsewhere",
        f"{FACTS}:_seen_since",
        "if lost or d.performed_by in SEEN_HERE",
        "",
        seed=11,
    ),
    Fault(
        "an error taken back needs one that stands",
        f"{FACTS}:_last",
        "if standing[place][1] is None",
        "if True",
        seed=5,
    ),
    Fault(
        "no withdrawal, transfer or loss before the first infusion",
        f"{REFUSALS}:refuse_event",
        "on < first",
        "False",
        seed=1,
    ),
    Fault(
        "no discharge after the death",
        f"{REFUSALS}:refuse_after_death",
        "day > known.died_on",
        'day > known.died_on and field == "infused_on"',
        seed=27,
    ),
    Fault(
        "a decided visit takes the new window",
        f"{CHANGES}:_visit",
        "return _judged(facts, stands, planned)",
        "return stands",
        seed=4,
    ),
    Fault(
        "what is confirmed is not asked again",
        "app.followup.visits:confirm",
        "confirmed_for=found.closed_before",
        "confirmed_for=None",
        seed=8,
    ),
    Fault(
        "done visits outside a moved window are told",
        f"{EFFECTS}:done_outside_window",
        "and not visit.on_time and",
        "and False and",
        seed=78,
    ),
    Fault("a repeat is compared person by person", f"{REPEATS}:_same_person", " or not numbers <= known", ""),
    Fault(
        "what is stored is known on any day",
        f"{RECORDING}:record",
        "if new.source is not None and (",
        "if new.source is not None and new.infused_on <= tx.today and (",
    ),
    Fault(
        "attempts count once a day and channel",
        f"{REFUSALS}:attempts",
        "return {Attempt(c.on, c.channel) for c in later if c.outcome in NO_ANSWER}",
        "return [Attempt(c.on, c.channel) for c in later if c.outcome in NO_ANSWER]",
        seed=4,
    ),
    Fault(
        "only attempts since the last sign of life count", f"{REFUSALS}:attempts", "c.on > heard_on", "c.on >= heard_on"
    ),
    Fault(
        "no contact is taken back under a loss",
        f"{CONTACTS}:_refuse_under_a_loss",
        "if lost is not None:",
        "if False:",
        seed=30,
    ),
    Fault(
        "a reported death is asked about",
        f"{FACTS}:reported_dead_on",
        "return None if alive and",
        "return None if True or alive and",
        seed=78,
    ),
    Fault(
        "an ended plan is asked about",
        f"{DECISIONS}:standing",
        "if _is_decided(facts, known):",
        "if True:",
        seed=5,
    ),
    Fault(
        "what is decided is not asked again",
        f"{DECISIONS}:_is_decided",
        "if last is None or last.decision is Decision.EXTEND:",
        "if True:",
        seed=5,
    ),
    Fault(
        "an infusion asks anew",
        f"{DECISIONS}:_is_decided",
        "return not any(infusion.registered_at > last.recorded_at for infusion in facts.counted)",
        "return True",
        seed=7,
    ),
    Fault(
        "silence is fourteen months", f"{DECISIONS}:heard_before", "return day", "return months_later(day, -2)", seed=25
    ),
    Fault(
        "a sweep is for its own day, whatever day was swept before",
        f"{OVERDUE}:sweep",
        "await state.take_sweep(tx)\n",
        "await state.take_sweep(tx)\n    if ((await state.get(tx)).last_swept_on or tx.today) > tx.today:\n        "
        "return 0\n",
    ),
    Fault(
        "a recalled alert waits for its day again",
        f"{OVERDUE}:recall",
        "await db_alerts.wait_again(tx, [alert.visit_id for alert in ahead])",
        "pass",
        seed=30,
    ),
    Fault(
        "a protocol serves its classes",
        f"{PROTOCOL}:Protocol.serves",
        "return not self.classes or",
        "return True or",
        seed=4,
    ),
    Fault("a refusal tells a stranger nothing", f"{ELSEWHERE}:_refusal", "return KnownElsewhere()", "raise"),
    Fault("a refused infusion is asked about", f"{ELSEWHERE}:_refusal", "if centre is not None:", "if False:"),
    Fault(
        "a split dose continues by itself",
        f"{COURSES}:_continue_by_themselves",
        "both[0].course_days or 0",
        "0",
        seed=78,
    ),
    Fault(
        "neighbours within 30 days are asked about",
        f"{COURSES}:refuse_unclear",
        "<= NEIGHBOURS and",
        "<= timedelta(days=21) and",
    ),
    Fault(
        "lost needs two channels",
        f"{REFUSALS}:refuse_event",
        " or len({a.channel for a in tried}) < CHANNELS",
        "",
        seed=64,
    ),
    Fault(
        "no visit before its infusion",
        f"{REFUSALS}:refuse_completion",
        "if on < visit.window_start and",
        "if False and",
    ),
    Fault(
        "nearer to the next is asked about",
        f"{REFUSALS}:_refuse_nearer_to_next",
        "abs(on - target) < own",
        "False",
        seed=78,
    ),
    Fault("a moved visit's alert is resolved", f"{ALERTS}:_ended", 'return "replanned"', "return None"),
    Fault(
        "what becomes overdue by a change is raised at once",
        f"{ALERTS}:_with_alert_after",
        "if visit.window_end >= today:",
        "if visit.window_end >= today or visit.is_open:",
    ),
    Fault("a lost patient's alert waits", f"{ALERTS}:_kept", "if status == _LOST and", "if False and"),
    Fault("a found patient's alert opens", f"{ALERTS}:_kept", "elif status != _LOST and", "elif False and"),
    Fault("followed elsewhere has no alerts", f"{ALERTS}:_ended", "status not in _ALERTED", "False", seed=4),
]


@pytest.mark.proof
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.rule)
async def test_a_planted_fault_is_found(fault: Fault, open_service: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(fault, monkeypatch)
    for seed in (fault.seed, *OTHERS):
        async with open_service() as service:
            if await attempt(service, a_life(seed)):
                return
    pytest.fail(f"{1 + len(OTHERS)} lives saw nothing")
