"""Symmetric tensors by their distinct components do what full tensors of 3^v do."""

from itertools import permutations, product

import numpy as np
import pytest
import torch

from labkit.potentials.camp.hyper_moments import LARGEST, bounded, hyper_moments
from labkit.potentials.camp.paths import hyper_moment_paths
from labkit.potentials.camp.tensors import component_counts, components, contract, directions, multiplicity
from tests.potentials.camp_reference import outer, unpack

N, U = 3, 2


def symmetric(rank: int, seed: int) -> torch.Tensor:
    """Random distinct components (c, N, U)."""
    return torch.randn(component_counts(rank)[rank], N, U, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_components_and_multiplicities_cover_the_full_tensor(rank):
    assert len(components(rank)) == (rank + 1) * (rank + 2) // 2
    assert sum(multiplicity(rank)) == 3**rank
    for component, count in zip(components(rank), multiplicity(rank), strict=True):
        assert count == len(set(permutations(component)))


@pytest.mark.parametrize(("rank_a", "rank_b"), [(a, b) for a in range(4) for b in range(a + 1)])
def test_a_contraction_is_that_of_the_full_tensors(rank_a, rank_b):
    a, b = symmetric(rank_a, 1), symmetric(rank_b, 2)
    left = "ijk"[: rank_a - rank_b]
    summed = "xyz"[:rank_b]
    expected = np.einsum(f"{left}{summed}nu,{summed}nu->{left}nu", unpack(a.numpy(), rank_a), unpack(b.numpy(), rank_b))
    found = contract(a, b, rank_a, rank_b)
    assert found.shape == (component_counts(3)[rank_a - rank_b], N, U)
    assert unpack(found.numpy(), rank_a - rank_b) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("max_v", [0, 1, 2, 3])
def test_directions_are_outer_products_of_the_unit_vector(max_v):
    vectors = np.random.default_rng(0).normal(size=(N, 3, 4))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    parts = directions(torch.as_tensor(unit), max_v).split(component_counts(max_v), dim=1)
    for rank, part in enumerate(parts):
        for atom, slot in product(range(N), range(4)):
            expected = outer(unit[atom, :, slot], rank)
            assert unpack(part[atom, :, slot].numpy(), rank) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("max_v", [0, 1, 2, 3])
def test_hyper_moments_are_contractions_of_full_tensors_in_any_order(max_v):
    moments = [symmetric(rank, rank) for rank in range(max_v + 1)]
    found = hyper_moments(moments, max_v)
    full = [unpack(moment.numpy(), rank) for rank, moment in enumerate(moments)]
    for output, paths in hyper_moment_paths(max_v).items():
        assert len(found[output]) == len(paths)
        for path, value in zip(paths, found[output], strict=True):
            letters = iter("abcdefgh")
            others = ["".join(next(letters) for _ in range(rank)) for rank in path[:-1]]
            kept = "xyz"[:output]
            terms = ",".join([*(f"{indices}nu" for indices in others), f"{kept}{''.join(others)}nu"])
            expected = np.einsum(f"{terms}->{kept}nu", *(full[rank] for rank in path))
            assert unpack(value.numpy(), output) == pytest.approx(expected, abs=1e-12)


def test_a_bound_keeps_small_moments_and_the_direction_of_large_ones():
    moments = [symmetric(rank, rank) for rank in range(4)]
    for size in (1e-4, 1.0, 1e6):
        for rank, held in enumerate(bounded([size * moment for moment in moments])):
            full, cut = unpack((size * moments[rank]).numpy(), rank), unpack(held.numpy(), rank)
            axes = tuple(range(rank))
            norm, shortened = (np.sqrt(np.square(one).sum(axis=axes)) for one in (full, cut))
            assert shortened == pytest.approx(norm / np.sqrt(1 + (norm / LARGEST) ** 2), rel=1e-12)
            assert cut / shortened == pytest.approx(full / norm, abs=1e-12)
