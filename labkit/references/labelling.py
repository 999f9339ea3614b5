"""Labelling as a run: many structures, several at once, each label on the disk the moment it is known.

A structure that the reference refuses, that does not converge or that kills its process is kept with its reason, and
the others go on; a resumed run computes no label twice.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from pydantic import Field, JsonValue, model_validator

from labkit.errors import InvalidTask, RunFailed
from labkit.runs import Run, RunContext, Task, quantity
from labkit.runs.progress import clock
from labkit.structures import StructureField

if TYPE_CHECKING:
    from labkit.datasets import Dataset
    from labkit.references.interface import Reference
    from labkit.references.label_store import Failure, Labelled

POLL_S = 0.1
STRUCTURES = "structures.extxyz"


class Labelling(Task):
    """Compute energies, forces and stresses of many structures with a reference method, several at once."""

    kind = "Labelling"

    structures: list[StructureField] = Field([], description="What to label; or name a file in frames")
    frames: str = Field("", description="A file of structures (extxyz, traj, ASE db), or the name of a shipped set")
    reference: str = Field(
        "gfn2-xtb",
        description="The reference method, by name",
        json_schema_extra={"suggestions": ("gfn1-xtb", "gfn2-xtb", "ccsd(t)/cc-pvdz", "gpaw-pbe", "chgnet")},
    )
    options: dict[str, JsonValue] = Field({}, description='Options of the method, {"charge": 1} say')
    processes: int = quantity(1, "processes", "Structures computed at once, one thread each", ge=1, le=256)
    timeout_s: float = quantity(
        3600.0, "s", "A label that takes longer is given up (wall time)", gt=0, label="Longest label"
    )
    scheduler: str = Field("", description="Address of a Dask scheduler (tcp://...); empty: processes of this machine")

    @model_validator(mode="after")
    def _fits_together(self) -> Labelling:
        if bool(self.structures) == bool(self.frames.strip()):
            raise InvalidTask("give the structures themselves, or the file that holds them in frames: one of the two.")
        return self

    def label(self) -> str:
        """How many structures, or which file, with which method."""
        what = f"{len(self.structures)} structures" if self.structures else Path(self.frames).name
        return f"Label {what} with {self.reference}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Label; tables: labels and failures; labelled.extxyz, and failed/ with reasons.

        Raises RunFailed when there is not a single label, ModuleNotFoundError for a reference that is not installed.
        """
        from labkit.references.registry import load

        context.progress(0, 1, f"opening {self.reference}")
        reference = load(self.reference, **self.options)
        structures = self._kept(context.folder)
        reported = [0, 0]

        def report(now: Progress) -> None:
            for step in range(reported[0], len(now.labels)):
                context.row("labels", step, **vars(now.labels[step]))
            for step in range(reported[1], len(now.failures)):
                one = now.failures[step]
                context.row("failures", step, structure=one.structure, kind=one.kind, reason=one.reason)
                if step >= now.failures_before:
                    context.log(f"structure {one.structure} has no label: {one.kind}: {one.reason}")
            reported[:] = len(now.labels), len(now.failures)
            context.progress(now.done, now.total, now.sentence)

        with ExitStack() as stack:
            done = label_all(
                structures,
                reference,
                context.folder,
                name=self.reference,
                options=self.options,
                processes=self.processes,
                timeout_s=self.timeout_s,
                executor=self._executor(stack),
                report=report,
                stopped=lambda: stopped_or_paused(context),
            )
        if not done.labels:
            raise RunFailed(
                f"none of {done.total} structures could be labelled with {self.reference}; the first: "
                f"{done.failures[0].kind}: {done.failures[0].reason}"
            )
        return {
            "labelled": len(done.labels),
            "failed": len(done.failures),
            "kinds": dict(Counter(one.kind for one in done.failures)),
            "cpu_s": sum(one.cpu_s for one in done.labels),
            "level_of_theory": reference.level_of_theory,
            "dataset": str(context.folder / "labelled.extxyz"),
        }

    def _kept(self, folder: Path) -> list[Atoms]:
        """The structures; those of a file as they were when the run began, since the file may have changed."""
        if self.structures:
            return list(self.structures)
        from labkit import datasets
        from labkit.datasets.write import write

        path = folder / STRUCTURES
        if not path.exists():
            records = [datasets.Record(atoms) for atoms in _read(self.frames)]
            write(datasets.Dataset(records), path)
        return _read(str(path))

    def _executor(self, stack: ExitStack) -> Executor | None:
        if not self.scheduler:
            return None
        try:
            from distributed import Client
        except ImportError as error:
            raise ModuleNotFoundError(
                'a Dask scheduler needs the package distributed: pip install "labkit-mlip[dask]"'
            ) from error
        return stack.enter_context(Client(self.scheduler)).get_executor()


@dataclass(frozen=True)
class Progress:
    """How far `label_all` is: labels and failures in the order in which they were found, those of earlier attempts
    first; remaining_s: wall time, from the method's cost estimate scaled by what the labels so far took.
    """

    labels: list[Labelled]
    failures: list[Failure]
    total: int
    remaining_s: float
    failures_before: int = 0

    @property
    def done(self) -> int:
        """Structures that need no further work."""
        return len(self.labels) + len(self.failures)

    @property
    def sentence(self) -> str:
        """What a progress bar says."""
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"{len(self.labels)} labelled{failed}, about {clock(self.remaining_s)} left"


def label_all(
    structures: Sequence[Atoms],
    reference: Reference,
    folder: Path,
    *,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    processes: int = 1,
    timeout_s: float = 3600.0,
    executor: Executor | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Progress:
    """Label what `folder` does not hold yet, and return everything that is known then.

    reference: an opened one, for its cost estimate; the workers open `name` (if not its own) with `options`, which
    JSON must hold, themselves. executor: where the labels are computed instead of in processes of this machine, at most
    `processes` at once. report hears of every label after it is on the disk; stopped is asked ten times a second, and
    while it is true nothing new is begun (it raises to end the work). Raises RunFailed when no worker can open the
    reference.
    """
    from labkit.datasets import InvalidDataset
    from labkit.references.label_pool import ExecutorPool, LocalPool
    from labkit.references.label_store import LabelStore
    from labkit.references.label_worker import question

    name, options = name or reference.name, dict(options or {})
    folder.mkdir(parents=True, exist_ok=True)
    store = LabelStore(folder)
    costs, before = _costs(reference, structures), len(store.failures)
    known = store.known
    waiting = [index for index in range(len(structures)) if index not in known][::-1]
    ahead = sum(costs[index] for index in waiting)
    spent, guessed = sum(one.cpu_s for one in store.labels), sum(costs[one.structure] for one in store.labels)

    def progress() -> Progress:
        scale = spent / guessed if guessed > 0 and spent > 0 else 1.0
        return Progress(store.labels, store.failures, len(structures), max(0.0, ahead) * scale / processes, before)

    def keep(index: int, said: Mapping[str, Any]) -> None:
        nonlocal ahead, spent, guessed
        ahead -= costs[index]
        if "frame" in said:
            spent, guessed = spent + store.add(said["frame"]).cpu_s, guessed + costs[index]
        else:
            store.fail(index, structures[index], said["kind"], said["reason"])
        report(progress())

    pool = (
        ExecutorPool(executor, name, options, processes, timeout_s)
        if executor
        else LocalPool(name, options, processes, timeout_s)
    )
    try:
        report(progress())
        while waiting or pool.busy:
            holding = stopped()
            while waiting and not holding and pool.room():
                index = waiting.pop()
                try:
                    pool.submit(index, question(index, structures[index]))
                except InvalidDataset as error:  # no atoms
                    keep(index, {"kind": type(error).__name__, "reason": str(error)})
            for index, said in pool.collect(POLL_S):
                if said.get("kind") == "WorkerDied":
                    stopped()  # whoever ended this run may have ended its workers too: no fault of the structure
                keep(index, said)
        return progress()
    finally:
        pool.close()
        store.close()


def labelled(run: Run | Path | str) -> Dataset:
    """The labels of a `Labelling` run so far, in the order of its structures; raises RunFailed before the first one."""
    from labkit.references.label_store import read_labelled

    folder = run.folder if isinstance(run, Run) else Path(run)
    found = read_labelled(folder, name=folder.name)
    if not len(found):
        raise RunFailed(f"{folder.name} holds no label so far; run.wait() waits for it, and its log says what failed.")
    return found


def stopped_or_paused(context: RunContext) -> bool:
    """Whether the run is to wait, which its status says; raises RunCancelled when it is to stop."""
    context.raise_if_stopped()
    paused = bool(context.controls().get("paused"))
    context.status.set_state("paused" if paused else "running")
    return paused


def _costs(reference: Reference, structures: Sequence[Atoms]) -> list[float]:
    """Estimated CPU seconds of each; a structure that has no estimate takes the mean of the others."""
    found = []
    for atoms in structures:
        try:
            found.append(float(reference.cost_s(atoms)))
        except Exception:  # an estimate is no reason to stop; the label itself will say what is wrong
            found.append(float("nan"))
    mean = float(np.nanmean(found)) if np.isfinite(found).any() else 1.0
    return [cost if np.isfinite(cost) else mean for cost in found]


def _read(frames: str) -> list[Atoms]:
    """The structures of a file or a shipped set; unlike a training set they need no labels, and may be bad."""
    from labkit import datasets, structures

    path = Path(frames)
    if path.is_file() and path.suffix in (".traj", ".cif", ".vasp", ".poscar"):
        return structures.read_frames(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", datasets.FaultyRecords)
        return datasets.load(frames, require=(), mix_levels=True).structures()
