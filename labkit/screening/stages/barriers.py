"""How hard is the way: nudged elastic bands for the hops that lead through the crystal, and the minimax barrier.

Longer hops than those that are needed are not computed; with any of them left out a barrier is an upper bound.
"""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from labkit.errors import InvalidStructure
from labkit.runs import quantity
from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stages.hops import Hops, thresholds
from labkit.screening.stages.relaxation import opened

if TYPE_CHECKING:
    from labkit.simulators.hops import HopNetwork
    from labkit.simulators.neb_path import MinimumEnergyPath

KEPT = "hop-{}.json"


class Barriers(Hops):
    """Compute migration barriers by nudged elastic bands, and keep crystals with a low percolation barrier."""

    potential: str = Field("chgnet", description="Name or path of the potential")
    slack_A: float = quantity(0.3, "Å", "Hops this much longer than needed are computed too", ge=0, le=10)
    min_length_A: float = quantity(8.0, "Å", "The ion is at least this far from its own images", gt=0, le=50)
    images: int = quantity(5, "images", "Moving images of each band", ge=1, le=31)
    fmax_eV_A: float = quantity(0.05, "eV/Å", "Converged when no force on a band is larger", gt=0, le=1)
    max_steps: int = quantity(300, "steps", "A band is given up after so many steps", ge=1)
    hops_at_once: int = quantity(8, "hops", "Hops in one batch; what is kept for a resume is whole batches", ge=1)
    max_atoms: int = quantity(250, "atoms", "Larger cells are not computed", ge=1)
    max_barrier_eV: float | None = quantity(None, "eV", "Keep no higher percolation barrier", gt=0)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    def judge(self, candidate: Candidate) -> Outcome:
        """Values: barrier_1d_eV, barrier_2d_eV, barrier_3d_eV (None when never), lowest_hop_eV, hops, hops_computed,
        hops_lost, path_direction, limiting_hop, limiting_hop_A. Keeps barriers.json: the network and the paths.
        """
        try:
            network = self.network(candidate)
            needed = thresholds(network)[self.dimension - 1]
            if not isfinite(needed):
                return rejected(
                    f"hops of up to {self.max_distance_A:g} Å do not lead through the crystal in {self.dimension}D.",
                    hops=len(network.hops),
                )
            chosen = [hop for hop in network.hops if hop.distance_A <= needed + self.slack_A]
            bands = network.bands(chosen, min_length_A=self.min_length_A)
        except InvalidStructure as error:
            return rejected(" ".join(str(error).split()))
        size = max(len(band.initial) for band in bands)
        if size > self.max_atoms:
            return rejected(f"a band needs {size} atoms; at most {self.max_atoms} are wanted.", hops=len(network.hops))
        paths = self._paths(dict(zip((hop.index for hop in chosen), bands, strict=True)), candidate.scratch)
        return self._outcome(network, paths)

    def _paths(self, bands: dict[int, Any], scratch: Path | None) -> dict[int, MinimumEnergyPath]:
        """The paths by hop; those that an earlier attempt at this candidate finished are not computed again."""
        from labkit.simulators.neb import find_paths
        from labkit.simulators.neb_path import MinimumEnergyPath

        found: dict[int, MinimumEnergyPath] = {}
        files: dict[int, Path] = {}
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
            files = {hop: scratch / KEPT.format(hop) for hop in bands}
            found = {hop: MinimumEnergyPath.read(file) for hop, file in files.items() if file.exists()}
        missing = [hop for hop in bands if hop not in found]
        for first in range(0, len(missing), self.hops_at_once):
            group = missing[first : first + self.hops_at_once]
            paths = find_paths(
                [bands[hop] for hop in group],
                opened(self.potential, self.device),
                images=self.images,
                fmax_eV_A=self.fmax_eV_A,
                max_steps=self.max_steps,
            )
            for hop, path in zip(group, paths, strict=True):
                found[hop] = path
                if hop in files:
                    path.write(files[hop])
        return {hop: found[hop] for hop in bands}

    def _outcome(self, network: HopNetwork, paths: dict[int, MinimumEnergyPath]) -> Outcome:
        found = {index: path for index, path in paths.items() if path.state == "converged"}
        lost = {index: path for index, path in paths.items() if path.state != "converged"}
        percolation = network.percolation(found)
        barrier = percolation.barriers_eV[self.dimension - 1]
        values: dict[str, Any] = {
            f"barrier_{n}d_eV": value if isfinite(value) else None for n, value in enumerate(percolation.barriers_eV, 1)
        }
        values |= {"hops": len(network.hops), "hops_computed": len(paths), "hops_lost": len(lost)}
        if found:
            values["lowest_hop_eV"] = min(max(path.forward_eV, path.backward_eV) for path in found.values())
        if isfinite(barrier):
            along = percolation.directions[self.dimension - 1]
            values["path_direction"] = " ".join(f"[{' '.join(map(str, vector))}]" for vector in along)
            limiting = network.hops[percolation.limiting_hops[self.dimension - 1]]
            values["limiting_hop"] = limiting.name
            values["limiting_hop_A"] = limiting.distance_A
        kept = {"network": network.to_dict(), "percolation": percolation.to_dict()}
        kept["paths"] = {str(index): path.to_dict() for index, path in paths.items()}
        files = {"barriers.json": json.dumps(kept)}
        if not isfinite(barrier):
            reasons = "; ".join(f"{path.name}: {path.reason}" for path in lost.values())
            return Outcome(
                "failed", f"{len(lost)} of {len(paths)} hops have no barrier: {reasons}", values, None, files
            )
        if self.max_barrier_eV is not None and barrier > self.max_barrier_eV:
            reason = (
                f"its barrier in {self.dimension}D is {barrier:.2f} eV; at most {self.max_barrier_eV:g} eV is wanted."
            )
            return Outcome("rejected", reason, values, None, files)
        return passed(files=files, **values)
