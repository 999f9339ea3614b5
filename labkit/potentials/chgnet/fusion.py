"""Rearranges CHGNet's parameters for the fast forward pass.

The columns of each first layer belong to the center atom, the bonds, the angle or the neighbour; here they are cut
apart and transposed for `x @ W`. The cuts are differentiable, so training reaches the original parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

Named = Callable[[str], Tensor]
#: One tensor for the core branch and one for the gate branch of a gated MLP.
Pair = tuple[Tensor, Tensor]
BRANCHES = ("mlp_core", "mlp_gate")


@dataclass(frozen=True)
class GatedTail:
    """What follows the first layer of a gated MLP: second layer (or none), layer norms (or none), gated product."""

    weight: Pair | None
    bias: Pair | None
    norm: tuple[Pair, Pair] | None

    def __call__(self, core: Tensor, gate: Tensor) -> Tensor:
        """silu(norm(core)) sigmoid(norm(gate)) from the first layer's outputs (E, 64): (E, 64)."""
        values = [core, gate]
        for branch in (0, 1):
            if self.weight is not None and self.bias is not None:
                values[branch] = functional.linear(
                    functional.silu(values[branch]), self.weight[branch], self.bias[branch]
                )
            if self.norm is not None:
                values[branch] = functional.layer_norm(values[branch], core.shape[1:], *self.norm[branch])
        return functional.silu(values[0]) * values[1].sigmoid()


@dataclass(frozen=True)
class AtomBlock:
    """One atom convolution.

    `settled` is what the biases of earlier bond convolutions added to every bond of a structure with angles, and
    `from_settled` its share of the first layer; both are None where there are no such biases (all but version 0.2.0).
    """

    center: Pair
    neighbour: Pair
    bond: Pair
    basis: Pair
    bias: Pair
    settled: Tensor | None
    from_settled: Pair | None
    tail: GatedTail
    out: tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class AngleFirstLayer:
    """First layer on [bond ij, bond ik, angle, center], cut into its four inputs."""

    one: Pair
    other: Pair
    angle: Pair
    center: Pair
    bias: Pair


@dataclass(frozen=True)
class BondBlock:
    """One bond convolution with the angle update that follows it."""

    bond_first: AngleFirstLayer
    bond_tail: GatedTail
    out: tuple[Tensor, Tensor | None]
    angle_first: AngleFirstLayer
    angle_tail: GatedTail


@dataclass(frozen=True)
class Fused:
    """All of CHGNet's parameters in the shape in which the forward pass uses them."""

    atom_embedding: Tensor
    bond_embedding: Tensor
    angle_embedding: Tensor
    pair_weight: Tensor
    bond_weight: Tensor
    pair_frequencies: Tensor
    bond_frequencies: Tensor
    angle_frequencies: Tensor
    reference: Tensor
    atom: list[AtomBlock]
    bond: list[BondBlock]
    site_wise: Pair
    read_out_norm: Pair | None
    read_out: list[Pair]


def fuse(named: Named, keys: Iterable[str], architecture: dict[str, Any]) -> Fused:
    """Cut, transpose and combine the parameters `named` knows."""
    names = {key.replace("|", ".") for key in keys}
    n_conv, norm = int(architecture["n_conv"]), architecture["gMLP_norm"] == "layer"
    read_out = sorted(
        int(name.split(".")[2]) for name in names if name.startswith("mlp.layers.") and name.endswith("weight")
    )
    basis = "bond_basis_expansion.rbf_expansion"
    return Fused(
        atom_embedding=named("atom_embedding.embedding.weight"),
        bond_embedding=_transposed(named("bond_embedding.weight")),
        angle_embedding=_transposed(named("angle_embedding.weight")),
        pair_weight=_transposed(named("bond_weights_ag.weight")),
        bond_weight=_transposed(named("bond_weights_bg.weight")),
        pair_frequencies=named(f"{basis}_ag.frequencies"),
        bond_frequencies=named(f"{basis}_bg.frequencies"),
        angle_frequencies=named("angle_basis_expansion.fourier_expansion.frequencies"),
        reference=named("composition_model.fc.weight")[0],
        atom=_atom_blocks(named, names, n_conv, norm=norm),
        bond=[_bond_block(named, names, layer, norm=norm) for layer in range(n_conv - 1)],
        site_wise=(named("site_wise.weight"), named("site_wise.bias")),
        read_out_norm=(named("readout_norm.weight"), named("readout_norm.bias"))
        if architecture["readout_norm"] == "layer"
        else None,
        read_out=[(named(f"mlp.layers.{index}.weight"), named(f"mlp.layers.{index}.bias")) for index in read_out],
    )


def _atom_blocks(named: Named, names: set[str], n_conv: int, *, norm: bool) -> list[AtomBlock]:
    embedding = named("bond_embedding.weight")
    settled: Tensor | None = None
    blocks = []
    for layer in range(n_conv):
        prefix = f"atom_conv_layers.{layer}"
        gated = f"{prefix}.twoBody_atom"
        cuts = [named(f"{gated}.{branch}.layers.0.weight").split(embedding.shape[0], dim=1) for branch in BRANCHES]
        bias = [named(f"{gated}.{branch}.layers.0.bias") for branch in BRANCHES]
        blocks.append(
            AtomBlock(
                center=(_transposed(cuts[0][0]), _transposed(cuts[1][0])),
                bond=(_transposed(cuts[0][1]), _transposed(cuts[1][1])),
                neighbour=(_transposed(cuts[0][2]), _transposed(cuts[1][2])),
                basis=(_transposed(cuts[0][1] @ embedding), _transposed(cuts[1][1] @ embedding)),
                bias=(bias[0], bias[1]),
                settled=settled,
                from_settled=None if settled is None else (cuts[0][1] @ settled, cuts[1][1] @ settled),
                tail=_tail(named, gated, second=3, norm=norm),
                out=_out(named, names, prefix),
            )
        )
        bond_bias = f"bond_conv_layers.{layer}.mlp_out.layers.1.bias"
        if bond_bias in names:
            settled = named(bond_bias) + (0 if settled is None else settled)
    return blocks


def _bond_block(named: Named, names: set[str], layer: int, *, norm: bool) -> BondBlock:
    bond, angle = f"bond_conv_layers.{layer}.twoBody_bond", f"angle_layers.{layer}.twoBody_bond"
    return BondBlock(
        bond_first=_angle_first_layer(named, bond, 0),
        bond_tail=_tail(named, bond, second=3, norm=norm),
        out=_out(named, names, f"bond_conv_layers.{layer}"),
        angle_first=_angle_first_layer(named, angle, 1),
        angle_tail=_tail(named, angle, second=None, norm=norm),
    )


def _angle_first_layer(named: Named, prefix: str, index: int) -> AngleFirstLayer:
    cuts = [named(f"{prefix}.{branch}.layers.{index}.weight").chunk(4, dim=1) for branch in BRANCHES]
    one, other, angle, center = ((_transposed(core), _transposed(gate)) for core, gate in zip(*cuts, strict=True))
    core_bias, gate_bias = (named(f"{prefix}.{branch}.layers.{index}.bias") for branch in BRANCHES)
    return AngleFirstLayer(one, other, angle, center, (core_bias, gate_bias))


def _tail(named: Named, prefix: str, *, second: int | None, norm: bool) -> GatedTail:
    weight = bias = norms = None
    if second is not None:
        core, gate = (f"{prefix}.{branch}.layers.{second}" for branch in BRANCHES)
        weight, bias = (
            (named(f"{core}.weight"), named(f"{gate}.weight")),
            (named(f"{core}.bias"), named(f"{gate}.bias")),
        )
    if norm:
        norms = tuple((named(f"{prefix}.{which}.weight"), named(f"{prefix}.{which}.bias")) for which in ("bn1", "bn2"))
    return GatedTail(weight, bias, norms)


def _out(named: Named, names: set[str], prefix: str) -> tuple[Tensor, Tensor | None]:
    bias = f"{prefix}.mlp_out.layers.1.bias"
    return named(f"{prefix}.mlp_out.layers.1.weight"), named(bias) if bias in names else None


def _transposed(weight: Tensor) -> Tensor:
    return weight.t().contiguous()
