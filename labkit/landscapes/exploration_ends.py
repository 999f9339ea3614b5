"""Which minima the two sides of a new saddle end in, for paths that steepest descent alone does not bring to an end.

The one idea: a path on a ridge may be left to either side, since its branches are mirror images; one that stopped short
may not be guessed to its end, so it is walked again more patiently or given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.landscapes.descent import Connection, connect
from labkit.landscapes.hessian import normal_modes
from labkit.landscapes.quench import Quench, minimise
from labkit.landscapes.saddle import Saddle
from labkit.landscapes.surface import Surface

#: A quench that ended on a saddle is pushed off it by these lengths (Å), one after the other: where the curvature is
#: small, the force beside the saddle is below the criterion, too.
PUSHES_A = (0.2, 0.5, 1.0)
#: A path that did not reach its end is walked again with so many steps, down to this part of the force.
PATIENT_STEPS, PATIENT_PART = 1500, 0.2


@dataclass(frozen=True)
class Points:
    """Structures that are handed on like those of a quench."""

    positions: np.ndarray
    energies: np.ndarray
    converged: np.ndarray
    reasons: list[str]

    @classmethod
    def of(cls, searches: Sequence[Saddle]) -> Points:
        """Where saddle searches ended."""
        return cls(
            np.array([one.positions for one in searches]),
            np.array([one.energy_eV for one in searches]),
            np.array([one.found for one in searches]),
            [one.reason for one in searches],
        )


@dataclass(frozen=True)
class Way:
    """A path (m, n, 3) Å with its energies (m,) eV, and whether it ran along a ridge that was left to one side."""

    positions: np.ndarray
    energies_eV: np.ndarray
    branched: bool


def descended(surface: Surface, saddles: Sequence[Saddle], gradient_eV_A: float) -> tuple[Points, list[Way]]:
    """The ends of the paths down from k saddles, those of saddle i at 2i and 2i + 1, and the paths between them."""
    paths = connect(surface, saddles, gradient_eV_A=gradient_eV_A)
    short = [i for i, path in enumerate(paths) if not path.found and not path.ridge]
    again = [saddles[i] for i in short]
    patient = {"gradient_eV_A": PATIENT_PART * gradient_eV_A, "max_steps": PATIENT_STEPS}
    for i, path in zip(short, connect(surface, again, **patient), strict=True):
        paths[i] = path
    ends = [_ends(surface, path, gradient_eV_A) for path in paths]
    ways = []
    for path, points in zip(paths, ends, strict=True):
        x, energies = path.path, path.path_energies_eV
        if path.ridge:
            x = np.concatenate([points.positions[:1], x, points.positions[1:]])
            energies = np.concatenate([points.energies[:1], energies, points.energies[1:]])
        ways.append(Way(x, energies, path.ridge))
    return Points(
        np.concatenate([one.positions for one in ends]),
        np.concatenate([one.energies for one in ends]),
        np.concatenate([one.converged for one in ends]),
        [reason for one in ends for reason in one.reasons],
    ), ways


def _ends(surface: Surface, path: Connection, gradient_eV_A: float) -> Points | Quench:
    if path.ridge:
        return _settled(surface, path.minima, gradient_eV_A)
    said = "" if path.found else f"the path down from a saddle has no end, {path.reason}"
    if not np.isfinite(path.energies_eV).all():
        said = "the path down from a saddle left physics"
    return Points(path.minima, path.energies_eV, np.full(2, not said), [said] * 2)


def _settled(surface: Surface, ends: np.ndarray, gradient_eV_A: float) -> Quench:
    """Minima below the ends (2, n, 3) of a path that ran along a ridge.

    A path of higher symmetry than the minima runs along such a ridge; its two branches are mirror images, so that
    either will do.
    """
    quenched = minimise(surface, ends, gradient_eV_A)
    for length in PUSHES_A:
        proofs = normal_modes(surface, quenched.positions)
        pushes = [
            np.zeros_like(ends[0]) if modes is None else length * modes.directions[: modes.negative].sum(axis=0)
            for modes in proofs
        ]
        if not np.any(pushes):
            break
        quenched = minimise(surface, quenched.positions + np.array(pushes), gradient_eV_A)
    return quenched
