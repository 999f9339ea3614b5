"""Where the line of a mode lies, before it is fitted: blocks of time, their spectra, and a first fit.

The range of the fit follows from the line, and the line from the fit within that range, so both are found in turns.
"""

from __future__ import annotations

import numpy as np

from labkit.analysis.vibrations_lineshape import LineModel
from labkit.analysis.vibrations_welch import power_density
from labkit.analysis.vibrations_whittle import whittle

#: The fit takes the spectrum within this many full widths of the peak, as the window shows it.
FIT_WIDTHS = 6.0
#: A peak with less than this part of the energy, and less than so many times as high as the median around it, is noise
#: on a line so broad that shorter blocks are needed to see it; these are believed from the last part on.
_SPIKE, _CONTRAST, _LINE = 0.2, 5.0, 0.5


class Blocks:
    """The series of one mode, cut into blocks of any length."""

    def __init__(self, series: list[np.ndarray], interval_ps: float, window: str, differences: bool) -> None:
        self.series, self.interval_ps, self.window, self.differences = series, interval_ps, window, differences

    def cut(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """(frequencies (F,) THz, power (B, F)) of all blocks of `length` frames."""
        cuts = [one[: len(one) // length * length].reshape(-1, length) for one in self.series]
        blocks = np.concatenate(cuts) if length >= 4 else np.zeros((0, 4))
        if length < 16 or len(blocks) < 2:
            frames = ", ".join(str(len(one)) for one in self.series)
            raise ValueError(
                f"blocks of {length} frames leave {len(blocks)} of {frames} frames; a line needs at least 2 blocks of "
                "16 frames. Run longer, or write frames more often."
            )
        grid, power = power_density(blocks.T, self.interval_ps * 1e3, self.window, 1, self.differences)
        return grid[1:], power[1:].T


def find_line(
    spectra: Blocks, length: int, shape: str, range_THz: tuple[float, float] | None, background: bool
) -> np.ndarray:
    """Parameters (4,) of the line that holds the energy, looked for in blocks of `length` frames, then in shorter ones:
    where a line is much broader than the bins, the highest bin is noise, and a fit around it finds that only.
    """
    first, span = None, length * spectra.interval_ps
    wide = np.inf if range_THz is None else range_THz[1] - range_THz[0]
    while first is None or (length >= 32 and wide * span >= 8):
        theta, near = first_look(spectra, length, shape, range_THz, background)
        grid, powers = spectra.cut(length)
        power = powers.mean(axis=0)
        inside = slice(None) if range_THz is None else (grid >= range_THz[0]) & (grid <= range_THz[1])
        share = np.exp(theta[0]) / max(power[inside].sum() / span, 1e-300)
        if first is None:
            first = theta
            if share >= _SPIKE or power[near].max() > _CONTRAST * np.median(power[near]):
                break
        elif _LINE <= share <= 1 / _LINE and grid[0] <= theta[1] / (2 * np.pi) <= grid[-1]:
            return theta
        length //= 4
        span = length * spectra.interval_ps
    return first


def first_look(
    spectra: Blocks, length: int, shape: str, range_THz: tuple[float, float] | None, background: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(parameters (4,), mask (F,) of the bins to fit) of the line around the highest peak."""
    grid, powers = spectra.cut(length)
    power, L = powers.mean(axis=0), length * spectra.interval_ps
    allowed = np.ones_like(grid, bool)
    if range_THz is not None:
        allowed = (grid >= range_THz[0]) & (grid <= range_THz[1])
        if allowed.sum() < 6:
            raise ValueError(
                f"range_THz={range_THz} holds {allowed.sum()} frequencies, {1 / L:.3g} THz apart; 6 at least."
            )
    peak = int(np.argmax(np.where(allowed, power, -1.0)))
    seen, theta = 2 / L, None
    for _ in range(3):
        # The range follows the line: too wide a one would hold other modes, too narrow a one no wings.
        near = allowed if range_THz is not None else np.abs(grid - grid[peak]) <= FIT_WIDTHS * seen
        if theta is None:
            # A Lorentzian of this area and height has Γ = 4 area/height; the window has widened what is seen.
            total = power[near].sum() / L
            theta = np.array([np.log(total), 2 * np.pi * grid[peak], np.log(4 * total / power[peak]), 0.0])
        model = LineModel(grid[near], L, spectra.window, shape)
        theta = whittle(model, power[near], theta, ground=background)[0][0]
        seen = np.exp(theta[2]) / (2 * np.pi) + 1.5 / L
        peak = int(np.argmin(np.abs(grid - theta[1] / (2 * np.pi))))
    return theta, near
