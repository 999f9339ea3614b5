"""Calibrated adversarial geometry optimisation: move atoms until the predicted error is the wanted one.

The one idea: not the largest uncertainty but a chosen, calibrated one is sought, so that the structure that comes out
is as wrong as wanted and no nonsense. After CAGO (arXiv 2502.18314, npj Comput. Mater. 11, 200 (2025)), of which the
abstract alone could be read: objective, step and guards here are labkit's own (methods A.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit.active_learning.calibration import Calibration
from labkit.active_learning.uncertainty import atom_spread
from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.active_learning.committee_gradient import Look, Surface

#: The p-norm over atoms that stands for the worst one and is smooth.
POWER = 8
#: A step that runs into a guard is halved so often before the attack gives up.
HALVINGS = 6


@dataclass(frozen=True)
class Guards:
    """What keeps an attack in physics.

    closest: no pair nearer than this share of the sum of its covalent radii. max_displacement_A: of any atom from where
    it started. energy_window_eV: mean energy per atom above the start's.
    """

    closest: float = 0.6
    max_displacement_A: float = 1.5
    energy_window_eV: float = 0.3

    def contact(self, atoms: Atoms) -> str:
        """A sentence on the pair that is too close, "" when there is none."""
        from ase.data import covalent_radii
        from ase.neighborlist import neighbor_list

        radii = self.closest * covalent_radii[atoms.numbers]
        first, second, distance = neighbor_list("ijd", atoms, radii)
        if not len(distance):
            return ""
        worst = int(np.argmin(distance - radii[first] - radii[second]))
        i, j = int(first[worst]), int(second[worst])
        return (
            f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) would be {distance[worst]:.2f} Å apart, the "
            f"limit is {radii[i] + radii[j]:.2f} Å"
        )


@dataclass(frozen=True)
class AttackStep:
    """One step. atoms: the geometry. predicted: calibrated errors σ (n,) eV/Å. wanted: eV/Å. energy: mean over members,
    eV. max_displacement_A from the start. state: moving, reached or stopped; reason: why it stopped.
    """

    step: int
    atoms: Atoms
    predicted: np.ndarray
    wanted: float
    energy: float
    max_displacement_A: float
    state: str = "moving"
    reason: str = ""

    @property
    def worst(self) -> int:
        """The atom with the largest predicted error."""
        return int(np.argmax(self.predicted))

    @property
    def predicted_error(self) -> float:
        """max_i σ_i, eV/Å: what the dial shows."""
        return float(self.predicted.max())


def smooth_largest(
    forces: np.ndarray, calibration: Calibration, power: float = POWER
) -> tuple[float, np.ndarray, np.ndarray]:
    """g = (Σ_i σ_i^p)^{1/p} eV/Å, its derivatives ∂g/∂F (M, n, 3), and σ (n,) eV/Å, from forces (M, n, 3) eV/Å.

    With σ = a u^b, u_i² = Σ_m |d_mi|² / (3 (M-1)): ∂g/∂F_mi = (σ_i/g)^{p-1} (b σ_i/u_i) d_mi / (3 (M-1) u_i); the mean
    drops out because Σ_m d_m = 0.
    """
    spread = np.maximum(atom_spread(forces), 1e-12)
    sigma = calibration(spread)
    g = float(sigma.max() * ((sigma / sigma.max()) ** power).sum() ** (1 / power))
    per_spread = (sigma / g) ** (power - 1) * calibration.b * sigma / spread
    deviations = forces - forces.mean(axis=0)
    return g, deviations * (per_spread / (3 * (len(forces) - 1) * spread))[:, None], sigma


def objective(
    surface: Surface, atoms: Atoms, calibration: Calibration, wanted: float, power: float = POWER
) -> tuple[float, np.ndarray]:
    """L = (g - δ)² in (eV/Å)², and its gradient ∂L/∂R (n, 3); g smooths max_i σ_i, δ is `wanted` (eV/Å)."""
    look = surface.look(atoms, lambda forces: smooth_largest(forces, calibration, power)[1])
    g = smooth_largest(look.forces, calibration, power)[0]
    return (g - wanted) ** 2, 2 * (g - wanted) * look.gradient


def attack(
    surface: Surface,
    atoms: Atoms,
    calibration: Calibration,
    wanted: float | Callable[[], float],
    *,
    guards: Guards | None = None,
    max_steps: int = 100,
    tolerance: float = 0.05,
    max_step_A: float = 0.1,
    rattle_A: float = 0.02,
    power: float = POWER,
    seed: int = 0,
) -> Iterator[AttackStep]:
    """Steps from `atoms` (copied, cell fixed) to max_i σ_i = δ within `tolerance` of δ; the last one says how it ended.

    Each step is Newton's for the root of the smooth largest error, d = -(max σ - δ) (g / max σ) ∇g / |∇g|², no atom
    further than `max_step_A`, which halves when δ is jumped over. At the energy guard the step keeps only what does not
    go uphill; a step that still violates a guard is halved. `wanted` may be a function, so that a dial can be turned
    meanwhile. `rattle_A` breaks the symmetry of a perfect crystal. Raises InvalidStructure when the start already
    violates a guard, ValueError for a wanted error that is not positive.
    """
    guards = guards or Guards()
    aim = wanted if callable(wanted) else lambda: wanted
    now = atoms.copy()
    if sentence := guards.contact(now):
        raise InvalidStructure(f"The attack cannot start: {sentence}. Relax the structure first.")
    start = now.positions.copy()
    if rattle_A > 0:
        now.positions += np.random.default_rng(seed).normal(scale=rattle_A, size=start.shape)
    walker = _Walker(surface, calibration, power, guards, start, max_step_A)
    look, sigma = walker.look(now)
    walker.ceiling = look.energy + guards.energy_window_eV * len(now)
    previous = 0.0
    for step in range(max_steps + 1):
        delta = float(aim())
        if not (np.isfinite(delta) and delta > 0):
            raise ValueError(f"the wanted error is {delta:g} eV/Å; give a positive number such as 0.3.")
        gap = float(sigma.max()) - delta
        travelled = float(np.linalg.norm(now.positions - start, axis=1).max())
        facts = (step, now.copy(), sigma, delta, look.energy, travelled)
        if abs(gap) <= tolerance * delta:
            yield AttackStep(*facts, "reached")
            return
        if step == max_steps:
            yield AttackStep(*facts, "stopped", f"{max_steps} steps were not enough; allow more or a longer step")
            return
        walker.adapt(gap * previous < 0)
        previous = gap
        found = walker.step(now, look, sigma, gap)
        if isinstance(found, str):
            yield AttackStep(*facts, "stopped", found)
            return
        yield AttackStep(*facts)
        now, look, sigma = found


class _Walker:
    """The step and its guards."""

    def __init__(
        self,
        surface: Surface,
        calibration: Calibration,
        power: float,
        guards: Guards,
        start: np.ndarray,
        max_step_A: float,
    ) -> None:
        self.surface, self.calibration, self.power, self.guards = surface, calibration, power, guards
        self.start, self.trust, self.max_step_A = start, max_step_A, max_step_A
        self.ceiling = np.inf

    def look(self, atoms: Atoms) -> tuple[Look, np.ndarray]:
        """Energy, forces and ∇g, and σ (n,)."""
        look = self.surface.look(atoms, lambda forces: smooth_largest(forces, self.calibration, self.power)[1])
        return look, smooth_largest(look.forces, self.calibration, self.power)[2]

    def adapt(self, jumped: bool) -> None:
        """Shorter steps after δ was jumped over, slowly longer ones else."""
        self.trust = self.trust / 2 if jumped else min(self.trust * 1.2, self.max_step_A)

    def step(self, now: Atoms, look: Look, sigma: np.ndarray, gap: float) -> tuple[Atoms, Look, np.ndarray] | str:
        """The next geometry with what is known of it, or a sentence on what is in the way."""
        norm2 = float((look.gradient**2).sum())
        if not norm2 > 1e-20:
            return (
                "the predicted error does not change with the positions (a perfect crystal?); start from a rattled one"
            )
        g = smooth_largest(look.forces, self.calibration, self.power)[0]
        move = -gap * (g / float(sigma.max())) * look.gradient / norm2
        move *= min(1.0, self.trust / np.linalg.norm(move, axis=1).max())
        reason = ""
        for _ in range(HALVINGS):
            trial = now.copy()
            trial.positions = self._within_reach(now.positions + move)
            if np.linalg.norm(trial.positions - now.positions, axis=1).max() < 1e-6:
                return reason or (
                    f"atoms are as far from where they started as allowed ({self.guards.max_displacement_A:g} Å)"
                )
            reason = self.guards.contact(trial)
            if not reason:
                there, errors = self.look(trial)
                if there.energy <= self.ceiling:
                    return trial, there, errors
                reason = (
                    f"the energy would be {(there.energy - self.ceiling) / len(now):.3f} eV per atom above the window "
                    f"of {self.guards.energy_window_eV:g} eV per atom"
                )
                move = self._not_uphill(move, look)
            move = move / 2
        return reason

    def _within_reach(self, positions: np.ndarray) -> np.ndarray:
        travelled = positions - self.start
        lengths = np.linalg.norm(travelled, axis=1, keepdims=True)
        return self.start + travelled * np.minimum(1.0, self.guards.max_displacement_A / np.maximum(lengths, 1e-12))

    @staticmethod
    def _not_uphill(move: np.ndarray, look: Look) -> np.ndarray:
        downhill = look.forces.mean(axis=0)
        norm = np.linalg.norm(downhill)
        if norm == 0:
            return move
        along = float((move * downhill).sum()) / norm
        return move - min(along, 0.0) * downhill / norm
