"""Free energies at one temperature, as they are drawn: every curve above one straight line, in meV/atom.

The one idea: a straight line taken off all curves changes neither a common tangent nor what is stable. It joins the
lowest free energies of the phases as they were given at both ends, so that it stays where it is while one is shifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.phase_diagrams.equilibrium import Equilibrium

from .phase_diagram_model import PhaseDiagramModel

_POINTS = 121


@dataclass(frozen=True)
class Isotherm:
    """`found` at one temperature, `curves` (x, y) of every phase (None if it is off), y in meV/atom above `line`.

    `line`: value at x = 0 and slope (eV/atom) of what was taken off.
    """

    found: Equilibrium
    curves: tuple[tuple[np.ndarray, np.ndarray] | None, ...]
    line: tuple[float, float]

    @classmethod
    def of(cls, model: PhaseDiagramModel, temperature_K: float) -> Isotherm:
        """Solve one temperature and compute the curves."""
        line = _line(model, temperature_K)
        curves = [
            None if not on else _curve(phase, temperature_K, line)
            for phase, on in zip(model.moved, model.on, strict=True)
        ]
        return cls(model.equilibrium(temperature_K), tuple(curves), line)

    @property
    def temperature_K(self) -> float:
        """The temperature."""
        return self.found.temperature_K

    def tangents(self) -> list[np.ndarray]:
        """Return each common tangent from touch to touch, (2, 2)."""
        ends = [(one, np.array([one.x1, one.x2])) for one in self.found.tie_lines]
        return [np.column_stack([x, self.above(x, one.free_energy(x))]) for one, x in ends]

    def vertices(self) -> list[tuple[str, float, float]]:
        """Return (phase, x, y) of each point at which a tangent touches, and of pure ends on the hull."""
        found = {}
        for one in self.found.single_phase:
            for x in (one.lowest, one.highest):
                inside = any(x in (tie.x1, tie.x2) for tie in self.found.tie_lines)
                if inside or x in (0.0, 1.0):
                    phase = next(other for other in self.found.phases if other.name == one.phase)
                    f = phase.free_energy(x, self.temperature_K)
                    found[one.phase, round(x, 9)] = (one.phase, x, float(self.above(x, f)))
        return list(found.values())

    def above(self, x: np.ndarray | float, f: np.ndarray | float) -> np.ndarray:
        """Return free energies (eV/atom) as they are drawn (meV/atom above the line)."""
        return 1e3 * (np.asarray(f) - self.line[0] - self.line[1] * np.asarray(x))

    def limits(self) -> tuple[float, float]:
        """Return a range (meV/atom) that holds all tangents and the lowest point of each curve."""
        lows = [float(curve[1].min()) for curve in self.curves if curve is not None]
        hull = [float(one[:, 1].min()) for one in self.tangents()]
        low, high = min([*lows, *hull, 0.0]), max([*lows, 0.0])
        room = max(high - low, 8.0)
        return low - 0.12 * room, high + 0.22 * room

    def labels(self, limits: tuple[float, float]) -> list[tuple[int, float, float]]:
        """Return (phase, x, y) where the name of each curve is farthest from all other curves."""
        grid = np.linspace(0.12, 0.88, 61)
        high = limits[1] - limits[0]
        known = {
            number: np.interp(grid, *curve, left=np.nan, right=np.nan)
            for number, curve in enumerate(self.curves)
            if curve is not None and len(curve[0]) > 1
        }
        found = []
        for number, mine in known.items():
            others = [np.abs(mine - y) / high for other, y in known.items() if other != number] or [np.ones(61)]
            edge = np.minimum(mine - limits[0], limits[1] - mine) / high
            others += [np.hypot((grid - x) * 1.2, (mine - y) / high) for x, y in self._points()]
            taken = [np.hypot((grid - x) * 1.2, (mine - y) / high) for _, x, y in found]
            room = np.nanmin([*others, *taken, edge], axis=0)
            if np.isfinite(room).any() and np.nanmax(room) > 0.03:
                best = int(np.nanargmax(room))
                found.append((number, float(grid[best]), float(mine[best])))
        found += [
            (number, float(curve[0][0]), float(curve[1][0]))
            for number, curve in enumerate(self.curves)
            if curve is not None and len(curve[0]) == 1
        ]
        return found

    def _points(self) -> list[tuple[float, float]]:
        return [(float(c[0][0]), float(c[1][0])) for c in self.curves if c is not None and len(c[0]) == 1]


def _line(model: PhaseDiagramModel, temperature_K: float) -> tuple[float, float]:
    low = min(one.compositions[0] for one in model.phases)
    high = max(one.compositions[1] for one in model.phases)
    first, last = (
        min(
            float(one.free_energy(x, temperature_K))
            for one in model.phases
            if one.compositions[0] <= x <= one.compositions[1]
        )
        for x in (low, high)
    )
    slope = (last - first) / (high - low) if high > low else 0.0
    return first - slope * low, slope


def _curve(phase: object, temperature_K: float, line: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    low, high = phase.compositions
    if phase.line:
        x = np.array([low])
    else:
        # Free energies of mixing are steep at their ends: points are closer there.
        x = low + (high - low) * 0.5 * (1 - np.cos(np.linspace(0, np.pi, _POINTS)))
        x[-1] = high
    f = np.asarray(phase.free_energy(x, temperature_K))
    return x, 1e3 * (f - line[0] - line[1] * x)
