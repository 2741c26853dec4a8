"""Small cells of a table of counts (contract 8): a figure of one to four persons is hidden, and so much beside it that
none can be worked out."""

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

SMALL: Final = "<5"
LEAST: Final = 5  # persons; fewer, but not zero, are a small cell

Cell: TypeAlias = tuple[str, str]  # row and column


def hidden(
    persons: Mapping[Cell, int], *, open_rows: Collection[str] = (), rows_add_up: bool = False
) -> frozenset[Cell]:
    """The cells that are not shown, of a table whose columns' totals are: `persons` says how many stand behind each
    cell.

    `open_rows` are shown whatever they hold: the reader knows them. `rows_add_up`: the cells of each row have a
    relation too (one of them is the sum of the others). Zero is shown, unless nothing else is left to stand beside a
    small cell.
    """
    found = {cell for cell, number in persons.items() if 0 < number < LEAST and cell[0] not in open_rows}
    free = {cell for cell in persons if cell not in found and cell[0] not in open_rows}
    while free and (alone := _derivable(found, rows_add_up)):
        row, column = alone
        beside = {cell for cell in free if cell[1] == column or (rows_add_up and cell[0] == row)}
        chosen = min(beside or free, key=lambda cell: _order(cell, persons[cell], found))
        free.remove(chosen)
        found.add(chosen)
    return frozenset(found)


def _order(cell: Cell, number: int, found: Collection[Cell]) -> tuple[bool, int, int, Cell]:
    """The next smallest first, zeros last; of zeros those whose row and column hold hidden cells already, so that they
    draw no others after them."""
    touched = (cell[0] in {row for row, _ in found}) + (cell[1] in {column for _, column in found})
    return number == 0, 0 if number else -touched, number, cell


def _derivable(cells: Collection[Cell], rows_add_up: bool) -> Cell | None:
    """A cell that follows from what is shown: the only way between its row and its column.

    Each row and column is an equation, each hidden cell an unknown of one row and one column. Where a way through other
    hidden cells leads from the row back to the column, the cell can be larger and those on the way smaller and larger
    by turns: nobody can tell. Where there is none, what is shown fixes it. Rows without a relation are one equation
    that holds whatever the cells are.
    """
    ways: dict[str, list[tuple[Cell, str]]] = {}
    for cell in sorted(cells):
        row, column = f"row {cell[0]}" if rows_add_up else "rows", f"column {cell[1]}"
        ways.setdefault(row, []).append((cell, column))
        ways.setdefault(column, []).append((cell, row))
    for cell in sorted(cells):
        column, seen = f"column {cell[1]}", set[str]()
        goal, to_see = f"row {cell[0]}" if rows_add_up else "rows", [column]
        while to_see and goal not in seen:
            here = to_see.pop()
            seen.add(here)
            to_see += [there for other, there in ways[here] if other != cell and there not in seen]
        if goal not in seen:
            return cell
    return None
