"""Figures of ion migration: the energy along minimum energy paths, and the barriers at which a crystal conducts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.plots.axes import finish, new_axes
from labkit.plots.palette import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.simulators.hops_percolation import Percolation
    from labkit.simulators.neb_path import MinimumEnergyPath

_COLOURS = ("blue", "vermillion", "green", "orange", "purple", "sky_blue", "black")
_MARKERS = "osD^vP*"


def barrier_profile(
    paths: MinimumEnergyPath | Sequence[MinimumEnergyPath] | Mapping[str, MinimumEnergyPath | None],
    ax: Axes | None = None,
    *,
    relative: bool = False,
) -> Axes:
    """Draw the energy (eV, from the first image) along one or several paths: images as points, the spline through them.

    Paths are told apart by their names, or by the keys of a mapping (two potentials, say). The forward barrier stands
    at the saddle of a single path, and in the legend of several. `relative` draws against the fraction of the path
    instead of its length (Å), so that paths of different lengths can be compared. A path that is not converged is
    dashed and says so; one without energies (failed) stands in the legend alone. Call it again with the same `ax` to
    add more.
    """
    ax = new_axes(ax)
    earlier = sum(line.get_gid() == "path" for line in ax.lines)
    if earlier == 0:
        ax.axhline(0.0, color=ink(ax, "sky_blue"), linewidth=0.8, linestyle=":")
    chosen = _named(paths)
    for number, (name, path) in enumerate(chosen, start=earlier):
        colour = ink(ax, _COLOURS[number % len(_COLOURS)])
        s, energy = path.profile()
        marker = _MARKERS[number % len(_MARKERS)]
        if not np.isfinite(energy).all():
            label = ", ".join(part for part in (name, path.state) if part)
            ax.plot([], [], marker + "--", color=colour, markersize=5, label=label, gid="path")
            continue
        scale = 1.0 / s[-1] if relative and s[-1] > 0 else 1.0
        images = path.energies_eV - path.energies_eV[0]
        converged = path.state == "converged"
        alone = earlier == 0 and len(chosen) == 1
        height = "" if alone else f"{path.forward_eV:.2f} eV"
        label = ", ".join(part for part in (name, height, "" if converged else path.state) if part)
        ax.plot(s * scale, energy, "-" if converged else "--", color=colour, linewidth=1.4, gid="path")
        # The empty line carries curve and point into the legend together.
        ax.plot(path.distances_A * scale, images, marker, color=colour, markersize=5)
        ax.plot([], [], marker + ("-" if converged else "--"), color=colour, markersize=5, label=label or "_path")
        if alone:
            ax.annotate(
                f"{path.forward_eV:.2f} eV",
                (path.distances_A[path.saddle] * scale, images[path.saddle]),
                textcoords="offset points",
                xytext=(0, 6),
                ha="center",
                color=colour,
                fontsize="small",
            )
    curves = [line.get_ydata() for line in ax.lines if line.get_gid() == "path"]
    heights = np.concatenate([np.zeros(1), *curves])
    low, high = heights.min(), heights.max()
    room = max(high - low, 1e-3)
    ax.set_ylim(low - 0.08 * room, high + (0.12 if len(curves) == 1 else 0.1 * len(curves)) * room)  # for the legend
    return finish(ax, "fraction of the path" if relative else "distance along the path (Å)", "energy (eV)")


def percolation(result: Percolation | Mapping[str, Percolation], ax: Axes | None = None) -> Axes:
    """Draw the barriers (eV) at which an ion percolates in one, two and three dimensions, as bars.

    Below each bar stand the lattice directions that it opens; a dimension that is never reached has no bar and says
    so. A mapping draws the results of several crystals or potentials beside each other, without the directions.
    """
    ax = new_axes(ax)
    results = dict(result) if isinstance(result, Mapping) else {"": result}
    width = 0.7 / len(results)
    finite = [value for one in results.values() for value in one.barriers_eV if np.isfinite(value)]
    top = max(finite, default=1.0)
    for number, (name, one) in enumerate(results.items()):
        colour = ink(ax, _COLOURS[number % len(_COLOURS)])
        for dimension, value in enumerate(one.barriers_eV):
            place = dimension + (number - (len(results) - 1) / 2) * width
            reached = bool(np.isfinite(value))
            if reached:
                ax.bar(place, value, 0.9 * width, color=colour)
            text = f"{value:.2f}" if reached else "never"
            if reached and one.missing_hops:
                text = f"≤ {text}"  # hops of unknown barrier were closed
            ax.annotate(
                text,
                (place, value if reached else 0.0),
                textcoords="offset points",
                xytext=(0, 3),
                ha="center",
                fontsize="small",
                color=ax.xaxis.label.get_color() if reached else ink(ax, "vermillion"),
            )
        ax.bar([0], [0], color=colour, label=name or "_bars")
    directions = next(iter(results.values())).directions if len(results) == 1 else ((), (), ())
    labels = [
        f"{dimension}D" + (f"\n{' '.join(_bracket(v) for v in vectors)}" if vectors else "")
        for dimension, vectors in enumerate(directions, start=1)
    ]
    ax.set_xticks(range(3), labels)
    ax.set_xlim(-0.6, 2.6)
    ax.set_ylim(0, 1.15 * top)
    finish(ax, "dimension of the motion", "percolation barrier (eV)")
    ax.grid(False, axis="x")
    return ax


def _named(
    paths: MinimumEnergyPath | Sequence[MinimumEnergyPath] | Mapping[str, MinimumEnergyPath | None],
) -> list[tuple[str, MinimumEnergyPath]]:
    if isinstance(paths, Mapping):
        found = [(str(name), path) for name, path in paths.items() if path is not None]
    else:
        found = [(path.name, path) for path in (paths if isinstance(paths, Sequence) else [paths])]
    if not found:
        raise ValueError("there is no path to draw; has the run finished its first band?")
    return found


def _bracket(vector: Sequence[int]) -> str:
    return f"[{''.join(map(str, vector))}]"
