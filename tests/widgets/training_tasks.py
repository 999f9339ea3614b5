"""A task that writes the tables and files of a training, without any physics: food for the views of a training."""

import json
import math
import time
from typing import Any, ClassVar

import numpy as np

from labkit.runs import RunContext, Task, quantity


class PretendsToTrain(Task):
    """Writes loss, errors, parity and errors by group at a steady pace; the loss falls as in a training."""

    kind: ClassVar[str] = "Training"

    epochs: int = quantity(40, "", "How many epochs", ge=1)
    batches: int = quantity(4, "", "How many batches an epoch has", ge=1)
    pause_s: float = quantity(0.0, "s", "Time of an epoch", ge=0)
    validation: int = quantity(50, "", "How many structures are validated", ge=1)
    saves_best: bool = False
    broken_parity: bool = False

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Epoch by epoch; a resumed run goes on after its last checkpoint."""
        rng = np.random.default_rng(0)
        found = context.load_checkpoint()
        first = found[1]["epoch"] + 1 if found else 1
        for epoch in range(first, self.epochs + 1):
            loss = math.exp(-epoch / 15) + 0.01
            rate = 1e-3 * 0.97**epoch * context.controls().get("learning_rate_factor", 1.0)
            for batch in range(self.batches):
                context.pause_point()
                context.raise_if_stopped()
                step = (epoch - 1) * self.batches + batch + 1
                noisy = loss * float(np.exp(rng.normal(0, 0.3)))
                context.row("batches", step, epoch=epoch, loss=noisy, gradient_norm=noisy / 2, learning_rate=rate)
                time.sleep(self.pause_s / self.batches)
            context.row(
                "training", epoch, epoch=epoch, time_s=epoch * self.pause_s, epoch_s=self.pause_s, learning_rate=rate,
                train_loss=loss, validation_loss=1.2 * loss, energy_mae_meV_atom=30 * loss, forces_mae_meV_A=200 * loss,
                energy_rmse_meV_atom=40 * loss, forces_rmse_meV_A=260 * loss, stress_mae_GPa=math.nan, memory_MB=512.0,
            )  # fmt: skip
            for number, (group, factor) in enumerate({"Vacancy": 1.0, "Liquid": 2.0}.items()):
                context.row(
                    "groups", 2 * epoch + number, group=group, n=25,
                    energy_mae_meV_atom=30 * loss * factor, forces_mae_meV_A=200 * loss * factor,
                )  # fmt: skip
            self._parity(context, rng, epoch, loss)
            if self.saves_best and epoch == first:
                self._best(context)
            context.checkpoint({"x": np.zeros(1)}, {"epoch": epoch})
            context.progress(epoch, self.epochs, "training")
        return {"epochs": self.epochs}

    def _parity(self, context: RunContext, rng: np.random.Generator, epoch: int, loss: float) -> None:
        energy, forces = rng.normal(-10.9, 0.2, self.validation), rng.normal(0, 1.5, 3 * self.validation)
        parity = {
            "energy_reference": energy, "energy_predicted": energy + 0.03 * loss * rng.normal(size=energy.shape),
            "forces_reference": forces, "forces_predicted": forces + 0.2 * loss * rng.normal(size=forces.shape),
            "structure_of_energy": np.arange(self.validation), "epoch": epoch,
        }  # fmt: skip
        if self.broken_parity:
            parity["energy_predicted"] = parity["energy_predicted"][:-1]
        context.save_json("parity", parity)

    def _best(self, context: RunContext) -> None:
        from labkit.potentials import load

        folder = load("chgnet", device="cpu").save(context.folder / "best")
        path = folder / "potential.json"
        said = json.loads(path.read_text(encoding="utf-8"))
        groups = {"Vacancy": {"n": 25, "energy_mae_meV_atom": 3.0, "forces_mae_meV_A": 40.0}}
        said.update(name="fine-tuned", dataset={"name": "mo-mlearn", "hash": "ab12" * 16}, metrics={"groups": groups})
        path.write_text(json.dumps(said), encoding="utf-8")
