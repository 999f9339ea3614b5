"""A quick test of a potential: what becomes of the reference's own stationary points on its surface.

The one idea: minima are quenched and saddles are searched from where the reference has them, which takes minutes where
an exploration takes hours. It flatters: spurious structures elsewhere are not seen, and of the saddles those are found
that an exploration would have to find first (GFN2-xTB, salicylic acid: 9 of 11, where the published network has 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import InvalidTask
from labkit.landscapes.alignment import Comparison, default_comparison
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.stationary_point import Minimum

if TYPE_CHECKING:
    from labkit.landscapes.surface import Surface

#: Two stationary points are one when closer than this (Å, norm of the 3N vector) and within this energy (eV); Carare et
#: al. 2025, who take the distance for the networks that they explore.
SAME_A, SAME_EV = 1.0, 5e-3
#: A saddle that was taken for a minimum is left by this displacement (Å, norm of the 3N vector), so often at most.
LEAVE_A, LEFT = 0.1, 3


def from_reference(
    potential: Any,
    reference: KineticNetwork,
    *,
    gradient_eV_A: float = 1e-3,
    max_steps: int = 500,
    saddle_steps: int = 300,
    descent_steps: int = 1500,
    comparison: Comparison | None = None,
    device: str = "auto",
) -> tuple[KineticNetwork, tuple[str, ...]]:
    """The network that a potential has at the reference's stationary points, and what the numbers cannot tell.

    Each minimum of the reference is quenched, a saddle is searched from each transition state, and both minima of each
    saddle found are reached by steepest descent; equal structures are kept once, each with the eigenvalues of its
    Hessian. potential: as in `Surface.of`.
    gradient_eV_A: largest force on an atom at a stationary point. max_steps, saddle_steps, descent_steps: of a quench,
    of a saddle search and of a path, after which a start is given up. The network's `info["from_reference"]` says what
    became of each start: {"minima": [...], "transition_states": [...]}, an index or the reason why there is none.

    Raises InvalidTask for a reference without minima, and whatever `Surface.of` raises.
    """
    from labkit.landscapes.descent import connect
    from labkit.landscapes.eigenvector_following import find_saddles
    from labkit.landscapes.quench import minimise
    from labkit.landscapes.surface import Surface

    if not reference.n_minima:
        raise InvalidTask(f"the reference network {reference.name or 'given'} has no minima to start from.")
    surface = (
        potential
        if isinstance(potential, Surface)
        else Surface.of(potential, reference.atoms(reference.minima[0]), device=device)
    )
    made = KineticNetwork(reference.symbols, surface.level_of_theory or surface.name, surface.name)
    same = (comparison or default_comparison(reference)).for_symbols(reference.symbols)
    fates: dict[str, list[int | str]] = {"minima": [], "transition_states": []}

    quenched = minimise(surface, np.array([p.positions for p in reference.minima]), gradient_eV_A, max_steps)
    for index in range(reference.n_minima):
        if not quenched.converged[index]:
            fates["minima"].append(quenched.reasons[index])
            continue
        place, energy, fault = _settled(surface, quenched.positions[index], quenched.energies[index], gradient_eV_A)
        fates["minima"].append(fault or _minimum(made, place, energy, same, surface))
    if reference.n_transition_states:
        starts = np.array([p.positions for p in reference.transition_states])
        searched = find_saddles(surface, starts, gradient_eV_A=gradient_eV_A, max_steps=saddle_steps)
        proven = [one for one in searched if one.found]
        sides = iter(connect(surface, proven, gradient_eV_A=gradient_eV_A, max_steps=descent_steps))
        for one in searched:
            if not one.found:
                fates["transition_states"].append(f"{one.state}: {one.reason}" if one.reason else one.state)
                continue
            way = next(sides)
            if not way.found:
                fates["transition_states"].append(way.reason)
                continue
            ends = [_minimum(made, way.minima[k], float(way.energies_eV[k]), same, surface) for k in (0, 1)]
            fates["transition_states"].append(_saddle(made, one, ends, way, same))
    made.info |= {"from_reference": fates, "evaluations": surface.evaluations}
    return made, _caveats(fates)


def _settled(
    surface: Surface, positions: np.ndarray, energy: float, gradient_eV_A: float
) -> tuple[np.ndarray, float, str]:
    """A true minimum: where a symmetric start was quenched into a saddle, it is left along the unstable mode."""
    from labkit.landscapes.hessian import normal_modes
    from labkit.landscapes.quench import minimise

    for _ in range(LEFT):
        modes = normal_modes(surface, positions[None])[0]
        if modes is None or not modes.negative:
            return positions, float(energy), "" if modes else "its Hessian is not finite"
        again = minimise(surface, (positions + LEAVE_A * modes.directions[0])[None], gradient_eV_A)
        if not again.converged[0]:
            return positions, float(energy), again.reasons[0]
        positions, energy = again.positions[0], again.energies[0]
    return positions, float(energy), f"a saddle, and still one after {LEFT} attempts to leave it"


def _minimum(network: KineticNetwork, positions: np.ndarray, energy: float, same: Comparison, surface: Surface) -> int:
    from labkit.landscapes.hessian import normal_modes

    known = _find(network.minima, positions, energy, same)
    if known is not None:
        return known
    modes = normal_modes(surface, positions[None])[0]
    return network.add_minimum(energy, positions, eigenvalues=None if modes is None else modes.eigenvalues)


def _saddle(network: KineticNetwork, saddle: Any, ends: list[int], way: Any, same: Comparison) -> int:
    between = network.between(*ends)
    known = _find(between, saddle.positions, saddle.energy_eV, same)
    if known is not None:
        return known
    eigenvalues = None if saddle.modes is None else saddle.modes.eigenvalues
    return network.add_transition_state(
        ends,
        saddle.energy_eV,
        saddle.positions,
        eigenvalues=eigenvalues,
        path=way.path,
        path_energies_eV=way.path_energies_eV,
    )


def _find(points: list[Any], positions: np.ndarray, energy: float, same: Comparison) -> int | None:
    at = same.find(
        positions,
        energy,
        [p.positions for p in points],
        [p.energy_eV for p in points],
        distance_A=SAME_A,
        within_eV=SAME_EV,
    )
    if at is None:
        return None
    point: Minimum = points[at]
    return point.index


def _caveats(fates: dict[str, list[int | str]]) -> tuple[str, ...]:
    said = [
        "searched from the reference's own stationary points only: spurious minima and transition states elsewhere are "
        "not seen, one counted as missing may exist where no search led to it, and an exploration would find fewer "
        "transition states than these searches, which start beside them."
    ]
    for kind, name in (("minima", "minima"), ("transition_states", "transition states")):
        lost = [one for one in fates[kind] if isinstance(one, str)]
        if lost:
            said.append(f"{len(lost)} of {len(fates[kind])} searches for {name} found none; the first: {lost[0]}")
    return tuple(said)
