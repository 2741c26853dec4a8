"""The plain model against the worked examples of the field (domain.md 2, 3 and 4) and the guessable rules (contract.md
3)."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from tests.model import Model
from tests.years.facts import Key
from tests.years.schedule import PROTOCOLS, Rule, Window, is_working, plus_days, plus_months, sixteen, suggested, window

D = date.fromisoformat
ADULT = D("1970-05-05")
GENE = "axicabtagene-ciloleucel"


def a_patient(*infusions: tuple[str, str | None], today: str, centre: str = "lund", **more: Any) -> Model:
    """One patient "p" with infusions "i0", "i1" ..., each entered on its own day (or its discharge's), and the clock
    then at `today`."""
    model = Model(D(infusions[0][0]))
    for n, (infused_on, discharged_on) in enumerate(infusions):
        model.today = D(discharged_on or infused_on)
        assert an_infusion(model, f"i{n}", infused_on, discharged_on, centre=centre, **more) == ("ok",)
    model.today = D(today)
    return model


def an_infusion(model: Model, ref: str, infused_on: str, discharged_on: str | None = None, **more: Any) -> Any:
    values: dict[str, Any] = {"birth_date": ADULT, "centre": "lund", "product": GENE} | more
    return model.record(
        "p", ref, infused_on=D(infused_on), discharged_on=D(discharged_on) if discharged_on else None, **values
    )


def ltfu(code: str, ref: str = "i0") -> Key:
    return ("care", ref, code)


def done(model: Model, *visits: tuple[Key, str]) -> None:
    for key, on in visits:
        assert model.complete("p", key, D(on)) == ("ok",), key


def found(model: Model, kind: str = "care", ref: str = "i0") -> dict[str, str]:
    """Code -> outcome and reason of one plan's visits, or the open state."""
    shown = model.look("p")["visits"]
    return {
        key[2]: f"{shown['/'.join(key)]['state']} {shown['/'.join(key)]['reason'] or ''}".strip()
        for key in model.visits("p")
        if key[:2] == (kind, ref)
    }


def days(model: Model, key: Key) -> Window:
    return model.visits("p")[key].window


# ---- domain.md 2: the table of days ----------------------------------------------------------------------------------

LTFU_DAYS = [
    ("2025-03-04", "2025-03-18", "W4", "2025-04-15", "2025-04-08", "2025-04-29", "2025-04-15"),
    ("2025-03-04", None, "W4", "2025-04-15", "2025-04-08", "2025-06-02", "2025-04-15"),
    ("2025-03-04", "2025-03-25", "W4", "2025-04-22", "2025-04-15", "2025-05-06", "2025-04-22"),
    ("2025-03-04", None, "Y01", "2026-03-04", "2026-02-02", "2026-05-03", "2026-03-04"),
    ("2025-03-04", None, "Y03", "2028-03-04", "2028-02-03", "2028-05-03", "2028-03-03"),
    ("2025-03-04", None, "Y15", "2040-03-04", "2040-02-03", "2040-05-03", "2040-03-05"),
    ("2024-02-29", None, "Y01", "2025-02-28", "2025-01-29", "2025-04-29", "2025-02-28"),
    ("2024-02-29", None, "Y02", "2026-02-28", "2026-01-29", "2026-04-29", "2026-02-27"),
    ("2024-02-29", None, "Y03", "2027-02-28", "2027-01-29", "2027-04-29", "2027-03-01"),
    ("2024-02-29", None, "Y04", "2028-02-29", "2028-01-30", "2028-04-29", "2028-02-29"),
]


@pytest.mark.parametrize(("infused_on", "discharged_on", "code", "target", "start", "end", "working"), LTFU_DAYS)
def test_days_of_ltfu_15y(
    infused_on: str, discharged_on: str | None, code: str, target: str, start: str, end: str, working: str
) -> None:
    found = sixteen(D(infused_on), D(discharged_on) if discharged_on else None)[code]
    assert found == (D(target), D(start), D(end), code == "W4" and discharged_on is None)
    assert suggested(*found[:3]) == D(working)


@pytest.mark.parametrize(
    ("months", "target", "working"),
    [
        (3, "2025-11-30", "2025-12-01"),
        (6, "2026-02-28", "2026-02-27"),
        (12, "2026-08-31", "2026-08-31"),
        (18, "2027-02-28", "2027-03-01"),
    ],
)
def test_months_from_the_last_of_august(months: int, target: str, working: str) -> None:
    found = window(Rule("M", "infusion", 0, months, 30, 30), D("2025-08-31"), None)
    assert (found.target, suggested(*found[:3])) == (D(target), D(working))


@pytest.mark.parametrize(
    ("target", "working"),
    [
        ("2029-06-06", "2029-06-07"),
        ("2026-12-25", "2026-12-23"),
        ("2027-06-25", "2027-06-24"),
        ("2026-04-03", "2026-04-02"),
    ],
)
def test_the_nearest_working_day(target: str, working: str) -> None:
    assert suggested(D(target), plus_days(D(target), -30), plus_days(D(target), 60)) == D(working)


def test_a_window_without_a_working_day_suggests_none() -> None:
    assert suggested(D("2026-12-25"), D("2026-12-25"), D("2026-12-26")) is None


def test_no_red_day_is_a_working_day() -> None:
    red = "01-01 01-06 04-18 04-21 05-01 05-29 06-06 06-20 12-24 12-25 12-26 12-31"
    assert not any(is_working(D(f"2025-{day}")) for day in red.split())
    assert sum(is_working(plus_days(D("2025-01-01"), n)) for n in range(365)) == 261 - 12


# ---- domain.md 3: CIBMTR ---------------------------------------------------------------------------------------------

CIBMTR_DAYS = [
    ("2025-03-04", "D100", "2025-06-12", "2025-05-28", "2025-06-27"),
    ("2025-03-04", "M06", "2025-08-31", "2025-08-01", "2025-09-30"),
    ("2025-03-04", "Y01", "2026-03-05", "2026-03-05", "2026-05-03"),
    ("2025-03-04", "Y02", "2027-03-04", "2027-02-02", "2027-04-03"),
    ("2024-02-29", "D100", "2024-06-08", "2024-05-24", "2024-06-23"),
    ("2024-02-29", "M06", "2024-08-27", "2024-07-28", "2024-09-26"),
    ("2024-02-29", "Y01", "2025-03-01", "2025-03-01", "2025-04-29"),
    ("2024-02-29", "Y04", "2028-02-29", "2028-01-30", "2028-03-30"),
]


@pytest.mark.parametrize(("infused_on", "code", "target", "start", "end"), CIBMTR_DAYS)
def test_days_of_cibmtr_15y(infused_on: str, code: str, target: str, start: str, end: str) -> None:
    rule = next(r for r in PROTOCOLS["cibmtr-15y"].rules if r.code == code)
    assert window(rule, D(infused_on), None) == (D(target), D(start), D(end), False)


# ---- domain.md 4: the worked examples --------------------------------------------------------------------------------

FIRST_YEARS = [
    (ltfu("W4"), "2021-06-15"),
    (ltfu("Y01"), "2022-05-04"),
    (ltfu("Y02"), "2023-05-04"),
    (ltfu("Y03"), "2024-05-06"),
    (ltfu("Y04"), "2025-05-05"),
]


def test_a_reinfusion_begins_fifteen_years_anew() -> None:
    model = a_patient(("2021-05-04", "2021-05-18"), today="2025-06-01")
    done(model, *FIRST_YEARS)
    model.today = D("2025-09-24")
    assert an_infusion(model, "i1", "2025-09-10", "2025-09-24") == ("ok",)
    assert Counter(found(model).values()) == {"completed": 5, "cancelled superseded": 11}
    assert days(model, ltfu("Y05")).target == D("2026-05-04")
    assert days(model, ltfu("Y15")).target == D("2036-05-04")
    assert [days(model, ltfu(code, "i1")).target for code in ("W4", "Y01", "Y15")] == [
        *map(D, ("2025-10-22", "2026-09-10", "2040-09-10"))
    ]
    assert model.look("p")["infusions"] == {"i0": [1, 1, False], "i1": [2, 2, True]}


def test_a_reinfusion_leaves_missed_what_was_missed() -> None:
    model = a_patient(("2021-05-04", "2021-05-18"), today="2025-06-01")
    done(model, *FIRST_YEARS[:4])
    model.today = D("2025-09-24")
    assert an_infusion(model, "i1", "2025-09-10", "2025-09-24") == ("ok",)
    assert days(model, ltfu("Y04")).end == D("2025-07-03")
    assert found(model)["Y04"] == "missed closed-before-reinfusion"
    assert Counter(found(model).values())["cancelled superseded"] == 11


def test_a_split_dose_is_one_course() -> None:
    split: dict[str, Any] = {"product": "obecabtagene-autoleucel", "consented": ("cibmtr-15y",)}
    model = a_patient(("2026-01-12", None), ("2026-01-21", "2026-02-04"), today="2026-02-04", **split)
    assert model.look("p")["infusions"] == {"i0": [1, 1, False], "i1": [2, 1, False]}
    assert [days(model, ltfu(code, "i1")).target for code in ("W4", "Y01", "Y15")] == [
        *map(D, ("2026-03-04", "2027-01-21", "2041-01-21"))
    ]
    assert days(model, ("cibmtr-15y", "i0", "D100")) == (D("2026-04-22"), D("2026-04-07"), D("2026-05-07"), False)
    assert found(model, "cibmtr-15y")["D100"] == "planned"
    assert ("cibmtr-15y", "i1", "D100") not in model.visits("p")


def test_a_product_of_another_class_replaces_nothing() -> None:
    model = a_patient(("2021-05-04", "2021-05-18"), today="2026-01-14")
    assert an_infusion(model, "aav", "2026-01-14", product="etranacogene-dezaparvovec") == ("ok",)
    assert "cancelled" not in {v.outcome for v in model.visits("p").values()}
    assert {key[:2] for key in model.visits("p")} == {("care", "i0"), ("care", "aav")}


def test_a_death_leaves_missed_what_was_missed() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2026-04-12")
    done(model, (ltfu("W4"), "2023-04-15"), (ltfu("Y01"), "2024-03-04"))
    assert model.report("p", "deceased", D("2026-04-10")) == ("ok",)
    assert days(model, ltfu("Y02")).end == D("2025-05-03")
    assert found(model)["Y02"] == "missed closed-before-death"
    assert Counter(found(model).values()) == {"completed": 2, "missed closed-before-death": 1, "cancelled deceased": 13}


@pytest.mark.parametrize(("seen_on", "serves"), [("2026-03-10", {"care", "cibmtr-15y"}), ("2026-02-20", {"care"})])
def test_one_day_may_serve_several_plans(seen_on: str, serves: set[str]) -> None:
    model = a_patient(("2025-03-04", "2025-03-18"), today=seen_on, consented=("cibmtr-15y",))
    due = {
        key[0]
        for key, visit in model.visits("p").items()
        if key[2] == "Y01" and visit.window.start <= D(seen_on) <= visit.window.end
    }
    assert due == serves


def test_a_late_entry_misses_nothing_of_the_centre() -> None:
    model = Model(D("2026-11-24"))
    assert an_infusion(model, "i0", "2019-11-20", "2019-12-06") == ("ok",)
    states = found(model)
    assert [code for code, state in states.items() if state == "missed before-registration"] == [
        "W4",
        *(f"Y0{n}" for n in range(1, 7)),
    ]
    assert states["Y07"] == "due"
    assert days(model, ltfu("Y07"))[1:3] == (D("2026-10-21"), D("2027-01-19"))
    assert not model.look("p")["alerts"]


def test_a_transfer_moves_the_open_visit_to_the_other_list() -> None:
    model = a_patient(("2024-03-04", "2024-03-18"), today="2026-06-15")
    done(model, (ltfu("W4"), "2024-04-15"), (ltfu("Y01"), "2025-03-04"))
    model.sweep()
    assert model.report("p", "transferred", D("2026-06-15"), centre="goteborg") == ("ok",)
    assert days(model, ltfu("Y02")).end == D("2026-05-03")
    assert model.visits("p")[ltfu("Y02")].centre == "goteborg"
    assert [event[2:] for event in model.told if event[1] == ltfu("Y02")] == [
        ("visit.overdue", "lund", "open", None),
        ("alert.resolved", "lund", "resolved", "transferred"),
        ("visit.overdue", "goteborg", "open", None),
    ]


def test_nearer_to_the_next_visit_is_asked() -> None:
    model = a_patient(("2025-03-04", "2025-03-18"), today="2026-10-10")
    seen, y01, y02 = D("2026-10-10"), days(model, ltfu("Y01")).target, days(model, ltfu("Y02")).target
    assert ((seen - y01).days, (y02 - seen).days) == (220, 145)
    assert model.complete("p", ltfu("Y01"), seen) == ("refused", "nearer_to_next")
    assert model.complete("p", ltfu("Y01"), seen, ("nearer_to_next",)) == ("ok",)
    assert model.look("p")["visits"]["care/i0/Y01"]["on_time"] is False


def test_a_child_is_handed_over_at_eighteen() -> None:
    model = a_patient(("2024-02-10", None), today="2024-02-10", birth_date=D("2010-08-31"))
    codes = ("T18", "T25")
    assert [days(model, ("se-childhood-transition", "only", code)).target for code in codes] == [
        D("2028-08-31"),
        D("2035-08-31"),
    ]
    assert plus_months(D("2028-08-31"), -6) == D("2028-02-29")  # the flag


# ---- contract.md 3: rules where one might guess ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "gap", "says", "answer"),
    [
        (GENE, 0, {}, ("refused", "same_day")),
        (GENE, 30, {}, ("refused", "needs_continues")),
        (GENE, 31, {}, ("ok",)),
        (GENE, 30, {"continues": "i0"}, ("ok",)),
        (GENE, 30, {"new_course": True}, ("ok",)),
        ("obecabtagene-autoleucel", 21, {}, ("refused", "needs_continues")),  # the first was another product
        ("onasemnogene-abeparvovec", 0, {}, ("ok",)),
        ("keratinocytes-autologous", 1, {}, ("ok",)),
    ],
)
def test_a_second_infusion(product: str, gap: int, says: dict[str, Any], answer: Any) -> None:
    model = a_patient(("2025-03-04", "2025-03-18"), today="2025-06-01")
    assert an_infusion(model, "i1", str(plus_days(D("2025-03-04"), gap)), product=product, **says) == answer


@pytest.mark.parametrize(("gap", "course"), [(9, 1), (21, 1), (22, None), (31, 2)])
def test_a_product_of_two_doses_continues_by_itself(gap: int, course: int | None) -> None:
    for first, second in (
        ("2026-01-12", str(plus_days(D("2026-01-12"), gap))),
        (str(plus_days(D("2026-01-12"), gap)), "2026-01-12"),
    ):
        model = a_patient((first, None), today="2026-06-01", product="obecabtagene-autoleucel")
        answer = an_infusion(model, "i1", second, product="obecabtagene-autoleucel")
        assert answer == (("ok",) if course else ("refused", "needs_continues"))
        assert course is None or {told[1] for told in model.look("p")["infusions"].values()} == {1, course}


def test_a_full_course_continues_no_more() -> None:
    model = a_patient(("2026-01-12", None), ("2026-01-21", None), today="2026-06-01", product="obecabtagene-autoleucel")
    assert an_infusion(model, "i2", "2026-01-30", product="obecabtagene-autoleucel") == ("refused", "needs_continues")


def test_a_void_brings_back_what_was_superseded() -> None:
    model = a_patient(("2021-05-04", "2021-05-18"), ("2025-09-10", None), today="2026-08-01")
    assert model.void("p", "i1") == ("ok",)
    assert Counter(found(model).values()) == {"overdue": 6, "planned": 10}
    assert set(found(model, ref="i1").values()) == {"cancelled entered-in-error"}
    assert len(model.look("p")["alerts"]) == 6


def called(model: Model, *contacts: tuple[str, str, str], key: Key | None = None) -> None:
    """Contacts: (day, channel, outcome)."""
    for on, channel, outcome in contacts:
        ref = f"c{len(model.people['p'].contacts)}"
        assert model.contact("p", key, ref, channel, outcome, D(on)) == ("ok",)


def lost(model: Model) -> None:
    today = model.today
    called(
        model,
        *(
            (str(plus_days(today, -n)), channel, "no-answer")
            for n, channel in ((2, "phone"), (1, "phone"), (0, "letter"))
        ),
    )
    assert model.report("p", "lost-to-follow-up", today) == ("ok",)


def test_a_loss_needs_three_attempts_by_two_channels_and_quiets_the_alerts() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-06-01")
    model.sweep()
    model.acknowledge("p", ltfu("W4"))
    assert model.report("p", "lost-to-follow-up", model.today) == ("refused", "contacts")
    lost(model)
    assert set(model.look("p")["alerts"].values()) == {"acknowledged"}
    done(model, (ltfu("Y02"), "2025-05-31"))  # an old paper finds nobody
    assert model.status("p") == "lost"
    model.reopen("p", ltfu("Y02"))
    done(model, (ltfu("Y02"), "2025-06-01"))
    assert model.status("p") == "in-follow-up"
    assert model.look("p")["alerts"] == {"care/i0/W4": "acknowledged", "care/i0/Y01": "open"}
    assert [event[2] for event in model.told if event[1] == ltfu("Y01")] == [
        "visit.overdue",
        "alert.acknowledged",
        "alert.reopened",
    ]


def test_what_is_overdue_raises_its_alert_when_the_patient_is_no_longer_followed_elsewhere() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-06-01")
    model.sweep()
    model.report("p", "followed-elsewhere", model.today)
    assert (model.look("p")["alerts"], found(model)["Y01"]) == ({}, "overdue")
    model.report("p", "reinstated", model.today)
    assert set(model.look("p")["alerts"]) == {f"care/i0/{code}" for code in ("W4", "Y01", "Y02")}


@pytest.mark.parametrize(("in_error", "years"), [(True, {"missed"}), (False, {"cancelled withdrawn"})])
def test_a_change_of_mind_leaves_the_years_between_and_an_error_does_not(in_error: bool, years: set[str]) -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2024-12-01")
    model.report("p", "withdrawn", D("2024-11-01"))
    assert found(model)["W4"] == "missed closed-before-withdrawal"
    model.today = D("2026-12-01")
    assert an_infusion(model, "i1", "2026-11-01") == ("refused", "withdrawn")
    model.report("p", "reinstated", D("2026-11-01"), entered_in_error=in_error)
    expected = "overdue" if in_error else "cancelled withdrawn"
    assert [found(model)[code] for code in ("Y02", "Y03", "Y04")] == [expected, expected, "planned"]
    assert found(model)["Y01"] == ("overdue" if in_error else "missed closed-before-withdrawal")


def test_a_corrected_death_is_judged_anew_and_taken_back_altogether() -> None:
    model = a_patient(("2023-03-04", "2023-03-18"), today="2025-12-01")
    done(model, (ltfu("Y01"), "2024-03-04"))
    assert model.report("p", "deceased", D("2024-03-03")) == ("refused", "before_death")
    assert model.report("p", "deceased", D("2025-12-01")) == ("ok",)
    assert found(model)["Y02"] == "missed closed-before-death"
    assert model.report("p", "deceased", D("2025-05-03")) == ("ok",)
    assert found(model)["Y02"] == "cancelled deceased"
    assert model.report("p", "transferred", D("2025-12-01"), centre="umea") == ("refused", "patient_deceased")
    assert an_infusion(model, "i1", "2025-05-04") == ("refused", "after_death")
    assert model.complete("p", ltfu("Y02"), D("2025-05-04")) == ("refused", "after_death")
    assert model.complete("p", ltfu("Y02"), D("2025-05-03")) == ("ok",)
    assert model.report("p", "reinstated", D("2025-12-01"), entered_in_error=True) == ("ok",)
    assert (model.status("p"), found(model)["Y03"]) == ("in-follow-up", "planned")


def test_a_moved_window_keeps_a_booking_inside_it_and_drops_one_outside() -> None:
    model = a_patient(("2025-03-04", None), today="2025-03-20")
    key = "care/i0/W4"
    model.book("p", ltfu("W4"), D("2025-05-20"))
    model.correct("p", "i0", infused_on=D("2025-03-05"))
    assert model.look("p")["visits"][key]["booked_on"] == "2025-05-20"
    model.correct("p", "i0", discharged_on=D("2025-03-18"))
    assert model.look("p")["visits"][key]["booked_on"] is None


def test_a_booking_returns_when_the_mark_goes() -> None:
    model = a_patient(("2025-03-04", "2025-03-18"), today="2026-02-20")
    key = "care/i0/Y01"
    model.book("p", ltfu("Y01"), D("2026-03-02"))
    model.report("p", "withdrawn", D("2026-02-20"))
    assert model.look("p")["visits"][key]["booked_on"] is None
    model.report("p", "reinstated", D("2026-02-20"), entered_in_error=True)
    assert model.look("p")["visits"][key]["booked_on"] == "2026-03-02"


def test_done_before_the_window_is_asked_and_missing_waits_for_it() -> None:
    model = a_patient(("2025-03-04", "2025-03-18"), today="2026-01-20")
    assert model.complete("p", ltfu("Y01"), D("2026-01-20")) == ("refused", "window_not_open")
    assert model.miss("p", ltfu("Y01"), "moved") == ("refused", "window_not_open_yet")
    assert model.cancel("p", ltfu("Y01")) == ("ok",)
    assert model.complete("p", ltfu("Y01"), D("2026-01-20"), ("window_not_open",)) == ("refused", "closed")
    assert model.reopen("p", ltfu("Y01")) == ("ok",)
    assert model.reopen("p", ltfu("Y01"))[0] == "unspecified"


def test_what_planning_closed_is_not_reopened_by_hand() -> None:
    model = a_patient(("2021-05-04", "2021-05-18"), ("2025-09-10", None), today="2026-08-01")
    assert model.reopen("p", ltfu("Y05")) == ("refused", "closed_by_planning")


def test_the_order_of_entry_does_not_matter() -> None:
    facts = [("a", "2021-05-04"), ("b", "2023-03-04"), ("c", "2024-02-29")]
    seen = set()
    for order in (facts, facts[::-1], [facts[1], facts[2], facts[0]]):
        model = Model(D("2024-03-10"))
        for ref, on in order:
            assert an_infusion(model, ref, on) == ("ok",)
        seen.add(str({ref: found(model, ref=ref) for ref, _ in facts} | model.look("p")["infusions"]))
    assert len(seen) == 1
