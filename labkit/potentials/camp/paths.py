"""Which tensor products the Cartesian atomic moment potential takes: the paths of moments and hyper moments.

Both follow from counting ranks alone, so they are pure Python; the paper's counts are the test.
Source: M. Wen et al., npj Comput. Mater. 11, 128 (2025) (CAMP).
"""

from __future__ import annotations

from itertools import combinations_with_replacement


def moment_paths(max_v: int, message_rank: int) -> list[tuple[int, int]]:
    """Paths (v, v1) of the atomic moment: output rank v from a neighbour's feature of rank v1 and D of rank v + v1.

    All pairs with v + v1 <= `max_v` and v1 <= `message_rank` (0 in the first layer, where features are scalars).
    """
    return [(v, v1) for v in range(max_v + 1) for v1 in range(min(message_rank, max_v - v) + 1)]


def hyper_moment_paths(max_v: int) -> dict[int, list[tuple[int, ...]]]:
    """For each output rank v, the ranks (ascending) of the atomic moments that a hyper moment contracts.

    A path holds ranks from 1 to `max_v` whose largest equals the sum of the others plus v: the largest is contracted
    with all others, and v indices stay. The moment of rank v itself is a path; for v = 0 that is the scalar moment.
    """
    found: dict[int, list[tuple[int, ...]]] = {v: [] for v in range(max_v + 1)}
    found[0].append((0,))
    for largest in range(1, max_v + 1):
        for count in range(largest + 1):
            for rest in combinations_with_replacement(range(1, largest + 1), count):
                left = largest - sum(rest)
                if left >= 0:
                    found[left].append((*rest, largest))
    return {v: sorted(paths, key=lambda path: (len(path), path)) for v, paths in found.items()}
