"""What a long range is for: a gas of unit charges, learned by one architecture with and without latent Ewald summation.

`python -m tests.benchmarks.random_charge_gas [CPU seconds]`, one thread. For each model: errors on held-out boxes, the
ratio to the model without a long range, and how far the latent charges, which nobody labelled, are from the true ±1 e
(their common sign is arbitrary). The cut-off is 4 Å, as in the gas of the latent-Ewald papers (methods A, section 5:
force RMSE 0.221 without, 0.0057 eV/Å with, 39 times; one message-passing layer 0.0054). The last row is a second layer
without a long range: from 120 small boxes our messages do not learn what theirs learned from far more data.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from labkit.datasets import Record
from labkit.datasets.random_charges import random_charge_gas
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.training import Trainer

#: Boxes for training and for the test, ions in each, edge in Å.
TRAINING, TEST, IONS, BOX_A = 120, 30, 32, 10.0
#: What the sum over wave vectors leaves is a pair energy, so the smallest model will do. dl = 1.5 Å leaves 0.2 meV/Å of
#: the forces of this gas out of the sum, dl = 2 Å 7 meV/Å.
SMALL = CAMPSettings(
    architecture="CAMP", cutoff_A=4.0, channels=8, max_v=0, n_layers=1, radial_degree=10, radial_hidden=32, dl_A=1.5
)
RECIPE = {"batch_size": 4, "learning_rate": 0.05, "energy_weight": 0.5, "epochs": 100_000, "validation_interval": 10}


@dataclass(frozen=True)
class Row:
    """Errors on held-out boxes in meV/Å and meV/atom; of charges in e after the better sign, or None."""

    forces_rmse_meV_A: float
    energy_rmse_meV_atom: float
    charges_rmse_e: float | None
    mean_charge_e: float | None


def train(settings: CAMPSettings, training: Sequence[Record], seed: int = 0, **recipe: object) -> CAMP:
    """A model of Na and Cl, fitted to the labels of `training`; `recipe` are fields of `labkit.training.Recipe`."""
    potential = CAMP.untrained(settings, ["Na", "Cl"], seed=seed, device="cpu")
    # the energy of an ion alone is known, and is zero: shifts fitted to the boxes would be wrong for two ions far apart
    structures, forces = [record.atoms for record in training], [record.forces for record in training]
    potential.fit_scale_and_shift(structures, np.zeros(len(structures)), forces)
    outcome = Trainer(potential, training, None, **{**RECIPE, **recipe}).fit()
    potential.provenance = {"steps": outcome.steps, "cpu_s": outcome.cpu_s}
    return potential


def judge(potential: CAMP, test: Sequence[Record]) -> Row:
    """Errors of forces, energies and charges on held-out boxes."""
    said = potential.predict([record.atoms for record in test], ("energy", "forces"))
    sizes = np.array([len(record.atoms) for record in test])
    energies = (said.energies - [record.energy for record in test]) / sizes
    forces = np.concatenate(said.forces) - np.concatenate([record.forces for record in test])
    error = mean = None
    if said.charges is not None:
        true = np.concatenate([record.atoms.get_initial_charges() for record in test])
        latent = np.concatenate(said.charges)[:, 0]
        latent = latent * np.sign(latent @ true)
        error, mean = float(np.sqrt(((latent - true) ** 2).mean())), float((latent * true).mean())
    return Row(1000 * float(np.sqrt((forces**2).mean())), 1000 * float(np.sqrt((energies**2).mean())), error, mean)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    budget = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    gas = random_charge_gas(TRAINING + TEST, IONS, BOX_A, seed=0)
    training, test = gas[:TRAINING], gas[TRAINING:]
    print(
        f"{TRAINING} boxes of {IONS} ions in ({BOX_A:g} Å)³, {TEST} held out; {budget:g} CPU seconds each, one thread"
    )
    reference = None
    for name, changed in {
        "short range": {},
        "with latent Ewald": {"long_range": True},
        "short range, two layers": {"architecture": "CAMP-L", "channels": 32, "max_v": 1, "n_layers": 2},
    }.items():
        potential = train(SMALL.model_copy(update=changed), training, cpu_budget_s=budget)
        row = judge(potential, test)
        reference = reference or row
        charges = (
            "" if row.charges_rmse_e is None else f"  charges {row.mean_charge_e:.4f} ± {row.charges_rmse_e:.4f} e"
        )
        print(
            f"{name:24s} forces {row.forces_rmse_meV_A:7.1f} meV/Å  energies {row.energy_rmse_meV_atom:6.2f} meV/atom  "
            f"ratio {reference.forces_rmse_meV_A / row.forces_rmse_meV_A:5.1f}{charges}  "
            f"({potential.provenance['steps']} steps)",
            flush=True,
        )


if __name__ == "__main__":
    main()
