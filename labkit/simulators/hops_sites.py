"""Where an extra ion may sit: the voids of a crystal, or sites that are given, completed by its space group.

A void is a vertex of the Voronoi tessellation of the atoms: the point that is farthest from the atoms around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from labkit.errors import InvalidStructure
from labkit.simulators.hops_symmetry import fold, operations
from labkit.structures import cell_widths, check

#: Positions closer than this are the same site.
SAME_SITE_A = 0.1
#: Atoms farther away than this bound no void.
REACH_A = 6.0
#: A given site closer to an atom than this is that atom's own site.
MIN_DISTANCE_A = 1.0


def void_sites(
    atoms: Atoms, species: str = "Li", *, clearance: float = 0.8, merge_A: float = 1.0, symprec_A: float = 0.01
) -> np.ndarray:
    """Return the voids wide enough for `species` as fractional positions (n, 3), whole orbits, the widest first.

    A point is wide enough when its distance to every atom k is at least `clearance` (r + r_k) with the covalent radii
    of Cordero et al., Dalton Trans. 2008, 2832: for Li beside O, S and Li that is 1.55, 1.86 and 2.05 Å by default.
    Of candidates within `merge_A` (Å) of each other the widest stays, on the symmetry element between its equivalents.
    Raises InvalidStructure for an unknown element or when nothing is wide enough.
    """
    from scipy.spatial import QhullError, Voronoi, cKDTree

    host = check(atoms)
    if not host.pbc.all():
        raise InvalidStructure("Voids are searched in crystals, periodic in three directions; this structure is not.")
    if species not in atomic_numbers or not 0 < clearance <= 2:
        raise InvalidStructure(f"species={species!r} must be an element and clearance={clearance} between 0 and 2.")
    cell, (points, numbers) = np.asarray(host.cell), _surroundings(host)
    try:
        vertices = Voronoi(points).vertices
    except QhullError as error:
        raise InvalidStructure(f"The voids of {host.get_chemical_formula()} cannot be constructed: {error}") from error
    fractions = vertices @ np.linalg.inv(cell)
    candidates = fractions[np.all((fractions > -1e-6) & (fractions < 1 - 1e-6), axis=1)]
    tree = cKDTree(points)
    radii = covalent_radii[numbers] + covalent_radii[atomic_numbers[species]]

    def openness(sites: np.ndarray) -> np.ndarray:
        """Smallest distance to an atom in units of the sum of radii; the eight nearest atoms decide."""
        distances, nearest = tree.query(sites @ cell, k=min(8, len(points)))
        return (distances / radii[nearest]).min(axis=1)

    group = operations(host, symprec_A)
    # Rounding keeps the order of equivalent vertices from hanging on the last digit.
    order = np.lexsort((*np.round(candidates, 4).T, -np.round(openness(candidates), 3)))
    sites = np.empty((0, 3))
    for candidate in candidates[order]:
        if openness(candidate[None])[0] < clearance:
            break
        if _near(sites, candidate, cell, merge_A):
            continue
        site = _on_symmetry_element(candidate, merge_A, cell, *group)
        if openness(site[None])[0] < clearance or _near(sites, site, cell, merge_A):
            site = _on_symmetry_element(candidate, SAME_SITE_A, cell, *group)
        sites = np.concatenate([sites, _orbit(site, cell, *group)])
    if not len(sites):
        widest = float(openness(candidates).max()) if len(candidates) else 0.0
        raise InvalidStructure(
            f"No void of {host.get_chemical_formula()} is wide enough for {species}: the widest has a clearance of "
            f"{widest:.2f}, asked for {clearance:g}. Lower the clearance of void_sites, or give the sites yourself."
        )
    return sites


def complete_sites(atoms: Atoms, sites: Sequence[Sequence[float]], *, symprec_A: float = 0.01) -> np.ndarray:
    """Return the given fractional `sites` (n, 3) with all their equivalents in the cell, each once.

    Raises InvalidStructure for positions that are no numbers or lie on an atom.
    """
    try:
        given = np.array(sites, dtype=float).reshape(-1, 3)
    except ValueError as error:
        raise InvalidStructure(f"sites must be rows of three fractional coordinates: {error}.") from error
    if not len(given) or not np.isfinite(given).all():
        raise InvalidStructure(
            "sites must be rows of three finite fractional coordinates, such as [[0.5, 0.5, 0.5]]; "
            f"got {given.tolist()}."
        )
    cell, group = np.asarray(atoms.cell), operations(atoms, symprec_A)
    found = np.empty((0, 3))
    for number, site in enumerate(given):
        distances = _distances(atoms.get_scaled_positions(), site, cell)
        if distances.min() < MIN_DISTANCE_A:
            nearest = int(distances.argmin())
            raise InvalidStructure(
                f"Site {number} lies {distances.min():.2f} Å from atom {nearest} ({atoms.symbols[nearest]}); at least "
                f"{MIN_DISTANCE_A:g} Å is needed for another ion. Are the coordinates fractional?"
            )
        site = _on_symmetry_element(site, SAME_SITE_A, cell, *group)
        if not _near(found, site, cell, SAME_SITE_A):
            found = np.concatenate([found, _orbit(site, cell, *group)])
    return found


def _surroundings(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Positions (m, 3) and elements (m,) of the atoms in the cell and within twice `REACH_A` around it."""
    margin = 2 * REACH_A / cell_widths(atoms)
    reach = np.ceil(margin).astype(int)
    copies = atoms.repeat(2 * reach + 1)
    fractions = (copies.positions @ np.linalg.inv(np.asarray(atoms.cell))) - reach
    kept = np.all((fractions > -margin) & (fractions < 1 + margin), axis=1)
    return fractions[kept] @ np.asarray(atoms.cell), copies.numbers[kept]


def _distances(points: np.ndarray, site: np.ndarray, cell: np.ndarray) -> np.ndarray:
    from ase.geometry import find_mic

    return find_mic((points - site) @ cell, cell, pbc=True)[1] if len(points) else np.empty(0)


def _near(points: np.ndarray, site: np.ndarray, cell: np.ndarray, limit_A: float) -> bool:
    return bool((_distances(points, site, cell) < limit_A).any())


def _on_symmetry_element(
    site: np.ndarray, reach_A: float, cell: np.ndarray, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """The centre of the equivalents that lie within `reach_A` of `site`: on the mirror, axis or point between them."""
    images = rotations @ site + translations
    images -= np.round(images - site)
    return images[np.linalg.norm((images - site) @ cell, axis=1) < reach_A].mean(axis=0)


def _orbit(site: np.ndarray, cell: np.ndarray, rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    orbit = fold(site[None])
    for image in fold(rotations @ site + translations):
        if not _near(orbit, image, cell, SAME_SITE_A):
            orbit = np.concatenate([orbit, image[None]])
    return orbit
