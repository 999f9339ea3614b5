"""Velocities of a trajectory as one array, whichever way the frames give them.

Frames with momenta are taken at their word; frames without (labkit's own dynamics stores positions and forces only)
give differences of positions, whose damping of high frequencies is known exactly and can be divided out of a spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from ase import Atoms

from labkit.analysis.trajectory import Frames, checked, positions
from labkit.errors import InvalidStructure

#: Root mean square displacement between frames over that of the velocities: 1 or less but for rounding and a cell that
#: changes.
_MOST_SPEED = 1.5
#: Hotter than any solid, liquid or molecule; atoms that swap places by the file's order are far beyond.
_HOTTEST_K = 3e4


@dataclass(frozen=True, eq=False)
class Velocities:
    """values (T, n, 3) in ASE's unit, Å (eV/amu)^½ / Å, so that m v² is in eV; frame_interval_fs: time between two;
    masses_amu, symbols (n,); positions_A (T, n, 3), unwrapped, at the same times, where they are known;
    differences: values are differences of positions one interval apart; removed: degrees of freedom taken out, so that
    nothing drifts or turns any more; constrained: those that rigid bonds and angles hold besides;
    squared_accelerations (n,): mean of |F_i/m_i|² in ASE's units, where forces are known.
    """

    values: np.ndarray
    frame_interval_fs: float
    masses_amu: np.ndarray
    symbols: tuple[str, ...] = ()
    positions_A: np.ndarray | None = field(default=None, repr=False)
    differences: bool = False
    removed: int = 0
    constrained: int = 0
    squared_accelerations: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        values, masses = np.asarray(self.values, float), np.asarray(self.masses_amu, float)
        if values.ndim != 3 or values.shape[1:] != (len(masses), 3) or len(values) < 4:
            raise InvalidStructure(
                f"velocities of shape {values.shape} and {len(masses)} masses do not fit; give (frames, atoms, 3) with "
                "at least 4 frames."
            )
        if not np.isfinite(values).all():
            frame = int(np.argwhere(~np.isfinite(values))[0][0])
            raise InvalidStructure(f"the velocities of frame {frame} are not finite; drop it and the later ones.")
        if not (np.isfinite(self.frame_interval_fs) and self.frame_interval_fs > 0):
            raise ValueError(
                f"frame_interval_fs={self.frame_interval_fs} must be positive: the time between two frames."
            )
        if not (masses > 0).all():
            raise InvalidStructure(
                f"atom {int(np.argmin(masses))} has the mass {masses.min():g} amu, not a positive one."
            )
        if self.positions_A is not None and np.shape(self.positions_A) != values.shape:
            raise InvalidStructure(f"positions {np.shape(self.positions_A)}, velocities {values.shape}: unlike shapes.")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "masses_amu", masses)
        object.__setattr__(self, "symbols", tuple(self.symbols) or ("X",) * len(masses))

    @property
    def length_ps(self) -> float:
        """Time from the first to the last."""
        return (len(self.values) - 1) * self.frame_interval_fs / 1000

    def without_drift(self) -> Velocities:
        """v_i - V, V the velocity of the centre of mass; as they are where degrees of freedom are out already, or for
        a single atom.
        """
        if self.removed or len(self.masses_amu) == 1:
            return self
        centre = np.average(self.values, axis=1, weights=self.masses_amu)
        return replace(self, values=self.values - centre[:, None], removed=3)


def velocities(frames: Frames, *, frame_interval_fs: float | None = None, wrapped: bool | None = None) -> Velocities:
    """Return the velocities of a trajectory of equally spaced frames, `frame_interval_fs` apart.

    The interval by itself from `info["time_fs"]`, which labkit's frames have; a last frame out of step is left out.
    From the momenta where every frame has them. Else v(t + Δ/2) = [r(t + Δ) - r(t)]/Δ of unwrapped positions (see
    `trajectory.positions` for `wrapped`), one frame less: a central difference about the middle, which damps the
    amplitude at frequency ν by sin(πνΔ)/(πνΔ); `vdos` and the projections divide that out. The interval must be
    shorter than half of the fastest period (C-H: 11 fs, so at most 5 fs, better 2); forces in the frames let `vdos`
    notice where it is not. Constraints of the first frame: what `FixAtoms`, `FixCartesian`, `FixScaled`, `FixedPlane`
    and `FixedLine` hold counts as `removed`, since such a crystal does not drift; rigid bonds and angles
    (`FixBondLengths`, `FixInternals`, `FixLinearTriatomic`) count as `constrained`. Raises InvalidStructure for a
    broken trajectory, frames at unequal times, atoms in changing order, momenta that are not those of the motion or
    another constraint, and ValueError for an interval that is unknown, not positive or not that of the frames' times.
    """
    from ase import units

    frames = checked(frames, minimum=5)
    if frame_interval_fs is None:
        frames, frame_interval_fs = _in_step(frames)
    if not (np.isfinite(frame_interval_fs) and frame_interval_fs > 0):
        raise ValueError(f"frame_interval_fs={frame_interval_fs} must be positive: the time between two frames in fs.")
    _refuse_another_interval(frames, frame_interval_fs)
    places = positions(frames, wrapped=wrapped)
    common = (float(frame_interval_fs), frames[0].get_masses(), tuple(frames[0].symbols))
    held, rigid = _constraints(frames[0])
    more = {"removed": held, "constrained": rigid, "squared_accelerations": None if rigid else _shaken(frames)}
    moved = np.diff(places, axis=0) / (frame_interval_fs * units.fs)
    far = (moved**2).sum(axis=2).mean(axis=0) @ common[1]
    hot = far / (3 * len(frames[0]) * units.kB)
    if hot > _HOTTEST_K:
        raise InvalidStructure(
            f"the atoms move as at {hot:.2g} K from frame to frame. Are they in the same order in all frames (LAMMPS "
            f"dumps may not be), unwrapped, and {frame_interval_fs:g} fs apart?"
        )
    if all(frame.has("momenta") for frame in frames):
        speeds = np.array([frame.get_velocities() for frame in frames])
        # An atom moves by the mean of its velocity: never faster than the root mean square.
        ratio = np.sqrt(far / max((speeds**2).sum(axis=2).mean(axis=0) @ common[1], 1e-300))
        if ratio > _MOST_SPEED:
            raise InvalidStructure(
                f"from frame to frame the atoms move {ratio:.3g} times as far as their momenta say. Is "
                f"{frame_interval_fs:g} fs the time between two stored frames, are the momenta those of these frames, "
                "and the positions unwrapped (wrapped=True)?"
            )
        return Velocities(speeds, *common, places, **more)
    return Velocities(moved, *common, (places[1:] + places[:-1]) / 2, differences=True, **more)


def _refuse_another_interval(frames: list[Atoms], interval_fs: float) -> None:
    """Raise ValueError where the frames' own times contradict the interval that was given."""
    if all("time_fs" in frame.info for frame in frames[:2]):
        own = float(frames[1].info["time_fs"]) - float(frames[0].info["time_fs"])
        if own > 0 and abs(own - interval_fs) > 1e-3 * own:
            raise ValueError(
                f"frame_interval_fs={interval_fs:g} was given, but the frames are {own:g} fs apart by their own times "
                "(info['time_fs']). Leave it out: it is the time between two stored frames, not the time step."
            )


def _constraints(atoms: Atoms) -> tuple[int, int]:
    """Degrees of freedom (held to a place, held within the molecule)."""
    from ase import constraints as known

    places = (known.FixScaled, known.FixedPlane, known.FixedLine)
    inner = (known.FixBondLengths, known.FixInternals, known.FixLinearTriatomic)
    # Of no account: the centre of mass is taken out anyway, the others push without holding.
    idle = (known.FixCom, known.Hookean, known.ExternalForce)
    still, held, rigid = np.zeros((len(atoms), 3), bool), 0, 0
    for one in atoms.constraints:
        if isinstance(one, known.FixAtoms):
            still[one.index] = True
        elif isinstance(one, known.FixCartesian):
            still[one.index] |= np.asarray(one.mask, bool)
        elif isinstance(one, places):
            held += int(one.get_removed_dof(atoms))
        elif isinstance(one, inner):
            rigid += int(one.get_removed_dof(atoms))
        elif not isinstance(one, idle):
            raise InvalidStructure(
                f"frame 0 has the constraint {type(one).__name__}, whose degrees of freedom are not known here; take "
                "it off (frame.set_constraint()) if the dynamics ran without, else give Velocities with constrained=."
            )
    return held + int(still.sum()), rigid


def _shaken(frames: list[Atoms]) -> np.ndarray | None:
    """Mean of |F_i/m_i|² (n,) from the forces that the frames hold, those on held atoms apart; None without."""
    from ase.calculators.singlepoint import SinglePointCalculator

    total = np.zeros(len(frames[0]))
    for frame in frames:
        # A calculator that frames share knows the forces of one of them only.
        own = frame.calc.results if isinstance(frame.calc, SinglePointCalculator) else frame.arrays
        forces = own.get("forces")
        if forces is None or np.shape(forces) != frame.positions.shape or not np.isfinite(forces).all():
            return None
        free = np.array(forces, float)
        for one in frames[0].constraints:
            one.adjust_forces(frame, free)
        total += (free**2).sum(axis=1)
    return total / len(frames) / frames[0].get_masses() ** 2


def _in_step(frames: list[Atoms]) -> tuple[list[Atoms], float]:
    """The frames and their interval (fs), as their own times say."""
    if not all("time_fs" in frame.info for frame in frames):
        raise ValueError("the frames do not know their times (info['time_fs']); give frame_interval_fs.")
    times = np.array([float(frame.info["time_fs"]) for frame in frames])
    steps = np.diff(times)
    # A run writes its last frame wherever it ends.
    if abs(steps[-1] - steps[0]) > 1e-6 * abs(steps[0]):
        frames, steps = frames[:-1], steps[:-1]
    wrong = np.flatnonzero(np.abs(steps - steps[0]) > 1e-6 * abs(steps[0]))
    if len(wrong):
        raise InvalidStructure(
            f"frames {wrong[0]} and {wrong[0] + 1} are {steps[wrong[0]]:g} fs apart, the first two {steps[0]:g} fs: a "
            "spectrum needs equal intervals. Take a stretch in which the frame interval was not changed."
        )
    return frames, float(steps[0])


def response(frequencies_THz: np.ndarray, interval_fs: float) -> np.ndarray:
    """[sin(πνΔ)/(πνΔ)]²: what is left of the power at ν when velocities are differences over Δ = interval_fs."""
    return np.sinc(np.asarray(frequencies_THz) * interval_fs * 1e-3) ** 2


def by_element(symbols: Sequence[str]) -> dict[str, np.ndarray]:
    """Indices of the atoms of each element, in the order of first appearance."""
    names = np.array(symbols)
    return {name: np.flatnonzero(names == name) for name in dict.fromkeys(symbols)}
