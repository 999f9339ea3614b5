"""What the tests of the loop need: explorers, a loop of a second or two, and contexts that interfere on order."""

import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ase import Atoms

from labkit.active_learning import rounds
from labkit.active_learning.jobs import Crew
from labkit.active_learning.loop import ActiveLearning, QualityLevel
from labkit.potentials.camp.settings import CAMPSettings
from labkit.runs.controls import write_controls
from labkit.runs.worker import work
from tests.active_learning.loop_reference import REST_A

#: Processor time (s) at which a loop was told to stop.
STOPPED: list[float] = []
HERE = "tests.active_learning.loop_tools"
MARK = "LABKIT_TEST_MARK"
MORSE = "tests.active_learning.loop_reference:Morse"
SMALL = CAMPSettings(
    cutoff_A=5.0, channels=8, max_v=1, n_layers=1, radial_degree=6, message_channels=4, readout_hidden=8
)


def trimer(side=REST_A):
    """An equilateral triangle of argon."""
    return Atoms("Ar3", positions=side * np.array([[0, 0, 0], [1, 0, 0], [0.5, 0.75**0.5, 0]]))


def stretched(committee, pool, rng, level):
    """Explores without dynamics: rattled and scaled copies of the pool, wilder with the temperature."""
    made = []
    for number in range(12):
        atoms = pool[number % len(pool)].copy()
        atoms.positions *= 1 + rng.uniform(-0.05, 0.15)
        atoms.positions += rng.normal(scale=0.1 * max(level.temperatures_K) / 300, size=atoms.positions.shape)
        atoms.info["source"] = f"stretched {number}"
        made.append(atoms)
    return made


def hiding(committee, pool, rng, level):
    """Fifty structures: 48 near the pool, two where an atom has moved into the second well."""
    made = []
    for number in range(50):
        atoms = pool[0].copy()
        if number in (17, 38):
            out = atoms.positions[2] - atoms.positions[:2].mean(axis=0)
            atoms.positions[2] += out / np.linalg.norm(out) * rng.uniform(1.3, 2.2)
        atoms.positions += rng.normal(scale=0.04, size=atoms.positions.shape)
        atoms.info["source"] = "hidden" if number in (17, 38) else "near"
        made.append(atoms)
    return made


def nonsense(committee, pool, rng, level):
    """Not a list of structures."""
    return {"atoms": pool}


def task(kind=ActiveLearning, **changes):
    """A loop of a second or two."""
    level = {"reference": MORSE, "model": SMALL, "select_eV_A": 0.05, "break_eV_A": 5.0, "max_rounds": 2}
    options = {
        "structures": [trimer()],
        "levels": [QualityLevel(**level | changes.pop("level", {}))],
        "initial_labels": 12,
        "explore": f"{HERE}:stretched",
        "labels_per_round": 4,
        "members": 2,
        "epochs": 5,
        "warmup_steps": 5,
        "learning_rate": 0.02,
        "batch_size": 6,
        "selection": "threshold",
        "device": "cpu",
    }
    return kind(**{**options, **changes})


class InThreads(Crew):
    """Labels in this process, which spares a test the start of a worker."""

    def __init__(self, task, stack):
        super().__init__(task, stack)
        self.executor = stack.enter_context(ThreadPoolExecutor(1))

    def explorers(self):
        """Here."""
        return


class Watched(ActiveLearning):
    """A loop in which something happens when a stage sentence matches the next of the patterns in `events`.

    An event is "pattern -> kill" (-9), "pattern -> stop", or "pattern -> name=number", which sets a control; those that
    happened are in events.txt.
    """

    events: list[str] = []  # noqa: RUF012 - pydantic copies it

    def execute(self, context):
        """See `ActiveLearning.execute`."""
        return super().execute(Interfering(context, self.events))


class Interfering:
    """A run's context in which events happen."""

    def __init__(self, context, events):
        self._context, self._events, self._file = context, events, context.folder / "events.txt"

    def __getattr__(self, name):
        return getattr(self._context, name)

    def _stop(self):
        STOPPED.append(time.process_time())
        self._context.stop.set()

    def progress(self, done, total, stage=""):
        """Report, and let happen what is due."""
        self._context.progress(done, total, stage)
        happened = len(self._file.read_text().splitlines()) if self._file.exists() else 0
        if happened == len(self._events):
            return
        pattern, _, action = self._events[happened].partition(" -> ")
        if not re.search(pattern, stage):
            return
        with self._file.open("a") as file:
            file.write(f"{stage}\n")
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "stop":
            threading.Timer(0.01, self._stop).start()
        else:
            name, _, value = action.partition("=")
            write_controls(self._context.folder, {name: float(value)})


def attempt(folder, search_path, mark=""):
    """Work on a run in a process of its own; without a mark it labels and explores in that process itself.

    mark: workers are allowed, and have it in their environment.
    """
    sys.path[:] = search_path
    rounds.Crew = Crew if mark else InThreads
    os.environ[MARK] = mark
    work(Path(folder), own_process=False)
