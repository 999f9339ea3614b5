"""The vibrational density of states from velocities of molecular dynamics, by element or group of atoms.

The spectrum of the mass-weighted velocities counts the degrees of freedom at each frequency, anharmonic ones too: no
Hessian is needed, and its integral is known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import units
from scipy import fft

from labkit.analysis.vibrations_aliasing import edge_warning, force_warning
from labkit.analysis.vibrations_velocities import Velocities, by_element, velocities
from labkit.analysis.vibrations_welch import (
    noise_bandwidth_THz,
    overlap_correlation,
    power_density,
    segment_length,
    segment_starts,
)

__all__ = ["VDOS", "Velocities", "VelocityAutocorrelation", "vdos", "velocities", "velocity_autocorrelation"]

#: Wave numbers: 1 THz in 1/cm, exactly 1e10/c.
CM_PER_THZ = 1e10 / 299_792_458


@dataclass(frozen=True, eq=False)
class VDOS:
    """frequencies_THz (F,); total (F,) in 1/THz, integrates to `degrees_of_freedom`; error (F,): its standard error;
    groups, group_errors: name -> (F,), which sum up to total; temperature_K: of these degrees of freedom;
    resolution_THz: equivalent noise bandwidth of the window; warning: why not to trust it, or "".
    """

    frequencies_THz: np.ndarray
    total: np.ndarray
    error: np.ndarray
    groups: dict[str, np.ndarray]
    group_errors: dict[str, np.ndarray]
    degrees_of_freedom: int
    temperature_K: float
    resolution_THz: float
    n_segments: int
    window: str
    warning: str = ""

    @property
    def wavenumbers_cm(self) -> np.ndarray:
        """The frequencies as wave numbers, 1/cm."""
        return self.frequencies_THz * CM_PER_THZ

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        plain = dict(self.__dict__)
        for name in ("groups", "group_errors"):
            plain[name] = {key: value.tolist() for key, value in plain[name].items()}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in plain.items()}


@dataclass(frozen=True, eq=False)
class VelocityAutocorrelation:
    """lag_fs (L,); total (L,) = C(t)/C(0) of all atoms; groups: name -> (L,), each 1 at t = 0; C0_eV: sum m <v²>."""

    lag_fs: np.ndarray
    total: np.ndarray
    groups: dict[str, np.ndarray] = field(repr=False)
    C0_eV: float


def velocity_autocorrelation(
    velocities: Velocities, *, max_lag_fs: float | None = None, groups: Mapping[str, Any] | None = None
) -> VelocityAutocorrelation:
    """Return C(t) = sum_i m_i <v_i(0).v_i(t)> / sum_i m_i <v_i²>, averaged over all time origins.

    By FFT with zero padding, each lag divided by its number of origins. `max_lag_fs`: by itself half of the
    trajectory; `groups` as in `vdos`. Differences of positions are taken as they are. Raises ValueError for
    velocities that are all zero or a lag that is not positive.
    """
    if max_lag_fs is not None and not max_lag_fs > 0:
        raise ValueError(f"max_lag_fs={max_lag_fs} must be positive: the longest lag of the correlation in fs.")
    chosen, moving = _groups(velocities, groups), velocities.without_drift()
    n_frames = len(moving.values)
    interval = moving.frame_interval_fs
    lags = n_frames // 2 if max_lag_fs is None else min(n_frames - 1, round(max_lag_fs / interval))
    size = fft.next_fast_len(2 * n_frames, real=True)
    each = np.zeros((len(moving.masses_amu), lags + 1))
    for atom, mass in enumerate(moving.masses_amu):  # atom by atom: a transform of all would not fit into memory
        power = np.abs(fft.rfft(moving.values[:, atom], n=size, axis=0)) ** 2
        each[atom] = mass * fft.irfft(power.sum(axis=1), n=size)[: lags + 1]
    each /= n_frames - np.arange(lags + 1)
    total = each.sum(axis=0)
    if not total[0] > 0:
        raise ValueError("all velocities are zero: nothing vibrates. Start the dynamics at a temperature above zero.")
    parts = {name: each[atoms].sum(axis=0) for name, atoms in chosen.items()}
    return VelocityAutocorrelation(
        lag_fs=np.arange(lags + 1) * interval,
        total=total / total[0],
        groups={name: one / one[0] if one[0] > 0 else one for name, one in parts.items()},
        C0_eV=float(total[0]),
    )


def vdos(
    velocities: Velocities | Sequence[Velocities],
    *,
    resolution_THz: float | None = None,
    window: str = "hann",
    padding: int = 1,
    groups: Mapping[str, Any] | None = None,
) -> VDOS:
    """Return D(ν) = N_f sum_i m_i |v_i(ν)|² / sum_i m_i <v_i²>, averaged over segments that overlap by half (Welch).

    Several trajectories of the same atoms count together. The centre of mass is at rest: N_f = 3n - 3, or what
    `Velocities.removed` says, less `constrained`. `resolution_THz`: 1/length of a segment, by itself such that a
    trajectory gives 8; `window`: of scipy.signal; `padding`: zeros fill a segment to this many times its length;
    `groups`: name -> indices or mask of atoms that share the atoms among them, by itself the elements.

    Velocities that are differences of positions damp the power by [sin(πνΔ)/(πνΔ)]², which is divided out. The error
    is the scatter between trajectories where there are at least 3, else between segments: that one knows nothing of
    what is the same in all segments, such as the energy of a mode that never relaxes. `warning` says where vibrations
    are too fast for the frame interval, as far as forces in the frames or power at the end of the band tell. Raises
    ValueError for a resolution that the trajectory is too short for, unlike trajectories, no degrees of freedom, or
    velocities that are all zero.
    """
    pieces = [velocities] if isinstance(velocities, Velocities) else list(velocities)
    first = _alike(pieces)
    interval = first.frame_interval_fs
    length = segment_length(min(len(one.values) for one in pieces), interval, resolution_THz)
    chosen = _groups(first, groups)
    frequencies = fft.rfftfreq(length * padding, interval * 1e-3)
    step = frequencies[1]
    powers: list[list[np.ndarray]] = []
    warning = ""
    for piece in pieces:
        moving = piece.without_drift()
        own, squares = [], 0.0
        for start in segment_starts(len(moving.values), length):
            segment = moving.values[start : start + length]
            each = power_density(segment, interval, window, padding, moving.differences)[1]
            each = each.sum(axis=2) * moving.masses_amu
            squares = squares + (2 * np.pi * frequencies) ** 2 @ each * step
            own.append(np.array([each[:, atoms].sum(axis=1) for atoms in chosen.values()]))
        powers.append(own)
        warning = warning or force_warning(moving, squares / len(own))
    segments = np.array([one for own in powers for one in own])
    samples = np.array([np.mean(own, axis=0) for own in powers]) if len(pieces) >= 3 else segments
    mean = segments.mean(axis=0)
    integral = float(mean.sum() * step)
    if not integral > 0:
        raise ValueError("all velocities are zero: nothing vibrates. Start the dynamics at a temperature above zero.")
    freedom = 3 * len(first.masses_amu) - first.without_drift().removed - first.constrained
    if freedom < 1:
        raise ValueError(
            f"{len(first.masses_amu)} atom(s) with {first.without_drift().removed} degrees of freedom taken out and "
            f"{first.constrained} constrained have none left to vibrate."
        )
    scale = freedom / integral
    inflation = 1.0 if len(pieces) >= 3 else 1 + 2 * overlap_correlation(length, window)
    return VDOS(
        frequencies_THz=frequencies,
        total=mean.sum(axis=0) * scale,
        error=_standard_error(samples.sum(axis=1), inflation) * scale,
        groups=dict(zip(chosen, mean * scale, strict=True)),
        group_errors=dict(zip(chosen, _standard_error(samples, inflation) * scale, strict=True)),
        degrees_of_freedom=freedom,
        temperature_K=integral / (freedom * units.kB),
        resolution_THz=noise_bandwidth_THz(length, interval, window),
        n_segments=len(segments),
        window=window,
        warning=warning or edge_warning(frequencies, mean.sum(axis=0)),
    )


def _standard_error(samples: np.ndarray, inflation: float) -> np.ndarray:
    if len(samples) < 2:
        return np.full(samples.shape[1:], np.nan)
    return samples.std(axis=0, ddof=1) * np.sqrt(inflation / len(samples))


def _alike(pieces: list[Velocities]) -> Velocities:
    if not pieces:
        raise ValueError("there is no trajectory; give the velocities of at least one.")
    first = pieces[0]
    for number, one in enumerate(pieces[1:], start=1):
        same = one.symbols == first.symbols and one.removed == first.removed and one.differences == first.differences
        same = same and one.constrained == first.constrained
        if not same or not np.isclose(one.frame_interval_fs, first.frame_interval_fs):
            raise ValueError(
                f"trajectory {number} differs from the first in atoms, interval or kind of its velocities."
            )
    return first


def _groups(velocities: Velocities, groups: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    if groups is None:
        return by_element(velocities.symbols)
    n = len(velocities.masses_amu)
    chosen = {}
    for name, atoms in groups.items():
        indices = np.asarray(atoms)
        chosen[name] = np.flatnonzero(indices) if indices.dtype == bool else indices.astype(int)
    named = np.concatenate([*chosen.values(), np.zeros(0, int)])
    if len(named) and not 0 <= named.min() <= named.max() < n:
        raise ValueError(f"the groups name atoms {named.min()} to {named.max()}; there are those from 0 to {n - 1}.")
    counts = np.bincount(named, minlength=n)
    if (counts != 1).any():
        atom = int(np.flatnonzero(counts != 1)[0])
        raise ValueError(f"the groups must share out all {n} atoms; atom {atom} stands in {counts[atom]} of them.")
    return chosen
