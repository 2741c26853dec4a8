"""What a reader of figures can work out: the unknowns that a set of sums fixes. Shares no code with the service."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

Equation: TypeAlias = Mapping[object, int]  # each unknown with its factor; what it adds up to is known, whatever it is


def fixed(equations: Sequence[Equation]) -> set[object]:
    """The unknowns that have one value only, by Gauss and Jordan over fractions."""
    unknowns = list(dict.fromkeys(unknown for equation in equations for unknown in equation))
    rows = [[Fraction(equation.get(unknown, 0)) for unknown in unknowns] for equation in equations]
    done = 0
    for column in range(len(unknowns)):
        pivot = next((n for n in range(done, len(rows)) if rows[n][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for n, row in enumerate(rows):
            if n != done and (factor := row[column]):
                rows[n] = [value - factor * other for value, other in zip(row, rows[done], strict=True)]
        done += 1
    alone = [[n for n, value in enumerate(row) if value] for row in rows]
    return {unknowns[places[0]] for places in alone if len(places) == 1}
