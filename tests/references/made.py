"""A reference for tests that writes down every call and misbehaves on order; worker processes import it from here."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from ase import Atoms

from labkit.errors import NotConverged
from labkit.references import Reference


class Logged(Reference):
    """E = sum x^2; the tag of a structure's first atom is its number, which is logged when a label begins and ends."""

    name, level_of_theory = "logged", "harmonic"

    def __init__(self, log="", nap_s=0.0, fails=(), dies=(), sleeps=()):
        self.log, self.nap_s = log, nap_s
        self.fails, self.dies, self.sleeps = set(fails), set(dies), set(sleeps)

    def cost_s(self, atoms):
        return 0.001 * len(atoms)

    def label(self, atoms, *, forces=True):
        self.check(atoms)
        number = int(atoms.get_tags()[0])
        self._write(f"begin {number}")
        print("packages print what they like")
        if number in self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(100 if number in self.sleeps else self.nap_s)
        if number in self.fails:
            raise NotConverged(f"structure {number} does not want to.")
        self._write(f"end {number}")
        energy, gradient = float((atoms.positions**2).sum()), 2 * atoms.positions
        return self.record(atoms, energy, -gradient, np.eye(3) if atoms.pbc.all() else None, provenance="a test")

    def _write(self, line):
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(line + "\n")


class Sleepy(Logged):
    """Takes its time to begin, in a worker process."""

    def __init__(self):
        super().__init__()
        time.sleep(100)


def refuses():
    """A reference whose package is missing."""
    raise ModuleNotFoundError("it needs the package nowhere: pip install nowhere")


def structures(count):
    """`count` different pairs of atoms, numbered."""
    rng = np.random.default_rng(4)
    made = []
    for number in range(count):
        atoms = Atoms(
            "OH", positions=[[0, 0, 0], [0.9, *rng.uniform(0, 2, size=2)]], cell=[5, 6, 7], pbc=number % 2 == 0
        )
        atoms.set_tags([number, 0])
        made.append(atoms)
    return made
