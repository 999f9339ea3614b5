"""Small random potentials of our own architectures, with scale, shift and units measured on random labels."""

import functools

import numpy as np
from ase import Atoms

from labkit.potentials.ase_adaptor import ASEPotential
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.potentials.committee import Committee
from labkit.potentials.delta import DeltaPotential

SMALL = {"cutoff_A": 4.0, "channels": 6, "message_channels": 4, "radial_degree": 5, "radial_hidden": 5}
SMALL |= {"readout_hidden": 7, "dtype": "float64"}


def crystal(symbols: str = "LiClO", n: int = 6, seed: int = 0) -> Atoms:
    """n atoms of the listed elements at random places, none nearer than 1.6 Å, in a skewed cell."""
    random = np.random.default_rng(seed)
    kinds = Atoms(symbols).get_chemical_symbols()
    edge = (18.0 * n) ** (1 / 3)
    cell = edge * (np.eye(3) + random.uniform(-0.15, 0.15, (3, 3)))
    atoms = Atoms(cell=cell, pbc=True)
    while len(atoms) < n:
        candidate = atoms + Atoms(kinds[len(atoms) % len(kinds)], [random.random(3) @ cell], cell=cell, pbc=True)
        distances = candidate.get_all_distances(mic=True)[-1, :-1]
        if not len(distances) or distances.min() > 1.6:
            atoms = candidate
    return atoms


def cluster(symbols: str = "LiClO", n: int = 5, seed: int = 0) -> Atoms:
    """n atoms of the listed elements in a ball, without a cell."""
    atoms = crystal(symbols, n, seed)
    return Atoms(atoms.numbers, atoms.positions)


def fitted(settings: CAMPSettings, elements: tuple[str, ...], seed: int = 0) -> CAMP:
    """A random potential, calibrated on random structures with random labels."""
    potential = CAMP.untrained(settings, elements, seed=seed, device="cpu", level_of_theory="none")
    random = np.random.default_rng(seed)
    known = [crystal("".join(elements), 8, seed=100 + n) for n in range(4)]
    energies = [-3.0 * len(atoms) + random.normal() for atoms in known]
    potential.fit_scale_and_shift(known, energies, [random.normal(size=(len(atoms), 3)) for atoms in known])
    return potential


def small(
    architecture: str = "CAMP-L", elements: tuple[str, ...] = ("Li", "Cl", "O"), seed: int = 0, **changed
) -> CAMP:
    """A fitted potential with few channels in float64."""
    return fitted(CAMPSettings(**{**SMALL, "architecture": architecture, **changed}), elements, seed)


@functools.cache
def camp() -> CAMP:
    """The published architecture."""
    return small("CAMP")


@functools.cache
def camp_l() -> CAMP:
    """Our architecture, in the arithmetic of everyday use."""
    return small("CAMP-L", dtype="float32")


@functools.cache
def camp_les() -> CAMP:
    """Our architecture with two channels of latent charges."""
    return small("CAMP-L", long_range=True, charge_channels=2, dl_A=1.5)


@functools.cache
def committee() -> Committee:
    """Three members that share a forward pass, with latent charges."""
    return Committee([small("CAMP-L", seed=seed, long_range=True) for seed in range(3)])


@functools.cache
def wrapped() -> ASEPotential:
    """Our potential, seen by ASE as a calculator, seen by labkit as a potential again."""
    potential = small("CAMP-L")
    return ASEPotential(potential.calculator, name="wrapped", level_of_theory="none", elements=potential.elements)


@functools.cache
def delta() -> DeltaPotential:
    """A correction in the arithmetic of double precision on another potential of ours."""
    return DeltaPotential(small("CAMP"), small("CAMP-L", seed=7), {"Li": 0.3, "Cl": -0.1})
