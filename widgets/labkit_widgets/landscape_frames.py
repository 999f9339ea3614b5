"""What can be shown of a stationary point as a film: the stored path, or the ways of looking at a saddle without one.

A straight line between aligned structures is no path of the potential, and the words that come with it say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from labkit.landscapes.alignment import Alignment, Comparison, default_comparison
from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState

STORED, STRAIGHT, MODE, STILL = "steepest-descent path", "straight line", "imaginary mode", "structure"
#: Frames from the saddle to either end of a straight line, and of one swing along a mode.
HALF, SWING = 10, 24
#: Largest displacement of an atom along a mode (Å).
AMPLITUDE_A = 0.4
MODE_KEYS = ("mode", "imaginary_mode", "downhill_mode")


@dataclass(frozen=True)
class Film:
    """Frames (m >= 1) of one kind, their energies above the lowest minimum (eV, NaN where not known), the saddle's
    place among them (None for a minimum), and what is shown in words.
    """

    kind: str
    frames: tuple[Atoms, ...]
    energies_eV: np.ndarray
    saddle: int | None
    words: str


def film_of(network: KineticNetwork, point: Minimum, kind: str = "", comparison: Comparison | None = None) -> Film:
    """Return the film of a point: of a minimum one still, of a saddle `kind` or else the best that the network allows.

    `comparison` says how minima are laid onto a saddle. Raises ValueError for a kind that this saddle does not have
    (see `kinds`).
    """
    if not isinstance(point, TransitionState):
        return still_of(network, point)
    lowest = network.global_minimum.energy_eV
    possible = kinds(point)
    kind = kind or possible[0]
    if kind not in possible:
        raise ValueError(f"transition state {point.index} has no {kind}; it can be shown as: {', '.join(possible)}")
    if kind == STORED:
        places, energies, saddle = _stored(point)
        words = f"stored steepest-descent path of {len(places)} images"
    elif kind == MODE:
        places, saddle = _swing(point), 0
        energies = np.full(len(places), np.nan)
        energies[0] = point.energy_eV
        words = f"saddle, moved along its imaginary mode by up to {AMPLITUDE_A} Å"
    else:
        places, energies, saddle = _straight(network, point, comparison)
        words = "straight lines from the saddle to both minima, aligned with it: not a path of the potential"
    like = network.atoms(point)
    return Film(kind, tuple(_moved(like, one) for one in places), np.asarray(energies) - lowest, saddle, words)


def still_of(network: KineticNetwork, point: Minimum) -> Film:
    """Return the film of one frame, the point itself."""
    energy = point.energy_eV - network.global_minimum.energy_eV
    return Film(STILL, (network.atoms(point),), np.array([energy]), None, "")


def kinds(point: TransitionState) -> tuple[str, ...]:
    """Return the films that a transition state has, the most telling first."""
    mode = [MODE] if mode_of(point) is not None else []
    return (*([STORED] if point.path is not None and len(point.path) > 1 else []), *mode, STRAIGHT)


def mode_of(point: TransitionState) -> np.ndarray | None:
    """Return the imaginary mode (n, 3) that was kept with a saddle, largest displacement 1, or None."""
    found = next((point.info[key] for key in MODE_KEYS if point.info.get(key) is not None), None)
    if found is None:
        return None
    mode = np.asarray(found, dtype=float).reshape(-1)
    if mode.size != point.positions.size or not np.isfinite(mode).all():
        return None
    mode = mode.reshape(point.positions.shape)
    largest = np.linalg.norm(mode, axis=1).max()
    return mode / largest if largest > 0 else None


def laid_on(
    network: KineticNetwork, fixed: np.ndarray, moved: np.ndarray, comparison: Comparison | None = None
) -> Alignment:
    """Lay `moved` (n, 3) onto `fixed` as `comparison` does (default: equal atoms exchanged, turned, mirrored)."""
    return comparison_of(network, comparison).align(fixed, moved)


def comparison_of(network: KineticNetwork, comparison: Comparison | None = None) -> Comparison:
    """Return what counts as the same structure, for atoms in this network's order: what was given, or what suits it."""
    return (comparison or default_comparison(network)).for_symbols(network.symbols)


def _stored(point: TransitionState) -> tuple[np.ndarray, np.ndarray, int]:
    energies = point.path_energies_eV
    if energies is None:
        away = np.abs(point.path - point.positions).max(axis=(1, 2))
        return point.path, np.full(len(point.path), np.nan), int(away.argmin())
    return point.path, np.asarray(energies), int(np.argmax(energies))


def _swing(point: TransitionState) -> np.ndarray:
    phase = np.sin(np.linspace(0, 2 * np.pi, SWING, endpoint=False))
    return point.positions + AMPLITUDE_A * phase[:, None, None] * mode_of(point)


def _straight(
    network: KineticNetwork, point: TransitionState, comparison: Comparison | None
) -> tuple[np.ndarray, np.ndarray, int]:
    ends = [network.minima[end].positions for end in point.minima]
    first, last = (laid_on(network, point.positions, end, comparison).positions for end in ends)
    part = np.linspace(0, 1, HALF + 1)[:, None, None]
    up = (1 - part) * first + part * point.positions
    down = (1 - part) * point.positions + part * last
    energies = np.full(2 * HALF + 1, np.nan)
    energies[HALF] = point.energy_eV
    energies[0], energies[-1] = (network.minima[end].energy_eV for end in point.minima)
    return np.concatenate([up, down[1:]]), energies, HALF


def _moved(like: Atoms, positions: np.ndarray) -> Atoms:
    atoms = like.copy()
    atoms.positions = positions
    return atoms
