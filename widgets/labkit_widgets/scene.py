"""What the 3D viewer draws, as plain data: bonds, groups that are wrapped together, cell edges, a PDB text, a legend.

Nothing here knows a widget. Bonds are drawn for molecules and frameworks, never to an alkali ion, so that a mobile
ion does not drag a stick through the picture; each bonded group is moved back into the cell as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors

STYLES = ("ball and stick", "space filling")
MAX_BONDED_ATOMS = 3000
MAX_STICK_ATOMS = 800  # sticks cost more frames than anything else without a graphics card
WRAP_MARGIN = 0.15
ORIENTATION = (-0.6022, -0.1280, -0.1638, 0.7708)
_MOBILE = frozenset({3, 11, 19, 37, 55})
_NONMETALS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 51, 52, 53})
_CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], float)
_PLAIN_EDGES = ((1, 4), (1, 5), (2, 4), (2, 6), (3, 5), (3, 6), (4, 7), (5, 7), (6, 7))
AXIS_COLOURS = ("#D55E00", "#009E73", "#0072B2")
_EDGE_COLOUR = "#8a8f98"
#: Colours of a number of each atom, from 0 to 1: lightness falls all the way, so that nobody needs the hue.
TINTS = ("#DDE3EA", "#F3C27A", "#E69F00", "#D55E00", "#7F2A00")


def bonds(atoms: Atoms, scale: float = 1.2) -> np.ndarray:
    """Return the bonded pairs inside the drawn cell, shape (b, 2); none to images, alkali ions or metal-metal."""
    n = len(atoms)
    if n < 2 or n > MAX_BONDED_ATOMS:
        return np.empty((0, 2), int)
    from scipy.spatial import cKDTree

    numbers = atoms.numbers
    radii = covalent_radii[numbers]
    pairs = cKDTree(atoms.positions).query_pairs(2.0 * scale * float(radii.max()), output_type="ndarray")
    if len(pairs) == 0:
        return np.empty((0, 2), int)
    first, second = pairs.T
    distance = np.linalg.norm(atoms.positions[first] - atoms.positions[second], axis=1)
    keep = distance < scale * (radii[first] + radii[second])
    nonmetal = np.isin(numbers, list(_NONMETALS))
    mobile = np.isin(numbers, list(_MOBILE))
    keep &= (nonmetal[first] | nonmetal[second]) & ~mobile[first] & ~mobile[second]
    return pairs[keep]


def groups(n_atoms: int, pairs: np.ndarray) -> np.ndarray:
    """Return the number of the bonded group of each atom, shape (n,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_atoms, n_atoms))
    return connected_components(graph, directed=False)[1]


def wrapped(atoms: Atoms, group: np.ndarray) -> np.ndarray:
    """Return positions (n, 3) in Å with each group moved into the cell along periodic directions.

    A group may lean out by a margin before it jumps, so that atoms vibrating at a face do not flicker.
    """
    if not atoms.pbc.any() or abs(atoms.cell.volume) < 1e-6:
        return atoms.positions
    inverse = np.linalg.inv(atoms.cell.array)
    counts = np.bincount(group)
    centre = np.stack([np.bincount(group, weights=axis) for axis in atoms.positions.T], axis=1) / counts[:, None]
    fraction = centre @ inverse
    outside = (fraction < -WRAP_MARGIN) | (fraction > 1 + WRAP_MARGIN)
    shift = np.where(outside & atoms.pbc, np.floor(fraction), 0.0)
    return atoms.positions - (shift @ atoms.cell.array)[group]


def cell_lines(atoms: Atoms) -> dict:
    """Return the cell as {edges: [[start, end, colour]], radius}; no edges without a cell."""
    if abs(atoms.cell.volume) < 1e-6:
        return {"edges": [], "radius": 0.0}
    corners = _CORNERS @ atoms.cell.array
    size = float(np.ptp(corners, axis=0).max())
    points = corners.round(4).tolist()
    edges = [[points[0], points[i + 1], colour] for i, colour in enumerate(AXIS_COLOURS)]
    edges += [[points[i], points[j], _EDGE_COLOUR] for i, j in _PLAIN_EDGES]
    return {"edges": edges, "radius": max(0.025, 0.004 * size)}


def pdb(symbols: Sequence[str], positions: np.ndarray, pairs: np.ndarray) -> str:
    """Return a minimal PDB text: the format that NGL reads fastest; bonds stand in CONECT lines."""
    lines = [
        f"HETATM{i:5d} {symbol:<4s} MOL A   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {symbol:>2s}"
        for i, (symbol, (x, y, z)) in enumerate(zip(symbols, positions, strict=True), start=1)
    ]
    lines += [f"CONECT{i + 1:5d}{j + 1:5d}" for i, j in pairs]
    return "\n".join([*lines, "END", ""])


def representation(style: str, bonded: bool = True, tinted: bool = False) -> list[dict]:
    """Return NGL representations for one of `STYLES`; sticks only where there are bonds, because they cost frames.

    Atoms have the colours of their elements, or, `tinted`, that of their number between 0 and 1 (`TINTS`).
    """
    if style not in STYLES:
        raise ValueError(f"the style {style!r} is not known; choose one of: {', '.join(STYLES)}")
    colour: dict = {"colorScheme": "bfactor", "colorScale": list(TINTS), "colorMode": "rgb", "colorDomain": [0, 1]}
    colour = colour if tinted else {}
    if style == "space filling":
        return [{"type": "spacefill", "params": {"radiusType": "covalent", "radiusScale": 1.1, **colour}}]
    balls = {"type": "spacefill", "params": {"radiusType": "covalent", "radiusScale": 0.5, **colour}}
    sticks = {"type": "licorice", "params": {"radiusType": "size", "radiusSize": 0.11, **colour}}
    return [balls, sticks] if bonded else [balls]


def legend(atoms: Atoms) -> list[tuple[str, str, int]]:
    """Return (symbol, colour, count) of each element, the most frequent first."""
    kinds, counts = np.unique(atoms.numbers, return_counts=True)
    order = np.argsort(-counts, kind="stable")

    def colour(z: int) -> str:
        return "#" + "".join(f"{round(255 * part):02x}" for part in jmol_colors[z])

    return [(chemical_symbols[kinds[k]], colour(kinds[k]), int(counts[k])) for k in order]
