"""The step of a steepest descent on a quadratic landscape, solved exactly, and which points of a path are kept."""

from __future__ import annotations

import numpy as np


def decay_times(values: np.ndarray, parts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(1 - exp(-b t)) / b (k, m) with the t for which the step |parts * that| is `lengths` (k,), or t = ∞ if shorter.

    The length grows with t, so t is found by bisection of its logarithm.
    """
    low, high = np.full(len(values), -25.0), np.full(len(values), 12.0)
    for _ in range(45):
        middle = (low + high) / 2
        beyond = np.linalg.norm(parts * _growth(values, np.exp(middle)), axis=1) > lengths
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return _growth(values, np.exp(low))


def _growth(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    product = np.clip(values * times[:, None], -60.0, None)
    tiny = abs(product) < 1e-8
    return np.where(tiny, times[:, None], -np.expm1(-product) / np.where(tiny, 1.0, values))


def thinned(places: np.ndarray, saddle: int, images: int) -> list[int]:
    """Indices of about `images` points, even in arc length on each side; both ends and the saddle always stay."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=(1, 2)))])
    half = max(2, (images + 1) // 2)
    targets = [*np.linspace(0.0, arc[saddle], half), *np.linspace(arc[saddle], arc[-1], half)]
    near = {int(np.argmin(abs(arc - target))) for target in targets}
    return sorted(near | {0, saddle, len(places) - 1})
