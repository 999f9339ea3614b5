"""Colours of a landscape's graph: energies of minima from dark to pale, barriers from blue and thick to red and thin.

Both scales end at a round number that nineteen of twenty values do not exceed, so that one broken molecule does not
bleach the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import theme
from .error_view import round_up
from .hop_graph import SCALE

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork

#: Widths in pixels of the barrier classes: thick is fast.
WIDTHS = (4.6, 3.6, 2.7, 1.9, 1.2)
DEEP, HIGH = "#35435A", "#EEF1F5"
NEWEST_COLOUR, CHOSEN_COLOUR = theme.GREEN, theme.PALETTE["purple"]
_SHARE = 0.95
_SMALLEST_EV = 0.01


@dataclass(frozen=True)
class Scales:
    """Energies and barriers of a network (eV, above the lowest minimum; from the lower end) and where scales end."""

    heights_eV: np.ndarray
    barriers_eV: np.ndarray
    top_height_eV: float
    top_barrier_eV: float

    @classmethod
    def of(cls, network: KineticNetwork) -> Scales:
        """The scales of a network; E_TS - min(E_i, E_j) is the barrier of a transition state between i and j."""
        energies = np.array([one.energy_eV for one in network.minima], dtype=float)
        heights = energies - (energies.min() if len(energies) else 0.0)
        saddles = network.transition_states
        barriers = np.array([one.energy_eV - min(energies[list(one.minima)]) for one in saddles], dtype=float)
        return cls(heights, barriers, _end(heights), _end(barriers))

    def classes(self) -> np.ndarray:
        """The class of each barrier, 0 (lowest) to 4, shape (m,)."""
        share = np.clip(self.barriers_eV / self.top_barrier_eV, 0, 1)
        return np.minimum((share * len(SCALE)).astype(int), len(SCALE) - 1)


def legend_html(scales: Scales) -> str:
    """Return what the colours, thicknesses and rings of the graph mean."""
    row = "display:inline-flex;align-items:center;gap:6px"
    disc = "display:inline-block;width:13px;height:13px;border-radius:50%;box-sizing:border-box;border:3px solid"
    bar = "display:inline-block;width:84px;height:11px;border-radius:3px;border:1px solid #8a8f98"
    nodes = f'<span style="{bar};background:linear-gradient(to right,{DEEP},{HIGH})"></span>'
    steps = "".join(
        f'<span style="display:inline-block;width:18px;border-top:{width:g}px solid {colour}"></span>'
        for width, colour in zip(WIDTHS, SCALE, strict=True)
    )
    energy, barrier = f"{scales.top_height_eV:g} eV", f"{scales.top_barrier_eV:g} eV"
    parts = [
        (f"Minima: energy above the lowest, 0 to {energy}", f"energy 0 {nodes} {energy}"),
        (f"Lines: barrier from the lower minimum, 0 to {barrier}", f"barrier 0 {steps} {barrier}"),
        ("Star: the lowest minimum", "★ lowest"),
        ("Green ring: found last", f'<span style="{disc} {NEWEST_COLOUR}"></span>newest'),
        ("Purple ring: shown in 3D", f'<span style="{disc} {CHOSEN_COLOUR}"></span>shown'),
    ]
    spans = (
        f'<span role="img" aria-label="{theme.escape(label)}" style="{row}">{html}</span>' for label, html in parts
    )
    return f'<div class="lk-legend lk-muted">{"".join(spans)}</div>'


def _end(values: np.ndarray) -> float:
    high = float(np.quantile(values, _SHARE, method="higher")) if len(values) else 0.0
    return round_up(max(high, _SMALLEST_EV))
