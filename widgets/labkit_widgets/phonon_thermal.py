"""The thermal functions of a phonon view: free energy, entropy, heat capacity against temperature.

All of them for a mole of formula units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import theme
from .curves import figure_layout
from .figure import Figure
from .phonon_figure import MOST_CRYSTALS

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import ThermalFunctions

#: J/mol in eV, CODATA 2018: the Faraday constant.
J_MOL = 96_485.33212
_GAS_J_MOL_K = 8.314462618
_TITLES = ("F (kJ/mol)", "S (J/mol/K)", "C<sub>V</sub> (J/mol/K)")
_DOMAINS = ((0.0, 0.27), (0.37, 0.63), (0.74, 1.0))


@dataclass(frozen=True)
class Heat:
    """Thermal functions (k,) of one crystal, per mole of formula units; `limit` is 3nR of Dulong and Petit."""

    name: str
    colour: str
    temperatures_K: np.ndarray
    free_energy_kJ_mol: np.ndarray
    entropy_J_mol_K: np.ndarray
    heat_capacity_J_mol_K: np.ndarray
    zero_point_kJ_mol: float
    left_out: float
    limit: float

    @classmethod
    def of(cls, name: str, colour: str, thermal: ThermalFunctions, units: int, atoms: int) -> Heat:
        """From the functions of a primitive cell with `units` formula units and `atoms` atoms."""
        factor = J_MOL / units
        values = (1e-3 * factor * np.asarray(thermal.free_energy_eV), factor * np.asarray(thermal.entropy_eV_K))
        heat = factor * np.asarray(thermal.heat_capacity_eV_K)
        zero = 1e-3 * factor * float(thermal.zero_point_eV)
        limit = 3 * atoms * _GAS_J_MOL_K / units
        return cls(name, colour, thermal.temperatures_K, *values, heat, zero, float(thermal.imaginary_fraction), limit)

    def at(self, temperature_K: float) -> tuple[float, float, float]:
        """F, S and Cv at a temperature, between the computed ones by straight lines."""
        columns = (self.free_energy_kJ_mol, self.entropy_J_mol_K, self.heat_capacity_J_mol_K)
        return tuple(float(np.interp(temperature_K, self.temperatures_K, column)) for column in columns)


class ThermalFigure(Figure):
    """Three plots beside each other, a line for each crystal, the classical limit dotted."""

    def __init__(self, height: int) -> None:
        layout = figure_layout(height, "", "")
        x, y = layout.pop("xaxis"), layout.pop("yaxis")
        for number, (title, domain) in enumerate(zip(_TITLES, _DOMAINS, strict=True), start=1):
            suffix = "" if number == 1 else str(number)
            place = {"anchor": f"y{suffix}", "domain": list(domain), "title": {"text": "T (K)"}, "nticks": 5}
            layout[f"xaxis{suffix}"] = {**x, **place}
            layout[f"yaxis{suffix}"] = {**y, "anchor": f"x{suffix}", "title": {"text": title, "standoff": 4}}
        layout["margin"] = {**layout["margin"], "t": 30}
        empty = {"type": "scatter", "x": [], "y": [], "mode": "lines", "showlegend": False}
        traces = []
        for suffix in ("", "2", "3"):
            axes = {
                "showlegend": not suffix,
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "hovertemplate": "%{x:.0f} K: %{y:.2f}",
            }
            traces += [{**empty, **axes} for _ in range(MOST_CRYSTALS)]
        dots = {"color": theme.GREY, "dash": "dot", "width": 1.2}
        traces.append({**empty, "xaxis": "x3", "yaxis": "y3", "line": dots, "hoverinfo": "skip"})
        super().__init__(layout, traces)

    def show(self, heats: Sequence[Heat]) -> None:
        """Draw these crystals, the first one solid."""
        heats = heats[:MOST_CRYSTALS]
        with self.batch_update():
            for part, field in enumerate(("free_energy_kJ_mol", "entropy_J_mol_K", "heat_capacity_J_mol_K")):
                for slot in range(MOST_CRYSTALS):
                    trace = self.data[part * MOST_CRYSTALS + slot]
                    one = heats[slot] if slot < len(heats) else None
                    trace.x = [] if one is None else one.temperatures_K
                    trace.y = [] if one is None else getattr(one, field)
                    if one is not None:
                        trace.name, dash = one.name, "solid" if slot == 0 else "dash"
                        trace.line = {"color": one.colour, "width": 1.8, "dash": dash}
            self.layout.showlegend = len(heats) > 1
            ends = [heats[0].temperatures_K[0], heats[0].temperatures_K[-1]] if heats else []
            self.data[-1].x, self.data[-1].y = ends, [heats[0].limit] * 2 if heats else []
