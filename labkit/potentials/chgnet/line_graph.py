"""CHGNet's bond graph: the angles between short bonds, built with array operations instead of one Python object a bond.

Every angle stands as (p, q) in the first half of the list and as (q, p) in the second, so that what is symmetric in
the two bonds is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.potentials.graph import PeriodicGraph


@dataclass(frozen=True)
class LineGraph:
    """S short pairs, 2S directed bonds, A angles in both orders.

    short: (S,) index of each short pair in the graph. center: (2S,) atom from which each directed bond leaves.
    bond: (2S,) which short pair each directed bond is; sign: (2S, 1) +1 along the pair vector, -1 against it.
    first, second: (A,) directed bonds of an angle, sharing their center; the second half repeats the first half
    swapped.
    """

    short: Tensor
    center: Tensor
    bond: Tensor
    sign: Tensor
    first: Tensor
    second: Tensor


def build_line_graph(graph: PeriodicGraph, cutoff_A: float) -> LineGraph:
    """Angles between all bonds shorter than `cutoff_A` (Å) that share an atom."""
    device = graph.pair_i.device
    short = torch.nonzero(graph.distances < cutoff_A).flatten()
    n_short = short.shape[0]
    center = torch.cat([graph.pair_i[short], graph.pair_j[short]])
    order = torch.argsort(center, stable=True)
    center = center[order]
    bond = torch.where(order < n_short, order, order - n_short)
    sign = torch.where(order < n_short, 1.0, -1.0).unsqueeze(1)

    # Bonds are sorted by center: bond p meets every later bond of the same center, n_later of them.
    counts = torch.bincount(center, minlength=graph.n_atoms)
    last = torch.repeat_interleave(torch.cumsum(counts, 0), counts)
    position = torch.arange(2 * n_short, device=device)
    n_later = last - position - 1
    first = torch.repeat_interleave(position, n_later)
    start = torch.cumsum(n_later, 0) - n_later
    second = first + 1 + torch.arange(first.shape[0], device=device) - torch.repeat_interleave(start, n_later)
    return LineGraph(
        short=short,
        center=center,
        bond=bond,
        sign=sign.to(graph.vectors.dtype),
        first=torch.cat([first, second]),
        second=torch.cat([second, first]),
    )
