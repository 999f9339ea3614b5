"""The same reciprocal sum for large cells: charges on a mesh, a fast Fourier transform, the same sphere of vectors.

The one idea: torch-pme (Loche et al., J. Chem. Phys. 162, 142501; BSD-3) spreads the charges with B-splines
(`MeshInterpolator`); the energy then follows from |ρ(k)|² at exactly those wave vectors that the direct sum takes,
divided by the splines' own spectrum. torch-pme's calculators are not used for that last step: they sum over the whole
mesh, and their P3M filter takes Cartesian k times the mesh spacing for the phase along a mesh axis, which holds in
orthogonal cells only. Here it is 2π n / N, right in every cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from labkit.potentials.ewald_direct import metric, reciprocal_lattice
from labkit.potentials.ewald_plan import OCTANTS, EwaldPlan, RECIPROCAL_eV_A

#: Mesh points that share each charge along an axis: the largest that torch-pme's B-splines have.
NODES = 5
#: Aliases of the spline's spectrum that are counted on either side; the next is below 1e-12.
ALIASES = 8


@dataclass(frozen=True)
class MeshGrid:
    """A mesh for one structure and the M wave vectors on it (of the half space n3 >= 0 of a real transform).

    reduction: (1, 3, 3). shape: (3,) mesh points. where: (M,) flat indices into the transform. products: (6, M) as in
    `octant_products`. weights: (M,) multiplicity over the spectrum of the splines.
    """

    reduction: Tensor
    shape: Tensor
    where: Tensor
    products: Tensor
    weights: Tensor


def mesh_grid(plan: EwaldPlan, points: float, device: str | torch.device, dtype: torch.dtype) -> MeshGrid:
    """The mesh of a plan with at least `points` mesh points for each of its shortest wavelengths."""
    shape = [max(next_fast_len(math.ceil(points * (bound + 0.5)), real=True), NODES + 1) for bound in plan.bounds]
    integers = []
    for inside, (second, third) in zip(plan.multiplicity, OCTANTS, strict=True):
        vectors = np.argwhere(inside) * [1, second, third]
        twice = inside[inside > 0] == 2  # k and -k both: the list below holds every vector of the sphere
        integers += [vectors, -vectors[twice]]
    vectors = np.concatenate(integers)
    vectors = vectors[vectors[:, 2] >= 0]
    half = shape[2] // 2 + 1
    rows = [vectors[:, axis] % shape[axis] for axis in (0, 1)]
    n1, n2, n3 = vectors.T.astype(float)
    spectrum = np.ones(len(vectors))
    for axis in range(3):
        fraction = vectors[:, axis, None] / shape[axis] + np.arange(-ALIASES, ALIASES + 1)
        spectrum *= (np.sinc(fraction) ** (2 * NODES)).sum(axis=1)
    real = {"dtype": dtype, "device": device}
    return MeshGrid(
        reduction=torch.as_tensor(plan.reduction, **real).unsqueeze(0),
        shape=torch.as_tensor(shape, device=device),
        where=torch.as_tensor((rows[0] * shape[1] + rows[1]) * half + vectors[:, 2], device=device),
        products=torch.as_tensor(np.stack([n1 * n1, n2 * n2, n3 * n3, n1 * n2, n1 * n3, n2 * n3]), **real),
        weights=torch.as_tensor(np.where(vectors[:, 2] > 0, 2.0, 1.0) / spectrum, **real),
    )


def mesh_energy(charges: Tensor, positions: Tensor, cells: Tensor, grid: MeshGrid, sigma_A: float) -> Tensor:
    """The energy of `direct_energy` for one structure, (1,) eV, from arguments of the same shapes with b = 1.

    |ρ(k)|² is divided by Σ_m U(k + m)², the mean over positions of what a charge leaves on the mesh (Hockney and
    Eastwood 1988, section 8-3), so that the energy of a charge with itself has no bias.
    """
    from torchpme.lib import MeshInterpolator

    lattice = (grid.reduction @ cells)[0]
    mesh = MeshInterpolator(lattice, grid.shape, NODES, "P3M")
    mesh.compute_weights(positions[0])
    density = torch.fft.rfftn(mesh.points_to_mesh(charges[0]), dim=(1, 2, 3)).flatten(1).index_select(1, grid.where)
    intensity = (density.real.square() + density.imag.square()).sum(0)
    reciprocal, volumes = reciprocal_lattice(lattice.unsqueeze(0))
    squared = (2 * math.pi) ** 2 * (metric(reciprocal) @ grid.products)
    weights = grid.weights * torch.exp(-(sigma_A**2) / 2 * squared) / squared
    return RECIPROCAL_eV_A / volumes * (weights * intensity).sum(1)
