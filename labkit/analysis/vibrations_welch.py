"""Welch's averaged periodogram, cut into the pieces that all vibrational spectra share.

Lengths of segments, and their power with what finite differences damp divided out.
"""

from __future__ import annotations

import numpy as np

from labkit.analysis.vibrations_velocities import response

#: Segments, half overlapping, that a spectrum is averaged over when nobody asks for a resolution.
DEFAULT_SEGMENTS = 8


def segment_length(n_frames: int, interval_fs: float, resolution_THz: float | None) -> int:
    """Frames of a segment: 1/resolution, or such that half overlapping ones are 8. Raises ValueError where it is too
    long or too short.
    """
    if resolution_THz is None:
        return max(4, 2 * n_frames // (DEFAULT_SEGMENTS + 1))
    if not resolution_THz > 0:
        raise ValueError(f"resolution_THz={resolution_THz} must be positive.")
    length = round(1e3 / (resolution_THz * interval_fs))
    if length > n_frames:
        finest = 1e3 / (n_frames * interval_fs)
        raise ValueError(
            f"resolution_THz={resolution_THz:g} needs segments of {length} frames; the trajectory has {n_frames}. "
            f"Take {finest:.2g} THz or more, or run longer."
        )
    if length < 4:
        raise ValueError(f"resolution_THz={resolution_THz:g} leaves {length} frames for a segment; 4 are the least.")
    return length


def segment_starts(n_frames: int, length: int) -> range:
    """First frames of the segments, which overlap by half."""
    return range(0, n_frames - length + 1, max(1, length // 2))


def power_density(
    values: np.ndarray, interval_fs: float, window: str, padding: int, differences: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(frequencies (F,) THz, one-sided power density (F, ...) per THz) of a segment (L, ...); its integral is the mean
    square, weighted with the window's square. `differences`: see `response`.
    """
    from scipy import signal

    if padding < 1:
        raise ValueError(f"padding={padding} must be at least 1: the length of the padded segment over its own.")
    frequencies, power = signal.periodogram(
        values, 1e3 / interval_fs, window, nfft=len(values) * padding, detrend=False, scaling="density", axis=0
    )
    if differences:
        power = power / response(frequencies, interval_fs).reshape(-1, *[1] * (values.ndim - 1))
    return frequencies, power


def _window(name: str, length: int) -> np.ndarray:
    from scipy import signal

    return signal.get_window(name, length)


def noise_bandwidth_THz(length: int, interval_fs: float, window: str) -> float:
    """Equivalent noise bandwidth of a window of `length` frames, sum w² / [(sum w)² Δ]: 1.5/length for Hann."""
    w = _window(window, length)
    return float((w**2).sum() / (w.sum() ** 2 * interval_fs * 1e-3))


def overlap_correlation(length: int, window: str) -> float:
    """Correlation of the power in two segments that overlap by half, [sum w(t) w(t + L/2)/sum w²]²: 1/36 for Hann
    (Welch, IEEE Trans. Audio 15 (1967) 70).
    """
    w, shift = _window(window, length), max(1, length // 2)
    return float(((w[shift:] * w[:-shift]).sum() / (w**2).sum()) ** 2)
