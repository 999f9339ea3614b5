"""The sentences and tables of a phonon view; everything that came from a file is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.simulators.phonons_data import percent

from . import theme
from .panel import muted
from .phonon_model import UNITS, Mode

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import Bands, HarmonicCrystal

    from .phonon_thermal import Heat

ROOM_K = 298.15
NO_SPLITTING = (
    "without LO-TO splitting: if this is a polar insulator, its longitudinal optical bands lie too low near Γ"
)


def menu_words(mode: Mode, unit: str) -> str:
    """One mode in a menu."""
    times = f", {mode.degeneracy} times" if mode.degeneracy > 1 else ""
    kind = "imaginary " if mode.imaginary else ""
    return f"{mode.label or mode.place}: {kind}{mode.frequency(unit)}, branch {mode.branch}{times}"


def facts_line(name: str, crystal: HarmonicCrystal, bands: Bands, unit: str) -> str:
    """What the bands belong to, in one line."""
    n, cells = len(crystal.atoms), len(crystal.force_constants_eV_A2)
    factor = UNITS[unit]
    digits = 2 if unit == "THz" else 0
    ends = (float(bands.frequencies_THz.min()) * factor, float(bands.frequencies_THz.max()) * factor)
    reach = " to ".join(f"{round(end, digits) + 0.0:.{digits}f}" for end in ends)
    polar = f"; {NO_SPLITTING}" if len(set(crystal.atoms.numbers)) > 1 else ""
    return (
        f"{name}: {n} atom{'s' if n > 1 else ''}, {3 * n} branches, forces of a supercell of {cells} atoms; {reach} "
        f"{unit} on the path{polar}"
    )


def imaginary_table(found: Mapping[str, Sequence[Mode]], unit: str) -> str:
    """The imaginary modes of each crystal."""
    several = len(found) > 1
    rows = []
    for name, modes in found.items():
        for mode in modes:
            cells = (mode.label, mode.coordinates, mode.branch, mode.frequency(unit), mode.degeneracy)
            body = "".join(f"<td>{theme.escape(cell)}</td>" for cell in cells)
            rows.append(f"<tr>{f'<th>{theme.escape(name)}</th>' if several else ''}{body}</tr>")
    if not rows:
        return muted("no imaginary modes at the wave vectors that fit the supercell")
    titles = [*(["crystal"] if several else []), "point", "q", "branch", "frequency", "degeneracy"]
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<table class="lk-errors" aria-label="Imaginary modes"><tr>{head}</tr>{"".join(rows)}</table>'


def thermal_table(heats: Sequence[Heat]) -> str:
    """The values at room temperature, and what they leave out."""
    titles = ("at 298.15 K, for each formula unit", "F (kJ/mol)", "S (J/mol/K)", "C<sub>V</sub> (J/mol/K)")
    titles += ("3nR (J/mol/K)", "zero point (kJ/mol)")
    rows, warnings = [], []
    for heat in heats:
        values = (*heat.at(ROOM_K), heat.limit, heat.zero_point_kJ_mol)
        cells = "".join(f"<td>{value:.2f}</td>" for value in values)
        rows.append(f"<tr><th>{theme.escape(heat.name)}</th>{cells}</tr>")
        if heat.left_out > 0:
            warnings.append(
                f"{heat.name}: {percent(heat.left_out)} of all modes are imaginary and left out; these numbers "
                "describe the rest only."
            )
    head = "".join(f"<th>{title}</th>" for title in titles)
    table = f'<table class="lk-errors" aria-label="Thermal functions"><tr>{head}</tr>{"".join(rows)}</table>'
    return table + (theme.message("\n".join(warnings), "warning") if warnings else "")
