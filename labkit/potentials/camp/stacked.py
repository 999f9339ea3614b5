"""Several CAMP-L networks in one forward pass: a batch that holds all structures once for each member.

The one idea: copy m of a batch is ruled by the parameters of member m, so that each linear map over channels is one
batched matrix product, all else is unchanged, and a single backward pass gives the gradients of every member apart.
A small cell spends most of its time on starting operations, not in them; here they start once for all members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import silu

from labkit.potentials.camp import charges, network
from labkit.potentials.camp.geometry import Geometry, gather, geometry
from labkit.potentials.camp.hyper_moments import hyper_moments
from labkit.potentials.camp.layers import CAMPLLayer
from labkit.potentials.camp.linear_moments import pair_products
from labkit.potentials.camp.mixing import PathMixing, Readout, standardised
from labkit.potentials.camp.neighbours import PaddedBatch
from labkit.potentials.camp.network import CAMPNetwork
from labkit.potentials.camp.tensors import component_counts


@dataclass(frozen=True)
class _Layer:
    """Parameters of one layer of M members; S elements, b radial functions, P paths.

    weights: for each rank (M S, S b, u) in the first layer, (M, b m, u) later. send: (M, u, m), None in the first.
    again: for each further product and each rank (M, P u, u). mixing: (M, P u, u). embedding: (M S, u).
    """

    weights: list[Tensor]
    send: Tensor | None
    again: list[list[Tensor]]
    mixing: Tensor
    embedding: Tensor


class StackedNetworks:
    """The networks of M members, all CAMP-L of equal settings, as they are now: later training does not reach it."""

    @torch.no_grad()
    def __init__(self, networks: Sequence[CAMPNetwork]) -> None:
        first = networks[0]
        self.settings, self.n_species, self.n_members = first.settings, first.n_species, len(networks)
        self.counts = component_counts(self.settings.max_v)

        def stack(part: Callable[[CAMPNetwork], Tensor]) -> Tensor:
            return torch.stack([part(one).detach() for one in networks])

        self.layers = [_stacked_layer([one.layers[n] for one in networks]) for n in range(self.settings.n_layers)]
        self.readouts = [_stacked_readout([one.readouts[n] for one in networks]) for n in range(self.settings.n_layers)]
        self.scale, self.shift = (stack(lambda one, name=name: getattr(one, name)).flatten() for name in _BUFFERS)
        self.head: tuple[list[Tensor], list[Tensor], Tensor, Tensor] | None = None
        if first.charge_head is not None:
            depth = range(len(first.charge_head.weights))
            self.head = (
                [stack(lambda one, n=n: one.charge_head.weights[n]) for n in depth],
                [stack(lambda one, n=n: one.charge_head.biases[n]).unsqueeze(1) for n in depth],
                stack(lambda one: one.charge_head.skip),
                stack(lambda one: one.charge_head.element).flatten(0, 1),
            )

    def __call__(self, batch: PaddedBatch) -> tuple[Tensor, Tensor | None]:
        """Energies (M B,) eV and latent charges (M N, channels) e or None: what `CAMPNetwork` gives, copy by copy."""
        s = self.settings
        around = geometry(batch, s.cutoff_A, s.max_v, self.n_species, "bessel", s.radial_degree)
        products = pair_products(around)
        copies = torch.arange(self.n_members, device=batch.species.device)
        kind = batch.species + copies.repeat_interleave(len(batch.species) // self.n_members) * self.n_species
        features: list[Tensor] = []
        atomic: Tensor | float = 0.0
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            moments = self._moments(layer, features[-1] if features else None, products, around, kind)
            for matrices in layer.again:
                hyper = hyper_moments(moments, s.max_v)
                mixed = [self._mix(paths, w) for paths, w in zip(hyper, matrices, strict=True)]
                moments = [m + h for m, h in zip(moments, mixed, strict=True)]
            (paths,) = hyper_moments(moments, 0)
            offset = layer.embedding.index_select(0, kind)
            update = silu(self._mix(paths, layer.mixing).squeeze(0) + offset) - silu(offset)
            features.append(features[-1] + update if features else update)
            linear, hidden, output = readout
            atomic = atomic + self._map(features[-1], linear) + self._map(silu(self._map(features[-1], hidden)), output)
        energies = network.INITIAL_SIZE * atomic.squeeze(-1).double() * self.scale[kind] + self.shift[kind]
        return batch.sum_per_structure(energies), self._charges(features, kind) if self.head else None

    def _map(self, values: Tensor, matrices: Tensor) -> Tensor:
        """(M N, ..., i) by (M, i, o), each copy by its own matrix: (M N, ..., o)."""
        mapped = torch.bmm(values.reshape(self.n_members, -1, values.shape[-1]), matrices)
        return mapped.view(*values.shape[:-1], matrices.shape[-1])

    def _mix(self, paths: list[Tensor], matrices: Tensor) -> Tensor:
        """P tensors (components, M N, u) by (M, P u, u): (components, M N, u)."""
        joined = torch.cat(paths, dim=-1).unflatten(1, (self.n_members, -1)).transpose(0, 1)
        mixed = torch.bmm(joined.flatten(1, 2), matrices)
        return mixed.unflatten(1, joined.shape[1:3]).transpose(0, 1).flatten(1, 2)

    def _moments(
        self, layer: _Layer, features: Tensor | None, products: Tensor, around: Geometry, kind: Tensor
    ) -> list[Tensor]:
        n, n_components = products.shape[0], sum(self.counts)
        if features is not None:
            summed = torch.bmm(products, gather(self._map(features, layer.send), around.neighbours))
        elif self.n_species == 1:
            summed = products.sum(2)
        else:
            summed = torch.bmm(products, around.neighbour_species)
        parts = summed.view(n, n_components, -1).split(self.counts, dim=1)
        if features is None and self.n_species > 1:
            made = [torch.bmm(p, w.index_select(0, kind)) for p, w in zip(parts, layer.weights, strict=True)]
        else:
            made = [self._map(part, w) for part, w in zip(parts, layer.weights, strict=True)]
        return [moment.transpose(0, 1) for moment in made]

    def _charges(self, features: list[Tensor], kind: Tensor) -> Tensor:
        weights, biases, skip, element = self.head
        inputs = torch.cat(features, dim=1).view(self.n_members, len(kind) // self.n_members, -1)
        x = inputs
        for n, (w, b) in enumerate(zip(weights, biases, strict=True)):
            x = torch.baddbmm(b, x, w)
            if n < len(charges.HIDDEN):
                x = silu(x)
        return charges.INITIAL_SIZE * (x + torch.bmm(inputs, skip)).flatten(0, 1) + element.index_select(0, kind)


_BUFFERS = ("scale", "shift")


def _stacked_layer(layers: Sequence[CAMPLLayer]) -> _Layer:
    """The units of all moments and paths are folded into the maps, once."""
    weights = [standardised(one.moments.weights, one.moments.standardise) for one in layers]
    by_rank = [torch.stack(rank) for rank in zip(*weights, strict=True)]
    first = not hasattr(layers[0].moments, "send")
    return _Layer(
        weights=[w.flatten(0, 1) if first else w for w in by_rank],
        send=None if first else torch.stack([one.moments.send for one in layers]),
        again=[
            [_stacked_mixing([one.again[n][rank] for one in layers]) for rank in range(len(by_rank))]
            for n in range(len(layers[0].again))
        ],
        mixing=_stacked_mixing([one.mixing for one in layers]),
        embedding=torch.stack([one.embedding for one in layers]).flatten(0, 1),
    )


def _stacked_mixing(mixings: Sequence[PathMixing]) -> Tensor:
    units = torch.stack([1 / one.standardise.rms for one in mixings])[:, :, None, None]
    dense = torch.stack([one.dense for one in mixings])
    return (dense.unflatten(1, (units.shape[1], -1)) * units).flatten(1, 2)


def _stacked_readout(readouts: Sequence[Readout]) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(torch.stack([getattr(one, name) for one in readouts]) for name in ("linear", "hidden", "output"))
