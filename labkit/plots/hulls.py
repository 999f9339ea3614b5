"""Figures of stability: convex hulls of two and three components, voltages of electrodes, windows of electrolytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import CYCLE, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.phase_diagrams.grand_potential import StabilityWindow
    from labkit.phase_diagrams.hull import Hull
    from labkit.phase_diagrams.phases_base import Phase
    from labkit.phase_diagrams.voltage import Voltages
    from labkit.phase_diagrams.voltage_measured import MeasuredVoltage

#: Above the hull (eV/atom) where the colour of an unstable phase ends, and names are no longer written.
PALEST_EV_ATOM, NAMED_EV_ATOM = 0.1, 0.05
#: Energies of formation (eV/atom) beyond which a hull would be flat in the picture.
HIGHEST_EV_ATOM = 1.0
#: A fraction of atoms below which a composition lies on an edge of the triangle.
ON_EDGE = 0.02
#: Half of the width (V) that a measured voltage without a range is drawn with.
LINE_V = 0.01
LINES = ("-", "--", ":", "-.")


def binary_hull(hull: Hull, ax: Axes | None = None, *, named_eV_atom: float = 0.0) -> Axes:
    """Draw energies of formation (eV/atom) against the fraction of atoms of the second corner, and their lower hull.

    Stable phases are filled and named, others hollow; those up to `named_eV_atom` above the hull are named too. What
    is more than 1 eV/atom above its corners is not shown.
    """
    _need(hull, 2, "a binary hull")
    ax = new_axes(ax)
    table = hull.table()
    x, energy = hull.fractions[:, 1], table["formation_eV_atom"].to_numpy()
    stable = table["stable"].to_numpy(dtype=bool)
    order = np.flatnonzero(stable)[np.argsort(x[stable])]
    ax.plot(x[order], energy[order], color=ink(ax, "blue"), linewidth=1.3, label="convex hull")
    ax.plot(x[~stable], energy[~stable], "o", color=ink(ax, "vermillion"), fillstyle="none", label="unstable")
    ax.plot(x[stable], energy[stable], "o", color=ink(ax, "blue"), label="stable")
    shown = energy[energy < HIGHEST_EV_ATOM]
    room = 0.15 * max(float(np.ptp(shown)), 0.02)
    ax.set_ylim(shown.min() - room, shown.max() + room)
    for index in np.flatnonzero(table["above_hull_eV_atom"].to_numpy() <= named_eV_atom):
        at = (x[index], energy[index])
        if not stable[index]:
            _write(ax, hull.entries[index].name, at, (5, 3))
        elif x[index] in (0.0, 1.0):
            _write(ax, hull.entries[index].name, at, (0, 5))
        else:  # outside of the hull, which is steep on both sides
            _write(ax, hull.entries[index].name, at, *((-3, -11), "right") if x[index] < 0.5 else ((3, -11), "left"))
    first, second = hull.corners
    finish(ax, f"fraction of atoms, {first} to {second}", "energy of formation (eV/atom)")
    ax.set_xlim(-0.08, 1.08)
    return ax


def ternary_hull(hull: Hull, ax: Axes | None = None, *, named_eV_atom: float = NAMED_EV_ATOM) -> Axes:
    """Draw the triangle of compositions (fractions of atoms) with the tie-lines between stable phases.

    Other phases are hollow and coloured by their energy above the hull (meV/atom).
    """
    _need(hull, 3, "a ternary hull")
    ax = new_axes(ax, figsize=(5.6, 4.6))
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    points = hull.fractions @ corners
    table = hull.table()
    stable = table["stable"].to_numpy(dtype=bool)
    above = table["above_hull_eV_atom"].to_numpy()
    frame = corners[[0, 1, 2, 0]]
    ax.plot(frame[:, 0], frame[:, 1], color=ink(ax, "black"), linewidth=0.8)
    for one, two in {tuple(sorted(pair)) for facet in hull.facets for pair in combinations(facet.tolist(), 2)}:
        ax.plot(points[[one, two], 0], points[[one, two], 1], color=ink(ax, "blue"), linewidth=1.0)
    if (~stable).any():
        colours: dict[str, Any] = {"c": 1000 * above[~stable], "cmap": "cividis_r", "vmin": 0}
        dots = ax.scatter(*points[~stable].T, marker="s", s=26, vmax=1000 * PALEST_EV_ATOM, zorder=3, **colours)
        ax.figure.colorbar(dots, ax=ax, label="energy above the hull (meV/atom)", shrink=0.7)
    ax.plot(*points[stable].T, "o", color=ink(ax, "blue"), markersize=6, zorder=4)
    for index in np.flatnonzero(above <= named_eV_atom):
        _write(ax, hull.entries[index].name, tuple(points[index]), *_beside(hull.fractions[index]))
    ax.set_aspect("equal")
    ax.set_xlim(-0.12, 1.15)
    ax.set_ylim(-0.1, 0.97)
    ax.set_axis_off()
    return ax


def voltage_steps(
    curves: Voltages | Sequence[Voltages],
    ax: Axes | None = None,
    *,
    measured: MeasuredVoltage | Sequence[MeasuredVoltage] = (),
    labels: Sequence[str] | None = None,
) -> Axes:
    """Draw voltage steps (V) against the ion content, with the average dashed, beside what is measured.

    A measured range is a band with its own colour, that of the curve with the same number.
    """
    curves = list(curves) if isinstance(curves, Sequence) else [curves]
    shown = list(measured) if isinstance(measured, Sequence) else [measured]
    if not curves:
        raise ValueError("there is no voltage curve to draw; give at least one.")
    if labels is not None and len(labels) != len(curves):
        raise ValueError(f"{len(labels)} labels were given for {len(curves)} voltage curves.")
    ax = new_axes(ax)
    for number, curve in enumerate(curves):
        colour = CYCLE[number % len(CYCLE)]
        name = labels[number] if labels is not None else f"{curve.ion} in {curve.host}"
        edges = [step.x_low for step in curve.steps] + [curve.steps[-1].x_high]
        ax.stairs([step.voltage_V for step in curve.steps], edges, baseline=None, color=colour, label=name, lw=1.6)
        ends = [edges[0], edges[-1]]
        ax.plot(ends, [curve.average_V] * 2, "--", color=colour, lw=1.0, label=f"average {curve.average_V:.2f} V")
    for number, one in enumerate(shown):
        colour = CYCLE[number % len(CYCLE)]
        middle, half = (one.low_V + one.high_V) / 2, max((one.high_V - one.low_V) / 2, LINE_V)
        low, high = middle - half, middle + half
        ax.fill_between([one.x_low, one.x_high], low, high, color=colour, alpha=0.25, lw=0, label=_said(one))
    ion, host = curves[0].ion, curves[0].host
    content = f"x in {ion}$_x${host}" if len(curves) == 1 else f"{_together(curves, 'ion')} content x"
    return finish(ax, content, _against(curves))


def warm_voltages(
    phases: Sequence[Phase],
    temperatures_K: Sequence[float],
    ax: Axes | None = None,
    *,
    valence: int | None = None,
    points: int = 199,
) -> Axes:
    """Draw the equilibrium voltage (V) of each electrode against its filling, a line style for each temperature."""
    from labkit.phase_diagrams.voltage_temperature import voltage_at

    if not len(phases) or not len(temperatures_K):
        raise ValueError("there is nothing to draw; give at least one electrode and one temperature.")
    ax = new_axes(ax)
    x = np.linspace(0, 1, points + 2)[1:-1]
    for number, phase in enumerate(phases):
        for line, temperature in enumerate(temperatures_K):
            style = {"color": CYCLE[number % len(CYCLE)], "linestyle": LINES[line % len(LINES)], "linewidth": 1.3}
            voltages = voltage_at(phase, x, temperature, valence=valence)
            ax.plot(x, voltages, label=f"{phase.name}, {temperature:g} K", **style)
    return finish(ax, "filled part of the sites", "voltage (V)")


def stability_windows(
    windows: Sequence[StabilityWindow], ax: Axes | None = None, *, highest_V: float = 5.0, products: bool = True
) -> Axes:
    """Draw one bar for each material: the range of voltages (V) in which it is stable, with the products beside it.

    A material without a range has a hollow mark where it decomposes least.
    """
    windows = list(windows)
    if not windows:
        raise ValueError("there is no stability window to draw; give at least one.")
    ax = new_axes(ax, figsize=(7.0, 0.9 + 0.75 * len(windows)))
    for row, window in enumerate(windows):
        colour = CYCLE[row % len(CYCLE)]
        if window.stable_V is None:
            voltages = np.linspace(0, highest_V, 201)
            best = voltages[np.argmax([window.driving_eV_atom(v) for v in voltages])]
            ax.plot(best, row, "o", fillstyle="none", color=colour)
            _write(ax, window.at(float(best)).text, (float(best), row), (0, 9), "center")
            continue
        low, high = window.stable_V
        ax.barh(row, min(high, highest_V) - low, left=low, height=0.4, color=colour)
        if products and window.reduction:
            _write(ax, window.reduction.text, (low, row + 0.28), (-2, 0), "right")
        if products and window.oxidation and high < highest_V:
            _write(ax, window.oxidation.text, (high, row + 0.28), (2, 0), "left")
    ax.set_yticks(range(len(windows)), [window.entry.name for window in windows])
    ax.set_ylim(len(windows) - 0.5, -0.6)
    ax.set_xlim(0, highest_V)
    finish(ax, _against(windows), "")
    ax.grid(False, axis="y")
    return ax


def _need(hull: Hull, corners: int, what: str) -> None:
    if len(hull.corners) != corners:
        raise ValueError(
            f"{what} has {corners} corners; this one has {len(hull.corners)} ({', '.join(hull.corners)}). Choose other "
            "corners in convex_hull(entries, corners=[...])."
        )


def _together(found: Sequence[Voltages] | Sequence[StabilityWindow], other: str) -> str:
    """The ion of all curves or windows, or `other` where they have several."""
    ions = {one.ion for one in found}
    return ions.pop() if len(ions) == 1 else other


def _against(found: Sequence[Voltages] | Sequence[StabilityWindow]) -> str:
    return f"voltage against {_together(found, 'the metal of each ion')} (V)"


def _said(one: MeasuredVoltage) -> str:
    return f"{one.name} measured, {one.text}"


def _beside(fractions: np.ndarray) -> tuple[tuple[int, int], str]:
    """Where a name stands: outside of the triangle for what lies on its edges, to keep off the tie-lines."""
    if fractions[2] < ON_EDGE:
        return (0, -13), "center"
    return ((-6, 3), "right") if fractions[1] < ON_EDGE else ((6, 4), "left")


def _write(
    ax: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], align: str | None = None
) -> None:
    style = {"fontsize": "x-small", "color": ax.xaxis.label.get_color()}
    align = align or ("center" if offset[0] == 0 else "left")
    ax.annotate(text, point, xytext=offset, textcoords="offset points", ha=align, **style)
