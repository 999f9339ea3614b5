"""What a potential adds to the common contract when it can be trained: neighbours once, tensors in, tensors out.

The one idea: `prepare` does what depends on the structure alone (neighbour lists; kept over epochs), `collate` makes a
batch of it, `evaluate` maps the batch to differentiable energies, forces and stresses. `predict` is written once here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction


class Batch(Protocol):
    """What `collate` returns; only these two are read outside of the potential that made it."""

    sizes: tuple[int, ...]  # atoms of each structure
    volumes: Tensor  # (B,) Å^3, NaN without a three-dimensional cell


@dataclass(frozen=True)
class Evaluation:
    """Differentiable answers for B structures with N atoms in all.

    energies: (B,) eV. forces: (N, 3) eV/Å. stresses: (B, 3, 3) eV/Å^3, tension positive, NaN without a cell.
    magmoms: (N,) µ_B. charges: (N, channels), latent, in e. None for what was not asked for or is not known.
    """

    energies: Tensor
    forces: Tensor | None = None
    stresses: Tensor | None = None
    magmoms: Tensor | None = None
    charges: Tensor | None = None


class TrainablePotential(Potential):
    """A potential whose `network` has parameters to learn; its state is `network.state_dict()`."""

    network: torch.nn.Module
    device: str
    #: Atoms evaluated in one pass of `predict`, by the kind of device.
    batch_atoms: dict[str, int]

    @abstractmethod
    def prepare(self, atoms: Atoms) -> Any:
        """All that depends on one structure and not on parameters: neighbours, images, species (numpy, picklable)."""

    @abstractmethod
    def collate(self, prepared: Sequence[Any]) -> Batch:
        """One batch of prepared structures on the potential's device."""

    @abstractmethod
    def evaluate(
        self, batch: Batch, properties: Sequence[str] = DEFAULT_PROPERTIES, *, create_graph: bool = False
    ) -> Evaluation:
        """Differentiable energies, forces and stresses; `create_graph` keeps what a loss of forces needs."""

    @abstractmethod
    def layers(self) -> dict[str, list[str]]:
        """Parameter names of each named part that fine-tuning may freeze, in the order from input to output."""

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`."""
        self.require(structures, properties)
        energies, forces, stresses, magmoms, charges = [], [], [], [], []
        for group in in_groups(structures, self.batch_atoms[self.device.split(":")[0]]):
            batch = self.collate([self.prepare(atoms) for atoms in group])
            answer = self.evaluate(batch, properties)
            energies.append(_numpy(answer.energies))
            if answer.forces is not None:
                forces += np.split(_numpy(answer.forces), np.cumsum(batch.sizes)[:-1])
            if answer.stresses is not None:
                stresses.append(_numpy(answer.stresses))
            if answer.magmoms is not None:
                magmoms += np.split(_numpy(answer.magmoms), np.cumsum(batch.sizes)[:-1])
            if answer.charges is not None:
                charges += np.split(_numpy(answer.charges), np.cumsum(batch.sizes)[:-1])
        return Prediction(
            energies=np.concatenate(energies) if energies else np.zeros(0),
            forces=forces if "forces" in properties else None,
            stresses=np.concatenate(stresses) if stresses and "stress" in properties else None,
            magmoms=magmoms if "magmoms" in properties else None,
            charges=charges or None,
        )


def in_groups(structures: Sequence[Atoms], budget: int) -> Iterator[list[Atoms]]:
    """Consecutive structures, as many as have `budget` atoms together, at least one."""
    group: list[Atoms] = []
    for atoms in structures:
        if group and sum(map(len, group)) + len(atoms) > budget:
            yield group
            group = []
        group.append(atoms)
    if group:
        yield group


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()
