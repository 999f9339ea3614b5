"""Where the branches of a disconnectivity tree are drawn.

Every basin takes an interval of the horizontal axis that no other basin enters, so lines never cross; around the
stem of its lowest minimum the side branches are spread evenly to both sides, which makes a funnel look like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from labkit.landscapes.disconnectivity import DisconnectivityTree


@dataclass(frozen=True, eq=False)
class TreeLayout:
    """Where each node and each branch stands; leaves are one unit apart.

    x: (n_nodes,) of leaves and joints. order: (n_leaves,) minima from left to right. nodes: (m,) the node at the lower
    end of each branch. segments: (m, 3, 2) its line (x, energy in eV, absolute) from the node straight up to the bend
    and across to the joint above; the branch of a top node is a short vertical line.
    """

    x: np.ndarray
    order: np.ndarray
    nodes: np.ndarray
    segments: np.ndarray

    def square(self) -> np.ndarray:
        """The (m, 3, 2) segments with right angles, as of a dendrogram."""
        bent = self.segments.copy()
        bent[:, 1, 1] = bent[:, 2, 1]
        return bent


def layout(tree: DisconnectivityTree, order: Literal["centre", "energy"] = "centre") -> TreeLayout:
    """Lay a tree out; `order` puts the lowest minimum of each basin into its middle, or the lowest to the left.

    A joint stands above the middle of its basin. Branches bend one fortieth of the height of the tree below the joint
    above them, or at their own node if that is higher.
    """
    if order not in ("centre", "energy"):
        raise ValueError(f"order={order!r}; choose 'centre' or 'energy'.")
    arranged, size = _arranged(tree, order)
    x = _places(tree, arranged, size)
    energies = tree.energies_eV
    height = float(energies.max() - energies.min()) or 1.0
    above = np.where(tree.parent >= 0, tree.parent, np.arange(len(x)))
    is_top = tree.parent < 0
    ends = np.where(is_top, energies + height / 20, energies[above])
    bend = np.maximum(energies, np.where(is_top, ends, ends - height / 40))
    segments = np.stack(
        [np.column_stack([x, energies]), np.column_stack([x, bend]), np.column_stack([x[above], ends])], axis=1
    )
    leaves = np.argsort(x[: tree.n_leaves])
    return TreeLayout(x, tree.minima[leaves], np.arange(len(x)), segments)


def _arranged(tree: DisconnectivityTree, order: str) -> tuple[list[list[int]], np.ndarray]:
    """The children of every node from left to right, and the number of leaves below every node."""
    nodes = len(tree.parent)
    size = np.where(np.arange(nodes) < tree.n_leaves, 1, 0)
    left, right = np.zeros(nodes, dtype=int), np.zeros(nodes, dtype=int)  # leaves beside the lowest minimum
    arranged: list[list[int]] = []
    for node, below in enumerate(tree.children):  # children come before their parents
        ranked = sorted(below, key=lambda one: (tree.lowest_eV[one], one))
        if below:
            size[node] = size[below].sum()
        if order == "centre" and ranked:
            stem, before, after = ranked[0], [], []
            left[node], right[node] = left[stem], right[stem]
            for one in sorted(ranked[1:], key=lambda one: (-size[one], tree.lowest_eV[one], one)):
                if left[node] < right[node]:
                    before.append(one)
                    left[node] += size[one]
                else:
                    after.append(one)
                    right[node] += size[one]
            ranked = [*reversed(before), stem, *after]
        arranged.append(ranked)
    return arranged, size


def _places(tree: DisconnectivityTree, arranged: list[list[int]], size: np.ndarray) -> np.ndarray:
    start = np.zeros(len(tree.parent))
    offset = 0
    for root in tree.roots:
        start[root] = offset
        offset += int(size[root])
    for node in range(len(arranged) - 1, tree.n_leaves - 1, -1):
        place = start[node]
        for one in arranged[node]:
            start[one] = place
            place += size[one]
    return start + (size - 1) / 2
