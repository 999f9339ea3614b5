"""Two landscapes in one view: whether they may be compared, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.landscapes.alignment import like_order
from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState


def checked(network: KineticNetwork, other: KineticNetwork | None) -> None:
    """Raise TypeError for what is no network, InvalidStructure when two networks are not of the same atoms."""
    for given in (network, other):
        if not isinstance(given, KineticNetwork) and (given is not None or given is network):
            raise TypeError(
                f"a landscape is shown from a KineticNetwork, not from {given!r}; read a file with "
                "KineticNetwork.read(path), an exploration with labkit.landscapes.network(run)."
            )
    formulas = [Atoms(one.symbols).get_chemical_formula() for one in (network, network if other is None else other)]
    if formulas[0] != formulas[1]:
        raise InvalidStructure(
            f"the networks are of different molecules, {formulas[0]} and {formulas[1]}; only landscapes of the same "
            "atoms can be compared. Show them in two views."
        )


def within(name: str, value: float, low: float, high: float, unit: str) -> None:
    """Raise ValueError for a number that a slider from `low` to `high` cannot start at."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; its slider goes from {low:g} to {high:g} {unit}.")


def point_of(network: KineticNetwork, point: Minimum | int) -> Minimum:
    """Return a stationary point of the network, given as itself or as a minimum's number; ValueError for any other."""
    if isinstance(point, Minimum):
        known = network.transition_states if isinstance(point, TransitionState) else network.minima
        if point.index < len(known) and np.array_equal(known[point.index].positions, point.positions):
            return known[point.index]
        raise ValueError(f"this is not a point of {network.name or 'the network'}: is it one of the other tree?")
    if point not in range(network.n_minima):
        raise ValueError(f"there is no minimum {point}; the network has the minima 0 to {network.n_minima - 1}.")
    return network.minima[point]


def in_order_of(network: KineticNetwork, other: KineticNetwork, positions: np.ndarray) -> np.ndarray:
    """Return positions (n, 3) of `other` with its elements in the order in which `network` has them."""
    return positions[like_order(network.symbols, other.symbols)]


def titles_of(networks: Sequence[KineticNetwork], labels: Sequence[str] | str = ("", "")) -> list[str]:
    """Return a name of each network: its label, else its level of theory or name, told apart if they are equal."""
    labels = (labels, "") if isinstance(labels, str) else (*labels, "", "")
    names = [label or one.level_of_theory or one.name for one, label in zip(networks, labels, strict=False)]
    fallback = ("reference", "other") if len(networks) == 2 else ("landscape",)
    names = [name or default for name, default in zip(names, fallback, strict=True)]
    if len(names) == 2 and names[0] == names[1]:
        names = [f"{names[0]} (reference)", f"{names[1]} (other)"]
    return names
