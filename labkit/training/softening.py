"""Softening: a potential whose forces are too small by a factor, how to see it, and how one number mends it.

With reference components x and predicted ones y (Deng et al., npj Comput. Mater. 11, 9 (2025), arXiv 2405.07105):
s = <xy>/<xx> is the slope of y on x, and c* = <xy>/<yy> is the factor by which y has to be multiplied to come nearest
to x. The one idea is to report both: a predictor that is merely uncertain shrinks towards zero and has s = R² < 1 with
c* = 1, while a softened one has c* > 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import InvalidTask

if TYPE_CHECKING:
    from labkit.potentials import Potential
    from labkit.potentials.corrected import CorrectedPotential

#: Forces that are smaller than this everywhere (eV/Å) say nothing about a factor.
MIN_FORCE_eV_A = 1e-6


@dataclass(frozen=True)
class Softening:
    """How the forces of a potential compare with reference forces, over B structures.

    slope: s. c_star: c*. r2: squared correlation of all components. intervals: 95 %, by resampling structures, since
    the components of one structure are correlated. slopes: (B,) s of each structure, NaN where the reference forces
    vanish. mae, rmse: of the forces as they are, eV/Å; mae_corrected: of c* y; mae_rotated: of y/s, the cMAE of the
    literature, which can be larger than the mae itself.
    """

    slope: float
    slope_interval: tuple[float, float]
    c_star: float
    c_star_interval: tuple[float, float]
    r2: float
    mae_eV_A: float
    mae_corrected_eV_A: float
    mae_rotated_eV_A: float
    rmse_eV_A: float
    slopes: np.ndarray
    n_structures: int
    n_components: int

    @property
    def fraction_below_one(self) -> float:
        """Share of the structures with a slope below one."""
        known = self.slopes[np.isfinite(self.slopes)]
        return float((known < 1).mean()) if known.size else float("nan")

    @property
    def median_slope(self) -> float:
        """Median slope of a structure."""
        known = self.slopes[np.isfinite(self.slopes)]
        return float(np.median(known)) if known.size else float("nan")

    @property
    def verdict(self) -> str:
        """What the two numbers mean together, in a sentence."""
        low, high = self.c_star_interval
        if low > 1:
            return f"softened: forces are best multiplied by {self.c_star:.3f} ({low:.3f} to {high:.3f})"
        if high < 1:
            return f"too stiff: forces are best multiplied by {self.c_star:.3f} ({low:.3f} to {high:.3f})"
        return f"no softening that these data show: c* {self.c_star:.3f} ({low:.3f} to {high:.3f}) is compatible with 1"


def softening(
    reference: Sequence[np.ndarray], predicted: Sequence[np.ndarray], *, n_resamples: int = 2000, seed: int = 0
) -> Softening:
    """Compare forces, one array (n, 3) eV/Å for each structure.

    Raises InvalidTask for arrays that do not match, are not finite, or vanish everywhere.
    """
    pairs = _pairs(reference, predicted)
    sums = np.array([[x @ x, x @ y, y @ y] for x, y in pairs])
    xx, xy, yy = sums.sum(axis=0)
    every_x, every_y = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    if np.abs(every_x).max() < MIN_FORCE_eV_A or np.abs(every_y).max() < MIN_FORCE_eV_A:
        raise InvalidTask(
            f"all forces are below {MIN_FORCE_eV_A:g} eV/Å: a slope needs structures away from their minima. "
            "Take rattled or heated ones."
        )
    slope, c_star = xy / xx, xy / yy
    resampled = np.random.default_rng(seed).multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), n_resamples)
    drawn = resampled @ sums
    drawn = drawn[(drawn[:, 0] > 0) & (drawn[:, 2] > 0)]
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(sums[:, 0] > MIN_FORCE_eV_A**2, sums[:, 1] / sums[:, 0], np.nan)
    return Softening(
        slope=float(slope),
        slope_interval=_interval(drawn[:, 1] / drawn[:, 0]),
        c_star=float(c_star),
        c_star_interval=_interval(drawn[:, 1] / drawn[:, 2]),
        r2=float(np.corrcoef(every_x, every_y)[0, 1] ** 2),
        mae_eV_A=float(np.abs(every_y - every_x).mean()),
        mae_corrected_eV_A=float(np.abs(c_star * every_y - every_x).mean()),
        mae_rotated_eV_A=float(np.abs(every_y / slope - every_x).mean()),
        rmse_eV_A=float(np.sqrt(((every_y - every_x) ** 2).mean())),
        slopes=each,
        n_structures=len(pairs),
        n_components=len(every_x),
    )


def measure(potential: Potential, records: Iterable[Any], **options: Any) -> Softening:
    """The softening of a potential on labelled structures (`labkit.datasets.Record`).

    Records without forces are left out; `options` are those of `softening`. Raises InvalidTask when none has forces.
    """
    labelled = _with_forces(records)
    said = potential.predict([record.atoms for record in labelled], ("energy", "forces"))
    return softening([record.forces for record in labelled], said.forces, **options)


def correct(potential: Potential, records: Iterable[Any], *, affine: bool = False) -> CorrectedPotential:
    """The potential with energies, forces and stresses times the c* of a few labelled structures.

    c* = <xy>/<yy> is the least-squares factor of the forces. With `affine`, energies per element are shifted as well,
    by least squares of E - c* E' on the compositions: forces and phonons stay those of the scalar correction, energies
    become comparable with the reference. One structure is enough if its forces are large; near a minimum the factor
    comes out too large. Raises InvalidTask when the labels it needs are missing.
    """
    from labkit.potentials.corrected import CorrectedPotential

    labelled = _with_forces(records)
    said = potential.predict([record.atoms for record in labelled], ("energy", "forces"))
    pairs = _pairs([record.forces for record in labelled], said.forces)
    xy, yy = (sum(float(pair[side] @ pair[1]) for pair in pairs) for side in (0, 1))
    if yy <= 0 or xy <= 0:
        raise InvalidTask(
            f"the forces of {potential.name} do not point where the reference's do (<xy> = {xy:.3g} eV²/Å²): no factor "
            "mends that. Check the units and the sign of the labels, or fine-tune."
        )
    scale = xy / yy
    shifts = _shifts(labelled, said.energies * scale) if affine else {}
    level = next((record.level_of_theory for record in labelled if record.level_of_theory), "")
    return CorrectedPotential(potential, scale, shifts, level_of_theory=level, n_labels=len(labelled))


def _shifts(labelled: Sequence[Any], energies: np.ndarray) -> Mapping[str, float]:
    known = [index for index, record in enumerate(labelled) if record.energy is not None]
    if not known:
        raise InvalidTask("an affine correction needs energies, and no record has one: use affine=False.")
    elements = sorted({symbol for index in known for symbol in set(labelled[index].atoms.symbols)})
    counts = np.array([[list(labelled[index].atoms.symbols).count(one) for one in elements] for index in known], float)
    residuals = np.array([labelled[index].energy - energies[index] for index in known])
    per_atom = 1 / counts.sum(axis=1)
    found = np.linalg.lstsq(counts * per_atom[:, None], residuals * per_atom, rcond=1e-8)[0]
    return {element: float(value) for element, value in zip(elements, found, strict=True)}


def _with_forces(records: Iterable[Any]) -> list[Any]:
    labelled = [record for record in records if record.forces is not None]
    if not labelled:
        raise InvalidTask("no record has forces: softening is seen in forces alone. Label a structure with its forces.")
    return labelled


def _pairs(reference: Sequence[np.ndarray], predicted: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(reference) != len(predicted) or not len(reference):
        raise InvalidTask(f"{len(reference)} reference and {len(predicted)} predicted sets of forces do not match.")
    pairs = []
    for index, (x, y) in enumerate(zip(reference, predicted, strict=True)):
        first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if first.shape != second.shape:
            raise InvalidTask(f"structure {index}: reference forces {first.shape} and predicted {second.shape} differ.")
        if not (np.isfinite(first).all() and np.isfinite(second).all()):
            raise InvalidTask(f"structure {index} has forces that are not finite numbers. Leave it out.")
        pairs.append((first.ravel(), second.ravel()))
    return pairs


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
