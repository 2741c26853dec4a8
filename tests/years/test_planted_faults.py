"""Each rule of planning, made wrong, is found by the comparison of random lives with the model. A rule without a fault here is untested."""

import pytest

from tests.years.choices import a_life
from tests.years.conftest import Opener
from tests.years.faults import Fault, plant
from tests.years.lives import attempt

SEEDS = [24, 4, *range(40)]  # the first two find most of the faults
CHANGES, PLAN, FACTS, COURSES, REFUSALS = (f"app.planning.{name}" for name in ("changes", "plan", "facts", "courses", "refusals"))
SETTLE = "app.followup.settle"
FAULTS: list[Fault] = [
    Fault("an event never erases a missed visit", f"{CHANGES}:mark", "closing is not None and window_end >= closing.since", "closing is not None"),
    Fault("an event closes what ends on its day", f"{CHANGES}:mark", "window_end >= closing.since", "window_end > closing.since"),
    Fault("what passed before registration is told so", f"{CHANGES}:mark", "if window_end < registered_on:", "if window_end <= registered_on:"),
    Fault("care taken up again opens what comes after", f"{CHANGES}:closings", "Closing(w.since, 1, w.until,", "Closing(w.since, 1, None,"),
    Fault("withdrawal is from care", f"{CHANGES}:closings", "found.append(Closing(life.died_on, 0", "found.append(Closing(life.died_on, 3"),
    Fault("a newer infusion supersedes", f"{CHANGES}:closings", "if plan.followed_by is not None:", "if False:"),
    Fault("a plan takes the code of the one before", f"{CHANGES}:_care", "else code or infusion.default_protocol", "else infusion.default_protocol"),
    Fault("a child is under eighteen", f"{CHANGES}:is_child", "12 * AGE_OF_MAJORITY", "12 * (AGE_OF_MAJORITY + 3)"),
    Fault("a booking outside a moved window is dropped", f"{CHANGES}:_visit", "booked = None\n", "pass\n"),
    Fault("what people decided stays", f"{CHANGES}:_visit", "stands.is_decided", "stands.is_decided and stands.outcome is not Outcome.MISSED"),
    Fault(
        "a missed visit counts where its window ended",
        f"{CHANGES}:_visit",
        "centre = end_centre if missed else",
        "centre = infusion.centre if missed else",
    ),
    Fault("response counts from discharge", f"{PLAN}:_planned", "discharged_on or infused_on + ASSUMED_STAY", "infused_on + ASSUMED_STAY"),
    Fault("a provisional window runs to day 90", f"{PLAN}:_planned", "max(end, infused_on + PROVISIONAL_UNTIL)", "end"),
    Fault("a month without the day ends on its last", f"{PLAN}:months_later", "min(day.day, monthrange(year, month + 1)[1])", "28"),
    Fault("a transfer decides over an infusion of its day", f"{FACTS}:responsible_centre", "e.on, 1, e.centre", "e.on, -1, e.centre"),
    Fault("a second death corrects the first", f"{FACTS}:life", "if e.type is not EventType.DECEASED]", "]"),
    Fault("taking back is as if it had never been", f"{FACTS}:life", "standing[:-1] if", "standing if"),
    Fault("an infusion or a done visit finds the lost", f"{FACTS}:_status", "at >= event.recorded_at for at in seen", "False for at in seen"),
    Fault("a split dose continues by itself", f"{COURSES}:_continue_by_themselves", "both[0].course_days or 0", "0"),
    Fault("neighbours within 30 days are asked about", f"{COURSES}:refuse_unclear", "<= NEIGHBOURS and", "<= timedelta(days=21) and"),
    Fault("lost needs two channels", f"{REFUSALS}:refuse_event", " or len({a.channel for a in tried}) < CHANNELS", ""),
    Fault("no visit before its infusion", f"{REFUSALS}:refuse_completion", "if on < visit.window_start and", "if False and"),
    Fault("nearer to the next is asked about", f"{REFUSALS}:refuse_completion", "abs(on - following.target_on) < abs(on - visit.target_on)", "False"),
    Fault("a moved visit's alert is resolved", f"{SETTLE}:_ended", 'return "replanned"', "return None"),
    Fault(
        "what becomes overdue by a change is raised at once",
        f"{SETTLE}:_alert_after",
        "if visit.window_end >= today:",
        "if visit.window_end >= today or visit.is_open:",
    ),
    Fault("a lost patient's alert waits", f"{SETTLE}:_alert_after", "if status == LOST and", "if False and"),
    Fault("a found patient's alert opens", f"{SETTLE}:_alert_after", "elif status != LOST and", "elif False and"),
    Fault("followed elsewhere has no alerts", f"{SETTLE}:_alert_after", "status not in ALERTED", "False"),
]


@pytest.mark.proof
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.rule)
async def test_a_planted_fault_is_found(fault: Fault, open_service: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(fault, monkeypatch)
    for seed in SEEDS:
        async with open_service() as service:
            if await attempt(service, a_life(seed)):
                return
    pytest.fail(f"{len(SEEDS)} lives saw nothing")
