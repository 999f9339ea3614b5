"""Barriers that a cheap potential learns from an expensive one: NEB, labels of its images, fine-tuning, NEB again.

The one idea: a path that the student finds shows where it is wrong, its high-energy images are what it has never seen,
and every stage is on the disk when it is done, so that no label is bought twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, JsonValue, model_validator

from labkit.active_learning.dual_report import STUDENT, TEACHER, TUNED
from labkit.errors import InvalidTask
from labkit.runs import Run, RunContext, Task, quantity
from labkit.simulators.neb import Band
from labkit.structures import StructureField

if TYPE_CHECKING:
    from labkit.simulators.neb_path import MinimumEnergyPath

BANDS, PATHS = "bands.json", "paths.json"


class DualNEB(Task):
    """Fine-tune a potential on the images of its own migration paths, with labels of a better one, and compare the
    barriers.
    """

    kind = "DualNEB"

    bands: list[Band] = Field([], description="The hops; or give a crystal, and all its hops are found")
    structure: StructureField | None = Field(None, description="A crystal whose hops are searched")
    species: str = Field("Li", description="The ion that hops")
    max_distance_A: float = quantity(4.5, "Å", "Hops up to this length are found", gt=0, le=20)
    hop_kind: Literal["vacancy", "interstitial"] = Field("vacancy", description="What makes room for the hop")
    min_length_A: float = quantity(8.0, "Å", "The hopping ion is at least this far from its images", gt=0, le=50)
    student: str = Field(
        "chgnet-0.2.0",
        description="The potential that learns, by name or folder",
        json_schema_extra={"suggestions": ("chgnet-0.2.0", "chgnet", "chgnet-r2scan")},
    )
    teacher: str = Field(
        "chgnet",
        description="The reference that labels, by name; empty: stop when the images are chosen",
        json_schema_extra={"suggestions": ("chgnet", "7net-0", "7net-l3i5", "diep", "gpaw-pbe")},
    )
    options: dict[str, JsonValue] = Field({}, description="Options of the teacher")
    labels: str = Field("", description="A file of your own results instead (extxyz, ASE db, vasprun.xml, OUTCAR)")
    level_of_theory: str = Field("", description="What they were computed with, where the file does not say so")
    images: int = quantity(5, "images", "Images of a path between its ends", ge=1, le=99)
    fmax_eV_A: float = quantity(0.05, "eV/Å", "A path is converged below this force", gt=0, le=5, label="Largest force")
    fmax_ends_eV_A: float = quantity(0.03, "eV/Å", "The ends are relaxed below this force", gt=0, le=5)
    max_steps: int = quantity(300, "steps", "Give a path up after so many steps", ge=1, le=100_000)
    use_symmetry: bool = Field(
        False, description="Hold symmetric paths symmetric: half of the work and of the labels; a lower path may exist"
    )
    rounds: int = quantity(1, "rounds", "Times that paths are labelled and learned from", ge=1, le=20)
    images_labelled: int | None = quantity(
        None, "images", "Of each path at most so many are labelled, at quantiles of the energy; empty: all", ge=2, le=99
    )
    copies: int = quantity(1, "copies", "Rattled copies of each labelled image", ge=0, le=100)
    rattle_A: float = quantity(0.05, "Å", "How far their atoms are displaced (standard deviation)", gt=0, le=1)
    processes: int = quantity(1, "processes", "Labels computed at once, one thread each", ge=1, le=256)
    timeout_s: float = quantity(3600.0, "s", "A label that takes longer is given up", gt=0, label="Longest label")
    replay: list[StructureField] = Field([], description="Crystals to rehearse with; empty: small ones of the library")
    replay_share: float = quantity(0.15, "", "Rehearsed structures, as a share of the labels; 0: none", ge=0, le=10)
    untouched: list[StructureField] = Field([], description="Crystals that show what is forgotten; empty: as above")
    frozen: list[str] | None = Field(None, description="Layers that keep their weights; empty: all early ones")
    epochs: int = quantity(25, "epochs", "Passes over the labels", ge=1, le=1_000_000)
    batch_size: int = quantity(2, "structures", "Structures in one step of the optimiser", ge=1, le=100_000)
    learning_rate: float = quantity(0.001, "", "Step of the optimiser", gt=0, le=1)
    energy_weight: float = quantity(1000.0, "", "Weight of the energies (per atom, eV) in the loss", ge=0)
    forces_weight: float = quantity(1.0, "", "Weight of the forces (eV/Å) in the loss", ge=0)
    stress_weight: float = quantity(0.0, "", "Weight of the stresses in the loss", ge=0)
    cpu_budget_s: float | None = quantity(None, "s", "Each fine-tuning stops after this processor time", gt=0)
    recipe: dict[str, JsonValue] = Field({}, description="Other fields of labkit.training.Recipe")
    held_out: float = quantity(0.1, "", "Share of the labels that only chooses the best weights", ge=0, lt=1)
    compare: bool = Field(True, description="Also find the teacher's own paths, if it is a potential")
    seed: int = quantity(0, "", "Seed of the rattled copies and of the training", ge=0)
    device: str = Field("auto", description="auto, cpu or cuda")

    @model_validator(mode="after")
    def _fits_together(self) -> DualNEB:
        if bool(self.bands) == (self.structure is not None):
            raise InvalidTask("give the bands themselves, or in structure a crystal whose hops are found.")
        if self.labels and self.rounds > 1:
            raise InvalidTask("labels of a file are learned from once; set rounds to 1, or name a teacher that labels.")
        if not (self.teacher or self.labels) and self.rounds > 1:
            raise InvalidTask("without a teacher nothing is learned; set rounds to 1.")
        from labkit.active_learning.dual_replay import family

        both = {family(atoms) for atoms in self.replay} & {family(atoms) for atoms in self.untouched}
        if both:
            raise InvalidTask(
                f"{', '.join(sorted(both))} is both rehearsed and untouched; what is rehearsed cannot show what is "
                "forgotten. Leave it out of one list."
            )
        own = [*(band.initial for band in self.bands), *([self.structure] if self.structure is not None else [])]
        learned = {frozenset(atoms.symbols) for atoms in own}
        if same := [atoms for atoms in self.untouched if frozenset(atoms.symbols) in learned]:
            raise InvalidTask(
                f"{same[0].get_chemical_formula()} consists of the elements whose paths are learned; what is learned "
                "from cannot show what is forgotten. Name other crystals in untouched."
            )
        return self

    def label(self) -> str:
        """Who learns from whom."""
        source = Path(self.labels).name if self.labels else self.teacher or "nobody yet"
        return f"{self.student} learns barriers from {source}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Find paths, choose, label, fine-tune, find them again, compare; tables: barriers, labels, forgetting.

        In the folder: bands.json; student/, tuned/ and teacher/ with paths.json and what a NudgedElasticBand leaves;
        round-1/ with images.extxyz, labels/ and best/, the tuned potential. Raises InvalidTask for labels that do not
        fit, NotConverged when the student has no path at all, RunFailed when nothing could be labelled.
        """
        from labkit.active_learning.dual_stages import Stages

        return Stages(self, context).run()


def paths(run: Run | Path | str) -> dict[str, list[MinimumEnergyPath]]:
    """Return the paths that a run has found so far: of the "student", the "tuned" student and the "teacher"."""
    from labkit.runs.atomic import read_json
    from labkit.simulators.neb_path import MinimumEnergyPath

    folder = Path(getattr(run, "folder", run))
    found = {}
    for who in (STUDENT, TUNED, TEACHER):
        data = read_json(folder / who / PATHS)
        if data is not None:
            found[who] = [MinimumEnergyPath.from_dict(one) for one in data["paths"]]
    return found
