"""How right the committee was about structures that it had not learned yet, and the law that comes out of it.

The one idea: labels that have just come in are an honest examination, taken before the committee sees the answers;
from them the next round's calibration is fitted, and on them the last one's is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.active_learning.calibration import RAW, Calibration, fit_linear, fit_power_law
from labkit.active_learning.reliability import BINS, Reliability, judge
from labkit.active_learning.uncertainty import atom_error, atom_spread, member_forces
from labkit.errors import NotConverged

if TYPE_CHECKING:
    from labkit.datasets import Record
    from labkit.potentials.committee import Committee

#: Exponents outside of these come from too few atoms: the law would call everything equally wrong.
EXPONENTS = (0.3, 3.0)
#: Earlier examinations are added, the newest first, until so many atoms are there.
ENOUGH_ATOMS = 100
ATOMS_A_BIN = 10


def examine(committee: Committee, records: Sequence[Record]) -> dict[str, Any]:
    """Spreads u_i and errors e_i (eV/Å) of all atoms, the atoms of each structure, and root mean square errors of the
    mean: force components (eV/Å) and energies (eV/atom); NaN without records.
    """
    records = [one for one in records if one.forces is not None]
    if not records:
        return {"spread": [], "error": [], "sizes": [], "force_rmse_eV_A": np.nan, "energy_rmse_eV_atom": np.nan}
    structures = [one.atoms for one in records]
    forces = member_forces(committee, structures)
    energies = committee.predict(structures, ("energy",)).energies
    errors = [atom_error(force, one.forces) for force, one in zip(forces, records, strict=True)]
    off = [(energy - one.energy) / len(one) for energy, one in zip(energies, records, strict=True)]
    return {
        "spread": np.concatenate([atom_spread(force) for force in forces]).tolist(),
        "error": np.concatenate(errors).tolist(),
        "sizes": [len(one) for one in records],
        "force_rmse_eV_A": float(np.sqrt(np.mean(np.concatenate(errors) ** 2))),
        "energy_rmse_eV_atom": float(np.sqrt(np.mean(np.square(off)))),
    }


def fit(examinations: Sequence[dict[str, Any]], before: Calibration, log: Callable[[str], None]) -> Calibration:
    """The law σ = a u^b from examinations, the newest first; a line, or the law of before, where there is none.

    Says in a sentence when it is not the power law.
    """
    spread, error = gathered(examinations)
    try:
        found = fit_power_law(spread, error)
        if EXPONENTS[0] <= found.b <= EXPONENTS[1]:
            return found
        why = f"the exponent {found.b:.2g} lies outside of {EXPONENTS[0]:g} to {EXPONENTS[1]:g}"
    except (NotConverged, ValueError) as error_:
        why = str(error_).split(";")[0].rstrip(".")
    try:
        found = fit_linear(spread, error)
        log(f"calibrated by a line instead of a power law: {why}")
        return found
    except ValueError:
        kept = "the calibration stays as it was" if before.kind != RAW.kind else "spreads are taken as they are"
        log(f"no calibration from {len(spread)} atoms, {kept}: {why}")
        return before


def gathered(examinations: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Spreads and errors of the newest examinations that have enough atoms together."""
    spread: list[float] = []
    error: list[float] = []
    for one in examinations:
        if len(spread) >= ENOUGH_ATOMS:
            break
        spread += one["spread"]
        error += one["error"]
    return np.array(spread), np.array(error)


def judged(calibration: Calibration, spread: np.ndarray, error: np.ndarray) -> Reliability | None:
    """The reliability of a law on atoms that it was not fitted on; None for too few of them."""
    bins = min(BINS, len(spread) // ATOMS_A_BIN)
    try:
        return judge(calibration, spread, error, bins)
    except ValueError:
        return None


def judged_by_halves(examination: dict[str, Any]) -> Reliability | None:
    """Without a law from before: fitted on every other structure, judged on the rest; None for too few atoms."""
    if not examination["sizes"]:
        return None
    own = np.repeat(np.arange(len(examination["sizes"])), examination["sizes"]) % 2 == 0
    spread, error = np.array(examination["spread"]), np.array(examination["error"])
    try:
        law = fit([{"spread": spread[own].tolist(), "error": error[own].tolist()}], RAW, lambda _: None)
    except ValueError:
        return None
    return judged(law, spread[~own], error[~own]) if law.kind != RAW.kind else None
