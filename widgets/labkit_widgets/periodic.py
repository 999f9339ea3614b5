"""A periodic table as a strip of HTML: which elements something covers, in plain HTML and CSS.

Covered elements are bold on a coloured ground and the others pale; each says in its title which it is, so that nothing
hangs on colour alone.
"""

from __future__ import annotations

from collections.abc import Collection

from ase.data import atomic_names, chemical_symbols

from . import theme

COLUMNS = 18
#: Columns of the first elements of each period, and of the two rows below the table.
_PERIODS = ((1, 2), (3, 10), (11, 18), (19, 36), (37, 54), (55, 86), (87, 118))
_LANTHANIDES, _ACTINIDES = range(57, 72), range(89, 104)


def place(number: int) -> tuple[int, int]:
    """Row and column (from 1) of an element in the table of 18 columns; rows 8 and 9 hold the f block."""
    if number in _LANTHANIDES or number in _ACTINIDES:
        first = 57 if number in _LANTHANIDES else 89
        return (8 if first == 57 else 9), number - first + 3
    row = next(index for index, (_, last) in enumerate(_PERIODS, 1) if number <= last)
    first, last = _PERIODS[row - 1]
    from_left = number - first
    if from_left < (1 if row == 1 else 2):
        return row, from_left + 1
    return row, COLUMNS - (last - number)


def periodic_table(covered: Collection[str] | None) -> str:
    """Return the table as HTML with the symbols in `covered` marked; None marks nothing and says why."""
    known = frozenset(covered or ())
    cells = []
    for number in range(1, 119):
        symbol, (row, column) = chemical_symbols[number], place(number)
        state = "covered" if symbol in known else "not covered"
        mark = " lk-on" if symbol in known else ""
        cells.append(
            f'<span class="lk-el{mark}" style="grid-row:{row};grid-column:{column}" '
            f'title="{theme.escape(atomic_names[number])}: {state}">{symbol}</span>'
        )
    label = words(covered)
    return f'<div class="lk-table" role="img" aria-label="{theme.escape(label)}">{"".join(cells)}</div>'


def words(covered: Collection[str] | None, most: int = 12) -> str:
    """Return the covered elements as words: all of a few, the number of many."""
    if covered is None:
        return "elements: no limit is stated"
    symbols = sorted(covered, key=chemical_symbols.index)
    if len(symbols) <= most:
        return f"{len(symbols)} element{'s' if len(symbols) != 1 else ''}: {', '.join(symbols)}"
    return f"{len(symbols)} elements"
