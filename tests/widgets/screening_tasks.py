"""Campaigns without physics, written by the campaign's own journal: food for the screening table. And stages of a user
that keep a path and a spectrum.
"""

import csv
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk

from labkit.runs import RunContext, Task, quantity
from labkit.screening import Candidate, Outcome, passed
from labkit.screening.counting import StageCount, funnel_lines
from labkit.screening.intake import write_candidates
from labkit.screening.journal import Journal
from labkit.screening.plan import Planned
from labkit.simulators.neb_path import MinimumEnergyPath

METALS = ("Ti", "Fe", "Mn", "Co", "Ni", "V", "Ca", "Mg", "Sc", "Zn")
ANIONS = ("O", "S", "Cl", "F", "C")
LABELS = ("composition", "geometry", "relaxation", "hull")
PLAN = [Planned(one, {"name": one, "parameters": {}}, stage=None, timeout_s=60.0) for one in LABELS]
COST_S = (2e-5, 3e-3, 2.5, 1e-4)


def crystals(count: int) -> Iterator[Atoms]:
    """Small crystals with many formulas; number 3 has a name that is markup."""
    for number in range(count):
        metal, anion = METALS[number % 10], ANIONS[number // 10 % 5]
        atoms = bulk("NaCl", "rocksalt", a=4.4 + number % 7 / 10, cubic=True)
        others = number // 50 % 4
        cations = iter(["Li", *["Mg"] * others, *[metal] * (3 - others)])
        atoms.symbols = [next(cations) if symbol == "Na" else anion for symbol in atoms.symbols]
        atoms.info["name"] = "<img src=x onerror=alert(1)>" if number == 3 else f"crystal {number}"
        yield atoms


class PretendsToScreen(Task):
    """Lets candidates through four stages as if it had judged them; the same ones in each run."""

    kind: ClassVar[str] = "Screening"

    count: int = quantity(60, "", "How many candidates", ge=1)
    pause_s: float = quantity(0.0, "s", "Time between two verdicts", ge=0)

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Candidate by candidate, each as deep as it comes."""
        total = write_candidates(context.folder, crystals(self.count))
        journal = Journal(context.folder, PLAN, total)
        counts = [StageCount() for _ in LABELS]
        rng = np.random.default_rng(0)
        waiting, told = [total, 0, 0, 0], 0.0
        for number, atoms in enumerate(crystals(self.count)):
            for stage, label in enumerate(LABELS):
                context.pause_point()
                context.raise_if_stopped()
                said = self._judge(rng, number, atoms, stage)
                journal.row(said, stage, label)
                counts[stage].add(said["verdict"], said["cpu_s"], said["wall_s"])
                waiting[stage] -= 1
                if said["verdict"] != "passed":
                    break
                if stage + 1 < len(LABELS):
                    waiting[stage + 1] += 1
                time.sleep(self.pause_s)
            if time.monotonic() > told + 0.3 or number + 1 == total:
                told = time.monotonic()
                journal.funnel(funnel_lines(list(LABELS), waiting, [0] * 4, counts))
                context.progress(number + 1, total, "screening")
        journal.close()
        return {"candidates": total, "passed": counts[-1].passed}

    @staticmethod
    def _judge(rng: np.random.Generator, number: int, atoms: Atoms, stage: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        verdict, reason = "passed", ""
        if stage == 0:
            values = {"mass_amu": float(atoms.get_masses().sum()), "charge_balanced": bool(number % 3)}
        elif stage == 1:
            values = {"volume_A3": float(atoms.get_volume()), "density_g_cm3": float(rng.uniform(2, 6))}
            if number % 11 == 5:
                verdict, reason = "failed", "WorkerDied: its process was killed by signal 9 (SIGKILL)."
        elif stage == 2:
            values = {
                "energy_eV_atom": float(rng.normal(-5, 0.5)),
                "max_force_eV_A": 10 ** float(rng.uniform(-3, -1.3)),
            }
            values |= {"relaxation_steps": int(rng.integers(10, 400)), "gap_eV": None if number % 4 else 1.25}
        else:
            values = {"hull_distance_eV_atom": float(rng.exponential(0.1))}
            if values["hull_distance_eV_atom"] > 0.1:
                verdict = "rejected"
                reason = f"{1000 * values['hull_distance_eV_atom']:.0f} meV per atom above the hull; 100 are allowed."
        cost = COST_S[stage]
        said = {"index": number, "name": atoms.info["name"], "formula": atoms.get_chemical_formula("metal")}
        if stage == 2 and number < 20:
            from labkit.runs.extxyz import write_frame

            moved = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell * 1.02, pbc=True)
            said["frame"] = write_frame(moved).decode()
        return {**said, "verdict": verdict, "reason": reason, "values": values, "files": {}, "cpu_s": cost,
                "wall_s": cost, "worker": "pretended:1"}  # fmt: skip


def repeated(source: Path, target: Path, times: int) -> Path:
    """Write a finished campaign `times` times as large into the folder `target`: the same again and again."""
    target.mkdir(parents=True)
    names = ("candidates.csv", "rows.csv")
    tables = {name: list(csv.reader((source / name).read_text().splitlines())) for name in names}
    count = len(tables["candidates.csv"]) - 1
    for name, (head, *lines) in tables.items():
        own = head.index("candidate")
        with (target / name).open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            for turn in range(times):
                for line in lines:
                    writer.writerow([*line[:own], int(line[own]) + turn * count, *line[own + 1 :]])
    (target / "candidates.extxyz").write_bytes((source / "candidates.extxyz").read_bytes() * times)
    for name in ("frames.extxyz", "campaign.json", "provenance.json", "funnel.csv"):
        shutil.copy(source / name, target)
    return target


def path_and_spectrum(candidate: Candidate) -> Outcome:
    """A user's stage: keeps a path between two states and a spectrum; one candidate breaks it."""
    if "Fe" in candidate.atoms.symbols:
        raise ValueError("iron is not understood here")
    height = 0.3 + 0.05 * candidate.index
    s, shape = np.linspace(0, 3, 7), (7, len(candidate.atoms), 3)
    positions, forces = np.zeros(shape) + candidate.atoms.positions, np.zeros(shape)
    positions[:, 0, 0] += s
    forces[:, 0, 0] = -height * np.pi / 3 * np.cos(np.pi * s / 3)
    energies = height * np.sin(np.pi * s / 3) - 4
    said = {"state": "converged", "reason": "", "steps": 9, "max_force_eV_A": 0.04, "name": "hop 0"}
    path = MinimumEnergyPath.of(candidate.atoms, positions, energies, forces, **said)
    grid = np.linspace(0, 20, 80)
    lines = "".join(f"{x:.4f},{np.exp(-((x - 8) ** 2) / 4):.5f}\n" for x in grid)
    files = {
        "barriers.json": json.dumps({"paths": {"0": path.to_dict()}}),
        "spectrum.csv": "frequency_THz,density_of_states\n" + lines,
    }
    return passed(files=files, barrier_eV=height, D_cm2_s=10.0 ** -(4 + candidate.index))
