"""Linear maps over channels, one for each rank, and the standardisation that gives them inputs of order one.

A moment's size depends on density and basis; `Standardise` measures it once on training data (buffers, not parameters),
so that every product of moments starts of order one and training starts at a sensible energy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def drawn(values: Callable[..., Tensor], *shape: int) -> nn.Parameter:
    """`values(*shape)`; where torch's device is "meta", nothing but its shape, since to compute there imports torch's
    compiler, which takes longer than to open a potential.
    """
    described = torch.get_default_device().type == "meta"
    return nn.Parameter(torch.empty(*shape) if described else values(*shape))


def weight(*shape: int, fan_in: int) -> nn.Parameter:
    """Normal values of variance 1 / fan_in, from torch's global generator."""
    return drawn(lambda *sizes: torch.randn(*sizes) / math.sqrt(fan_in), *shape)


class Standardise(nn.Module):
    """The root mean square of each of `count` tensors on the structures that it was calibrated with.

    The maps that make or take these tensors divide their weights by `rms`: cheaper than scaling the tensors.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("rms", torch.ones(count))
        self.calibrating = False

    def forward(self, tensors: list[Tensor]) -> list[Tensor]:
        """Tensors (components, N, u) as they are; while calibrating, measure them and return them divided.

        Size: norm over components, root mean square over atoms and channels.
        """
        if not self.calibrating:
            return tensors
        sizes = [float(t.detach().square().sum(0).mean().sqrt()) for t in tensors]
        sizes = [size if size > 1e-6 else 1.0 for size in sizes]
        self.rms.copy_(torch.tensor(sizes))
        return [tensor / size for tensor, size in zip(tensors, sizes, strict=True)]


def standardised(weights: Sequence[Tensor], standardise: Standardise) -> list[Tensor]:
    """The weights that give each rank's moments in units of their measured size."""
    if standardise.calibrating:
        return list(weights)
    return [w * unit for w, unit in zip(weights, (1 / standardise.rms).unbind(), strict=True)]


class PathMixing(nn.Module):
    """Linear combination over paths for each channel, then linear mixing over channels (no bias: co-rotating).

    With `full`, one dense map from all paths and channels to all channels instead.
    """

    def __init__(self, n_paths: int, channels: int, *, full: bool = False) -> None:
        super().__init__()
        self.full = full
        if full:
            self.dense = weight(n_paths * channels, channels, fan_in=n_paths * channels)
        else:
            self.combine = weight(n_paths, channels, fan_in=n_paths)
            self.mix = weight(channels, channels, fan_in=channels)
        self.standardise = Standardise(n_paths)

    def forward(self, paths: list[Tensor]) -> Tensor:
        """n_paths tensors (components, N, u) to one (components, N, u)."""
        units = (1 / self.standardise.rms).view(-1, 1, 1)
        if self.standardise.calibrating:
            paths = self.standardise(paths)
            units = torch.ones_like(units)
        if self.full:
            matrix = (self.dense.view(len(paths), -1, self.dense.shape[1]) * units).flatten(0, 1)
        else:
            matrix = (self.combine.unsqueeze(2) * units * self.mix).flatten(0, 1)
        return torch.cat(paths, dim=-1) @ matrix


class Readout(nn.Module):
    """Atomic energies from scalar features: linear, or linear with a SiLU network of one hidden layer beside."""

    def __init__(self, channels: int, hidden: int | None) -> None:
        super().__init__()
        self.linear = weight(channels, 1, fan_in=channels)
        self.hidden = weight(channels, hidden, fan_in=channels) if hidden else None
        self.output = weight(hidden, 1, fan_in=hidden) if hidden else None

    def forward(self, features: Tensor) -> Tensor:
        """(N, u) to (N,)."""
        energy = features @ self.linear
        if self.hidden is not None:
            energy = energy + torch.nn.functional.silu(features @ self.hidden) @ self.output
        return energy.squeeze(-1)
