"""labkit's CHGNet equals the stock package on every crystal of the library.

float32 rounding of the stock package alone moves its forces by up to 2.5e-4 eV/Å (LiMgPO4), more than the tolerance.
So the stock network is also evaluated in float64, by its own code: there ours equals it to 1e-9, and ours in float32
stays within the tolerance of it.
"""

import contextlib
import io
import warnings

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.units import GPa

from labkit import structures
from labkit.potentials import load
from labkit.potentials.graph import build_graph, forces_and_virial

VERSIONS = {"chgnet": "0.3.0", "chgnet-0.2.0": "0.2.0", "chgnet-r2scan": "r2scan"}
CRYSTALS = [entry.name for entry in structures.entries() if entry.kind == "crystal"]
#: eV/atom, eV/Å, GPa, µ_B
TOLERANCES = {"e": 1e-5, "f": 1e-4, "s": 1e-3, "m": 1e-4}


class Stock:
    """The stock package in float32 and, with the same code, in float64."""

    def __init__(self, version: str) -> None:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # chgnet's import sets a global filter and its dependencies warn at import
            from chgnet.model import CHGNet

            self.single = CHGNet.load(model_name=version, use_device="cpu", verbose=False)
            self.double = CHGNet.load(model_name=version, use_device="cpu", verbose=False).double()
            self.double.composition_model.float()  # it casts its input to float32 itself

    def predict(self, atoms: Atoms, *, exact: bool) -> dict[str, np.ndarray]:
        from chgnet.graph import converter
        from chgnet.model import model
        from pymatgen.io.ase import AseAtomsAdaptor

        structure = AseAtomsAdaptor.get_structure(atoms)
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
            warnings.simplefilter("ignore")  # torch warns of a tensor made a scalar inside chgnet's stress
            if not exact:
                return self.single.predict_structure(structure)
            patch.setattr(converter, "TORCH_DTYPE", torch.float64)
            patch.setattr(model, "TORCH_DTYPE", torch.float64)
            torch.set_default_dtype(torch.float64)
            try:
                return self.double.predict_structure(structure)
            finally:
                torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module", params=VERSIONS)
def pair(request):
    return load(request.param, device="cpu"), Stock(VERSIONS[request.param])


def _ours(potential, atoms):
    prediction = potential.predict([atoms], ("energy", "forces", "stress", "magmoms"))
    return {
        "e": prediction.energies[0] / len(atoms),
        "f": prediction.forces[0],
        "s": prediction.stresses[0] / GPa,
        "m": prediction.magmoms[0],
    }


def _ours_in_double(potential, atoms):
    network = type(potential.network)(potential.network.architecture, potential.network.parameters_by_name()).double()
    graph = build_graph([atoms], potential.cutoff_A)
    energy, moments = network(graph)
    forces, virial = forces_and_virial(energy, graph)
    stress = virial[0] / graph.volumes / GPa
    return {
        "e": energy.detach().numpy()[0] / len(atoms),
        "f": forces.numpy(),
        "s": stress.numpy(),
        "m": moments.detach().numpy(),
    }


def _distances(one, other):
    return {key: float(np.abs(one[key] - other[key]).max()) for key in TOLERANCES}


@pytest.mark.parametrize("name", CRYSTALS)
def test_every_library_crystal_gets_the_numbers_of_the_stock_network(pair, name):
    potential, stock = pair
    atoms = structures.named(name)
    unknown = set(atoms.get_chemical_symbols()) - potential.elements
    assert not unknown, "the library must not hold what CHGNet cannot compute"
    ours, exact = _ours(potential, atoms), stock.predict(atoms, exact=True)
    apart = _distances(ours, exact)
    assert all(apart[key] <= TOLERANCES[key] for key in TOLERANCES), apart
    # Against the stock float32 numbers, rounding of both sides adds up: allowed is the tolerance beyond its own error.
    theirs = stock.predict(atoms, exact=False)
    rounding, apart = _distances(theirs, exact), _distances(ours, theirs)
    assert all(apart[key] <= TOLERANCES[key] + rounding[key] for key in TOLERANCES), apart


@pytest.mark.parametrize("name", ["LiFePO4", "Li6PS5Cl", "Li", "LiMgPO4"])
def test_in_float64_nothing_is_left_of_the_difference(pair, name):
    potential, stock = pair
    atoms = structures.rattle(structures.named(name), 0.05, seed=1)
    apart = _distances(_ours_in_double(potential, atoms), stock.predict(atoms, exact=True))
    # The stock cut-offs and constants are float32 numbers in places; forces are eV/Å, stresses GPa.
    assert max(apart.values()) < 2e-6, apart


def test_a_structure_without_angles_is_not_changed_by_its_neighbours_in_the_batch(pair):
    potential, _ = pair
    plain, bent = structures.named("Li"), structures.named("LiCoO2")
    alone = potential.predict([plain]).energies[0]
    assert potential.predict([bent, plain]).energies[1] == pytest.approx(alone, abs=1e-5)
