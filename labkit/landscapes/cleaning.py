"""Stationary points that a score must not count: other molecules, hydrogens with two bonds, mirror images.

The one idea: bonds are those that RDKit sees in the positions, compared as canonical SMILES with every hydrogen written
out, so that neither the numbering of the atoms nor the conformation matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.landscapes.alignment import Comparison, default_comparison
from labkit.landscapes.cleaning_bonds import canonical, crowded_hydrogen, smiles
from labkit.landscapes.network import KineticNetwork

#: Mirror images: closer than this (Å, root mean square per atom) and within this energy (eV); Carare et al. 2025.
MIRROR_A, MIRROR_EV = 0.3, 5e-3
#: Characters of a SMILES shown in a sentence.
SHOWN = 60


@dataclass(frozen=True)
class Removal:
    """What was taken out: "minimum" or "transition state", its old index, and why.

    cause: "bonds" (another molecule), "hydrogen" (bonded to more than one atom), "mirror image" (of the minimum `of`),
    "minimum gone" (a transition state whose minimum was taken out). `unphysical` is true for the first two.
    """

    kind: Literal["minimum", "transition state"]
    index: int
    cause: Literal["bonds", "hydrogen", "mirror image", "minimum gone"]
    reason: str
    of: int | None = None

    @property
    def unphysical(self) -> bool:
        """Whether the structure itself is wrong, rather than counted twice or left without its minimum."""
        return self.cause in ("bonds", "hydrogen")


@dataclass(frozen=True, eq=False)
class CleanReport:
    """The cleaned network (renumbered; `info["was"]` keeps the old indices) and everything that was taken out."""

    network: KineticNetwork
    raw_minima: int
    raw_transition_states: int
    removals: tuple[Removal, ...]

    @property
    def unphysical_minima(self) -> int:
        """Minima with other bonds or a hydrogen that is bonded twice."""
        return sum(one.unphysical and one.kind == "minimum" for one in self.removals)

    @property
    def unphysical_transition_states(self) -> int:
        """Transition states with other bonds or a hydrogen that is bonded twice."""
        return sum(one.unphysical and one.kind == "transition state" for one in self.removals)

    @property
    def mirror_images(self) -> int:
        """Minima that were there twice, once as the mirror image."""
        return sum(one.cause == "mirror image" for one in self.removals)

    @property
    def unphysical_fraction(self) -> float:
        """Of all stationary points of the raw network; NaN for an empty one."""
        points = self.raw_minima + self.raw_transition_states
        return (self.unphysical_minima + self.unphysical_transition_states) / points if points else float("nan")


def clean(
    network: KineticNetwork,
    reference: KineticNetwork | Atoms | str,
    *,
    hydrogens: bool = True,
    mirror_images: bool = True,
    comparison: Comparison | None = None,
) -> CleanReport:
    """The network without stationary points of another bond graph, without crowded hydrogens, mirror images kept once.

    reference: what the molecule is: a network (the bonds of any of its minima: isomers are no faults), a structure, or
    a SMILES. A transition state that joins minima of different bonds is a reaction and not judged by its own, which are
    in between; nor is one that the reference has. What the reference has crowded is not asked of its hydrogens.
    hydrogens, mirror_images: whether these are taken out. Of two mirror images (or copies) closer than `MIRROR_A` and
    `MIRROR_EV` the one with more transition states stays, the first of equals; the transition states of the other go
    with it, as in the published cleaning. A self-loop counts as one.

    Raises ModuleNotFoundError without RDKit, InvalidStructure for a reference that does not fit or is no SMILES.
    """
    wanted, known, crowded = _wanted(network, reference)
    removals: list[Removal] = []
    gone: dict[str, set[int]] = {"minimum": set(), "transition state": set()}
    bonds = [smiles(network.symbols, point.positions) for point in network.minima]
    for point, found in zip(network.minima, bonds, strict=True):
        judged = hydrogens and "minimum" not in crowded
        _judge("minimum", point.index, network.symbols, point.positions, found, wanted, judged, gone, removals)
    for point in network.transition_states:
        if len({bonds[end] for end in point.minima}) > 1:
            continue
        found, judged = smiles(network.symbols, point.positions), hydrogens and "transition state" not in crowded
        _judge(
            "transition state",
            point.index,
            network.symbols,
            point.positions,
            found,
            wanted | known,
            judged,
            gone,
            removals,
        )
    for saddle in network.transition_states:
        _orphan(saddle.index, saddle.minima, gone, removals)
    if mirror_images:
        comparison = (comparison or default_comparison(network)).for_symbols(network.symbols)
        for index, kept in _mirror_images(network, gone, comparison):
            removals.append(Removal("minimum", index, "mirror image", f"mirror image or copy of minimum {kept}", kept))
            gone["minimum"].add(index)
        for saddle in network.transition_states:
            _orphan(saddle.index, saddle.minima, gone, removals)
    cleaned = network.subset(
        [p.index for p in network.minima if p.index not in gone["minimum"]],
        [p.index for p in network.transition_states if p.index not in gone["transition state"]],
    )
    return CleanReport(cleaned, network.n_minima, network.n_transition_states, tuple(removals))


def _wanted(
    network: KineticNetwork, reference: KineticNetwork | Atoms | str
) -> tuple[frozenset[str], frozenset[str], set[str]]:
    """The bond graphs of minima, those of the reference's transition states, and the kinds that it has crowded."""
    if isinstance(reference, str):
        return frozenset([canonical(reference, network.symbols)]), frozenset(), set()
    if isinstance(reference, KineticNetwork):
        _ = reference.global_minimum  # says so when there is none
        symbols = reference.symbols
        minima = [point.positions for point in reference.minima]
        saddles = [point.positions for point in reference.transition_states]
    else:
        symbols, minima, saddles = tuple(reference.get_chemical_symbols()), [reference.get_positions()], []
    if sorted(symbols) != sorted(network.symbols):
        raise InvalidStructure(
            f"the reference has {len(symbols)} atoms of {sorted(set(symbols))}, the network {len(network.symbols)} of "
            f"{sorted(set(network.symbols))}; a network is cleaned against the same molecule."
        )
    kinds = {"minimum": minima, "transition state": saddles}
    crowded = {kind for kind, all_ in kinds.items() if any(crowded_hydrogen(symbols, x) is not None for x in all_)}
    return *(frozenset(smiles(symbols, x) for x in all_) for all_ in (minima, saddles)), crowded


def _judge(
    kind: str,
    index: int,
    symbols: Sequence[str],
    positions: np.ndarray,
    found: str,
    wanted: frozenset[str],
    hydrogens: bool,
    gone: dict[str, set[int]],
    removals: list[Removal],
) -> None:
    atom = crowded_hydrogen(symbols, positions) if hydrogens and found in wanted else None
    if found not in wanted:
        others = f" or {len(wanted) - 1} more" if len(wanted) > 1 else ""
        reason = f"its bonds are those of {found[:SHOWN]}, not of {min(wanted)[:SHOWN]}{others}"
        removals.append(Removal(kind, index, "bonds", reason))
    elif atom is not None:
        removals.append(Removal(kind, index, "hydrogen", f"hydrogen {atom} touches more than one atom"))
    else:
        return
    gone[kind].add(index)


def _orphan(index: int, minima: tuple[int, int], gone: dict[str, set[int]], removals: list[Removal]) -> None:
    lost = [end for end in minima if end in gone["minimum"]]
    if lost and index not in gone["transition state"]:
        removals.append(Removal("transition state", index, "minimum gone", f"its minimum {lost[0]} was taken out"))
        gone["transition state"].add(index)


def _mirror_images(network: KineticNetwork, gone: dict[str, set[int]], comparison: Comparison) -> list[tuple[int, int]]:
    """(the minimum that goes, the one that stays), in the order in which they are found."""
    points = [point for point in network.minima if point.index not in gone["minimum"]]
    edges = dict.fromkeys((point.index for point in points), 0)
    for saddle in network.transition_states:
        if saddle.index not in gone["transition state"]:
            for end in set(saddle.minima):
                edges[end] += 1
    reach = MIRROR_A * np.sqrt(len(network.symbols))
    found: dict[int, int] = {}
    for at, first in enumerate(points):
        for second in points[at + 1 :]:
            if first.index in found:
                break
            if second.index in found:
                continue
            if comparison.same(first.positions, first.energy_eV, second.positions, second.energy_eV, reach, MIRROR_EV):
                goes, stays = (first, second) if edges[second.index] > edges[first.index] else (second, first)
                found[goes.index] = stays.index
    return list(found.items())
