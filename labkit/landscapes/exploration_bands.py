"""Bands between pairs of minima, all images of all pairs in one batch, only as good as a saddle search needs its start.

The one idea: a band is run twice with the same code, first on the pair-distance surface of IDPP, which costs nothing
and keeps atoms apart, then for a few steps on the true one; its interior maxima are handed to eigenvector following.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labkit.landscapes.surface import Surface
from labkit.simulators.fire import FireState

#: Steps of the interpolation, which is cheap, and its stiffness (eV).
IDPP_STEPS, IDPP_EV = 60, 1.0
#: A band whose largest perpendicular force is below this (eV/Å) is good enough to read saddles from.
GOOD_EV_A = 0.1

#: Interior images (j, m, n, 3) of the bands with the indices (j,) -> energies (j, m) eV, forces (j, m, n, 3) eV/Å.
Forces = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def candidates(
    surface: Surface,
    firsts: np.ndarray,
    seconds: np.ndarray,
    ends_eV: np.ndarray,
    *,
    images: int,
    steps: int,
    spring_eV_A2: float = 1.0,
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """For each of k pairs of aligned structures (k, n, 3), the interior maxima of its band: (positions, tangent).

    ends_eV: (k, 2), the energies of the pairs. images: structures between the two ends. steps: of the band on the true
    surface. A band whose energies are not finite, or that has no interior maximum, gives none.
    """
    if not len(firsts):
        return []
    fractions = np.linspace(0.0, 1.0, images + 2)[None, :, None, None]
    bands = firsts[:, None] + fractions * (seconds - firsts)[:, None]
    inner = fractions[:, 1:-1]
    wanted = _pair_distances(firsts)[:, None] * (1 - inner) + _pair_distances(seconds)[:, None] * inner
    bands = relaxed(bands, np.zeros_like(ends_eV), lambda x, j: idpp(x, wanted[j]), IDPP_STEPS, spring_eV_A2)[0]
    bands, energies = relaxed(bands, ends_eV, lambda x, _: _on(surface, x), steps, spring_eV_A2)
    return [_maxima(band, one) for band, one in zip(bands, energies, strict=True)]


def relaxed(
    bands: np.ndarray, ends_eV: np.ndarray, forces_of: Forces, steps: int, spring_eV_A2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bands (k, m, n, 3) after `steps` FIRE steps of a nudged elastic band with fixed ends, and their energies (k, m).

    F_i = F_i^⊥ + k (|x_{i+1} - x_i| - |x_i - x_{i-1}|) τ_i with the improved tangents τ of G. Henkelman and H. Jónsson,
    J. Chem. Phys. 113, 9978 (2000). A band that is good, or whose forces are not finite, rests.
    """
    bands = bands.copy()
    movers = [FireState() for _ in bands]
    energies = np.concatenate(
        [ends_eV[:, :1], np.full((len(bands), bands.shape[1] - 2), np.nan), ends_eV[:, 1:]], axis=1
    )
    active = np.arange(len(bands))
    for step in range(steps + 1):
        energies[active, 1:-1], forces = forces_of(bands[active, 1:-1], active)
        if step == steps:
            break
        tangents = tangents_of(bands[active], energies[active])
        along = np.einsum("kmnx,kmnx->km", forces, tangents)
        gaps = np.sqrt((np.diff(bands[active], axis=1) ** 2).sum(axis=(2, 3)))
        across = forces - along[..., None, None] * tangents
        nudged = across + (spring_eV_A2 * np.diff(gaps, axis=1))[..., None, None] * tangents
        worst = np.linalg.norm(across, axis=3).max(axis=(1, 2))
        going = np.isfinite(nudged).all(axis=(1, 2, 3)) & (worst > GOOD_EV_A)
        active, nudged = active[going], nudged[going]
        for index, push in zip(active, nudged, strict=True):
            bands[index, 1:-1] += movers[index].displacement(push.reshape(-1, 3)).reshape(push.shape)
        if not len(active):
            break
    return bands, energies


def tangents_of(bands: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Unit tangents (k, m - 2, n, 3) at the interior images, towards the higher neighbour."""
    ahead, behind = bands[:, 2:] - bands[:, 1:-1], bands[:, 1:-1] - bands[:, :-2]
    up, down = energies[:, 2:] - energies[:, 1:-1], energies[:, :-2] - energies[:, 1:-1]
    high, low = np.maximum(abs(up), abs(down)), np.minimum(abs(up), abs(down))
    rising = energies[:, 2:] > energies[:, :-2]
    forward = np.where((up > 0) & (down < 0), 1.0, np.where((up < 0) & (down > 0), 0.0, np.where(rising, high, low)))
    back = np.where((up > 0) & (down < 0), 0.0, np.where((up < 0) & (down > 0), 1.0, np.where(rising, low, high)))
    tangents = forward[..., None, None] * ahead + back[..., None, None] * behind
    lengths = np.sqrt((tangents**2).sum(axis=(2, 3), keepdims=True))
    return tangents / np.maximum(lengths, 1e-12)


def idpp(bands: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energies (k, m) and forces (k, m, n, 3) of the image-dependent pair potential S = Σ_{i<j} (d_ij - r_ij)² / r_ij⁴.

    wanted: d (k, m, n, n) Å; the weight is held fixed within a step. Source: S. Smidstrup et al., J. Chem. Phys. 140,
    214106 (2014).
    """
    apart = bands[..., :, None, :] - bands[..., None, :, :]
    distance = np.sqrt((apart**2).sum(axis=-1))
    n = bands.shape[-2]
    distance[..., np.arange(n), np.arange(n)] = np.inf
    weight = IDPP_EV / np.maximum(distance, 0.3) ** 4
    excess = np.where(np.isfinite(distance), wanted - distance, 0.0)
    energies = 0.5 * (weight * excess**2).sum(axis=(-1, -2))
    forces = 2.0 * ((weight * excess / distance)[..., None] * apart).sum(axis=-2)
    return energies, forces


def _pair_distances(structures: np.ndarray) -> np.ndarray:
    return np.sqrt(((structures[:, :, None] - structures[:, None]) ** 2).sum(axis=-1))


def _on(surface: Surface, bands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    k, m, n, _ = bands.shape
    energies, forces = surface.evaluate(bands.reshape(k * m, n, 3))
    return energies.reshape(k, m), forces.reshape(bands.shape)


def _maxima(band: np.ndarray, energies: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    if not np.isfinite(energies).all():
        return []
    tops = [i for i in range(1, len(band) - 1) if energies[i] > energies[i - 1] and energies[i] >= energies[i + 1]]
    return [(band[i], band[i + 1] - band[i - 1]) for i in tops]
