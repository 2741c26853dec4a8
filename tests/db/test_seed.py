"""The catalogue's files: what the project ships, and what is refused with line and field."""

from datetime import date

import pytest

from app.db import seed, tables
from app.planning import protocol


def faults(rows, text) -> list[tuple[str, str]]:
    with pytest.raises(seed.CatalogueInvalid) as refused:
        rows(text)
    return [(error.field, error.code) for error in refused.value.errors]


def test_the_shipped_centres_fill_their_table():
    centres = {row["code"]: row for row in seed.centre_rows()}
    assert list(centres) == ["umea", "uppsala", "stockholm", "goteborg", "linkoping", "lund", "orebro"]
    assert all(set(row) == {column.key for column in tables.centres.c} for row in centres.values())
    assert centres["stockholm"] == {
        "code": "stockholm",
        "name": "Karolinska universitetssjukhuset",
        "city": "Stockholm",
        "region": "Stockholm",
        "hsa_id": None,
        "status": "active",
        "lat": 59.3293,
        "lon": 18.0686,
        "manufactures": "Vecura",
    }
    assert [code for code, row in centres.items() if row["status"] == "upcoming"] == ["orebro"]


def test_the_shipped_counts_are_those_of_the_networks_list():
    counts = seed.count_rows()
    assert all(set(row) == {column.key for column in tables.published_counts.c} for row in counts)
    assert {row["counted_on"] for row in counts} == {date(2025, 9, 8)}
    assert (sum(row["patients"] for row in counts), sum(row["reinfusions"] for row in counts)) == (297, 6)
    found = next(row for row in counts if (row["centre"], row["context"]) == ("uppsala", "SOC"))
    assert (found["patients"], found["reinfusions"], found["first"]) == (38, 0, "2020-11")
    assert not any(row["centre"] == "orebro" for row in counts)


def test_the_shipped_products_fill_their_table_and_name_shipped_protocols():
    products = {row["code"]: row for row in seed.product_rows()}
    assert len(products) == 15
    assert all(set(row) == {column.key for column in tables.products.c} for row in products.values())
    assert {code: row["course_days"] for code, row in products.items() if row["infusions_per_course"] > 1} == {
        "obecabtagene-autoleucel": 21,
        "voretigene-neparvovec": 90,
    }
    assert (products["tcr-t"]["brand"], products["tcr-t"]["name_sv"]) == (
        None,
        "TCR-modifierade T-celler (en per studie)",
    )
    assert products["academic-cart"]["inn"] is None
    assert (products["virus-specific-t-cells"]["plan_class"], products["virus-specific-t-cells"]["protocol"]) == (
        "none",
        None,
    )
    assert {row["verified"] for row in products.values()} == {False}
    known = {p.code: p for p in map(protocol.parse, protocol.published())}
    assert all(known[row["protocol"]].serves(row["plan_class"]) for row in products.values() if row["protocol"])


def test_a_file_is_known_by_its_header():
    assert (seed.kind(seed.shipped("centres.csv")), seed.kind(seed.shipped("products.csv"))) == ("centres", "products")
    for text in ("", "name,colour\n"):
        assert faults(seed.kind, text) == [("1", "unknown_file")]


CENTRES = (
    ",".join(seed.CENTRE_COLUMNS)
    + "\nmalmo,Sjukhuset,Malmö,Skåne,55.6,13.0,active,3,SOC,2020-11,2,1,\nmalmo,,,,,,,,ICT,2021,1,0,\n"
)


def test_a_file_may_have_a_mark_other_line_ends_other_order_and_an_hsa_id():
    text = "\ufeff" + CENTRES.replace("\n", "\r\n") + "\r\n"
    assert seed.centre_rows(text) == seed.centre_rows(CENTRES)
    assert [row["context"] for row in seed.count_rows(text)] == ["SOC", "ICT"]
    turned = "\n".join(",".join(reversed(line.split(","))) for line in CENTRES.splitlines())
    assert seed.centre_rows(turned) == seed.centre_rows(CENTRES)
    header, first, _ = CENTRES.splitlines()
    assert seed.centre_rows(f"{header},hsa_id\n{first},SE2321000016-1\n")[0]["hsa_id"] == "SE2321000016-1"


@pytest.mark.parametrize(
    ("old", "new", "field", "code"),
    [
        ("region", "area", "1", "bad_header"),
        ("lat,lon", "lat,lat", "1", "bad_header"),
        ("\nmalmo,Sj", "\nMalmö,Sj", "2.code", "bad_format"),
        ("\nmalmo,Sj", "\n,Sj", "2.code", "required"),
        ("Sjukhuset", " ", "2.name", "required"),
        ("55.6", "55,6", "2", "bad_format"),
        ("55.6", "north", "2.lat", "bad_number"),
        ("55.6", "155.6", "2.lat", "bad_number"),
        ("13.0", "181", "2.lon", "bad_number"),
        ("active", "open", "2.status", "unknown_value"),
        ("SOC", "SOCC", "2.context", "unknown_value"),
        ("2020-11", "2020-13", "2.first", "bad_date"),
        ("2,1,", "two,1,", "2.patients", "bad_number"),
        ("2,1,", "2,-1,", "2.reinfusions", "bad_number"),
        ("2,1,", ",1,", "2.patients", "required"),
        ("SOC,2020-11", ",", "2.patients", "contradiction"),
        ("malmo,,,", "malmo,Annat,,", "3.name", "duplicate"),
        ("malmo,,,", "ystad,,,", "3.name", "required"),
        ("ICT", "SOC", "3.context", "duplicate"),
        ("Sjukhuset", '"Sjuk"huset', "2", "malformed"),
    ],
)
def test_a_fault_of_a_centre_is_told_with_line_and_field(old, new, field, code):
    text = CENTRES.replace(old, new, 1)
    assert (field, code) in faults(seed.centre_rows, text)
    assert (field, code) in faults(seed.count_rows, text)


PRODUCTS = f"{','.join(seed.PRODUCT_COLUMNS)}\n"
PRODUCTS += (
    "new-cart,,,Ny CAR T,New CAR T,CD19,lentiviral,GTMP ex vivo,gene-modified-cells,1,,15,approved,ltfu-15y,yes\n"
)


def test_a_product_may_be_verified():
    assert [(row["verified"], row["target"], row["inn"]) for row in seed.product_rows(PRODUCTS)] == [
        (True, "CD19", None)
    ]


@pytest.mark.parametrize(
    ("old", "new", "field", "code"),
    [
        ("new-cart", "New Cart", "2.code", "bad_format"),
        ("Ny CAR T", "", "2.name_sv", "required"),
        ("New CAR T", "", "2.name_en", "required"),
        (",1,,15", ",2,,15", "2.course_days", "contradiction"),
        (",1,,15", ",1,21,15", "2.course_days", "contradiction"),
        (",1,,15", ",2,0,15", "2.course_days", "bad_number"),
        ("gene-modified-cells", "", "2.plan_class", "required"),
        (",1,,15", ",0,,15", "2.infusions_per_course", "bad_number"),
        (",1,,15", ",1,,", "2.follow_up_years", "required"),
        (",1,,15", ",1,,0", "2.protocol", "contradiction"),
        ("ltfu-15y", "", "2.protocol", "contradiction"),
        ("ltfu-15y", "LTFU", "2.protocol", "bad_format"),
        (",yes", ",true", "2.verified", "unknown_value"),
        (",yes", ",yes,more", "2", "bad_format"),
        (",yes", "", "2", "bad_format"),
    ],
)
def test_a_fault_of_a_product_is_told_with_line_and_field(old, new, field, code):
    assert (field, code) in faults(seed.product_rows, PRODUCTS.replace(old, new, 1))


def test_a_code_twice_is_refused_and_every_fault_is_listed():
    text = PRODUCTS + PRODUCTS.splitlines()[1].replace(",yes", ",maybe")
    assert faults(seed.product_rows, text) == [("3.verified", "unknown_value"), ("3.code", "duplicate")]
    with pytest.raises(seed.CatalogueInvalid) as refused:
        seed.product_rows(text)
    assert (
        refused.value.detail
        == "line 3, verified: must be one of yes, no; line 3, code: an earlier line has the same code"
    )
