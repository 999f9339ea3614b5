"""What is known of the hops of a network, without a widget: which run computes which hop, barriers as they arrive,
and what follows for transport.

A hop counts as known once its band has converged; a band that has ended otherwise is kept with its reason. A barrier
that is known stays until another one is: work on a better one is a mark beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.runs import Run

from .neb_model import BandPicture, picture_of
from .neb_source import RunSource

if TYPE_CHECKING:
    from labkit.simulators.hops import Hop, HopNetwork
    from labkit.simulators.hops_percolation import Percolation
    from labkit.simulators.neb_path import MinimumEnergyPath

UNKNOWN, COMPUTING = "unknown", "computing"
_HYPHEN = "\u2011"  # at which no line of a narrow column is broken
COLUMNS = ("Hop", "Distance (Å)", "Direction", "Multiplicity", "Forward (eV)", "Backward (eV)", "State")
AXES = {"a [100]": (1, 0, 0), "b [010]": (0, 1, 0), "c [001]": (0, 0, 1)}


@dataclass(frozen=True)
class HopState:
    """What is known of one hop: a barrier with its path, or how far the work on it is.

    `computing` says that a run is at work on it, which may be besides a barrier that is known; `run` and `band` are
    then those of that work.
    """

    state: str = UNKNOWN
    forward_eV: float = np.nan
    backward_eV: float = np.nan
    reason: str = ""
    run: Run | None = None
    band: int | None = None
    computing: bool = False

    @property
    def known(self) -> bool:
        """Whether there is a barrier to count with."""
        return self.state in ("converged", "given") and bool(np.isfinite([self.forward_eV, self.backward_eV]).all())

    @property
    def higher_eV(self) -> float:
        """The barrier seen from the lower of the two sites, NaN when unknown."""
        return max(self.forward_eV, self.backward_eV) if self.known else np.nan


class HopModel:
    """The hops of a network with their barriers; runs are attached, and `poll` reads what they found."""

    def __init__(self, network: HopNetwork, barriers: Mapping[int, Any] | None = None) -> None:
        """`barriers` are known already: for each hop a number (eV), a pair (forward, backward) or a path."""
        self.network = network
        self.paths: dict[int, MinimumEnergyPath] = {}
        self.states = {hop.index: HopState() for hop in network.hops}
        self.sources: list[tuple[RunSource, dict[int, int]]] = []
        self._found = dict(self.states)  # the states without the marks of the work that goes on
        self._entered: dict[tuple[str, int], BandPicture] = {}
        for index, value in (barriers or {}).items():
            self.give(index, value)

    @property
    def runs(self) -> list[Run]:
        """The runs in the order in which they were attached."""
        return [source.run for source, _ in self.sources]

    @property
    def active(self) -> bool:
        """Whether one of the runs is still at work."""
        return any(source.active for source, _ in self.sources)

    @property
    def barriers(self) -> dict[int, tuple[float, float]]:
        """(forward, backward) in eV of each hop that is known."""
        return {index: (one.forward_eV, one.backward_eV) for index, one in self.states.items() if one.known}

    def give(self, index: int, value: Any) -> None:
        """Enter a barrier that is known from elsewhere; raises ValueError for a hop that does not exist."""
        if index not in self.states:
            raise ValueError(f"there is no hop {index}; the network has the hops 0 to {len(self.states) - 1}")
        if hasattr(value, "forward_eV"):
            self.paths[index] = value
            band = picture_of(value, index)
            self._found[index] = HopState(band.state, band.forward_eV, band.backward_eV, band.reason)
        else:
            forward, backward = value if np.ndim(value) else (value, value)
            self._found[index] = HopState("given", float(forward), float(backward))
        self._mark()

    def attach(self, run: Run, hops: Sequence[int] | None = None) -> list[int]:
        """Follow a run; `hops` are those of its bands in order, by default the ones whose names its bands bear.

        Returns the hops. Raises ValueError when none of its bands belongs to this network.
        """
        source = RunSource(run)
        if hops is None:
            named = {hop.name: hop.index for hop in self.network.hops}
            places = {band.index: named[band.name] for band in source.bands if band.name in named}
        else:
            places = dict(enumerate(hops))
        if not places:
            names = ", ".join(repr(band.name) for band in source.bands[:4]) or "none"
            raise ValueError(
                f"no band of run {run.id} is a hop of this network; its bands are {names}. Was it made from another "
                "structure or with another max_distance_A?"
            )
        self.sources.append((source, places))
        self._read(source, places)
        return list(places.values())

    def poll(self) -> bool:
        """Read what the runs wrote; True when a state changed."""
        before = dict(self.states)
        for source, places in self.sources:
            if source.poll():
                self._read(source, places)
        return before != self.states

    def percolation(self) -> Percolation:
        """Minimax barriers in one, two and three dimensions with what is known by now."""
        return self.network.percolation(self._usable())

    def along(self) -> dict[str, float]:
        """Minimax barrier (eV, inf when never) along each axis of the cell."""
        usable = self._usable()
        return {name: self.network.barrier_along(axis, usable) for name, axis in AXES.items()}

    def cells(self) -> list[tuple[str, ...]]:
        """The rows of the list of hops, in the order of `COLUMNS`."""
        return [self._row(hop) for hop in self.network.hops]

    def _row(self, hop: Hop) -> tuple[str, ...]:
        one = self.states[hop.index]
        numbers = [f"{value:.3f}" if one.known else "" for value in (one.forward_eV, one.backward_eV)]
        name = hop.name.split(" ")[0].replace("-", _HYPHEN)
        state = f"{one.state}, {COMPUTING}" if one.computing and one.known else one.state
        return (name, f"{hop.distance_A:.2f}", direction(hop.name), str(hop.multiplicity), *numbers, state)

    def _usable(self) -> dict[int, tuple[float, float]]:
        # Two end states that are equal may differ by noise, and a barrier is not negative.
        return {index: (max(a, 0.0), max(b, 0.0)) for index, (a, b) in self.barriers.items()}

    def _read(self, source: RunSource, places: dict[int, int]) -> None:
        for band in source.bands:
            hop = places.get(band.index)
            if hop is None:
                continue
            if band.over:
                self._enter(hop, band, source)
            elif self._found[hop].state == UNKNOWN:
                self._found[hop] = HopState(run=source.run, band=band.index)
        self._mark()

    def _enter(self, hop: int, band: BandPicture, source: RunSource) -> None:
        """Take over how a band ended, once: a later run of the same hop would be overwritten by an earlier one."""
        key = (source.run.id, band.index)
        if self._entered.get(key) is band:
            return
        self._entered[key] = band
        where = {"run": source.run, "band": band.index}
        found = HopState(band.state, band.forward_eV, band.backward_eV, band.reason, **where)
        old = self._found[hop]
        if old.known and not found.known:
            words = f"computed again in run {source.run.id}: {band.state}"
            self._found[hop] = replace(old, reason=f"{words}, {band.reason}" if band.reason else words)
            return
        self._found[hop] = found
        if band.index in source.paths:
            self.paths[hop] = source.paths[band.index]

    def _mark(self) -> None:
        """Set the states: what was found, with the work that goes on."""
        self.states.update(self._found)
        for source, places in self.sources:
            for band in source.bands if source.active else ():
                if band.index in places and not band.over:
                    hop = places[band.index]
                    found = self._found[hop] if self._found[hop].known else HopState(COMPUTING)
                    self.states[hop] = replace(found, run=source.run, band=band.index, computing=True)


def direction(name: str) -> str:
    """Return the lattice direction in a hop's name, such as [010]; empty when it points along none."""
    return name[name.index("[") :] if name.endswith("]") and "[" in name else ""
