"""Stages for tests that write down every call and misbehave on order; worker processes import them from here."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from labkit.errors import NotConverged
from labkit.screening import Candidate, Member, Outcome, Stage, passed, rejected

EMT = "ase.calculators.emt:EMT"


def logged(candidate: Candidate, log="", nap_s=0.0, dies=(), sleeps=(), fails=(), refuses=()):
    """A stage that naps, and dies, sleeps, fails or refuses for some candidates."""
    number = candidate.index
    _write(log, f"begin {number}")
    print("packages print what they like")
    if number in dies:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(1000 if number in sleeps else nap_s)
    if number in fails:
        raise NotConverged(f"candidate {number} does not want to.")
    _write(log, f"end {number}")
    if number in refuses:
        return rejected(f"candidate {number} is not wanted.", seen=number)
    return {"seen": number, "energy_eV_atom": -float(number)}


def says_nonsense(candidate):
    """A stage that returns what is no answer."""
    return "yes"


def moves(candidate, by=1.0):
    """A stage that changes the structure."""
    atoms = candidate.atoms.copy()
    atoms.positions += by
    return passed(atoms, files={"note.txt": f"moved by {by}"}, moved_A=by)


def unkeepable(candidate):
    """A stage of which hardly anything can be written down."""
    answers = (
        lambda: passed(files={"a.json": {"x": 1}}),
        lambda: passed(files={"sub/a.json": "x"}),
        lambda: passed(files={"a.txt": "\ud800"}),
        lambda: passed(text="\ud800"),
        lambda: passed("no structure"),
        lambda: passed(files={"a.json": "{}"}),
    )
    return answers[candidate.index]()


class Odd(Stage):
    """A user's stage with parameters of its own."""

    keep: int = 1

    def judge(self, candidate: Candidate) -> Outcome:
        """Odd numbers pass."""
        return passed() if candidate.index % 2 == self.keep else rejected("it is even.")


class Half(Stage):
    """A user's stage that sees all candidates."""

    gathers = True

    def judge_all(self, members: list[Member], phases: list[Member]) -> dict[int, Outcome]:
        """The first half passes."""
        half = len(members) // 2
        return {
            one.index: passed(of=len(members)) if place < half else rejected("it is late.", of=len(members))
            for place, one in enumerate(members)
        }


def _write(log, line):
    if log:
        with Path(log).open("a") as file:
            file.write(line + "\n")


def calls(log, word="begin"):
    """How often each candidate was begun."""
    from collections import Counter

    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return Counter(int(line.split()[1]) for line in lines if line.startswith(word))


def metals(count, rattle=0.05):
    """`count` small crystals that EMT knows."""
    for number in range(count):
        atoms = bulk(("Cu", "Al", "Ni", "Pt")[number % 4], cubic=True)
        atoms.rattle(rattle, seed=number)
        atoms.info["name"] = f"metal {number}"
        yield atoms


def pairs(count):
    """`count` pairs of atoms in a box."""
    rng = np.random.default_rng(4)
    for number in range(count):
        yield Atoms("OH", [[0, 0, 0], [0.9, *rng.uniform(0, 2, size=2)]], cell=[5, 6, 7], pbc=number % 2 == 0)
