"""Numbers of persons: every form that people and systems write, and what is refused (contract 6, domain.md 6)."""

import csv
from datetime import date
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identifiers import Identifier, InvalidIdentifier, birth_date, full, masked, normalise, stands_in, system_of

TODAY = date(2026, 11, 23)


def check_digit(nine: str) -> str:
    """Luhn's, written once more: every second digit doubled from the first, digit sums added, up to the next ten."""
    total = sum(sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10)) for place, digit in enumerate(nine))
    return str(-total % 10)


@pytest.mark.parametrize(
    "written",
    [
        "19811228-9874",
        "198112289874",
        "811228-9874",
        "8112289874",
        " 19811228 - 9874 ",
        "19811228 9874",
        "811228\u00a09874",
    ],
)
def test_one_number_has_one_form_however_it_is_written(written):
    assert normalise("personnummer", written, TODAY) == Identifier("personnummer", "198112289874")


@pytest.mark.parametrize(
    ("system", "slug"),
    [
        ("personnummer", "personnummer"),
        ("http://electronichealth.se/identifier/personnummer", "personnummer"),
        ("https://terminology.hl7.se/sid/se-personnummer", "personnummer"),
        ("urn:oid:1.2.752.129.2.1.3.1", "personnummer"),
        ("samordningsnummer", "samordningsnummer"),
        ("http://electronichealth.se/identifier/samordningsnummer", "samordningsnummer"),
        ("urn:oid:1.2.752.129.2.1.3.3", "samordningsnummer"),
    ],
)
def test_every_system_of_the_contract_is_known(system, slug):
    number = "19811228-9874" if slug == "personnummer" else "19600589-9916"
    assert normalise(system, number, TODAY).system == slug


def test_a_samordningsnummer_is_known_by_its_day_whatever_system_is_named():
    number = Identifier("samordningsnummer", "196005899916")
    assert normalise("personnummer", "19600589-9916", TODAY) == number
    assert normalise("samordningsnummer", "600589-9916", TODAY) == number
    assert birth_date(number) == date(1960, 5, 29)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        *[(written, "198112289874") for written in ("811228-9874", "198112289874", "8112289874", "81 12 28 98 74")],
        ("600589-9916", "196005899916"),
        ("2212ab 34-56xy", "2212AB34-56XY"),
    ],
)
def test_a_number_alone_tells_its_system(written, number):
    assert normalise(system_of(written), written, TODAY).value == number


@pytest.mark.parametrize("system", ["reservnummer", "http://electronichealth.se/identifier/nationelltReservnummer"])
def test_a_reserve_number_has_letters_and_no_check_digit(system):
    number = normalise(system, " 2212ab 34-56xy ", TODAY)
    assert number == Identifier("reservnummer", "2212AB34-56XY")
    assert birth_date(number) is None
    assert (masked(number), full(number)) == ("2212****", "2212AB34-56XY")


def test_a_number_is_shown_masked_or_in_full():
    number = normalise("personnummer", "8112289874", TODAY)
    assert (masked(number), full(number), birth_date(number)) == ("19811228-****", "19811228-9874", date(1981, 12, 28))


# Folkbokföringslagen (1991:481) 18 §: the plus comes in the year in which a person turns 100.
@pytest.mark.parametrize(
    ("nine", "sign", "born"),
    [
        ("261101981", "-", date(2026, 11, 1)),
        ("261101981", "", date(2026, 11, 1)),
        ("261101981", "+", date(1926, 11, 1)),
        ("271101981", "-", date(1927, 11, 1)),
        ("271101981", "+", date(1827, 11, 1)),
        ("261224981", "", date(1926, 12, 24)),  # 2026-12-24 is still to come
        ("000229981", "-", date(2000, 2, 29)),
        ("000289981", "-", date(2000, 2, 29)),
    ],
)
def test_two_digits_of_the_year_mean_a_century(nine, sign, born):
    number = nine + check_digit(nine)
    assert birth_date(normalise("personnummer", f"{number[:6]}{sign}{number[6:]}", TODAY)) == born


@pytest.mark.parametrize(
    ("system", "written", "code"),
    [
        ("passport", "19811228-9874", "unknown_system"),
        ("", "19811228-9874", "unknown_system"),
        ("personnummer", "", "bad_format"),
        ("personnummer", "19811228-987", "bad_format"),
        ("personnummer", "19811228-98745", "bad_format"),
        ("personnummer", "19811228/9874", "bad_format"),
        ("personnummer", "19811228+9874", "bad_format"),
        ("personnummer", "1981-12-28-9874", "bad_format"),
        ("personnummer", "17811228-9874", "bad_format"),
        ("personnummer", "19811228-000A", "bad_format"),
        ("personnummer", "19811228-0005", "bad_format"),
        ("personnummer", "١٩٨١١٢٢٨-٩٨٧٤", "bad_format"),
        ("personnummer", "19811228-9875", "bad_check_digit"),
        ("personnummer", "19551127-9960", "bad_check_digit"),
        ("samordningsnummer", "19600589-9917", "bad_check_digit"),
        ("personnummer", "19810229-9874", "bad_date"),
        ("personnummer", "19811328-9874", "bad_date"),
        ("personnummer", "19811200-9874", "bad_date"),
        ("personnummer", "19811232-9874", "bad_date"),
        ("personnummer", "19811260-9874", "bad_date"),
        ("personnummer", "19811292-9874", "bad_date"),
        ("personnummer", "20261124-9874", "bad_date"),
        ("personnummer", "261124-9874", "bad_date"),
        ("samordningsnummer", "19811228-9874", "bad_date"),
        ("reservnummer", "AB12", "bad_format"),
        ("reservnummer", "AB12_34567", "bad_format"),
        ("reservnummer", "ÅB12345678", "bad_format"),
    ],
)
def test_what_cannot_be_a_number_is_refused_with_its_code(system, written, code):
    with pytest.raises(InvalidIdentifier) as refused:
        normalise(system, written, TODAY)
    assert refused.value.code == code
    assert [error.field for error in refused.value.errors] == ["system" if code == "unknown_system" else "value"]
    if written:
        assert written not in str(refused.value.errors) + refused.value.detail


def test_every_number_of_the_sample_passes():
    text = (resources.files("app.data") / "infusions-2025-09-08.csv").read_text(encoding="utf-8")
    numbers = [row["personnummer"] for row in csv.DictReader(text.splitlines())]
    assert len(numbers) == 304
    assert [full(normalise("personnummer", number, TODAY)) for number in numbers] == numbers


@given(st.dates(date(1930, 1, 1), TODAY), st.integers(980, 999), st.booleans())
def test_test_numbers_pass_in_every_form_and_come_back_the_same(born, serial, coordination):
    day = born.day + 60 if coordination else born.day
    nine = f"{born:%y%m}{day:02}{serial}"
    twelve = f"{born.year // 100}{nine}{check_digit(nine)}"
    expected = Identifier("samordningsnummer" if coordination else "personnummer", twelve)
    for written in (twelve, f"{twelve[:8]}-{twelve[8:]}", f"{twelve[2:8]}-{twelve[8:]}", twelve[2:], full(expected)):
        assert normalise("personnummer", written, TODAY) == expected
    assert birth_date(expected) == born


@given(st.dates(date(1930, 1, 1), TODAY), st.integers(1, 999), st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(born, serial, place, change):
    nine = f"{born:%y%m%d}{serial:03}"
    digits = list(f"{born.year // 100}{nine}{check_digit(nine)}")
    place += 2
    digits[place] = str((int(digits[place]) + change) % 10)
    with pytest.raises(InvalidIdentifier):
        normalise("personnummer", "".join(digits), TODAY)


# ---- in a text ----


@pytest.mark.parametrize(
    "text",
    ["198112289874", "19811228-9874", "8112289874", "811228-9874", "811228+9874", "811228 9874", "19811228 - 9874",
     "1981-12-28-9874",
     "81 12 28 9874", "811228\u20139874", "811228\u00a09874", "pat_198112289874", "Anna 811228-9874 ringde",
     "proc-8841/8112289874", "nr 20 811228-9874"],
)  # fmt: skip
def test_a_personal_number_is_found_in_any_text_and_spelling(text):
    assert stands_in(text)


@pytest.mark.parametrize(
    "text",
    ["", "proc-8841", "SE-00123", "198112289875", "198113289874", "198112009874", "811228-987", "8112289874123",
     "1198112289874", "811228-0003",
     "2025-03-04T08:00", "070-174 06 05", "DLBCL, linje 3", "01890000-0000-7000-8000-000000000001", "18112289874",
      "811228/9874"],
)  # fmt: skip
def test_what_is_no_personal_number_passes(text):
    assert not stands_in(text)


@given(
    born=st.dates(date(1890, 1, 1), TODAY),
    serial=st.integers(1, 999),
    coordination=st.booleans(),
    words=st.sampled_from(["{}", "id {}", "{}/2", "ref:{};"]),
)
def test_every_number_is_found_in_words_and_with_another_check_digit_not(born, serial, coordination, words):
    nine = f"{born:%y%m}{born.day + 60 * coordination:02}{serial:03}"
    right = int(check_digit(nine))
    assert stands_in(words.format(f"{born.year // 100}{nine[:6]}-{nine[6:]}{right}"))
    assert stands_in(words.format(f"{nine}{right}"))
    assert not stands_in(words.format(f"{born.year // 100}{nine[:6]}-{nine[6:]}{(right + 1) % 10}"))
