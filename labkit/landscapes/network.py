"""A landscape as a kinetic network: minima, and the transition states that connect them.

Nodes are minima and edges are saddles (several may join the same two minima, and one may join a minimum to a copy of
itself), so that everything that is asked of a landscape (trees, rates, comparisons) is asked of a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from labkit.errors import InvalidStructure
from labkit.landscapes.stationary_point import Minimum, TransitionState, checked, frozen, representatives, said_of
from labkit.structures.bare import ELECTRONS

__all__ = ["KineticNetwork", "Minimum", "TransitionState"]


class KineticNetwork:
    """Minima and transition states of one set of atoms at one level of theory; it grows through the add functions only.

    symbols: of the n atoms, in the order of every `positions`. level_of_theory: what gave the energies, in words.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        level_of_theory: str = "",
        name: str = "",
        minima: Iterable[Minimum] = (),
        transition_states: Iterable[TransitionState] = (),
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self.symbols: tuple[str, ...] = tuple(symbols)
        unknown = [symbol for symbol in self.symbols if symbol not in atomic_numbers]
        if unknown or not self.symbols:
            said = f"{unknown[0]!r} is not a chemical symbol" if unknown else "it has no atoms"
            raise InvalidStructure(f"the network {name or 'given'} cannot be made: {said}.")
        self.level_of_theory, self.name = str(level_of_theory), str(name)
        self.info: dict[str, Any] = dict(info or {})
        self.minima: list[Minimum] = []
        self.transition_states: list[TransitionState] = []
        self._graph = nx.MultiGraph()
        for point in minima:
            self.add_minimum(point.energy_eV, point.positions, **said_of(point))
        for point in transition_states:
            more = {"path": point.path, "path_energies_eV": point.path_energies_eV}
            self.add_transition_state(point.minima, point.energy_eV, point.positions, **said_of(point), **more)

    def __repr__(self) -> str:
        formula = Atoms(self.symbols).get_chemical_formula()
        size = f"{self.n_minima} minima, {self.n_transition_states} transition states"
        return f"KineticNetwork({', '.join(part for part in (self.name, formula, size, self.level_of_theory) if part)})"

    def add_minimum(
        self,
        energy_eV: float,
        positions: np.ndarray,
        *,
        eigenvalues: Sequence[float] | None = None,
        order: int = 1,
        info: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a minimum and return its index; raises InvalidStructure for shapes or numbers that make no sense."""
        index = self.n_minima
        said = checked(f"minimum {index}", len(self.symbols), energy_eV, positions, eigenvalues, order)
        self.minima.append(Minimum(index, *said, dict(info or {})))
        self._graph.add_node(index, energy_eV=said[0])
        return index

    def add_transition_state(
        self,
        minima: Sequence[int],
        energy_eV: float,
        positions: np.ndarray,
        *,
        eigenvalues: Sequence[float] | None = None,
        order: int = 1,
        info: Mapping[str, Any] | None = None,
        path: np.ndarray | None = None,
        path_energies_eV: Sequence[float] | None = None,
    ) -> int:
        """Add a transition state between two minima of the network and return its index; raises InvalidStructure."""
        index = self.n_transition_states
        what = f"transition state {index}"
        ends = tuple(minima)
        if len(ends) != 2 or not all(isinstance(end, (int, np.integer)) and 0 <= end < self.n_minima for end in ends):
            raise InvalidStructure(
                f"{what} connects {ends}; it must connect two of the {self.n_minima} minima, numbered from 0."
            )
        ends = (int(ends[0]), int(ends[1]))
        said = checked(what, len(self.symbols), energy_eV, positions, eigenvalues, order)
        images, energies = None, None
        if path is not None:
            images = frozen(path, f"the path of {what}", (None, len(self.symbols), 3))
        if path_energies_eV is not None:
            length = None if images is None else len(images)
            energies = frozen(path_energies_eV, f"the path energies of {what}", (length,))
        saddle = TransitionState(index, *said, dict(info or {}), ends, images, energies)
        self.transition_states.append(saddle)
        self._graph.add_edge(*ends, key=index, energy_eV=said[0])
        return index

    @property
    def n_minima(self) -> int:
        """How many minima there are."""
        return len(self.minima)

    @property
    def n_transition_states(self) -> int:
        """How many transition states there are, self-loops included."""
        return len(self.transition_states)

    @property
    def graph(self) -> nx.MultiGraph:
        """A read-only view: nodes are minima, edge keys are transition states; both carry `energy_eV`."""
        return self._graph.copy(as_view=True)

    @property
    def global_minimum(self) -> Minimum:
        """The lowest minimum; raises InvalidStructure when there is none."""
        if not self.minima:
            raise InvalidStructure(f"the network {self.name or 'given'} has no minima yet; explore it first.")
        return min(self.minima, key=lambda point: point.energy_eV)

    @property
    def self_loops(self) -> list[TransitionState]:
        """The transition states that connect a minimum to a copy of itself."""
        return [point for point in self.transition_states if point.minima[0] == point.minima[1]]

    def components(self) -> list[set[int]]:
        """Sets of minima that transition states connect, the largest first (of equals, the lowest in energy)."""

        def rank(members: set[int]) -> tuple[int, float]:
            return -len(members), min(self.minima[index].energy_eV for index in members)

        return sorted((set(found) for found in nx.connected_components(self._graph)), key=rank)

    def transition_states_of(self, minimum: int) -> list[TransitionState]:
        """The transition states that have `minimum` at an end, by index."""
        keys = {key for _, _, key in self._graph.edges(minimum, keys=True)} if minimum in self._graph else set()
        return [self.transition_states[key] for key in sorted(keys)]

    def between(self, i: int, j: int) -> list[TransitionState]:
        """The transition states that connect the minima `i` and `j`, by index."""
        return [self.transition_states[key] for key in sorted(self._graph.get_edge_data(i, j) or ())]

    def atoms(self, point: Minimum) -> Atoms:
        """A stationary point as a molecule (no cell), its energy (eV) and number in `info`, and the charge (e) and the
        multiplicity that `self.info` may hold, so that it is computed as it was found.
        """
        kind = "transition_state" if isinstance(point, TransitionState) else "minimum"
        info = {key: self.info[key] for key in ELECTRONS if self.info.get(key) is not None}
        return Atoms(
            self.symbols, positions=point.positions, info=info | {"energy": point.energy_eV, kind: point.index}
        )

    def subset(self, minima: Iterable[int], transition_states: Iterable[int] | None = None) -> KineticNetwork:
        """A network of some minima, renumbered in the order given, and the transition states among them.

        `transition_states` keeps only those; one whose end is not kept goes in any case. `info["was"]` of the new
        network and of its stationary points holds the old numbers. Raises InvalidStructure for a number that is none.
        """
        kept = _numbers(minima, self.n_minima, "minimum", "minima")
        every = range(self.n_transition_states) if transition_states is None else transition_states
        wanted = _numbers(every, self.n_transition_states, "transition state", "transition states")
        new = {old: place for place, old in enumerate(kept)}
        saddles = [i for i in wanted if all(end in new for end in self.transition_states[i].minima)]
        return self._renumbered(kept, saddles, new)

    def without_duplicates(
        self, distance: Callable[[np.ndarray, np.ndarray], float], distance_A: float, energy_eV: float
    ) -> KineticNetwork:
        """The network in which structures closer than both limits are one: the first of them by energy stays.

        Args:
            distance: of two structures (n, 3), (n, 3) in Å, such as `Comparison.distance`.
            distance_A: two stationary points of a kind nearer than this ...
            energy_eV: ... and nearer in energy than this are the same.
        """
        minima = representatives(self.minima, distance, distance_A, energy_eV)
        saddles = representatives(self.transition_states, distance, distance_A, energy_eV)
        kept = [index for index, same in enumerate(minima) if index == same]
        new = {old: place for place, old in enumerate(kept)}
        ends = {index: new[same] for index, same in enumerate(minima)}
        return self._renumbered(kept, [index for index, same in enumerate(saddles) if index == same], ends)

    def _renumbered(self, minima: list[int], saddles: list[int], ends: Mapping[int, int]) -> KineticNetwork:
        info = {**self.info, "was": {"minima": minima, "transition_states": saddles}}
        made = KineticNetwork(self.symbols, self.level_of_theory, self.name, info=info)
        for index in minima:
            point = self.minima[index]
            made.add_minimum(point.energy_eV, point.positions, **said_of(point, was=index))
        for index in saddles:
            saddle = self.transition_states[index]
            pair = (ends[saddle.minima[0]], ends[saddle.minima[1]])
            more = {"path": saddle.path, "path_energies_eV": saddle.path_energies_eV}
            made.add_transition_state(pair, saddle.energy_eV, saddle.positions, **said_of(saddle, was=index), **more)
        return made

    def to_dict(self) -> dict[str, Any]:
        """The network as data that JSON knows; `from_dict` gives it back with every digit."""
        from labkit.landscapes.network_file import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> KineticNetwork:
        """The network of `to_dict`; raises InvalidStructure with the first fault found."""
        from labkit.landscapes.network_file import from_dict

        return from_dict(data)

    def write(self, path: str | Path) -> None:
        """Write the network as JSON (gzipped if the name ends in .gz): the old file or the new one, never half."""
        from labkit.landscapes.network_file import write

        write(self, Path(path))

    @classmethod
    def read(cls, path: str | Path) -> KineticNetwork:
        """Read what `write` wrote; raises UnreadableFile naming the file and its first fault."""
        from labkit.landscapes.network_file import read

        return read(Path(path))


def _numbers(indices: Iterable[int], n: int, one: str, many: str) -> list[int]:
    """Each of `indices` once; a negative one would silently be counted from the end."""
    found = list(dict.fromkeys(indices))
    for index in found:
        if not isinstance(index, (int, np.integer)) or not 0 <= index < n:
            raise InvalidStructure(f"there is no {one} {index}: the network has {n} {many}, numbered from 0.")
    return [int(index) for index in found]
