"""Figures of a binary system: the temperature-composition diagram, and free energies with their common tangents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidTask
from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.phase_diagrams.binary import BinaryDiagram
    from labkit.phase_diagrams.binary_fields import DiagramField
    from labkit.phase_diagrams.phases_base import Phase
    from labkit.phase_diagrams.with_landau import LandauDiagram

#: A field smaller than this part of the axes gets no label of its own.
SMALLEST = 0.004
#: Of the axes, that a letter of a label takes, and the part above the lower end in which no label fits under a line.
WIDTH, LOWEST = 0.012, 0.12


def phase_diagram(
    diagram: BinaryDiagram,
    ax: Axes | None = None,
    *,
    components: tuple[str, str] = ("A", "B"),
    tie_lines: int = 12,
    labels: bool = True,
) -> Axes:
    """Draw temperature (K) against the atomic fraction of the second component.

    Fields of one phase are filled in its colour, compounds are upright lines, fields of two phases hold about
    `tie_lines` tie-lines. Equilibria of three phases are level lines with their temperature, and their name where it
    has room; congruent points are dots. Raises InvalidTask for a diagram of one temperature.
    """
    if len(diagram.asked_K) < 2:
        raise InvalidTask("a diagram is drawn over at least two temperatures; for one, draw its free_energies.")
    ax = new_axes(ax, figsize=(6.4, 4.4))
    colours = phase_colours(diagram.phases)
    low, high = float(diagram.temperatures_K[0]), float(diagram.temperatures_K[-1])
    text = ax.xaxis.label.get_color()
    for field in diagram.two_phase:
        rows = np.linspace(low, high, tie_lines + 2)[1:-1]
        rows = rows[(rows > field.temperatures_K[0]) & (rows < field.temperatures_K[-1])]
        ends = (np.interp(rows, field.temperatures_K, side) for side in (field.low, field.high))
        ax.hlines(rows, *ends, color=text, linewidth=0.4, alpha=0.45)
        for side in (field.low, field.high):
            ax.plot(side, field.temperatures_K, color=text, linewidth=0.9)
    for field in diagram.single_phase:
        colour = colours[field.phases[0]]
        if field.compound:
            ax.plot(field.low, field.temperatures_K, color=colour, linewidth=2.4, solid_capstyle="butt")
        else:
            ax.fill(*field.polygon.T, color=colour, alpha=0.35, linewidth=0)
    for one in diagram.invariants:
        ax.hlines(
            one.temperature_K, one.compositions[0], one.compositions[2], color=ink(ax, "vermillion"), linewidth=1.2
        )
    for point in diagram.congruent:
        ax.plot(point.composition, point.temperature_K, "o", color=ink(ax, "vermillion"), markersize=3)
    if labels:
        _label(ax, diagram, low, high)
    ax.set_xlim(0, 1)
    ax.set_ylim(low, high)
    finish(
        ax, f"atomic fraction of {components[1]} in {components[0]}-{components[1]}", "temperature (K)", legend=False
    )
    ax.grid(False)
    return ax


def free_energies(
    phases: Sequence[Phase], temperature_K: float, ax: Axes | None = None, *, points: int = 401,
    components: tuple[str, str] = ("A", "B"),
) -> Axes:  # fmt: skip
    """Draw f(x) (meV/atom) of every phase at one temperature with the common tangents of those that are stable.

    The straight line between the lowest free energies of both ends is taken off.
    """
    from labkit.phase_diagrams.equilibrium import equilibrium

    ax = new_axes(ax)
    found = equilibrium(phases, temperature_K, points=max(points // 2, 51))
    (_, x0), (_, x1) = found.solved.first, found.solved.last
    start = found.free_energy(x0)
    slope = (found.free_energy(x1) - start) / (x1 - x0) if x1 > x0 else 0.0
    colours = phase_colours(phases)

    def above(x: np.ndarray, f: np.ndarray) -> np.ndarray:
        return 1000 * (f - start - slope * (x - x0))

    for phase in phases:
        x = np.unique(np.concatenate([np.linspace(*phase.compositions, points), phase.ends]))
        f = above(x, np.asarray(phase.free_energy(x, temperature_K)))
        look = {"marker": "D", "linestyle": "none", "markersize": 6} if phase.line else {"linewidth": 1.5}
        ax.plot(x, f, color=colours[phase.name], label=phase.name, **look)
    for number, tie in enumerate(found.tie_lines):
        x = np.array([tie.x1, tie.x2])
        f = above(x, np.asarray(tie.free_energy(x)))
        label = "common tangent" if not number else None
        ax.plot(
            x, f, color=ax.xaxis.label.get_color(), linewidth=1.0, linestyle="--", marker="o", markersize=3, label=label
        )
    ax.set_xlim(0, 1)
    return finish(
        ax,
        f"atomic fraction of {components[1]}",
        f"f above the line between\nthe ends at {temperature_K:g} K (meV/atom)",
    )


def landau_fields(
    diagram: LandauDiagram, ax: Axes | None = None, *, components: tuple[str, str] = ("A", "B"), method: str = "concave"
) -> Axes:
    """Draw the fields of each phase as landau's polygons, in the colours of `phase_diagram`."""
    ax = new_axes(ax, figsize=(6.4, 4.4))
    colours = phase_colours(diagram.phases)
    for name, outlines in diagram.polygons(method).items():
        for number, outline in enumerate(outlines):
            ax.fill(*outline.T, color=colours[name], alpha=0.35, label=name if not number else None)
    ax.set_xlim(0, 1)
    return finish(ax, _composition(components), "temperature (K)")


def phase_colours(phases: Sequence[Phase]) -> dict[str, str]:
    """Return the colour of each phase by name, in the order given."""
    return {phase.name: CYCLE[number % len(CYCLE)] for number, phase in enumerate(phases)}


def _label(ax: Axes, diagram: BinaryDiagram, low: float, high: float) -> None:
    page = {"fontsize": "small", "color": ax.xaxis.label.get_color(), "ha": "center", "va": "center"}
    for field in [*diagram.single_phase, *diagram.two_phase]:
        x, T = field.centre()
        if field.compound:
            T = 0.5 * (field.temperatures_K[0] + field.temperatures_K[-1])
            ax.annotate(field.phases[0], (x, T), xytext=(-7, 0), textcoords="offset points", rotation=90, **page)
        else:
            first, last = field.phases[0], field.phases[-1]
            name = first if len(field.phases) == 1 else f"{first} + {last}{'′' * (first == last)}"
            width = np.interp(T, field.temperatures_K, field.high - field.low)
            if _size(field, low, high) > SMALLEST and width > WIDTH * len(name):
                ax.text(x, T, name, **page)
    small = page | {"fontsize": "x-small", "color": ink(ax, "vermillion"), "textcoords": "offset points"}
    for one in diagram.invariants:
        # Beside the middle phase, which may be an upright line; and above what closes the diagram below.
        first, last = max(pairwise(one.compositions), key=lambda ends: ends[1] - ends[0])
        named = f"{one.kind}, {one.temperature_K:.0f} K"
        text = named if last - first > WIDTH * len(named) else f"{one.temperature_K:.0f} K"
        below = one.temperature_K - low > LOWEST * (high - low)
        place = 0.5 * (first + last), one.temperature_K
        ax.annotate(text, place, xytext=(0, -7 if below else 7), **small)
    for point in diagram.congruent:
        ax.annotate(f"{point.temperature_K:.0f} K", (point.composition, point.temperature_K), xytext=(0, 7), **small)


def _composition(components: tuple[str, str]) -> str:
    return f"atomic fraction of {components[1]} in {components[0]}-{components[1]}"


def _size(field: DiagramField, low: float, high: float) -> float:
    """The part of the axes that a field covers."""
    return float(np.trapezoid(field.high - field.low, field.temperatures_K)) / (high - low)
