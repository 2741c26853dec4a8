"""Protocols as files: what is shipped, and what is refused with rule and field named (domain.md 2 and 3)."""

import pytest

from app.planning.protocol import Anchor, Offset, Protocol, ProtocolInvalid, Purpose, Restart, parse, published

SHIPPED = {
    "ltfu-15y",
    "ltfu-15y-d28",
    "ltfu-15y-plus",
    "cibmtr-15y",
    "aav-5y",
    "aav-15y",
    "genome-editing-15y",
    "se-childhood-transition",
}

HEAD = """
code = "trial-1y"
version = 1
title = "A trial"
purpose = "study"
restart = "last-infusion"
needs_consent = true
source = "Trial plan 1.0"
verified = true
"""

RULE = """
[[rules]]
code = "M06"
label = { sv = "Sex månader", en = "Six months" }
anchor = "infusion"
offset = { months = 6 }
before = 30
after = 30
modes = ["visit"]
assessments = ["exam"]
"""

YEARS = """
[[rules]]
code = "Y{n:02}"
label = { sv = "År {n}", en = "Year {n}" }
anchor = "infusion"
years = [1, 3]
before = 30
after = 60
modes = ["visit", "phone"]
assessments = []
"""


def shipped() -> dict[str, Protocol]:
    return {protocol.code: protocol for protocol in map(parse, published())}


def years(first: int, last: int) -> list[str]:
    return [f"Y{year:02}" for year in range(first, last + 1)]


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(ProtocolInvalid) as refused:
        parse(text)
    return [(error.field, error.code) for error in refused.value.errors]


def test_the_published_schedules_are_shipped_each_with_source_and_labels_in_both_languages():
    protocols = shipped()
    assert set(protocols) == SHIPPED
    assert len(published()) == len(SHIPPED)
    for protocol in protocols.values():
        assert len(protocol.source) > 20
        assert "\n" not in protocol.source
        assert all(
            set(rule.label) == {"sv", "en"} and all(text.strip() for text in rule.label.values())
            for rule in protocol.rules
        )


# domain.md 3: codes, purpose, restart, consent, verified at the source or not, without end or not.
@pytest.mark.parametrize(
    ("code", "visits", "purpose", "restart", "consent", "verified", "endless"),
    [
        ("ltfu-15y", ["W4", *years(1, 15)], "care", "last-infusion", False, True, False),
        ("ltfu-15y-d28", ["D28", *years(1, 15)], "care", "last-infusion", False, True, False),
        ("ltfu-15y-plus", ["W4", *years(1, 15)], "care", "last-infusion", False, True, True),
        ("cibmtr-15y", ["D100", "M06", *years(1, 15)], "registry", "new-course", True, False, False),
        ("aav-5y", years(1, 5), "care", "last-infusion", False, True, False),
        ("aav-15y", years(1, 15), "care", "last-infusion", False, True, False),
        ("genome-editing-15y", years(1, 15), "care", "last-infusion", False, True, False),
        ("se-childhood-transition", ["T18", "T25"], "care", "never", False, True, False),
    ],
)
def test_a_shipped_schedule_has_the_visits_and_terms_of_its_source(
    code, visits, purpose, restart, consent, verified, endless
):
    protocol = shipped()[code]
    assert [rule.code for rule in protocol.rules] == visits
    assert (protocol.purpose, protocol.restart) == (Purpose(purpose), Restart(restart))
    assert (protocol.needs_consent, protocol.verified, protocol.endless) == (consent, verified, endless)
    assert protocol.applies_if == ("under-18-at-infusion" if code == "se-childhood-transition" else None)


# Contract 3, rule 18: the general schedules and the registry's serve every class.
@pytest.mark.parametrize(
    ("code", "served", "others"),
    [
        ("aav-5y", {"aav-smn1", "aav-rpe65", "aav-factor-ix"}, {"gene-modified-cells", "genome-edited", "none"}),
        ("aav-15y", {"aav-smn1", "aav-rpe65", "aav-factor-ix"}, {"gene-modified-cells", "genome-edited", "none"}),
        ("genome-editing-15y", {"genome-edited"}, {"gene-modified-cells", "aav-smn1", "none"}),
        ("se-childhood-transition", {"gene-modified-cells"}, {"genome-edited", "aav-smn1", "none"}),
        ("ltfu-15y", {"gene-modified-cells", "genome-edited", "aav-smn1", "none"}, set()),
        ("cibmtr-15y", {"gene-modified-cells", "genome-edited"}, set()),
    ],
)
def test_a_shipped_schedule_serves_the_classes_that_its_source_is_about(code, served, others):
    protocol = shipped()[code]
    assert {name for name in served | others if protocol.serves(name)} == served


# domain.md 3: anchor, offset, days before and after, how, report due.
@pytest.mark.parametrize(
    ("protocol", "code", "anchor", "offset", "window", "modes", "report_due"),
    [
        ("ltfu-15y", "W4", "discharge", Offset(days=28), (7, 14), ("visit",), None),
        ("ltfu-15y", "Y05", "infusion", Offset(years=5), (30, 60), ("visit",), None),
        ("ltfu-15y", "Y06", "infusion", Offset(years=6), (30, 60), ("visit", "phone"), None),
        ("ltfu-15y", "Y15", "infusion", Offset(years=15), (30, 60), ("visit", "phone"), None),
        ("ltfu-15y-d28", "D28", "infusion", Offset(days=28), (7, 14), ("visit",), None),
        ("ltfu-15y-d28", "Y01", "infusion", Offset(years=1), (30, 60), ("visit",), None),
        ("cibmtr-15y", "D100", "infusion", Offset(days=100), (15, 15), ("form",), 130),
        ("cibmtr-15y", "M06", "infusion", Offset(days=180), (30, 30), ("form",), 225),
        ("cibmtr-15y", "Y01", "infusion", Offset(days=366), (0, 59), ("form",), None),
        ("cibmtr-15y", "Y02", "infusion", Offset(years=2), (30, 30), ("form",), None),
        ("aav-5y", "Y05", "infusion", Offset(years=5), (30, 30), ("visit",), None),
        ("aav-15y", "Y05", "infusion", Offset(years=5), (30, 30), ("visit",), None),
        ("aav-15y", "Y06", "infusion", Offset(years=6), (30, 30), ("phone",), None),
        ("genome-editing-15y", "Y06", "infusion", Offset(years=6), (30, 30), ("phone",), None),
        ("se-childhood-transition", "T18", "birth", Offset(years=18), (180, 180), ("visit",), None),
        ("se-childhood-transition", "T25", "birth", Offset(years=25), (365, 365), ("visit",), None),
    ],
)
def test_a_shipped_rule_is_that_of_its_source(protocol, code, anchor, offset, window, modes, report_due):
    rule = next(rule for rule in shipped()[protocol].rules if rule.code == code)
    assert (rule.anchor, rule.offset, (rule.before, rule.after)) == (Anchor(anchor), offset, window)
    assert (rule.modes, rule.report_due) == (modes, report_due)


def test_labels_are_numbered_by_their_year():
    rules = {rule.code: rule for rule in shipped()["ltfu-15y"].rules}
    assert rules["W4"].label == {"sv": "4-veckorskontroll", "en": "4-week response check"}
    assert rules["Y01"].label == {"sv": "Årskontroll 1", "en": "Year 1 visit"}
    assert rules["Y15"].label == {"sv": "Årskontroll 15", "en": "Year 15 visit"}


def test_a_protocol_without_end_goes_on_yearly_from_its_last_rule():
    protocol = shipped()["ltfu-15y-plus"]
    further = protocol.further(len(protocol.rules))
    assert (further.code, further.label, further.offset) == (
        "Y16",
        {"sv": "Årskontroll 16", "en": "Year 16 visit"},
        Offset(years=16),
    )
    assert (further.before, further.after, further.modes) == (30, 60, ("visit", "phone"))
    assert protocol.further(len(protocol.rules) + 84).code == "Y100"
    assert protocol.rule("Y100") == protocol.further(len(protocol.rules) + 84)
    assert protocol.rule("Y100").label["en"] == "Year 100 visit"


@pytest.mark.parametrize("code", ["D28", "Y", "Yx", "Y-1", "W5"])
def test_a_code_of_another_protocol_has_no_rule(code):
    assert shipped()["ltfu-15y-plus"].rule(code) is None
    assert shipped()["ltfu-15y"].rule("Y16") is None


def test_a_range_of_years_is_one_rule_for_each_year():
    protocol = parse(HEAD + RULE + YEARS)
    assert [(rule.code, rule.label["sv"], rule.offset) for rule in protocol.rules] == [
        ("M06", "Sex månader", Offset(months=6)),
        ("Y01", "År 1", Offset(years=1)),
        ("Y02", "År 2", Offset(years=2)),
        ("Y03", "År 3", Offset(years=3)),
    ]


def test_a_window_reaches_400_days_to_each_side_at_most():
    rule = parse(HEAD + RULE.replace("= 30", "= 400")).rules[0]
    assert (rule.before, rule.after) == (400, 400)


def test_weeks_and_windows_of_one_day_are_taken():
    rule = parse(HEAD + RULE.replace("months = 6", "weeks = 26").replace("= 30", "= 0")).rules[0]
    assert (rule.offset, rule.before, rule.after) == (Offset(weeks=26), 0, 0)


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        # the file
        ("code = ", "toml", "malformed"),
        (HEAD, "rules", "required"),
        ("rules = []" + HEAD, "rules", "invalid"),
        ('colour = "red"' + HEAD + RULE, "colour", "unknown_field"),
        (HEAD.replace('source = "Trial plan 1.0"', "") + RULE, "source", "required"),
        (HEAD.replace("Trial plan 1.0", " ") + RULE, "source", "empty"),
        (HEAD.replace("trial-1y", "Trial 1") + RULE, "code", "bad_format"),
        (HEAD.replace("version = 1", "version = 0") + RULE, "version", "invalid"),
        (HEAD.replace("version = 1", "version = true") + RULE, "version", "invalid"),
        (HEAD.replace("version = 1", 'version = "1"') + RULE, "version", "invalid"),
        (HEAD.replace('"study"', '"fun"') + RULE, "purpose", "unknown_value"),
        (HEAD.replace('"last-infusion"', '"always"') + RULE, "restart", "unknown_value"),
        (HEAD.replace("needs_consent = true", 'needs_consent = "yes"') + RULE, "needs_consent", "invalid"),
        ('classes = ["Gene modified"]' + HEAD + RULE, "classes.0", "bad_format"),
        ('classes = "genome-edited"' + HEAD + RULE, "classes", "invalid"),
        ('applies_if = "over-65"' + HEAD + RULE, "applies_if", "unknown_value"),
        ("then_every = { years = 2 }" + HEAD + YEARS, "then_every.years", "unknown_value"),
        ("then_every = { years = 1 }" + HEAD + RULE, "then_every", "not_allowed"),
        ("then_every = { years = 1 }" + HEAD + YEARS.replace("Year {n}", "Each year"), "then_every", "not_allowed"),
        # one rule
        (HEAD + RULE + "colour = 1", "rules.0.colour", "unknown_field"),
        (HEAD + RULE.replace("anchor = ", "# "), "rules.0.anchor", "required"),
        (HEAD + RULE.replace('"M06"', '"m06"'), "rules.0.code", "bad_format"),
        (HEAD + RULE.replace('"M06"', '"M{m}"'), "rules.0.code", "bad_format"),
        (HEAD + RULE.replace('"M06"', '"M{n}"'), "rules.0.code", "bad_format"),
        (HEAD + RULE.replace("Sex månader", ""), "rules.0.label.sv", "empty"),
        (HEAD + RULE.replace("Six months", "   "), "rules.0.label.en", "empty"),
        (HEAD + RULE.replace(', en = "Six months"', ""), "rules.0.label.en", "required"),
        (HEAD + RULE.replace(', en = "Six', ', fr = "Six mois", en = "Six'), "rules.0.label.fr", "unknown_field"),
        (HEAD + RULE.replace("Six months", "Month {n}"), "rules.0.label.en", "bad_format"),
        (HEAD + RULE.replace('"infusion"', '"diagnosis"'), "rules.0.anchor", "unknown_value"),
        (HEAD + RULE.replace("offset = { months = 6 }", ""), "rules.0.offset", "no_offset"),
        (HEAD + RULE.replace("{ months = 6 }", "{}"), "rules.0.offset", "no_offset"),
        (HEAD + RULE.replace("months = 6", "months = 6, days = 180"), "rules.0.offset", "two_offsets"),
        (HEAD + RULE.replace("months = 6", "hours = 6"), "rules.0.offset.hours", "unknown_field"),
        (HEAD + RULE.replace("months = 6", "months = -6"), "rules.0.offset.months", "invalid"),
        (HEAD + RULE.replace("months = 6", "months = 6.5"), "rules.0.offset.months", "invalid"),
        (HEAD + RULE.replace("before = 30", "before = -31"), "rules.0.before", "empty_window"),
        (HEAD + RULE.replace("after = 30", "after = -31"), "rules.0.after", "empty_window"),
        (HEAD + RULE.replace("before = 30", "before = -5"), "rules.0.before", "target_outside_window"),
        (HEAD + RULE.replace("after = 30", "after = -5"), "rules.0.after", "target_outside_window"),
        (HEAD + RULE.replace("before = 30", "before = 100000"), "rules.0.before", "invalid"),
        (HEAD + RULE.replace("before = 30", "before = 401"), "rules.0.before", "window_too_long"),
        (HEAD + RULE.replace("after = 30", "after = 401"), "rules.0.after", "window_too_long"),
        (HEAD + RULE.replace('["visit"]', "[]"), "rules.0.modes", "invalid"),
        (HEAD + RULE.replace('["visit"]', '["visit", "fax"]'), "rules.0.modes.1", "unknown_value"),
        (HEAD + RULE.replace('["visit"]', '["visit", "visit"]'), "rules.0.modes", "duplicate"),
        (HEAD + RULE.replace('["exam"]', '["Exam!"]'), "rules.0.assessments.0", "bad_format"),
        (HEAD + RULE + "report_due = 90", "rules.0.report_due", "out_of_order"),
        # a range of years
        (HEAD + YEARS.replace("[1, 3]", "[3, 1]"), "rules.0.years", "out_of_order"),
        (HEAD + YEARS.replace("[1, 3]", "[1]"), "rules.0.years", "invalid"),
        (HEAD + YEARS.replace("Y{n:02}", "Y01"), "rules.0.code", "bad_format"),
        (HEAD + YEARS.replace("Year {n}", "Year {m}"), "rules.0.label.en", "bad_format"),
        (HEAD + YEARS + "offset = { years = 1 }", "rules.0.offset", "two_offsets"),
        (HEAD + YEARS + "report_due = 500", "rules.0.report_due", "not_allowed"),
        # rules beside each other
        (HEAD + RULE + RULE.replace("months = 6", "months = 9"), "rules.1.code", "duplicate"),
        (HEAD + YEARS + YEARS.replace("[1, 3]", "[3, 4]").replace("Y{n:02}", "Z{n}"), "rules.1.offset", "out_of_order"),
        (HEAD + YEARS + RULE, "rules.1.offset", "out_of_order"),
        (HEAD + RULE.replace("months = 6", "days = 366") + YEARS, "rules.1.offset", "out_of_order"),
    ],
)
def test_a_fault_is_refused_with_its_rule_and_field(text, field, code):
    assert (field, code) in faults(text)


def test_a_refusal_names_the_rule_by_its_code_and_lists_every_fault():
    text = HEAD + RULE.replace("before = 30", "before = -5").replace("offset = { months = 6 }", "")
    with pytest.raises(ProtocolInvalid) as refused:
        parse(text)
    assert [error.field for error in refused.value.errors] == ["rules.0.offset", "rules.0.before"]
    assert all(error.message.startswith("rule M06, ") for error in refused.value.errors)
    assert "rule M06, before: the window does not hold the target" in refused.value.detail


def test_a_rule_without_a_code_is_named_by_its_place():
    with pytest.raises(ProtocolInvalid) as refused:
        parse(HEAD + RULE.replace('code = "M06"', ""))
    assert refused.value.errors[0].message.startswith("rule number 1, code: ")


def test_rules_of_different_anchors_stand_in_any_order():
    assert (
        len(
            parse(
                HEAD
                + RULE
                + RULE.replace("M06", "W4").replace("months = 6", "days = 28").replace('"infusion"', '"discharge"')
            ).rules
        )
        == 2
    )
