"""Figures of energy landscapes: disconnectivity trees, first passage times, match counts and growing networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labkit.plots.axes import column, finish, new_axes
from labkit.plots.palette import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from labkit.landscapes.disconnectivity import DisconnectivityTree

CLASSES: dict[str, tuple[str, str]] = {
    "matched": ("blue", "o"),
    "missing": ("orange", "s"),
    "spurious": ("vermillion", "X"),
}
"""Colour of the palette and marker of each class of a leaf."""


def disconnectivity(
    tree: DisconnectivityTree,
    ax: Axes | None = None,
    *,
    classes: Mapping[int, str] | None = None,
    labels: bool | Mapping[int, str] | None = None,
    cut_eV: float | None = None,
    relative: bool = True,
    origin_eV: float | None = None,
    order: Literal["centre", "energy"] = "centre",
    square: bool = False,
    unit: str = "eV",
) -> Axes:
    """Draw a disconnectivity tree: each line ends at a minimum, two lines meet at the lowest saddle between them.

    Args:
        tree: of a network, or its `levels(n)` for the classic picture.
        ax: axes to draw into; new ones by default.
        classes: for minima "matched", "missing" or "spurious": their branch takes that colour and a marker.
        labels: under the leaves: True for their numbers, a mapping for words, False for none; numbers by default
            while there are at most 30 leaves.
        cut_eV: a horizontal line at this energy, on the scale of the axis.
        relative: draw energies from the lowest minimum, or from `origin_eV` (absolute) if that is given.
        origin_eV: energy at which the axis reads zero.
        order: see `DisconnectivityTree.layout`.
        square: right angles instead of slanted branches.
        unit: of the energies, if they are reduced ones ("ε").
    """
    from matplotlib.collections import LineCollection

    unknown = sorted(set((classes or {}).values()) - set(CLASSES))
    if unknown:
        raise ValueError(f"class {unknown[0]!r}; the leaves of a tree are {', '.join(CLASSES)} or not named at all.")
    ax = new_axes(ax)
    placed = tree.layout(order)
    origin = origin_eV if origin_eV is not None else float(tree.energies_eV.min()) if relative else 0.0
    lines = (placed.square() if square else placed.segments) - np.array([0.0, origin])
    text = ax.xaxis.label.get_color()
    of_leaf = [(classes or {}).get(int(minimum)) for minimum in tree.minima]
    colours = [ink(ax, CLASSES[one][0]) if one else text for one in of_leaf]
    colours += [text] * (len(lines) - len(colours))
    # Thin where there are many: a thousand branches of full width are one black block.
    width = float(np.clip(12 / np.sqrt(tree.n_leaves), 0.3, 1.2))
    ax.add_collection(LineCollection(lines, colors=colours, linewidths=width, gid="tree"))
    for name, (colour, marker) in CLASSES.items():
        chosen = [leaf for leaf, one in enumerate(of_leaf) if one == name]
        if chosen:
            tips = tree.energies_eV[chosen] - origin
            ax.plot(
                placed.x[chosen], tips, marker, color=ink(ax, colour), markersize=5, label=f"{name} ({len(chosen)})"
            )
    _name_leaves(ax, tree, placed.x, origin, labels)
    if cut_eV is not None:
        ax.axhline(cut_eV, color=ink(ax, "purple"), linewidth=1.0, linestyle="--")
    ax.set_xlim(-1.0, tree.n_leaves)
    ax.set_xticks([])
    low, high = lines[:, :, 1].min(), lines[:, :, 1].max()
    ax.set_ylim(low - 0.08 * (high - low or 1.0), high)
    finish(ax, "", f"energy ({unit})" if not relative and origin_eV is None else f"relative energy ({unit})")
    ax.spines["bottom"].set_visible(False)
    return ax


def compare_trees(
    trees: Mapping[str, DisconnectivityTree],
    axes: Sequence[Axes] | None = None,
    *,
    classes: Mapping[str, Mapping[int, str]] | None = None,
    **options: Any,
) -> list[Axes]:
    """Draw trees side by side on one energy axis, each from its own lowest minimum.

    `classes` holds those of each tree under its name; all other options are those of `disconnectivity`.
    """
    if not trees:
        raise ValueError("there is no tree to draw.")
    if axes is None:
        import matplotlib.pyplot as plt

        figsize = (1.0 + 3.2 * len(trees), 3.8)
        axes = list(
            plt.subplots(1, len(trees), sharey=True, layout="constrained", figsize=figsize, squeeze=False)[1][0]
        )
    if len(axes) != len(trees):
        raise ValueError(f"{len(trees)} trees need {len(trees)} axes; {len(axes)} are given.")
    limits = []  # of each tree alone: axes that share theirs keep the last
    for (name, tree), ax in zip(trees.items(), axes, strict=True):
        disconnectivity(tree, ax, classes=(classes or {}).get(name), **options)
        ax.set_title(name, fontsize="medium")
        limits.append(ax.get_ylim())
    for place, ax in enumerate(axes):
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        if place:
            ax.set_ylabel("")
    return list(axes)


def first_passage(
    x: Sequence[float],
    times: Mapping[str, Sequence[float]],
    ax: Axes | None = None,
    *,
    against: Literal["beta", "temperature"] = "beta",
    reference: str | None = None,
    unit: str = "",
) -> Axes:
    """Draw mean first passage times against 1/kT (1/eV) or temperature (K), on a logarithmic axis.

    Args:
        x: values of 1/kT or of the temperature.
        times: for each network its times at `x`, in `unit` ("s" with harmonic prefactors; none: of the prefactor).
        ax: axes to draw into; new ones by default.
        against: what `x` is.
        reference: draw the ratio of all other times to those of this network instead of the times.
        unit: of the times.
    """
    if against not in ("beta", "temperature"):
        raise ValueError(f"against={against!r}; choose 'beta' or 'temperature'.")
    if reference is not None and reference not in times:
        raise ValueError(f"the reference {reference!r} has no times; there are: {', '.join(times) or 'none'}.")
    ax = new_axes(ax)
    names = ("vermillion", "green", "orange", "purple", "sky_blue", "black")
    for number, (name, values) in enumerate(one for one in times.items() if one[0] != reference):
        y = np.asarray(values, dtype=float)
        if reference is not None:
            y = y / np.asarray(times[reference], dtype=float)
        colour = "blue" if number == 0 and reference is None else names[(number - (reference is None)) % len(names)]
        style = "-" if number < len(names) else "--"
        ax.plot(x, y, style, color=ink(ax, colour), linewidth=1.4, label=name)
    ax.set_yscale("log")
    if reference is not None:
        ax.axhline(1.0, color=ink(ax, "blue"), linewidth=1.0, linestyle=":", label=reference)
    what = "mean first passage time" + (f" ({unit})" if unit else " (1/prefactor)")
    ylabel = what if reference is None else f"mean first passage time / that of {reference}"
    return finish(ax, "1/kT (1/eV)" if against == "beta" else "temperature (K)", ylabel)


def growth(table: Mapping[str, Any], ax: Axes | None = None, *, against: str = "step") -> Axes:
    """Draw how minima, transition states and separate components of a network grew during an exploration.

    `table` is the run's table "growth"; `against` its column "step", "time_s" or "evaluations".
    """
    names = {"step": "step", "time_s": "time (s)", "evaluations": "energy and force evaluations"}
    if against not in names:
        raise ValueError(f"against={against!r}; choose one of {', '.join(names)}.")
    ax = new_axes(ax)
    x = column(table, against)
    for name, colour, style in (
        ("minima", "blue", "-"),
        ("transition_states", "vermillion", "-"),
        ("components", "green", "--"),
    ):
        ax.plot(
            x, column(table, name), style, color=ink(ax, colour), drawstyle="steps-post", label=name.replace("_", " ")
        )
    ax.set_ylim(bottom=0)
    return finish(ax, names[against], "found so far")


def match_counts(table: Mapping[str, Any], ax: Axes | None = None, *, of: str = "minima") -> Axes:
    """Draw for each model how many of the reference's stationary points it found, missed and invented, as bars.

    `table` has a column of names, "model", and the counts `{of}_matched`, `{of}_missing` and `{of}_extra`, where `of`
    is "minima" or "transition_states". Missing ones stand to the left of zero.
    """
    ax = new_axes(ax)
    names = [str(name) for name in table["model"]]
    place = np.arange(len(names))[::-1]
    matched, missing, extra = (column(table, f"{of}_{kind}") for kind in ("matched", "missing", "extra"))
    ax.barh(place, -missing, color=ink(ax, CLASSES["missing"][0]), label="missing")
    ax.barh(place, matched, color=ink(ax, CLASSES["matched"][0]), label="matched")
    ax.barh(place, extra, left=matched, color=ink(ax, CLASSES["spurious"][0]), hatch="//", label="spurious")
    ax.axvline(0.0, color=ax.xaxis.label.get_color(), linewidth=0.8)
    ax.set_yticks(place, names)
    ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    finish(ax, f"number of {of.replace('_', ' ')}", "")
    ax.grid(False, axis="y")
    return ax


def _name_leaves(
    ax: Axes, tree: DisconnectivityTree, x: np.ndarray, origin: float, labels: bool | Mapping[int, str] | None
) -> None:
    if labels is False or (labels is None and tree.n_leaves > 30):
        return
    words = labels if isinstance(labels, Mapping) else {int(one): str(one) for one in tree.minima}
    for leaf, minimum in enumerate(tree.minima.tolist()):
        if minimum in words:
            ax.annotate(
                words[minimum],
                (x[leaf], tree.energies_eV[leaf] - origin),
                textcoords="offset points",
                xytext=(0, -5),
                ha="center",
                va="top",
                fontsize="small",
            )
