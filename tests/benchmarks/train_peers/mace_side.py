"""MACE 0.3.16 as its own command line builds it (`mace_run_train --model MACE`), in the common training loop.

Settings: 64x0e, max_ell 3, correlation 3, two interactions, 8 Bessel functions, cutoff 5 Å, float32, force rms scaling,
weight decay 5e-7 on MACE's own groups, forces 100 : energy 1, gradient clip 10; neighbour lists made once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

warnings.filterwarnings("ignore")  # e3nn 0.4.4 meets torch 2.13; the numbers are what is wanted here

import mace  # noqa: E402, F401 - before e3nn, whose constants need what it sets for torch.load
import numpy as np  # noqa: E402
import torch  # noqa: E402
from e3nn import o3  # noqa: E402
from mace import modules  # noqa: E402
from mace.tools.scripts_utils import get_params_options  # noqa: E402
from torch import Tensor  # noqa: E402

from tests.benchmarks.train_peers import data, loop  # noqa: E402
from tests.benchmarks.train_peers.edges import edges  # noqa: E402

MODELS: dict[str, dict[str, Any]] = {
    "MACE": {"cutoff": 5.0, "hidden": "64x0e", "learning_rate": 0.01, "batch": 2, "energy_weight": 10.0}
}


class MACESide:
    """See `loop.Side`."""

    def __init__(self, settings: dict[str, Any], base: data.Baseline, frames: Sequence[data.Frame], seed: int) -> None:
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float32)
        self.settings, self.elements = settings, base.elements
        pairs = [len(edges(frame, settings["cutoff"])[0]) for frame in frames]
        self.network = modules.ScaleShiftMACE(
            r_max=settings["cutoff"],
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
            interaction_cls_first=modules.interaction_classes["RealAgnosticInteractionBlock"],
            num_interactions=2,
            num_elements=len(base.elements),
            hidden_irreps=o3.Irreps(settings["hidden"]),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.zeros(len(base.elements)),
            avg_num_neighbors=data.neighbour_count(frames, pairs),
            atomic_numbers=list(base.elements),
            correlation=3,
            gate=torch.nn.functional.silu,
            radial_MLP=[64, 64, 64],
            radial_type="bessel",
            atomic_inter_scale=base.force_rms,
            atomic_inter_shift=0.0,
        )

    def prepare(self, frame: data.Frame) -> dict[str, Tensor]:
        """Tensors of one structure."""
        first, second, images = edges(frame, self.settings["cutoff"])
        species = torch.tensor([self.elements.index(number) for number in frame.numbers.tolist()])
        return {
            "positions": torch.tensor(frame.positions, dtype=torch.float32),
            "node_attrs": torch.nn.functional.one_hot(species, len(self.elements)).float(),
            "edge_index": torch.tensor(np.stack([first, second])).long(),
            "shifts": torch.tensor(images @ frame.cell, dtype=torch.float32),
            "unit_shifts": torch.tensor(images, dtype=torch.float32),
            "cell": torch.tensor(frame.cell, dtype=torch.float32),
        }

    def collate(self, items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Concatenated tensors with shifted edges."""
        sizes = torch.tensor([len(item["positions"]) for item in items])
        ends = torch.cumsum(sizes, 0)
        batch = {key: torch.cat([item[key] for item in items]) for key in items[0] if key != "edge_index"}
        starts = (ends - sizes).tolist()
        batch["edge_index"] = torch.cat([item["edge_index"] + n for item, n in zip(items, starts, strict=True)], dim=1)
        batch["batch"] = torch.repeat_interleave(torch.arange(len(items)), sizes)
        batch["ptr"] = torch.cat([torch.zeros(1, dtype=torch.long), ends])
        return batch

    def evaluate(self, batch: dict[str, Tensor], training: bool) -> tuple[Tensor, Tensor]:
        """MACE's own forward with forces."""
        told = self.network(dict(batch), training=training, compute_force=True)
        return told["energy"], told["forces"]

    def groups(self, learning_rate: float) -> Iterable[Any]:
        """MACE's own groups."""
        options = {"lr": learning_rate, "weight_decay": 5e-7, "amsgrad": True, "beta": 0.9, "freeze": None}
        return get_params_options(SimpleNamespace(**options, lr_params_factors="{}"), self.network)["params"]


if __name__ == "__main__":
    loop.run(MACESide, MODELS)
