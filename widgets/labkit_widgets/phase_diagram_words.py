"""Phase diagrams in words: the lever rule, the chemical potential, three phases at once."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.phase_diagrams.binary_congruent import Congruent
from labkit.phase_diagrams.binary_invariants import Invariant
from labkit.phase_diagrams.equilibrium import Equilibrium

from . import theme


def pair(elements: Sequence[str]) -> tuple[str, str]:
    """Return the two elements; raises ValueError for another number of them."""
    if len(elements) != 2:
        raise ValueError(f"a binary diagram has two elements, such as ('Ag', 'Cu'); {len(elements)} were given.")
    return str(elements[0]), str(elements[1])


def percent(x: float) -> str:
    """Return a fraction as it stands in the diagram."""
    return f"{100 * x:.1f} %"


def potential(elements: Sequence[str]) -> str:
    """Return the name of the chemical potential that the diagram speaks of."""
    return f"µ({elements[1]}) − µ({elements[0]})"


def lever(found: Equilibrium, x: float, elements: Sequence[str]) -> str:
    """Return which phases there are at composition x, with their amounts, and the chemical potential."""
    shares, second = found.at(x), elements[1]
    where = f"At {found.temperature_K:.0f} K and {percent(x)} {second}: "
    slope = f"{potential(elements)} {_size(found, x)}"
    if len(shares) == 1:
        return f"{where}{shares[0].phase} alone; {slope}."
    parts = [f"{percent(one.fraction)} {one.phase} ({percent(one.composition)} {second})" for one in shares]
    return f"{where}{' and '.join(parts)}; {slope}."


def _size(found: Equilibrium, x: float) -> str:
    """The chemical potential at x: a number, or for a compound and at a pure element the range that leaves it alone."""
    shares = found.at(x)
    phase = next(one for one in found.phases if one.name == shares[0].phase)
    dilute = x in (0.0, 1.0) and found.temperature_K > 0
    if len(shares) == 2 or not (phase.line or dilute):
        return f"= {_without_sign_of_nothing(found.tangent(x).chemical_potential_eV)} eV"
    below = [tie.chemical_potential_eV for tie in found.tie_lines if tie.x2 <= x]
    above = [tie.chemical_potential_eV for tie in found.tie_lines if tie.x1 >= x]
    if not phase.line:
        return "→ −∞" if x == 0 else "→ ∞"
    if below and above:
        return f"from {_without_sign_of_nothing(below[-1])} to {_without_sign_of_nothing(above[0])} eV"
    if above:
        return f"up to {_without_sign_of_nothing(above[0])} eV"
    return f"from {_without_sign_of_nothing(below[-1])} eV up" if below else "not fixed"


def _without_sign_of_nothing(value: float) -> str:
    return f"{0.0 if abs(value) < 5e-4 else value:.3f}"


def gap(phases: Sequence[str]) -> str:
    """Return the label of a field: one name, or two with a plus."""
    return " + ".join(phases)


def invariant_table(found: Sequence[Invariant], elements: Sequence[str], congruent: Sequence[Congruent] = ()) -> str:
    """Return equilibria of three phases and congruent points as an HTML table, the hottest first."""
    if not found and not congruent:
        return '<span class="lk-muted">no three phases meet within these temperatures</span>'
    titles = ("kind", "on cooling", "T (K)", f"{theme.escape(elements[1])} in the phases")
    rows = []
    for one in sorted([*found, *congruent], key=lambda one: -one.temperature_K):
        at = one.compositions if isinstance(one, Invariant) else (one.composition,)
        cells = (one.kind, theme.escape(one.reaction), f"{one.temperature_K:.1f}", ", ".join(percent(x) for x in at))
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<table class="lk-errors" aria-label="Invariant reactions"><tr>{head}</tr>{"".join(rows)}</table>'
