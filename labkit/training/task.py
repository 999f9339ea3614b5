"""Training as a task: data by name, a potential from scratch or one to continue, and the recipe as flat fields.

Import brings neither torch nor the data along; both come when the work begins.
"""

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labkit.errors import InvalidTask
from labkit.potentials.camp.settings import CAMPSettings
from labkit.runs import RunContext, Task, quantity
from labkit.training.recipe import Recipe

if TYPE_CHECKING:
    from labkit.datasets import Dataset
    from labkit.potentials.trainable import TrainablePotential
    from labkit.training.workers import Workers

DATASETS = ("mo-mlearn", "si-mlearn", "li-mlearn", "acac-300K")
VALIDATION = ("mo-mlearn-test", "si-mlearn-test", "li-mlearn-test", "acac-test-300K")


class What(BaseModel):
    """What learns from what; the fields of a `Training` that come before its recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(
        "mo-mlearn",
        description="Labelled structures: the name of a shipped set, or the path of a file (extxyz, ASE db, JSON)",
        json_schema_extra={"suggestions": DATASETS},
    )
    validation: str = Field(
        "",
        description="Another set to validate on, by name or path; empty: a part of the first",
        json_schema_extra={"suggestions": VALIDATION},
    )
    validation_fraction: float = quantity(0.1, "", "Share of the data that only validates", gt=0, lt=1)
    split_by: Literal["random", "group", "composition", "provenance"] = Field(
        "random", description="Families of structures stay together when the data are split, except with random"
    )
    start_from: str = Field(
        "",
        description="A potential to continue or to fine-tune (chgnet, or the folder of a saved one); empty: a new one",
        json_schema_extra={"suggestions": ("chgnet", "chgnet-r2scan")},
    )
    frozen: list[str] = Field([], description="Layers that keep their weights, of the potential to start from")
    refit_energies: bool = Field(
        False, description="First move the energy of each element to the level of theory of the data (fine-tuning)"
    )
    model: CAMPSettings = Field(CAMPSettings(), description="The new potential, when nothing is continued")
    name: str = Field("", description="What the new potential is called; empty: after the data and the model")


class Training(Recipe, What, Task):  # pydantic lists the fields of the last base first
    """Teach a potential from labelled structures: a new one, or one that exists, on energies, forces and stresses."""

    kind = "Training"

    device: str = Field("auto", description="auto, cpu, cuda or mps")
    n_devices: int = quantity(
        1, "processes", "They share each batch, one GPU or one core each", ge=1, le=64, label="Processes"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "Training":
        if self.frozen and not self.start_from:
            raise InvalidTask("layers can be frozen in a potential that exists: name it in start_from, or freeze none.")
        if not (self.energy_weight or self.forces_weight or self.stress_weight or self.magmoms_weight):
            raise InvalidTask("all weights of the loss are zero: nothing would be learned.")
        if not self.dataset.strip():
            raise InvalidTask("a training needs data: name a dataset or a file.")
        return self

    def label(self) -> str:
        """What learns from what."""
        what = self.start_from or self.model.architecture
        return f"{'Fine-tune' if self.start_from else 'Train'} {_short(what)} on {_short(self.dataset)}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Train; tables: training (each validation), batches, groups; parity.json; the best potential in best/.

        Raises DivergedTraining for a loss that is not finite, InvalidTask for data without the labels it needs.
        """
        from labkit.training.ranks import Followers
        from labkit.training.workers import Workers

        with ExitStack() as stack:
            if self.n_devices > 1:
                stack.enter_context(Followers(context.folder, self.n_devices))
            workers = Workers(self.device, self.precision, self.n_devices)
            stack.callback(workers.close)
            return self.train(context, workers)

    def train(self, context: RunContext, workers: "Workers") -> dict[str, Any]:
        """What each rank does; `workers` says which one it is."""
        from labkit.training.report import finite
        from labkit.training.trainer import Trainer

        context.progress(0, 1, f"reading {_short(self.dataset)}")
        training, validation = self.data()
        context.progress(0, 1, f"opening {_short(self.start_from)}" if self.start_from else "making the network")
        resumed = context.load_checkpoint() is not None
        potential = self.potential(training, validation, workers.device, fitted=resumed)
        potential.provenance = self._provenance(training, validation, potential)
        recipe = Recipe.of(self)
        outcome = Trainer(
            potential, training, validation, recipe, frozen=self.frozen, context=context, workers=workers
        ).fit()
        found = finite(asdict(outcome))
        del found["tables"]
        best = str(context.folder / "best") if workers.first else ""
        return {**found, "potential": best, "training_structures": len(training), "dataset_hash": training.hash}

    def data(self) -> "tuple[Dataset, Dataset]":
        """The training set and the validation set."""
        from labkit import datasets

        everything = datasets.load(self.dataset)
        if self.validation:
            return everything, datasets.load(self.validation)
        shares = (1 - self.validation_fraction, self.validation_fraction)
        training, validation = everything.split(shares, seed=self.seed, by=self.split_by)
        return training, validation

    def potential(
        self, training: "Dataset", validation: "Dataset", device: str, *, fitted: bool = False
    ) -> "TrainablePotential":
        """The potential before its first step; `fitted`: its scale and shift come from a checkpoint."""
        from labkit import potentials
        from labkit.potentials.trainable import TrainablePotential

        structures = training.structures()
        if not self.start_from:
            potential = _new(self, training.elements | validation.elements, device, training.level_of_theory)
        else:
            potential = potentials.load(self.start_from, device)
        if not isinstance(potential, TrainablePotential):
            raise InvalidTask(
                f"{self.start_from} is a {type(potential).__name__}, which has no weights that labkit can train. "
                "Start from chgnet or from a folder that a training wrote."
            )
        labelled = [record for record in training if record.energy is not None]
        if not fitted and not self.start_from:
            import numpy as np

            forces = [np.zeros((0, 3)) if record.forces is None else record.forces for record in labelled]
            structures = [record.atoms for record in labelled]
            potential.fit_scale_and_shift(structures, np.array([record.energy for record in labelled]), forces)
        elif not fitted and self.refit_energies:
            import numpy as np

            if not hasattr(potential, "fit_shift"):
                raise InvalidTask(
                    f"{potential.name} cannot move its energies per element; set refit_energies to False."
                )
            potential.fit_shift([record.atoms for record in labelled], np.array([one.energy for one in labelled]))
        if training.level_of_theory:
            potential.level_of_theory = training.level_of_theory
        what, data = _short(self.start_from or self.model.architecture), _short(self.dataset).partition(".")[0]
        potential.name = self.name or f"{what}-{data}".lower()
        return potential

    def _provenance(
        self, training: "Dataset", validation: "Dataset", potential: "TrainablePotential"
    ) -> dict[str, Any]:
        from labkit import __version__

        parents = getattr(potential, "provenance", {})
        return {
            "labkit": __version__,
            "dataset": {"name": training.name, "hash": training.hash, "structures": len(training)},
            "validation": {"name": validation.name, "hash": validation.hash, "structures": len(validation)},
            "level_of_theory": training.level_of_theory,
            "started_from": self.start_from or None,
            "parent": parents or None,
            "frozen": list(self.frozen),
            "recipe": Recipe.of(self).model_dump(mode="json"),
        }


def _new(task: Training, elements: frozenset[str], device: str, level_of_theory: str) -> "TrainablePotential":
    from labkit.potentials.camp import CAMP

    settings = task.model
    if task.precision == "64":
        settings = settings.model_copy(update={"dtype": "float64"})
    return CAMP.untrained(settings, sorted(elements), seed=task.seed, device=device, level_of_theory=level_of_theory)


def _short(name: str) -> str:
    """The last part of a path or an address; a name stays what it is."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2].rpartition(":")[2]
