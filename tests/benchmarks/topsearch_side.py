"""topsearch exploring a landscape for a given CPU time, in an environment of its own: it knows nothing of labkit.

`python topsearch_side.py TASK.json EVENTS.json`. Parameters are those published for Landscape17 (methods A.1). Every
minimum and every transition state that topsearch returns is written down with the CPU second of its discovery, before
its own network decides whether it is a copy.
"""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from topsearch.data.coordinates import AtomicCoordinates, MolecularCoordinates
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
from topsearch.global_optimisation.basin_hopping import BasinHopping
from topsearch.global_optimisation.perturbations import AtomicPerturbation, MolecularPerturbation
from topsearch.potentials.potential import Potential
from topsearch.sampling.exploration import NetworkSampling
from topsearch.similarity.molecular_similarity import MolecularSimilarity
from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing
from topsearch.transition_states.nudged_elastic_band import NudgedElasticBand

BOHR, HARTREE, KELVIN = 0.5291772105638411, 27.211386024367243, 8.617330337217213e-05  # ASE's CODATA 2014


class Spent(BaseException):
    """The CPU time is over."""


class Molecule(MolecularCoordinates):
    """topsearch 0.0.3 calls this method without the force field that it needs: clashes are left to the quench."""

    def remove_atom_clashes(self, force_field=None):
        return None


class Counted(Potential):
    """The same potential that labkit evaluates, one geometry at a time, with a calculator that stays warm."""

    def __init__(self, task):
        self.atomistic, self.evaluations, self.budget_s = True, 0, task["budget_s"]
        self.numbers, self.calculator = np.array(task["numbers"]), None
        self.point = self.tight_binding if task["potential"] == "gfn2-xtb" else lennard_jones

    def function_gradient(self, position):
        if time.process_time() > self.budget_s:
            raise Spent
        self.evaluations += 1
        return self.point(np.asarray(position, dtype=float).reshape(-1, 3))

    def function(self, position):
        return self.function_gradient(position)[0]

    def gradient(self, position, displacement=1e-6):
        return self.function_gradient(position)[1]

    def tight_binding(self, x):
        if self.calculator is None:
            from tblite.interface import Calculator

            self.calculator = Calculator("GFN2-xTB", self.numbers, x / BOHR, charge=0.0, uhf=0)
            options = {"verbosity": 0, "accuracy": 0.1, "max-iter": 300, "temperature": 300.0 * KELVIN / HARTREE}
            for option, value in options.items():
                self.calculator.set(option, value)
        self.calculator.update(x / BOHR)
        found = self.calculator.singlepoint()
        return float(found["energy"]) * HARTREE, (np.asarray(found["gradient"]) * HARTREE / BOHR).ravel()


def lennard_jones(x):
    """ε = 1 eV, σ = 1 Å, all pairs, vectorised; atoms nearer than 0.1 Å repel no stronger than there."""
    apart = x[:, None] - x[None]
    squared = (apart**2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    s6 = np.maximum(squared, 1e-2) ** -3.0
    strength = 24.0 * (2.0 * s6 * s6 - s6) / np.maximum(squared, 1e-2)
    return float(2.0 * (s6 * s6 - s6).sum()), -np.einsum("ij,ijx->ix", strength, apart).ravel()


def explore(task, events):
    """Basin hopping and connection attempts in turn until the CPU time is spent."""
    np.random.seed(task["seed"])  # noqa: NPY002 (topsearch draws from the global generators)
    random.seed(task["seed"])
    potential, start = Counted(task), np.array(task["positions"], dtype=float).ravel()
    cluster = task["potential"] != "gfn2-xtb"
    coords = (AtomicCoordinates if cluster else Molecule)(task["symbols"], start.copy())
    network = KineticTransitionNetwork()
    same = MolecularSimilarity(task["distance_A"], task["energy_eV"], weighted=False, allow_inversion=True)
    if cluster:
        moves = AtomicPerturbation(max_displacement=1.0, max_atoms=len(task["symbols"]) - 1)
    else:
        moves = MolecularPerturbation(max_displacement=180.0, max_bonds=min(2, len(coords.rotatable_dihedrals)))
    hopping = BasinHopping(ktn=network, potential=potential, similarity=same, step_taking=moves)
    single = HybridEigenvectorFollowing(
        potential=potential,
        ts_conv_crit=1e-2,
        ts_steps=100,
        pushoff=task["pushoff_A"],
        steepest_descent_conv_crit=1e-3,
        max_uphill_step_size=0.3,
        positive_eigenvalue_step=0.1,
        eigenvalue_conv_crit=5e-2,
    )
    double = NudgedElasticBand(
        potential=potential, force_constant=50.0, image_density=15.0, max_images=20, neb_conv_crit=1e-2
    )
    sampling = NetworkSampling(
        ktn=network,
        coords=coords,
        global_optimiser=hopping,
        single_ended_search=single,
        double_ended_search=double,
        similarity=same,
    )
    test_new_minimum = same.test_new_minimum

    def tested(ktn, where, energy):
        point = np.asarray(where.position).tolist()
        events.append(("minimum", time.process_time(), float(energy), point, potential.evaluations))
        return test_new_minimum(ktn, where, energy)

    same.test_new_minimum = tested
    found = single.run

    def run(where):
        answer = found(where)
        if answer[0] is not None:
            now = time.process_time()
            for kind, place, energy in (("saddle", 0, 1), ("minimum", 2, 3), ("minimum", 4, 5)):
                point = np.asarray(answer[place]).tolist()
                events.append((kind, now, float(answer[energy]), point, potential.evaluations))
        return answer

    single.run = run
    try:
        rounds = 0
        while rounds < 1000:
            sampling.get_minima(
                coords=coords, n_steps=task["hops"], conv_crit=1e-3, temperature=100.0, test_valid=False
            )
            sampling.get_transition_states(method="ClosestEnumeration", cycles=2)
            rounds += 1
            coords.position = start.copy()
    except Spent:
        pass
    return {"evaluations": potential.evaluations, "rounds": rounds, "minima": network.n_minima, "saddles": network.n_ts}


if __name__ == "__main__":
    source, target = (Path(path).resolve() for path in sys.argv[1:3])
    asked = json.loads(source.read_text())
    os.chdir(tempfile.mkdtemp())  # topsearch writes a logfile where it stands
    events = []
    said = explore(asked, events)
    target.write_text(json.dumps({**said, "cpu_s": time.process_time(), "events": events}))
