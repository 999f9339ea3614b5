"""Calculators that behave badly, for the tests of the child process that holds foreign ones."""

import os
import pickle
import time
import urllib.request

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Springs(Calculator):
    """Each atom on a spring to the origin, 1 eV/Å²; prints, as many calculators do."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        print("converged in 12 iterations")
        x = self.atoms.positions
        self.results = {"energy": 0.5 * float((x**2).sum()), "forces": -x}


class Crashes(Springs):
    """Takes its process down."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        os.write(2, b"Fatal: the kernel of the universe panicked\n")
        os.abort()


class Hangs(Springs):
    """Never comes back."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        time.sleep(600)


class Refuses(Springs):
    """Raises, as calculators do outside of their domain."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        raise ValueError("no parameters for copper")


class Lies(Springs):
    """Gives forces of the wrong shape."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["forces"] = np.zeros((1, 3))


class NotFinite(Springs):
    """Gives an energy that is no number."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] = np.nan


def downloads():
    """A factory that fetches its weights first."""
    urllib.request.urlopen("https://weights.example.org/model.pt", timeout=5)
    return EMT()


class Hostile:
    """Pickles into a program that leaves the id of its process in a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return exec, (f"import os, pathlib; pathlib.Path({self.marker!r}).write_text(str(os.getpid()))",)


def pickled(thing, path):
    """Pickle `thing` into `path`, and return the name that `load` opens."""
    with path.open("wb") as file:
        pickle.dump(thing, file)
    return f"pickle:{path}"
