"""Two-dimensional covalent organic frameworks of benzene rings: three-armed nodes joined by chains of phenylenes.

The one idea: a honeycomb whose edges are molecules. With two phenylenes on each edge the cell is C48H30, the framework
of the delta-learning paper (arXiv:2508.14306), built here from bond lengths alone.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure

#: Å, as in benzene and biphenyl (electron diffraction: 1.40, 1.49 and 1.08 Å).
RING_A, BOND_A, HYDROGEN_A = 1.40, 1.49, 1.08
MOST_RINGS = 6


def phenylene_framework(
    rings: int = 2, *, twist_deg: float = 0.0, vacuum_A: float = 20.0, ring_A: float = RING_A, bond_A: float = BOND_A
) -> Atoms:
    """Return one layer, C(12 + 18 n) H(6 + 12 n) for n `rings` on each edge, hexagonal, with `vacuum_A` along c.

    Nodes are benzenes substituted at 1, 3, 5, a / sqrt(3) = 2 r + n 2 r + (n + 1) b apart; r is `ring_A`, b `bond_A`,
    the bond between rings. twist_deg: of the phenylenes about their edge, alternating in sign; 0 gives a planar layer
    of space group P6/mmm. The cell is periodic in three directions. Raises InvalidStructure for a number of rings that
    is not 1 to 6, or a vacuum below 5 Å.
    """
    if int(rings) != rings or not 1 <= rings <= MOST_RINGS:
        raise InvalidStructure(f"a framework has 1 to {MOST_RINGS} phenylenes on each edge, not {rings}.")
    if not (vacuum_A >= 5 and np.isfinite(twist_deg)):
        raise InvalidStructure(
            f"a layer with {vacuum_A:g} Å of vacuum and a twist of {twist_deg:g}° cannot be built; at least 5 Å are "
            "needed. Bring layers together with `stacked`."
        )
    edge = 2 * ring_A + rings * 2 * ring_A + (rings + 1) * bond_A
    side = edge * np.sqrt(3)
    cell = np.array([[side, 0, 0], [side / 2, side * np.sqrt(3) / 2, 0], [0, 0, vacuum_A]])
    symbols, positions = [], []

    def add(symbol: str, position: np.ndarray) -> None:
        symbols.append(symbol)
        positions.append(position)

    along = [_direction(30 + 120 * k) for k in range(3)]
    for start, sign in (((cell[0] + cell[1]) / 3, 1), (2 * (cell[0] + cell[1]) / 3, -1)):
        for arm in along:
            add("C", start + sign * ring_A * arm)
            add("C", start - sign * ring_A * arm)
            add("H", start - sign * (ring_A + HYDROGEN_A) * arm)
    for arm in along:
        across = np.cross([0, 0, 1.0], arm)
        for number in range(rings):
            centre = (cell[0] + cell[1]) / 3 + (2 * ring_A + bond_A + number * (2 * ring_A + bond_A)) * arm
            twist = np.radians(twist_deg) * (-1) ** number
            side_on = np.cos(twist) * across + np.sin(twist) * np.array([0, 0, 1.0])
            for ahead, aside in ((1.0, 0.0), (-1.0, 0.0), (0.5, 1.0), (0.5, -1.0), (-0.5, 1.0), (-0.5, -1.0)):
                outwards = ahead * arm + aside * np.sqrt(3) / 2 * side_on
                add("C", centre + ring_A * outwards)
                if aside:
                    add("H", centre + (ring_A + HYDROGEN_A) * outwards)
    layer = Atoms(symbols, positions, cell=cell, pbc=True)
    layer.positions[:, 2] += vacuum_A / 2
    layer.wrap()
    layer.info["name"] = f"{layer.get_chemical_formula()} framework"
    layer.info["source"] = "built from bond lengths; framework of arXiv:2508.14306 for two rings on each edge"
    return layer


def stacked(
    layer: Atoms, distance_A: float, shift: tuple[float, float] = (0.0, 0.0), *, vacuum_A: float = 20.0
) -> Atoms:
    """Return two layers, their mean planes `distance_A` apart, with `vacuum_A` from the upper to the next lower one.

    shift: of the upper layer, in fractions of a and b: (0, 0) is AA, (1/3, 1/3) AB, in which every second node lies
    over a node and the others over the pores. Raises InvalidStructure for a layer that is not periodic in three
    directions or for distances that are not positive.
    """
    if not layer.pbc.all() or layer.cell.rank < 3:
        raise InvalidStructure("a layer to be stacked needs a cell that is periodic in three directions.")
    if not (distance_A > 0 and vacuum_A > 0):
        raise InvalidStructure(f"layers {distance_A:g} Å apart with {vacuum_A:g} Å of vacuum cannot be built.")
    lower = layer.positions - [0, 0, layer.positions[:, 2].mean()]
    upper = lower + [0, 0, distance_A] + np.asarray([*shift, 0.0]) @ layer.cell.array
    cell = layer.cell.array.copy()
    cell[2] = [0, 0, distance_A + vacuum_A]
    pair = Atoms(np.tile(layer.numbers, 2), np.concatenate([lower, upper]), cell=cell, pbc=True)
    pair.positions[:, 2] += vacuum_A / 2
    pair.wrap()
    pair.info["name"] = f"two layers of {layer.get_chemical_formula()}"
    return pair


def _direction(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle), 0.0])
