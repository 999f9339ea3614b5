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


@dataclass(frozen=True, eq=False)
class Velocities:
    """values (T, n, 3) in ASE's unit, Å (eV/amu)^½ / Å, so that m v² is in eV; frame_interval_fs: time between two;
    masses_amu, symbols (n,); positions_A (T, n, 3), unwrapped, at the same times, where they are known;
    differences: values are differences of positions one interval apart; removed: degrees of freedom taken out.
    """

    values: np.ndarray
    frame_interval_fs: float
    masses_amu: np.ndarray
    symbols: tuple[str, ...] = ()
    positions_A: np.ndarray | None = field(default=None, repr=False)
    differences: bool = False
    removed: int = 0

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
    shorter than half of the fastest period (C-H: 11 fs, so at most 5 fs, better 2). Atoms that `FixAtoms` of the
    first frame holds count as `removed`: such a crystal does not drift. Raises InvalidStructure for a broken trajectory
    or frames at unequal times and ValueError for an interval that is unknown or not positive.
    """
    from ase import units
    from ase.constraints import FixAtoms

    frames = checked(frames, minimum=5)
    if frame_interval_fs is None:
        frames, frame_interval_fs = _in_step(frames)
    if not (np.isfinite(frame_interval_fs) and frame_interval_fs > 0):
        raise ValueError(f"frame_interval_fs={frame_interval_fs} must be positive: the time between two frames in fs.")
    places = positions(frames, wrapped=wrapped)
    common = (float(frame_interval_fs), frames[0].get_masses(), tuple(frames[0].symbols))
    held = sum(one.get_removed_dof(frames[0]) for one in frames[0].constraints if isinstance(one, FixAtoms))
    if all(frame.has("momenta") for frame in frames):
        return Velocities(np.array([frame.get_velocities() for frame in frames]), *common, places, removed=held)
    moved = np.diff(places, axis=0) / (frame_interval_fs * units.fs)
    return Velocities(moved, *common, (places[1:] + places[:-1]) / 2, differences=True, removed=held)


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
