"""Figure of a relaxation: how energy and the largest force fall with the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.plots.axes import column, finish, new_stack
from labkit.plots.palette import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def relaxation(
    table: Mapping[str, Any] | Any, ax: Sequence[Axes] | None = None, *, fmax_eV_A: float | None = None
) -> list[Axes]:
    """Draw energy (eV, from its last value) above and the largest force (eV/Å, logarithmic) below against the step.

    `table` has step, max_force_eV_A and energy_eV, as in `run.table("relaxation")`. The table of a batch has no single
    energy; the number of structures that still move, `active`, is then drawn above. `fmax_eV_A` marks the criterion of
    convergence; `ax` takes two axes, from top to bottom. Returns both axes.
    """
    step = column(table, "step")
    force = column(table, "max_force_eV_A")
    upper, lower = new_stack(ax, 2)
    look = {"marker": ".", "linewidth": 1.2}
    if "energy_eV" in table or "active" not in table:
        energy = column(table, "energy_eV")
        upper.plot(step, energy - energy[-1:], color=ink(upper, "blue"), **look)
        finish(upper, "", "energy − last value (eV)")
    else:
        upper.step(step, column(table, "active"), where="post", color=ink(upper, "blue"), linewidth=1.2)
        upper.set_ylim(bottom=0)
        finish(upper, "", "structures still moving")
    # A force of exactly zero, by symmetry, has no place on a logarithmic axis.
    lower.plot(step, np.where(force > 0, force, np.nan), color=ink(lower, "orange"), **look)
    if np.any(force > 0):
        lower.set_yscale("log")
    if fmax_eV_A is not None:
        criterion = {"color": ink(lower, "vermillion"), "linestyle": ":"}
        lower.axhline(fmax_eV_A, label=f"converged below {fmax_eV_A:g} eV/Å", **criterion)
    finish(lower, "step", "largest force (eV/Å)")
    return [upper, lower]
