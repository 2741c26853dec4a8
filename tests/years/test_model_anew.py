"""The plain model against contract.md 3 rules 1, 4, 7, 8, 11, 13, 17 and 18: facts that are mended, sent again, taken
back or never told."""

from typing import Any

import pytest

from tests.model import Model
from tests.years.asked import death_reported
from tests.years.schedule import plus_days
from tests.years.service import WORDS
from tests.years.test_model import ADULT, D, a_patient, an_infusion, called, days, done, found, ltfu

BCMA, EYE, SKIN = "obecabtagene-autoleucel", "voretigene-neparvovec", "keratinocytes-autologous"


def shown(model: Model, code: str, ref: str = "i0") -> dict[str, Any]:
    key = "/".join(ltfu(code, ref))
    visit: dict[str, Any] = model.look("p")["visits"][key]
    return visit | {"decided_before_window": model.asked("p")["decided-before-window"].get(key, False)}


def asked(model: Model) -> set[str]:
    return {word for word, is_asked in model.asked("p")["words"].items() if word in WORDS and is_asked is True}


# ---- rule 1 ----------------------------------------------------------------------------------------------------------


def test_what_is_stored_is_known_before_the_day_is_judged() -> None:
    model = a_patient(("2026-11-24", None), today="2026-11-23")
    assert model.resend("p", "i0") == ("ok",)
    assert model.resend("p", "i0", changed=True)[0] == "refused"
    assert model.record("p", "i9", birth_date=ADULT, centre="lund", product=SKIN, infused_on=D("2026-11-24")) == (
        "refused",
        "date_in_future",
    )


@pytest.mark.parametrize("by", ["number", "id", "both"])
def test_a_repeat_that_tells_another_person_changes_nothing(by: str) -> None:
    model = a_patient(("2025-03-04", None), today="2026-11-23")
    before = model.look("p")
    assert model.resend("p", "i0", "stranger", by) == ("refused", "source_conflict")
    assert model.look("p") == before


def test_a_voided_infusion_is_recorded_anew_under_its_own_key() -> None:
    model = a_patient(("2025-03-04", None), today="2026-11-23")
    assert an_infusion(model, "i1", "2025-04-09", source="i0")[0] == "unspecified"
    model.void("p", "i0")
    assert an_infusion(model, "i1", "2025-04-09", source="i0") == ("ok",)
    assert model.look("p")["infusions"] == {"i1": [1, 1, False]}


# ---- rule 4 ----------------------------------------------------------------------------------------------------------


def test_decided_visits_take_the_days_of_a_corrected_infusion() -> None:
    model = a_patient(("2021-03-04", None), today="2025-04-01")
    done(model, (ltfu("W4"), "2021-04-16"), (ltfu("Y04"), "2025-03-04"))
    assert model.correct("p", "i0", infused_on=D("2020-03-04")) == ("ok", ["care/i0/W4", "care/i0/Y04"])
    right = Model(D("2025-04-01"))
    assert an_infusion(right, "i0", "2020-03-04", completed=(("W4", D("2021-04-16")), ("Y04", D("2025-03-04")))) == (
        "ok",
    )
    for code in ("W4", "Y04"):
        compared = ("target_on", "window_start", "window_end", "completed_on", "on_time", "state")
        assert [shown(model, code)[name] for name in compared] == [shown(right, code)[name] for name in compared]
    assert (shown(model, "W4")["on_time"], shown(model, "Y04")["target_on"]) == (False, "2024-03-04")


def test_a_visit_done_before_its_window_as_a_late_discharge_moved_it_is_asked_about_until_confirmed() -> None:
    model = a_patient(("2025-03-04", None), today="2025-04-09")
    done(model, (ltfu("W4"), "2025-04-09"))
    assert (shown(model, "W4")["on_time"], shown(model, "W4")["decided_before_window"]) == (True, False)
    model.correct("p", "i0", discharged_on=D("2025-03-25"))
    assert [shown(model, "W4")[name] for name in ("window_start", "provisional", "on_time")] == [
        "2025-04-15",
        False,
        False,
    ]
    assert shown(model, "W4")["decided_before_window"] is True
    assert model.confirm("p", ltfu("W4")) == ("ok",)
    assert shown(model, "W4")["decided_before_window"] is False
    model.correct("p", "i0", discharged_on=D("2025-03-26"))
    assert shown(model, "W4")["decided_before_window"] is True
    model.reopen("p", ltfu("W4"))
    assert shown(model, "W4")["decided_before_window"] is False


@pytest.mark.parametrize("ended", ["died", "declined", "replaced"])
def test_of_the_dead_the_withdrawn_and_of_replaced_plans_nothing_is_asked(ended: str) -> None:
    model = a_patient(("2025-03-04", None), today="2025-04-09")
    done(model, (ltfu("W4"), "2025-04-09"))
    model.today = D("2025-06-01")
    if ended == "replaced":
        assert an_infusion(model, "i1", "2025-05-01") == ("ok",)
    else:
        model.report("p", {"died": "deceased", "declined": "withdrawn"}[ended], model.today)
    model.correct("p", "i0", discharged_on=D("2025-03-25"))
    assert shown(model, "W4")["decided_before_window"] is False


def test_a_missed_visit_is_asked_about_by_the_day_of_the_act() -> None:
    model = a_patient(("2025-03-04", None), today="2025-04-09")
    model.miss("p", ltfu("W4"), "ill")
    model.correct("p", "i0", discharged_on=D("2025-03-25"))
    assert shown(model, "W4")["decided_before_window"] is True
    model.correct("p", "i0", discharged_on=D("2025-03-18"))
    assert shown(model, "W4")["decided_before_window"] is False


def test_a_done_visit_whose_plan_no_longer_has_its_code_keeps_its_day_and_no_window() -> None:
    model = a_patient(("2025-03-04", "2025-03-18"), today="2025-06-01")
    done(model, (ltfu("W4"), "2025-04-15"))
    assert an_infusion(model, "i1", "2024-12-04", protocols=("ltfu-15y-d28",)) == ("ok",)
    names = ("state", "completed_on", "target_on", "window_start", "window_end", "on_time")
    assert [shown(model, "W4")[name] for name in names] == ["completed", "2025-04-15", None, None, None, None]
    assert "D28" in found(model)


# ---- rule 7 ----------------------------------------------------------------------------------------------------------


def test_an_error_taken_back_twice_does_not_reach_an_old_finished_withdrawal() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2024-12-01")
    model.report("p", "withdrawn", D("2024-03-01"))
    model.report("p", "reinstated", D("2024-06-01"))
    for on in ("2024-11-01", "2024-11-02"):
        assert model.report("p", "deceased", D(on)) == ("ok",)
    assert model.report("p", "reinstated", model.today, entered_in_error=True) == ("ok",)
    before = model.look("p")
    assert model.report("p", "reinstated", model.today, entered_in_error=True) == ("refused", "nothing_to_take_back")
    assert model.look("p") == before


@pytest.mark.parametrize(
    ("performed_by", "status"),
    [("home-hospital", "followed-elsewhere"), ("own-centre", "in-follow-up"), ("phone", "in-follow-up")],
)
def test_followed_elsewhere_ends_by_a_visit_of_our_own(performed_by: str, status: str) -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2024-02-01")
    model.report("p", "followed-elsewhere", model.today)
    model.today = D("2024-03-04")
    assert model.complete("p", ltfu("Y01"), D("2024-01-31"), ("window_not_open",), performed_by)[0] == "ok"
    assert model.status("p") == "followed-elsewhere"
    model.reopen("p", ltfu("Y01"))
    assert model.complete("p", ltfu("Y01"), D("2024-03-04"), (), performed_by) == ("ok",)
    assert model.status("p") == status


def test_an_old_infusion_does_not_find_the_lost_and_a_new_one_does() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-06-01")
    called(
        model, ("2025-05-30", "phone", "busy"), ("2025-05-31", "phone", "busy"), ("2025-06-01", "letter", "letter-sent")
    )
    assert model.report("p", "lost-to-follow-up", model.today) == ("ok",)
    model.today = D("2025-06-05")
    assert an_infusion(model, "i1", "2022-01-04") == ("ok",)
    assert model.status("p") == "lost"
    assert an_infusion(model, "i2", "2025-06-01") == ("ok",)
    assert model.status("p") == "in-follow-up"


def test_what_lies_before_the_first_infusion_or_after_the_death_is_refused() -> None:
    model = a_patient(("2023-03-04", None), today="2025-06-01")
    for kind in ("withdrawn", "transferred", "lost-to-follow-up"):
        assert model.report("p", kind, D("2023-03-03"), centre="umea") == ("refused", "before_infusion")
    model.report("p", "deceased", D("2023-03-10"))
    assert model.correct("p", "i0", discharged_on=D("2023-03-11")) == ("refused", "after_death")
    assert model.correct("p", "i0", discharged_on=D("2023-03-10")) == ("ok", [])
    assert model.report("p", "deceased", D("2023-03-09")) == ("refused", "before_death")


# ---- rule 8 ----------------------------------------------------------------------------------------------------------

DAYS = [str(plus_days(D("2025-06-01"), n)) for n in range(4)]


@pytest.mark.parametrize(
    ("tries", "is_enough"),
    [
        # One call a day counts.
        ([(0, "phone", "busy"), (0, "phone", "no-answer"), (1, "letter", "letter-sent")], False),
        ([(0, "phone", "busy"), (0, "letter", "letter-sent"), (1, "letter", "letter-sent")], True),
        ([(0, "phone", "busy"), (1, "phone", "busy"), (2, "phone", "busy")], False),
        ([(0, "phone", "busy"), (1, "phone", "busy"), (2, "letter", "given-to-booking")], False),
        ([(0, "phone", "busy"), (1, "relative", "busy"), (1, "phone", "declined"), (2, "phone", "busy")], False),
        (
            [(0, "phone", "busy"), (1, "relative", "busy"), (1, "phone", "deceased-reported"), (2, "phone", "busy")],
            True,
        ),
    ],
)
def test_what_a_loss_needs(tries: list[tuple[int, str, str]], is_enough: bool) -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-06-04")
    called(model, *((DAYS[n], channel, outcome) for n, channel, outcome in tries))
    assert model.report("p", "lost-to-follow-up", model.today)[0] == ("ok" if is_enough else "refused")


def test_the_same_contact_again_is_one_and_is_taken_back_on_its_day_unless_a_loss_stands_on_it() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-06-01")
    for _ in range(2):
        called(model, (DAYS[0], "phone", "busy"))
    assert len(model.people["p"].contacts) == 1
    model.today = D(DAYS[1])
    assert model.take_back_contact("p", "c0") == ("refused", "not_its_day")
    called(model, (DAYS[1], "phone", "busy"), (DAYS[1], "letter", "letter-sent"))
    assert model.report("p", "lost-to-follow-up", model.today) == ("ok",)
    assert model.take_back_contact("p", "c2") == ("refused", "loss_stands")
    assert model.report("p", "reinstated", model.today, entered_in_error=True) == ("ok",)
    assert model.take_back_contact("p", "c2") == ("ok",)
    assert model.report("p", "lost-to-follow-up", model.today) == ("refused", "contacts")


@pytest.mark.parametrize("sign", ["survival", "visit", "answer", "decide", "taken back"])
def test_a_reported_death_is_ended_on_a_later_day(sign: str) -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-04-01")
    called(model, ("2025-04-01", "relative", "deceased-reported"))
    assert death_reported(model.people["p"]) is True
    if sign == "taken back":
        assert model.take_back_contact("p", "c0") == ("ok",)
    model.today = D("2025-04-20")
    acts = {
        "survival": lambda: model.report("p", "survival", model.today),
        "visit": lambda: model.complete("p", ltfu("Y02"), model.today),
        "answer": lambda: model.contact("p", None, "c1", "phone", "will-come", model.today),
        "decide": lambda: model.decide("p", "not-deceased"),
        "taken back": lambda: ("ok",),
    }
    assert acts[sign]() == ("ok",)
    assert death_reported(model.people["p"]) is False


# ---- rule 11 ---------------------------------------------------------------------------------------------------------


def test_a_refusal_tells_another_centre_nothing_and_asks_the_responsible_one() -> None:
    model = a_patient(("2025-03-04", None), today="2025-06-01")
    assert an_infusion(model, "i1", "2025-03-04", centre="umea") == ("refused", "known_elsewhere")
    assert an_infusion(model, "i2", "2025-03-04") == ("refused", "same_day")
    model.report("p", "withdrawn", model.today)
    assert an_infusion(model, "i1", "2025-05-31", centre="umea") == ("refused", "known_elsewhere")
    assert asked(model) == {"infusion-refused"}
    model.report("p", "reinstated", model.today)
    assert an_infusion(model, "i1", "2025-05-31", centre="umea") == ("ok",)
    assert asked(model) == set()
    assert model.look("p")["responsible_centre"] == "umea"


def test_a_centre_sees_its_own_infusions_and_a_voided_one_opens_nothing() -> None:
    model = a_patient(("2023-03-04", None), today="2025-06-01")
    assert an_infusion(model, "i1", "2025-03-04", centre="umea") == ("ok",)
    assert [model.seen_by("p", centre) for centre in ("lund", "umea", "goteborg")] == [["i0"], ["i0", "i1"], None]
    model.void("p", "i0")
    assert model.seen_by("p", "lund") is None


# ---- rule 13 ---------------------------------------------------------------------------------------------------------


def test_a_sweep_under_a_wrong_clock_silences_nothing_and_its_alerts_are_recalled() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-06-01")
    model.sweep()
    before = model.look("p")["alerts"]
    model.today = D("2024-11-12")
    assert model.sweep() == ("ok", 0)
    assert model.look("p")["alerts"] == before
    model.today = D("2031-01-01")
    model.sweep()
    model.today = D("2025-06-01")
    assert (model.sweep(), model.recall()) == (("ok", 0), ("ok",))
    assert model.look("p")["alerts"] == before
    assert [event[2:] for event in model.told if event[1] == ltfu("Y03")] == [
        ("visit.overdue", "lund", "open", None),
        ("alert.resolved", "lund", "resolved", "raised-in-error"),
    ]
    model.today = plus_days(days(model, ltfu("Y03")).end, 1)
    assert model.sweep() == ("ok", 1)


# ---- rule 17 ---------------------------------------------------------------------------------------------------------


def entered(infused_on: str, product: str = BCMA, today: str = "2026-11-23") -> Model:
    model = Model(D(today))
    assert an_infusion(model, "i0", infused_on, product=product) == ("ok",)
    return model


def test_nothing_ends_in_silence() -> None:
    assert asked(entered("2012-03-04")) == {"no-contact"}
    assert asked(entered("2025-09-23")) == set()
    assert asked(entered("2006-11-23")) == {"no-plan", "no-contact"}
    assert entered("2006-11-23").status("p") == "plan-ended"
    assert asked(entered("2026-11-01", SKIN)) == {"no-plan"}
    assert asked(entered("2025-09-22", SKIN)) == {"no-plan", "no-contact"}
    assert asked(entered("2025-09-23", SKIN)) == {"no-plan"}


@pytest.mark.parametrize("sign", ["survival", "answer", "infusion", "visit", "attempt"])
def test_a_silence_ends_by_a_sign_of_life(sign: str) -> None:
    model = entered("2012-03-04")
    today = model.today
    acts = {
        "survival": lambda: model.report("p", "survival", today),
        "answer": lambda: model.contact("p", None, "c0", "phone", "other-day", today),
        "infusion": lambda: an_infusion(model, "i1", str(today)),
        "visit": lambda: model.complete("p", ltfu("Y15"), today, ("window_not_open",)),
        "attempt": lambda: model.contact("p", None, "c0", "phone", "busy", today),
    }
    assert acts[sign]() == ("ok",)
    assert ("no-contact" in asked(model)) == (sign == "attempt")


def test_an_ended_plan_is_asked_about_until_somebody_decides_and_again_after_an_infusion() -> None:
    model = a_patient(("2012-03-04", "2012-03-18"), today="2027-03-04")
    done(model, *((key, str(visit.window.target)) for key, visit in model.visits("p").items()))
    assert (model.status("p"), asked(model)) == ("plan-ended", {"plan-ended"})
    assert model.decide("p", "close") == ("ok",)
    assert asked(model) == set()
    assert model.decide("p", "close")[0] == "unspecified"
    assert model.report("p", "reinstated", model.today, entered_in_error=True) == ("ok",)
    assert asked(model) == {"plan-ended"}
    assert model.decide("p", "hand-over") == ("ok",)
    assert an_infusion(model, "i1", "2027-03-04", product="onasemnogene-abeparvovec") == ("ok",)
    assert (model.status("p"), asked(model)) == ("in-follow-up", set())


def test_of_the_dead_the_lost_and_those_without_infusion_nothing_is_asked() -> None:
    model = entered("2006-11-23")
    model.void("p", "i0")
    assert (model.look("p")["status"], asked(model)) == ("no-infusion", set())
    model = entered("2006-11-23")
    model.report("p", "deceased", model.today)
    assert asked(model) == set()


# ---- rule 18 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "protocol", "answer"),
    [
        (BCMA, "aav-5y", ("refused", "other_class")),
        (EYE, "genome-editing-15y", ("refused", "other_class")),
        (EYE, "ltfu-15y", ("ok",)),
        (EYE, "aav-15y", ("ok",)),
        ("exagamglogene-autotemcel", "genome-editing-15y", ("ok",)),
        (BCMA, "ltfu-15y-d28", ("ok",)),
    ],
)
def test_a_protocol_serves_its_classes(product: str, protocol: str, answer: Any) -> None:
    assert an_infusion(Model(D("2026-11-23")), "i0", "2026-11-01", product=product, protocols=(protocol,)) == answer


@pytest.mark.parametrize(("product", "is_given"), [(BCMA, True), ("onasemnogene-abeparvovec", False), (SKIN, False)])
def test_the_hand_over_of_childhood_cancer_is_for_children_with_cancer(product: str, is_given: bool) -> None:
    model = Model(D("2026-11-23"))
    assert an_infusion(model, "i0", "2026-11-01", product=product, birth_date=D("2020-05-05")) == ("ok",)
    assert (("se-childhood-transition", "only", "T18") in model.visits("p")) == is_given


@pytest.mark.parametrize(("gap", "course"), [(31, 1), (90, 1), (91, 2)])
def test_the_second_eye_is_no_reinfusion(gap: int, course: int) -> None:
    model = Model(D("2026-11-23"))
    for n, on in enumerate((D("2026-03-02"), plus_days(D("2026-03-02"), gap))):
        assert an_infusion(model, f"i{n}", str(on), product=EYE) == ("ok",)
    assert model.look("p")["infusions"]["i1"] == [2, course, course > 1]
