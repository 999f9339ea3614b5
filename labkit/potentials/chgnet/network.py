"""CHGNet's forward pass, arranged for speed and equal to the published network to rounding.

The first linear layer of each gated MLP acts on a concatenation [center, bond, neighbour]; it is applied to atoms,
bonds and angles before they are gathered, so that the widest products run over atoms instead of edges. Bonds beyond
the bond-graph cut-off never leave the span of their radial basis, so they stay in it. No edge tensor is ever sliced:
the backward pass of a slice costs four more passes over memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.potentials.chgnet.basis import fourier, radial_bessel
from labkit.potentials.chgnet.fusion import AtomBlock, BondBlock, Fused, Pair, fuse
from labkit.potentials.chgnet.line_graph import LineGraph, build_line_graph
from labkit.potentials.graph import PeriodicGraph


class CHGNetNetwork(nn.Module):
    """Energies (B,) eV and magnetic moments (N,) µ_B of a periodic graph.

    Parameters carry the names of the published checkpoint, so that weights move both ways unchanged.
    """

    def __init__(self, architecture: dict[str, Any], parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.architecture = dict(architecture)
        self.pair_cutoff_A, self.envelope = float(architecture["atom_graph_cutoff"]), int(architecture["cutoff_coeff"])
        self.bond_cutoff_A, self.n_layers = float(architecture["bond_graph_cutoff"]), int(architecture["n_conv"])
        # Dots are not allowed in parameter names; a bijective replacement keeps the checkpoint's names recoverable.
        self.weights = nn.ParameterDict(
            {
                name.replace(".", "|"): nn.Parameter(value.clone(), requires_grad=False)
                for name, value in parameters.items()
            }
        )
        self._fused: Fused | None = None
        self._fused_versions: tuple[int, ...] = ()

    def parameters_by_name(self) -> dict[str, Tensor]:
        """The parameters under the published checkpoint's names."""
        return {name.replace("|", "."): value.detach() for name, value in self.weights.items()}

    def forward(self, graph: PeriodicGraph) -> tuple[Tensor, Tensor]:
        """Total energies (B,) eV and moments (N,) µ_B."""
        fused = self._fuse()
        lines = build_line_graph(graph, self.bond_cutoff_A)
        distance = torch.linalg.vector_norm(graph.vectors, dim=1)
        short_distance = distance.index_select(0, lines.short)
        basis = radial_bessel(distance, fused.pair_frequencies, self.pair_cutoff_A, self.envelope)
        short_basis = radial_bessel(short_distance, fused.bond_frequencies, self.bond_cutoff_A, self.envelope)
        basis, short_basis = basis.to(fused.pair_weight.dtype), short_basis.to(fused.pair_weight.dtype)
        pair_weight = basis @ fused.pair_weight
        bond_weight = (short_basis @ fused.bond_weight).index_select(0, lines.bond)

        atoms = fused.atom_embedding.index_select(0, graph.numbers - 1)
        short_start = short = basis.index_select(0, lines.short) @ fused.bond_embedding
        angles = self._angle_features(fused, graph, lines, short_distance)
        moments = atoms.new_zeros(graph.n_atoms)
        ends = torch.cat([graph.pair_i, graph.pair_j]), torch.cat([graph.pair_j, graph.pair_i])
        bent = _pairs_of_bent_structures(graph, lines) if fused.atom[-1].settled is not None else None
        for layer, block in enumerate(fused.atom):
            update = short - short_start  # what the convolutions added beyond the same for all bonds
            if block.settled is not None:
                update = update - bent.index_select(0, lines.short) * block.settled
            atoms = _atom_convolution(block, ends, lines, atoms, basis, update, pair_weight, bent)
            if layer < self.n_layers - 1 and angles is not None:
                # The angle update of the last block feeds nothing: the published network computes and drops it.
                short, angles = _bond_convolution(
                    fused.bond[layer],
                    lines,
                    atoms,
                    short,
                    angles,
                    bond_weight,
                    bent,
                    update_angles=layer < self.n_layers - 2,
                )
            if layer == self.n_layers - 2:
                moments = functional.linear(atoms, *fused.site_wise).abs().squeeze(1)
        return self._read_out(fused, graph, atoms), moments

    def _angle_features(
        self, fused: Fused, graph: PeriodicGraph, lines: LineGraph, short_distance: Tensor
    ) -> Tensor | None:
        """Embedded angles (A/2, 64): until the first update the angle of (p, q) is that of (q, p)."""
        half = lines.first.shape[0] // 2
        if half == 0:
            return None
        unit = graph.vectors.index_select(0, lines.short) / short_distance.unsqueeze(1)
        directed = unit.index_select(0, lines.bond) * lines.sign
        cosine = (directed.index_select(0, lines.first[:half]) * directed.index_select(0, lines.second[:half])).sum(1)
        angle = torch.acos(cosine * (1 - 1e-6))  # the published guard against an infinite derivative at 0 and π
        basis = fourier(angle, fused.angle_frequencies).to(fused.angle_embedding.dtype)
        return basis @ fused.angle_embedding

    def _read_out(self, fused: Fused, graph: PeriodicGraph, atoms: Tensor) -> Tensor:
        if fused.read_out_norm is not None:
            atoms = functional.layer_norm(atoms, atoms.shape[1:], *fused.read_out_norm)
        for weight, bias in fused.read_out[:-1]:
            atoms = functional.silu(functional.linear(atoms, weight, bias))
        energies = functional.linear(atoms, *fused.read_out[-1]).squeeze(1)
        return graph.sum_per_structure(energies + fused.reference.index_select(0, graph.numbers - 1))

    def _fuse(self) -> Fused:
        if any(value.requires_grad for value in self.weights.values()):
            # Training: gradients must reach the original parameters through the cuts. Fused optimisers change them
            # without a trace in torch's counter, so what was cut before is forgotten here.
            self._fused = None
            return fuse(self._parameter, self.weights, self.architecture)
        # torch counts the changes of each tensor in place: an optimiser or new weights make the fused copies stale.
        versions = tuple(value._version for value in self.weights.values())
        if self._fused is None or versions != self._fused_versions:
            self._fused = fuse(self._parameter, self.weights, self.architecture)
            self._fused_versions = versions
        return self._fused

    def _parameter(self, name: str) -> Tensor:
        return self.weights[name.replace(".", "|")]

    def _apply(self, fn: Any, recurse: bool = True) -> nn.Module:
        self._fused = None  # moved or cast parameters invalidate the fused copies
        return super()._apply(fn, recurse)


def _pairs_of_bent_structures(graph: PeriodicGraph, lines: LineGraph) -> Tensor:
    """1 for each pair (P, 1) of a structure that has angles, else 0.

    The published network skips the bond convolution, biases included, for a structure without angles.
    """
    has_angles = torch.zeros(graph.n_structures, dtype=torch.bool, device=graph.owner.device)
    has_angles[graph.owner[lines.center[lines.first]]] = True
    return has_angles[graph.owner[graph.pair_i]].float().unsqueeze(1)


def _atom_convolution(
    block: AtomBlock,
    ends: Pair,
    lines: LineGraph,
    atoms: Tensor,
    basis: Tensor,
    update: Tensor,
    pair_weight: Tensor,
    bent: Tensor | None,
) -> Tensor:
    """v_i += L0 Σ_j gate([v_i, e_ij, v_j]) w_ij (Deng et al. 2023, Methods), for both directions of each pair.

    atoms (N, 64), basis (P, n_radial), update (S, 64) of short bonds, pair_weight (P, 64) -> (N, 64).
    """
    center, neighbour = ends
    branches = []
    for branch in (0, 1):
        from_pairs = torch.addmm(block.bias[branch], basis, block.basis[branch])
        from_pairs.index_add_(0, lines.short, update @ block.bond[branch])
        if block.from_settled is not None:
            from_pairs = from_pairs + bent * block.from_settled[branch]
        first = (atoms @ block.center[branch]).index_select(0, center)
        first += (atoms @ block.neighbour[branch]).index_select(0, neighbour)
        # Not in place: an addition into a view would cost two more copies in the backward pass.
        branches.append((first.view(2, *from_pairs.shape) + from_pairs).view(first.shape))
    message = block.tail(*branches)
    message = (message.view(2, *pair_weight.shape) * pair_weight).view(message.shape)
    return atoms + functional.linear(torch.zeros_like(atoms).index_add_(0, center, message), *block.out)


def _bond_convolution(
    block: BondBlock,
    lines: LineGraph,
    atoms: Tensor,
    short: Tensor,
    angles: Tensor,
    bond_weight: Tensor,
    bent: Tensor | None,
    *,
    update_angles: bool,
) -> tuple[Tensor, Tensor]:
    """e_ij += L0 Σ_k gate([e_ij, e_ik, a_ijk, v_i]) w_ij w_ik, then a_ijk += gate([...]) with the new bonds (ibid.).

    atoms (N, 64), short (S, 64), angles (A, 64) or the half (A/2, 64) that both orders share, bond_weight (2S, 64) of
    directed bonds -> (S, 64), (A, 64).
    """
    at_center = atoms.index_select(0, lines.center)
    message = block.bond_tail(*_angle_first_layer(block.bond_first, lines, at_center, short, angles))
    message = message * bond_weight.index_select(0, lines.second)
    # w_ij is the same for all angles of bond ij: multiplied once, after the sum over k.
    gathered = torch.zeros_like(bond_weight).index_add_(0, lines.first, message) * bond_weight
    weight, bias = block.out
    short = short + torch.zeros_like(short).index_add_(0, lines.bond, gathered) @ weight.t()
    if bias is not None and bent is not None:
        short = short + bent.index_select(0, lines.short) * bias
    if update_angles:
        change = block.angle_tail(*_angle_first_layer(block.angle_first, lines, at_center, short, angles))
        angles = (change.view(-1, *angles.shape) + angles).view(change.shape)  # from here on both orders differ
    return short, angles


def _angle_first_layer(first: Any, lines: LineGraph, at_center: Tensor, short: Tensor, angles: Tensor) -> Pair:
    """First layer of core and gate on [e_ij, e_ik, a_ijk, v_i]: two tensors (A, 64)."""
    directed = short.index_select(0, lines.bond)
    branches = []
    for branch in (0, 1):
        one = torch.addmm(directed @ first.one[branch], at_center, first.center[branch])
        value = one.index_select(0, lines.first)
        value += (directed @ first.other[branch]).index_select(0, lines.second)
        from_angles = torch.addmm(first.bias[branch], angles, first.angle[branch])
        branches.append((value.view(-1, *angles.shape) + from_angles).view(value.shape))
    return branches[0], branches[1]
