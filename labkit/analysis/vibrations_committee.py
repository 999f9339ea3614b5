"""How sure a committee of potentials is of a vibrational spectrum.

Harmonic frequencies: every member's Hessian at the minimum of the committee's mean, modes matched by their pattern.
Spectra: the scatter between the members' own spectra, bin by bin, less what is mere counting statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from labkit.analysis.luminescence_modes import normal_modes
from labkit.analysis.vibrations_modes import MEV_PER_THZ
from labkit.analysis.vibrations_reweighting import Reweighted, reweighted

if TYPE_CHECKING:
    from ase import Atoms

#: Modes closer than this (THz) share a pattern that may turn freely among them.
DEGENERATE_THZ = 0.05
#: Overlap |<e_k|e_l>|² below which a mode has no counterpart that deserves the name.
_LEAST_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class CommitteeModes:
    """reference_THz (K,), vectors (K, n, 3): modes of the mean; members_THz (M, K): the matched mode of each member;
    overlaps (M, K): its squared overlap with the reference mode and those degenerate with it; error_THz (K,): α times
    the standard deviation over members (see `t_factor` for an interval); warning: modes without a counterpart, or "".
    """

    reference_THz: np.ndarray
    vectors: np.ndarray
    members_THz: np.ndarray
    overlaps: np.ndarray
    error_THz: np.ndarray
    calibration: float
    warning: str = ""

    def table(self) -> Any:
        """DataFrame: mode, frequency_THz, error_THz, least_overlap."""
        import pandas as pd

        columns = {"mode": np.arange(len(self.reference_THz)), "frequency_THz": self.reference_THz}
        return pd.DataFrame(columns | {"error_THz": self.error_THz, "least_overlap": self.overlaps.min(axis=0)})


@dataclass(frozen=True, eq=False)
class SpectrumBand:
    """frequencies_THz (F,); mean (F,); committee_error (F,): between members beyond statistics; statistical_error
    (F,): of the mean; members (M, F), in the unit of the spectra given (1/THz for a VDOS). Both are single standard
    deviations; `t_factor` says how many of them make an interval.
    """

    frequencies_THz: np.ndarray
    mean: np.ndarray
    committee_error: np.ndarray
    statistical_error: np.ndarray
    members: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Both errors together, sqrt(committee² + statistical²)."""
        return np.hypot(self.committee_error, self.statistical_error)


def t_factor(members: int, confidence: float = 0.95) -> float:
    """Return how many errors on either side hold the truth with this probability, if the calibration is right.

    A standard deviation over M members is itself uncertain, so it is Student's t with M - 1 degrees of freedom: 3.18
    for 95 % with 4 members, 2.26 with 10. Two errors hold 86 % with 4 members, not 95. Raises ValueError for fewer than
    2 members or a probability that is none.
    """
    if members < 2 or not 0 < confidence < 1:
        raise ValueError(f"members={members} must be at least 2, and confidence={confidence} lie between 0 and 1.")
    from scipy.special import stdtrit

    return float(stdtrit(members - 1, 0.5 + confidence / 2))


def committee_modes(atoms: Atoms, hessians_eV_A2: np.ndarray, *, calibration: float = 1.0) -> CommitteeModes:
    """Return the normal modes of the mean of M Hessians (M, 3n, 3n), in eV/Å², with the spread of each frequency.

    `atoms`: at the minimum of the committee's mean, where all Hessians belong. Raises InvalidStructure for Hessians
    that do not fit (see `normal_modes`) and ValueError for fewer than 2.
    """
    hessians = np.asarray(hessians_eV_A2, float)
    if hessians.ndim != 3 or len(hessians) < 2:
        raise ValueError(f"Hessians of shape {hessians.shape}: give (members, 3n, 3n) with at least 2 members.")
    reference = normal_modes(atoms, hessians.mean(axis=0))
    members = [normal_modes(atoms, one) for one in hessians]
    return matched_modes(
        reference.energies_meV / MEV_PER_THZ,
        reference.vectors,
        np.array([one.energies_meV for one in members]) / MEV_PER_THZ,
        np.array([one.vectors for one in members]),
        calibration=calibration,
    )


def matched_modes(
    reference_THz: np.ndarray,
    vectors: np.ndarray,
    members_THz: np.ndarray,
    member_vectors: np.ndarray,
    *,
    calibration: float = 1.0,
) -> CommitteeModes:
    """Return the members' modes in the order of the reference's, so that a frequency is compared with its own kind.

    The assignment maximises sum_k |<e_k|e_l(k)>|² (Hungarian method, `scipy.optimize.linear_sum_assignment`). Shapes:
    (K,), (K, n, 3), (M, K), (M, K, n, 3); real or complex (one wave vector). Raises ValueError for others.
    """
    reference_THz, members_THz = np.asarray(reference_THz, float), np.asarray(members_THz, float)
    vectors, member_vectors = np.asarray(vectors), np.asarray(member_vectors)
    if member_vectors.shape != (len(members_THz), *vectors.shape) or members_THz.shape != member_vectors.shape[:2]:
        raise ValueError(
            f"members' frequencies {members_THz.shape} and vectors {member_vectors.shape} do not fit the reference's "
            f"{reference_THz.shape} and {vectors.shape}."
        )
    if len(members_THz) < 2:
        raise ValueError("a spread needs at least 2 members.")
    count = len(reference_THz)
    own = vectors.reshape(count, -1)
    alike = np.abs(reference_THz[:, None] - reference_THz) < DEGENERATE_THZ
    matched, overlaps = np.zeros_like(members_THz), np.zeros_like(members_THz)
    for number, (frequencies, theirs) in enumerate(zip(members_THz, member_vectors, strict=True)):
        overlap = np.abs(own.conj() @ theirs.reshape(count, -1).T) ** 2
        order = linear_sum_assignment(overlap, maximize=True)[1]
        matched[number] = frequencies[order]
        overlaps[number] = (alike.astype(float) @ overlap)[np.arange(count), order]
    lost = np.flatnonzero(overlaps.min(axis=0) < _LEAST_OVERLAP)
    warning = ""
    if len(lost):
        names = ", ".join(map(str, lost[:8])) + (" ..." if len(lost) > 8 else "")
        warning = (
            f"modes {names} overlap less than {_LEAST_OVERLAP:g} with any mode of some member: the members disagree on "
            "the pattern, and the error of those frequencies is of neighbours too."
        )
    error = calibration * matched.std(axis=0, ddof=1)
    return CommitteeModes(reference_THz, vectors, matched, overlaps, error, float(calibration), warning)


def spectrum_band(
    frequencies_THz: np.ndarray,
    spectra: Sequence[np.ndarray] | np.ndarray,
    *,
    errors: Sequence[np.ndarray] | np.ndarray | None = None,
    calibration: float = 1.0,
) -> SpectrumBand:
    """Return mean and error band of the spectra (M, F) that M members found, each from trajectories of its own.

    sigma_committee² = α² max(0, var_m - <sigma_stat²>): the scatter between members holds their statistics too, which
    `errors` (M, F) says (`VDOS.error`); without, nothing is taken off. Members that started alike share part of their
    statistics: give no `errors` then, or too much is taken off. Raises ValueError for shapes that do not fit.
    """
    grid, members = np.asarray(frequencies_THz, float), np.asarray(spectra, float)
    if members.ndim != 2 or len(members) < 2 or members.shape[1:] != grid.shape:
        raise ValueError(
            f"spectra of shape {members.shape} do not fit {grid.shape} frequencies; give (members, F), M >= 2."
        )
    counted = np.zeros_like(members) if errors is None else np.asarray(errors, float)
    if counted.shape != members.shape:
        raise ValueError(f"errors of shape {counted.shape} do not fit spectra of shape {members.shape}.")
    own = np.nan_to_num(counted**2).mean(axis=0)
    between = np.maximum(0.0, members.var(axis=0, ddof=1) - own)
    return SpectrumBand(
        grid, members.mean(axis=0), calibration * np.sqrt(between), np.sqrt(own / len(members)), members
    )


def stick_band(
    modes: CommitteeModes,
    frequencies_THz: np.ndarray,
    *,
    fwhm_THz: float,
    weights: np.ndarray | None = None,
) -> SpectrumBand:
    """Return the harmonic spectrum sum_k w_k L(ν - ν_k) of every member, and its band; L a Lorentzian of this FWHM.

    `weights` (K,): by themselves 1 for every mode above `DEGENERATE_THZ`, a density of states; intensities or guest
    weights else. Raises ValueError for a width that is not positive.
    """
    if not fwhm_THz > 0:
        raise ValueError(f"fwhm_THz={fwhm_THz} must be positive.")
    weights = modes.reference_THz > DEGENERATE_THZ if weights is None else np.asarray(weights, float)
    grid, half = np.asarray(frequencies_THz, float), fwhm_THz / 2
    lines = half / np.pi / ((grid - modes.members_THz[..., None]) ** 2 + half**2)
    return spectrum_band(grid, np.einsum("k,mkf->mf", weights, lines), calibration=modes.calibration)


def reweighted_spectrum(
    frequencies_THz: np.ndarray,
    segment_spectra: np.ndarray,
    segment_member_energies_eV: np.ndarray,
    temperature_K: float,
    **options: Any,
) -> tuple[SpectrumBand, Reweighted]:
    """Return the band of a spectrum by linear reweighting of each frequency bin, from one trajectory on the mean.

    `segment_spectra` (S, F): one for each segment; `segment_member_energies_eV` (S, M): the members' energies of the
    segment's first frame, from where it ran; `options` go to `reweighted`. This weighs where the segments start; the
    motion itself stays that of the mean potential, so that a line which a member would shift is not shifted: for that
    take `committee_modes` or trajectories of the members (`spectrum_band`).
    """
    found = reweighted(segment_spectra, segment_member_energies_eV, temperature_K, **options)
    grid = np.asarray(frequencies_THz, float)
    return SpectrumBand(grid, found.mean, found.committee_error, found.statistical_error, found.members), found
