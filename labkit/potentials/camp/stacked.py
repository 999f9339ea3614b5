"""Several CAMP-L networks on one batch at once: what depends on the structures alone is computed once for all members.

The one idea: members meet only in Q_b D_v, the products of radial functions and directions. Up to the sums over
neighbours each member's gradient stays apart in one common backward pass; the last step, from those sums to the pair
vectors, is short enough to be written out and is done member by member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import silu

from labkit.potentials.camp import network
from labkit.potentials.camp.charges import HIDDEN, INITIAL_SIZE
from labkit.potentials.camp.geometry import gather, geometry
from labkit.potentials.camp.hyper_moments import bounded, hyper_moments
from labkit.potentials.camp.layers import CAMPLLayer
from labkit.potentials.camp.linear_moments import pair_products
from labkit.potentials.camp.mixing import PathMixing, Readout, standardised
from labkit.potentials.camp.neighbours import LongRange, PaddedBatch
from labkit.potentials.camp.network import CAMPNetwork
from labkit.potentials.camp.radial import envelope
from labkit.potentials.camp.settings import CAMPSettings
from labkit.potentials.camp.tensors import component_counts, components
from labkit.potentials.ewald import LatentEwald, strained
from labkit.potentials.trainable import Evaluation


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


@dataclass
class Sums:
    """Geometry of N atoms with K slots, and what the M members sum over neighbours with it, layer by layer.

    sent: what neighbours send, (N, K, M, m), or one-hot elements (N, K, 1, S) in the first layer. summed: Σ_k Q_b D_v
    sent, (N, components b, M, m): where gradients are taken.
    """

    settings: CAMPSettings
    vectors: Tensor
    basis: Tensor
    directions: Tensor
    products: Tensor
    sent: list[Tensor] = field(default_factory=list)
    summed: list[Tensor] = field(default_factory=list)

    def pull_back(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """For each member dE/dr_ik (N, 3, K), from dE/d(summed) of every layer.

        With g = dE/d(Q_b D_v) = Σ over layers dE/d(summed) sent, and u = r / |r|: dE/dr = u Σ_b Q_b' Σ_v g D_v
        + (1 - u u) t / |r|, t = Σ_v dD_v/du Σ_b g Q_b.
        """
        distance = self.vectors.square().sum(1, keepdim=True).sqrt()
        unit, per_distance = self.vectors / distance, 1 / distance
        n, n_basis, k = self.basis.shape
        slope = bessel_slope(distance.squeeze(1) / self.settings.cutoff_A, n_basis) / self.settings.cutoff_A
        turns = (_turning(self.settings.max_v, unit.dtype, unit.device) @ self.directions).view(n, 3, -1, k)
        basis, tensors = self.basis.unsqueeze(1), self.directions.unsqueeze(2)
        found = []
        for m in range(gradients[0].shape[2]):
            g = gradients[0][:, :, m]
            if self.sent[0].shape[3] > 1:  # with one element each neighbour sends 1
                g = torch.bmm(g, self.sent[0][:, :, 0].transpose(1, 2))
            for gradient, sent in zip(gradients[1:], self.sent[1:], strict=True):
                g = torch.baddbmm(g, gradient[:, :, m], sent[:, :, m].transpose(1, 2))
            g = g.view(n, tensors.shape[1], n_basis, -1)
            radial = ((g * tensors).sum(1) * slope).sum(1, keepdim=True)
            t = ((g * basis).sum(2).unsqueeze(1) * turns).sum(2)
            along = (unit * t).sum(1, keepdim=True)
            found.append(torch.addcmul(t * per_distance, unit, radial - along * per_distance))
        return found


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
        self.scale, self.shift = stack(lambda one: one.scale).flatten(), stack(lambda one: one.shift).flatten()
        self.head: tuple[list[Tensor], list[Tensor], Tensor, Tensor] | None = None
        if first.charge_head is not None:
            depth = range(len(first.charge_head.weights))
            self.head = (
                [stack(lambda one, n=n: one.charge_head.weights[n]) for n in depth],
                [stack(lambda one, n=n: one.charge_head.biases[n]).unsqueeze(1) for n in depth],
                stack(lambda one: one.charge_head.skip),
                stack(lambda one: one.charge_head.element).flatten(0, 1),
            )

    def evaluate(
        self,
        batch: PaddedBatch,
        properties: Sequence[str],
        ewald: LatentEwald | None = None,
        copies: LongRange | None = None,
    ) -> list[Evaluation]:
        """What each member says of a batch of B structures; `copies` holds the long range of M x B structures."""
        m, gradients = self.n_members, "forces" in properties or "stress" in properties
        owner = torch.cat([batch.owner + n * len(batch.sizes) for n in range(m)])
        leaves: list[Tensor] = []
        with torch.set_grad_enabled(gradients):
            atomic, charges, sums = self(batch)
            energies = atomic.new_zeros(m * len(batch.sizes)).index_add(0, owner, atomic)
            if charges is not None:
                leaves = [copies.positions.requires_grad_(gradients), torch.zeros_like(copies.cells)]
                leaves[1].requires_grad_(gradients)
                positions, cells = strained(leaves[0], copies.cells, leaves[1], owner)
                energies = energies + ewald.energy(charges, positions, cells, copies.batch)
        if not gradients:
            return _apart(m, energies, None, None, charges)
        found = torch.autograd.grad(energies.sum(), [*sums.summed, *leaves])
        by_sums, (places, strains) = found[: len(sums.summed)], found[len(sums.summed) :] or (None, None)
        pairs = sums.pull_back(by_sums)
        received = torch.stack([one.transpose(1, 2).reshape(-1, 3) for one in pairs], dim=1).flatten(1)
        forces = torch.cat([one.sum(2) for one in pairs], dim=1)
        forces = forces.index_add(0, batch.neighbours.view(-1), received, alpha=-1)
        forces = forces.view(len(batch.species), m, 3).transpose(0, 1).flatten(0, 1)
        if places is not None:
            forces = forces - places
        stresses = None
        if "stress" in properties:
            atomic_virials = torch.cat([torch.bmm(sums.vectors, one.transpose(1, 2)) for one in pairs])
            virials = atomic_virials.new_zeros(m * len(batch.sizes), 3, 3).index_add(0, owner, atomic_virials)
            if strains is not None:
                virials = virials + strains
            stresses = (virials + virials.transpose(1, 2)) / (2 * batch.volumes.repeat(m).view(-1, 1, 1))
        return _apart(m, energies, forces if "forces" in properties else None, stresses, charges)

    def __call__(self, batch: PaddedBatch) -> tuple[Tensor, Tensor | None, Sums]:
        """Energies (M N,) eV of each atom and charges (M N, channels) e or None, member by member, and the sums.

        Gradients by the pair vectors do not flow by themselves: `Sums.pull_back` takes them from those by `summed`.
        """
        s, n_atoms = self.settings, len(batch.species)
        with torch.no_grad():
            around = geometry(batch, s.cutoff_A, s.max_v, self.n_species, "bessel", s.radial_degree)
            products = pair_products(around)
            sums = Sums(s, batch.vectors.detach(), around.basis, around.directions, products)
        copies = torch.arange(self.n_members, device=batch.species.device).repeat_interleave(n_atoms)
        kind = batch.species.repeat(self.n_members) + copies * self.n_species
        features: list[Tensor] = []
        atomic: Tensor | float = 0.0
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            if features:
                moments = self._later_moments(layer, features[-1], sums, batch.neighbours)
            else:
                moments = self._first_moments(layer, sums, around.neighbour_species, kind)
            for matrices in layer.again:
                hyper = hyper_moments(moments, s.max_v)
                mixed = [self._mix(paths, w) for paths, w in zip(hyper, matrices, strict=True)]
                moments = bounded([m + h for m, h in zip(moments, mixed, strict=True)])
            (paths,) = hyper_moments(moments, 0)
            offset = layer.embedding.index_select(0, kind)
            update = silu(self._mix(paths, layer.mixing).squeeze(0) + offset) - silu(offset)
            features.append(features[-1] + update if features else update)
            linear, hidden, output = readout
            atomic = atomic + self._map(features[-1], linear) + self._map(silu(self._map(features[-1], hidden)), output)
        energies = network.INITIAL_SIZE * atomic.squeeze(-1).double() * self.scale[kind] + self.shift[kind]
        return energies, self._charges(features, kind) if self.head else None, sums

    def _map(self, values: Tensor, matrices: Tensor) -> Tensor:
        """(M N, ..., i) by (M, i, o), each member's part by its own matrix: (M N, ..., o)."""
        mapped = torch.bmm(values.reshape(self.n_members, -1, values.shape[-1]), matrices)
        return mapped.view(*values.shape[:-1], matrices.shape[-1])

    def _mix(self, paths: list[Tensor], matrices: Tensor) -> Tensor:
        """P tensors (components, M N, u) by (M, P u, u): (components, M N, u)."""
        joined = torch.cat(paths, dim=-1).unflatten(1, (self.n_members, -1)).transpose(0, 1)
        mixed = torch.bmm(joined.flatten(1, 2), matrices)
        return mixed.unflatten(1, joined.shape[1:3]).transpose(0, 1).flatten(1, 2)

    def _first_moments(self, layer: _Layer, sums: Sums, elements: Tensor, kind: Tensor) -> list[Tensor]:
        n = len(elements)
        with torch.no_grad():
            products = sums.products
            summed = products.sum(2, keepdim=True) if self.n_species == 1 else torch.bmm(products, elements)
            summed = summed.unsqueeze(2)
        summed = summed.repeat(1, 1, self.n_members, 1).requires_grad_(torch.is_grad_enabled())
        sums.sent.append(elements.unsqueeze(2))
        sums.summed.append(summed)
        by_member = summed.permute(2, 0, 1, 3).reshape(self.n_members * n, sum(self.counts), -1)
        parts = by_member.split(self.counts, dim=1)
        if self.n_species == 1:
            return [self._map(part, w).transpose(0, 1) for part, w in zip(parts, layer.weights, strict=True)]
        return [
            torch.bmm(part, w.index_select(0, kind)).transpose(0, 1)
            for part, w in zip(parts, layer.weights, strict=True)
        ]

    def _later_moments(self, layer: _Layer, features: Tensor, sums: Sums, neighbours: Tensor) -> list[Tensor]:
        n, m = len(neighbours), self.n_members
        messages = self._map(features, layer.send).view(m, n, -1).transpose(0, 1).flatten(1)
        sent = gather(messages, neighbours)
        summed = torch.bmm(sums.products, sent)
        sums.sent.append(sent.detach().unflatten(2, (m, -1)))
        sums.summed.append(summed.unflatten(2, (m, -1)))
        by_member = sums.summed[-1].permute(2, 0, 1, 3).reshape(m * n, sum(self.counts), -1)
        parts = by_member.split(self.counts, dim=1)
        return [self._map(part, w).transpose(0, 1) for part, w in zip(parts, layer.weights, strict=True)]

    def _charges(self, features: list[Tensor], kind: Tensor) -> Tensor:
        weights, biases, skip, element = self.head
        inputs = torch.cat(features, dim=1).view(self.n_members, len(kind) // self.n_members, -1)
        x = inputs
        for n, (w, b) in enumerate(zip(weights, biases, strict=True)):
            x = torch.baddbmm(b, x, w)
            if n < len(HIDDEN):
                x = silu(x)
        return INITIAL_SIZE * (x + torch.bmm(inputs, skip)).flatten(0, 1) + element.index_select(0, kind)


def bessel_slope(x: Tensor, count: int) -> Tensor:
    """Derivatives by x of `bessel_basis`: (N, count, K)."""
    n = torch.arange(1, count + 1, dtype=x.dtype, device=x.device).view(1, -1, 1) * math.pi
    value, angle = envelope(x), n * x.unsqueeze(1)
    fall = -168 * x**5 * (1 - x).square() * (x < 1)  # of the envelope
    over = value / x
    rest = (fall - over) / x
    return math.sqrt(2) * (n * torch.cos(angle) * over.unsqueeze(1) + torch.sin(angle) * rest.unsqueeze(1))


@cache
def _turning(max_v: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Constants (3 C, C) that make dD/du, for each of three axes, of the C components of D: d(xxy)/dx = 2 xy."""
    listed = [c for rank in range(max_v + 1) for c in components(rank)]
    place = {c: n for n, c in enumerate(listed)}
    matrix = torch.zeros(3, len(listed), len(listed), dtype=dtype)
    for axis in range(3):
        for n, c in enumerate(listed):
            if axis in c:
                at = c.index(axis)
                matrix[axis, n, place[c[:at] + c[at + 1 :]]] = c.count(axis)
    return matrix.flatten(0, 1).to(device)


def _apart(m: int, *answers: Tensor | None) -> list[Evaluation]:
    """Energies, forces, stresses and charges of all members, member by member."""
    parts = [[None] * m if one is None else one.detach().chunk(m) for one in answers]
    return [Evaluation(e, f, s, charges=q) for e, f, s, q in zip(*parts, strict=True)]


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
