"""Tasks that write the tables and frames of a campaign and of an attack, without any physics: food for their views."""

import time
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import molecule
from pydantic import BaseModel, Field

from labkit.runs import RunContext, Task, quantity
from labkit.structures.field import to_dict

EXPLORED = 120


class Level(BaseModel, frozen=True):
    """What a view reads of a quality level."""

    name: str = ""
    reference: str = "gfn2-xtb"
    select_eV_A: float = 0.1
    break_eV_A: float = 0.6
    max_rounds: int = 4


class PretendsToLearn(Task):
    """Grades, labels and trains, as it says; errors fall by rounds. The first round of a level explores nothing."""

    kind: ClassVar[str] = "ActiveLearning"

    levels: list[Level] = Field(
        [Level(name="quick"), Level(name="sure", reference="pbe-def2-svp", select_eV_A=0.05, break_eV_A=0.4)]
    )
    test: str = ""
    rounds: int = quantity(6, "", "How many rounds", ge=1)
    pause_s: float = quantity(0.0, "s", "Time of a round", ge=0)

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Round by round; a resumed run goes on after its last checkpoint."""
        found = context.load_checkpoint()
        first, total, cpu = (found[1][name] for name in ("round", "total", "cpu")) if found else (0, 20, 0.0)
        places = [number * len(self.levels) // self.rounds for number in range(self.rounds)]
        firsts = {places.index(place) for place in places}
        for number in range(first, self.rounds):
            rng = np.random.default_rng(number)
            place = places[number]
            level, fresh = self.levels[place], number in firsts
            self._wait(context, number, f"round {number}, explore: molecular dynamics")
            controls = context.controls()
            lower = float(controls.get("lower_eV_A", level.select_eV_A))
            upper = float(controls.get("upper_eV_A", level.break_eV_A))
            values = 0.12 * 0.75**number * np.exp(rng.normal(0, 0.9, EXPLORED))
            values[0] = np.nan
            verdicts = np.where(values >= upper, "failed", np.where(values >= lower, "candidate", "accurate"))
            verdicts[~np.isfinite(values)] = "failed"
            chosen = np.flatnonzero(verdicts == "candidate")[:10]
            values, verdicts = (values[:0], verdicts[:0]) if fresh else (values, verdicts)
            for i, (value, verdict) in enumerate(zip(values, verdicts, strict=True)):
                context.row(
                    "grades", number * EXPLORED + i, round=number, structure=i, predicted_eV_A=float(value),
                    worst_atom=i % 6, verdict=str(verdict), selected=int(i in chosen), source=f"md 600 K from {i % 3}",
                )  # fmt: skip
            largest = 0.8 if fresh else float(np.nanmax(values))
            context.frame(self._worst(rng, number, place, largest), number)
            self._wait(context, number, f"round {number}, label: {len(chosen)} structures with {level.reference}")
            total += len(chosen)
            for member in range(4):
                rmse = 0.3 * 0.7**number * (1 + 0.1 * member)
                context.row(
                    "members", 4 * number + member, round=number, member=member, force_rmse_eV_A=rmse,
                    energy_rmse_eV_atom=rmse / 20, epochs=100,
                )  # fmt: skip
            self._wait(context, number, f"round {number}, train: member 4 of 4")
            if not fresh:
                self._reliability(context, rng, number)
            cpu += 60.0
            counts = {name: int((verdicts == name).sum()) for name in ("accurate", "candidate", "failed")}
            error = np.nan if fresh else 0.25 * 0.72**number
            context.row(
                "rounds", number, level=place, reference=level.reference, explored=len(values), **counts,
                selected=len(chosen), labelled=len(chosen), label_failures=int(number == 2), labels_total=total,
                lower_eV_A=lower, upper_eV_A=upper, largest_eV_A=largest, force_rmse_eV_A=error,
                energy_rmse_eV_atom=error / 25, ence=np.nan if fresh else 0.5 * 0.8**number, calibration_a=1.3,
                calibration_b=0.8, explore_cpu_s=60.0 + number, label_cpu_s=100.0, train_cpu_s=240.0,
            )  # fmt: skip
            context.checkpoint({}, {"round": number + 1, "total": total, "cpu": cpu})
        context.progress(self.rounds, self.rounds, "done")
        return {"reason": "the last sweep selected nothing.", "rounds": self.rounds, "labels_total": total}

    def _wait(self, context: RunContext, number: int, stage: str) -> None:
        context.progress(number, self.rounds, stage)
        end = time.monotonic() + self.pause_s / 3
        while True:
            context.pause_point()
            context.raise_if_stopped()
            if time.monotonic() >= end:
                return
            time.sleep(0.02)

    @staticmethod
    def _worst(rng: np.random.Generator, number: int, place: int, largest: float) -> Atoms:
        atoms = waters(rng)
        errors = largest * rng.random(len(atoms)) ** 2
        errors[7] = largest
        atoms.arrays["predicted_error"] = errors
        atoms.info.update(round=number, level=place, energy=-5.0 * len(atoms))
        return atoms

    @staticmethod
    def _reliability(context: RunContext, rng: np.random.Generator, number: int) -> None:
        for place in range(8):
            predicted = 0.02 * 1.5**place * 0.8**number
            observed = predicted * float(np.exp(rng.normal(0, 0.8**number / 2)))
            context.row(
                "reliability", 8 * number + place, round=number, bin=place, predicted_eV_A=predicted,
                observed_eV_A=observed, count=60,
            )  # fmt: skip


def waters(rng: np.random.Generator) -> Atoms:
    """Four water molecules that stand apart."""
    cluster = Atoms()
    for number in range(4):
        one = molecule("H2O")
        one.rotate(float(rng.uniform(0, 360)), rng.normal(size=3))
        one.translate([2.9 * (number % 2), 2.9 * (number // 2), 0.4 * number])
        cluster += one
    return cluster


class PretendsToAttack(Task):
    """Moves atoms and a dial: every second structure stops before the wanted error, the others reach it."""

    kind: ClassVar[str] = "Attack"

    structures: list[dict] = Field(default_factory=list)
    n_structures: int = quantity(3, "", "How many structures", ge=1)
    wanted_eV_A: float = quantity(0.3, "eV/Å", "Wanted", gt=0, le=100)
    tolerance: float = quantity(0.05, "", "Reached when within this share", gt=0, lt=1)
    max_steps: int = quantity(40, "", "Steps of a structure", ge=1)
    approach: float = quantity(0.25, "", "Share of the way to the wanted error in a step", gt=0, le=1)
    pause_s: float = quantity(0.0, "s", "Time of a step", ge=0)

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Structure by structure; the error comes nearer with every step."""
        stored = context.load_checkpoint()
        state = stored[1] if stored else {"rows": 0, "ends": []}
        for index in range(len(state["ends"]), self.n_structures):
            rng = np.random.default_rng(index)
            atoms, row, predicted, reason = waters(rng), state["rows"], 0.02, ""
            start = atoms.positions.copy()
            for step in range(self.max_steps + 1):
                context.raise_if_stopped()
                context.pause_point()
                wanted = float(context.controls().get("wanted_eV_A", self.wanted_eV_A))
                travelled = float(np.linalg.norm(atoms.positions - start, axis=1).max())
                context.row(
                    "attack", row, structure=index, attack_step=step, wanted_eV_A=wanted, predicted_eV_A=predicted,
                    worst_atom=4, energy_eV=-20.0 + predicted, max_displacement_A=travelled,
                )  # fmt: skip
                atoms.arrays["predicted_error"] = predicted * np.linspace(0.1, 1, len(atoms)) ** 2
                atoms.info.update(energy=-20.0, structure_index=index, wanted_eV_A=wanted)
                context.frame(atoms, row)
                stage = f"structure {index + 1}, step {step}: {predicted:.3f} of {wanted:.3f} eV/Å"
                context.progress(index, self.n_structures, stage)
                row += 1
                time.sleep(self.pause_s)
                if abs(predicted - wanted) <= self.tolerance * wanted:
                    break
                if index % 2 and step == 8:
                    reason = "atoms 1 (H) and 4 (H) would be 0.31 Å apart, the limit is 0.37 Å"
                    break
                predicted += self.approach * (wanted - predicted)
                atoms.positions += 0.02 * rng.normal(size=atoms.positions.shape)
            reached = abs(predicted - wanted) <= self.tolerance * wanted
            if not reached:
                reason = reason or f"{self.max_steps} steps were not enough; allow more or a longer step"
                context.log(f"structure {index} stopped at {predicted:.3f} eV/Å: {reason}")
            end = {"reached": reached, "predicted_eV_A": predicted, "wanted_eV_A": wanted, "steps": step}
            state = {"rows": row, "ends": [*state["ends"], {**end, "reasons": reason, "structures": to_dict(atoms)}]}
            context.checkpoint({}, state)
        ends = state["ends"]
        return {name: [end[name] for end in ends] for name in ends[0]} | {"n_reached": sum(e["reached"] for e in ends)}
