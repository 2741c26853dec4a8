"""Small cells (contract 8): one to four persons are hidden, and nobody can work them out from what is told beside."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actor import Actor, Role
from app.followup import figures, small_cells
from app.followup.small_cells import Cell
from tests.followup.equations import Equation, fixed
from tests.followup.ward import Ward

NETWORK = Actor("network", Role.NETWORK, None, id="network")
CENTRES, COLUMNS = "abcdef", "vwxyz"


@st.composite
def tables(draw: st.DrawFn) -> dict[Cell, int]:
    """Persons behind the cells of two to six centres in one to five columns; zeros and small numbers are frequent."""
    number = st.one_of(st.just(0), st.integers(1, 4), st.integers(5, 60))
    rows, columns = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    return {(centre, column): draw(number) for centre in CENTRES[:rows] for column in COLUMNS[:columns]}


def told_sums(hidden: frozenset[Cell], rows_add_up: bool) -> Iterator[Equation]:
    """The sums that a reader knows: of each column, and of each row where its cells have a relation."""
    for place in (1, 0) if rows_add_up else (1,):
        sums = defaultdict(dict)
        for cell in hidden:
            sums[cell[place]][cell] = 1
        yield from sums.values()


@given(tables(), st.booleans(), st.sets(st.sampled_from(CENTRES), max_size=2))
def test_no_hidden_cell_follows_from_the_sums_unless_nothing_is_left_to_hide(
    table: dict[Cell, int], rows_add_up: bool, known: set[str]
):
    hidden = small_cells.hidden(table, open_rows=known, rows_add_up=rows_add_up)
    others = {cell for cell in table if cell[0] not in known}
    assert hidden <= others
    assert {cell for cell in others if 0 < table[cell] < 5} <= hidden
    assert not fixed(list(told_sums(hidden, rows_add_up))) or hidden == others


@given(tables(), st.booleans())
def test_nothing_is_hidden_where_nothing_is_small(table: dict[Cell, int], rows_add_up: bool):
    large = {cell: number if number > 4 else 0 for cell, number in table.items()}
    assert small_cells.hidden(large, rows_add_up=rows_add_up) == frozenset()


@pytest.mark.parametrize(
    ("column", "hidden"),
    [
        ([0, 5, 60], ""),
        ([1, 9, 7], "ac"),  # the next smallest
        ([4, 4, 30], "ab"),  # two small ones hide each other
        ([3, 0, 12], "ac"),  # zero is told ...
        ([3, 0, 0], "ab"),  # ... unless nothing else is left
    ],
)
def test_one_hidden_cell_of_a_column_hides_the_next_smallest(column: list[int], hidden: str):
    table = {(centre, "x"): number for centre, number in zip("abc", column, strict=True)}
    assert {centre for centre, _ in small_cells.hidden(table)} == set(hidden)


def test_two_pairs_that_one_cell_joins_do_not_give_that_cell_away():
    """Each row and column holds two hidden cells, and still the one that joins two closed squares would follow from the
    others."""
    squares = {(row, column): 2 for rows, columns in (("ab", "vw"), ("de", "yz")) for row in rows for column in columns}
    table = {(row, column): 50 for row in "abcde" for column in "vwxyz"} | squares | {("a", "y"): 3}
    hidden = small_cells.hidden(table, rows_add_up=True)
    assert ("a", "y") in hidden
    assert not fixed(list(told_sums(hidden, rows_add_up=True)))


# ---- as the service tells it ----


async def three_centres(ward: Ward) -> None:
    """Six persons in Lund, three in Umeå, seven in Uppsala."""
    for centre, number in (("lund", 6), ("umea", 3), ("uppsala", 7)):
        for _ in range(number):
            await ward.infuse("2025-03-04", centre=centre, by=ward.member(centre))


def of(told: dict[str, Any], centre: str) -> dict[str, Any]:
    return next(c for c in told["centres"] if c["centre"] == centre)


async def test_the_network_role_is_told_totals_and_no_small_cell(ward: Ward):
    await three_centres(ward)
    told = await ward.do(figures.network, None, by=NETWORK, writing=False)
    assert (told["infusions"], told["patients"], told["by_context"][0]["patients"]) == (16, 16, 16)
    assert [of(told, centre)["patients"] for centre in ("lund", "umea", "uppsala", "goteborg")] == ["<5", "<5", 7, 0]
    umea = of(told, "umea")
    assert umea["by_context"] == [
        {"context": "SOC", "infusions": "<5", "patients": "<5", "reinfusions": 0, "first_infused_on": None}
    ]
    assert (umea["infusions"], umea["courses"], umea["visits"]["planned"], umea["visits"]["overdue"]) == (
        "<5",
        "<5",
        "<5",
        0,
    )
    assert umea["completeness"]["percent"] is None
    assert of(told, "uppsala")["visits"]["planned"] > 7


async def test_one_centres_summary_hides_what_the_networks_hides(ward: Ward):
    await three_centres(ward)
    network = await ward.do(figures.network, None, by=NETWORK, writing=False)
    for centre in ("lund", "umea", "uppsala"):
        for reader in (NETWORK, Actor("admin", Role.ADMIN, None, id="admin")):
            told = await ward.do(figures.centre, centre, None, by=reader, writing=False)
            assert told == {"as_of_date": network["as_of_date"], **of(network, centre)}


async def test_a_ward_sees_its_own_centre_whole_and_cannot_subtract_it_from_the_network(ward: Ward):
    await three_centres(ward)
    told = await ward.do(figures.network, None, by=ward.member("lund"), writing=False)
    assert [of(told, centre)["patients"] for centre in ("lund", "umea", "uppsala")] == [6, "<5", "<5"]
    own = await ward.do(figures.centre, "lund", None, by=ward.member("lund"), writing=False)
    assert own == {"as_of_date": told["as_of_date"], **of(told, "lund")}
    assert "<5" not in str(await ward.do(figures.centre, "umea", None, by=ward.member("umea"), writing=False))
