"""How a potential is trained: loss, optimiser, schedule, limits; as data, so that forms, files and scripts agree.

The one idea: every choice that changes the outcome is a field, and nothing else does.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import InvalidTask
from labkit.runs import quantity


class Recipe(BaseModel):
    """How to train; `Training` has the same fields, `Trainer` takes them as options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = quantity(100, "epochs", "Passes over the training set", ge=1, le=1_000_000)
    batch_size: int = quantity(8, "structures", "Structures in one step of the optimiser", ge=1, le=100_000)
    learning_rate: float = quantity(
        0.005, "", "Step of the optimiser after the warm-up; 0.0005 suits fine-tuning", gt=0, le=1
    )
    schedule: Literal["cosine", "linear", "plateau", "constant"] = Field(
        "cosine", description="How the learning rate falls: over the whole run, or when the error stops falling"
    )
    warmup_steps: int = quantity(50, "steps", "The learning rate rises from zero over so many steps", ge=0)
    final_rate: float = quantity(
        0.01, "", "Cosine, linear: learning rate at the end, as a share", ge=0, le=1, label="Final learning rate"
    )
    plateau_factor: float = quantity(0.8, "", "Plateau: the learning rate is multiplied by this", gt=0, lt=1)
    plateau_patience: int = quantity(10, "validations", "Plateau: after so many without a better one", ge=1)
    energy_weight: float = quantity(
        1.0, "", "Weight of the energies (per atom, eV) in the loss", ge=0, label="Weight of energies"
    )
    forces_weight: float = quantity(
        1.0, "", "Weight of the force components (eV/Å) in the loss", ge=0, label="Weight of forces"
    )
    stress_weight: float = quantity(
        0.0, "", "Weight of the stresses (times volume per atom, eV) in the loss", ge=0, label="Weight of stresses"
    )
    magmoms_weight: float = quantity(
        0.0, "", "Weight of the magnetic moments (µ_B, unsigned) in the loss", ge=0, label="Weight of moments"
    )
    final_energy_weight: float | None = quantity(
        None,
        "",
        "The weight of the energies moves to this one over the second half of the run",
        ge=0,
        label="Final weight of energies",
    )
    loss: Literal["mse", "huber", "l1"] = Field("mse", description="How an error counts: squared, Huber's, or absolute")
    huber_delta: float = quantity(
        0.01, "eV or eV/Å", "Huber: larger errors count linearly", gt=0, label="Huber's delta"
    )
    optimiser: Literal["soap", "adam-amsgrad", "adam", "adamw"] = Field(
        "soap", description="Kind of optimiser; SOAP learns in fewer steps, Adam's steps are cheaper for large matrices"
    )
    weight_decay: float = quantity(0.0, "", "Pulls matrices towards zero", ge=0, le=10)
    gradient_clip: float | None = quantity(10.0, "", "Largest norm of the gradient; longer ones are shortened", gt=0)
    ema_decay: float = quantity(
        0.99,
        "",
        "The exported weights are a running mean with this memory; 0 switches it off",
        ge=0,
        lt=1,
        label="Averaging (EMA)",
    )
    validation_interval: int = quantity(1, "epochs", "Validate every so many epochs", ge=1, label="Validate every")
    validation_structures: int | None = quantity(
        None,
        "structures",
        "At most so many are validated during training (by itself a tenth of the data, at least 50); the end takes all",
        ge=1,
        label="Validate at most",
    )
    early_stop: int | None = quantity(
        None, "validations", "Stop after so many without a better one", ge=1, label="Stop early after"
    )
    time_limit_min: float | None = quantity(
        None, "min", "Stop after this time; cosine and linear then follow the time", gt=0, label="Time limit"
    )
    cpu_budget_s: float | None = quantity(
        None, "s", "Stop after this processor time; cosine and linear then follow it", gt=0, label="Processor time"
    )
    max_batch_atoms: int | None = quantity(
        None, "atoms", "Larger batches are computed in parts; the result is the same", ge=1, label="Atoms at once"
    )
    checkpoint_epochs: int = quantity(
        1, "epochs", "State for a resume is stored every so many epochs", ge=1, label="Checkpoint every"
    )
    checkpoint_min: float = quantity(
        1.0, "min", "... and after so many minutes within an epoch", gt=0, label="Checkpoint at least every"
    )
    precision: Literal["32", "64"] = Field("32", description="Bits of the numbers in the network")
    seed: int = Field(0, description="Seed of the first weights, of the order of the data and of the split", ge=0)

    @classmethod
    def of(cls, recipe: Self | None = None, **options: Any) -> Self:
        """A recipe with some options changed; raises InvalidTask with a sentence for each that is wrong."""
        from labkit.runs.explain import explain

        known = {} if recipe is None else {name: getattr(recipe, name) for name in cls.model_fields}
        try:
            return cls(**{**known, **options})
        except ValidationError as error:
            raise InvalidTask(explain(error, cls)) from error
