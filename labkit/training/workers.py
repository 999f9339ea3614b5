"""The processes that share a training, by Lightning Fabric: device, precision, and sums over all of them.

The one idea: a network of a few hundred thousand weights is smaller than one bucket of DDP (25 MB), so there is nothing
to send while the backward pass still runs. All gradients travel in one all-reduce after it, together with the loss and
the wish to stop; a rank that has to compute its share in smaller parts keeps nobody else from doing otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import torch


class Workers:
    """This process among the `size` that train together; alone unless told otherwise."""

    def __init__(self, device: str = "cpu", precision: str = "32", n_devices: int = 1) -> None:
        """Join the others: with `n_devices` > 1 the environment names the rank, see `labkit.training.ranks`."""
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy

        from labkit.potentials.device import resolve_device

        device = resolve_device(device)
        kind, _, index = device.partition(":")
        alone = n_devices == 1
        # A pause may last: the others wait in the next sum.
        strategy = "auto" if alone else DDPStrategy(timeout=timedelta(days=30))
        self.fabric = Fabric(
            accelerator=kind,
            devices=[int(index)] if alone and index and kind != "cpu" else n_devices,
            strategy=strategy,
            precision="64-true" if precision == "64" else "32-true",
        )
        self.fabric.launch()
        self.rank, self.size = self.fabric.global_rank, self.fabric.world_size
        self.device = device if alone else str(self.fabric.device)

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes."""
        return self.rank == 0

    def place(self, network: torch.nn.Module) -> None:
        """Move the network to the device, in the precision of the training; every rank gets the first one's weights."""
        self.fabric.to_device(self.fabric.strategy.precision.convert_module(network))
        if self.size > 1:
            with torch.no_grad():
                for value in network.state_dict().values():
                    torch.distributed.broadcast(value, src=0)

    def share(self, indices: np.ndarray) -> np.ndarray:
        """This rank's part of a batch."""
        return indices[self.rank :: self.size]

    def reduce(
        self, parameters: Sequence[torch.nn.Parameter], loss: torch.Tensor, stop: bool, rate_factor: float
    ) -> tuple[float, bool, float]:
        """Sum the gradients of all ranks in place; returns the sum of the losses and the first rank's other wishes."""
        if self.size == 1:
            return float(loss), stop, rate_factor
        present = [value for value in parameters if value.requires_grad]
        for value in present:
            if value.grad is None:
                value.grad = torch.zeros_like(value)
        wishes = [float(stop), rate_factor] if self.first else [0.0, 0.0]
        parts = [value.grad.reshape(-1) for value in present]
        vector = self.fabric.all_reduce(torch.cat([*parts, loss.reshape(1), loss.new_tensor(wishes)]), reduce_op="sum")
        pieces = vector[:-3].split([len(part) for part in parts])
        torch._foreach_copy_(
            [value.grad for value in present],
            [piece.view_as(value) for piece, value in zip(pieces, present, strict=True)],
        )
        total, stopping, factor = vector[-3:].tolist()
        return total, stopping > 0, factor

    def sum(self, vector: np.ndarray) -> np.ndarray:
        """Sum of a vector over all ranks, in float64."""
        if self.size == 1:
            return vector
        kind = torch.float32 if torch.device(self.device).type == "mps" else torch.float64
        total = self.fabric.all_reduce(torch.as_tensor(vector, dtype=kind, device=self.device), reduce_op="sum")
        return total.cpu().double().numpy()

    def of_first(self, value: float) -> float:
        """What the first rank says."""
        return float(self.sum(np.array([value if self.first else 0.0]))[0])

    def close(self) -> None:
        """Part from the others."""
        if self.size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
