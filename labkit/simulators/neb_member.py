"""One band of a batch: which images it wants evaluated next, and what it does with the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.simulators.neb_band import band_forces, climber, largest
from labkit.simulators.neb_ends import EndState, EndStates
from labkit.simulators.neb_optimiser import BandOptimiser
from labkit.simulators.neb_path import MinimumEnergyPath
from labkit.simulators.neb_start import Interpolation, closest_pair, start_path, unwrap
from labkit.simulators.neb_symmetry import ENERGY_EV, FORCE_EV_A, Mirror, find_mirror

#: Images begin to climb when the largest force is below so many times the final one, or below this (eV/Å).
COARSE, COARSE_EV_A = 2.0, 0.3
#: An atom that is further (Å) from its place on the start path, or a force (eV/Å) above this, is an explosion.
MAX_DRIFT_A, MAX_FORCE_EV_A = 6.0, 1e5
#: Two relaxed ends that are closer than this (Å, largest displacement of an atom) are one state.
ONE_STATE_A = 0.1

Log = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How bands are treated; the fields of the task of the same names."""

    images: int = 5
    fmax_eV_A: float = 0.05
    climb: bool = True
    spring_eV_A2: float = 0.1
    relax_ends: bool = True
    fmax_ends_eV_A: float = 0.03
    interpolation: Interpolation = "idpp"
    max_steps: int = 300
    saddle_mode: bool = False
    use_symmetry: bool = False


@dataclass
class BandMember:
    """A band between two structures of the same atoms; `stage` goes from "ends" to "band" to "over"."""

    index: int
    name: str
    initial: Atoms
    final: Atoms
    settings: Settings
    log: Log
    stage: str = "ends"
    state: str = "active"
    reason: str = ""
    steps: int = 0
    climbing: bool = False
    verified: bool = False
    mirror: Mirror | None = None
    max_force: float = float("nan")
    first_force: float = float("nan")
    optimiser: BandOptimiser = field(default_factory=BandOptimiser)

    def __post_init__(self) -> None:
        self.positions = np.zeros((0, len(self.initial), 3))
        self.energies, self.forces = np.zeros(0), np.zeros_like(self.positions)
        self.start = self.evaluated = self.last_inner = self.positions
        self._ends: list[tuple[EndState, np.ndarray]] = []

    def register(self, ends: EndStates) -> None:
        """Say which end states it needs; a symmetric path needs only its first."""
        try:
            self.final = self.final.copy()
            self.final.positions = unwrap(self.initial, self.final)
            if self.settings.use_symmetry and self.settings.images > 1:
                self.mirror = find_mirror(self.initial, self.final)
        except InvalidStructure as error:
            self.fail(str(error))
            return
        self._ends = [ends.add(self.initial)]
        if self.mirror is None or not self.settings.relax_ends:
            self._ends.append(ends.add(self.final))

    @property
    def ends(self) -> list[EndState]:
        """The end states that it waits for."""
        return [end for end, _ in self._ends]

    def ready(self) -> bool:
        """Whether its band can begin; a failed end state fails it."""
        for place, end in zip(("initial", "final"), self.ends, strict=False):
            if end.state == "failed":
                self.fail(f"the {place} state: {end.reason}")
                return False
        return all(end.state == "done" for end in self.ends)

    def begin(self) -> None:
        """Lay the start path between the end states; their energies and forces are known."""
        settings, mirror = self.settings, self.mirror
        (end, partners), initial, final = self._ends[0], self.initial.copy(), self.final.copy()
        initial.positions, first_forces = end.seen_from(self.initial, partners)
        energies = [end.energy, end.energy]
        if len(self._ends) == 2:
            other, partners = self._ends[1]
            final.positions, last_forces = other.seen_from(self.final, partners)
            energies[1] = other.energy
        else:
            final.positions, last_forces = mirror.positions(initial.positions), mirror.forces(first_forces)
        final.positions = unwrap(initial, final)
        if largest(final.positions - initial.positions) < ONE_STATE_A:
            self.fail("both ends are the same state once they are relaxed: there is no path between them.")
            return
        path = start_path(initial, final, settings.images, settings.interpolation, self._say)
        if mirror is not None:
            symmetric = mirror.symmetrise(path)
            self.mirror = None if symmetric is None else mirror
            path = path if symmetric is None else symmetric
            if symmetric is None:
                self._say("the start path is not its own mirror image: all images are computed")
        self.positions, self.start = path, path.copy()
        self.energies = np.full(settings.images + 2, np.nan)
        self.forces = np.full_like(path, np.nan)
        self.energies[[0, -1]], self.forces[0], self.forces[-1] = energies, first_forces, last_forces
        self.stage, self.verified = "band", self.mirror is None
        pair = closest_pair(self.initial, path)
        if pair is not None:
            image, atom, other, distance = pair
            self.fail(
                f"image {image} of the start path has atoms {atom} ({self.initial.symbols[atom]}) and {other} "
                f"({self.initial.symbols[other]}) {distance:.2f} Å apart; choose interpolation idpp or another number "
                "of images, or check the order of the atoms in the two end states."
            )

    def wanted(self) -> list[int]:
        """The images to evaluate next: half of them where the others are their mirror images, once that is verified."""
        inner = list(range(1, self.settings.images + 1))
        if not self.verified:
            return [*inner, self.settings.images + 1]
        return inner if self.mirror is None else inner[: (len(inner) + 1) // 2]

    def structures(self) -> list[Atoms]:
        """The structures of `wanted()`."""
        found = []
        for image in self.wanted():
            atoms = self.initial.copy()
            atoms.positions = self.positions[image]
            found.append(atoms)
        return found

    def absorb(self, answers: list[tuple[float, np.ndarray] | str]) -> None:
        """Take the answers for `structures()`, judge the band, and move it if it is not over."""
        for image, answer in zip(self.wanted(), answers, strict=True):
            if isinstance(answer, str):
                self.fail(f"image {image}: {answer}")
                return
            self.energies[image], self.forces[image] = answer
        if not self.verified and not self._verify():
            return
        if self.mirror is not None:
            for image in range(1, self.settings.images // 2 + 1):
                self.energies[-1 - image] = self.energies[image]
                self.forces[-1 - image] = self.mirror.forces(self.forces[image])
        if self._sound():
            self._advance()

    def _verify(self) -> bool:
        """Keep the symmetry if the potential agrees with it; False when the final state has to be relaxed first."""
        mirrored = np.array([self.mirror.forces(forces) for forces in self.forces[::-1]])
        wrong = np.nanmax(abs(self.energies - self.energies[::-1]))
        self.verified = True
        if wrong <= ENERGY_EV and np.nanmax(abs(mirrored - self.forces)) <= FORCE_EV_A:
            return True
        self._say(f"the mirror images differ by {1000 * wrong:.1f} meV: all images are computed")
        self.mirror = None
        if len(self._ends) == 2:
            return True
        self.stage = "unmirrored"  # the engine registers the final state
        return False

    def finish_unmirrored(self, ends: EndStates) -> None:
        """Wait for a final state of its own after all."""
        self._ends.append(ends.add(self.final))
        self.stage = "ends"

    def _sound(self) -> bool:
        bad = ~np.isfinite(self.energies) | ~np.isfinite(self.forces).all(axis=(1, 2))
        if bad.any():
            self.fail(
                f"the energy or a force of image {int(np.argmax(bad))} is no longer finite after {self.steps} steps; "
                "look at the start path, or use more images."
            )
            return False
        drift, force = np.abs(self.positions - self.start).max(), np.abs(self.forces).max()
        if drift > MAX_DRIFT_A or force > MAX_FORCE_EV_A:
            burst = force > MAX_FORCE_EV_A
            image, atom, _ = np.unravel_index(
                np.abs(self.forces if burst else self.positions - self.start).argmax(), self.start.shape
            )
            what = f"a force of {force:.1e} eV/Å" if burst else f"{drift:.1f} Å from where it began"
            self.fail(
                f"the path exploded after {self.steps} steps: atom {atom} ({self.initial.symbols[atom]}) of image "
                f"{image}, {what}. Use more images, or look at the start path."
            )
            return False
        return True

    def inner_forces(self) -> np.ndarray:
        """NEB forces (M, n, 3) eV/Å; on a mirrored path those on the second half are images of those on the first."""
        top = climber(self.energies) if self.climbing else None
        forces = band_forces(self.positions, self.energies, self.forces, self.settings.spring_eV_A2, top)
        if self.mirror is not None:  # the copy of a climbing image climbs too: the spring on it means nothing
            for image in range(self.settings.images // 2):
                forces[-1 - image] = self.mirror.forces(forces[image])
        return forces

    def _advance(self) -> None:
        settings = self.settings
        forces = self.inner_forces()
        self.max_force = largest(forces)
        if settings.climb and not self.climbing and self.max_force <= max(COARSE * settings.fmax_eV_A, COARSE_EV_A):
            self.climbing = True
            self.optimiser.forget()
            forces = self.inner_forces()
            self.max_force = largest(forces)
        #: What the energies and forces belong to, and the NEB forces (M, n, 3) there, for those who watch.
        self.evaluated, self.last_inner = self.positions, forces
        self.first_force = self.max_force if np.isnan(self.first_force) else self.first_force
        if self.max_force <= settings.fmax_eV_A and self.climbing == settings.climb:
            self.stage, self.state = "over", "converged"
        elif self.steps >= settings.max_steps:
            self.stage, self.state = "over", "not converged"
            self.reason = (
                f"largest force {self.max_force:.3f} eV/Å after {self.steps} steps, wanted {settings.fmax_eV_A:g}; "
                "raise max_steps, or look at the path."
            )
        else:
            self._move(forces)

    def _move(self, forces: np.ndarray) -> None:
        half = len(self.wanted())
        self.positions = self.positions.copy()
        self.positions[1 : half + 1] += self.optimiser.displacement(forces[:half])
        if self.mirror is not None:
            if self.settings.images % 2:
                self.positions[half] = self.mirror.centre(self.positions[half])
            for image in range(1, self.settings.images // 2 + 1):
                self.positions[-1 - image] = self.mirror.positions(self.positions[image])
        self.steps += 1

    def fail(self, reason: str) -> None:
        """Give it up; the others go on."""
        self.stage, self.state, self.reason = "over", "failed", reason

    def progress(self) -> float:
        """How much of its work is done (0 to 1), from how far the forces have fallen on a logarithmic scale."""
        if self.stage == "over":
            return 1.0
        if self.stage != "band" or not self.max_force > 0 or not self.first_force > self.settings.fmax_eV_A:
            return 0.0
        whole = np.log(self.first_force / self.settings.fmax_eV_A)
        return 0.1 + 0.85 * float(np.clip(np.log(self.first_force / self.max_force) / whole, 0, 1))

    def path(self, **mode: Any) -> MinimumEnergyPath:
        """What became of it; a band that failed before it began consists of its two ends without energies.

        Raises RuntimeError for one that ended otherwise and has no images: its barrier would be a made-up NaN.
        """
        positions, energies, forces = self.positions, self.energies, self.forces
        if len(positions) < 2:
            if self.state != "failed":
                raise RuntimeError(
                    f"band {self.index} ({self.name}) is {self.state} but its images are missing from the checkpoint; "
                    "start the run anew."
                )
            final = self.final.positions if len(self.final) == len(self.initial) else self.initial.positions
            positions = np.array([self.initial.positions, final])
            energies, forces = np.full(2, np.nan), np.full_like(positions, np.nan)
        said = {"state": self.state, "reason": self.reason, "steps": self.steps, "max_force_eV_A": self.max_force}
        return MinimumEnergyPath.of(
            self.initial, positions, energies, forces, name=self.name, mirrored=self.mirror is not None, **said, **mode
        )

    def _say(self, text: str) -> None:
        self.log(f"band {self.index} ({self.name}): {text}")
