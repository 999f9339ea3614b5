"""Exploring the landscape of a molecule or a cluster: its minima, its transition states, and how they are connected.

The one idea: the network only grows, one proven point at a time, and every step is a checkpoint; so it can be watched,
stopped, killed and resumed, and ends with the same network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from labkit.errors import InvalidTask
from labkit.landscapes.network import KineticNetwork
from labkit.runs import Run, RunContext, Task, quantity
from labkit.structures import StructureField

NETWORK_FILE = "network.json"
#: Every stationary point is proven by a Hessian of 6n evaluations.
FEWEST_ATOMS, MOST_ATOMS = 3, 200


class LandscapeExploration(Task):
    """Find the minima and transition states of a molecule or a cluster, and how they are connected."""

    structure: StructureField = Field(description="The molecule or cluster; any geometry that a quench can start from")
    potential: str = Field("gfn2-xtb", description="The potential or reference method that makes the landscape")
    search: Literal["basin hopping", "MD quenches", "random"] = Field(
        "basin hopping",
        description="How minima are looked for: quenches after moves, after dynamics, or of random starts",
    )
    walkers: int = quantity(8, "", "Searches side by side, in one batch", ge=1, le=10_000)
    hops: int = quantity(10, "steps", "Quenches of each walker at the most", ge=0, le=1_000_000)
    hop_patience: int = quantity(
        4, "steps", "Hopping ends early when so many steps of all walkers brought no new minimum", ge=1, le=1_000_000
    )
    hop_temperature_eV: float = quantity(
        100.0, "eV", "A hop uphill by this much is accepted with 1/e; far above all barriers: all hops are", gt=0
    )
    dihedrals: int = quantity(2, "bonds", "In a hop so many dihedral angles at most are turned, by up to 180°", ge=0)
    step_A: float | None = quantity(
        None, "Å", "In a hop every atom moves by up to this much each way; empty: as fits the structure", gt=0, le=10
    )
    md_temperature_K: float = quantity(1000.0, "K", "Temperature of MD quenches", gt=0, le=1e6)
    md_steps: int = quantity(200, "steps", "Steps of dynamics before each MD quench", ge=1, le=1_000_000)
    timestep_fs: float = quantity(0.5, "fs", "Time step of MD quenches", gt=0, le=100)
    double_ended: bool = Field(True, description="Look for transition states on bands between pairs of minima")
    neighbours: int = quantity(2, "", "Each minimum is joined with so many of its nearest ones", ge=0, le=1000)
    joins: int = quantity(2, "", "Each separate part of the network is joined by so many bands", ge=0, le=1000)
    mirrors: bool = Field(True, description="Each minimum is joined with its own mirror image too")
    images: int = quantity(9, "", "Structures on a band, its ends not counted", ge=3, le=100)
    band_steps: int = quantity(30, "steps", "Steps of a band before its maxima are refined as saddles", ge=0, le=10_000)
    single_ended: bool = Field(True, description="Look for transition states uphill from each minimum")
    searches: int = quantity(32, "", "Single-ended searches from each minimum, at the least", ge=0, le=1_000_000)
    soft_modes: int = quantity(6, "", "Those begin along so many of the softest modes, both ways", ge=0, le=1000)
    patience: int | None = quantity(
        None,
        "searches",
        "Go on until so many searches in a row found nothing new; empty: 96, or 12 for each transition state found",
        ge=0,
        le=1_000_000,
    )
    push_A: float | None = quantity(
        None, "Å", "Largest displacement of a random push; empty: as fits the structure", gt=0, le=10
    )
    batch: int = quantity(32, "", "Bands, or single-ended searches, in one step", ge=1, le=10_000)
    gradient_eV_A: float = quantity(
        1e-3, "eV/Å", "No force in a minimum is larger than this; weak bonds need less", gt=0, le=1
    )
    saddle_gradient_eV_A: float = quantity(
        1e-3, "eV/Å", "No force in a transition state is larger than this", gt=0, le=1
    )
    ceiling_eV: float = quantity(10.0, "eV", "A saddle search that climbs higher above its start is given up", gt=0)
    distance_A: float = quantity(
        0.5, "Å", "Two points closer than this (norm over all atoms, aligned) may be the same", gt=0, le=100
    )
    energy_eV: float = quantity(1e-3, "eV", "... and are the same if their energies are closer than this", gt=0, le=10)
    inversion: bool = Field(True, description="Mirror images count as the same structure")
    keep_bonds: bool | None = Field(
        None, description="Leave out minima with other bonds; empty: for molecules of non-metals, not for clusters"
    )
    max_minima: int = quantity(500, "", "Take in so many minima at most", ge=1, le=100_000)
    max_transition_states: int = quantity(2000, "", "Stop at so many transition states", ge=0, le=1_000_000)
    max_evaluations: int | None = quantity(
        None, "", "Begin no further step after so many energies and forces; empty: no limit", ge=1
    )
    seed: int = quantity(0, "", "Seed of every random number", ge=0, le=2**32 - 1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _explorable(self) -> Self:
        atoms = self.structure
        name = atoms.info.get("name") or atoms.get_chemical_formula()
        if atoms.pbc.any():
            raise InvalidTask(
                f"{name} is periodic; landscapes are explored for molecules and clusters. Cut the molecule out and "
                "switch periodicity off (atoms.pbc = False), or find a barrier in a crystal with NudgedElasticBand."
            )
        if len(atoms) < FEWEST_ATOMS:
            raise InvalidTask(
                f"{name} has {len(atoms)} atom{'s' * (len(atoms) > 1)}, so there is at most one minimum and nothing to "
                f"explore; take at least {FEWEST_ATOMS} atoms."
            )
        if len(atoms) > MOST_ATOMS:
            raise InvalidTask(
                f"{name} has {len(atoms)} atoms; every stationary point needs a Hessian, which is affordable up to "
                f"{MOST_ATOMS}. Take a part of it."
            )
        return self

    def label(self) -> str:
        """The molecule and what makes its landscape."""
        name = self.structure.info.get("name") or self.structure.get_chemical_formula()
        return f"Landscape of {name} ({self.potential})"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Explore; tables: growth (each step), minima, transition_states, failures; frames: the stationary points.

        The result's `complete` says that searches from every minimum ran until nothing new came, within all budgets.

        Raises NotConverged when no start structure leads to a minimum, ValueError for an unknown potential.
        """
        from labkit.landscapes.exploration_run import Explorer

        context.progress(0, 1, f"loading {self.potential}")
        return Explorer(self, context).run()


def network(run: Run | Path | str) -> KineticNetwork:
    """The network of a run, or of its folder: the final one, or that of a running one as it is now.

    Raises LabkitError when `run` is neither a run nor its folder, FileNotFoundError when it has found nothing yet.
    """
    folder = (run if isinstance(run, Run) else Run(run)).folder
    return KineticNetwork.read(folder / NETWORK_FILE)
