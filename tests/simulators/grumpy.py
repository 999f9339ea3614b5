"""Potentials that fail: at silver after a while, at more than one structure, or for want of memory."""

from labkit.errors import RunCancelled
from labkit.potentials import load
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential


class OutOfMemoryError(RuntimeError):
    """Named as torch's, which is known by its name."""


class Grumpy(Potential):
    """EMT that says no to silver at its 101st call, step 100, and whenever it is asked again."""

    name, level_of_theory, implemented = "grumpy", "toy", ("energy", "forces")

    def __init__(self):
        self.calls, self.emt = 0, load("emt")

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        if any("Ag" in atoms.symbols for atoms in structures):
            self.calls = min(self.calls + 1, 101)
            if self.calls == 101:
                raise RuntimeError(f"no answer for silver\nat call {self.calls}")
        return self.emt.predict(structures, properties)


class Lonely(Grumpy):
    """Takes one structure at a time."""

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        if len(structures) > 1:
            raise ValueError("one at a time, please")
        return self.emt.predict(structures, properties)


class RaisesMemoryError(Grumpy):
    error = MemoryError

    def predict(self, structures, properties=DEFAULT_PROPERTIES):
        raise self.error("the device is full")


class RaisesOutOfMemoryError(RaisesMemoryError):
    error = OutOfMemoryError


class RaisesRunCancelled(RaisesMemoryError):
    error = RunCancelled
