"""NequIP 0.19.1 (l = 1, 32 features, 3 layers) by its public builder, in the common training loop.

Settings of its tutorial file where it has them: 8 Bessel functions, polynomial cutoff p = 6, cutoff 5 Å, float32, loss
of energy per atom and forces, Adam with 0.01. `compile` turns on its train-time compilation (advised for GPUs).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

warnings.filterwarnings("ignore")  # lightning and torch warn of each other; the numbers are what is wanted here

import numpy as np  # noqa: E402
import torch  # noqa: E402
from ase.data import chemical_symbols  # noqa: E402
from nequip.data import AtomicDataDict  # noqa: E402
from nequip.model import NequIPGNNModel  # noqa: E402
from nequip.utils.global_state import set_global_state  # noqa: E402
from torch import Tensor  # noqa: E402

from tests.benchmarks.train_peers import data, loop  # noqa: E402
from tests.benchmarks.train_peers.edges import edges  # noqa: E402

_STOCK: dict[str, Any] = {
    "cutoff": 5.0,
    "learning_rate": 0.01,
    "batch": 2,
    "parity": False,
    "compile": False,
    "energy_weight": 10.0,
}
MODELS = {"NequIP": _STOCK, "NequIP-compiled": _STOCK | {"compile": True}}


class NequIPSide:
    """See `loop.Side`."""

    def __init__(self, settings: dict[str, Any], base: data.Baseline, frames: Sequence[data.Frame], seed: int) -> None:
        set_global_state()
        torch.set_num_threads(1)
        self.settings, self.elements = settings, base.elements
        names = [chemical_symbols[number] for number in base.elements]
        pairs = [len(edges(frame, settings["cutoff"])[0]) for frame in frames]
        self.network = NequIPGNNModel(
            seed=seed,
            model_dtype="float32",
            type_names=names,
            r_max=settings["cutoff"],
            num_layers=3,
            l_max=1,
            parity=settings["parity"],
            num_features=32,
            num_bessels=8,
            polynomial_cutoff_p=6,
            avg_num_neighbors=data.neighbour_count(frames, pairs),
            per_type_energy_scales=dict(zip(names, base.rms_by_element, strict=True)),
            per_type_energy_shifts=dict.fromkeys(names, 0.0),
            compile_mode="compile" if settings["compile"] else "eager",
        )

    def prepare(self, frame: data.Frame) -> dict[str, Tensor]:
        """Tensors of one structure; no cell for a molecule, so that no stress is computed."""
        first, second, images = edges(frame, self.settings["cutoff"])
        species = [self.elements.index(number) for number in frame.numbers.tolist()]
        item = {
            AtomicDataDict.POSITIONS_KEY: torch.tensor(frame.positions),
            AtomicDataDict.ATOM_TYPE_KEY: torch.tensor(species),
            AtomicDataDict.EDGE_INDEX_KEY: torch.tensor(np.stack([first, second])).long(),
            AtomicDataDict.NUM_NODES_KEY: torch.tensor([len(species)]),
        }
        if frame.pbc.any():
            item[AtomicDataDict.CELL_KEY] = torch.tensor(frame.cell)[None]
            item[AtomicDataDict.EDGE_CELL_SHIFT_KEY] = torch.tensor(images, dtype=torch.float64)
        return item

    def collate(self, items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Concatenated tensors with shifted edges."""
        pairs, sizes = AtomicDataDict.EDGE_INDEX_KEY, AtomicDataDict.NUM_NODES_KEY
        batch = {key: torch.cat([item[key] for item in items]) for key in items[0] if key != pairs}
        starts = (torch.cumsum(batch[sizes], 0) - batch[sizes]).tolist()
        batch[pairs] = torch.cat([item[pairs] + start for item, start in zip(items, starts, strict=True)], dim=1)
        batch[AtomicDataDict.BATCH_KEY] = torch.repeat_interleave(torch.arange(len(items)), batch[sizes])
        return batch

    def evaluate(self, batch: dict[str, Tensor], training: bool) -> tuple[Tensor, Tensor]:
        """NequIP's own forward; the mode of the module decides whether forces can be differentiated again."""
        told = self.network(dict(batch))
        return told[AtomicDataDict.TOTAL_ENERGY_KEY].squeeze(-1).float(), told[AtomicDataDict.FORCE_KEY].float()

    def groups(self, learning_rate: float) -> Iterable[Any]:
        """All parameters alike; Adam's rate is the only one."""
        return [{"params": list(self.network.parameters()), "lr": learning_rate}]


if __name__ == "__main__":
    loop.run(NequIPSide, MODELS)
