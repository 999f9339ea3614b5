"""What the tests of the dual NEB need: a student of another aluminium, a teacher that counts, runs killed on order."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from ase.build import bulk

from labkit import potentials, references
from labkit.active_learning.dual_neb import DualNEB
from labkit.active_learning.levels import rattled
from labkit.datasets import Dataset, Record
from labkit.potentials.camp.settings import CAMPSettings
from labkit.potentials.corrected import CorrectedPotential
from labkit.references import Reference
from labkit.runs.worker import work
from labkit.simulators.neb import Band
from labkit.training import fit
from tests.active_learning.loop_reference import fingerprint
from tests.active_learning.loop_tools import Interfering

HERE = "tests.active_learning.dual_tools"
#: What the student was taught: effective medium theory at so many times its strength, energies shifted.
SOFTNESS, SHIFTS = 0.7, {"Al": 1.0, "Cu": -2.0}
SMALL = CAMPSettings(
    cutoff_A=4.5, channels=8, max_v=1, n_layers=1, radial_degree=6, message_channels=4, readout_hidden=8
)


def band(name="vacancy"):
    """A vacancy in eight sites of aluminium, and the neighbour that moves into it."""
    crystal = bulk("Al").repeat((2, 2, 2))
    initial = crystal[1:]
    final = initial.copy()
    final.positions[0] = crystal.positions[0]
    return Band(initial=initial, final=final, name=name)


def neighbours():
    """Aluminium with a vacancy, the way across it, copper, and one ordered alloy; rattled."""
    hop = band()
    way = []
    for share in (0.0, 0.25, 0.5):
        atoms = hop.initial.copy()
        atoms.positions += share * (hop.final.positions - hop.initial.positions)
        way.append(atoms)
    alloy = bulk("Cu", cubic=True)
    alloy.numbers[0] = 13
    return rattled([*way, bulk("Cu", cubic=True), alloy], 30, 0.08, 0.02, [1])


def soft_student(folder: Path) -> Path:
    """Train a small network on the softer surface and save it."""
    from labkit.potentials.camp import CAMP

    frames = neighbours()
    truth = CorrectedPotential(potentials.load("emt"), SOFTNESS, SHIFTS)
    said = truth.predict(frames)
    records = [
        Record(atoms, energy=said.energies[i], forces=said.forces[i], level_of_theory="soft EMT")
        for i, atoms in enumerate(frames)
    ]
    data = Dataset(records)
    student = CAMP.untrained(SMALL, ["Al", "Cu"], seed=0, device="cpu", level_of_theory="soft EMT")
    student.fit_scale_and_shift(frames, said.energies, said.forces)
    fit(student, data, None, epochs=40, batch_size=8, learning_rate=0.01, forces_weight=1.0, energy_weight=10.0)
    student.name = "soft"
    return student.save(folder)


class Counting(Reference):
    """Effective medium theory that writes every call into `log`."""

    name, level_of_theory = "counting", "EMT"

    def __init__(self, log=""):
        self.log, self.potential_of = log, potentials.load("emt")

    def cost_s(self, atoms):
        """See `Reference.cost_s`."""
        return 0.001

    def label(self, atoms, *, forces=True):
        """See `Reference.label`."""
        self.check(atoms)
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{fingerprint(atoms)}\n")
        said = self.potential_of.predict([atoms])
        return self.record(atoms, float(said.energies[0]), said.forces[0], provenance="a test")


class WatchedDual(DualNEB):
    """A dual NEB in which something happens when a stage sentence matches the next of the patterns in `events`."""

    events: list[str] = []  # noqa: RUF012 - pydantic copies it

    def execute(self, context):
        """See `DualNEB.execute`."""
        return super().execute(Interfering(context, self.events))


def label_here():
    """From now on labels are computed in a thread of this process, which spares the start of a worker."""
    references.label_all = partial(references.labelling.label_all, executor=ThreadPoolExecutor(1))


def attempt(folder, search_path):
    """Work on a run in a process of its own."""
    sys.path[:] = search_path
    os.environ["OMP_NUM_THREADS"] = "1"
    label_here()
    work(Path(folder), own_process=False)


def energies_of(labels, potential):
    """Predicted minus labelled energies (eV)."""
    return potential.predict(labels.structures(), ("energy",)).energies - np.array([one.energy for one in labels])
