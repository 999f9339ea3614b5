"""What CHGNet promises beyond the contract: smoothness, isolated atoms, molecules, saving, and a Python that still
warns.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms

from labkit.errors import InvalidStructure
from labkit.potentials import load
from tests.potentials import structures

EVERYTHING = ("energy", "forces", "stress", "magmoms")


@pytest.fixture(scope="module")
def chgnet():
    return load("chgnet", device="cpu")


def test_an_isolated_atom_is_refused_with_its_number(chgnet):
    atoms = Atoms("LiCl", positions=[[0, 0, 0], [0, 0, 2.2]]) + Atoms("O", positions=[[40, 0, 0]])
    with pytest.raises(InvalidStructure, match=r"atom 2 \(O\).*no neighbour within 6 Å"):
        chgnet.predict([bulk("Li"), atoms])


def test_a_molecule_without_a_cell_has_forces_and_no_stress(chgnet):
    prediction = chgnet.predict([structures.water()])
    assert np.isfinite(prediction.forces[0]).all()
    assert np.isnan(prediction.stresses).all()


def test_the_energy_is_smooth_where_a_neighbour_crosses_a_cut_off(chgnet):
    for cutoff in (3.0, 6.0):
        energies = []
        for distance in cutoff + np.array([-2e-3, -1e-3, 0.0, 1e-3, 2e-3]):
            pairs = Atoms("LiOLiO", positions=[[0, 0, 0], [0, 0, 1.9], [distance, 0, 0], [distance, 0, -1.9]])
            energies.append(chgnet.predict([pairs]).energies[0])
        jumps = np.abs(np.diff(energies, 2))
        assert jumps.max() < 2e-5


def test_known_energies_of_relaxed_crystals():
    # Methods B, section 4: CHGNet 0.3.0 by the stock package, fmax 0.03 eV/Å, eV/atom.
    from labkit.simulators import Relaxation

    published = {"LiCl": -3.9813, "Li2S": -4.1121, "LiCoO2": -6.3695, "BaFeO3": -7.1768}
    run = Relaxation(structures=list(published), fmax_eV_A=0.03, device="cpu").run()
    energies = run.result()["energies_eV"]
    for (name, expected), energy, structure in zip(
        published.items(), energies, run.result()["structures"], strict=True
    ):
        assert energy / len(structure["symbols"]) == pytest.approx(expected, abs=1e-3), name


def test_a_saved_potential_gives_the_same_numbers_without_pickle(chgnet, tmp_path):
    folder = chgnet.save(tmp_path / "mine")
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "potential.json"]
    assert json.loads((folder / "potential.json").read_text())["units"]["stress"] == "eV/Å^3"
    atoms = structures.rattled_rocksalt()
    again = load(folder, device="cpu")
    assert again.elements == chgnet.elements
    assert again.level_of_theory == chgnet.level_of_theory
    one, other = chgnet.predict([atoms], EVERYTHING), again.predict([atoms], EVERYTHING)
    assert np.array_equal(one.energies, other.energies)
    assert np.array_equal(one.forces[0], other.forces[0])


def test_saving_over_a_foreign_folder_is_refused(chgnet, tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(FileExistsError, match="no saved potential"):
        chgnet.save(tmp_path / "thesis")


def test_a_pickled_checkpoint_is_not_opened(tmp_path):
    path = tmp_path / "model.pth.tar"
    torch.save({"model": 1}, path)
    with pytest.raises(ValueError, match="never pickles"):
        load(path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="chgnet-r2scan"):
        load("chgnet-9")


def test_gradients_reach_the_original_parameters(chgnet):
    from labkit.potentials.chgnet.network import CHGNetNetwork
    from labkit.potentials.graph import build_graph, forces_and_virial

    network = CHGNetNetwork(chgnet.network.architecture, chgnet.network.parameters_by_name())
    for parameter in network.weights.values():
        parameter.requires_grad_()
    graph = build_graph([structures.rattled_rocksalt()], chgnet.cutoff_A)
    energy, _ = network(graph)
    forces, _ = forces_and_virial(energy, graph, create_graph=True)
    (forces**2).sum().backward()
    unused = {
        name
        for name, value in network.parameters_by_name().items()
        if network.weights[name.replace(".", "|")].grad is None
    }
    # The third angle update and the moments feed neither energy nor forces; reference energies and final biases are
    # constants.
    allowed = ("angle_layers.2", "site_wise", "composition_model", "mlp.layers.7.bias")
    assert all(name.startswith(allowed) for name in unused)


def test_python_still_warns_after_chgnet_was_loaded():
    code = (
        "from labkit.potentials import load; load('chgnet', 'cpu')\n"
        "import sys, warnings; assert 'chgnet' not in sys.modules; warnings.warn('heard')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "UserWarning: heard" in ended.stderr


def test_any_ase_calculator_is_a_potential_by_its_address():
    potential = load("ase.calculators.emt:EMT")
    atoms = structures.rattled_copper()
    assert potential.predict([atoms]).energies == pytest.approx(load("emt").predict([atoms]).energies)
    with pytest.raises(ValueError, match="cannot be imported"):
        load("ase.calculators.emt:Nonsense")
    with pytest.raises(ValueError, match="neither a labkit potential nor an ASE calculator"):
        load("builtins:dict")


def test_a_potential_gives_the_physical_force_on_fixed_atoms_too():
    atoms = structures.rattled_copper()
    free = load("emt").predict([atoms]).forces[0]
    atoms.set_constraint(FixAtoms([0]))
    assert load("emt").predict([atoms]).forces[0] == pytest.approx(free)


def test_a_cell_that_would_not_fit_into_memory_is_refused_before_it_is_tried(chgnet, monkeypatch):
    from labkit.errors import BudgetExceeded

    monkeypatch.setattr("labkit.potentials.chgnet.potential.BYTES_PER_PAIR", 10**9)
    with pytest.raises(
        BudgetExceeded, match=r"2 atoms with \d+ pairs need about .* GB in chgnet-0.3.0, and .* are free"
    ):
        chgnet.predict([structures.rattled_rocksalt()])
