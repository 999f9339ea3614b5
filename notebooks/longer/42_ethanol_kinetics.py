"""The landscape of malonaldehyde with GFN2-xTB for notebook 42: a floppier molecule than ethanol.

    python 42_ethanol_kinetics.py        (two minutes; writes 42_malonaldehyde.json.gz)

The network is shipped without its paths and with coordinates of five decimals.
"""

from pathlib import Path

import numpy as np

from labkit.landscapes.exploration import LandscapeExploration, network
from labkit.landscapes.landscape17 import reference
from labkit.landscapes.network import KineticNetwork

OUT = Path(__file__).with_name("42_malonaldehyde.json.gz")


def shortened(found: KineticNetwork) -> KineticNetwork:
    """Energies, structures, modes and point groups, numbered by energy."""
    found = found.subset(np.argsort([point.energy_eV for point in found.minima]))
    short = KineticNetwork(found.symbols, found.level_of_theory, "malonaldehyde, GFN2-xTB")
    for point in [*found.minima, *found.transition_states]:
        ends = [point.minima] if hasattr(point, "minima") else []
        add = short.add_transition_state if ends else short.add_minimum
        place = np.round(point.positions - point.positions.mean(axis=0), 5)
        modes = [float(f"{value:.5g}") for value in point.eigenvalues]
        add(*ends, round(point.energy_eV, 7), place, eigenvalues=modes, order=point.order)
    return short


if __name__ == "__main__":
    dft = reference("malonaldehyde")
    start = dft.atoms(dft.global_minimum)
    start.info["name"] = "malonaldehyde"
    task = LandscapeExploration(
        structure=start, potential="gfn2-xtb", walkers=4, hops=4, searches=24, patience=24, device="cpu"
    )
    run = task.run(name="malonaldehyde, GFN2-xTB")
    print(network(run), run.result()["evaluations"], "evaluations")
    shortened(network(run)).write(OUT)
