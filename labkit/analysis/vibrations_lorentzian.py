"""Frequency, width and lifetime of a vibration from the spectrum of its projected velocity, with error bars.

The line is fitted as the spectral window shows it, so that the window adds nothing to the width, and the error bar
comes from fitting again what blocks of time, drawn anew, would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labkit.analysis.vibrations_aliasing import folded_warning
from labkit.analysis.vibrations_first_look import Blocks, find_line, first_look
from labkit.analysis.vibrations_lineshape import SHAPES, WINDOWS, LineModel
from labkit.analysis.vibrations_modes import ModeVelocities, together
from labkit.analysis.vibrations_whittle import likelihood_errors, whittle
from labkit.errors import NotConverged

#: Blocks of time that a first look at the line is taken with, and the most that the fit cuts.
_FIRST_BLOCKS, _MOST_BLOCKS, _LEAST_BLOCKS = 10, 64, 6
#: A block should last so many times 1/Γ: then blocks are independent, and the window is narrower than the line.
_BLOCK_LIFETIMES = 12.0
#: Part of the modes' mean square below which a mode is at rest.
_AT_REST = 1e-16
#: Below this many, the width is the window's rather than the line's.
_LEAST_LIFETIMES = 2.0


@dataclass(frozen=True, eq=False)
class ModeLine:
    """The line of one mode. frequency_THz, width_rad_ps (Γ, full width at half maximum, angular, the friction taken
    off), energy_eV (<Qdot²> under the line), each with error and interval at `confidence`; harmonic_THz: NaN where
    unknown; frequencies_THz, power, fitted (F,): spectrum and fit in eV/THz, within the range of the fit.
    """

    mode: int
    harmonic_THz: float
    frequency_THz: float
    frequency_error_THz: float
    width_rad_ps: float
    width_error_rad_ps: float
    width_interval_rad_ps: tuple[float, float]
    energy_eV: float
    friction_per_ps: float
    confidence: float
    block_ps: float
    n_blocks: int
    shape: str
    warning: str
    frequencies_THz: np.ndarray = field(repr=False)
    power: np.ndarray = field(repr=False)
    fitted: np.ndarray = field(repr=False)

    @property
    def shift_THz(self) -> float:
        """Anharmonic shift: the frequency minus the harmonic one."""
        return self.frequency_THz - self.harmonic_THz

    @property
    def width_THz(self) -> float:
        """Full width at half maximum of the line on the axis of frequencies, Γ/2π."""
        return self.width_rad_ps / (2 * np.pi)

    @property
    def lifetime_ps(self) -> float:
        """τ = 1/Γ: the energy of the mode decays as exp(-t/τ), its velocity as cos(ωt) exp(-t/2τ)."""
        return float("inf") if self.width_rad_ps <= 0 else 1 / self.width_rad_ps

    @property
    def lifetime_interval_ps(self) -> tuple[float, float]:
        """Interval of τ at `confidence`; infinite above where the friction alone explains the width."""
        low, high = self.width_interval_rad_ps
        return (float("inf") if high <= 0 else 1 / high, float("inf") if low <= 0 else 1 / low)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, without the curves, in JSON-able form; None for what is not finite."""
        curves = ("frequencies_THz", "power", "fitted")
        plain = {name: value for name, value in self.__dict__.items() if name not in curves}
        names = ("shift_THz", "width_THz", "lifetime_ps", "lifetime_interval_ps")
        plain |= {name: getattr(self, name) for name in names}
        pairs = ("width_interval_rad_ps", "lifetime_interval_ps")
        plain |= {name: [_finite(end) for end in plain[name]] for name in pairs}
        return {name: _finite(value) for name, value in plain.items()}

    def __str__(self) -> str:
        """Frequency, width and lifetime with their errors."""
        low, high = self.lifetime_interval_ps
        text = f"mode {self.mode}: {self.frequency_THz:.3f} ± {self.frequency_error_THz:.3f} THz, "
        text += f"Γ = {self.width_rad_ps:.3g} ± {self.width_error_rad_ps:.2g} rad/ps, τ = {self.lifetime_ps:.3g} ps "
        return text + f"({low:.3g} to {high:.3g})" + (f"; {self.warning}" if self.warning else "")


def fit_lines(projected: ModeVelocities | Sequence[ModeVelocities], **options: Any) -> list[ModeLine]:
    """Return the line of every mode, by `fit_line` with the same `options`; a mode that has none gets one of NaN whose
    `warning` says why.
    """
    first = together(projected)[0]
    lines = []
    for place, mode in enumerate(first.indices):
        try:
            lines.append(fit_line(projected, int(mode), **options))
        except NotConverged as error:
            lines.append(_no_line(int(mode), float(first.harmonic_THz[place]), str(error)))
    return lines


def lines_table(lines: Sequence[ModeLine]) -> Any:
    """DataFrame: mode, harmonic_THz, frequency_THz, frequency_error_THz, shift_THz, width_rad_ps, width_error_rad_ps,
    lifetime_ps, lifetime_low_ps, lifetime_high_ps, warning.
    """
    import pandas as pd

    names = ("mode", "harmonic_THz", "frequency_THz", "frequency_error_THz", "shift_THz", "width_rad_ps")
    names = (*names, "width_error_rad_ps", "lifetime_ps")
    rows = []
    for line in lines:
        low, high = line.lifetime_interval_ps
        ends = {"lifetime_low_ps": low, "lifetime_high_ps": high, "warning": line.warning}
        rows.append({name: getattr(line, name) for name in names} | ends)
    return pd.DataFrame(rows, columns=[*names, "lifetime_low_ps", "lifetime_high_ps", "warning"])


def fit_line(
    projected: ModeVelocities | Sequence[ModeVelocities],
    mode: int,
    *,
    shape: str = "oscillator",
    friction_per_ps: float = 0.0,
    range_THz: tuple[float, float] | None = None,
    block_ps: float | None = None,
    window: str = "hann",
    background: bool = True,
    resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> ModeLine:
    """Return the line of mode number `mode`, S(ω) = A (Γ/2)²/[(ω - ω0)² + (Γ/2)²] (+ background) under the window.

    Time is cut into blocks (`block_ps`, by itself 12/Γ), whose mean periodogram is fitted by maximum likelihood with
    the window's broadening inside the model (`LineModel`). "oscillator" is the shape of a damped oscillator's
    velocity, which is the Lorentzian for Γ small beside ω0 and has the full width Γ for any. Error bars: blocks drawn
    with replacement and fitted again, the scatter of ln Γ, at least that of the likelihood, times Student's t. Several
    trajectories, such as NVE runs started from one NVT run, count as more blocks. A thermostat acts on the line:
    Langevin's `friction_per_ps` adds to Γ and is taken off here, a global one (Bussi) adds little. The width holds
    dephasing as well as decay of the energy. `range_THz`: where to look for the line and to fit it; by itself around
    the highest peak. A doubtful line says why in `warning`. Raises ValueError for options out of range or too few
    frames and NotConverged where no line fits or the harmonic frequency is beyond what the frame interval resolves.
    """
    from scipy.special import stdtrit

    pieces = together(projected)
    if shape not in SHAPES or window not in WINDOWS:
        raise ValueError(f"shape={shape!r} and window={window!r}; use one of {SHAPES} and of {WINDOWS}.")
    if not 0.5 <= confidence < 1 or resamples < 20 or not friction_per_ps >= 0:
        raise ValueError(
            f"confidence={confidence} must lie between 0.5 and 1, resamples={resamples} be 20 or more and "
            f"friction_per_ps={friction_per_ps} not negative."
        )
    place = pieces[0].place(mode)
    interval = pieces[0].frame_interval_fs * 1e-3
    series = [np.asarray(one.values[:, one.place(mode)]) for one in pieces]
    if np.mean(series[0] ** 2) <= _AT_REST * max(1e-4, np.mean(pieces[0].values ** 2)):
        raise NotConverged(f"mode {mode} does not move: it is a translation or rotation, or its motion was taken out.")
    beyond = folded_warning(np.array([mode]), pieces[0].harmonic_THz[[place]], pieces[0].frame_interval_fs)
    if beyond:
        raise NotConverged(beyond)
    shortest, everything = min(map(len, series)), sum(map(len, series))
    length = min(shortest, everything // _FIRST_BLOCKS)
    if block_ps is not None:
        length = round(block_ps / interval)
    spectra = Blocks(series, interval, window, pieces[0].differences)
    if block_ps is None:
        theta = find_line(spectra, length, shape, range_THz, background)
        wanted = round(_BLOCK_LIFETIMES / np.exp(theta[2]) / interval)
        longest = min(shortest, everything // _LEAST_BLOCKS)
        length = int(np.clip(wanted, max(16, everything // _MOST_BLOCKS), max(16, longest)))
    theta, chosen = first_look(spectra, length, shape, range_THz, background)
    grid, powers = spectra.cut(length)
    grid, powers = grid[chosen], powers[:, chosen]
    model = LineModel(grid, length * interval, window, shape)
    best, converged = whittle(model, powers.mean(axis=0), theta, ground=background)
    best = best[0]
    nowhere = (
        f"no line fits mode {mode}: its spectrum has no single peak. Give range_THz around one, or a short block_ps."
    )
    if not (converged[0] and grid[0] <= best[1] / (2 * np.pi) <= grid[-1]):
        raise NotConverged(nowhere)
    drawn = np.random.default_rng(seed).multinomial(len(powers), np.full(len(powers), 1 / len(powers)), size=resamples)
    again, fine = whittle(model, drawn @ powers / len(powers), best, ground=background)
    if fine.mean() < 0.5:
        raise NotConverged(nowhere)
    # A sample of B blocks scatters about its own mean, which makes its variance too small by (B - 1)/B.
    spread = again[fine].std(axis=0, ddof=1) * np.sqrt(len(powers) / (len(powers) - 1))
    # A dozen blocks may agree by chance: no error bar is smaller than what the likelihood itself knows.
    spread = np.maximum(spread, likelihood_errors(model, best, len(powers), ground=background))
    factor = float(stdtrit(len(powers) - 1, 0.5 + confidence / 2))  # Student's t
    width = float(np.exp(best[2]))
    low, high = (width * float(np.exp(sign * factor * spread[2])) - friction_per_ps for sign in (-1, 1))
    return ModeLine(
        mode=mode,
        harmonic_THz=float(pieces[0].harmonic_THz[place]),
        frequency_THz=_undamped(best, shape),
        frequency_error_THz=float(spread[1] / (2 * np.pi)),
        width_rad_ps=width - friction_per_ps,
        width_error_rad_ps=float(width * spread[2]),
        width_interval_rad_ps=(low, high),
        energy_eV=float(np.exp(best[0])),
        friction_per_ps=float(friction_per_ps),
        confidence=float(confidence),
        block_ps=length * interval,
        n_blocks=len(powers),
        shape=shape,
        warning=_doubts(width, length * interval, len(powers), fine, width - friction_per_ps),
        frequencies_THz=grid,
        power=powers.mean(axis=0),
        fitted=model(best)[0][0],
    )


def _no_line(mode: int, harmonic_THz: float, why: str) -> ModeLine:
    nan, none = float("nan"), np.zeros(0)
    numbers = (nan, nan, nan, nan, (nan, nan), nan, 0.0, nan, nan, 0, "none")
    return ModeLine(mode, harmonic_THz, *numbers, why, none, none, none)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _undamped(parameters: np.ndarray, shape: str) -> float:
    """Frequency (THz) of the peak: Ω/2π, of an oscillator sqrt(Ω² + Γ²/4)/2π."""
    omega, gamma = parameters[1], np.exp(parameters[2])
    return float((np.hypot(omega, gamma / 2) if shape == "oscillator" else omega) / (2 * np.pi))


def _doubts(width: float, block_ps: float, n_blocks: int, fine: np.ndarray, own: float) -> str:
    said = []
    if width * block_ps < _LEAST_LIFETIMES:
        said.append(
            f"the line is narrower than blocks of {block_ps:.3g} ps resolve: take Γ as an upper limit, or run longer."
        )
    if n_blocks < _LEAST_BLOCKS:
        said.append(f"{n_blocks} blocks of time are few for an error bar; run longer.")
    if fine.mean() < 0.9:
        said.append(f"{100 * (1 - fine.mean()):.0f} % of the resampled fits failed: is there more than one peak?")
    if own <= 0:
        said.append("the friction explains the whole width; use a smaller one, or segments without a thermostat.")
    return " ".join(said)
