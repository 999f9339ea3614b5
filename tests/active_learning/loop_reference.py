"""A cheap reference for tests of the loop, which writes down every call and misbehaves on order."""

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np

from labkit.errors import NotConverged
from labkit.references import Reference

WIDTH, REST_A = 1.4, 2.6
#: Where the second well lies, and how wide it is.
FAR_A, BREADTH_A = 4.2, 0.3


class Morse(Reference):
    """Morse pairs between all atoms, one call after the other written into `log`.

    depth: eV. second: depth of a second well at 4.2 Å, eV, which a search near 2.6 Å never meets. shares: of structures
    that kill their process, do not converge, or come back as NaN; which ones follows from their positions.
    """

    name = "morse"

    def __init__(self, depth=0.8, log="", second=0.0, shares=(0.0, 0.0, 0.0), nap_s=0.0):
        self.depth, self.log, self.second, self.shares, self.nap_s = depth, log, second, tuple(shares), nap_s
        self.level_of_theory = f"Morse, {depth:g} eV"

    def cost_s(self, atoms):
        return 0.001

    def label(self, atoms, *, forces=True):
        self.check(atoms)
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{self.level_of_theory} {fingerprint(atoms)}\n")
        time.sleep(self.nap_s)
        draw = int(fingerprint(atoms)[:8], 16) / 16**8
        dies, refuses, nothing = np.cumsum(self.shares)
        if draw < dies:
            os.kill(os.getpid(), signal.SIGKILL)
        if draw < refuses:
            raise NotConverged("the iteration went in circles.")
        energy, force = self.answer(atoms)
        return self.record(atoms, np.nan if draw < nothing else energy, force, provenance="a test")

    def answer(self, atoms):
        """Energy (eV) and forces (n, 3) eV/Å."""
        first, second = np.triu_indices(len(atoms), 1)
        vectors = atoms.positions[second] - atoms.positions[first]
        r = np.linalg.norm(vectors, axis=1)
        x = np.exp(-WIDTH * (r - REST_A))
        energy = self.depth * (x**2 - 2 * x)
        slope = self.depth * 2 * WIDTH * (x - x**2)
        bump = self.second * np.exp(-((r - FAR_A) ** 2) / (2 * BREADTH_A**2))
        energy, slope = energy - bump, slope + bump * (r - FAR_A) / BREADTH_A**2
        push = slope[:, None] * vectors / r[:, None]
        forces = np.zeros_like(atoms.positions)
        np.add.at(forces, first, push)
        np.add.at(forces, second, -push)
        return float(energy.sum()), forces


def fingerprint(atoms):
    """A text that is the same for the same positions, to 1e-8 Å."""
    return hashlib.sha256(np.round(atoms.positions, 8).tobytes()).hexdigest()[:16]
