"""Signs that frames were stored too rarely: a vibration beyond the Nyquist frequency folds back to a wrong one.

The folded line looks like any other, so what gives it away must come from elsewhere: the forces in the frames, the
harmonic frequency of the mode, or power at the very end of the band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import units

from labkit.analysis.vibrations_velocities import by_element

if TYPE_CHECKING:
    from labkit.analysis.vibrations_velocities import Velocities

#: Ratio of mean squared frequencies, by forces and by spectrum, beyond which something is missing. Velocity Verlet at
#: 93 THz gives 1.06 with steps of 1 fs and 1.34 with 2 fs; a C-H stretch that folds gives three and more.
_MOST_RATIO = 1.5


def nyquist_THz(interval_fs: float) -> float:
    """Highest frequency that samples `interval_fs` apart tell from a lower one, 1/2Δ."""
    return 500.0 / interval_fs


def edge_warning(frequencies_THz: np.ndarray, power: np.ndarray) -> str:
    """A sentence where more than 1 % of the power lies in the last tenth of the band; "" elsewhere."""
    share = power[frequencies_THz > 0.9 * frequencies_THz[-1]].sum() / max(power.sum(), 1e-300)
    if share < 0.01:
        return ""
    return (
        f"{100 * share:.0f} % of the power lies above {0.9 * frequencies_THz[-1]:.3g} THz, at the end of what this "
        "frame interval resolves: faster vibrations, if there are any, appear at wrong frequencies. Write frames more "
        "often."
    )


def force_warning(velocities: Velocities, squares: np.ndarray) -> str:
    """A sentence where the forces shake an element faster than its spectrum says; "" elsewhere or without forces.

    m_i <|a_i|²> = <|F_i|²>/m_i = int (2πν)² P_i(ν) dν holds for any motion that the frames resolve, harmonic or not,
    P_i the one-sided power of sqrt(m_i) v_i. `squares` (n,): the right-hand side in eV/ps².
    """
    if velocities.squared_accelerations is None:
        return ""
    per_ps = 1e-3 / units.fs  # 1/ps in ASE's inverse time
    known = velocities.masses_amu * velocities.squared_accelerations / per_ps**2
    worst, said = _MOST_RATIO, ""
    for name, atoms in by_element(velocities.symbols).items():
        seen, true = squares[atoms].sum(), known[atoms].sum()
        if not true > worst * seen:
            continue
        worst = true / max(seen, 1e-300)
        said = (
            f"the forces on {name} change its velocity {np.sqrt(worst):.1f} times as fast as this spectrum accounts "
            f"for: vibrations above {nyquist_THz(velocities.frame_interval_fs):.3g} THz, the most that frames "
            f"{velocities.frame_interval_fs:g} fs apart resolve, appear at wrong frequencies. Write frames more often."
        )
    return said


def folded(harmonic_THz: np.ndarray, interval_fs: float) -> np.ndarray:
    """Mask (K,) of the modes whose harmonic frequency lies beyond the Nyquist frequency; unknown ones (NaN) do not."""
    return np.nan_to_num(np.asarray(harmonic_THz, float)) > nyquist_THz(interval_fs)


def folded_warning(indices: np.ndarray, harmonic_THz: np.ndarray, interval_fs: float) -> str:
    """A sentence that names the modes beyond the Nyquist frequency; "" where there are none."""
    lost = folded(harmonic_THz, interval_fs)
    if not lost.any():
        return ""
    names = ", ".join(map(str, indices[lost][:8])) + (" ..." if lost.sum() > 8 else "")
    top = float(harmonic_THz[lost].max())
    return (
        f"modes {names} vibrate at up to {top:.3g} THz, above the {nyquist_THz(interval_fs):.3g} THz that frames "
        f"{interval_fs:g} fs apart resolve: their lines appear at wrong frequencies. Write a frame every "
        f"{400 / top:.2g} fs or less."
    )
