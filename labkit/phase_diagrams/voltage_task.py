"""A voltage curve from a crystal: take ions out in every distinct way, relax all of it in one batch, draw the hull.

The relaxation is the engine of labkit.simulators with its own checkpoints, in the folder of this run; the orders are
found anew after a kill, which takes seconds and gives the same ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from labkit.errors import InvalidTask, LabkitError, NotConverged
from labkit.phase_diagrams.hull_entry import HullEntry
from labkit.phase_diagrams.vacancy_orderings import ends, vacancy_orderings
from labkit.phase_diagrams.voltage import Voltages, voltage_curve
from labkit.runs import Run, RunContext, Task, quantity
from labkit.structures import StructureField, from_dict, named, names
from labkit.structures.field import to_dict

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential


class VoltageCurve(Task):
    """Empty an electrode of its ions, relax every order of ions and vacancies, and read off the voltage."""

    structure: StructureField = Field("LiCoO2", description="The electrode with all of its ions", validate_default=True)
    ion: str = Field("Li", description="The ion that leaves", pattern="^[A-Z][a-z]?$")
    valence: int = quantity(1, "e", "Charge of the ion", ge=1, le=4)
    metal: StructureField | None = Field(None, description="Crystal of the ion's metal; empty: the library's")
    potential: str = Field("chgnet", description="Name or path of the potential")
    between: bool = Field(True, description="Contents between empty and full too, for the steps of the voltage")
    cells: int = quantity(2, "", "Orders in supercells of up to so many primitive cells", ge=1, le=8)
    orders: int = quantity(5, "", "Orders kept of each content, lowest electrostatic energy first", ge=1, le=10_000)
    relax_cell: bool = Field(True, description="Relax the cell too")
    fmax_eV_A: float = quantity(0.03, "eV/Å", "Converged when no generalised force is larger", gt=0, le=1)
    max_steps: int = quantity(500, "steps", "Give an order up after so many steps", ge=1, le=1_000_000)
    rattle_A: float = quantity(0.0, "Å", "Move the atoms at random first, off symmetric saddles", ge=0, le=0.5)
    seed: int = quantity(0, "", "Seed of the random moves", ge=0, le=2**32 - 1)
    checkpoint_interval: int = quantity(20, "steps", "State for a resume is stored every so many steps", ge=1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        name = self.structure.info.get("name") or self.structure.get_chemical_formula("metal")
        symbols = set(self.structure.get_chemical_symbols())
        if not self.structure.pbc.all() or self.ion not in symbols or symbols == {self.ion}:
            raise InvalidTask(
                f"{name} is no crystal of {self.ion} in a host; choose an electrode with all of its ions in, or "
                "another ion."
            )
        if self.metal is None and self.ion not in names():
            raise InvalidTask(f"the library has no crystal of {self.ion}: give its metal as well.")
        if self.metal is not None and set(self.metal.get_chemical_symbols()) != {self.ion}:
            raise InvalidTask(
                f"the metal holds {self.metal.get_chemical_formula()}; voltages of {self.ion} are measured against the "
                f"crystal of {self.ion} alone."
            )
        if self.metal is not None and not self.metal.pbc.all():
            raise InvalidTask(
                f"the metal, {self.metal.get_chemical_formula()}, is a molecule; voltages of {self.ion} are measured "
                "against its crystal, which is periodic in all directions."
            )
        return self

    def label(self) -> str:
        """The electrode and the potential."""
        name = self.structure.info.get("name") or self.structure.get_chemical_formula("metal")
        return f"Voltage of {name} ({self.potential})"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Relax and judge; tables: relaxation, structures (as they converge), states and steps (at the end).

        Orders that do not converge are left out, and said to be; raises NotConverged when the empty or the full host,
        or the metal, is among them.
        """
        from labkit.potentials import load
        from labkit.simulators.relaxation import Relaxation

        context.progress(0, 1, f"looking for orders of {self.ion} and vacancies")
        starts = self.starts()
        engine = Relaxation(
            structures=starts,
            potential=self.potential,
            relax_cell=self.relax_cell,
            fmax_eV_A=self.fmax_eV_A,
            max_steps=self.max_steps,
            checkpoint_interval=self.checkpoint_interval,
            device=self.device,
        )
        relaxed = engine.execute(context)
        level = said_by(load(self.potential, self.device))
        failed = {int(index): reason for index, reason in relaxed["not_converged"].items()}
        needed = {0: "the metal", 1: "the empty host", len(starts) - 1: "the full host"}
        if lost := [f"{what} ({failed[index]})" for index, what in needed.items() if index in failed]:
            raise NotConverged(f"no voltage without {', '.join(lost)}. Raise max_steps or fmax_eV_A.")
        names_of = [str(start.info["name"]) for start in starts]
        found = zip(relaxed["structures"], relaxed["energies_eV"], names_of, strict=True)
        entries = [
            HullEntry(from_dict(structure), float(energy), level, name)
            for index, (structure, energy, name) in enumerate(found)
            if index not in failed
        ]
        left_out = {names_of[index]: reason for index, reason in failed.items()}
        curve = voltage_curve(entries[1:], entries[0], valence=self.valence)
        return self._write(context, curve, entries, left_out)

    def starts(self) -> list[Atoms]:
        """What is relaxed: the metal, then the host from empty to full."""
        metal = named(self.ion) if self.metal is None else self.metal.copy()
        metal.info.setdefault("name", self.ion)
        if self.between:
            orders = vacancy_orderings(self.structure, self.ion, cells=self.cells, most=self.orders)
            states = [one.atoms for one in orders]
        else:
            states = ends(self.structure, self.ion)
        for index, atoms in enumerate(states):
            if self.rattle_A:
                atoms.rattle(self.rattle_A, rng=np.random.default_rng([self.seed, index]))
        return [metal, *states]

    def _write(
        self, context: RunContext, curve: Voltages, entries: list[HullEntry], left_out: dict[str, str]
    ) -> dict[str, Any]:
        for table, frame in (("states", curve.table()), ("steps", curve.steps_table())):
            for step, row in enumerate(frame.to_dict("records")):
                context.row(table, step, **row)
        for name, reason in left_out.items():
            context.log(f"{name} was left out: {reason}")
        return {
            "average_V": curve.average_V,
            "capacity_mAh_g": curve.capacity_mAh_g,
            "energy_density_Wh_kg": curve.energy_density_Wh_kg,
            "volume_change": curve.volume_change,
            "steps": curve.steps_table().to_dict("records"),
            "left_out": left_out,
            "valence": curve.valence,
            "level_of_theory": curve.level_of_theory,
            "metal": _plain(entries[0]),
            "states": [_plain(one) for one in entries[1:]],
        }


def voltages(run: Run | Path | str) -> Voltages:
    """The voltage curve of a finished `VoltageCurve` run, or of its folder.

    Raises RunFailed when it has no result, LabkitError when it is a run of another kind.
    """
    run = run if isinstance(run, Run) else Run(run)
    if run.kind != VoltageCurve.kind:
        raise LabkitError(f"run {run.id} is a {run.kind}; only a {VoltageCurve.kind} has a voltage curve.")
    return from_result(run.result(), valence=int(run.task_dict["parameters"]["valence"]))


def said_by(potential: Potential) -> str:
    """The level of theory of energies by `potential`: who said it, and what it approximates.

    Two potentials trained on one theory differ by more than their crystals do, so they are never compared either.
    """
    known = potential.level_of_theory not in ("", potential.name)
    return f"{potential.name} for {potential.level_of_theory}" if known else potential.name


def from_result(result: dict[str, Any], *, valence: int | None = None) -> Voltages:
    """The voltage curve in a result of `VoltageCurve`, also one that was kept as a JSON file.

    valence: charge of the ion (e), by itself the one in the result. Raises LabkitError for what is no such result.
    """
    if missing := [key for key in ("level_of_theory", "metal", "states") if key not in result]:
        raise LabkitError(
            f"this is no result of a VoltageCurve: it lacks {', '.join(missing)}. If the run's folder was damaged, run "
            "the task again."
        )
    if valence is None:
        valence = int(result.get("valence", 1))
    level = str(result["level_of_theory"])
    metal, *states = (
        HullEntry(from_dict(one["structure"]), float(one["energy_eV"]), level, str(one["name"]))
        for one in (result["metal"], *result["states"])
    )
    return voltage_curve(states, metal, valence=valence)


def _plain(entry: HullEntry) -> dict[str, Any]:
    return {"name": entry.name, "energy_eV": entry.energy_eV, "structure": to_dict(entry.atoms)}
