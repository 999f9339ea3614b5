"""The landscapes of ethanol and malonaldehyde by GFN2-xTB and by labkit's own two potentials, explored alike.

    python 41_own_scores.py [GFN2-xTB] [MD] [MD+pathways]

Needs the folders of 41_own_model.py. Makes 41_own_networks.json.gz: for each molecule and potential the network as it
was found, before cleaning, and what finding it cost. First comes an exploration; then saddles are searched from all
stationary points of the published DFT and GFN2-xTB networks and along the softest modes, and followed down with more
patience than an exploration has (malonaldehyde is almost flat); last from the transition states of each other. Every
score of notebook 41 is computed from these. With names, only these are explored; the others stay as they are.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np

from labkit.landscapes import landscape17
from labkit.landscapes.assessment import assess
from labkit.landscapes.descent import connect
from labkit.landscapes.eigenvector_following import find_saddles
from labkit.landscapes.exploration import LandscapeExploration, network
from labkit.landscapes.hessian import normal_modes
from labkit.landscapes.matching import default_comparison
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.quench import minimise
from labkit.landscapes.surface import Surface
from labkit.runs import Store

HERE = Path(__file__).parent
PATH = HERE / "41_own_networks.json.gz"
MOLECULES = ("ethanol", "malonaldehyde")
POTENTIALS = {"GFN2-xTB": "gfn2-xtb", "MD": str(HERE / "41_own_md"), "MD+pathways": str(HERE / "41_own_pathways")}
SETTINGS = {"walkers": 6, "hops": 4, "searches": 16, "patience": 32, "seed": 0}
#: Two points closer than both (Å, norm of the 3N vector; eV) are one, as in an exploration.
SAME = {"distance_A": 0.3, "within_eV": 1e-3}
#: Searches begin this far (Å) along the two softest modes of every minimum. Ends of paths are shaken by so much (Å) and
#: quenched to so little (eV/Å): a path may end on a ridge.
PUSH_A, SHAKE_A, GRADIENT_eV_A = 0.2, 0.03, 2e-4


def complete(found, molecule, potential, others=()):
    """Add to the network `found` what lies at the stationary points of the published networks and along its own softest
    modes, or else at the transition states of the networks `others`; returns the number of evaluations.
    """
    published = landscape17.reference(molecule), landscape17.model_network("gfn2-xtb", molecule)
    surface = Surface.of(potential, published[0].atoms(published[0].minima[0]), device="cpu")
    same, rng = default_comparison(found), np.random.default_rng(0)
    if others:
        starts = [point.positions for one in others for point in one.transition_states]
    else:
        starts = [point.positions for one in published for point in (*one.minima, *one.transition_states)]
        minima = np.array([point.positions for point in found.minima])
        for x, modes in zip(minima, normal_modes(surface, minima), strict=True):
            starts += [x + side * PUSH_A * mode for mode in modes.directions[:2] for side in (1, -1)]

    def known(points, positions, energy):
        places, energies = [point.positions for point in points], [point.energy_eV for point in points]
        return same.find(positions, energy, places, energies, **SAME)

    for saddle in find_saddles(surface, np.array(starts), ceiling_eV=3.0, max_steps=200):
        if not saddle.found or known(found.transition_states, saddle.positions, saddle.energy_eV) is not None:
            continue
        way = connect(surface, saddle, max_steps=1000)[0]
        if not way.found:
            continue
        quenched = minimise(surface, way.minima + rng.normal(scale=SHAKE_A, size=way.minima.shape), GRADIENT_eV_A)
        ends = [known(found.minima, x, e) for x, e in zip(quenched.positions, quenched.energies, strict=True)]
        for side, modes in enumerate(normal_modes(surface, quenched.positions)):
            if ends[side] is None and quenched.converged[side] and modes is not None and not modes.negative:
                said = {"eigenvalues": modes.eigenvalues, "info": {"found_by": "published points"}}
                ends[side] = found.add_minimum(float(quenched.energies[side]), quenched.positions[side], **said)
        print(f"    added: saddle at {saddle.energy_eV:.4f} eV between {ends}", flush=True)
        if None not in ends:
            said = {"eigenvalues": saddle.modes.eigenvalues, "info": {"found_by": "published points"}}
            found.add_transition_state(ends, saddle.energy_eV, saddle.positions, **said)
    return surface.evaluations


def rounded(value):
    """Numbers to a micro-eV and a micro-Å."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, np.ndarray):
        return rounded(value.tolist())
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return {key: rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


def stored():
    """What the file holds: {"networks": {molecule: {name: network}}, "cost": {molecule: {name: numbers}}}."""
    return json.loads(gzip.decompress(PATH.read_bytes())) if PATH.exists() else {"networks": {}, "cost": {}}


def keep(molecule, name, raw, cost):
    """Put a network into the file, beside what is there."""
    found = stored()
    for part, value in (("networks", raw.to_dict()), ("cost", cost)):
        known = found[part].setdefault(molecule, {}) | {name: rounded(value)}
        found[part][molecule] = {one: known[one] for one in POTENTIALS if one in known}
    found["settings"] = SETTINGS
    PATH.write_bytes(gzip.compress((json.dumps(found) + "\n").encode(), mtime=0))


def explored(molecule, name):
    """The finished run of an exploration."""
    dft = landscape17.reference(molecule)
    task = LandscapeExploration(
        structure=dft.atoms(dft.minima[0]), potential=POTENTIALS[name], device="cpu", **SETTINGS
    )
    return task.run(store=Store(HERE / "41_runs"), name=f"{molecule}, {name}")


def compare(molecule, name):
    """Before a transition state of one network is called extra, it is looked for by the other potentials too."""
    found = stored()
    networks = {one: KineticNetwork.from_dict(said) for one, said in found["networks"][molecule].items()}
    raw, cost = networks.pop(name), found["cost"][molecule][name]
    cost["more_evaluations"] += complete(raw, molecule, POTENTIALS[name], list(networks.values()))
    keep(molecule, name, raw, cost)
    dft = landscape17.reference(molecule)
    print(f"{molecule}, {name}: {raw}; against DFT {assess(raw, dft).counts}", flush=True)


if __name__ == "__main__":
    names = sys.argv[1:] or list(POTENTIALS)
    for molecule in MOLECULES:
        for name in names:
            run = explored(molecule, name)
            raw, result = network(run), run.result()
            cost = {key: result[key] for key in ("evaluations", "steps", "failures", "complete", "found_once")}
            cost["more_evaluations"] = complete(raw, molecule, POTENTIALS[name])
            keep(molecule, name, raw, cost)
        for name in names:
            compare(molecule, name)
