"""Is there a way at all: the hops of the mobile ion and the distances at which they lead through the crystal."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from labkit.errors import InvalidStructure
from labkit.runs import quantity
from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stage import Stage

if TYPE_CHECKING:
    from labkit.simulators.hops import HopNetwork


class Hops(Stage):
    """Find the symmetry-distinct hops of an ion, and keep crystals through which short hops lead."""

    species: str = Field("Li", description="The mobile ion")
    mechanism: Literal["vacancy", "interstitial"] = Field("vacancy", description="A vacancy moves, or an extra ion")
    max_distance_A: float = quantity(4.5, "Å", "Longest hop", gt=0, le=12)
    dimension: Literal[1, 2, 3] = Field(1, description="In how many dimensions the hops must lead on")

    def judge(self, candidate: Candidate) -> Outcome:
        """Values: hops, shortest_hop_A, percolates_1d_A, percolates_2d_A, percolates_3d_A. Keeps hops.json."""
        try:
            network = self.network(candidate)
        except InvalidStructure as error:
            return rejected(" ".join(str(error).split()))
        lengths = thresholds(network)
        values = {"hops": len(network.hops), "shortest_hop_A": min(hop.distance_A for hop in network.hops)}
        values |= {f"percolates_{n}d_A": length for n, length in enumerate(lengths, 1)}
        if not isfinite(lengths[self.dimension - 1]):
            return rejected(
                f"hops of up to {self.max_distance_A:g} Å do not lead through the crystal in {self.dimension} "
                f"dimension{'s' if self.dimension > 1 else ''}.",
                **values,
            )
        return passed(files={"hops.json": json.dumps(network.to_dict())}, **values)

    def network(self, candidate: Candidate) -> HopNetwork:
        """The hops of a candidate; raises InvalidStructure where there are none."""
        from labkit.simulators.hops import find_hops

        return find_hops(
            candidate.atoms, self.species, kind=self.mechanism, max_distance_A=self.max_distance_A, symprec_A=0.05
        )


def thresholds(network: HopNetwork) -> tuple[float, float, float]:
    """Length (Å) of the longest hop that is needed to travel in one, two and three dimensions; inf when never."""
    return network.percolation({hop.index: hop.distance_A for hop in network.hops}).barriers_eV
