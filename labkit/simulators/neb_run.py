"""A campaign of bands in a run folder: tables and frames while it works, and a checkpoint that survives kill -9.

A band that is over is written to a file of its own first, then the checkpoint says so, then the tables: a resumed run
repeats what may be missing, and rows that are there already are skipped.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from labkit.runs import RunContext
from labkit.runs.tables import read_table
from labkit.simulators.neb_band import largest
from labkit.simulators.neb_batch import Batch
from labkit.simulators.neb_engine import Engine
from labkit.simulators.neb_member import BandMember
from labkit.simulators.neb_path import MinimumEnergyPath, slopes
from labkit.simulators.neb_state import restore, store

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential
    from labkit.simulators.neb import NudgedElasticBand

PATH_FILE = "path_{}"
#: At most so much work (s) is done twice after a kill; writing a checkpoint takes milliseconds.
CHECKPOINT_S = 5.0
#: Resolution of the progress of one band.
HUNDRED = 100


class Recorder:
    """Runs the bands of a task and writes down what becomes of them."""

    def __init__(self, task: NudgedElasticBand, context: RunContext, potential: Potential) -> None:
        from labkit.simulators.neb import settings_of

        self.task, self.context = task, context
        self.pool = None
        if task.processes > 1:
            from labkit.simulators.neb_pool import Pool

            self.pool = Pool(task.potential, task.processes, task.device, context.log)
        self.batch = Batch(
            potential, fixed=task.batch_atoms, log=context.log, check=context.raise_if_stopped, pool=self.pool
        )
        self.engine = Engine(
            task.bands, self.batch, settings_of(task), log=context.log, watch=self._watch, finished=self._finished
        )
        self.order: list[int] = []  # bands in the order in which they finished
        self._done, self._saved = 0, time.monotonic()
        self._profiled: set[tuple[int, int, int]] = set()
        self._profile_row = 0
        self._resume()

    def run(self) -> list[MinimumEnergyPath]:
        """Run to the end; see `Engine.run`."""
        try:
            return self.engine.run()
        finally:
            if self.pool is not None:
                self.pool.close()

    def _watch(self, bands: list[BandMember]) -> None:
        engine, context = self.engine, self.context
        forces = [member.max_force for member in bands if np.isfinite(member.max_force)]
        relaxing = [largest(end.forces) for end in engine.ends.all if end.state == "active"]
        context.row(
            "neb",
            engine.steps,
            active=len(bands),
            end_states=len(relaxing),
            max_force_eV_A=max(forces or relaxing or [float("nan")]),
            batch_atoms=self.batch.limit,
        )
        for member in bands:
            if member.stage == "band" and (member.steps - 1) % self.task.profile_interval == 0:
                self._profile(member, member.steps - 1, before=True)
        # An estimate never runs backwards; a force that grows again only makes it wait.
        self._done = max(self._done, int(HUNDRED * len(engine.members) * engine.progress()))
        context.progress(self._done, HUNDRED * len(engine.members), engine.describe())
        if time.monotonic() - self._saved > CHECKPOINT_S or context.stop_requested():
            self._checkpoint()
        context.pause_point()
        context.raise_if_stopped()

    def _finished(self, member: BandMember, path: MinimumEnergyPath) -> None:
        if member.index in self.order:
            return
        self._profile(member, path.steps)
        self.context.save_json(PATH_FILE.format(f"{member.index:06d}"), path.to_dict())
        self.order.append(member.index)
        self._checkpoint()
        self._write(len(self.order) - 1, path)

    def _write(self, place: int, path: MinimumEnergyPath) -> None:
        """The row and the frames of the band that finished as number `place`."""
        index = self.order[place]
        self.context.row(
            "bands",
            place,
            index=index,
            name=path.name,
            state=path.state,
            steps=path.steps,
            forward_eV=path.forward_eV,
            backward_eV=path.backward_eV,
            reaction_eV=path.reaction_eV,
            max_force_eV_A=path.max_force_eV_A,
            hop_A=path.hop_A,
            imaginary_THz=float("nan") if path.imaginary_THz is None else path.imaginary_THz,
            mirrored=path.mirrored,
            reason=path.reason,
        )
        for number, image in enumerate(path.images):
            frame = image.copy()
            frame.info = {"band": index, "image": number, "name": path.name}
            if np.isfinite(image.calc.results["energy"]):
                frame.info["energy"] = image.calc.results["energy"]
                frame.arrays["forces"] = image.calc.results["forces"]
            self.context.frame(frame, place * (self.task.images + 2) + number)

    def _profile(self, member: BandMember, step: int, *, before: bool = False) -> None:
        """One row for each image of a band after `step` steps (`before`: of the positions before its last move)."""
        positions = member.evaluated if before else member.positions
        if len(positions) < 2 or not (np.isfinite(member.energies).all() and np.isfinite(member.forces).all()):
            return
        lengths = np.sqrt((np.diff(positions, axis=0) ** 2).sum(axis=(1, 2)))
        distances = np.concatenate([[0.0], np.cumsum(lengths)])
        along = slopes(positions, member.energies, member.forces)
        # A band that exploded was never judged; one from a checkpoint has not been judged since.
        inner = member.last_inner if before else member.inner_forces()
        for image, distance in enumerate(distances):
            if (member.index, step, image) in self._profiled:
                continue
            end = image in (0, len(distances) - 1)
            self._profiled.add((member.index, step, image))
            self.context.row(
                "profiles",
                self._profile_row,
                step_of_band=step,
                band=member.index,
                image=image,
                distance_A=distance,
                energy_eV=member.energies[image] - member.energies[0],
                force_eV_A=largest(member.forces[image]) if end else largest(inner[image - 1]),
                slope_eV_A=along[image],
            )
            self._profile_row += 1

    def _checkpoint(self) -> None:
        arrays, state = store(self.engine)
        self.context.checkpoint(arrays, {**state, "order": self.order, "done": self._done})
        self._saved = time.monotonic()

    def _resume(self) -> None:
        rows = read_table(self.context.folder / "profiles.csv")
        if len(rows):
            self._profile_row = int(rows["step"].iloc[-1]) + 1
            self._profiled = set(zip(rows["band"], rows["step_of_band"], rows["image"], strict=True))
        stored = self.context.load_checkpoint()
        if stored is None:
            return
        arrays, state = stored
        self.order, self._done = [int(index) for index in state["order"]], int(state["done"])
        for index in self.order:
            self.engine.paths[index] = MinimumEnergyPath.read(
                self.context.folder / f"{PATH_FILE.format(f'{index:06d}')}.json"
            )
        restore(self.engine, arrays, state)
        for place, index in enumerate(self.order):
            self._write(place, self.engine.paths[index])
        self.context.log(f"continuing after step {self.engine.steps}, {len(self.order)} bands done")
