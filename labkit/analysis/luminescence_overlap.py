"""The generating function: from Huang-Rhys factors and a temperature to the vibronic overlap A(x) per meV.

The modes are summed in the time domain, exactly, as one small matrix product, and one FFT does the rest; so a slider
gets its answer in milliseconds, whatever the number of modes.

    symbol              variable
    E_k = ħω_k          energies_meV
    S_k                 factors
    n_k                 quanta
    x                   lost_meV: energy that stays with the phonons, E_ZPL - E in emission
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KB_MEV_K = 8.617333262e-2
_MOST_POINTS = 2**22
_LEAST_WEIGHT = 1e-10  # of the overlap that may lie outside of the grid
_NEGLIGIBLE = 8.6  # standard deviations after which a Gaussian is below 1e-16


@dataclass(frozen=True)
class VibronicOverlap:
    """lost_meV: equidistant energies x (M,); density: A(x) (M,) per meV, its sum times the spacing is 1."""

    lost_meV: np.ndarray
    density: np.ndarray

    @property
    def step_meV(self) -> float:
        """The spacing of the grid."""
        return float(self.lost_meV[1] - self.lost_meV[0])


def quanta(energies_meV: np.ndarray, temperature_K: float) -> np.ndarray:
    """Return Bose and Einstein's n_k = 1 / (exp(E_k / k_B T) - 1), shape (K,)."""
    if temperature_K == 0:
        return np.zeros_like(energies_meV)
    return 1.0 / np.expm1(np.minimum(energies_meV / (KB_MEV_K * temperature_K), 700.0))


def overlap(
    energies_meV: np.ndarray,
    factors: np.ndarray,
    *,
    temperature_K: float = 0.0,
    gamma_meV: float = 2.0,
    sigma_meV: float = 6.0,
    step_meV: float | None = None,
) -> VibronicOverlap:
    """Return A(x) = (1/2πħ) ∫ G(t) exp(i x t/ħ - γ|t|/ħ) dt on a grid that holds all of it.

    G(t) = exp[S(t) - S(0) + C(t) + C(-t) - 2 C(0)], S(t) = sum_k S_k exp(-i ω_k t - σ²t²/2ħ²), C(t) the same with
    n_k S_k. (2 C(t) for C(t) + C(-t), as some write, would lose the anti-Stokes side.) `gamma_meV`: half width of the
    zero-phonon line; `sigma_meV`: Gaussian width of each phonon; `step_meV`: a tenth of gamma unless given, and
    required for gamma 0. The grid is periodic: what a Lorentzian has beyond one end comes in at the other. Raises
    ValueError for parameters that are negative or not finite, or a grid of more than four million points.
    """
    energies, factors = np.asarray(energies_meV, dtype=float), np.asarray(factors, dtype=float)
    _check(energies, factors, temperature_K=temperature_K, gamma_meV=gamma_meV, sigma_meV=sigma_meV)
    step = gamma_meV / 10 if step_meV is None else step_meV
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"the grid needs a positive step: gamma_meV={gamma_meV}, step_meV={step_meV}.")
    n = quanta(energies, temperature_K)
    low, high = _window(energies, factors, n, sigma_meV)
    first = int(np.floor((low - 50 * gamma_meV) / step))
    points = _even(int(np.ceil((high + 50 * gamma_meV) / step)) - first + 2, gamma_meV / step)
    if points > _MOST_POINTS:
        raise ValueError(f"{points} energies would be needed; use a larger gamma than {gamma_meV:g} meV.")
    time = np.arange(points // 2 + 1) * (2 * np.pi / (points * step))  # t/ħ in 1/meV
    phonons = _phonon_sum(energies, factors, n, sigma_meV, time)
    generating = np.exp(phonons - (factors * (2 * n + 1)).sum() - gamma_meV * time)
    weights = np.roll(np.fft.irfft(generating, points), -first)
    return VibronicOverlap(step * (first + np.arange(points)), weights / step)


def spectral_density(
    energies_meV: np.ndarray, factors: np.ndarray, grid_meV: np.ndarray, sigma_meV: float = 6.0
) -> np.ndarray:
    """Return S(E) = sum_k S_k g_σ(E - E_k) per meV on `grid_meV` (M,), g a normalised Gaussian of width `sigma_meV`."""
    if not sigma_meV > 0:
        raise ValueError(f"sigma_meV={sigma_meV} must be positive to draw a density.")
    grid = np.asarray(grid_meV, dtype=float)
    shape = np.exp(-0.5 * ((grid[:, None] - energies_meV) / sigma_meV) ** 2)
    return shape @ factors / (sigma_meV * np.sqrt(2 * np.pi))


def single_mode_lines(energy_meV: float, factor: float, temperature_K: float = 0.0, most: int = 40) -> np.ndarray:
    """Return (p, weight) rows of one mode's lines at p quanta lost, from -most (0 at 0 K) to most.

    Poisson's exp(-S) S^p / p! at 0 K, else exp(-S(2n+1)) ((n+1)/n)^(p/2) I_p(2S sqrt(n(n+1))) (K. Huang and A. Rhys,
    Proc. R. Soc. A 204, 406 (1950)).
    """
    from scipy.special import ive
    from scipy.stats import poisson

    n = float(quanta(np.array([energy_meV]), temperature_K)[0])
    p = np.arange(-most if n > 0 else 0, most + 1)
    if n < 1e-12 or factor == 0:
        return np.column_stack([p, poisson.pmf(p, factor)])
    argument = 2 * factor * np.sqrt(n * (n + 1))
    logarithm = argument - factor * (2 * n + 1) + 0.5 * p * np.log((n + 1) / n)
    return np.column_stack([p, np.exp(logarithm) * ive(np.abs(p), argument)])


def _check(energies: np.ndarray, factors: np.ndarray, **named: float) -> None:
    if energies.shape != factors.shape or energies.ndim != 1:
        raise ValueError(
            f"{energies.shape} energies and {factors.shape} factors: one of each for every mode is needed."
        )
    if not (np.isfinite(energies).all() and np.isfinite(factors).all()):
        raise ValueError("energies and factors must be finite.")
    if (energies <= 0).any() or (factors < 0).any():
        raise ValueError("every mode needs a positive energy and a factor that is not negative.")
    for name, value in named.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name}={value} must be finite and not negative.")


def _phonon_sum(energies: np.ndarray, factors: np.ndarray, n: np.ndarray, sigma: float, time: np.ndarray) -> np.ndarray:
    """Return sum_k S_k [(2 n_k + 1) cos E_k t - i sin E_k t] exp(-σ²t²/2), shape (len(time),).

    With t = t_a + t_b, time index a B + b, the addition theorems turn the sum over modes into products of an (A, K) and
    a (K, B) matrix: exact, and far fewer cosines than times times modes.
    """
    result = np.zeros(len(time), dtype=complex)
    useful = len(time) if sigma == 0 else int(np.searchsorted(time, _NEGLIGIBLE / sigma, side="right"))
    if len(energies) == 0 or useful == 0:
        return result
    block = int(np.ceil(np.sqrt(useful)))
    slow = np.outer(np.arange(-(-useful // block)) * block * time[1], energies)
    fast = np.outer(np.arange(block) * time[1], energies)
    cos_slow, sin_slow, cos_fast, sin_fast = np.cos(slow), np.sin(slow), np.cos(fast), np.sin(fast)
    hot = factors * (2 * n + 1)
    even = (cos_slow * hot) @ cos_fast.T - (sin_slow * hot) @ sin_fast.T
    odd = (sin_slow * factors) @ cos_fast.T + (cos_slow * factors) @ sin_fast.T
    result[:useful] = (even - 1j * odd).ravel()[:useful] * np.exp(-0.5 * (sigma * time[:useful]) ** 2)
    return result


def _window(energies: np.ndarray, factors: np.ndarray, n: np.ndarray, sigma: float) -> tuple[float, float]:
    """Return energies below and above which less than 1e-10 of the overlap lies (Chernoff's bound, best over θ).

    K(θ) = sum S [(n+1)(exp(θE + θ²σ²/2) - 1) + n (exp(-θE + θ²σ²/2) - 1)] is the cumulant generating function.
    """
    if len(energies) == 0 or not factors.any():
        return 0.0, 0.0
    tilt = np.geomspace(1e-5, 30.0, 150) / max(energies.max(), sigma)
    wide = 0.5 * (tilt * sigma) ** 2
    up, down = (
        np.exp(np.minimum(sign * np.outer(tilt, energies) + wide[:, None], 300.0)) - 1.0 for sign in (1.0, -1.0)
    )
    stokes, anti = factors * (n + 1), factors * n
    allowance = -np.log(_LEAST_WEIGHT)
    high = ((up @ stokes + down @ anti + allowance) / tilt).min()
    low = -((down @ stokes + up @ anti + allowance) / tilt).min()
    return float(min(low, 0.0)), float(max(high, 0.0))


def _even(points: int, periods: float) -> int:
    """Return a length that the FFT likes, even, and long enough for a line `periods` steps wide."""
    from scipy.fft import next_fast_len

    return 2 * next_fast_len(max(points // 2 + 1, 8, int(8 * periods)), real=True)
