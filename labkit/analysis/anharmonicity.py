"""How far from harmonic an atom moves: skewness, excess kurtosis and potential of mean force of its displacement.

In a harmonic crystal every displacement is Gaussian, so both moments vanish and the potential of mean force is a
parabola. Neighbouring frames are alike: all errors count independent samples, not frames.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.geometry import get_distances
from numpy.polynomial import Polynomial

FEWEST_SAMPLES = 20
#: Bins with fewer independent samples than this say nothing about a free energy.
FEWEST_IN_A_BIN = 5.0


@dataclass(frozen=True)
class Anharmonicity:
    """Moments of a displacement with their standard errors.

    mean_A, std_A in Å. skewness = <z^3>, excess_kurtosis = <z^4> - 3 with z = (u - mean) / std; both 0 for a harmonic
    crystal. effective_samples: frames divided by the statistical inefficiency of the fluctuations (of <z^2>).
    """

    mean_A: float
    std_A: float
    skewness: float
    skewness_error: float
    excess_kurtosis: float
    excess_kurtosis_error: float
    frames: int
    effective_samples: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class PotentialOfMeanForce:
    """-kT ln p(u), its minimum at zero: displacements_A (m,) Å, energies_eV (m,), errors_eV (m,), counts (m,)."""

    displacements_A: np.ndarray
    energies_eV: np.ndarray
    errors_eV: np.ndarray
    counts: np.ndarray
    temperature_K: float

    def fit(self, degree: int = 6) -> Polynomial:
        """The polynomial (eV, of Å) through the points, weighted by their errors."""
        return Polynomial.fit(self.displacements_A, self.energies_eV, degree, w=1 / self.errors_eV)

    def barrier_eV(self, at_A: float = 0.0, degree: int = 6) -> float:
        """Height of the fitted curve at `at_A` above its lower minimum; 0 when `at_A` lies in the minimum itself."""
        curve = self.fit(degree)
        grid = np.linspace(self.displacements_A[0], self.displacements_A[-1], 2001)
        return float(max(0.0, curve(at_A) - curve(grid).min()))


def anharmonicity(displacements_A: np.ndarray) -> Anharmonicity:
    """Return the moments of displacements along one axis: (T,) of one atom, or (T, k) of k equivalent ones.

    The error of a moment is that of the mean over time of its influence function (z^3 - g - 3z - 3/2 g (z^2 - 1) for
    the skewness g; z^4 - K - 4 g z - 2 K (z^2 - 1) for the kurtosis K), averaged over atoms first and widened by its
    statistical inefficiency: so neither alike frames nor atoms that move together count twice. Raises ValueError for
    fewer than 20 frames or no motion.
    """
    values = np.asarray(displacements_A, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) < FEWEST_SAMPLES or not np.isfinite(values).all():
        raise ValueError(
            f"displacements of the shape {values.shape}: give (frames, atoms) with at least {FEWEST_SAMPLES} finite "
            "frames."
        )
    mean, std = values.mean(), values.std()
    if not std > 0:
        raise ValueError("nothing moves: all displacements are the same. Is this a relaxed structure, not dynamics?")
    z = (values - mean) / std
    skew, kurtosis = float((z**3).mean()), float((z**4).mean())
    of_skew = (z**3 - skew - 3 * z - 1.5 * skew * (z**2 - 1)).mean(axis=1)
    of_kurtosis = (z**4 - kurtosis - 4 * skew * z - 2 * kurtosis * (z**2 - 1)).mean(axis=1)
    return Anharmonicity(
        mean_A=float(mean),
        std_A=float(std),
        skewness=skew,
        skewness_error=mean_error(of_skew),
        excess_kurtosis=kurtosis - 3,
        excess_kurtosis_error=mean_error(of_kurtosis),
        frames=len(values),
        effective_samples=len(values) / statistical_inefficiency((z**2).mean(axis=1)),
    )


def potential_of_mean_force(
    displacements_A: np.ndarray, temperature_K: float, *, bins: int = 40, symmetric: bool = False
) -> PotentialOfMeanForce:
    """Return -kT ln p(u) of displacements (T,) or (T, k) along one axis.

    symmetric: u and -u are equivalent by symmetry, and both count. The error is kT sigma(p) / p with the statistical
    inefficiency of each bin's occupation; bins with fewer than five independent visits are left out. Raises ValueError
    when none is left, for numbers that are not finite, or for a temperature that is not positive.
    """
    if not temperature_K > 0:
        raise ValueError(f"temperature_K is {temperature_K:g}; a potential of mean force needs one above zero.")
    values = np.asarray(displacements_A, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"displacements of the shape {values.shape}: give (frames, atoms), all of them finite.")
    values = np.concatenate([values, -values], axis=1) if symmetric else values
    edges = np.histogram_bin_edges(values, bins)
    place = np.clip(np.digitize(values, edges) - 1, 0, bins - 1)
    occupied = np.stack([(place == one).mean(axis=1) for one in range(bins)], axis=1)
    part = occupied.mean(axis=0)
    errors = np.array([mean_error(one) if one.any() else np.inf for one in occupied.T])
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = (part > 0) & (part / errors > np.sqrt(FEWEST_IN_A_BIN))
    if kept.sum() < 3:
        raise ValueError("too few independent samples for a potential of mean force; give a longer trajectory.")
    kT = units.kB * temperature_K
    energies = -kT * np.log(part[kept])
    centres = (edges[:-1] + edges[1:]) / 2
    counts = (part * values.size).round().astype(int)
    return PotentialOfMeanForce(
        centres[kept], energies - energies.min(), kT * errors[kept] / part[kept], counts[kept], float(temperature_K)
    )


def statistical_inefficiency(series: np.ndarray) -> float:
    """Return g = 1 + 2 sum_k (1 - k/T) rho_k of a series (T,): how many frames make one independent sample.

    The sum ends where the autocorrelation of two neighbouring lags falls to zero (C. J. Geyer, Stat. Sci. 7, 473
    (1992)).
    """
    deviation = np.asarray(series, dtype=float) - np.mean(series)
    n = len(deviation)
    power = np.abs(np.fft.rfft(deviation, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[:n] / n
    if not correlation[0] > 0:
        return 1.0
    rho = correlation / correlation[0]
    pairs = rho[0 : n - n % 2 : 2] + rho[1:n:2]
    negative = np.flatnonzero(pairs <= 0)
    last = 2 * int(negative[0]) if len(negative) else n - n % 2
    return float(max(1.0, 2 * rho[:last].sum() - 1))


def mean_error(series: np.ndarray) -> float:
    """Return the standard error of the mean of a correlated series (T,)."""
    return float(np.std(series, ddof=1) * np.sqrt(statistical_inefficiency(series) / len(series)))


def axes_to_nearest(ideal: Atoms, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (unit vectors (n, 3), distances (n,) in Å) from each atom to the nearest of `sites` (v, 3), by images.

    Raises ValueError when there are no sites, or an atom sits on one.
    """
    if not np.size(sites):
        raise ValueError("there are no sites to measure from; was no vacancy found?")
    vectors, distances = get_distances(
        ideal.positions, np.asarray(sites, dtype=float).reshape(-1, 3), cell=ideal.cell, pbc=ideal.pbc
    )
    nearest = distances.argmin(axis=1)
    rows = np.arange(len(ideal))
    distance = distances[rows, nearest]
    if not distance.min() > 0:
        raise ValueError(f"atom {int(distance.argmin())} sits on a site; an axis from it to itself has no direction.")
    return vectors[rows, nearest] / distance[:, None], distance


def along(displacements_A: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return u_i(t) . a_i, (T, n), of displacements (T, n, 3) along one unit vector for each atom (n, 3)."""
    return np.einsum("tix,ix->ti", displacements_A, axes)
