"""The network of both architectures in float64: symmetries, what batches may not change, and a second opinion."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from scipy.spatial.transform import Rotation

from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.potentials.camp.tensors import component_counts
from tests.potentials.camp_reference import Reference, unpack
from tests.potentials.made import cluster, crystal, small

ARCHITECTURES = ["CAMP", "CAMP-L"]
ROTATION = Rotation.from_euler("xyz", [20, 40, 70], degrees=True).as_matrix()
THREE = ("Li", "Cl", "O")
CASES = {
    f"{architecture}-{name}": {"architecture": architecture, **changed}
    for architecture in ARCHITECTURES
    for name, changed in {
        "pairs": {"max_v": 0, "elements": THREE},
        "vectors": {"max_v": 1, "elements": ("Li",)},
        "matrices": {"max_v": 2, "elements": THREE},
        "rank-three": {"max_v": 3, "elements": THREE},
        "long": {"long_range": True, "dl_A": 1.5, "elements": THREE},
        "long-one-element": {"long_range": True, "dl_A": 1.5, "elements": ("Li",)},
    }.items()
} | {"CAMP-L-two-products": {"architecture": "CAMP-L", "products": 2, "elements": THREE}}
EVERY = pytest.mark.parametrize("potential", CASES.values(), ids=CASES, indirect=True)
BOTH = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture
def potential(request) -> CAMP:
    return small(**request.param)


def symbols(potential: CAMP) -> str:
    return "".join(sorted(potential.elements))


def energies(potential: CAMP, structures: list[Atoms]) -> np.ndarray:
    return potential.predict(structures, ("energy",)).energies


def transformed(atoms: Atoms, matrix: np.ndarray) -> Atoms:
    other = atoms.copy()
    other.set_cell(atoms.cell.array @ matrix.T, scale_atoms=False)
    other.positions = atoms.positions @ matrix.T
    return other


@EVERY
def test_the_energy_knows_no_rotation_reflection_translation_or_order(potential):
    for atoms in (crystal(symbols(potential)), cluster(symbols(potential))):
        moved = atoms.copy()
        moved.positions += [0.3, -1.7, 11.0]
        same = [
            atoms,
            transformed(atoms, ROTATION),
            transformed(atoms, np.diag([1.0, -1.0, 1.0])),
            transformed(atoms, -ROTATION),
            moved,
            atoms[np.random.default_rng(1).permutation(len(atoms))],
        ]
        other = atoms.copy()
        other.rattle(0.05, seed=2)
        values = energies(potential, [*same, other])
        assert values[1:-1] == pytest.approx(values[0], abs=1e-10)
        assert abs(values[-1] - values[0]) > 1e-4


@BOTH
def test_moments_and_features_turn_with_the_structure(architecture):
    potential = small(architecture, max_v=3)
    atoms = crystal()
    before, after = (_tensors(potential, one) for one in (atoms, transformed(atoms, ROTATION)))
    assert len(before) == (2 * 4 + 4 if architecture == "CAMP" else 2 * 4)
    for rank, tensor in before.items():
        turned = unpack(tensor, rank[1])
        for axis in range(rank[1]):
            turned = np.moveaxis(np.tensordot(ROTATION, turned, (1, axis)), 0, axis)
        assert np.abs(turned).max() > 1e-3
        assert unpack(after[rank], rank[1]) == pytest.approx(turned, abs=1e-10)


def _tensors(potential: CAMP, atoms: Atoms) -> dict[tuple[str, int], np.ndarray]:
    """Moments of every layer, and what layers hand on, by name and rank."""
    found = {}

    def keep(name: str):
        def hook(_module, _inputs, output):
            if isinstance(output, list):
                found.update({(name, v): one.detach().numpy() for v, one in enumerate(output)})

        return hook

    handles = []
    for n, layer in enumerate(potential.network.layers):
        handles.append(layer.moments.register_forward_hook(keep(f"moments {n}")))
        if n < len(potential.network.layers) - 1:
            handles.append(layer.register_forward_hook(keep(f"features {n}")))
    energies(potential, [atoms])
    for handle in handles:
        handle.remove()
    assert all(len(one) == component_counts(3)[v] for (_, v), one in found.items())
    return found


@pytest.mark.parametrize("max_v", [0, 1, 2, 3])
@pytest.mark.parametrize("elements", [("Li",), ("Li", "Cl", "O")], ids=["one-element", "three-elements"])
def test_a_slow_program_of_the_published_equations_gives_the_same_energies(max_v, elements):
    potential = small("CAMP", elements, max_v=max_v, channels=3, radial_degree=4, radial_hidden=3)
    reference = Reference(potential)
    structures = [cluster("".join(elements), 4), crystal("".join(elements), 3)]
    expected = [reference.energy(atoms) for atoms in structures]
    assert energies(potential, structures) == pytest.approx(expected, abs=1e-10)


def test_three_layers_are_those_of_the_equations_too():
    potential = small("CAMP", n_layers=3, channels=3, radial_degree=4, radial_hidden=3)
    atoms = cluster(n=4)
    assert energies(potential, [atoms])[0] == pytest.approx(Reference(potential).energy(atoms), abs=1e-10)


@EVERY
def test_an_isolated_atom_has_the_energy_of_its_shift_exactly(potential):
    far = Atoms(symbols(potential), positions=[[50.0 * n, 0, 0] for n in range(len(potential.elements))])
    for index, symbol in enumerate(sorted(potential.elements, key=lambda one: Atoms(one).numbers[0])):
        assert energies(potential, [Atoms(symbol)])[0] == float(potential.network.shift[index])
    if not potential.settings.long_range:
        expected = float(potential.network.shift.sum())
        assert energies(potential, [far])[0] == pytest.approx(expected, abs=1e-14)
        assert (potential.predict([far]).forces[0] == 0).all()


@pytest.mark.parametrize("channels", [1, 5, 8, 13, 64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_atoms_without_neighbours_are_isolated_whatever_the_width_of_the_machine(channels, dtype):
    potential = small("CAMP-L", channels=channels, dtype=dtype)
    atoms = [Atoms("Li"), Atoms("O"), Atoms("LiClO", positions=[[0, 0, 0], [30, 0, 0], [0, 30, 0]])]
    shift = potential.network.shift.numpy()
    assert energies(potential, atoms[:2]).tolist() == [shift[0], shift[1]]
    assert energies(potential, atoms[2:])[0] == pytest.approx(shift.sum(), abs=1e-14)


@EVERY
def test_neither_the_batch_nor_the_padding_changes_anything(potential):
    name = symbols(potential)
    structures = [crystal(name, 6), cluster(name, 4), crystal(name, 3, seed=5), Atoms("Li"), cluster(name, 7, seed=2)]
    batch = potential.predict(structures)
    for index, atoms in enumerate(structures):
        single = potential.predict([atoms])
        assert batch.energies[index] == pytest.approx(single.energies[0], abs=1e-12)
        assert batch.forces[index] == pytest.approx(single.forces[0], abs=1e-12)
        assert np.isnan(batch.stresses[index]).all() == (not atoms.pbc.all())
        assert batch.stresses[index] == pytest.approx(single.stresses[0], abs=1e-12, nan_ok=True)
    parts = [potential.prepare(atoms) for atoms in structures[:3]]
    wide = [replace(part, width=part.width + 40) for part in parts]
    narrow, padded = (potential.evaluate(potential.collate(some)) for some in (parts, wide))
    assert padded.energies.tolist() == pytest.approx(narrow.energies.tolist(), abs=1e-12)
    assert padded.forces.numpy() == pytest.approx(narrow.forces.numpy(), abs=1e-12)


@pytest.mark.parametrize("long_range", [False, True], ids=["short", "long"])
@BOTH
def test_single_precision_agrees_with_double(architecture, long_range):
    exact = small(architecture, long_range=long_range)
    rough = small(architecture, long_range=long_range, dtype="float32")
    state = {
        name: value.to(rough.network.state_dict()[name].dtype) for name, value in exact.network.state_dict().items()
    }
    rough.network.load_state_dict(state)
    assert next(rough.network.parameters()).dtype == torch.float32
    structures = [crystal(n=12), cluster(n=6)]
    one, other = exact.predict(structures), rough.predict(structures)
    assert other.energies == pytest.approx(one.energies, abs=2e-4)
    assert other.energies.tolist() != one.energies.tolist()
    size = np.abs(one.forces[0]).max()
    assert other.forces[0] == pytest.approx(one.forces[0], abs=1e-4 * size)
    assert other.stresses[0] == pytest.approx(one.stresses[0], abs=1e-4 * np.abs(one.stresses[0]).max())


@BOTH
def test_the_order_in_which_elements_are_named_does_not_matter(architecture):
    first = small(architecture, ("Li", "Cl", "O"), long_range=True)
    second = small(architecture, ("O", "Li", "Cl"), long_range=True)
    state = {**second.network.state_dict()}
    state.update(first.network.state_dict())
    second.network.load_state_dict(state)
    atoms = crystal()
    assert energies(second, [atoms]).tolist() == energies(first, [atoms]).tolist()


@BOTH
def test_elements_are_told_apart(architecture):
    potential = small(architecture)
    atoms = crystal()
    swapped = atoms.copy()
    swapped.symbols[[0, 1]] = swapped.symbols[[1, 0]]
    values = energies(potential, [atoms, swapped])
    assert abs(values[1] - values[0]) > 1e-4
    chemical = [Atoms(pair, positions=[[0, 0, 0], [2.0, 0, 0]]) for pair in ("LiCl", "LiO", "ClO", "Li2", "Cl2", "O2")]
    bonds = energies(potential, chemical) - [
        sum(energies(potential, [Atoms(s)])[0] for s in a.symbols) for a in chemical
    ]
    assert np.diff(np.sort(bonds)).min() > 1e-5


@BOTH
def test_the_charges_of_two_ions_beyond_the_cut_off_are_their_elements_own(architecture):
    """Features of an atom without neighbours are zero: were charges made of them alone, Na and Cl would repel."""
    potential = small(architecture, ("Na", "Cl"), long_range=True)
    apart = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 9.0]])
    sodium, chlorine = potential.predict([apart]).charges[0][:, 0]
    assert abs(sodium - chlorine) > 1e-3
    alone = [potential.predict([Atoms(symbol)]).charges[0][0, 0] for symbol in ("Na", "Cl")]
    assert [sodium, chlorine] == pytest.approx(alone, abs=1e-14)


def test_the_same_seed_gives_the_same_network_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (small(seed=seed).network.state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["readouts.0.linear"], other["readouts.0.linear"])


@BOTH
def test_after_calibration_moments_and_energies_are_of_order_one(architecture):
    """Why `Standardise` is there: products of up to four moments would otherwise differ by powers of ten."""
    potential = small(architecture, max_v=3, channels=16)
    structures = [crystal(n=8, seed=100 + n) for n in range(4)]
    batch = potential.collate([potential.prepare(atoms) for atoms in structures])
    sizes = [float(h.detach().square().mean().sqrt()) for h in potential.network.features(batch)]
    assert all(0.1 < size < 10 for size in sizes)
    units = [one.rms for one in potential.network.modules() if hasattr(one, "rms")]
    assert max(float((one - 1).abs().max()) for one in units) > 0.1


def test_atoms_on_their_own_in_the_data_set_the_energy_of_their_element():
    potential = CAMP.untrained(CAMPSettings(channels=4, max_v=1), ["Na", "Cl"], device="cpu")
    salt = [bulk("NaCl", "rocksalt", a=edge) for edge in (5.4, 5.6, 5.8)]
    frames, energies = [*salt, Atoms("Na"), Atoms("Na")], [-6.0, -7.0, -6.5, -1.0, -2.0]
    potential.fit_scale_and_shift(frames, energies, [np.ones((len(atoms), 3)) for atoms in frames])
    lone = potential.predict([Atoms("Na"), Atoms("Cl")], ("energy",)).energies
    assert lone[0] == pytest.approx(-1.5)
    assert lone[1] == pytest.approx(-6.5 + 1.5)
