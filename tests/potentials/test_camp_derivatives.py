"""Forces and stress of our architectures are derivatives, and energies are smooth where neighbours come and go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms

from labkit.potentials.camp import CAMP
from tests.potentials.made import cluster, crystal, small

ARCHITECTURES = ["CAMP", "CAMP-L"]
CASES = pytest.mark.parametrize(
    "changed",
    [
        {"architecture": architecture, **changed}
        for architecture in ARCHITECTURES
        for changed in ({"max_v": 1}, {"max_v": 2}, {"max_v": 3}, {"long_range": True, "dl_A": 1.5})
    ]
    + [{"architecture": "CAMP-L", "products": 2}],
    ids=lambda changed: "-".join(map(str, changed.values())),
)
STEP = 2e-3


def richardson(potential: CAMP, moved, step: float = STEP) -> float:
    """d energy / d amount at zero of `moved(amount)`, from four points, error of order step^4."""
    energies = potential.predict([moved(k * step) for k in (1, -1, 2, -2)], ("energy",)).energies
    return float(8 * (energies[0] - energies[1]) - (energies[2] - energies[3])) / (12 * step)


@CASES
def test_forces_are_minus_the_gradient_of_the_energy_to_a_millionth(changed):
    potential = small(**changed)
    for atoms in (crystal(n=6), cluster(n=5)):
        forces = potential.predict([atoms]).forces[0]
        scale = np.sqrt((forces**2).mean())
        assert scale > 0.01
        for atom, axis in ((0, 0), (1, 1), (2, 2), (len(atoms) - 1, 0)):

            def moved(amount, atom=atom, axis=axis, atoms=atoms):
                other = atoms.copy()
                other.positions[atom, axis] += amount
                return other

            assert forces[atom, axis] == pytest.approx(-richardson(potential, moved), abs=1e-6 * max(1, scale))


@CASES
def test_stress_is_the_strain_derivative_per_volume_to_a_millionth(changed):
    potential = small(**changed)
    atoms = crystal(n=5)
    stress = potential.predict([atoms]).stresses[0]
    assert stress == pytest.approx(stress.T, abs=1e-14)
    for i, j in ((0, 0), (1, 2), (0, 1), (2, 2)):

        def strained(amount, i=i, j=j):
            strain = np.zeros((3, 3))
            strain[i, j] += amount / 2
            strain[j, i] += amount / 2
            other = atoms.copy()
            other.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            return other

        expected = richardson(potential, strained, 5e-4) / atoms.cell.volume
        assert stress[i, j] == pytest.approx(expected, abs=1e-6 * max(1, np.abs(stress).max()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("long_range", [False, True])
def test_what_training_differentiates_is_what_inference_gives(architecture, long_range):
    """With `create_graph` forces and stress are the same numbers, and their gradient by a parameter is a derivative."""
    potential = small(architecture, long_range=long_range)
    batch = potential.collate([potential.prepare(atoms) for atoms in (crystal(n=4), crystal(n=6, seed=3))])
    plain, graphed = potential.evaluate(batch), potential.evaluate(batch, create_graph=True)
    assert torch.equal(plain.energies, graphed.energies.detach())
    assert torch.allclose(plain.forces, graphed.forces.detach(), rtol=0, atol=1e-13)
    assert torch.allclose(plain.stresses, graphed.stresses.detach(), rtol=0, atol=1e-13)
    chosen = [name for part in potential.layers().values() for name in part[:2]]
    parameters = dict(potential.network.named_parameters())
    weights = torch.randn(plain.forces.shape, generator=torch.Generator().manual_seed(0)).double()

    def loss(graph: bool) -> torch.Tensor:
        answer = potential.evaluate(batch, create_graph=graph)
        return (answer.forces * weights).sum() + answer.stresses.square().sum() + answer.energies.sum()

    gradients = torch.autograd.grad(loss(True), [parameters[name] for name in chosen])
    for name, gradient in zip(chosen, gradients, strict=True):
        entry = tuple(int(i) for i in np.unravel_index(int(gradient.abs().argmax()), gradient.shape))
        values = []
        for k in (1, -1, 2, -2):
            with torch.no_grad():
                parameters[name][entry] += k * 1e-4
            values.append(float(loss(False).detach()))
            with torch.no_grad():
                parameters[name][entry] -= k * 1e-4
        expected = (8 * (values[0] - values[1]) - (values[2] - values[3])) / 12e-4
        assert float(gradient[entry]) == pytest.approx(expected, rel=1e-6, abs=1e-7), name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("max_v", [0, 2])
def test_a_bond_ends_at_the_cut_off_with_its_first_and_second_derivative(architecture, max_v):
    potential = small(architecture, max_v=max_v)
    cutoff = potential.cutoff_A
    sizes = [np.abs(_derivatives(potential, cutoff - short)) for short in (0.5, 1e-2, 1e-3)]
    isolated = float(potential.network.shift[:2].sum())
    # energy ~ δ³ at the least: each of these falls at least as fast as δ³, δ², δ
    for order in range(3):
        assert sizes[0][order] > 1e-3
        assert sizes[1][order] < 10 * sizes[0][order]
        assert sizes[2][order] <= 1.1 * sizes[1][order] / 10 ** (3 - order)
    for distance in (cutoff, cutoff + 1e-3, cutoff + 1):
        bond = Atoms("LiO", positions=[[0, 0, 0], [0, 0, distance]])
        prediction = potential.predict([bond], ("energy", "forces"))
        assert (prediction.forces[0] == 0).all()
        assert prediction.energies[0] == pytest.approx(isolated, abs=1e-14)


def _derivatives(potential: CAMP, distance: float) -> tuple[float, float, float]:
    """Energy of a bond above its atoms, and its first two derivatives by the length, eV and Å."""
    bond = Atoms("LiO", positions=[[0, 0, 0], [0, 0, distance]])
    batch = potential.collate([potential.prepare(bond)])
    length = torch.tensor(distance, dtype=torch.float64, requires_grad=True)
    one = replace(batch, vectors=batch.vectors.detach() / distance * length)
    energy = potential.network(one)[0].sum() - potential.network.shift[:2].sum()
    (slope,) = torch.autograd.grad(energy, length, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, length)
    return float(energy.detach()), float(slope.detach()), float(curvature)


def _roughness(potential: CAMP, points: int) -> float:
    """Largest change of the second derivative of the energy over its step, on a way out of a cluster (eV/Å³)."""
    group = Atoms("LiClOLi", positions=[[0, 0, 0], [2.1, 0, 0], [0.4, 2.0, 0], [0.7, 0.6, 1.9]])
    way = np.linspace(3.3, 6.9, points)
    structures = [group + Atoms("O", positions=[[0.5, 0.4, -height]]) for height in way]
    prediction = potential.predict(structures, ("energy", "forces"))
    slope = np.array([forces[4, 2] for forces in prediction.forces])
    separated = potential.predict([group, Atoms("O")], ("energy",)).energies.sum()
    assert prediction.energies[-1] == pytest.approx(separated, abs=1e-12)
    assert prediction.forces[-1][4] == pytest.approx(0, abs=1e-12)
    return float(np.abs(np.diff(slope, 2)).max() / (way[1] - way[0]) ** 2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_second_derivative_does_not_jump_when_an_atom_leaves_a_cluster(architecture, monkeypatch):
    """A jump of the curvature would look twice as steep on a grid twice as fine; an envelope that has one shows it."""
    potential = small(architecture)
    coarse, fine = (_roughness(potential, points) for points in (401, 801))
    assert fine < 1.15 * coarse

    def kinked(x):
        return (1 - x * x) * (x < 1)

    monkeypatch.setattr("labkit.potentials.camp.radial.envelope", kinked)
    coarse, fine = (_roughness(small(architecture), points) for points in (401, 801))
    assert fine > 1.5 * coarse
