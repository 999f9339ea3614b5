"""The hop graph as shapes: a cylinder for each hop, thick where the ion goes often, coloured by its barrier.

Thickness follows the rate exp(-Ea/kT), softened to its eighth root, for rates differ by more decades than a picture
has; thickness and colour say the same, so nobody needs the hue.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms, units

from . import scene, theme
from .hop_model import HopState
from .neb_shapes import Shapes

if TYPE_CHECKING:
    from labkit.simulators.hops import HopNetwork

#: Low barriers are blue, high ones vermillion: colours of Okabe and Ito, which colour-blind readers tell apart.
SCALE = ("#0072B2", "#56B4E9", "#E8DA48", "#E69F00", "#D55E00")
UNKNOWN_COLOUR, CHOSEN_COLOUR = "#737A85", theme.GREEN
THIN_A, THICK_A, UNKNOWN_A, CHOSEN_A = 0.08, 0.3, 0.06, 0.05
SOFTENING = 8.0
TEMPERATURE_K = 300.0


def shapes(
    network: HopNetwork, states: Mapping[int, HopState], chosen: Collection[int], temperature_K: float = TEMPERATURE_K
) -> tuple[list[Shapes], np.ndarray]:
    """Return the shapes and the points outside the cell that belong to the picture.

    A hop that leaves the cell is drawn from both of its ends; its goal in the next cell is a pale sphere.
    """
    cell = np.asarray(network.atoms.cell)
    lowest, top = lowest_eV(states), top_eV(states)
    hops, ghosts = Shapes("hops"), Shapes("next cell", opacity=0.35)
    outside: dict[tuple, np.ndarray] = {}
    ion = scene.legend(Atoms(network.species))[0][1]
    for edge in network.edges:
        state = states[edge.hop]
        colour, radius = look(state, lowest, top, temperature_K)
        if edge.hop in chosen:
            colour, radius = CHOSEN_COLOUR, radius + CHOSEN_A
        start, end = network.sites[edge.i] @ cell, (network.sites[edge.j] + edge.image) @ cell
        shift = np.array(edge.image) @ cell
        for a, b in [(start, end)] if not any(edge.image) else [(start, end), (start - shift, end - shift)]:
            hops.cylinder(a, b, colour, radius, f"hop {edge.hop}")
        if any(edge.image):
            for point in (end, start - shift):
                outside[tuple(point.round(2))] = point
    for point in outside.values():
        ghosts.sphere(point, ion, 0.42)
    if network.kind == "interstitial":
        for site in network.sites:
            ghosts.sphere(site @ cell, ion, 0.42)
    return [hops, ghosts], np.array(list(outside.values())).reshape(-1, 3)


def look(state: HopState, lowest: float, top: float, temperature_K: float = TEMPERATURE_K) -> tuple[str, float]:
    """Return colour and radius (Å) of a hop: r = r0 + (r1 - r0) exp(-(Ea - Ea_min) / 8 kT); thin grey when unknown."""
    if not state.known:
        return UNKNOWN_COLOUR, UNKNOWN_A * (1.6 if state.computing else 1.0)
    rate = math.exp(-(state.higher_eV - lowest) / (SOFTENING * units.kB * temperature_K))
    return colour_of(state.higher_eV / top), THIN_A + (THICK_A - THIN_A) * rate


def lowest_eV(states: Mapping[int, HopState]) -> float:
    """The lowest barrier that is known; 0 when none is."""
    return min((one.higher_eV for one in states.values() if one.known), default=0.0)


def top_eV(states: Mapping[int, HopState]) -> float:
    """Where the colour scale ends: a round number not below the highest barrier, at least 0.5 eV."""
    from .error_view import round_up

    highest = max((one.higher_eV for one in states.values() if one.known), default=0.0)
    return max(0.5, round_up(highest)) if highest > 0 else 0.5


def colour_of(share: float) -> str:
    """Return the colour at a share (0 to 1) of the scale."""
    place = min(max(share, 0.0), 1.0) * (len(SCALE) - 1)
    low = min(int(place), len(SCALE) - 2)
    parts = []
    for at in (1, 3, 5):
        a, b = (int(SCALE[number][at : at + 2], 16) for number in (low, low + 1))
        parts.append(round(a + (b - a) * (place - low)))
    return "#" + "".join(f"{one:02X}" for one in parts)


def legend_html(states: Mapping[int, HopState], temperature_K: float = TEMPERATURE_K) -> str:
    """Return the legend: what colour, thickness and grey mean."""
    top = top_eV(states)
    bar = (
        '<span style="display:inline-block;width:130px;height:11px;border-radius:3px;'
        f'background:linear-gradient(to right,{",".join(SCALE)})"></span>'
    )
    label = theme.escape(f"Colours: barrier from 0 to {top:g} eV")
    row = "display:inline-flex;align-items:center;gap:6px"
    scale = f'<span role="img" aria-label="{label}" style="{row}">barrier 0 {bar} {top:g} eV</span>'
    line = "display:inline-block;width:22px;border-top:2px solid"
    unknown = f'<span style="{row}"><span style="{line} {UNKNOWN_COLOUR}"></span>not known</span>'
    chosen = f'<span style="{row}"><span style="{line} {CHOSEN_COLOUR};border-top-width:7px"></span>chosen</span>'
    words = f"<span>thicker: faster at {temperature_K:g} K</span>"
    return f'<div class="lk-legend lk-muted">{scale}{words}{unknown}{chosen}</div>'
