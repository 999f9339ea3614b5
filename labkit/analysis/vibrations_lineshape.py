"""The spectrum that a damped vibration has after the spectral window has broadened it, in closed form.

The window multiplies the correlation function by a known one, so its broadening is part of the model instead of a
correction afterwards: a line narrower than the window can then be told from the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOWS = ("hann", "boxcar")
SHAPES = ("lorentzian", "oscillator")


@dataclass(frozen=True)
class LineModel:
    """S(ν) of C(t) = C0 Re[(1 + i a) exp(iΩt)] exp(-Γt/2), seen in segments of `length_ps` under `window`.

    "lorentzian": a = 0. "oscillator": a = Γ/2Ω, which is the velocity of x'' + Γ x' + ω0² x = noise with
    Ω² = ω0² - Γ²/4, without approximation. With ℓ(s) the window's own correlation, ℓ(0) = 1,
    S(ν) = 2 C0 L Re{(1 + i a)[G(u-) + G(u+)]} + B, G(u) = int_0^1 ℓ(s) exp(ius) ds, u± = (Ω ± 2πν + iΓ/2) L.
    Without a window (L → inf) near the peak: S = 4 C0/Γ (Γ/2)²/[(2πν - Ω)² + (Γ/2)²], Γ the full width.
    Parameters (R, 4): ln C0 (eV), Ω (rad/ps), ln Γ (rad/ps), B (eV/THz).
    """

    frequencies_THz: np.ndarray
    length_ps: float
    window: str = "hann"
    shape: str = "lorentzian"

    def __call__(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(S (R, F), its derivatives (R, F, 4)) for parameters (R, 4)."""
        C0, omega, gamma, ground = (column[:, None] for column in np.atleast_2d(parameters).T)
        C0, gamma, L = np.exp(C0), np.exp(gamma), self.length_ps
        grid = 2 * np.pi * self.frequencies_THz
        both, slope = 0.0, 0.0
        for sign in (-1, 1):
            value, derivative = transform((omega + sign * grid + 0.5j * gamma) * L, self.window)
            both, slope = both + value, slope + derivative * L
        a = gamma / (2 * omega) if self.shape == "oscillator" else 0.0 * gamma
        scale = 2 * C0 * L
        line = scale * ((1 + 1j * a) * both).real
        turn = scale * ((1 + 1j * a) * slope - 1j * a / omega * both).real
        widen = scale * (0.5j * gamma * (1 + 1j * a) * slope + 1j * a * both).real
        return line + ground, np.stack([line, turn, widen, np.ones_like(line)], axis=-1)


def transform(u: np.ndarray, window: str) -> tuple[np.ndarray, np.ndarray]:
    """(G(u), dG/du) of the window's correlation ℓ(s), G = int_0^1 ℓ(s) exp(ius) ds, for complex u with Im u >= 0.

    boxcar: ℓ = 1 - s. Hann: ℓ = (1 - s)(2 + cos 2πs)/3 + sin(2πs)/2π, the autocorrelation of sin²(πt) over its own
    value at 0. Raises ValueError for another window.
    """
    if window not in WINDOWS:
        raise ValueError(f"window={window!r} is unknown; use {' or '.join(map(repr, WINDOWS))}.")
    wave = np.exp(1j * u)  # the same at u ± 2π
    value, derivative = _ramp(u, wave)
    if window == "boxcar":
        return value, derivative
    above, above_d = _ramp(u + 2 * np.pi, wave)
    below, below_d = _ramp(u - 2 * np.pi, wave)
    # int_0^1 sin(2πs) exp(ius) ds / 2π, which is regular at u = ±2π where its denominator vanishes
    sine, sine_d = _sine(u, wave)
    return 2 / 3 * value + (above + below) / 6 + sine, 2 / 3 * derivative + (above_d + below_d) / 6 + sine_d


def _sine(u: np.ndarray, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int_0^1 sin(2πs) exp(ius) ds / 2π = (1 - exp(iu))/(4π² - u²), and its derivative."""
    down = 4 * np.pi**2 - u**2
    near = np.abs(down) < 0.1
    down = np.where(near, 1.0, down)
    value = (1 - wave) / down
    derivative = (-1j * wave + 2 * u * value) / down
    if near.any():
        v = u[near]
        t = 1j * (v - np.sign(v.real) * 2 * np.pi)
        # 1 - exp(t) = -t φ(t) with the small t = i (u ∓ 2π), and 4π² - u² = i t (u ± 2π)
        phi = 1 + t / 2 + t**2 / 6 + t**3 / 24 + t**4 / 120
        phi_d = 1 / 2 + t / 3 + t**2 / 8 + t**3 / 30
        far = v + np.sign(v.real) * 2 * np.pi
        value[near] = 1j * phi / far
        derivative[near] = -phi_d / far - 1j * phi / far**2
    return value, derivative


def _ramp(u: np.ndarray, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int_0^1 (1 - s) exp(ius) ds, and its derivative; wave = exp(iu)."""
    near = np.abs(u) < 0.02
    back = 1 / np.where(near, 1.0, u)
    value = (1 + 1j * u - wave) * back**2
    derivative = (1j * (1 - wave) * back - 2 * value) * back
    if near.any():
        w = 1j * u[near]
        value[near] = 1 / 2 + w / 6 + w**2 / 24 + w**3 / 120 + w**4 / 720
        derivative[near] = 1j * (1 / 6 + w / 12 + w**2 / 40 + w**3 / 180 + w**4 / 1008)
    return value, derivative
