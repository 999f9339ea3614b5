"""Two landscapes in one view: whether they may be compared, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.landscapes.network import KineticNetwork


def refused(network: KineticNetwork, other: KineticNetwork) -> None:
    """Raise InvalidStructure when two networks are not of the same atoms."""
    formulas = [Atoms(one.symbols).get_chemical_formula() for one in (network, other)]
    if formulas[0] != formulas[1]:
        raise InvalidStructure(
            f"the networks are of different molecules, {formulas[0]} and {formulas[1]}; only landscapes of the same "
            "atoms can be compared. Show them in two views."
        )


def in_order_of(network: KineticNetwork, other: KineticNetwork, positions: np.ndarray) -> np.ndarray:
    """Return positions (n, 3) of `other` with its elements in the order in which `network` has them."""
    order = np.argsort(np.argsort(np.array(network.symbols), kind="stable"), kind="stable")
    return positions[np.argsort(np.array(other.symbols), kind="stable")[order]]


def titles_of(networks: Sequence[KineticNetwork], labels: Sequence[str] = ("", "")) -> list[str]:
    """Return a name of each network: its label, else its level of theory or name, told apart if they are equal."""
    names = [label or one.level_of_theory or one.name for one, label in zip(networks, labels, strict=False)]
    fallback = ("reference", "other") if len(networks) == 2 else ("landscape",)
    names = [name or default for name, default in zip(names, fallback, strict=True)]
    if len(names) == 2 and names[0] == names[1]:
        names = [f"{names[0]} (reference)", f"{names[1]} (other)"]
    return names
