"""Latent Ewald summation: the electrostatic energy of charges that a network invents, for crystals and molecules.

The one idea: only the smooth Gaussian part of the Coulomb sum is kept (the short range is the network's business), so
that a few hundred to a few thousand wave vectors suffice. After Cheng (arXiv 2408.15165), from the
equations (methods A, section 5); everything is differentiable twice in charges, positions and cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labkit.potentials.ewald_direct import Harmonics, direct_energy, shared_integers
from labkit.potentials.ewald_mesh import MeshGrid, mesh_energy, mesh_grid
from labkit.potentials.ewald_pairs import pair_energy
from labkit.potentials.ewald_plan import COULOMB_eV_A, EwaldPlan, plan_for

#: Atoms from which the particle mesh is used. Both cost the same at 1000 atoms (16 Å^3 each, dl = 2 Å), the mesh is
#: 2.8 times faster at 4000 (`tests/benchmarks/long_range.py`); the direct sum has no interpolation error.
MESH_ABOVE = 2000
#: Structures are padded together while their costs (atoms times wave vectors) differ by less than this factor.
PADDING_FACTOR = 8.0


@dataclass(frozen=True)
class Group:
    """Structures of a batch that are summed together.

    kind: "direct", "mesh" or "pairs". structures: (b,) indices. atoms: (b, n) indices of their atoms, or None when that
    is simply all atoms in order. present: (b, n), False where there is padding. integers: what the kind needs.
    """

    kind: str
    structures: Tensor
    atoms: Tensor | None
    present: Tensor
    integers: Harmonics | MeshGrid | None

    def pick(self, values: Tensor) -> Tensor:
        """Atomic values (N, d) as (b, n, d); what padding holds is not meaningful."""
        if self.atoms is None:
            return values.view(*self.present.shape, values.shape[-1])
        return values.index_select(0, self.atoms.view(-1)).view(*self.present.shape, values.shape[-1])


@dataclass(frozen=True)
class EwaldBatch:
    """What `LatentEwald.collate` returns for B structures."""

    n_structures: int
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class LatentEwald:
    """E = 1/(2 eps0 V) Σ_{0<|k|<=2π/dl} exp(-σ² k²/2)/k² |S(k)|² - self, in eV, summed over charge channels.

    sigma_A: σ, Å; charges are Gaussians of width σ/√2; larger is smoother and leaves more to the short range.
    dl_A: shortest wavelength, Å; 2 is quick, 1 is exact to 4e-6 meV for unit charges at σ = 1 (methods A.5).
    remove_self: leave out Σ q²/(2 eps0 σ (2π)^{3/2}), the energy of each charge with itself (periodic form only; the
    pair form never has it). mesh_above: atoms from which torch-pme's particle mesh takes over, None for never.
    mesh_points: mesh points per shortest wavelength; 5 agrees with the direct sum to 1e-4 of the rms force and 1e-6 eV
    an atom (random unit charges), 8 to 1e-5; on the mesh forces sum to zero only within that error.

    k = 0 is dropped: tin-foil boundary conditions, and for charges that do not sum to zero a neutralising background
    whose own (constant in the positions) energy is not counted. Structures without a cell take the pair form.
    The vectors of a sum are those of the cell that `prepare` saw: strain moves them but exchanges none, so that the
    stress is smooth and is the derivative of the energy.
    """

    sigma_A: float = 1.0
    dl_A: float = 2.0
    remove_self: bool = True
    mesh_above: int | None = MESH_ABOVE
    mesh_points: float = 5.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.sigma_A <= 20:
            raise ValueError(f"sigma_A = {self.sigma_A:g} Å is outside of 0.1 to 20 Å; 1 Å is usual.")
        if not 0.05 <= self.dl_A <= 50:
            raise ValueError(f"dl_A = {self.dl_A:g} Å is outside of 0.05 to 50 Å; 1 to 2 Å are usual.")
        if not 2 < self.mesh_points <= 20:
            raise ValueError(f"mesh_points = {self.mesh_points:g} is outside of (2, 20]; 5 is usual.")

    def prepare(self, cell: np.ndarray, pbc: np.ndarray | Sequence[bool] | bool) -> EwaldPlan:
        """The wave vectors of a structure with lattice rows `cell` (3, 3) Å, as integers: cheap, picklable, kept.

        Raises InvalidStructure for a structure that is periodic in one or two directions or has no volume.
        """
        return plan_for(np.asarray(cell), np.asarray(pbc), self.dl_A)

    def collate(
        self,
        plans: Sequence[EwaldPlan],
        sizes: Sequence[int],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> EwaldBatch:
        """Integers and padding of a batch, from the plans and the number of atoms of each structure.

        dtype: that of the positions that `energy` will see.
        """
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        batches: dict[tuple[str, int], list[int]] = {}
        for index, (plan, size) in enumerate(zip(plans, sizes, strict=True)):
            if not plan.periodic:
                key = ("pairs", round(math.log(max(size, 4), PADDING_FACTOR)))
            elif self.mesh_above is not None and size > self.mesh_above:
                key = ("mesh", index)
            else:
                work = size * plan.multiplicity[0].size
                key = ("direct", round(math.log(max(work, 2e4), PADDING_FACTOR)))
            batches.setdefault(key, []).append(index)
        groups = []
        for (kind, _), members in batches.items():
            mine = [plans[index] for index in members]
            if kind == "direct":
                integers = _harmonics(mine, device, dtype)
            else:
                integers = mesh_grid(mine[0], self.mesh_points, device, dtype) if kind == "mesh" else None
            groups.append(_group(kind, members, starts, integers, device))
        return EwaldBatch(len(plans), tuple(groups))

    def energy(self, charges: Tensor, positions: Tensor, cells: Tensor, batch: EwaldBatch) -> Tensor:
        """Energies (B,) eV of `charges` (N, Q) e at `positions` (N, 3) Å in `cells` (B, 3, 3) Å, summed over channels.

        The sum runs in the finer of the two dtypes. Rows of `cells` of molecules are not read.
        """
        if charges.ndim != 2 or charges.shape[0] != positions.shape[0]:
            raise ValueError(
                f"charges have the shape {tuple(charges.shape)} for {positions.shape[0]} atoms; give one row an atom "
                "and one column a channel."
            )
        charges = charges.to(torch.promote_types(charges.dtype, positions.dtype))
        positions, cells = positions.to(charges.dtype), cells.to(charges.dtype)
        energies = charges.new_zeros(batch.n_structures)
        for group in batch.groups:
            mine = group.pick(charges) * group.present.unsqueeze(-1)
            where = group.pick(positions)
            if group.kind == "pairs":
                part = pair_energy(mine, where, group.present, self.sigma_A)
            else:
                lattice = cells.index_select(0, group.structures)
                evaluate = mesh_energy if group.kind == "mesh" else direct_energy
                part = evaluate(mine, where, lattice, group.integers, self.sigma_A)
                if self.remove_self:
                    part = part - self_energy(mine, self.sigma_A)
            energies = energies.index_add(0, group.structures, part)
        return energies


def self_energy(charges: Tensor, sigma_A: float) -> Tensor:
    """Σ q² / (2 eps0 σ (2π)^{3/2}), (b,) eV, of charges (b, n, Q): each Gaussian with itself."""
    return COULOMB_eV_A / (sigma_A * math.sqrt(2 * math.pi)) * charges.square().sum((1, 2))


def strained(positions: Tensor, cells: Tensor, strain: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (N, 3) and cells (B, 3, 3) under the symmetric part of `strain` (B, 3, 3); owner: (N,) structures.

    With `strain` zero and requiring a gradient, dE/dstrain is the virial (eV), and over the volume the stress.
    """
    symmetric = (strain + strain.transpose(1, 2)) / 2
    moved = positions + (positions.unsqueeze(1) @ symmetric.index_select(0, owner)).squeeze(1)
    return moved, cells + cells @ symmetric


def _harmonics(plans: Sequence[EwaldPlan], device: str | torch.device, dtype: torch.dtype) -> Harmonics:
    bounds = tuple(max(plan.bounds[axis] for plan in plans) for axis in range(3))
    multiplicity = np.zeros((len(plans), 4, *(bound + 1 for bound in bounds)))
    for row, plan in zip(multiplicity, plans, strict=True):
        row[:, : plan.bounds[0] + 1, : plan.bounds[1] + 1, : plan.bounds[2] + 1] = plan.multiplicity
    axes, products, signs = shared_integers(bounds, str(device), dtype)
    return Harmonics(
        bounds=bounds,
        reduction=torch.as_tensor(np.stack([plan.reduction for plan in plans]), dtype=dtype, device=device),
        axes=axes,
        products=products,
        signs=signs,
        multiplicity=torch.as_tensor(multiplicity.reshape(len(plans), 4, -1), dtype=dtype, device=device),
    )


def _group(
    kind: str,
    members: Sequence[int],
    starts: np.ndarray,
    integers: Harmonics | MeshGrid | None,
    device: str | torch.device,
) -> Group:
    sizes = np.diff(starts)[members]
    column = np.arange(sizes.max())
    present = column < sizes[:, None]
    atoms = np.where(present, starts[members][:, None] + column, starts[members][:, None])
    in_order = present.all() and np.array_equal(atoms.ravel(), np.arange(starts[-1]))
    return Group(
        kind=kind,
        structures=torch.as_tensor(members, dtype=torch.long, device=device),
        atoms=None if in_order else torch.as_tensor(atoms, device=device),
        present=torch.as_tensor(present, device=device),
        integers=integers,
    )
