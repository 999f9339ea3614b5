"""What the latent Ewald sum costs: factorised and on a mesh, against the plain sum over vectors and torch-pme.

`python -m tests.benchmarks.long_range [atoms ...]`, milliseconds of one thread, the sides in turn in one process:
energy, forces and stress; and a training step's double backward. Random charges, 16 Å^3 an atom, σ = 1 Å, dl = 2 Å.
torch-pme sums over its whole mesh, whose points it rounds up to a power of two: with a `mesh_spacing` of 0.5 Å (its
advice, σ / 2) that is a finer sum than dl = 2 Å asks for; with 1.05 Å its mesh is about as fine as ours.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torchpme
from torch import Tensor

from labkit.potentials.ewald import LatentEwald, strained
from labkit.potentials.ewald_plan import COULOMB_eV_A, RECIPROCAL_eV_A
from labkit.potentials.memory import keep_freed_memory

Energy = Callable[[Tensor, Tensor, Tensor], Tensor]
REPEATS = 5
#: The plain sum holds atoms times vectors; beyond this many atoms it is left out.
LARGEST_PLAIN = 2000
PEER_SPACINGS_A = (1.05, 0.5)


def latent(cell: np.ndarray, atoms: int, mesh_above: int | None) -> Energy:
    """labkit's sum, direct or on the mesh."""
    les = LatentEwald(mesh_above=mesh_above)
    batch = les.collate([les.prepare(cell, True)], [atoms])
    return lambda charges, positions, cells: les.energy(charges, positions, cells, batch)


def plain(cell: np.ndarray) -> Energy:
    """One cosine and one sine for each atom and vector of the half sphere."""
    most = int(cell.max() / 2) + 1
    grid = np.stack(np.meshgrid(*[np.arange(-most, most + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    first = (grid @ [1e6, 1e3, 1]) > 0
    inside = ((grid @ np.linalg.inv(cell).T) ** 2).sum(1) <= 0.25
    integers = torch.as_tensor(grid[first & inside], dtype=torch.float64)

    def energy(charges: Tensor, positions: Tensor, cells: Tensor) -> Tensor:
        vectors = integers @ (2 * math.pi * torch.linalg.inv(cells[0]).T)
        angles = positions @ vectors.T
        squared = vectors.square().sum(1)
        intensity = (charges.T @ angles.cos()).square() + (charges.T @ angles.sin()).square()
        total = (2 * torch.exp(-squared / 2) / squared * intensity).sum()
        own = COULOMB_eV_A / math.sqrt(2 * math.pi) * charges.square().sum()
        return RECIPROCAL_eV_A / torch.linalg.det(cells[0]) * total - own

    return energy


def peer(kind: type, spacing_A: float) -> Energy:
    """The reciprocal part of a torch-pme calculator."""
    calculator = kind(torchpme.CoulombPotential(smearing=1.0), mesh_spacing=spacing_A, interpolation_nodes=5).double()
    nothing = torch.zeros((0, 2), dtype=torch.long), torch.zeros(0, dtype=torch.float64)
    return lambda charges, positions, cells: (charges * calculator(charges, cells[0], positions, *nothing)).sum()


def best_ms(work: Callable[[], object]) -> float:
    """The quickest of a few repeats, in CPU milliseconds, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def step(energy: Energy, cell: np.ndarray, atoms: int, *, training: bool) -> Callable[[], object]:
    """Energy, forces and stress of random charges; with `training`, a loss of them differentiated by the charges."""
    generator = np.random.default_rng(0)
    places = torch.as_tensor(generator.random((atoms, 3)) @ cell)
    known = torch.as_tensor(generator.normal(size=(atoms, 1)))
    cells, owner = torch.as_tensor(cell)[None], torch.zeros(atoms, dtype=torch.long)

    def work() -> object:
        positions, charges = places.clone().requires_grad_(), known.clone().requires_grad_()
        strain = torch.zeros(1, 3, 3, dtype=torch.float64, requires_grad=True)
        total = energy(charges, *strained(positions, cells, strain, owner)).sum()
        gradients = torch.autograd.grad(total, (positions, strain, charges), create_graph=training)
        if not training:
            return gradients
        loss = total + gradients[0].square().sum() + gradients[1].square().sum() + gradients[2].sum()
        return torch.autograd.grad(loss, charges)

    return work


def main() -> None:
    """Print a table for each size."""
    torch.set_num_threads(1)
    keep_freed_memory()
    for atoms in [int(argument) for argument in sys.argv[1:]] or [64, 250, 1000]:
        cell = np.eye(3) * (16.0 * atoms) ** (1 / 3)
        sides = {"labkit direct": latent(cell, atoms, None), "labkit mesh": latent(cell, atoms, 0)}
        if atoms <= LARGEST_PLAIN:
            sides["plain sum"] = plain(cell)
        for spacing in PEER_SPACINGS_A:
            sides[f"torch-pme PME {spacing:g}"] = peer(torchpme.PMECalculator, spacing)
            sides[f"torch-pme P3M {spacing:g}"] = peer(torchpme.P3MCalculator, spacing)
        for name, energy in sides.items():
            inference, training = (best_ms(step(energy, cell, atoms, training=training)) for training in (False, True))
            print(f"{atoms:6d} atoms  {name:17s}  E+F+S {inference:8.1f} ms   double backward {training:8.1f} ms")


if __name__ == "__main__":
    main()
