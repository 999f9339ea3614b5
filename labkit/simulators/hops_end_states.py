"""The two structures between which a hop takes place: the same atoms in the same order, one of them elsewhere.

pymatgen-analysis-diffusion builds such structures too, but a hop between a site and its own image keeps one atom too
many there (its issue 436), and in its supercells the order of the atoms differs between both ends, so that an
interpolation moves several ions. Hence these.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.geometry.minkowski_reduction import minkowski_reduce

from labkit.errors import InvalidStructure
from labkit.structures import cell_widths, repeat

if TYPE_CHECKING:
    from labkit.simulators.hops import Edge, Hop, HopNetwork

#: Two lengths that differ by less are the same.
SAME_LENGTH_A = 1e-3


def end_states(
    network: HopNetwork, hop: Hop | Edge, name: str, min_length_A: float, times: Sequence[int] | None = None
) -> tuple[Atoms, Atoms]:
    """Return initial and final structure of `hop`; see `HopNetwork.end_states`."""
    if times is None:
        times = repetition(network, [hop], min_length_A)
    elif not _reaches_its_goal(network, hop, times):
        raise InvalidStructure(
            f"A cell of {' × '.join(map(str, times))} is too small for the hop {name}: another image of its goal is as "
            "near or nearer. Repeat the cell more often, or leave the repetition out."
        )
    atoms, vector = network.atoms, _vector(network, hop)
    initial = repeat(atoms, times)
    if network.kind == "vacancy":
        mobile = np.flatnonzero(atoms.symbols == network.species)
        moving = int(mobile[hop.i])  # the home cell comes first
        vacant = _copy(hop.image, times) * len(atoms) + int(mobile[hop.j])
        final = initial.copy()
        final.positions[moving] += vector
        del initial[vacant], final[vacant]
    else:
        initial += Atoms(network.species, positions=[network.sites[hop.i] @ np.asarray(atoms.cell)])
        final = initial.copy()
        final.positions[-1] += vector
    for end in (initial, final):
        end.info["name"] = f"{atoms.get_chemical_formula()} {name}"
    return initial, final


def repetition(network: HopNetwork, hops: Sequence[Hop | Edge], min_length_A: float) -> tuple[int, int, int]:
    """Return how often to repeat the cell so that the ion is at least `min_length_A` (Å) from its own images and each
    of `hops` is the shortest way to its goal; the fewest atoms, then the roundest cell.

    The shortest translation counts, not the widths: a rhombohedral cell is thin although its images are far away.
    """
    if not 0 < min_length_A <= 100:
        raise InvalidStructure(f"min_length_A={min_length_A} must be a length between 0 and 100 Å; 8 to 12 is usual.")
    cell = np.asarray(network.atoms.cell)
    # With widths of more than twice the hop, no other image of the goal is as near.
    longest = max(hop.distance_A for hop in hops)
    most = np.ceil(max(min_length_A, 2.01 * longest) / cell_widths(network.atoms)).astype(int)
    fitting: list[tuple[float, tuple[int, int, int]]] = []
    for times in sorted(product(*(range(1, n + 1) for n in most)), key=np.prod):
        if fitting and np.prod(times) > np.prod(fitting[0][1]):
            break
        shortest = float(np.linalg.norm(minkowski_reduce(cell * np.array(times)[:, None])[0], axis=1).min())
        if shortest >= min_length_A - 1e-6 and all(_reaches_its_goal(network, hop, times) for hop in hops):
            fitting.append((shortest, times))
    return max(fitting)[1]


def _vector(network: HopNetwork, hop: Hop | Edge) -> np.ndarray:
    return (network.sites[hop.j] + hop.image - network.sites[hop.i]) @ np.asarray(network.atoms.cell)


def _reaches_its_goal(network: HopNetwork, hop: Hop | Edge, times: Sequence[int]) -> bool:
    """Whether no image of the goal in the repeated cell is nearer, and every one as near is an equivalent hop."""
    larger = np.asarray(network.atoms.cell) * np.array(times)[:, None]
    shortest = float(find_mic(_vector(network, hop)[None], larger, pbc=True)[1][0])
    if shortest < hop.distance_A - SAME_LENGTH_A:
        return False
    kind = {edge.hop for edge in network.edges if (edge.i, edge.j, edge.image) == (hop.i, hop.j, hop.image)}
    for edge in network.edges:
        if {edge.i, edge.j} != {hop.i, hop.j} or abs(edge.distance_A - hop.distance_A) > SAME_LENGTH_A:
            continue
        sign = 1 if edge.i == hop.i else -1
        steps = np.array(hop.image) - sign * np.array(edge.image)
        if not (steps % times).any() and edge.hop not in kind:
            return False
    return True


def _copy(image: Sequence[int], times: Sequence[int]) -> int:
    """The number of the copy of the cell in which `image` lies, in the order of `Atoms.repeat`."""
    a, b, c = (x % n for x, n in zip(image, times, strict=True))
    return (a * times[1] + b) * times[2] + c
