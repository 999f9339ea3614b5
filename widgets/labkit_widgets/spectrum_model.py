"""What a spectrum view shows, without a widget: sets of phonons, curves thinned for the screen, a measurement.

A curve keeps every point of its zero-phonon line and as many of the sideband as the broadening lets one see.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from labkit.analysis.luminescence import HuangRhys
from labkit.analysis.luminescence_lineshape import Lineshape, lineshape
from labkit.analysis.luminescence_measurement import MeasuredSpectrum

MOST_POINTS = 3000
#: Modes that the menu offers; any other one is a click away.
IN_MENU = 12
ONE_MODE = "one effective mode"


@dataclass(frozen=True)
class Settings:
    """Where the sliders stand."""

    temperature_K: float
    gamma_meV: float
    sigma_meV: float
    zpl_eV: float
    kind: str


@dataclass
class SpectrumModel:
    """Sets of phonons by name; `lines` are those drawn last, `took_ms` what computing them took."""

    sets: dict[str, HuangRhys]
    measured: MeasuredSpectrum | None = None
    lines: dict[str, Lineshape] = field(default_factory=dict)
    took_ms: float = 0.0

    @classmethod
    def of(cls, phonons: HuangRhys | Sequence[HuangRhys] | Mapping[str, HuangRhys]) -> SpectrumModel:
        """Sort what was given; raises TypeError for anything but Huang-Rhys factors and ValueError for none."""
        if isinstance(phonons, HuangRhys):
            phonons = [phonons]
        if not isinstance(phonons, Mapping):
            given = list(phonons)
            names = [getattr(one, "name", "") or f"phonons {at}" for at, one in enumerate(given, start=1)]
            names = [f"{name} ({at})" if names.count(name) > 1 else name for at, name in enumerate(names, start=1)]
            phonons = dict(zip(names, given, strict=True))
        strangers = {type(one).__name__ for one in phonons.values() if not isinstance(one, HuangRhys)}
        if strangers:
            raise TypeError(f"SpectrumView shows HuangRhys factors, not {', '.join(sorted(strangers))}.")
        if not phonons or any(len(one) == 0 for one in phonons.values()):
            raise ValueError("there are no phonons to show: give the result of huang_rhys.")
        return cls({str(name): one.named(str(name)) for name, one in phonons.items()})

    def draw(self, names: Sequence[str], settings: Settings) -> dict[str, Lineshape]:
        """Compute the lines of these sets (and of the one effective mode of the first) at these settings."""
        started = time.perf_counter()
        options = {
            "temperature_K": settings.temperature_K,
            "gamma_meV": settings.gamma_meV,
            "sigma_meV": settings.sigma_meV,
            "kind": settings.kind,
            "step_meV": settings.gamma_meV / 5,
        }
        found = {}
        for name in names:
            phonons = self.sets[names[0]].single_mode() if name == ONE_MODE else self.sets[name]
            found[name] = lineshape(phonons, settings.zpl_eV, **options)
        self.lines, self.took_ms = found, 1e3 * (time.perf_counter() - started)
        return found

    def menu(self, name: str, chosen: int | None = None) -> list[tuple[str, int]]:
        """Return (words, place) of the strongest modes of a set, the strongest first, and of the chosen one."""
        phonons = self.sets[name]
        places = np.argsort(-phonons.factors, kind="stable")[:IN_MENU].tolist()
        if chosen is not None and chosen not in places:
            places.append(chosen)
        return [(mode_words(phonons, place), place) for place in places]


def mode_words(phonons: HuangRhys, place: int) -> str:
    """Return energy, S_k and localisation of a mode in one line."""
    energy, factor, local = (one[place] for one in (phonons.energies_meV, phonons.factors, phonons.localisation))
    return f"{energy:.1f} meV, S {factor:.3g}, N/IPR {local:.1f}"


def thinned(line: Lineshape, span_eV: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return energies and intensities within `span_eV` that draw the same picture with at most some thousand points."""
    inside = (line.energies_eV >= span_eV[0]) & (line.energies_eV <= span_eV[1])
    x, y = line.energies_eV[inside], line.intensity[inside]
    if len(x) < 3:
        return x, y
    step = 1e3 * (x[1] - x[0])
    stride = max(1, round(min(max(line.gamma_meV, line.sigma_meV) / 4, 2.0) / step))
    near = np.abs(x - line.zpl_eV) < 12e-3 * line.gamma_meV
    keep = near | (np.arange(len(x)) % stride == 0)
    x, y = x[keep], y[keep]
    if len(x) > MOST_POINTS:
        kept = _extremes(y, MOST_POINTS // 2)
        x, y = x[kept], y[kept]
    return x, y


def _extremes(y: np.ndarray, blocks: int) -> np.ndarray:
    """Return the places of the smallest and the largest value of each block: no line is lost."""
    edges = np.linspace(0, len(y), blocks + 1).astype(int)[:-1]
    size = np.diff(np.append(edges, len(y)))
    width = int(size.max())
    grid = np.minimum(edges[:, None] + np.arange(width), (edges + size - 1)[:, None])
    values = y[grid]
    rows = np.arange(blocks)
    return np.unique(np.concatenate([grid[rows, values.argmin(axis=1)], grid[rows, values.argmax(axis=1)]]))


def stems(phonons: HuangRhys, least: float = 1e-4) -> np.ndarray:
    """Return the places of the modes that are drawn: S_k of at least `least`, at any rate the strongest one."""
    shown = phonons.factors >= min(least, phonons.factors.max())
    return np.flatnonzero(shown)
