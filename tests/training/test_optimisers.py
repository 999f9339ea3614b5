"""The optimisers by name, and the memory that a checkpoint keeps of them."""

import pytest
import torch

from labkit.errors import InvalidTask
from labkit.training.optimisers import LONGEST_SIDE, memory, optimiser, remember
from labkit.training.recipe import Recipe

NAMES = ["soap", "adam-amsgrad", "adam", "adamw"]
SHAPES = [(), (5,), (4, 6), (2, 3, 4), (LONGEST_SIDE + 1, 3), (7,)]


def parameters():
    random = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=random)) for shape in SHAPES]


def step(chosen, values, number):
    """Towards zero, with gradients that differ in every step; the last parameter never has one."""
    for index, value in enumerate(values[:-1]):
        gradient = value.detach() * (1 + 0.1 * index) + 0.01 * number
        # Gradients of matrices come from products and lie in memory either way.
        value.grad = gradient if index % 2 else gradient.mT.contiguous().mT if value.ndim > 1 else gradient
    chosen.step()


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_optimiser_goes_on_to_the_last_bit(name):
    recipe = Recipe(optimiser=name, weight_decay=0.1)
    values = parameters()
    chosen = optimiser(recipe, values, "cpu")
    for number in range(13):
        step(chosen, values, number)
    copies = [torch.nn.Parameter(value.detach().clone()) for value in values]
    again = optimiser(recipe, copies, "cpu")
    remember(again, copies, {key: array.copy() for key, array in memory(chosen, values).items()})
    for number in range(13, 40):
        step(chosen, values, number)
        step(again, copies, number)
    assert all(torch.equal(one, other) for one, other in zip(values, copies, strict=True))
    assert torch.equal(copies[-1], parameters()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_remembered_before_the_first_step(name):
    values = parameters()
    chosen = optimiser(Recipe(optimiser=name), values, "cpu")
    assert memory(chosen, values) == {}
    remember(chosen, values, {})
    step(chosen, values, 0)


@pytest.mark.parametrize(("written", "read"), [("soap", "adam"), ("adam", "soap")])
def test_the_memory_of_another_optimiser_is_refused(written, read):
    values = parameters()
    chosen = optimiser(Recipe(optimiser=written), values, "cpu")
    step(chosen, values, 0)
    with pytest.raises(InvalidTask, match="another optimiser: resume with the one it began with"):
        remember(optimiser(Recipe(optimiser=read), values, "cpu"), values, memory(chosen, values))


def test_weight_decay_spares_vectors():
    values = parameters()
    groups = optimiser(Recipe(weight_decay=0.1), values, "cpu").param_groups
    assert {group["weight_decay"]: sorted(value.ndim for value in group["params"]) for group in groups} == {
        0.1: [2, 2, 3],
        0.0: [0, 1, 1],
    }


def test_soap_is_refused_where_matrices_cannot_be_factorised():
    with pytest.raises(InvalidTask, match="use adam-amsgrad, or the cpu"):
        optimiser(Recipe(optimiser="soap"), parameters(), "mps")
