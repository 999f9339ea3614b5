"""The smallest trainable potential: a pair energy, learned; and data that a known pair potential labelled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk

from labkit.datasets import Dataset, Record
from labkit.potentials import load
from labkit.potentials.graph import forces_and_virial, join, neighbourhood
from labkit.potentials.storage import write_potential
from labkit.potentials.trainable import Evaluation, TrainablePotential

CUTOFF_A, N_RADIAL, N_HIDDEN = 5.0, 8, 16


class PairNetwork(torch.nn.Module):
    """Total energy of a graph: a sum over pairs of an MLP on Gaussians, smooth at the cut-off, plus a shift an atom."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.inner = torch.nn.Parameter(torch.randn(N_RADIAL, N_HIDDEN, generator=random) / N_RADIAL**0.5)
        self.outer = torch.nn.Parameter(torch.randn(N_HIDDEN, generator=random) / N_HIDDEN**0.5)
        self.moment = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("shift", torch.zeros((), dtype=torch.float64))
        self.register_buffer("centres", torch.linspace(1.5, CUTOFF_A, N_RADIAL))

    def forward(self, graph):
        distance = torch.linalg.vector_norm(graph.vectors, dim=1).to(self.inner.dtype)
        basis = torch.exp(-((distance[:, None] - self.centres) ** 2) * 2)
        pair = torch.tanh(basis @ self.inner) @ self.outer * (1 - distance / CUTOFF_A) ** 2
        energies = torch.zeros(graph.n_structures, dtype=torch.float64).index_add(
            0, graph.owner[graph.pair_i], pair.double()
        )
        sizes = torch.tensor(graph.sizes, dtype=torch.float64)
        return energies + self.shift * sizes, self.moment.expand(graph.n_atoms)


class Toy(TrainablePotential):
    """A pair potential that learns; `tests.training.toy:Toy` is its address."""

    implemented = ("energy", "forces", "stress", "magmoms")
    batch_atoms = {"cpu": 200, "cuda": 2000}  # noqa: RUF012

    def __init__(self, seed: int = 0) -> None:
        self.name, self.level_of_theory, self.elements = "toy", "nothing yet", frozenset({"Cu", "Al"})
        self.device, self.network, self.provenance = "cpu", PairNetwork(seed), {}

    def prepare(self, atoms: Atoms):
        return neighbourhood(atoms, CUTOFF_A)

    def collate(self, prepared):
        return join(prepared, self.device)

    def evaluate(self, batch, properties=("energy", "forces", "stress"), *, create_graph=False):
        energies, magmoms = self.network(batch)
        forces, virial = forces_and_virial(energies, batch, create_graph=create_graph)
        return Evaluation(energies, forces, virial / batch.volumes[:, None, None], magmoms)

    def layers(self):
        return {"inner": ["inner"], "outer": ["outer"], "magmoms": ["moment"]}

    def fit_scale_and_shift(self, structures, energies, forces):
        self.network.shift.fill_(float(np.mean([e / len(a) for e, a in zip(energies, structures, strict=True)])))

    def fit_shift(self, structures, energies):
        self.fit_scale_and_shift(structures, energies, None)

    def save(self, path: str | Path) -> Path:
        description = {"kind": "toy", "name": self.name, "provenance": self.provenance}
        return write_potential(Path(path), description, self.network.state_dict())

    @classmethod
    def from_folder(cls, folder: Path) -> Toy:
        from safetensors.torch import load_file

        toy = cls()
        toy.network.load_state_dict(load_file(Path(folder) / "model.safetensors"))
        toy.provenance = json.loads((Path(folder) / "potential.json").read_text())["provenance"]
        return toy


def structures(n: int, seed: int = 0) -> list[Atoms]:
    """Copper crystals of 4 and 8 atoms, strained and rattled."""
    random = np.random.default_rng(seed)
    found = []
    for index in range(n):
        atoms = bulk("Cu", cubic=True)
        if index % 3 == 2:
            atoms = atoms.repeat((2, 1, 1))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + random.normal(0, 0.03, (3, 3))), scale_atoms=True)
        atoms.positions += random.normal(0, 0.15, (len(atoms), 3))
        found.append(atoms)
    return found


def dataset(n: int = 24, seed: int = 0, **changed) -> Dataset:
    """Labelled by effective medium theory: energies, forces, stresses; two groups."""
    frames = structures(n, seed)
    said = load("emt").predict(frames)
    records = [
        Record(
            atoms,
            energy=float(said.energies[index]),
            forces=said.forces[index],
            stress=said.stresses[index],
            group="large" if len(atoms) > 4 else "small",
        )
        for index, atoms in enumerate(frames)
    ]
    return Dataset(records, "emt-copper", level_of_theory="EMT", **changed)


def weights(potential) -> np.ndarray:
    """All parameters, flat."""
    return np.concatenate([value.detach().numpy().ravel() for value in potential.network.parameters()])
