"""Mean-squared displacements of a growing run, without a widget: frames are read once, kept thin, and handed to
labkit.analysis.

Frames must lie at equal times: when the frame interval is changed while a run works, the widest common spacing is
used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from labkit import analysis
from labkit.runs import FrameReader, Run

from .trajectory_model import FRAMES_FILE

MAX_FRAMES = 800
MIN_FRAMES = 20
_MOBILE_FIRST = ("Li", "Na", "K", "Mg", "Zn", "Ca", "H", "F", "O")


@dataclass(frozen=True)
class SpeciesResult:
    """The curve and the diffusion coefficient of one species; `diffusion` is None when it cannot be had yet."""

    species: str
    lag_fs: np.ndarray
    msd_A2: np.ndarray
    diffusion: analysis.Diffusion | None
    problem: str = ""


class DiffusionModel:
    """Reads a run's new frames with `poll` and computes each species' MSD and diffusion coefficient with `compute`."""

    def __init__(self, run: Run, species: list[str] | None = None, skip_ps: float = 0.0) -> None:
        self.run, self.species, self.skip_ps = run, species, skip_ps
        self._reader = FrameReader(run.folder / FRAMES_FILE)
        self._frames: list[Atoms] = []
        self._read, self._stride = 0, 1
        parameters = run.task_dict.get("parameters", {})
        self.timestep_fs = float(parameters.get("timestep_fs") or 1.0)

    def poll(self) -> int:
        """Read what is new; returns how many frames were added. Memory is bounded: long runs keep every 2nd, 4th, ...
        frame.
        """
        self._reader.poll()
        count = len(self._reader)
        if count < self._read:
            self._frames, self._read, self._stride = [], 0, 1
        added = 0
        for index in range(self._read, count):
            if index % self._stride == 0:
                self._frames.append(self._reader.read(index))
                added += 1
            if len(self._frames) >= MAX_FRAMES:
                self._frames, self._stride = self._frames[::2], self._stride * 2
        self._read = count
        return added

    def frames(self) -> tuple[list[Atoms], float]:
        """Return frames at equal times and the time between them in fs."""
        skip = 1000 * self.skip_ps / self.timestep_fs
        kept = [one for i, one in enumerate(self._frames) if _step(one, i) >= skip]
        if len(kept) < 2:
            return kept, self.timestep_fs
        steps = np.array([_step(one, i) for i, one in enumerate(kept)])
        chosen, spacing = _equal_times(steps)
        return [kept[index] for index in chosen], spacing * self.timestep_fs

    def choose_species(self, atoms: Atoms) -> list[str]:
        """Return the species to show: those asked for, else the likely mobile ones first, at most three."""
        present = list(dict.fromkeys(atoms.get_chemical_symbols()))
        if self.species:
            return [one for one in self.species if one in present]
        mobile = [one for one in _MOBILE_FIRST if one in present]
        return (mobile + [one for one in present if one not in mobile])[:3]

    def compute(self) -> list[SpeciesResult]:
        """Return one result for each species; empty before there are enough frames."""
        frames, spacing_fs = self.frames()
        if len(frames) < MIN_FRAMES:
            return []
        results = []
        for species in self.choose_species(frames[0]):
            try:
                curve = analysis.msd(frames, frame_interval_fs=spacing_fs, species=species, wrapped=False)
            except (ValueError, ArithmeticError) as error:
                results.append(SpeciesResult(species, np.empty(0), np.empty(0), None, str(error)))
                continue
            try:
                found, problem = analysis.diffusion(curve), ""
            except (ValueError, ArithmeticError) as error:
                found, problem = None, str(error)
            half = max(2, len(curve.lag_fs) * 7 // 10)  # the last lags rest on a handful of origins
            results.append(SpeciesResult(species, curve.lag_fs[:half], curve.total_A2[:half], found, problem))
        return results


def _equal_times(steps: np.ndarray) -> tuple[list[int], int]:
    """Indices of frames at equal times that cover the longest time, and the spacing of their steps.

    The frame interval may have been changed on the way: tried are each interval that occurs and their common
    multiple, from the beginning and from every change on.
    """
    gaps = np.diff(steps)
    where = {int(step): index for index, step in enumerate(steps)}
    starts = [0, *(np.flatnonzero(np.diff(gaps)) + 1).tolist()]
    spacings = sorted({*np.unique(gaps).tolist(), int(np.lcm.reduce(np.unique(gaps)))})
    best: list[int] = [0]
    covered, chosen_spacing = 0, int(gaps[0])
    for spacing in spacings:
        for start in starts:
            found, step = [], int(steps[start])
            while step in where:
                found.append(where[step])
                step += spacing
            if (len(found) - 1) * spacing > covered:
                best, covered, chosen_spacing = found, (len(found) - 1) * spacing, spacing
    return best, chosen_spacing


def _step(atoms: Atoms, index: int) -> int:
    return int(atoms.info.get("step", index))


def in_words(result: SpeciesResult) -> str:
    """Return `D(Li) = (1.2 ± 0.3) × 10⁻⁵ cm²/s`, or why there is no number."""
    if result.diffusion is None:
        return f"{result.species}: {result.problem or 'no diffusion coefficient yet'}"
    value, error = result.diffusion.D_cm2_s, result.diffusion.error_cm2_s
    scale = max(abs(value), error or 0.0)
    if not np.isfinite(scale) or scale == 0:
        return f"D({result.species}) = 0 cm²/s"
    power = int(np.floor(np.log10(scale)))
    mantissa = f"{value / 10**power:.2f}"
    spread = f" ± {error / 10**power:.2f}" if error is not None else " ± unknown"
    return f"D({result.species}) = ({mantissa}{spread}) × 10{_superscript(power)} cm²/s"


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
