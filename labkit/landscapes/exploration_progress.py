"""How far an exploration is, and whether its criteria fit the landscape it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.landscapes.exploration_state import State

if TYPE_CHECKING:
    from labkit.landscapes.exploration import LandscapeExploration

#: Parts of the work: hopping, then bands among all that is left.
HOPPED, JOINED = 0.25, 0.2
#: Points at rest must be known better than this part of the distance at which two are one.
KNOWN_PART = 0.25


def fraction(task: LandscapeExploration, state: State, *, hopping: bool, patience: int) -> float:
    """How much is done, 0 to 1, of what is known of now, or of the evaluations allowed where that is more."""
    spent = state.evaluations / task.max_evaluations if task.max_evaluations else 0.0
    if hopping:
        return min(1.0, max(HOPPED * state.hops / task.hops, spent))
    wanted = max(1, state.network.n_minima * task.searches)
    searched = min(sum(min(a, task.searches) for a in state.attempts) / wanted, 1.0)
    quiet = min(1.0, state.quiet / max(1, patience))
    joined = float(bool(state.tried))
    single = 0.5 * (searched + min(quiet, searched)) if task.single_ended else joined
    double = joined if task.double_ended else single
    return min(1.0, max(HOPPED + (1 - HOPPED) * (JOINED * double + (1 - JOINED) * single), spent))


def advice(task: LandscapeExploration, softest_eV_A2: float) -> str:
    """What is wrong with the criteria on a landscape with minima as soft as this; empty if nothing is."""
    force, fine = max(task.gradient_eV_A, task.saddle_gradient_eV_A), KNOWN_PART * task.distance_A * softest_eV_A2
    if force <= fine:
        return ""
    return (
        f"the softest minimum has a curvature of {softest_eV_A2:.2g} eV/Å², so a force of {force:g} eV/Å leaves it "
        f"uncertain by {force / softest_eV_A2:.2g} Å, and copies may count as new. Set gradient_eV_A and "
        f"saddle_gradient_eV_A to {fine / 10:.0e}, and energy_eV (what tells two points apart) smaller in proportion."
    )
