"""Small tasks with which the tests exercise runs; a module of their own, so that worker processes can import them."""

import os
import signal
import time

import numpy as np

from labkit.runs import RunContext, Task, quantity


class Walk(Task):
    """A random walk in one dimension, with rows, frames and checkpoints."""

    steps: int = quantity(100, "1", "number of steps", ge=1, le=10_000_000)
    nap_s: float = quantity(0.0, "s", "rest after each step", ge=0)
    checkpoint_every: int = quantity(10, "1", "steps between checkpoints", ge=1)
    seed: int = quantity(0, "1", "seed of the walk", ge=0)
    frames: bool = False
    kill_at: int = quantity(-1, "1", "the first attempt kills itself after this step")
    kill_during_checkpoint: bool = False

    def execute(self, context: RunContext) -> dict:
        rng, step, position = np.random.default_rng(self.seed), 0, np.zeros(3)
        loaded = context.load_checkpoint()
        if loaded:
            arrays, state = loaded
            step, position = state["step"], arrays["position"]
            rng.bit_generator.state = state["rng"]
        while step < self.steps:
            context.pause_point()
            context.raise_if_stopped()
            step += 1
            position = position + rng.normal(size=3) * float(context.controls().get("scale", 1.0))
            context.row("walk", step, x=position[0], y=float(position[1]), z=position[2])
            if self.frames:
                context.frame(_atoms(position), step)
            if step % self.checkpoint_every == 0:
                if self.kill_during_checkpoint and step >= self.kill_at and context.attempt == 1:
                    _die_between_write_and_rename()
                context.checkpoint({"position": position}, {"step": step, "rng": rng.bit_generator.state})
            context.progress(step, self.steps, "walking")
            if step == self.kill_at and context.attempt == 1 and not self.kill_during_checkpoint:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.nap_s:
                time.sleep(self.nap_s)
        return {"position": position, "steps": np.int64(step), "attempt": context.attempt}


class Add(Task):
    """The shortest task there is."""

    a: int = 1
    b: int = 2

    def execute(self, context: RunContext) -> dict:
        context.progress(1, 1, "adding")
        return {"sum": self.a + self.b, "pid": os.getpid()}

    def label(self) -> str:
        return f"{self.a} + {self.b}"


class Sleepy(Task):
    """Sits in one long call and never looks up; with `deaf` it also holds the interpreter, as a bad C library does."""

    seconds: float = 60.0
    deaf: bool = False

    def execute(self, context: RunContext) -> dict:
        context.row("thermo", 0, value=1.0)
        context.progress(1, 10, "sleeping")
        time.sleep(0.3)  # lets the watcher write the progress down
        context.save_text("asleep.txt", "now")
        if self.deaf:
            import ctypes

            libc = ctypes.PyDLL(None)  # unlike CDLL, PyDLL keeps the interpreter locked during the call
            libc.usleep.argtypes = [ctypes.c_uint]
            for _ in range(int(self.seconds)):
                libc.usleep(1_000_000)
                libc.usleep(1_000_000)
        time.sleep(self.seconds)
        return {}


class Fails(Task):
    """Raises what a user's mistake raises."""

    def execute(self, context: RunContext) -> dict:
        context.row("thermo", 1, value=1.0)
        message = "the cell of atom 3 exploded"
        raise ArithmeticError(message)


class FillsDisk(Task):
    """Writes rows, frames, text or a checkpoint."""

    what: str = "row"

    def execute(self, context: RunContext) -> dict:
        if self.what == "row":
            context.row("thermo", 1, value=1.0)
        elif self.what == "frame":
            context.frame(_atoms(np.zeros(3)), 1)
        elif self.what == "status":
            for step in range(200):
                context.progress(step, 200, "waiting for the watcher to fail")
                time.sleep(0.05)
        return {}


class Exits(Task):
    """Leaves through the back door."""

    def execute(self, context: RunContext) -> dict:
        raise SystemExit(4)


class NotATask:
    """Something else that a hostile task.json could name."""


def _atoms(position):
    from ase import Atoms

    atoms = Atoms("LiO", positions=[position, [0.0, 0.0, 2.0]], cell=[10.0, 11.0, 12.0], pbc=True)
    atoms.info["energy"] = -1.5
    atoms.arrays["forces"] = np.full((2, 3), 1e-5)
    return atoms


def _die_between_write_and_rename():
    import pathlib

    pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
